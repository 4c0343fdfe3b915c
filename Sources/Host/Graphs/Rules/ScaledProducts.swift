// What a matrix product does on the way: scaling its operands and turning the right one.
import Operators

extension RewriteRule {
  /// A number that multiplies an operand or the result of MatMul goes into its alpha.
  public static let scaleIntoProduct = RewriteRule("scale-into-product") { index, i in
    let node = index.graph.nodes[i]
    if let (y, a) = index.scaled(i), a.isFinite, let p = index.soleProducer(y),
      case .matMul(var op) = index.graph.nodes[p].op, op.activation.kind == .linear,
      index.graph.nodes[p].inputs.count == 2
    {
      op.alpha *= a
      return index.replacing(
        [p, i], with: .matMul(op), index.graph.nodes[p].inputs, named: index.graph.nodes[p].name)
    }
    guard case .matMul(var op) = node.op else { return nil }
    for operand in 0...1 {
      guard let p = index.soleProducer(node.inputs[operand]), let (x, a) = index.scaled(p),
        a.isFinite
      else { continue }
      op.alpha *= a
      var inputs = node.inputs
      inputs[operand] = x
      return index.replacing([p, i], with: .matMul(op), inputs)
    }
    return nil
  }

  /// MatMul by a matrix whose last two axes were exchanged reads it as it was.
  public static let transposeIntoProduct = RewriteRule("transpose-into-product") { index, i in
    let node = index.graph.nodes[i]
    guard case .matMul(var op) = node.op, let p = index.producer(node.inputs[1]),
      case .transpose(let transpose) = index.graph.nodes[p].op
    else { return nil }
    let axes = transpose.permutation.array
    let rank = axes.count
    guard rank >= 2, axes == Array(0..<(rank - 2)) + [rank - 1, rank - 2] else { return nil }
    op.transposeB.toggle()
    var inputs = node.inputs
    inputs[1] = index.graph.nodes[p].inputs[0]
    return index.replacing([i], with: .matMul(op), inputs)
  }
}
