// Softmax written out.
import Operators

extension RewriteRule {
  /// eˣ / Σ eˣ, with or without the maximum taken off first.
  public static let softmax = RewriteRule("softmax") { index, i in
    guard let (e, total) = index.operands(i, .div), let s = index.producer(total),
      let axis = index.reducedAxis(s, .sum), index.graph.nodes[s].inputs[0] == e,
      let exp = index.producer(e), var x = index.argument(exp, .exp), index.isFloat(x)
    else { return nil }
    var nodes: Set = [i, s, exp]
    if let d = index.producer(x), let (a, peak) = index.operands(d, .sub),
      let m = index.producer(peak), index.graph.nodes[m].inputs[0] == a,
      index.reducedAxis(m, .max) == axis, index.isClosed(nodes.union([d, m]))
    {
      x = a
      nodes.formUnion([d, m])
    }
    guard index.isClosed(nodes) else { return nil }
    return index.replacing(nodes, with: .softmax(Softmax(axis: axis)), [x])
  }
}

extension GraphIndex {
  /// The one axis, counted from the front, that node `i` reduces this way and keeps.
  func reducedAxis(_ i: Int, _ kind: ReduceKind) -> Int? {
    guard let axes = reducedAxes(i, kind), axes.count == 1 else { return nil }
    return axes[0]
  }

  /// The axes in rising order, counted from the front, that node `i` reduces this way and keeps.
  func reducedAxes(_ i: Int?, _ kind: ReduceKind) -> [Int]? {
    guard let i, case .reduce(let op) = graph.nodes[i].op, op.kind == kind, op.keepsAxes,
      let x = graph.nodes[i].inputs[0], let rank = rank(x)
    else { return nil }
    if op.axes.count == 0 { return Array(0..<rank) }
    return op.axes.array.map { $0 < 0 ? $0 + rank : $0 }.sorted()
  }
}
