// Class probabilities from the probabilities of pairs of classes.
import Tensors

/// The probabilities p that minimise Σ (r_ji p_i − r_ij p_j)² over all pairs, found one by one in turn until
/// no change is above 0.005 / classes, as libsvm does (Wu, Lin and Weng, 2004, algorithm 2).
///
/// input: r f32 [rows, pairs], how likely class i is of the pair (i, j), pairs in the order (0, 1), (0, 2), …,
/// (1, 2), … → output: p f32 [rows, classes].
public struct PairCoupling: OperatorDefinition {
  public static var code: Int { 121 }
  public static var name: StaticString { "PairCoupling" }
  public static var maximumClasses: Int { 1024 }

  private static var maximumPasses: Int { 100 }

  public var classes: Int

  public init(classes: Int) { self.classes = classes }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    classes = try attributes.integer(in: 2...PairCoupling.maximumClasses)
  }

  public func encode(into attributes: inout AttributeWriter) { attributes.put(classes) }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.require(0, is: .f32)
    try step.requirePlain(0)
    let x = step.input(0).shape
    guard x.rank == 2, x[1] == classes * (classes - 1) / 2 else {
      throw ShapeError(
        "expected rows of one number per pair", input: 0, expected: classes * (classes - 1) / 2,
        found: x.rank == 2 ? x[1] : 0)
    }
    step.setOutput(0, .f32, Shape([x[0], classes]))
  }

  public func scratchBytes(_ step: StepContext) -> Int { (classes * classes + classes) * 4 }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    // Few passes are enough: each touches the matrix twice.
    step.input(0).shape[0].saturatingProduct(classes * classes * 10)
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let pairs = x.shape[1]
    let matrix = step.scratch(Float.self, count: classes * classes)
    let products = step.scratch(Float.self, count: classes, at: classes * classes * 4)
    for row in 0..<x.shape[0] {
      fillMatrix(matrix, x.floats, row * pairs)
      solve(matrix, products, step.output().floats, row * classes)
    }
  }

  /// Q_ii = Σ r_ji², Q_ij = −r_ji r_ij.
  private func fillMatrix(_ q: Elements<Float>, _ r: Elements<Float>, _ at: Int) {
    q.fill(0)
    var pair = at
    for i in 0..<classes - 1 {
      for j in i + 1..<classes {
        let (own, other) = (r[pair], 1 - r[pair])
        q[i * classes + i] += other * other
        q[j * classes + j] += own * own
        q[i * classes + j] = -own * other
        q[j * classes + i] = -own * other
        pair += 1
      }
    }
  }

  private func solve(_ q: Elements<Float>, _ qp: Elements<Float>, _ p: Elements<Float>, _ at: Int) {
    let epsilon = 0.005 / Float(classes)
    for i in 0..<classes { p[at + i] = 1 / Float(classes) }
    for _ in 0..<PairCoupling.maximumPasses {
      var pqp: Float = 0
      for i in 0..<classes {
        var sum: Float = 0
        for j in 0..<classes { sum += q[i * classes + j] * p[at + j] }
        qp[i] = sum
        pqp += p[at + i] * sum
      }
      var worst: Float = 0
      for i in 0..<classes { worst = max(worst, (qp[i] - pqp).magnitude) }
      if worst < epsilon { return }
      for i in 0..<classes {
        let own = q[i * classes + i]
        let change = (pqp - qp[i]) / own
        let scale = 1 + change
        p[at + i] += change
        pqp = (pqp + change * (change * own + 2 * qp[i])) / scale / scale
        for j in 0..<classes {
          qp[j] = (qp[j] + change * q[i * classes + j]) / scale
          p[at + j] /= scale
        }
      }
    }
  }
}
