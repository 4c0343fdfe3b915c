// Recurrent layers: LSTM and plain RNN, one step or all of them, one way or both.
import Graphs
import Operators
import Tensors

extension TFLiteOperatorTable {
  static let sequences: [Row] = [
    Row(16, "LSTM") { b throws(ImportError) in
      if try b.byte(3) == 1 { return try basicLSTM(&b) }
      var layer = try TFLiteRecurrentLayer(lstm: b)
      layer.isOneStep = true
      try finish(&b, try layer.outputs(&b))
    },
    Row(44, "UNIDIRECTIONAL_SEQUENCE_LSTM") { b throws(ImportError) in
      var layer = try TFLiteRecurrentLayer(lstm: b)
      layer.isTimeFirst = try b.bool(3)
      layer.isAsymmetric = try b.bool(4)
      guard try !b.bool(5) else { throw b.fail("diagonal weights are not supported") }
      if try b.isQuantized(b.tensor(0)) {
        return try b.set(try TFLiteIntegerLSTM(b, layer).outputs(&b))
      }
      try finish(&b, try layer.outputs(&b))
    },
    Row(24, "RNN") { b throws(ImportError) in
      let layer = TFLiteRecurrentLayer(
        rnn: 1, 2, 3, state: 4, activation: try b.byte(0), isAsymmetric: try b.bool(1),
        isTimeFirst: true, isOneStep: true)
      try finish(&b, try layer.outputs(&b))
    },
    Row(35, "UNIDIRECTIONAL_SEQUENCE_RNN") { b throws(ImportError) in
      let layer = TFLiteRecurrentLayer(
        rnn: 1, 2, 3, state: 4, activation: try b.byte(1), isAsymmetric: try b.bool(2),
        isTimeFirst: try b.bool(0))
      try finish(&b, try layer.outputs(&b))
    },
    Row(46, "BIDIRECTIONAL_SEQUENCE_RNN") { b throws(ImportError) in
      let activation = try b.byte(1)
      var layers = [(1, 10), (5, 11)].map { first, extra in
        var layer = TFLiteRecurrentLayer(
          rnn: first, first + 1, first + 2, state: first + 3, activation: activation)
        layer.extraWeights = [extra]
        return layer
      }
      layers[0].extraInput = 9
      try bothWays(&b, layers, isTimeFirst: b.bool(0), merges: b.bool(2), isAsymmetric: b.bool(3))
    },
    Row(52, "BIDIRECTIONAL_SEQUENCE_LSTM") { b throws(ImportError) in
      var layers: [TFLiteRecurrentLayer] = []
      for (first, state, extra) in [(1, 35, 40), (18, 37, 44)] {
        var layer = try TFLiteRecurrentLayer(lstm: b, first: first, state: state)
        layer.extraWeights = [extra, extra + 3, extra + 1, extra + 2]
        layers.append(layer)
      }
      layers[0].extraInput = 39
      try bothWays(
        &b, layers, isTimeFirst: b.bool(4, true), merges: b.bool(3), isAsymmetric: b.bool(5))
    },
  ]

  private static func finish(
    _ b: inout TFLiteGraphBuilder, _ output: ValueID
  ) throws(ImportError) {
    try b.set(output, b.node.outputs.count - 1)
  }

  /// A layer forwards and one backwards. A further input goes into both with weights of its own.
  private static func bothWays(
    _ b: inout TFLiteGraphBuilder, _ given: [TFLiteRecurrentLayer], isTimeFirst: Bool, merges: Bool,
    isAsymmetric: Bool
  ) throws(ImportError) {
    let extra = given[0].extraInput
    guard !b.has(extra) || given.allSatisfy({ b.has($0.extraWeights[$0.extraWeights.count - 1]) })
    else { throw b.fail("a further input without weights of its own is not supported") }
    var outputs: [ValueID] = []
    for (i, layer) in given.enumerated() {
      var layer = layer
      layer.isTimeFirst = isTimeFirst
      layer.isAsymmetric = isAsymmetric
      layer.isReverse = i == 1
      layer.extraInput = extra
      outputs.append(try layer.outputs(&b))
    }
    guard merges else {
      for (i, output) in outputs.enumerated() { try b.set(output, i) }
      return
    }
    try b.set(b.add(.concat(Concat(axis: 2)), outputs))
  }

  /// The first LSTM of TensorFlow: one product of input and state, gates in the order input, candidate,
  /// forget, output.
  private static func basicLSTM(_ b: inout TFLiteGraphBuilder) throws(ImportError) {
    guard try b.tensor(0).elementType == .f32, b.inputCount == 5, try b.byte(0) == 4,
      try b.float(1) == 0, try b.tensor(2).shape.count == 2, try b.tensor(2).shape[0] % 4 == 0
    else { throw b.fail("is supported for f32, tanh and without clipping only") }
    let hidden = try b.tensor(2).shape[0] / 4
    let both = b.add(.concat(Concat(axis: -1)), [try b.input(0), try b.input(1)])
    let product: [ValueID?] = [both, try b.input(2), try b.input(3)]
    let sums = b.add(.matMul(MatMul(transposeB: true)), product)
    let gates = (0..<4).map { k in
      let gate = slice(&b, sums, -1, k * hidden, (k + 1) * hidden)
      return b.add(.unary(Unary(k == 1 ? .tanh : .sigmoid)), [gate])
    }
    let kept = b.add(.binary(Binary(.mul)), [gates[2], try b.input(4)])
    let fresh = b.add(.binary(Binary(.mul)), [gates[0], gates[1]])
    let cell = b.add(.binary(Binary(.add)), [kept, fresh])
    let shown = b.add(.unary(Unary(.tanh)), [cell])
    try b.set(b.add(.binary(Binary(.mul)), [gates[3], shown]), 0)
    try b.set(cell, 1)
    for (i, value) in [both, sums].enumerated() where b.node.outputs.count > 2 + i {
      try b.set(value, 2 + i)
    }
  }
}

extension TFLiteGraphBuilder {
  /// The name of the state that input `i` is, declared where it is met first.
  ///
  /// isWide: bytes are kept as integers of 16 bits.
  mutating func state(_ i: Int, isWide: Bool = false) throws(ImportError) -> String {
    var t = try tensor(i)
    guard t.isVariable, try !isConstant(i) else {
      throw fail("state '\(t.name)' is no variable tensor")
    }
    let name = t.name.isEmpty ? "\(label).state.\(i)" : t.name
    if isWide { t.type = 7 }
    if states[name] == nil { try declare(name, t) }
    return name
  }
}
