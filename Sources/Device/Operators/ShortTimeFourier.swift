// Fourier transforms of windows that slide over a signal.
import CKernels
import Tensors

/// Transform f of a signal: samples [f · step, f · step + length), weighted by the window.
///
/// inputs: signal f32 [batch, samples, 1 or 2]; the table of `FourierTable` for the frame's length; the step,
/// an integer; a window f32 [length], optional; the length, an integer, optional
/// → output f32 [batch, frames, length or length / 2 + 1, 2]. Without a length it is
/// the window's, without a window the signal's.
public struct ShortTimeFourier: OperatorDefinition {
  public static var code: Int { 133 }
  public static var name: StaticString { "ShortTimeFourier" }

  public var isOneSided: Bool

  public init(isOneSided: Bool = true) { self.isOneSided = isOneSided }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    isOneSided = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) { attributes.put(isOneSided) }

  public func readsValue(ofInput i: Int) -> Bool { i == 2 || i == 4 }

  private struct Frames {
    var length = 0
    var step = 0
    var count = 0
  }

  private func frames(_ step: StepContext) throws(ShapeError) -> Frames {
    let x = step.input(0).shape
    guard x.rank == 3, (1...2).contains(x[2]) else {
      throw ShapeError("signal is not [batch, samples, 1 or 2]", input: 0)
    }
    var f = Frames()
    f.step = try FourierTable.integer(step, 2)
    f.length = x[1]
    if step.has(3) {
      try step.require(3, is: .f32)
      try step.requirePlain(3)
      guard step.input(3).shape.rank == 1 else {
        throw ShapeError("window is not a vector", input: 3)
      }
      f.length = step.input(3).shape[0]
    }
    if step.has(4) {
      let length = try FourierTable.integer(step, 4)
      guard !step.has(3) || length == f.length else {
        throw ShapeError("window has another length", input: 3, expected: length, found: f.length)
      }
      f.length = length
    }
    guard f.step >= 1 else {
      throw ShapeError("step is out of range", input: 2, expected: 1, found: f.step)
    }
    guard (1...FourierTable.maximumLength).contains(f.length), f.length <= x[1] else {
      throw ShapeError("frame is not within the signal", input: 0, expected: f.length, found: x[1])
    }
    f.count = (x[1] - f.length) / f.step + 1
    return f
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 3...5)
    for i in 0..<2 {
      try step.require(i, is: .f32)
      try step.requirePlain(i)
    }
    let f = try frames(step)
    let x = step.input(0).shape
    guard step.input(1).shape == Shape([kn_fourier_table_count(f.length, x[2] == 1 ? 1 : 0)])
    else { throw ShapeError("is not the table of this transform", input: 1) }
    let bins = isOneSided ? f.length / 2 + 1 : f.length
    step.setOutput(0, .f32, Shape([x[0], f.count, bins, 2]))
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    guard let f = try? frames(step) else { return 0 }
    return (step.input(0).shape[0] * f.count).saturatingProduct(fourierWork(f.length))
  }

  private func parts(_ step: StepContext, _ f: Frames) -> Int {
    fourierParts(
      step.compute.threads, transforms: step.input(0).shape[0] * f.count, length: f.length)
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    guard let f = try? frames(step) else { return 0 }
    let real: Int32 = step.input(0).shape[2] == 1 ? 1 : 0
    return parts(step, f).saturatingProduct(kn_fourier_scratch(f.length, real) * 4)
  }

  public func run(_ step: StepContext) {
    guard let f = try? frames(step) else { return }
    let x = step.input(0)
    let y = step.output()
    guard y.shape.elementCount > 0 else { return }
    let width = x.shape[2]
    let bins = y.shape[2]
    var job = unsafe kn_fourier()
    unsafe job.x = UnsafePointer(x.floats.pointer())
    unsafe job.y = y.floats.pointer()
    unsafe job.table = UnsafePointer(step.input(1).floats.pointer())
    if step.has(3) {
      unsafe job.window = UnsafePointer(step.input(3).floats.pointer(0, count: f.length))
    }
    unsafe job.length = f.length
    unsafe job.transforms = x.shape[0] * f.count
    unsafe job.group = f.count
    unsafe job.x_outer = x.shape[1] * width
    unsafe job.x_inner = f.step * width
    unsafe job.x_step = width
    unsafe job.x_count = f.length
    unsafe job.y_outer = f.count * bins * 2
    unsafe job.y_inner = bins * 2
    unsafe job.y_step = 2
    unsafe job.y_count = bins
    unsafe job.x_complex = width == 2 ? 1 : 0
    unsafe job.y_complex = 1
    unsafe runFourier(&job, step, parts(step, f))
  }
}
