// One direction of an LSTM or a plain RNN, in real numbers or with weights of 8 bits.
import Graphs
import Operators
import Tensors

/// A recurrent layer by the inputs of its node: input numbers, −1 for what its operator has no place
/// for. Gates stand in the order input, output, forget, candidate; a plain RNN has one.
struct TFLiteRecurrentLayer {
  var input = 0
  var weights: [Int]
  var recurrences: [Int]
  var biases: [Int]
  /// To input, output and forget gate.
  var peepholes: [Int] = []
  var norms: [Int] = []
  var projection = -1
  var projectionBias = -1
  var extraInput = -1
  var extraWeights: [Int] = []
  var hiddenState: Int
  var cellState = -1
  var activation: Int
  var cellClip: Float = 0
  var projectionClip: Float = 0
  var isReverse = false
  var isTimeFirst = true
  var isAsymmetric = false
  /// The input has no axis of time.
  var isOneStep = false

  var isLSTM: Bool { weights.count == 4 }

  init(
    rnn weight: Int, _ recurrence: Int, _ bias: Int, state: Int, activation: Int,
    isAsymmetric: Bool = false, isTimeFirst: Bool = true, isOneStep: Bool = false
  ) {
    (weights, recurrences, biases) = ([weight], [recurrence], [bias])
    hiddenState = state
    self.activation = activation
    self.isAsymmetric = isAsymmetric
    self.isTimeFirst = isTimeFirst
    self.isOneStep = isOneStep
  }

  /// first: where the weights of an LSTM start; state: its two states.
  init(lstm b: TFLiteGraphBuilder, first: Int = 1, state: Int = 18) throws(ImportError) {
    func gates(_ at: Int) -> [Int] { [first + at, first + at + 3, first + at + 1, first + at + 2] }
    weights = gates(0)
    recurrences = gates(4)
    peepholes = [first + 8, first + 10, first + 9]
    biases = gates(11)
    (projection, projectionBias) = (first + 15, first + 16)
    if state == 18, b.inputCount > 20 { norms = gates(19) }
    (hiddenState, cellState) = (state, state + 1)
    activation = try b.byte(0)
    cellClip = try b.float(1)
    projectionClip = try b.float(2)
    isAsymmetric = try b.byte(4) != 0
  }

  // MARK: What is there

  func hasInputGate(_ b: TFLiteGraphBuilder) -> Bool { !isLSTM || b.has(weights[0]) }
  func hasNorms(_ b: TFLiteGraphBuilder) -> Bool { norms.count == 4 && b.has(norms[2]) }

  /// The numbers of the gates that have weights.
  func gates(_ b: TFLiteGraphBuilder) -> [Int] {
    weights.indices.filter { $0 > 0 || hasInputGate(b) }
  }

  func hidden(_ b: TFLiteGraphBuilder) throws(ImportError) -> Int {
    let (last, rows) = (weights[weights.count - 1], recurrences[recurrences.count - 1])
    guard try b.tensor(last).shape.count == 2, try b.tensor(rows).shape.count == 2,
      try b.tensor(last).shape[0] > 0
    else { throw b.fail("weights that are no matrices") }
    let (units, width) = (try b.tensor(last).shape[0], try b.tensor(rows).shape[1])
    for k in gates(b) {
      guard try b.tensor(weights[k]).shape == b.tensor(last).shape,
        try b.tensor(recurrences[k]).shape == [units, width]
      else { throw b.fail("gates of different widths") }
    }
    guard b.has(projection) || width == units else {
      throw b.fail("\(width) states, \(units) units")
    }
    return units
  }

  /// Whether weights are bytes and activations real numbers.
  private func isHybrid(_ b: TFLiteGraphBuilder) throws(ImportError) -> Bool {
    try b.isQuantized(b.tensor(weights[weights.count - 1]))
  }

  // MARK: The layer

  /// The input with time first: [time, batch, width].
  func timeFirst(_ b: inout TFLiteGraphBuilder, _ i: Int) throws(ImportError) -> ValueID {
    let x = try b.input(i)
    if isOneStep { return b.add(.reshape(Reshape(.unsqueeze, IntegerList([0]))), [x]) }
    guard try b.tensor(i).shape.count == 3 else { throw b.fail("an input that is no sequence") }
    return isTimeFirst ? x : b.add(.transpose(Transpose(IntegerList([1, 0, 2]))), [x])
  }

  /// Output of all steps as the operator gives it, from one with time first.
  func ordered(_ b: inout TFLiteGraphBuilder, _ y: ValueID) -> ValueID {
    if isOneStep { return b.add(.reshape(Reshape(.squeeze, IntegerList([0]))), [y]) }
    return isTimeFirst ? y : b.add(.transpose(Transpose(IntegerList([1, 0, 2]))), [y])
  }

  /// Adds the layer and returns what it gives; the states move on.
  func outputs(_ b: inout TFLiteGraphBuilder) throws(ImportError) -> ValueID {
    guard try b.tensor(input).elementType == .f32 else {
      throw b.fail("activations of \(try b.tensor(input).elementType?.name ?? "no numbers")")
    }
    let units = try hidden(b)
    let name = try b.state(hiddenState)
    let cellName = isLSTM ? try b.state(cellState) : name
    let sums = try sums(&b, units)
    let results: [ValueID]
    if try isFused(b) {
      results = try fused(&b, sums, units, name, cellName)
    } else {
      b.note("\(b.name) → loop over its steps")
      results = try loop(&b, sums, units, name, cellName)
    }
    b.states[name]!.current = results[1]
    if isLSTM { b.states[cellName]!.current = results[2] }
    return ordered(&b, results[0])
  }

  /// What the inputs of all steps add to the gates, [time, batch, gates · units], bias and all.
  private func sums(
    _ b: inout TFLiteGraphBuilder, _ units: Int
  ) throws(ImportError) -> ValueID {
    let gates = gates(b)
    let x = try timeFirst(&b, input)
    var y = try product(&b, x, gates.map { weights[$0] }, units, isSequence: true)
    if b.has(extraInput) {
      let extra = try timeFirst(&b, extraInput)
      let more = try product(&b, extra, gates.map { extraWeights[$0] }, units, isSequence: true)
      y = b.add(.binary(Binary(.add)), [y, more])
    }
    guard !hasNorms(b), b.has(biases[biases.count - 1]) else { return y }
    var parts: [ValueID?] = []
    for k in gates { parts.append(try b.realConstant(biases[k])) }
    let bias = parts.count == 1 ? parts[0] : b.add(.concat(Concat(axis: 0)), parts)
    return b.add(.binary(Binary(.add)), [y, bias])
  }

  /// x [batch, width], or with time before that, times several matrices of `rows` rows, side by side.
  private func product(
    _ b: inout TFLiteGraphBuilder, _ x: ValueID, _ matrices: [Int], _ rows: Int,
    isSequence: Bool = false
  ) throws(ImportError) -> ValueID {
    guard try isHybrid(b) else {
      var parts: [ValueID?] = []
      for i in matrices { parts.append(try b.realConstant(i)) }
      let w = parts.count == 1 ? parts[0] : b.add(.concat(Concat(axis: 0)), parts)
      return b.add(.matMul(MatMul(transposeB: true)), [x, w])
    }
    let batch = try b.tensor(hiddenState).shape.first ?? 1
    return try b.hybridProduct(
      x, matrices, rows, leading: isSequence ? [-1, batch] : [-1], isAsymmetric: isAsymmetric)
  }

  // MARK: As one step of the device

  private func isFused(_ b: TFLiteGraphBuilder) throws(ImportError) -> Bool {
    try !isHybrid(b) && !hasNorms(b) && !b.has(projection)
      && [0, 1, 4].contains(activation)
  }

  private func fused(
    _ b: inout TFLiteGraphBuilder, _ sums: ValueID, _ units: Int, _ name: String,
    _ cellName: String
  ) throws(ImportError) -> [ValueID] {
    let f: RecurrentActivation =
      switch activation {
      case 0: RecurrentActivation(.affine, 1, 0)
      case 1: RecurrentActivation(.relu)
      default: RecurrentActivation(.tanh)
      }
    var parts: [ValueID?] = []
    for k in gates(b) { parts.append(try b.realConstant(recurrences[k])) }
    var x = sums
    var peeps: [ValueID?] = []
    let hasPeepholes = isLSTM && b.has(peepholes[1])
    if hasPeepholes {
      for k in 0..<3 where k > 0 || hasInputGate(b) { peeps.append(try b.input(peepholes[k])) }
    }
    if !hasInputGate(b) {
      // 1 − σ(v) = σ(−v): the input gate is a forget gate with everything negated.
      let forget = TFLiteOperatorTable.slice(&b, sums, -1, units, 2 * units)
      let turned = b.add(.unary(Unary(.neg)), [forget])
      x = b.add(.concat(Concat(axis: -1)), [turned, sums])
      parts.insert(b.add(.unary(Unary(.neg)), [parts[1]]), at: 0)
      if hasPeepholes { peeps.insert(b.add(.unary(Unary(.neg)), [peeps[1]]), at: 0) }
    }
    let rows = parts.count == 1 ? parts[0] : b.add(.concat(Concat(axis: 0)), parts)
    let recurrence = b.add(.transpose(Transpose(IntegerList([1, 0]))), [rows])
    let state = b.states[name]!.current
    guard isLSTM else {
      let op = Recurrent(.rnn, isReverse: isReverse, f: f)
      return b.add(
        .recurrent(op), [x, recurrence, nil, nil, nil, state], outputs: 2)
    }
    let op = Recurrent(
      .lstm, isReverse: isReverse, cellClip: max(cellClip, 0), g: f, h: f)
    var inputs = [x, recurrence, nil, nil, nil, state, b.states[cellName]!.current]
    if hasPeepholes { inputs.append(b.add(.concat(Concat(axis: 0)), peeps)) }
    return b.add(.recurrent(op), inputs, outputs: 3)
  }

  // MARK: As a loop

  private func loop(
    _ b: inout TFLiteGraphBuilder, _ sums: ValueID, _ units: Int, _ name: String,
    _ cellName: String
  ) throws(ImportError) -> [ValueID] {
    var carried = [(value: b.states[name]!.current, type: ElementType.f32)]
    if isLSTM { carried.append((b.states[cellName]!.current, .f32)) }
    return try steps(&b, sums, .f32, carried) { inner, x, states throws(ImportError) in
      let r = try self.product(
        &inner, states[0], self.gates(inner).map { self.recurrences[$0] }, units)
      let z = inner.add(.binary(Binary(.add)), [x, r])
      guard self.isLSTM else { return [try inner.activated(z, self.activation)] }
      return try self.cell(&inner, z, states[1], units)
    }
  }

  /// A loop over time: `step` gets its row of `x` [time, batch, …] and the states, and returns the next
  /// states, the first of which is the output too. Returns the outputs [time, …] and the last states.
  func steps(
    _ b: inout TFLiteGraphBuilder, _ x: ValueID, _ type: ElementType,
    _ states: [(value: ValueID, type: ElementType)],
    _ step: (inout TFLiteGraphBuilder, ValueID, [ValueID]) throws(ImportError) -> [ValueID]
  ) throws(ImportError) -> [ValueID] {
    let time = b.add(.shapeOf(ShapeOf(start: 0, end: 1)), [x])
    let backwards = isReverse
    let results = try b.loop(
      count: time, condition: nil, carried: states, shared: [(x, type)]
    ) { inner, given throws(ImportError) in
      let whole = given[given.count - 1]
      var place = given[0]
      if backwards {
        let count = inner.add(.shapeOf(ShapeOf(start: 0, end: 1)), [whole])
        let last = inner.add(.binary(Binary(.sub)), [count, inner.scalar(1, .i64)])
        let at = inner.add(.binary(Binary(.sub)), [last, place])
        place = inner.add(.reshape(Reshape(.squeeze)), [at])
      }
      let row = inner.add(.gather(Gather(axis: 0)), [whole, place])
      let next = try step(&inner, row, Array(given[2..<2 + states.count]))
      return [given[1]] + next + [next[0]]
    }
    var y = results[states.count]
    if backwards {
      let op = Slice(
        starts: IntegerList([-1]), ends: IntegerList([Int.min]), axes: IntegerList([0]),
        steps: IntegerList([-1]))
      y = b.add(.slice(op), [y])
    }
    return [y] + results[..<states.count]
  }

  /// The next states from the gates' sums and the cell.
  private func cell(
    _ b: inout TFLiteGraphBuilder, _ z: ValueID, _ old: ValueID, _ units: Int
  ) throws(ImportError) -> [ValueID] {
    let gates = gates(b)
    func gate(
      _ b: inout TFLiteGraphBuilder, _ k: Int, _ cell: ValueID
    ) throws(ImportError) -> ValueID {
      let at = gates.firstIndex(of: k)! * units
      var v = TFLiteOperatorTable.slice(&b, z, -1, at, at + units)
      if k < 3, b.has(peepholes[k]), b.has(peepholes[1]) {
        let peep = b.add(.binary(Binary(.mul)), [try b.realConstant(peepholes[k]), cell])
        v = b.add(.binary(Binary(.add)), [v, peep])
      }
      if hasNorms(b) {
        let inputs: [ValueID?] = [
          v, try b.realConstant(norms[k]), try b.realConstant(biases[k]),
        ]
        v = b.add(.layerNorm(LayerNorm(epsilon: 1e-8)), inputs)
      }
      return k == 3 ? try b.activated(v, activation) : b.add(.unary(Unary(.sigmoid)), [v])
    }
    let forget = try gate(&b, 2, old)
    let candidate = try gate(&b, 3, old)
    let open =
      hasInputGate(b)
      ? try gate(&b, 0, old) : b.add(.unary(Unary(.affine, -1, 1)), [forget])
    let kept = b.add(.binary(Binary(.mul)), [forget, old])
    let fresh = b.add(.binary(Binary(.mul)), [open, candidate])
    var cell = b.add(.binary(Binary(.add)), [kept, fresh])
    if cellClip > 0 { cell = b.add(.unary(Unary(.clip, -cellClip, cellClip)), [cell]) }
    let shown = try b.activated(cell, activation)
    var y = b.add(.binary(Binary(.mul)), [try gate(&b, 1, cell), shown])
    if b.has(projection) {
      y = try product(&b, y, [projection], try b.tensor(projection).shape[0])
      if b.has(projectionBias) {
        y = b.add(.binary(Binary(.add)), [y, try b.realConstant(projectionBias)])
      }
      if projectionClip > 0 {
        y = b.add(.unary(Unary(.clip, -projectionClip, projectionClip)), [y])
      }
    }
    return [y, cell]
  }
}
