// Arithmetic with numbers in one pass.
import Operators

extension RewriteRule {
  /// Two or more steps that add or multiply numbers become one.
  public static let mergeAffines = RewriteRule("merge-affines") { index, i in
    guard let (y, a, b) = index.linear(i), let p = index.soleProducer(y),
      let (x, c, d) = index.linear(p), (a * c).isFinite, (a * d + b).isFinite
    else { return nil }
    return index.replacing([p, i], with: .unary(Unary(.affine, a * c, a * d + b)), [x])
  }
}
