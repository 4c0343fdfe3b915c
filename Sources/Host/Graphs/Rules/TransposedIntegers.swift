// Integer operators work with channels last: transposes around them move on until they meet.
import Operators
import Tensors

extension RewriteRule {
  /// f(transpose(x)) is transpose(f(x)) for functions of single elements; the same for two operands
  /// that are turned alike.
  public static let moveTransposes = RewriteRule("move-transposes") { index, i in
    let node = index.graph.nodes[i]
    guard node.outputs.count == 1, let count = index.turnedOperands(node) else { return nil }
    var sources: [ValueID] = []
    var turn: IntegerList?
    for v in node.inputs.prefix(count) {
      guard let v, let p = index.producer(v), case .transpose(let op) = index.graph.nodes[p].op,
        turn == nil || turn == op.permutation, let x = index.graph.nodes[p].inputs[0]
      else { return nil }
      turn = op.permutation
      sources.append(x)
    }
    guard let turn, sources.count == count else { return nil }
    var op = node.op
    if case .concat(let concat) = op {
      let axis = concat.axis < 0 ? concat.axis + turn.count : concat.axis
      guard axis >= 0, axis < turn.count else { return nil }
      op = .concat(Concat(axis: turn[axis]))
    }
    var edit = GraphEdit(index, removing: [i])
    let inner = edit.addValue(node.name + ".turned")
    edit.added = [
      Node(
        name: node.name, op: op, inputs: sources + node.inputs.dropFirst(count),
        outputs: [inner]),
      Node(
        name: node.name, op: .transpose(Transpose(turn)), inputs: [inner], outputs: node.outputs),
    ]
    return edit
  }
}

extension GraphIndex {
  /// How many leading operands must be turned alike; nil for operators that transposes stay in
  /// front of.
  fileprivate func turnedOperands(_ node: Node) -> Int? {
    switch node.op {
    case .byteTable, .quantize: return 1
    case .integerBinary: return 2
    case .concat:
      let type = shapes(node.outputs[0])?.base.elementType(node.outputs[0])
      return type == .i8 || type == .u8 ? node.inputs.count : nil
    default: return nil
    }
  }
}
