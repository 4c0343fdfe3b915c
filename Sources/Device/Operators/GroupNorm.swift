// Normalisation of groups of channels, image by image; instance normalisation with one per group.
import CKernels
import Tensors

/// y = (x − mean) / √(variance + epsilon) · scale + bias, statistics over each of `groups` equal groups
/// of channels and all that lies under them.
///
/// inputs: x f32 [n, c, …]; scale, bias f32 [c], optional → output: x's shape.
public struct GroupNorm: OperatorDefinition {
  public static var code: Int { 46 }
  public static var name: StaticString { "GroupNorm" }

  public var groups: Int
  public var epsilon: Float

  public init(groups: Int, epsilon: Float) {
    self.groups = groups
    self.epsilon = epsilon
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    groups = try attributes.integer(in: 1...(1 << 24))
    epsilon = try attributes.float()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(groups)
    attributes.put(epsilon)
  }

  public var aliasing: Aliasing { .inPlace }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...3)
    let x = step.input(0).shape
    guard x.rank >= 2 else {
      throw ShapeError("has no channel axis", input: 0, expected: 2, found: x.rank)
    }
    guard groups >= 1, x[1] % groups == 0 else {
      throw ShapeError("channels do not divide into the groups", expected: groups, found: x[1])
    }
    for i in 0..<3 where step.has(i) {
      try step.require(i, is: .f32)
      try step.requirePlain(i)
      guard i == 0 || step.input(i).shape == Shape([x[1]]) else {
        throw ShapeError("is not one number per channel", input: i, expected: x[1])
      }
    }
    step.setOutput(0, .f32, x)
  }

  public func scratchBytes(_ step: StepContext) -> Int { 2 * step.input(0).shape[1] * 4 }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output().floats
    guard y.count > 0 else { return }
    let channels = x.shape[1]
    // The output may stand where scale or bias stands, which are read after it is written.
    let copies = step.scratch(Float.self, count: 2 * channels)
    func optional(_ i: Int) -> UnsafePointer<Float>? {
      guard step.has(i) else { return nil }
      copies.copy(from: step.input(i).floats, at: 0, to: (i - 1) * channels, count: channels)
      return unsafe UnsafePointer(copies.pointer((i - 1) * channels))
    }
    var job = unsafe kn_channels()
    unsafe job.kernels = unsafe step.compute.kernels
    unsafe job.x = UnsafePointer(x.floats.pointer())
    unsafe job.y = y.pointer()
    unsafe job.scale = optional(1)
    unsafe job.bias = optional(2)
    unsafe job.rows = x.shape[0] * channels
    unsafe job.width = y.count / (x.shape[0] * channels)
    unsafe job.channels = channels
    unsafe job.group_width = y.count / (x.shape[0] * groups)
    unsafe job.epsilon = epsilon
    unsafe step.compute.run(
      kn_channels_job, &job, parts: y.count < 1 << 15 ? 1 : step.compute.threads)
  }
}
