// Layer normalisation written out, and what stands before and after it.
import Operators
import Tensors

extension RewriteRule {
  /// (x − mean) / √(mean((x − mean)²) + epsilon) over trailing axes.
  public static let layerNorm = RewriteRule("layer-norm") { index, i in
    guard let (centred, deviation, root) = quotient(index, i),
      let sum = index.producer(deviation), let (variance, epsilon) = index.withNumber(sum, .add),
      epsilon >= 0, let v = index.producer(variance), let axes = index.reducedAxes(v, .mean),
      let squared = index.producer(index.graph.nodes[v].inputs[0]),
      let base = square(index, squared), let d = index.producer(centred),
      let (x, mean) = index.operands(d, .sub), let m = index.producer(mean),
      index.reducedAxes(m, .mean) == axes, index.graph.nodes[m].inputs[0] == x, index.isFloat(x),
      let rank = index.rank(x), axes == Array((rank - axes.count)..<rank), !axes.isEmpty
    else { return nil }
    var nodes = root.union([i, sum, v, squared, d, m])
    // Some exporters compute x − mean once for each use.
    if base != centred {
      guard let again = index.producer(base), let (y, mean) = index.operands(again, .sub), y == x,
        let n = index.producer(mean), index.reducedAxes(n, .mean) == axes,
        index.graph.nodes[n].inputs[0] == x
      else { return nil }
      nodes.formUnion([again, n])
    }
    guard index.isClosed(nodes) else { return nil }
    let op = LayerNorm(axis: axes.count == 1 ? -1 : axes[0] - rank, epsilon: epsilon)
    return index.replacing(nodes, with: .layerNorm(op), [x])
  }

  /// a / √b, or a times the reciprocal root: a, b and the nodes in between.
  private static func quotient(_ index: GraphIndex, _ i: Int) -> (ValueID, ValueID, Set<Int>)? {
    if let (a, b) = index.operands(i, .div), let (radicand, nodes) = squareRoot(index, b, 0.5) {
      return (a, radicand, nodes)
    }
    guard let (a, b) = index.operands(i, .mul) else { return nil }
    for (a, b) in [(a, b), (b, a)] {
      if let (radicand, nodes) = squareRoot(index, b, -0.5) { return (a, radicand, nodes) }
      guard let p = index.producer(b) else { continue }
      let inverse =
        index.argument(p, .reciprocal)
        ?? index.operands(p, .div).flatMap { index.scalar($0.0) == 1 ? $0.1 : nil }
      if let inverse, let (radicand, nodes) = squareRoot(index, inverse, 0.5) {
        return (a, radicand, nodes.union([p]))
      }
    }
    return nil
  }

  /// The base of b = base^exponent, where the exponent is that of a square root or its inverse.
  private static func squareRoot(
    _ index: GraphIndex, _ b: ValueID, _ exponent: Float
  ) -> (ValueID, Set<Int>)? {
    guard let p = index.producer(b) else { return nil }
    if exponent == 0.5, let x = index.argument(p, .sqrt) { return (x, [p]) }
    if let (x, e) = index.withNumber(p, .pow), e == exponent { return (x, [p]) }
    return nil
  }

  private static func square(_ index: GraphIndex, _ i: Int) -> ValueID? {
    if let (x, e) = index.withNumber(i, .pow), e == 2 { return x }
    if let (a, b) = index.operands(i, .mul), a == b { return a }
    return nil
  }

  /// Multiplying by a constant of the normalised extents after LayerNorm is its scale.
  public static let layerNormScale = RewriteRule("layer-norm-scale") { index, i in
    parameter(index, i, .mul, at: 1)
  }

  /// Adding a constant of the normalised extents after LayerNorm is its bias.
  public static let layerNormBias = RewriteRule("layer-norm-bias") { index, i in
    parameter(index, i, .add, at: 2)
  }

  private static func parameter(
    _ index: GraphIndex, _ i: Int, _ kind: BinaryKind, at input: Int
  ) -> GraphEdit? {
    guard let (a, b) = index.operands(i, kind) else { return nil }
    for (x, c) in [(a, b), (b, a)] {
      guard let p = index.soleProducer(x), case .layerNorm(let op) = index.graph.nodes[p].op,
        let constant = index.constant(c), constant.elementType == .f32, let rank = index.rank(x),
        index.haveSameShape(x, index.graph.nodes[i].outputs[0])
      else { continue }
      var inputs = index.graph.nodes[p].inputs
      while inputs.count < 3 { inputs.append(nil) }
      // What is scaled after the bias was added is no scale of ours.
      guard inputs[input] == nil, inputs[2] == nil else { continue }
      let first = op.axis < 0 ? op.axis + rank : op.axis
      let extents = (first..<rank).compactMap { index.fixedExtent(x, $0) }
      guard extents.count == rank - first else { continue }
      let width = extents.reduce(1, *)
      // All normalised axes and no others.
      let padded = constant.shape.dimensions.drop { $0 == 1 }
      guard padded.elementsEqual(extents.drop { $0 == 1 }), constant.shape.elementCount == width
      else { continue }
      var edit = index.replacing([p, i], with: .layerNorm(op), inputs)
      edit.added[0].inputs[input] = edit.addConstant(
        index.graph[c].name, constant.reshaped(Shape([width])))
      return edit
    }
    return nil
  }

  /// The sum that LayerNorm normalises is formed by it; readers that come later get it as its second
  /// output.
  public static let residualIntoLayerNorm = RewriteRule("residual-into-layer-norm") { index, i in
    let node = index.graph.nodes[i]
    guard case .layerNorm = node.op, node.outputs.count == 1, let s = node.inputs[0],
      node.inputs.count < 4 || node.inputs[3] == nil, let p = index.producer(s),
      let (a, b) = index.operands(p, .add), index.isFloat(a), index.haveSameShape(a, b),
      index.readers(s).allSatisfy({ $0 >= i }), node.inputs.dropFirst().allSatisfy({ $0 != s })
    else { return nil }
    var inputs = node.inputs
    while inputs.count < 4 { inputs.append(nil) }
    // The operand nothing else needs stands first: the output may take its memory.
    let (x, residual) = index.soleProducer(a) == nil ? (b, a) : (a, b)
    inputs[0] = x
    inputs[3] = residual
    var edit = index.replacing([p, i], with: node.op, inputs)
    if index.isGraphOutput(s) || index.readers(s).count > 1 { edit.added[0].outputs.append(s) }
    return edit
  }
}
