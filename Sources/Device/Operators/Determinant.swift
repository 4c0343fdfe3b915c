// Determinants of square matrices.
import Tensors

/// y = det x, by elimination with row exchanges, in double precision.
///
/// input: f32 [..., n, n] → output: f32 [...].
public struct Determinant: OperatorWithoutAttributes {
  public static var code: Int { 86 }
  public static var name: StaticString { "Determinant" }

  public init() {}

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.requirePlain(0)
    try step.require(0, is: .f32)
    let x = step.input(0).shape
    guard x.rank >= 2, x[x.rank - 1] == x[x.rank - 2] else {
      throw ShapeError("is not a square matrix", input: 0)
    }
    guard x[x.rank - 1] <= 1 << 16 else {
      throw ShapeError("is too large", input: 0, found: x[x.rank - 1])
    }
    var shape = Shape()
    for axis in 0..<(x.rank - 2) { shape.append(x[axis]) }
    step.setOutput(0, .f32, shape)
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    let x = step.input(0).shape
    return x[x.rank - 1] * x[x.rank - 1] * 8
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    let x = step.input(0).shape
    return x.elementCount.saturatingProduct(x[x.rank - 1])
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output().floats
    let n = x.shape[x.shape.rank - 1]
    let a = step.scratch(Double.self, count: n * n)
    for matrix in 0..<y.count {
      for i in 0..<(n * n) { a[i] = Double(x.floats[matrix * n * n + i]) }
      y[matrix] = Float(Determinant.eliminate(a, n))
    }
  }

  private static func eliminate(_ a: Elements<Double>, _ n: Int) -> Double {
    var product = 1.0
    for k in 0..<n {
      var pivot = k
      for i in (k + 1)..<max(n, k + 1) where a[i * n + k].magnitude > a[pivot * n + k].magnitude {
        pivot = i
      }
      if pivot != k {
        for j in 0..<n { (a[k * n + j], a[pivot * n + j]) = (a[pivot * n + j], a[k * n + j]) }
        product = -product
      }
      let head = a[k * n + k]
      product *= head
      if head == 0 { return 0 }
      for i in (k + 1)..<max(n, k + 1) {
        let factor = a[i * n + k] / head
        for j in k..<n { a[i * n + j] -= factor * a[k * n + j] }
      }
    }
    return product
  }
}
