// Functions that a product or a convolution applies to what it stores.
import Operators

extension RewriteRule {
  /// relu, GELU and the like after MatMul or Conv become its activation.
  public static let fuseActivation = RewriteRule("fuse-activation") { index, i in
    guard case .unary(let unary) = index.graph.nodes[i].op, let kind = Activation(unary.kind),
      let p = index.soleProducer(index.graph.nodes[i].inputs[0])
    else { return nil }
    let producer = index.graph.nodes[p]
    let fused = FusedActivation(kind, unary.p0, unary.p1)
    let op: Operator
    switch producer.op {
    case .matMul(var product) where product.activation.kind == .linear:
      product.activation = fused
      op = .matMul(product)
    case .conv(var conv) where conv.activation.kind == .linear:
      conv.activation = fused
      op = .conv(conv)
    default: return nil
    }
    return index.replacing([p, i], with: op, producer.inputs, named: producer.name)
  }

  /// prelu with one slope is leaky relu.
  public static let leakyRelu = RewriteRule("leaky-relu") { index, i in
    guard let (x, slope) = index.withNumber(i, .prelu) else { return nil }
    return index.replacing([i], with: .unary(Unary(.leakyRelu, slope)), [x])
  }
}
