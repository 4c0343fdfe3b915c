// The LSTM of whole integers: bytes in and out, 16 bits for gates and cells, as TFLite's kernel rounds.
import Graphs
import Operators
import Tensors

/// One direction of an LSTM whose input, output and weights are of 8 bits. All factors between scales
/// are fixed-point numbers of 31 bits; gates have 3 bits in front of the point.
struct TFLiteIntegerLSTM {
  private let layer: TFLiteRecurrentLayer
  private let units: Int
  private let input: (scale: Float, zero: Int)
  private let state: (scale: Float, zero: Int)
  private let hidden: (scale: Float, zero: Int)
  /// The cell's scale is 2^cellExponent.
  private let cellExponent: Int
  private let cellBound: Int

  init(_ b: TFLiteGraphBuilder, _ layer: TFLiteRecurrentLayer) throws(ImportError) {
    self.layer = layer
    units = try layer.hidden(b)
    guard try b.tensor(layer.input).elementType == .i8,
      try b.tensor(layer.hiddenState).elementType == .i8,
      try b.tensor(layer.cellState).elementType == .i16, !layer.hasNorms(b),
      !b.has(layer.projection), !b.has(layer.peepholes[1]), layer.hasInputGate(b),
      b.node.intermediates.count == 5, b.node.intermediates[4] >= 0
    else {
      throw b.fail(
        "with integers only the plain LSTM of 8-bit inputs and 16-bit cells is supported")
    }
    input = try b.quantization(try b.tensor(layer.input))
    state = try b.quantization(try b.tensor(layer.hiddenState))
    hidden = try b.quantization(b.subgraph.tensors[b.node.intermediates[4]])
    let (scale, _) = try b.quantization(try b.tensor(layer.cellState))
    guard scale.significand == 1, -15 ... -9 ~= Int(scale.exponent) else {
      throw b.fail("a cell scale of \(scale)")
    }
    cellExponent = Int(scale.exponent)
    let bound = layer.cellClip / scale
    cellBound = bound > 0 ? Int(min(bound, 32767)) : 0
  }

  /// Adds the layer and returns what it gives; the states move on.
  func outputs(_ b: inout TFLiteGraphBuilder) throws(ImportError) -> ValueID {
    // States start with zeros, this one with its zero point: what is kept is the distance from that.
    let name = try b.state(layer.hiddenState, isWide: true)
    let distance = b.add(.cast(Cast(to: .i32)), [b.states[name]!.current])
    let codes = b.add(.binary(Binary(.add)), [distance, b.scalar(state.zero, .i32)])
    let cellName = try b.state(layer.cellState)
    b.note("\(b.name): integer arithmetic in a loop over its steps")
    let x = try layer.timeFirst(&b, layer.input)
    let sums = try product(&b, x, layer.weights, input, biases: layer.biases)
    let states = [
      (value: b.add(.cast(Cast(to: .i8)), [codes]), type: ElementType.i8),
      (value: b.states[cellName]!.current, type: .i16),
    ]
    let results = try layer.steps(&b, sums, .i64, states) { inner, row, old throws(ImportError) in
      try self.step(&inner, row, old[0], old[1])
    }
    let last = b.add(.cast(Cast(to: .i32)), [results[1]])
    let moved = b.add(.binary(Binary(.sub)), [last, b.scalar(state.zero, .i32)])
    b.states[name]!.current = b.add(.cast(Cast(to: .i16)), [moved])
    b.states[cellName]!.current = results[2]
    return layer.ordered(&b, results[0])
  }

  /// The products of all gates, i64 in units of 2^−12.
  private func product(
    _ b: inout TFLiteGraphBuilder, _ x: ValueID, _ matrices: [Int],
    _ from: (scale: Float, zero: Int),
    biases: [Int]
  ) throws(ImportError) -> ValueID {
    var rows: [ValueID?] = []
    var offsets: [ValueID?] = []
    var factors: [(mantissa: Int, shift: Int)] = []
    for i in matrices {
      let (scale, zero) = try b.quantization(try b.tensor(i))
      guard try b.tensor(i).elementType == .i8, zero == 0, try b.isConstant(i) else {
        throw b.fail("weights that are not constant and symmetric")
      }
      rows.append(try b.input(i))
      let factor = TFLiteFixedPoint.multiplier(Double(scale * from.scale / 0x1p-12))
      factors += [(mantissa: Int, shift: Int)](repeating: factor, count: units)
    }
    for i in biases { offsets.append(try b.input(i)) }
    let width = try b.tensor(matrices[0]).shape[1]
    let w = b.add(.concat(Concat(axis: 0)), rows)
    let panels = b.panels(b.reshaped(w, [1, 4 * units, width]))
    var inputs: [ValueID?] = [x] + panels + [b.scalar(from.zero, .i8)]
    if !biases.isEmpty { inputs += [nil, b.add(.concat(Concat(axis: 0)), offsets)] }
    let op = IntegerProduct(IntegerEpilogue(.i32))
    let scaled = b.multiplied(b.add(.integerProduct(op), inputs), factors)
    return clamped(&b, scaled)
  }

  private func step(
    _ b: inout TFLiteGraphBuilder, _ row: ValueID, _ h: ValueID, _ c: ValueID
  ) throws(ImportError) -> [ValueID] {
    let r = try product(&b, h, layer.recurrences, state, biases: [])
    let z = clamped(&b, b.add(.binary(Binary(.add)), [row, r]))
    let open = looked(
      &b, TFLiteOperatorTable.slice(&b, z, -1, 0, 3 * units), "sigmoid", integerBits: 3)
    let candidate = looked(
      &b, TFLiteOperatorTable.slice(&b, z, -1, 3 * units, 4 * units), "tanh", integerBits: 3)
    let gates = (0..<3).map {
      TFLiteOperatorTable.slice(&b, open, -1, $0 * units, ($0 + 1) * units)
    }
    let old = b.add(.cast(Cast(to: .i64)), [c])
    let kept = b.divided(b.add(.binary(Binary(.mul)), [gates[2], old]), [15])
    let fresh = b.divided(
      b.add(.binary(Binary(.mul)), [gates[0], candidate]), [30 + cellExponent])
    var cell = clamped(&b, b.add(.binary(Binary(.add)), [kept, fresh]))
    if cellBound > 0 {
      cell = b.add(.unary(Unary(.clip, -Float(cellBound), Float(cellBound))), [cell])
    }
    let shown = looked(&b, cell, "tanh", integerBits: 15 + cellExponent)
    let factor = TFLiteFixedPoint.multiplier(Double(0x1p-15 / hidden.scale * 0x1p-15))
    let product = b.add(.binary(Binary(.mul)), [gates[1], shown])
    let scaled = b.multiplied(product, [factor])
    let placed = b.add(.binary(Binary(.add)), [scaled, b.scalar(hidden.zero, .i64)])
    let bytes = b.add(.unary(Unary(.clip, -128, 127)), [placed])
    return [b.add(.cast(Cast(to: .i8)), [bytes]), b.add(.cast(Cast(to: .i16)), [cell])]
  }

  // MARK: Arithmetic

  private func clamped(_ b: inout TFLiteGraphBuilder, _ x: ValueID) -> ValueID {
    b.add(.unary(Unary(.clip, -32768, 32767)), [x])
  }

  /// A function of 16 bits by its table, i64 to i64.
  private func looked(
    _ b: inout TFLiteGraphBuilder, _ x: ValueID, _ function: String, integerBits: Int
  ) -> ValueID {
    let key = "\(function) \(integerBits)"
    let table =
      b.context.tables[key]
      ?? Constant(
        .i16,
        function == "tanh"
          ? TFLiteFixedPoint.tanh(integerBits: integerBits)
          : TFLiteFixedPoint.sigmoid(integerBits: integerBits), Shape([65536]))
    b.context.tables[key] = table
    let places = b.add(.binary(Binary(.add)), [x, b.scalar(32768, .i64)])
    let found = b.add(.gather(Gather(axis: 0)), [b.constant(table), places])
    return b.add(.cast(Cast(to: .i64)), [found])
  }
}
