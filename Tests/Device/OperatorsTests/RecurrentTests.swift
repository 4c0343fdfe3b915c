// Recurrent layers against their formulas, number by number in Double.

import Foundation
import Operators
import Randomness
import Tensors
import Testing

struct RecurrentTests {
  /// One layer's inputs, named.
  struct Layer {
    var op: Recurrent
    var x: TestTensor
    var recurrence: TestTensor
    /// What the recurrent weights decode to: row-major [hidden, columns].
    var decoded: [Double]
    var candidate: TestTensor?
    var decodedCandidate: [Double] = []
    var bias: TestTensor?
    var lengths: TestTensor?
    var state: TestTensor?
    var cell: TestTensor?
    var peepholes: TestTensor?

    var inputs: [TestTensor?] {
      [x, recurrence, candidate, bias, lengths, state, cell, peepholes]
    }
  }

  static func apply(_ a: RecurrentActivation, _ x: Double, clip: Float) -> Double {
    let v = clip > 0 ? min(max(x, Double(-clip)), Double(clip)) : x
    let (alpha, beta) = (Double(a.alpha), Double(a.beta))
    return switch a.kind {
    case .sigmoid: 1 / (1 + exp(-v))
    case .tanh: tanh(v)
    case .relu: max(v, 0)
    case .affine: alpha * v + beta
    case .leakyRelu: v >= 0 ? v : alpha * v
    case .thresholdedRelu: v >= alpha ? v : 0
    case .scaledTanh: alpha * tanh(beta * v)
    case .hardSigmoid: min(max(alpha * v + beta, 0), 1)
    case .elu: v < 0 ? alpha * (exp(v) - 1) : v
    case .softsign: v / (1 + abs(v))
    case .softplus: log(1 + exp(v))
    }
  }

  /// Hidden states, the last one and the last cell.
  static func reference(_ l: Layer) -> [TestTensor] {
    let (time, batch, width) = (l.x.shape[0], l.x.shape[1], l.x.shape[2])
    let gates = l.op.kind.gates
    let size = width / gates
    let columns = l.op.kind == .gru ? 2 * size : width
    let x = l.x.values
    var y = [Double](repeating: 0, count: time * batch * size)
    var lastState: [Double] = []
    var lastCell: [Double] = []
    for b in 0..<batch {
      var h = l.state.map { Array($0.values[b * size..<(b + 1) * size]) } ?? []
      var c = l.cell.map { Array($0.values[b * size..<(b + 1) * size]) } ?? []
      if h.isEmpty { h = [Double](repeating: 0, count: size) }
      if c.isEmpty { c = [Double](repeating: 0, count: size) }
      let length = min(l.lengths.map { Int($0.values[b]) } ?? time, time)
      for s in 0..<length {
        let t = l.op.isReverse ? length - 1 - s : s
        // Gate `gate` of unit i: its projection and its share of the product with the old state.
        func given(_ gate: Int, _ i: Int) -> Double { x[(t * batch + b) * width + gate * size + i] }
        func product(_ gate: Int, _ i: Int) -> Double {
          (0..<size).reduce(0) { $0 + h[$1] * l.decoded[$1 * columns + gate * size + i] }
        }
        func act(_ a: RecurrentActivation, _ v: Double) -> Double { apply(a, v, clip: l.op.clip) }
        var next = h
        switch l.op.kind {
        case .rnn:
          for i in 0..<size { next[i] = act(l.op.f, given(0, i) + product(0, i)) }
        case .gru, .gruResetAfter:
          let r = (0..<size).map { act(l.op.f, given(1, $0) + product(1, $0)) }
          for i in 0..<size {
            let z = act(l.op.f, given(0, i) + product(0, i))
            var inner: Double
            if l.op.kind == .gru {
              inner = (0..<size).reduce(0) {
                $0 + r[$1] * h[$1] * l.decodedCandidate[$1 * size + i]
              }
            } else {
              inner = r[i] * (product(2, i) + (l.bias?.values[i] ?? 0))
            }
            inner = act(l.op.g, given(2, i) + inner)
            next[i] = (1 - z) * inner + z * h[i]
          }
        case .lstm:
          let p = l.peepholes?.values ?? [Double](repeating: 0, count: 3 * size)
          for i in 0..<size {
            let input = act(l.op.f, given(0, i) + product(0, i) + p[i] * c[i])
            var forget = act(l.op.f, given(2, i) + product(2, i) + p[2 * size + i] * c[i])
            if l.op.couplesForget { forget = 1 - input }
            let candidate = act(l.op.g, given(3, i) + product(3, i))
            c[i] = forget * c[i] + input * candidate
            let bound = l.op.cellClip > 0 ? Double(l.op.cellClip) : .infinity
            c[i] = min(max(c[i], -bound), bound)
            let output = act(l.op.f, given(1, i) + product(1, i) + p[size + i] * c[i])
            next[i] = output * apply(l.op.h, c[i], clip: 0)
          }
        }
        h = next
        for i in 0..<size { y[(t * batch + b) * size + i] = h[i] }
      }
      lastState += h
      lastCell += c
    }
    let tensors = [
      TestTensor(.f32, [time, batch, size], y), TestTensor(.f32, [batch, size], lastState),
      TestTensor(.f32, [batch, size], lastCell),
    ]
    return Array(tensors.prefix(l.op.kind == .lstm ? 3 : 2))
  }

  /// A layer with random numbers; the recurrent weights stored as `scheme` says, nil for plain ones.
  static func layer(
    _ op: Recurrent, time: Int, batch: Int, hidden: Int, scheme: QuantizationScheme? = nil,
    _ random: inout SeededRandom
  ) -> Layer {
    func stored(_ weight: TestTensor) -> (TestTensor, [Double]) {
      scheme.map { encoded(weight, $0, .panels) } ?? (weight, weight.values)
    }
    let columns = (op.kind == .gru ? 2 : op.kind.gates) * hidden
    let (recurrence, decoded) = stored(random.floats([hidden, columns], -0.5...0.5))
    var layer = Layer(
      op: op, x: random.floats([time, batch, op.kind.gates * hidden], -2...2),
      recurrence: recurrence, decoded: decoded)
    if op.kind == .gru {
      (layer.candidate, layer.decodedCandidate) = stored(
        random.floats([hidden, hidden], -0.5...0.5))
    }
    return layer
  }

  static let tolerance = Tolerance(absolute: 2e-5, relative: 2e-5)

  @Test(
    arguments: RecurrentKind.allCases, [(1, 1, 1), (3, 2, 5), (7, 1, 16), (4, 3, 33), (2, 1, 150)])
  func `cells follow their formulas`(
    kind: RecurrentKind, size: (time: Int, batch: Int, hidden: Int)
  ) throws {
    var random = SeededRandom(state: 90)
    for isReverse in [false, true] {
      var l = RecurrentTests.layer(
        Recurrent(kind, isReverse: isReverse), time: size.time, batch: size.batch,
        hidden: size.hidden, &random)
      try check(
        .recurrent(l.op), Array(l.inputs.prefix(kind == .gru ? 3 : 2)),
        is: RecurrentTests.reference(l), within: RecurrentTests.tolerance)
      l.state = random.floats([size.batch, size.hidden])
      if kind == .lstm {
        l.cell = random.floats([size.batch, size.hidden])
        l.peepholes = random.floats([3 * size.hidden])
      }
      if kind == .gruResetAfter { l.bias = random.floats([size.hidden]) }
      l.op.clip = 0.9
      l.op.couplesForget = kind == .lstm
      l.op.cellClip = 0.4
      try check(
        .recurrent(l.op), l.inputs, is: RecurrentTests.reference(l),
        within: RecurrentTests.tolerance)
    }
  }

  @Test(arguments: RecurrentKind.allCases)
  func `sequences of a batch end where they end`(kind: RecurrentKind) throws {
    var random = SeededRandom(state: 91)
    for isReverse in [false, true] {
      var l = RecurrentTests.layer(
        Recurrent(kind, isReverse: isReverse), time: 5, batch: 4, hidden: 6, &random)
      l.lengths = TestTensor(.i32, [4], [5, 2, 0, 9])
      l.state = random.floats([4, 6])
      try check(
        .recurrent(l.op), l.inputs, is: RecurrentTests.reference(l),
        within: RecurrentTests.tolerance)
    }
  }

  @Test(arguments: RecurrentActivationKind.allCases)
  func `every activation`(kind: RecurrentActivationKind) throws {
    var random = SeededRandom(state: 92)
    let a = RecurrentActivation(kind, 0.7, 0.3)
    for op in [
      Recurrent(.rnn, f: a), Recurrent(.gru, f: a, g: a), Recurrent(.lstm, f: a, g: a, h: a),
    ] {
      let l = RecurrentTests.layer(op, time: 2, batch: 2, hidden: 9, &random)
      try check(
        .recurrent(op), l.inputs, is: RecurrentTests.reference(l),
        within: RecurrentTests.tolerance)
    }
  }

  @Test(arguments: RecurrentKind.allCases, QuantizationScheme.allCases)
  func `weights in every scheme`(kind: RecurrentKind, scheme: QuantizationScheme) throws {
    var random = SeededRandom(state: 93)
    let l = RecurrentTests.layer(
      Recurrent(kind), time: 3, batch: 2, hidden: 40, scheme: scheme, &random)
    // Int8 rounds the states to a 127th of their peak; errors then go round a few times.
    try check(
      .recurrent(l.op), l.inputs, is: RecurrentTests.reference(l),
      within: scheme == .int8 ? Tolerance(absolute: 3e-2, relative: 0) : RecurrentTests.tolerance)
  }

  @Test func `what does not fit is refused`() {
    var random = SeededRandom(state: 94)
    let (x, r) = (random.floats([3, 2, 8]), random.floats([2, 8]))
    let op = Operator.recurrent(Recurrent(.lstm))
    expectRefusal(op, [x, r], outputs: 2)
    expectRefusal(op, [x, random.floats([2, 6])], outputs: 3)
    expectRefusal(op, [random.floats([3, 2, 9]), r], outputs: 3)
    expectRefusal(op, [random.floats([3, 8]), r], outputs: 3)
    expectRefusal(op, [x, r, random.floats([2, 2])], outputs: 3)
    expectRefusal(op, [x, r, nil, random.floats([2])], outputs: 3)
    expectRefusal(op, [x, r, nil, nil, random.floats([2])], outputs: 3)
    expectRefusal(op, [x, r, nil, nil, random.integers(.i32, [3])], outputs: 3)
    expectRefusal(op, [x, r, nil, nil, nil, random.floats([1, 2])], outputs: 3)
    expectRefusal(op, [x, r, nil, nil, nil, nil, nil, random.floats([2])], outputs: 3)
    expectRefusal(op, [x, encoded(r, .f32, .rowMajor).0], outputs: 3)
    let gru = Operator.recurrent(Recurrent(.gru))
    expectRefusal(gru, [random.floats([3, 2, 6]), random.floats([2, 4])], outputs: 2)
    expectRefusal(
      gru,
      [
        random.floats([3, 2, 6]), random.floats([2, 4]), random.floats([2, 2]), nil, nil, nil, x,
      ],
      outputs: 2)
  }
}
