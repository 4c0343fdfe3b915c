// Recurrent operators that TFLite has in one piece.
import Graphs
import Operators
import Tensors

extension TFLiteOperatorTable {
  static let recurrent: [Row] = [Row(27, "SVDF", svdf)]

  /// A filter over features, then one over time with a memory of `steps` results; `rank` neighbours are
  /// summed.
  private static func svdf(_ b: inout TFLiteGraphBuilder) throws(ImportError) {
    let rank = try b.integer(0, in: 1...1 << 16, 1)
    let activation = try b.byte(1)
    let (features, time) = (try b.tensor(1).shape, try b.tensor(2).shape)
    guard features.count == 2, time.count == 2, features[0] == time[0], features[0] % rank == 0,
      features[0] > 0, time[1] > 0, b.inputCount >= 5
    else { throw b.fail("filters \(features) and \(time) of rank \(rank) are not supported") }
    let (filters, steps, units) = (features[0], time[1], features[0] / rank)
    let isInteger = try b.isQuantized(b.tensor(0))
    let isReal = try b.tensor(0).elementType == .f32
    guard isInteger || isReal else {
      throw b.fail("activations that are neither f32 nor quantized")
    }
    let name = try b.state(4)
    // The memory moves on by one step.
    let old = b.reshaped(b.states[name]!.current, [-1, filters, steps])
    let kept = slice(&b, old, 2, 1, steps)
    let fresh =
      isInteger
      ? try integerFeatures(&b, filters)
      : try b.isQuantized(b.tensor(1))
        ? try b.hybridProduct(
          try b.input(0), [1], filters, leading: [-1], isAsymmetric: try b.byte(2) != 0)
        : b.add(.matMul(MatMul(transposeB: true)), [try b.input(0), try b.realConstant(1)])
    let column = b.add(.reshape(Reshape(.unsqueeze, IntegerList([2]))), [fresh])
    let memory = b.add(.concat(Concat(axis: 2)), [kept, column])
    b.states[name]!.current = b.reshaped(memory, [-1, filters * steps])
    if isInteger {
      let wide = b.add(.cast(Cast(to: .i32)), [memory])
      let factors = b.add(.cast(Cast(to: .i32)), [try b.input(2)])
      let weighted = b.add(.binary(Binary(.mul)), [wide, factors])
      return try b.set(try integerSums(&b, weighted, units, rank))
    }
    let weighted = b.add(.binary(Binary(.mul)), [memory, try b.realConstant(2)])
    let sums = b.add(
      .reduce(Reduce(.sum, axes: IntegerList([2]), keepsAxes: false)), [weighted])
    let ranked = b.reshaped(sums, [-1, units, rank])
    var y = b.add(.reduce(Reduce(.sum, axes: IntegerList([2]), keepsAxes: false)), [ranked])
    if b.has(3) { y = b.add(.binary(Binary(.add)), [y, try b.input(3)]) }
    try b.set(try b.activated(y, activation))
  }

  /// What the input gives the memory, in the memory's integers.
  private static func integerFeatures(
    _ b: inout TFLiteGraphBuilder, _ filters: Int
  ) throws(ImportError) -> ValueID {
    let (x, w, state) = (
      try b.quantization(try b.tensor(0)), try b.quantization(try b.tensor(1)),
      try b.quantization(try b.tensor(4))
    )
    guard let type = try b.tensor(4).elementType, type == .i16 || type == .i8,
      try b.tensor(0).elementType == .i8, try b.tensor(1).elementType == .i8, w.zero == 0,
      state.zero == 0
    else { throw b.fail("integers of these types are not supported") }
    let width = try b.tensor(1).shape[1]
    let panels = b.panels(b.reshaped(try b.input(1), [1, filters, width]))
    let product = IntegerProduct(IntegerEpilogue(.i32))
    let dots = b.add(
      .integerProduct(product), [try b.input(0)] + panels + [b.scalar(x.zero, .i8)])
    let factor = TFLiteFixedPoint.multiplier(
      Double(x.scale * w.scale / state.scale))
    let range = TFLiteGraphBuilder.range(type)
    let op = Unary(.clip, Float(range.lowerBound), Float(range.upperBound))
    let clamped = b.add(.unary(op), [b.multiplied(dots, [factor])])
    return b.add(.cast(Cast(to: type)), [clamped])
  }

  /// The output's integers from weighted memory [batch, filters, steps].
  private static func integerSums(
    _ b: inout TFLiteGraphBuilder, _ weighted: ValueID, _ units: Int, _ rank: Int
  ) throws(ImportError) -> ValueID {
    let (time, state, y) = (
      try b.quantization(try b.tensor(2)), try b.quantization(try b.tensor(4)),
      try b.quantization(try b.outputTensor())
    )
    guard try b.outputTensor().elementType == .i8, time.zero == 0 else {
      throw b.fail("integers of these types are not supported")
    }
    let ranked = b.reshaped(weighted, [-1, units, rank * (try b.tensor(2).shape[1])])
    var sums = b.add(
      .reduce(Reduce(.sum, axes: IntegerList([2]), keepsAxes: false)), [ranked])
    if b.has(3) { sums = b.add(.binary(Binary(.add)), [sums, try b.input(3)]) }
    let factor = TFLiteFixedPoint.multiplier(
      Double(state.scale * time.scale / y.scale))
    let placed = b.add(
      .binary(Binary(.add)), [b.multiplied(sums, [factor]), b.scalar(y.zero, .i64)])
    let bytes = b.add(.unary(Unary(.clip, -128, 127)), [placed])
    return b.add(.cast(Cast(to: .i8)), [bytes])
  }
}
