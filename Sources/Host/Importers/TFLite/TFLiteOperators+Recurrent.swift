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
      features[0] > 0, time[1] > 0, b.inputCount >= 5, try b.tensor(0).elementType == .f32
    else { throw b.fail("filters \(features) and \(time) of rank \(rank) are not supported") }
    let (filters, steps, units) = (features[0], time[1], features[0] / rank)
    let name = try b.tensor(4).name
    if b.states[name] == nil {
      let state = TFLiteTensor(
        name: name, type: 0, shape: [try b.tensor(0).shape[0], filters * steps], signature: [],
        buffer: 0, quantization: nil, isVariable: true, offset: 0)
      try b.declare(name, state)
    }
    // The memory moves on by one step.
    let old = b.reshaped(b.states[name]!.current, [-1, filters, steps])
    let kept = slice(&b, old, 2, 1, steps)
    let fresh = b.add(
      .matMul(MatMul(transposeB: true)), [try b.input(0), try b.realConstant(1)])
    let column = b.add(.reshape(Reshape(.unsqueeze, IntegerList([2]))), [fresh])
    let memory = b.add(.concat(Concat(axis: 2)), [kept, column])
    b.states[name]!.current = b.reshaped(memory, [-1, filters * steps])
    let weighted = b.add(.binary(Binary(.mul)), [memory, try b.realConstant(2)])
    let sums = b.add(
      .reduce(Reduce(.sum, axes: IntegerList([2]), keepsAxes: false)), [weighted])
    let ranked = b.reshaped(sums, [-1, units, rank])
    var y = b.add(.reduce(Reduce(.sum, axes: IntegerList([2]), keepsAxes: false)), [ranked])
    if b.has(3) { y = b.add(.binary(Binary(.add)), [y, try b.input(3)]) }
    try b.set(try b.activated(y, activation))
  }
}
