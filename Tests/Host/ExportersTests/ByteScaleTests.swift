// Scales of activations and weights: what they hold, and how far codes are off.
import Exporters
import GraphRunning
import Graphs
import Tensors
import Testing

@Suite struct ByteScaleTests {
  /// Every number of the range is at most half a step from its code; 0 has a code of its own.
  @Test(arguments: [(-1.0, 3.0), (0, 6), (-8, 0), (0.5, 2), (-3, -1), (-1e-9, 2e-9), (-1e20, 1e20)])
  func holdsItsRange(_ bounds: (Double, Double)) {
    let range = Float(bounds.0)...Float(bounds.1)
    for isSymmetric in [false, true] {
      let scale = ByteScale(range, isSymmetric: isSymmetric)
      #expect(scale.scale > 0 && (-128...127).contains(scale.zeroPoint))
      #expect(scale.code(of: 0) == Int8(scale.zeroPoint))
      if isSymmetric { #expect(scale.zeroPoint == 0) }
      for i in 0...100 {
        let x = range.lowerBound + (range.upperBound - range.lowerBound) * Float(i) / 100
        let y = Float(Int(scale.code(of: x)) - scale.zeroPoint) * scale.scale
        // A zero point between two codes moves one end by another half step.
        #expect((x - y).magnitude <= scale.scale * 1.001, "\(x) is \(y) at \(scale.scale)")
      }
    }
  }

  @Test func oddRanges() {
    #expect(ByteScale(0...0).scale > 0)
    #expect(ByteScale(-Float.infinity...Float.infinity).scale.isFinite)
    #expect(ByteScale(0...6).zeroPoint == -128)
    #expect(ByteScale(0...6).code(of: .nan) == -128)
    #expect(ByteScale(0...6).code(of: .infinity) == 127)
  }

  /// Weights err by half a step of their own channel; biases by half a step of their product.
  @Test func weights() throws {
    var random = RandomSource(3)
    let weight = random.floats([5, 3, 2, 2])
    let values = try #require(weight.floats)
    let bias: [Float] = [0, 1, -1, 1e6, 0.5]
    let found = ByteWeights(weight, axis: 0, bias: bias, activationScale: 0.01)
    for (i, x) in values.enumerated() {
      let step = found.scales[i / 12]
      #expect((Float(found.codes[i]) * step - x).magnitude <= step * 0.501)
      #expect(found.codes[i] != -128)
    }
    for (c, code) in found.bias(bias, activationScale: 0.01).enumerated() {
      let step = Double(found.scales[c]) * Double(Float(0.01))
      #expect((Double(code) * step - Double(bias[c])).magnitude <= step * 0.501)
    }
  }

  /// A channel of zeros still has a scale in which its bias fits.
  @Test func deadChannel() {
    let weight = Constant(floats: [0, 0, 1, 2], shape: Shape([2, 2]))
    let found = ByteWeights(weight, axis: 0, bias: [1e5, 0], activationScale: 1e-4)
    let code = found.bias([1e5, 0], activationScale: 1e-4)[0]
    let real = Double(code) * Double(found.scales[0]) * 1e-4
    #expect((real / 1e5 - 1).magnitude < 1e-6)
    #expect(found.codes[0] == 0)
  }

  /// The scales go along the last axis of a matrix that is not turned.
  @Test func columns() {
    let weight = Constant(floats: [1, 20, -2, 10], shape: Shape([2, 2]))
    let found = ByteWeights(weight, axis: 1, bias: nil, activationScale: 1)
    #expect(found.scales == [2 / 127, 20 / 127])
    #expect(found.codes == [64, 127, -127, 64])
  }
}
