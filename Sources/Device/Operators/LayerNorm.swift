// Normalisation of each row to mean 0 and variance 1.
import CKernels
import Tensors

/// y = (s − mean(s)) / √(variance(s) + epsilon) · scale + bias with s = x (+ residual), over the axes
/// from `axis` on.
///
/// inputs: x f32; scale, bias f32, optional, of the normalised extents; residual f32, optional, of x's
/// shape → outputs: y of x's shape; s, where a second output is asked for.
public struct LayerNorm: OperatorDefinition {
  public static var code: Int { 12 }
  public static var name: StaticString { "LayerNorm" }

  public var axis: Int
  public var epsilon: Float

  public init(axis: Int = -1, epsilon: Float) {
    self.axis = axis
    self.epsilon = epsilon
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    axis = try attributes.integer(in: -8...7)
    epsilon = try attributes.float()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(axis)
    attributes.put(epsilon)
  }

  public var aliasing: Aliasing { .inPlace }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...4, outputs: step.outputCount == 2 ? 2 : 1)
    let x = step.input(0).shape
    guard let axis = x.normalized(axis: axis) else {
      throw ShapeError("axis is out of range", input: 0, expected: x.rank, found: self.axis)
    }
    let width = x.elementCount(of: axis..<x.rank)
    for i in 0..<4 where step.has(i) {
      try step.require(i, is: .f32)
      try step.requirePlain(i)
      guard i == 0 || i == 3 || step.input(i).shape.elementCount == width else {
        throw ShapeError("is not one number per column", input: i, expected: width)
      }
    }
    guard !step.has(3) || step.input(3).shape == x else {
      throw ShapeError("residual has another shape", input: 3)
    }
    for i in 0..<step.outputCount { step.setOutput(i, .f32, x) }
  }

  /// A single row may be written over scale or bias, which the kernel reads last: both are copied.
  private func copiesParameters(_ x: Shape, _ axis: Int) -> Bool {
    x.elementCount(of: 0..<axis) == 1
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    let x = step.input(0).shape
    guard let axis = x.normalized(axis: axis), copiesParameters(x, axis) else { return 0 }
    return 2 * x.elementCount * 4
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let axis = x.shape.normalized(axis: axis) ?? 0
    func optional(_ i: Int) -> UnsafePointer<Float>? {
      guard step.has(i) else { return nil }
      let values = step.input(i).floats
      guard i < 3, copiesParameters(x.shape, axis) else {
        return unsafe UnsafePointer(values.pointer())
      }
      let copies = step.scratch(Float.self, count: 2 * values.count)
      copies.copy(from: values, at: 0, to: (i - 1) * values.count, count: values.count)
      return unsafe UnsafePointer(copies.pointer((i - 1) * values.count))
    }
    let width = x.shape.elementCount(of: axis..<x.shape.rank)
    guard width > 0 else { return }
    let rows = x.shape.elementCount / width
    var job = unsafe kn_rows()
    unsafe job.kernels = unsafe step.compute.kernels
    unsafe job.x = UnsafePointer(x.floats.pointer())
    unsafe job.scale = optional(1)
    unsafe job.bias = optional(2)
    unsafe job.residual = optional(3)
    unsafe job.sum = step.outputCount == 2 ? step.output(1).floats.pointer() : nil
    unsafe job.y = step.output().floats.pointer()
    unsafe job.rows = rows
    unsafe job.width = width
    unsafe job.epsilon = epsilon
    unsafe step.compute.run(
      kn_layer_norm_job, &job, parts: rows * width < 1 << 15 ? 1 : step.compute.threads)
  }
}
