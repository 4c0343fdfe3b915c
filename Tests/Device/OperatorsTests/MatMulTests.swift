// Matrix products and attention against loops over every index.

import Foundation
import Operators
import Randomness
import Tensors
import Testing

/// a [..., m, k] · b [..., k, n] with broadcasting leading axes, after any transposition.
private func product(_ a: TestTensor, _ b: TestTensor) -> TestTensor {
  let rank = max(a.shape.count, b.shape.count)
  let wide = [a, b].map { [Int](repeating: 1, count: rank - $0.shape.count) + $0.shape }
  var shape = (0..<(rank - 2)).map { max(wide[0][$0], wide[1][$0]) }
  let k = a.shape[a.shape.count - 1]
  shape += [wide[0][rank - 2], wide[1][rank - 1]]
  let (p, q) = (a.values, b.values)
  return tensor(shape) { at in
    var lead = [[Int]](repeating: [], count: 2)
    for side in 0..<2 {
      lead[side] = (0..<(rank - 2)).map { wide[side][$0] == 1 ? 0 : at[$0] }
    }
    return (0..<k).reduce(0) { sum, i in
      sum + p[offset(lead[0] + [at[rank - 2], i], in: wide[0])]
        * q[offset(lead[1] + [i, at[rank - 1]], in: wide[1])]
    }
  }
}

/// The last two axes exchanged.
private func transposed(_ x: TestTensor) -> TestTensor {
  let n = x.shape.count
  let shape = Array(x.shape[..<(n - 2)]) + [x.shape[n - 1], x.shape[n - 2]]
  return tensor(shape, x.type) { p in x(Array(p[..<(n - 2)]) + [p[n - 1], p[n - 2]]) }
}

struct MatMulTests {
  @Test func `random products match`() throws {
    var random = SeededRandom(state: 200)
    let leads: [([Int], [Int])] = [
      ([], []), ([3], []), ([2, 3], []), ([2], [2]), ([2, 3], [3]), ([1, 3], [2, 1]), ([], [2]),
      ([2], [1]),
    ]
    for i in 0..<64 {
      let (m, k, n) = (random.int(1...20), random.int(1...40), random.int(1...40))
      let lead = leads[i % leads.count]
      let a = random.floats(lead.0 + [m, k])
      let b = random.floats(lead.1 + [k, n])
      let bias = random.bool() ? random.floats([n]) : nil
      var op = MatMul(transposeA: random.bool(), transposeB: random.bool())
      if random.bool() { op.alpha = 0.5 }
      let plain = product(a, b)
      let biases = bias?.values
      let wanted = TestTensor(
        .f32, plain.shape,
        plain.values.enumerated().map { Double(op.alpha) * $1 + (biases?[$0 % n] ?? 0) })
      try check(
        .matMul(op), [op.transposeA ? transposed(a) : a, op.transposeB ? transposed(b) : b, bias],
        is: [wanted], within: .sums, note: "\(a.shape) \(b.shape)")
    }
  }

  @Test func `a vector loses its axis again`() throws {
    var random = SeededRandom(state: 201)
    let row = random.floats([7])
    let matrix = random.floats([7, 5])
    let wide = product(TestTensor(.f32, [1, 7], row.values), matrix)
    try check(
      .matMul(MatMul()), [row, matrix], is: [TestTensor(.f32, [5], wide.values)], within: .sums)
    let column = random.floats([5])
    let tall = product(matrix, TestTensor(.f32, [5, 1], column.values))
    try check(
      .matMul(MatMul()), [matrix, column], is: [TestTensor(.f32, [7], tall.values)], within: .sums)
    let batch = random.floats([3, 2, 7])
    let stacked = product(batch, TestTensor(.f32, [7, 1], row.values))
    try check(
      .matMul(MatMul()), [batch, row], is: [TestTensor(.f32, [3, 2], stacked.values)],
      within: .sums)
    let dot = product(TestTensor(.f32, [1, 7], row.values), TestTensor(.f32, [7, 1], row.values))
    try check(
      .matMul(MatMul()), [row, row], is: [TestTensor(.f32, [], dot.values)], within: .sums)
  }

  /// The last sizes are large enough for threads to share panels, then rows.
  static let sizes = [
    (1, 5, 3), (2, 32, 16), (13, 33, 17), (5, 64, 50), (1, 200, 90), (60, 100, 130),
    (200, 300, 20),
  ]

  @Test(arguments: QuantizationScheme.allCases.filter { $0 != .int8 })
  func `weights match what they decode to`(scheme: QuantizationScheme) throws {
    var random = SeededRandom(state: 202)
    for (m, k, n) in MatMulTests.sizes {
      let a = random.floats([m, k])
      let (b, decoded) = encoded(random.floats([k, n]), scheme, .panels)
      let bias = random.floats([n])
      let plain = product(a, TestTensor(.f32, [k, n], decoded))
      let offsets = bias.values
      let wanted = TestTensor(
        .f32, [m, n], plain.values.enumerated().map { $1 + offsets[$0 % n] })
      try check(
        .matMul(MatMul()), [a, b, bias], is: [wanted], within: .sums, note: "\(m) \(k) \(n)")
    }
  }

  @Test func `int8 weights stay within the rounding of the rows`() throws {
    var random = SeededRandom(state: 203)
    for (m, k, n) in MatMulTests.sizes {
      let a = random.floats([2, m, k])
      let (b, decoded) = encoded(random.floats([k, n]), .int8, .panels)
      // A row's elements are off by at most half a step, max |a| / 254, each weighed by its |w|.
      let heaviest =
        (0..<n).map { j in (0..<k).reduce(0) { $0 + abs(decoded[$1 * n + j]) } }.max() ?? 0
      let highest = a.values.map { abs($0) }.max() ?? 0
      try check(
        .matMul(MatMul()), [a, b], is: [product(a, TestTensor(.f32, [k, n], decoded))],
        within: Tolerance(absolute: highest / 254 * heaviest + 1e-4, relative: 1e-5))
    }
  }

  @Test func `activations follow the bias`() throws {
    var random = SeededRandom(state: 204)
    let (a, b, bias) = (random.floats([5, 9]), random.floats([9, 18]), random.floats([18]))
    let (plain, offsets) = (product(a, b).values, bias.values)
    for kind in Activation.allCases {
      let activation = FusedActivation(kind, kind == .clip ? -0.5 : 0.2, 0.5)
      let wanted = plain.enumerated().map { activated($1 + offsets[$0 % 18], activation) }
      try check(
        .matMul(MatMul(activation: activation)), [a, b, bias],
        is: [TestTensor(.f32, [5, 18], wanted)], within: .sums)
    }
  }

  @Test func `what does not fit is refused`() {
    var random = SeededRandom(state: 205)
    let a = random.floats([4, 6])
    let op = Operator.matMul(MatMul())
    expectRefusal(op, [a])
    expectRefusal(op, [a, random.floats([5, 6])])
    expectRefusal(op, [a, random.floats([])])
    expectRefusal(op, [random.floats([2, 4, 6]), random.floats([3, 6, 5])])
    expectRefusal(op, [a, random.floats([6, 5]), random.floats([6])])
    expectRefusal(op, [a, random.floats([6, 5]), random.floats([1, 5])])
    expectRefusal(op, [a, random.integers(.i32, [6, 5])])
    expectRefusal(op, [a, encoded(random.floats([6, 5]), .f16, .rowMajor).0])
    expectRefusal(op, [encoded(a, .f16, .panels).0, random.floats([6, 5])])
    expectRefusal(
      .matMul(MatMul(transposeB: true)), [a, encoded(random.floats([6, 6]), .f16, .panels).0])
  }
}

struct AttentionTests {
  private func reference(
    _ q: TestTensor, _ k: TestTensor, _ v: TestTensor, heads: Int, scale: Double,
    mask: ((_ b: Int, _ h: Int, _ i: Int, _ j: Int) -> Double)?
  ) -> TestTensor {
    let (queries, keys) = (q.shape[1], k.shape[1])
    let (wide, deep) = (q.shape[2] / heads, v.shape[2] / heads)
    var out = [Double](repeating: 0, count: q.shape[0] * queries * v.shape[2])
    let (qs, ks, vs) = (q.values, k.values, v.values)
    for b in 0..<q.shape[0] {
      for h in 0..<heads {
        for i in 0..<queries {
          let scores = (0..<keys).map { j in
            (0..<wide).reduce(0.0) {
              $0 + qs[(b * queries + i) * q.shape[2] + h * wide + $1]
                * ks[(b * keys + j) * k.shape[2] + h * wide + $1]
            } * scale + (mask?(b, h, i, j) ?? 0)
          }
          let peak = scores.max()!
          let shares = scores.map { exp($0 - peak) }
          let total = shares.reduce(0, +)
          for d in 0..<deep {
            out[(b * queries + i) * v.shape[2] + h * deep + d] =
              (0..<keys).reduce(0) {
                $0 + shares[$1] / total * vs[(b * keys + $1) * v.shape[2] + h * deep + d]
              }
          }
        }
      }
    }
    return TestTensor(.f32, [q.shape[0], queries, v.shape[2]], out)
  }

  @Test func `random attention matches, with and without masks`() throws {
    var random = SeededRandom(state: 210)
    for i in 0..<20 {
      let (batch, heads) = (random.int(1...3), random.int(1...4))
      let (queries, keys) = i == 0 ? (100, 70) : (random.int(1...20), random.int(1...20))
      let q = random.floats([batch, queries, heads * random.int(1...9)])
      let k = random.floats([batch, keys, q.shape[2]])
      let v = random.floats([batch, keys, heads * random.int(1...9)])
      let op = Attention(heads: heads, scale: 0.3)
      let full = [batch, heads, queries, keys]
      let m = i % 4 == 0 ? nil : full.map { random.bool() ? $0 : 1 }
      let mask = m.map { shape in
        // Masked out as far as f32 scores keep their digits beside the mask.
        let t = random.floats(shape)
        return TestTensor(.f32, shape, t.values.map { $0 > 0.7 ? -12 : $0 })
      }
      let values = mask?.values
      let wanted = reference(q, k, v, heads: heads, scale: Double(op.scale)) { b, h, i, j in
        guard let m else { return 0 }
        let p = zip([b, h, i, j], m).map { $1 == 1 ? 0 : $0 }
        return values![offset(p, in: m)]
      }
      try check(
        .attention(op), [q, k, v, mask], is: [wanted], within: .sums, note: "mask \(m ?? [])")
    }
  }

  @Test func `what does not fit is refused`() {
    var random = SeededRandom(state: 211)
    let x = random.floats([2, 5, 12])
    func op(_ heads: Int) -> Operator { .attention(Attention(heads: heads, scale: 1)) }
    expectRefusal(op(3), [x, x])
    expectRefusal(op(5), [x, x, x])
    expectRefusal(op(3), [x, random.floats([2, 5, 9]), x])
    expectRefusal(op(3), [x, random.floats([1, 5, 12]), x])
    expectRefusal(op(3), [x, x, random.floats([2, 4, 12])])
    expectRefusal(op(3), [x, x, random.floats([2, 5, 11])])
    expectRefusal(op(3), [x, x, x, random.floats([4, 1, 5, 5])])
    expectRefusal(op(3), [x, x, x, random.floats([1, 2, 3, 5, 5])])
    expectRefusal(op(3), [random.floats([5, 12]), x, x])
  }
}
