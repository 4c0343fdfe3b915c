// Attention over heads, as exports of transformers write it out.
import Operators
import Tensors

extension RewriteRule {
  /// softmax(alpha · Q Kᵀ + mask) V with Q, K and V cut into heads before and put together after it.
  ///
  /// Q and V are [batch, length, heads · width] reshaped to four axes with heads moved in front of
  /// length, K the same with length last; the result goes the way back.
  public static let attention = RewriteRule("attention") { index, i in
    guard let match = AttentionMatch(index, i) else { return nil }
    return match.edit()
  }
}

private struct AttentionMatch {
  private let index: GraphIndex
  private var nodes: Set<Int>
  private let output: ValueID
  private let heads: Int
  private let alpha: Float
  private let q: ValueID
  private let k: ValueID
  private let v: ValueID
  private var mask: Mask?

  private enum Mask {
    /// Added to the scores.
    case added(ValueID)
    /// Scores stand where the condition is `keeps`; elsewhere they are so low that e to them is 0.
    case chosen(ValueID, keeps: Bool, low: Float)
  }

  /// i: the Reshape that puts the heads together.
  init?(_ index: GraphIndex, _ i: Int) {
    guard case .reshape = index.graph.nodes[i].op,
      let t = index.soleProducer(index.graph.nodes[i].inputs[0]),
      case .transpose(let back) = index.graph.nodes[t].op, back.permutation.array == [0, 2, 1, 3],
      let product = index.soleProducer(index.graph.nodes[t].inputs[0]),
      case .matMul(let weighted) = index.graph.nodes[product].op, weighted == MatMul(),
      index.graph.nodes[product].inputs.count == 2,
      let s = index.soleProducer(index.graph.nodes[product].inputs[0]),
      case .softmax(let softmax) = index.graph.nodes[s].op, !softmax.isLogarithm,
      softmax.axis == -1 || softmax.axis == 3, let masked = index.graph.nodes[s].inputs[0],
      let rows = index.graph.nodes[product].inputs[1],
      let values = AttentionMatch.heads(index, rows, [0, 2, 1, 3])
    else { return nil }
    nodes = [i, t, product, s]
    var scores = masked
    if let p = index.soleProducer(masked), let (mask, rest) = AttentionMatch.mask(index, p) {
      self.mask = mask
      scores = rest
      nodes.insert(p)
    }
    guard let p = index.soleProducer(scores), case .matMul(let op) = index.graph.nodes[p].op,
      !op.transposeA, op.activation.kind == .linear, index.graph.nodes[p].inputs.count == 2,
      let left = index.graph.nodes[p].inputs[0], let right = index.graph.nodes[p].inputs[1],
      let queries = AttentionMatch.heads(index, left, [0, 2, 1, 3]),
      let keys = AttentionMatch.heads(index, right, op.transposeB ? [0, 2, 1, 3] : [0, 2, 3, 1]),
      queries.heads == keys.heads, queries.heads == values.heads, queries.width == keys.width
    else { return nil }
    nodes.insert(p)
    (q, k, v) = (queries.value, keys.value, values.value)
    heads = queries.heads
    alpha = op.alpha
    output = index.graph.nodes[i].outputs[0]
    self.index = index
    // No broadcasting between q, k and v, and the heads side by side again.
    guard index.haveSameExtent(q, 0, k, 0), index.haveSameExtent(q, 0, v, 0),
      index.haveSameExtent(k, 1, v, 1), index.isClosed(nodes),
      index.fixedExtent(output, -1) == heads * values.width
    else { return nil }
  }

  /// The value of rank 3 that `id` is after it was cut into heads and its axes were permuted.
  private static func heads(
    _ index: GraphIndex, _ id: ValueID, _ permutation: [Int]
  ) -> (value: ValueID, heads: Int, width: Int)? {
    guard let t = index.producer(id), case .transpose(let op) = index.graph.nodes[t].op,
      op.permutation.array == permutation, let split = index.graph.nodes[t].inputs[0],
      let r = index.producer(split), case .reshape = index.graph.nodes[r].op,
      let x = index.graph.nodes[r].inputs[0], index.rank(x) == 3, index.rank(split) == 4,
      index.isFloat(x), index.haveSameExtent(x, 0, split, 0),
      index.haveSameExtent(x, 1, split, 1), let heads = index.fixedExtent(split, 2),
      let width = index.fixedExtent(split, 3), heads > 0, width > 0
    else { return nil }
    return (x, heads, width)
  }

  private static func mask(_ index: GraphIndex, _ i: Int) -> (Mask, scores: ValueID)? {
    let node = index.graph.nodes[i]
    func isScores(_ id: ValueID) -> Bool {
      guard let p = index.soleProducer(id), case .matMul = index.graph.nodes[p].op else {
        return false
      }
      return index.haveSameShape(id, node.outputs[0])
    }
    if let (a, b) = index.operands(i, .add) {
      if isScores(a), index.isFloat(b) { return (.added(b), a) }
      return isScores(b) && index.isFloat(a) ? (.added(a), b) : nil
    }
    guard case .select = node.op, let condition = node.inputs[0], let a = node.inputs[1],
      let b = node.inputs[2]
    else { return nil }
    // e to such numbers is 0 beside any score a model has.
    if let low = index.scalar(b), low <= -1e4, isScores(a) {
      return (.chosen(condition, keeps: true, low: low), a)
    }
    if let low = index.scalar(a), low <= -1e4, isScores(b) {
      return (.chosen(condition, keeps: false, low: low), b)
    }
    return nil
  }

  func edit() -> GraphEdit? {
    guard let rank = index.rank(output) else { return nil }
    let name = index.graph.nodes[nodes.max() ?? 0].name
    let op = Operator.attention(Attention(heads: heads, scale: alpha))
    var edit = index.replacing(nodes, with: op, [q, k, v], named: name)
    // Where the two leading axes become one, or others come, a Reshape stays.
    let keepsShape =
      rank == 3 && index.haveSameExtent(output, 0, q, 0) && index.haveSameExtent(output, 1, q, 1)
    if !keepsShape {
      guard rank == 2, let width = index.fixedExtent(output, 1) else { return nil }
      let joined = edit.addValue(name + ".heads")
      edit.added[0].outputs = [joined]
      edit.added.append(
        Node(
          name: name, op: .reshape(Reshape(.target, IntegerList([-1, width]))), inputs: [joined],
          outputs: [output]))
    }
    switch mask {
    case nil: break
    case .added(let value): edit.added[0].inputs.append(value)
    case .chosen(let condition, let keeps, let low):
      // Any finite low becomes the lowest: rows that are masked whole stay uniform.
      let floor = low == -.infinity ? low : -Float.greatestFiniteMagnitude
      let zero = edit.addConstant(name + ".keep", Constant(floats: [0], shape: Shape()))
      let low = edit.addConstant(name + ".drop", Constant(floats: [floor], shape: Shape()))
      let added = edit.addValue(name + ".mask")
      edit.added.insert(
        Node(
          name: name + ".mask", op: .select(Select()),
          inputs: keeps ? [condition, zero, low] : [condition, low, zero], outputs: [added]),
        at: 0)
      edit.added[1].inputs.append(added)
    }
    return edit
  }
}
