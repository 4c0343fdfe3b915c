// Normalisation by statistics that training left behind: an affine function per channel.
import CKernels
import Tensors

/// y = (x − mean) / √(variance + epsilon) · scale + bias, channel by channel.
///
/// inputs: x f32 [n, c, …]; scale, bias, mean, variance f32 [c] → output: x's shape.
public struct BatchNorm: OperatorDefinition {
  public static var code: Int { 42 }
  public static var name: StaticString { "BatchNorm" }

  public var epsilon: Float

  public init(epsilon: Float) { self.epsilon = epsilon }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    epsilon = try attributes.float()
  }

  public func encode(into attributes: inout AttributeWriter) { attributes.put(epsilon) }

  public var aliasing: Aliasing { .inPlace }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 5...5)
    let x = step.input(0).shape
    guard x.rank >= 2 else {
      throw ShapeError("has no channel axis", input: 0, expected: 2, found: x.rank)
    }
    for i in 0..<5 {
      try step.require(i, is: .f32)
      try step.requirePlain(i)
      guard i == 0 || step.input(i).shape == Shape([x[1]]) else {
        throw ShapeError("is not one number per channel", input: i, expected: x[1])
      }
    }
    step.setOutput(0, .f32, x)
  }

  public func scratchBytes(_ step: StepContext) -> Int { step.input(1).shape.elementCount * 8 }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output().floats
    guard y.count > 0 else { return }
    let channels = x.shape[1]
    let (scale, bias) = (step.input(1).floats, step.input(2).floats)
    let (mean, variance) = (step.input(3).floats, step.input(4).floats)
    let folded = step.scratch(Float.self, count: 2 * channels)
    for c in 0..<channels {
      let a = scale[c] / (variance[c] + epsilon).squareRoot()
      folded[c] = a
      folded[channels + c] = bias[c] - mean[c] * a
    }
    var job = unsafe kn_channels()
    unsafe job.kernels = unsafe step.compute.kernels
    unsafe job.x = UnsafePointer(x.floats.pointer())
    unsafe job.y = y.pointer()
    unsafe job.scale = UnsafePointer(folded.pointer(0, count: channels))
    unsafe job.bias = UnsafePointer(folded.pointer(channels, count: channels))
    unsafe job.rows = x.shape[0] * channels
    unsafe job.width = y.count / (x.shape[0] * channels)
    unsafe job.channels = channels
    unsafe step.compute.run(
      kn_channels_job, &job, parts: y.count < 1 << 15 ? 1 : step.compute.threads)
  }
}
