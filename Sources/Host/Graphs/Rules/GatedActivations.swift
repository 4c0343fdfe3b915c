// GELU, SiLU and hard swish: a value times a gate that is a function of it.
import Operators

extension RewriteRule {
  /// x/2 · (1 + erf(x/√2)).
  public static let gelu = RewriteRule("gelu") { index, i in
    guard let g = GatedProduct(index, i), g.gate.kind == .erf,
      g.outer.isClose(to: [(1, 0, 0.5), (1, 1, 0.5)]),
      g.inner.isClose(to: [(1, 0, 0.5.squareRoot())])
    else { return nil }
    return g.edit(Unary(.gelu))
  }

  /// x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))).
  public static let geluTanh = RewriteRule("gelu-tanh") { index, i in
    let a = (2 / Double.pi).squareRoot()
    guard let g = GatedProduct(index, i), g.gate.kind == .tanh,
      g.outer.isClose(to: [(1, 0, 0.5), (1, 1, 0.5)]),
      g.inner.isClose(to: [(1, 0, a), (3, 0, 0.044715 * a)])
    else { return nil }
    return g.edit(Unary(.geluTanh))
  }

  /// x · sigmoid(x).
  public static let silu = RewriteRule("silu") { index, i in
    guard let g = GatedProduct(index, i), g.gate.kind == .sigmoid,
      g.outer.isClose(to: [(1, 1, 1)]), g.inner.isClose(to: [(1, 0, 1)])
    else { return nil }
    return g.edit(Unary(.silu))
  }

  /// x · clip(x/6 + 1/2, 0, 1), the clip scaled by any number.
  public static let hardSwish = RewriteRule("hard-swish") { index, i in
    guard let g = GatedProduct(index, i) else { return nil }
    switch g.gate.kind {
    case .hardSigmoid:
      guard isClose(g.gate.p0, 1 / 6), isClose(g.gate.p1, 0.5), g.outer.isClose(to: [(1, 1, 1)]),
        g.inner.isClose(to: [(1, 0, 1)])
      else { return nil }
    case .clip:
      let height = Double(g.gate.p1)
      guard g.gate.p0 == 0, height > 0, height.isFinite,
        g.outer.isClose(to: [(1, 1, 1 / height)]),
        g.inner.isClose(to: [(0, 0, height / 2), (1, 0, height / 6)])
      else { return nil }
    default: return nil
    }
    return g.edit(Unary(.hardSwish))
  }
}

/// A node that is a polynomial `outer` in x and a gate, where the gate is a function of a polynomial
/// `inner` in x. In both, x is the first leaf and the gate the second.
private struct GatedProduct {
  let index: GraphIndex
  let x: ValueID
  let gate: Unary
  let outer: Polynomial
  let inner: Polynomial
  let nodes: Set<Int>

  init?(_ index: GraphIndex, _ i: Int) {
    let node = index.graph.nodes[i]
    guard case .binary = node.op, node.outputs.count == 1, index.isFloat(node.outputs[0]) else {
      return nil
    }
    var match = ArithmeticMatch(index, like: node.outputs[0])
    guard let outer = match.expand(node: i), match.leaves.count == 2 else { return nil }
    for (x, t) in [(0, 1), (1, 0)] {
      let (x, t) = (match.leaves[x], match.leaves[t])
      guard let p = index.soleProducer(t), case .unary(let gate) = index.graph.nodes[p].op,
        let argument = index.graph.nodes[p].inputs[0]
      else { continue }
      var within = ArithmeticMatch(index, like: node.outputs[0], leaves: [x], maximumLeaves: 1)
      guard let inner = within.expand(argument) else { continue }
      self.index = index
      self.x = x
      self.gate = gate
      self.outer = x == match.leaves[0] ? outer : outer.swapped
      self.inner = inner
      nodes = match.nodes.union(within.nodes).union([p])
      return
    }
    return nil
  }

  func edit(_ op: Unary) -> GraphEdit? {
    index.isClosed(nodes) ? index.replacing(nodes, with: .unary(op), [x]) : nil
  }
}
