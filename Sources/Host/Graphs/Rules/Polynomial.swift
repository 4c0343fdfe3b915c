// Arithmetic multiplied out, so that a pattern matches however an exporter associated it.
import Operators
import Tensors

/// A polynomial in up to two values, the leaves of an `ArithmeticMatch`.
struct Polynomial {
  struct Powers: Hashable {
    var first = 0
    var second = 0
  }

  private(set) var terms: [Powers: Double] = [:]

  init(_ terms: [Powers: Double]) { self.terms = terms.filter { $0.value != 0 } }
  init(_ number: Double) { self.init([Powers(): number]) }

  /// The number, where it is no more than that.
  var number: Double? {
    if terms.isEmpty { return 0 }
    return terms.count == 1 ? terms[Powers()] : nil
  }

  var degree: Int { terms.keys.map { $0.first + $0.second }.max() ?? 0 }

  static func + (a: Polynomial, b: Polynomial) -> Polynomial {
    Polynomial(a.terms.merging(b.terms, uniquingKeysWith: +))
  }

  static func * (a: Polynomial, b: Polynomial) -> Polynomial {
    var result: [Powers: Double] = [:]
    for (p, x) in a.terms {
      for (q, y) in b.terms {
        let powers = Powers(first: p.first + q.first, second: p.second + q.second)
        result[powers, default: 0] += x * y
      }
    }
    return Polynomial(result)
  }

  /// The same with the leaves' names exchanged.
  var swapped: Polynomial {
    var result: [Powers: Double] = [:]
    for (p, c) in terms { result[Powers(first: p.second, second: p.first)] = c }
    return Polynomial(result)
  }

  /// True when the coefficients of first^i · second^j are these, within 1e-5.
  func isClose(to other: [(i: Int, j: Int, coefficient: Double)]) -> Bool {
    var rest = terms
    for (i, j, c) in other {
      let found = rest.removeValue(forKey: Powers(first: i, second: j)) ?? 0
      guard (found - c).magnitude <= 1e-5 * c.magnitude else { return false }
    }
    // What sums of rounded numbers leave behind.
    return rest.values.allSatisfy { $0.magnitude < 1e-7 }
  }
}

/// Multiplies out sums, products, powers and quotients by numbers, down to values it cannot look
/// into: its leaves.
struct ArithmeticMatch {
  private let index: GraphIndex
  private let like: ValueID
  private let maximumLeaves: Int
  private(set) var leaves: [ValueID]
  /// The nodes that were looked into.
  private(set) var nodes: Set<Int> = []

  /// like: a value whose shape all others have. leaves: values that are not looked into, the first
  /// of the polynomial's; with `maximumLeaves` of them no others are found.
  init(_ index: GraphIndex, like: ValueID, leaves: [ValueID] = [], maximumLeaves: Int = 2) {
    self.index = index
    self.like = like
    self.leaves = leaves
    self.maximumLeaves = maximumLeaves
  }

  /// What node `i` computes.
  mutating func expand(node i: Int) -> Polynomial? {
    guard nodes.count < 12, index.graph.nodes[i].outputs.count == 1,
      index.haveSameShape(index.graph.nodes[i].outputs[0], like)
    else { return nil }
    nodes.insert(i)
    if let (a, b) = index.operands(i, .add) { return both(a, b) { $0 + $1 } }
    if let (a, b) = index.operands(i, .sub) { return both(a, b) { $0 + Polynomial(-1) * $1 } }
    if let (a, b) = index.operands(i, .mul) { return both(a, b) { $0 * $1 } }
    if let (a, b) = index.operands(i, .div) {
      return both(a, b) { p, q in
        guard let divisor = q.number, divisor != 0 else { return nil }
        return p * Polynomial(1 / divisor)
      }
    }
    if let (a, b) = index.operands(i, .pow) {
      return both(a, b) { p, q in
        guard let e = q.number, let exponent = Int(exactly: e), (1...4).contains(exponent) else {
          return nil
        }
        return (1..<exponent).reduce(p) { power, _ in power * p }
      }
    }
    if let (x, a, b) = index.linear(i), let p = expand(x) {
      return Polynomial(Double(a)) * p + Polynomial(Double(b))
    }
    return nil
  }

  private mutating func both(
    _ a: ValueID, _ b: ValueID, _ combine: (Polynomial, Polynomial) -> Polynomial?
  ) -> Polynomial? {
    guard let p = expand(a), let q = expand(b), let result = combine(p, q), result.degree <= 6
    else {
      return nil
    }
    return result
  }

  /// A value as a number, as arithmetic only its reader sees, or as a leaf.
  mutating func expand(_ id: ValueID) -> Polynomial? {
    if let number = index.scalar(id) { return Polynomial(Double(number)) }
    if !leaves.contains(id), let p = index.soleProducer(id), isArithmetic(p) {
      return expand(node: p)
    }
    if !leaves.contains(id) {
      guard leaves.count < maximumLeaves, index.haveSameShape(id, like) else { return nil }
      leaves.append(id)
    }
    let isFirst = leaves[0] == id
    return Polynomial([.init(first: isFirst ? 1 : 0, second: isFirst ? 0 : 1): 1])
  }

  private func isArithmetic(_ i: Int) -> Bool {
    switch index.graph.nodes[i].op {
    case .binary(let op): [.add, .sub, .mul, .div, .pow].contains(op.kind)
    case .unary(let op): op.kind == .affine || op.kind == .neg
    default: false
    }
  }
}
