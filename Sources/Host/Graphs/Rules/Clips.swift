// Bounds: minimum and maximum with a number, chains of them, and the piecewise linear sigmoid.
import Operators

extension RewriteRule {
  /// max(x, a) and min(x, b) are clips.
  public static let clipOfExtremes = RewriteRule("clip") { index, i in
    if let (x, low) = index.withNumber(i, .max) {
      return index.replacing([i], with: clip(low, .infinity), [x])
    }
    if let (x, high) = index.withNumber(i, .min) {
      return index.replacing([i], with: clip(-.infinity, high), [x])
    }
    return nil
  }

  /// A clip of a clip is one; relu is the clip from 0.
  public static let mergeClips = RewriteRule("merge-clips") { index, i in
    guard let (low, high) = bounds(index, i),
      let p = index.soleProducer(index.graph.nodes[i].inputs[0]),
      let (innerLow, innerHigh) = bounds(index, p), low <= high, innerLow <= innerHigh
    else { return nil }
    let merged = clip(min(max(innerLow, low), high), max(min(innerHigh, high), low))
    return index.replacing([p, i], with: merged, [index.graph.nodes[p].inputs[0]])
  }

  /// s · clip(a · x + b) + o is a hard sigmoid where it runs from 0 to 1.
  public static let hardSigmoid = RewriteRule("hard-sigmoid") { index, i in
    var nodes: Set = [i]
    var (s, o): (Float, Float) = (1, 0)
    var at = i
    if let (x, a, b) = index.linear(i), let p = index.soleProducer(x) {
      (s, o, at) = (a, b, p)
      nodes.insert(p)
    }
    guard s > 0, let (low, high) = bounds(index, at), isClose(o + s * low, 0),
      isClose(o + s * high, 1)
    else { return nil }
    var x = index.graph.nodes[at].inputs[0]
    var (a, b): (Float, Float) = (1, 0)
    while let p = index.soleProducer(x), let inner = index.linear(p) {
      (x, a, b) = (inner.x, a * inner.a, a * inner.b + b)
      nodes.insert(p)
    }
    // A clip from 0 to 1 on its own is simple enough.
    guard nodes.count > 1 else { return nil }
    return index.replacing(nodes, with: .unary(Unary(.hardSigmoid, s * a, s * b + o)), [x])
  }

  private static func clip(_ low: Float, _ high: Float) -> Operator {
    .unary(low == 0 && high == .infinity ? Unary(.relu) : Unary(.clip, low, high))
  }

  private static func bounds(_ index: GraphIndex, _ i: Int) -> (Float, Float)? {
    guard case .unary(let op) = index.graph.nodes[i].op, let x = index.graph.nodes[i].inputs[0],
      index.isFloat(x)
    else { return nil }
    switch op.kind {
    case .relu: return (0, .infinity)
    case .clip: return (op.p0, op.p1)
    default: return nil
    }
  }
}
