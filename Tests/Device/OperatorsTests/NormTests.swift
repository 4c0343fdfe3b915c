// Normalisations and softmax against their definitions.

import Foundation
import Operators
import Randomness
import Tensors
import Testing

/// (v − mean) / √(variance + epsilon) of one group.
private func normalized(_ v: [Double], _ epsilon: Double) -> [Double] {
  let mean = v.reduce(0, +) / Double(v.count)
  let variance = v.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(v.count)
  return v.map { ($0 - mean) / (variance + epsilon).squareRoot() }
}

struct NormTests {
  /// Differences from the mean cancel; the quotient is about 1.
  static let tolerance = Tolerance(absolute: 2e-5, relative: 2e-5)

  @Test(arguments: [[2, 5], [1, 7, 3, 4], [3, 4, 20], [2, 40, 30, 30], [0, 3, 2]])
  func `batch normalisation is affine per channel`(shape: [Int]) throws {
    var random = SeededRandom(state: 20)
    let c = shape[1]
    let x = random.floats(shape)
    let (scale, bias, mean) = (random.floats([c]), random.floats([c]), random.floats([c]))
    let variance = random.floats([c], 0.1...2)
    let v = x.values
    let (s, b, m, d) = (scale.values, bias.values, mean.values, variance.values)
    let wanted = tensor(shape) { p in
      let k = p[1]
      return (v[offset(p, in: shape)] - m[k]) / (d[k] + 1e-3).squareRoot() * s[k] + b[k]
    }
    try check(
      .batchNorm(BatchNorm(epsilon: 1e-3)), [x, scale, bias, mean, variance], is: [wanted],
      within: NormTests.tolerance)
  }

  @Test(arguments: [
    ([2, 6, 5], 3), ([1, 6], 2), ([2, 4, 3, 3], 4), ([3, 8, 17], 1), ([2, 16, 40, 40], 8),
  ])
  func `group normalisation takes statistics over its groups`(shape: [Int], groups: Int) throws {
    var random = SeededRandom(state: 21)
    let x = random.floats(shape)
    let (scale, bias) = (random.floats([shape[1]]), random.floats([shape[1]]))
    let (v, width) = (x.values, x.count / (shape[0] * groups))
    let plain = (0..<(shape[0] * groups)).flatMap {
      normalized(Array(v[($0 * width)..<(($0 + 1) * width)]), 1e-5)
    }
    let inner = x.count / (shape[0] * shape[1])
    let (s, b) = (scale.values, bias.values)
    let full = plain.indices.map {
      plain[$0] * s[$0 / inner % shape[1]] + b[$0 / inner % shape[1]]
    }
    let op = GroupNorm(groups: groups, epsilon: 1e-5)
    try check(
      .groupNorm(op), [x, scale, bias], is: [TestTensor(.f32, shape, full)],
      within: NormTests.tolerance)
    try check(
      .groupNorm(op), [x], is: [TestTensor(.f32, shape, plain)], within: NormTests.tolerance)
  }

  @Test(arguments: [[4, 9], [1, 16], [2, 3, 33], [1, 1, 5], [300, 130]], [-1, 1])
  func `layer normalisation with residual, scale, bias and sum`(shape: [Int], axis: Int) throws {
    var random = SeededRandom(state: 22)
    let (x, residual) = (random.floats(shape), random.floats(shape))
    let width = shape[(axis < 0 ? shape.count - 1 : axis)...].reduce(1, *)
    let (scale, bias) = (random.floats([width]), random.floats([width]))
    let sum = zip(x.values, residual.values).map { Double(Float($0 + $1)) }
    let (s, b) = (scale.values, bias.values)
    func reference(_ v: [Double], _ s: [Double]?, _ b: [Double]?) -> TestTensor {
      let rows = stride(from: 0, to: v.count, by: width).flatMap {
        normalized(Array(v[$0..<($0 + width)]), 1e-5)
      }
      return TestTensor(
        .f32, shape, rows.indices.map { rows[$0] * (s?[$0 % width] ?? 1) + (b?[$0 % width] ?? 0) })
    }
    let op = Operator.layerNorm(LayerNorm(axis: axis, epsilon: 1e-5))
    // One element less its mean is nothing but rounding; give it room.
    let tolerance = width == 1 ? Tolerance(absolute: 1e-3, relative: 0) : NormTests.tolerance
    try check(op, [x], is: [reference(x.values, nil, nil)], within: tolerance)
    try check(op, [x, scale], is: [reference(x.values, s, nil)], within: tolerance)
    try check(op, [x, nil, bias], is: [reference(x.values, nil, b)], within: tolerance)
    try check(
      op, [x, scale, bias, residual],
      is: [reference(sum, s, b), TestTensor(.f32, shape, sum)], within: tolerance)
    try check(op, [x, scale, bias, residual], is: [reference(sum, s, b)], within: tolerance)
  }

  @Test(arguments: [[3, 7], [2, 5, 4], [40, 1000], [6], [2, 0, 3]], [-1, 0])
  func `softmax and its logarithm along an axis`(shape: [Int], axis: Int) throws {
    var random = SeededRandom(state: 23)
    let x = random.floats(shape, -20...20)
    let a = axis < 0 ? shape.count - 1 : axis
    let v = x.values
    let inner = shape[(a + 1)...].reduce(1, *)
    for isLogarithm in [false, true] {
      let wanted = tensor(shape) { p in
        let first = offset(p, in: shape) - p[a] * inner
        let row = (0..<shape[a]).map { v[first + $0 * inner] }
        let peak = row.max()!
        let total = row.reduce(0) { $0 + exp($1 - peak) }
        let mine = row[p[a]] - peak
        return isLogarithm ? mine - log(total) : exp(mine) / total
      }
      try check(
        .softmax(Softmax(axis: axis, isLogarithm: isLogarithm)), [x], is: [wanted],
        within: .functions)
    }
  }

  @Test func `a scalar's softmax is 1`() throws {
    let x = TestTensor(.f32, [], [3])
    try check(.softmax(Softmax()), [x], is: [TestTensor(.f32, [], [1])])
  }

  @Test(arguments: [1, 2, 3, 5, 20])
  func `local response normalisation looks at neighbouring channels`(size: Int) throws {
    var random = SeededRandom(state: 24)
    for shape in [[2, 7, 3, 2], [1, 4], [1, 1, 5]] {
      let x = random.floats(shape, -3...3)
      let v = x.values
      let op = LRN(size: size, alpha: 0.3, beta: 0.75, bias: 1.5)
      let wanted = tensor(shape) { p in
        var sum = 0.0
        for c in 0..<shape[1] where c >= p[1] - (size - 1) / 2 && c <= p[1] + size / 2 {
          var q = p
          q[1] = c
          sum += pow(v[offset(q, in: shape)], 2)
        }
        return v[offset(p, in: shape)] / pow(1.5 + Double(Float(0.3)) / Double(size) * sum, 0.75)
      }
      try check(.lrn(op), [x], is: [wanted], within: .functions)
    }
  }

  @Test func `what does not fit is refused`() {
    var random = SeededRandom(state: 25)
    let x = random.floats([2, 6, 5])
    let (six, five) = (random.floats([6]), random.floats([5]))
    expectRefusal(.batchNorm(BatchNorm(epsilon: 0)), [x, six, six, six, five])
    expectRefusal(.batchNorm(BatchNorm(epsilon: 0)), [x, six, six, six])
    expectRefusal(.batchNorm(BatchNorm(epsilon: 0)), [six, six, six, six, six])
    expectRefusal(.groupNorm(GroupNorm(groups: 4, epsilon: 0)), [x])
    expectRefusal(.groupNorm(GroupNorm(groups: 0, epsilon: 0)), [x])
    expectRefusal(.groupNorm(GroupNorm(groups: 3, epsilon: 0)), [x, five])
    expectRefusal(.layerNorm(LayerNorm(axis: 3, epsilon: 0)), [x])
    expectRefusal(.layerNorm(LayerNorm(axis: -4, epsilon: 0)), [x])
    expectRefusal(.layerNorm(LayerNorm(epsilon: 0)), [x, six])
    expectRefusal(.layerNorm(LayerNorm(epsilon: 0)), [x, nil, nil, six])
    expectRefusal(.softmax(Softmax(axis: 3)), [x])
    expectRefusal(.softmax(Softmax()), [random.integers(.i64, [3])])
    expectRefusal(.lrn(LRN(size: 3)), [five])
  }
}
