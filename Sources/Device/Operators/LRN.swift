// Local response normalisation across neighbouring channels.
import CKernels
import Tensors

/// y = x / (bias + alpha / size · Σ x²)^beta, the sum over `size` channels around each one.
///
/// input: f32 [n, c, …] → output: the same shape.
public struct LRN: OperatorDefinition {
  public static var code: Int { 48 }
  public static var name: StaticString { "LRN" }

  public var size: Int
  public var alpha: Float
  public var beta: Float
  public var bias: Float

  public init(size: Int, alpha: Float = 0.0001, beta: Float = 0.75, bias: Float = 1) {
    self.size = size
    self.alpha = alpha
    self.beta = beta
    self.bias = bias
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    size = try attributes.integer(in: 1...(1 << 20))
    alpha = try attributes.float()
    beta = try attributes.float()
    bias = try attributes.float()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(size)
    attributes.put(alpha)
    attributes.put(beta)
    attributes.put(bias)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.require(0, is: .f32)
    try step.requirePlain(0)
    let x = step.input(0).shape
    guard x.rank >= 2 else {
      throw ShapeError("has no channel axis", input: 0, expected: 2, found: x.rank)
    }
    step.setOutput(0, .f32, x)
  }

  public func run(_ step: StepContext) {
    let x = step.input(0).floats
    let y = step.output().floats
    guard y.count > 0 else { return }
    let shape = step.output().shape
    let channels = shape[1]
    let inner = y.count / (shape[0] * channels)
    let before = (size - 1) / 2
    for image in 0..<shape[0] {
      for c in 0..<channels {
        let neighbours = max(0, c - before)..<min(channels, c - before + size)
        let first = (image * channels + c) * inner
        for i in 0..<inner {
          var sum: Float = 0
          for k in neighbours {
            let v = x[(image * channels + k) * inner + i]
            sum += v * v
          }
          y[first + i] = x[first + i] / kn_pow(bias + alpha / Float(size) * sum, beta)
        }
      }
    }
  }
}
