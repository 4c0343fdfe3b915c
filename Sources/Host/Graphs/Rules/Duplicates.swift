// The same thing computed twice.
import Operators
import Tensors

extension RewriteRule {
  /// A node that does what an earlier one did gives way to it.
  public static let mergeDuplicates = RewriteRule("merge-duplicates") { index, i in
    let node = index.graph.nodes[i]
    // An input that is no constant has a list of readers to look through; small constants may be
    // equal without being one value.
    guard let shared = node.inputs.compactMap({ $0 }).first(where: { index.constant($0) == nil })
    else { return nil }
    for j in index.readers(shared) where j < i {
      let other = index.graph.nodes[j]
      guard other.op == node.op, other.inputs.count == node.inputs.count,
        other.outputs.count == node.outputs.count,
        zip(other.inputs, node.inputs).allSatisfy({ index.areEqual($0, $1) })
      else { continue }
      var edit = GraphEdit(index, removing: [i])
      for (mine, theirs) in zip(node.outputs, other.outputs) { edit.replaced[mine] = theirs }
      return edit
    }
    return nil
  }
}

extension GraphIndex {
  /// True for one value, and for constants of up to 64 bytes with equal contents.
  fileprivate func areEqual(_ a: ValueID?, _ b: ValueID?) -> Bool {
    if a == b { return true }
    guard let p = constant(a), let q = constant(b) else { return false }
    return p.bytes.count <= 64 && p.isSame(as: q)
  }
}
