// Discrete Fourier transforms along one axis: complex, real, one-sided, and their inverses.
import CKernels
import Tensors

/// y[k] = Σ x[j] e^(−2πi jk / length); the inverse has the other sign and divides by the length.
///
/// inputs: x f32 [..., 1] (real) or [..., 2] (complex); the table of `FourierTable` for the same length;
/// the length, optional, and the axis, optional: integers → output f32, x's
/// shape with the length at the axis and complex numbers. x is cut or filled with zeros to the length.
/// One-sided, a transform gives length / 2 + 1 numbers, the others being their conjugates, and an inverse
/// takes so many and gives real ones.
public struct Fourier: OperatorDefinition {
  public static var code: Int { 132 }
  public static var name: StaticString { "Fourier" }

  public var isInverse: Bool
  public var isOneSided: Bool
  public var axis: Int

  public init(isInverse: Bool = false, isOneSided: Bool = false, axis: Int = -2) {
    self.isInverse = isInverse
    self.isOneSided = isOneSided
    self.axis = axis
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    isInverse = try attributes.bool()
    isOneSided = try attributes.bool()
    axis = try attributes.integer(in: -8...7)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(isInverse)
    attributes.put(isOneSided)
    attributes.put(axis)
  }

  public func readsValue(ofInput i: Int) -> Bool { i > 1 }

  private var isMirrored: Bool { isInverse && isOneSided }

  /// Whether the transform's table is that of a real one.
  public func isReal(complexInput: Bool) -> Bool { isInverse ? isOneSided : !complexInput }

  private func resolve(_ step: StepContext) throws(ShapeError) -> (axis: Int, length: Int) {
    try FourierTable.resolve(step, axis: axis, isMirrored: isMirrored, lengthInput: 2)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...4)
    for i in 0..<2 {
      try step.require(i, is: .f32)
      try step.requirePlain(i)
    }
    let x = step.input(0).shape
    guard x.rank >= 2, (1...2).contains(x[x.rank - 1]) else {
      throw ShapeError("the last axis does not hold real or complex numbers", input: 0)
    }
    let (axis, length) = try resolve(step)
    guard axis < x.rank - 1 else {
      throw ShapeError("the last axis holds complex numbers", input: 0)
    }
    let real: Int32 = isReal(complexInput: x[x.rank - 1] == 2) ? 1 : 0
    guard step.input(1).shape == Shape([kn_fourier_table_count(length, real)]) else {
      throw ShapeError("is not the table of this transform", input: 1)
    }
    var y = x
    y[axis] = isOneSided && !isInverse ? length / 2 + 1 : length
    y[x.rank - 1] = isMirrored ? 1 : 2
    step.setOutput(0, .f32, y)
  }

  /// Transforms of the step, and the floats of one that stand side by side.
  private func counts(_ x: Shape, _ axis: Int) -> (transforms: Int, inner: Int) {
    let inner = x.elementCount(of: (axis + 1)..<(x.rank - 1))
    return (x.elementCount(of: 0..<axis) * inner, inner)
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    guard let (axis, length) = try? resolve(step) else { return 0 }
    let (transforms, _) = counts(step.input(0).shape, axis)
    return transforms.saturatingProduct(fourierWork(length))
  }

  private func parts(_ step: StepContext, _ transforms: Int, _ length: Int) -> Int {
    fourierParts(step.compute.threads, transforms: transforms, length: length)
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    guard let (axis, length) = try? resolve(step) else { return 0 }
    let x = step.input(0).shape
    let real: Int32 = isReal(complexInput: x[x.rank - 1] == 2) ? 1 : 0
    let parts = parts(step, counts(x, axis).transforms, length)
    return parts.saturatingProduct(kn_fourier_scratch(length, real) * 4)
  }

  public func run(_ step: StepContext) {
    guard let (axis, length) = try? resolve(step) else { return }
    let x = step.input(0)
    let y = step.output()
    guard y.shape.elementCount > 0 else { return }
    let (transforms, inner) = counts(x.shape, axis)
    let xWidth = x.shape[x.shape.rank - 1]
    let yWidth = y.shape[y.shape.rank - 1]
    var job = unsafe kn_fourier()
    unsafe job.x = UnsafePointer(x.floats.pointer())
    unsafe job.y = y.floats.pointer()
    unsafe job.table = UnsafePointer(step.input(1).floats.pointer())
    unsafe job.length = length
    unsafe job.transforms = transforms
    unsafe job.group = inner
    unsafe job.x_outer = x.shape[axis] * inner * xWidth
    unsafe job.x_inner = xWidth
    unsafe job.x_step = inner * xWidth
    unsafe job.x_count = x.shape[axis]
    unsafe job.y_outer = y.shape[axis] * inner * yWidth
    unsafe job.y_inner = yWidth
    unsafe job.y_step = inner * yWidth
    unsafe job.y_count = y.shape[axis]
    unsafe job.x_complex = xWidth == 2 ? 1 : 0
    unsafe job.y_complex = yWidth == 2 ? 1 : 0
    unsafe job.inverse = isInverse ? 1 : 0
    unsafe job.mirror = isMirrored ? 1 : 0
    unsafe runFourier(&job, step, parts(step, transforms, length))
  }
}

/// Multiply-accumulates of one transform, about.
func fourierWork(_ length: Int) -> Int {
  length.saturatingProduct(2 * (Int.bitWidth - length.leadingZeroBitCount))
}

/// Parts that the transforms of a step are cut into: one where a hand-over would cost more than it saves.
func fourierParts(_ threads: Int, transforms: Int, length: Int) -> Int {
  transforms.saturatingProduct(fourierWork(length)) < 1 << 16 ? 1 : max(min(threads, transforms), 1)
}

/// Runs a job with the step's scratch.
@unsafe func runFourier(_ job: inout kn_fourier, _ step: StepContext, _ parts: Int) {
  let real = unsafe kn_fourier_is_real(job.x_complex, job.inverse, job.mirror)
  unsafe job.scratch =
    step.scratch(Float.self, count: parts * kn_fourier_scratch(job.length, real)).pointer()
  unsafe step.compute.run(kn_fourier_job, &job, parts: parts)
}
