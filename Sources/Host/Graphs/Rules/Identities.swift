// Nodes that change nothing.
import Operators
import Tensors

extension RewriteRule {
  /// Reshape, Cast, Transpose, Expand, Tile, Slice and arithmetic that give back their input.
  public static let dropIdentity = RewriteRule("drop-identity") { index, i in
    let node = index.graph.nodes[i]
    guard node.outputs.count == 1, let kept = unchanged(index, i) else { return nil }
    var edit = GraphEdit(index, removing: [i])
    edit.replaced[node.outputs[0]] = kept
    return edit
  }

  /// The input that node `i` gives back as it is.
  private static func unchanged(_ index: GraphIndex, _ i: Int) -> ValueID? {
    let node = index.graph.nodes[i]
    guard let x = node.inputs.first ?? nil else { return nil }
    let y = node.outputs[0]
    switch node.op {
    case .reshape(let op) where op.kind == .identity: return x
    case .reshape, .expand, .tile: return index.haveSameShape(x, y) ? x : nil
    case .cast(let op): return index.shapes(x)?.base.elementType(x) == op.type ? x : nil
    case .transpose(let op):
      let axes = op.permutation.array
      return !axes.isEmpty && axes == Array(axes.indices) ? x : nil
    case .concat: return node.inputs.count == 1 ? x : nil
    case .slice(let op): return takesAll(index, node, op, x, y) ? x : nil
    case .binary(let op):
      let neutral: Float = op.kind == .add || op.kind == .sub ? 0 : 1
      guard [.add, .sub, .mul, .div, .pow].contains(op.kind),
        let (value, number) = index.withNumber(i, op.kind), number == neutral
      else { return nil }
      return value
    case .unary(let op):
      let changesNothing =
        op.kind == .affine && op.p0 == 1 && op.p1 == 0
        || op.kind == .clip && op.p0 == -.infinity && op.p1 == .infinity
      return changesNothing ? x : nil
    default: return nil
    }
  }

  /// A slice is whole when it starts at 0, steps by 1 and its ends are past every extent the axis can
  /// take: equal shapes at some bindings do not say that an end of 512 is.
  private static func takesAll(
    _ index: GraphIndex, _ node: Node, _ op: Slice, _ x: ValueID, _ y: ValueID
  ) -> Bool {
    guard index.haveSameShape(x, y) else { return false }
    func list(_ constant: IntegerList, _ input: Int) -> [Int]? {
      guard !op.isConstant else { return constant.array }
      guard input < node.inputs.count, let v = node.inputs[input] else { return [] }
      return index.constant(v)?.integers
    }
    guard let starts = list(op.starts, 1), starts.allSatisfy({ $0 == 0 }),
      let steps = list(op.steps, 4), steps.allSatisfy({ $0 == 1 }), let axes = list(op.axes, 3)
    else { return false }
    // Ends that follow the symbols and always were the extent are the extent.
    guard let ends = list(op.ends, 2) else { return true }
    guard ends.count == starts.count else { return false }
    return ends.indices.allSatisfy { n in
      if ends[n] >= 1 << 31 - 1 { return true }
      guard let extent = index.fixedExtent(x, axes.isEmpty ? n : axes[n]) else { return false }
      return ends[n] >= extent
    }
  }
}
