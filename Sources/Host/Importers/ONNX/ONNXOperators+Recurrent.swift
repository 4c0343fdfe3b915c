// Recurrent layers: a matrix product for all time steps, then one recurrent step per direction.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let recurrent: [ONNXOperator] = [
    ONNXOperator("RNN") { b throws(ImportError) in try layer(&b, .rnn) },
    ONNXOperator("GRU") { b throws(ImportError) in
      try layer(&b, try b.bool("linear_before_reset", false) ? .gruResetAfter : .gru)
    },
    ONNXOperator("LSTM") { b throws(ImportError) in try layer(&b, .lstm) },
  ]

  /// What one direction is made of, as the file gives it: [directions, …] tensors and attributes.
  private struct Layer {
    var kind: RecurrentKind
    var hidden: Int
    var directions: Int
    /// [time, batch, input].
    var x: ValueID
    var weight: ValueID
    var recurrence: ValueID
    var bias: ValueID?
    var lengths: ValueID?
    var state: ValueID?
    var cell: ValueID?
    var peepholes: ValueID?
    var cells: [Recurrent] = []
  }

  private static func layer(
    _ b: inout ONNXGraphBuilder, _ kind: RecurrentKind
  ) throws(ImportError) -> [ValueID] {
    let recurrence = try b.input(2)
    let stated = try b.integer("hidden_size")
    guard let hidden = b.facts.extent(recurrence, 2) ?? stated, (1...1 << 24).contains(hidden)
    else { throw b.fail("the width of the hidden state cannot be found out") }
    let isBatchFirst = try b.bool("layout", false)
    let swap = Operator.transpose(Transpose(IntegerList([1, 0, 2])))
    func timeFirst(_ value: ValueID?) -> ValueID? {
      guard isBatchFirst, let value else { return value }
      return b.add(swap, [value])
    }
    let direction = try b.string("direction", "forward")
    guard ["forward", "reverse", "bidirectional"].contains(direction) else {
      throw b.fail("direction '\(direction)' is not supported")
    }
    var layer = Layer(
      kind: kind, hidden: hidden, directions: direction == "bidirectional" ? 2 : 1,
      x: timeFirst(try b.input(0))!, weight: try b.input(1), recurrence: recurrence)
    layer.bias = try b.optional(3)
    layer.lengths = try b.optional(4)
    layer.state = timeFirst(try b.optional(5))
    if kind == .lstm {
      layer.cell = timeFirst(try b.optional(6))
      layer.peepholes = try b.optional(7)
    }
    for d in 0..<layer.directions {
      layer.cells.append(
        try cell(b, layer, direction: d, isReverse: direction == "reverse" || d == 1))
    }
    b.note("\(b.node.type) → product of all steps, recurrence")
    var outputs: [[ValueID]] = []
    for d in 0..<layer.directions { outputs.append(run(&b, layer, d)) }
    // Y [time, directions, batch, hidden], or [batch, time, directions, hidden].
    let axis = isBatchFirst ? 2 : 1
    var results: [ValueID] = []
    for i in outputs[0].indices {
      let parts = outputs.map { of in
        let value = i == 0 && isBatchFirst ? b.add(swap, [of[i]]) : of[i]
        let at = i == 0 ? axis : isBatchFirst ? 1 : 0
        return b.add(.reshape(Reshape(.unsqueeze, IntegerList([at]))), [value])
      }
      let at = i == 0 ? axis : isBatchFirst ? 1 : 0
      results.append(
        parts.count == 1 ? parts[0] : b.add(.concat(Concat(axis: at)), parts))
    }
    return results
  }

  /// The nodes of direction `d`; returns what the recurrent step writes.
  private static func run(_ b: inout ONNXGraphBuilder, _ l: Layer, _ d: Int) -> [ValueID] {
    let width = l.kind.gates * l.hidden
    let weight = part(&b, l.weight, d)
    let recurrence = b.add(
      .transpose(Transpose(IntegerList([1, 0]))), [part(&b, l.recurrence, d)])
    var inputs: [ValueID?] = [nil, recurrence, nil, nil, l.lengths, nil, nil, nil]
    if l.kind == .gru {
      inputs[1] = slice(&b, recurrence, 1, 0, 2 * l.hidden)
      inputs[2] = slice(&b, recurrence, 1, 2 * l.hidden, width)
    }
    var product: [ValueID?] = [l.x, weight]
    if let bias = l.bias.map({ part(&b, $0, d) }) {
      // What a reset behind the product reaches stays out of the sum.
      let summed = l.kind == .gruResetAfter ? 2 * l.hidden : width
      let sum = b.add(
        .binary(Binary(.add)),
        [slice(&b, bias, 0, 0, summed), slice(&b, bias, 0, width, width + summed)])
      if summed < width {
        inputs[3] = slice(&b, bias, 0, width + summed, 2 * width)
        product.append(
          b.add(.concat(Concat(axis: 0)), [sum, slice(&b, bias, 0, summed, width)]))
      } else {
        product.append(sum)
      }
    }
    inputs[0] = b.add(.matMul(MatMul(transposeB: true)), product)
    inputs[5] = l.state.map { part(&b, $0, d) }
    inputs[6] = l.cell.map { part(&b, $0, d) }
    inputs[7] = l.peepholes.map { part(&b, $0, d) }
    while inputs.last == .some(nil) { inputs.removeLast() }
    return b.add(.recurrent(l.cells[d]), inputs, outputs: l.kind == .lstm ? 3 : 2)
  }

  /// `value[d]` along its first axis.
  private static func part(_ b: inout ONNXGraphBuilder, _ value: ValueID, _ d: Int) -> ValueID {
    b.add(
      .reshape(Reshape(.squeeze, IntegerList([0]))), [slice(&b, value, 0, d, d + 1)])
  }

  private static func slice(
    _ b: inout ONNXGraphBuilder, _ value: ValueID, _ axis: Int, _ start: Int, _ end: Int
  ) -> ValueID {
    let op = Slice(
      starts: IntegerList([start]), ends: IntegerList([end]), axes: IntegerList([axis]),
      steps: IntegerList([1]))
    return b.add(.slice(op), [value])
  }

  // MARK: Attributes

  private static func cell(
    _ b: ONNXGraphBuilder, _ l: Layer, direction d: Int, isReverse: Bool
  ) throws(ImportError) -> Recurrent {
    let functions = try activations(b, l)
    let count = functions.count / l.directions
    let mine = Array(functions[d * count..<(d + 1) * count])
    let clip = try b.float("clip", 0)
    guard clip >= 0 else { throw b.fail("a clip of \(clip) is out of range") }
    return Recurrent(
      l.kind, isReverse: isReverse, couplesForget: try b.bool("input_forget", false), clip: clip,
      f: mine[0], g: mine.count > 1 ? mine[1] : RecurrentActivation(.tanh),
      h: mine.count > 2 ? mine[2] : RecurrentActivation(.tanh))
  }

  /// The functions of all directions, one after the other. Parameters are handed out in the order of the
  /// functions that take any.
  private static func activations(
    _ b: ONNXGraphBuilder, _ l: Layer
  ) throws(ImportError) -> [RecurrentActivation] {
    let usual: [String]
    switch l.kind {
    case .rnn: usual = ["Tanh"]
    case .gru, .gruResetAfter: usual = ["Sigmoid", "Tanh"]
    case .lstm: usual = ["Sigmoid", "Tanh", "Tanh"]
    }
    let wanted = usual.count * l.directions
    var names = try b.strings("activations") ?? []
    if names.isEmpty { names = (0..<l.directions).flatMap { _ in usual } }
    guard names.count == wanted else {
      throw b.fail("\(names.count) activations instead of \(wanted)")
    }
    var alphas = try b.floats("activation_alpha").map { $0[...] } ?? []
    var betas = try b.floats("activation_beta").map { $0[...] } ?? []
    var result: [RecurrentActivation] = []
    for name in names {
      func alpha(_ usual: Float) -> Float { alphas.popFirst() ?? usual }
      func beta(_ usual: Float) -> Float { betas.popFirst() ?? usual }
      switch name.lowercased() {
      case "sigmoid": result.append(RecurrentActivation(.sigmoid))
      case "tanh": result.append(RecurrentActivation(.tanh))
      case "relu": result.append(RecurrentActivation(.relu))
      case "softsign": result.append(RecurrentActivation(.softsign))
      case "softplus": result.append(RecurrentActivation(.softplus))
      case "affine": result.append(RecurrentActivation(.affine, alpha(1), beta(0)))
      case "leakyrelu": result.append(RecurrentActivation(.leakyRelu, alpha(0.01)))
      case "thresholdedrelu": result.append(RecurrentActivation(.thresholdedRelu, alpha(1)))
      case "scaledtanh": result.append(RecurrentActivation(.scaledTanh, alpha(1), beta(1)))
      case "hardsigmoid": result.append(RecurrentActivation(.hardSigmoid, alpha(0.2), beta(0.5)))
      case "elu": result.append(RecurrentActivation(.elu, alpha(1)))
      default: throw b.fail("activation '\(name)' is not supported")
      }
    }
    return result
  }
}
