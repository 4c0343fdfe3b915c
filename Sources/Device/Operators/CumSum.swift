// Running sums and products along an axis.
import Tensors

/// y[i] = Σ x[j] (Π x[j] with `isProduct`) over j ≤ i along `axis`; j < i with `isExclusive`; from the
/// end with `isReverse`.
///
/// input: f32, i64 or i32 (which wrap) → output: the same shape.
public struct CumSum: OperatorDefinition {
  public static var code: Int { 49 }
  public static var name: StaticString { "CumSum" }

  public var axis: Int
  public var isExclusive: Bool
  public var isReverse: Bool
  public var isProduct: Bool

  public init(
    axis: Int, isExclusive: Bool = false, isReverse: Bool = false, isProduct: Bool = false
  ) {
    self.axis = axis
    self.isExclusive = isExclusive
    self.isReverse = isReverse
    self.isProduct = isProduct
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    axis = try attributes.integer(in: -8...7)
    isExclusive = try attributes.bool()
    isReverse = try attributes.bool()
    isProduct = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(axis)
    attributes.put(isExclusive)
    attributes.put(isReverse)
    attributes.put(isProduct)
  }

  public var aliasing: Aliasing { .inPlace }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.requirePlain(0)
    try step.require(0, is: .f32, .i64, .i32)
    let x = step.input(0)
    guard x.shape.normalized(axis: axis) != nil else {
      throw ShapeError("axis is out of range", input: 0, expected: x.shape.rank, found: axis)
    }
    step.setOutput(0, x.elementType, x.shape)
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output()
    guard y.shape.elementCount > 0 else { return }
    let shape = x.shape
    switch (x.elementType, isProduct) {
    case (.f32, false): sum(x.floats, y.floats, shape, 0) { $0 + $1 }
    case (.f32, true): sum(x.floats, y.floats, shape, 1) { $0 * $1 }
    case (.i64, false): sum(x.elements(Int64.self), y.elements(Int64.self), shape, 0) { $0 &+ $1 }
    case (.i64, true): sum(x.elements(Int64.self), y.elements(Int64.self), shape, 1) { $0 &* $1 }
    case (_, false): sum(x.elements(Int32.self), y.elements(Int32.self), shape, 0) { $0 &+ $1 }
    case (_, true): sum(x.elements(Int32.self), y.elements(Int32.self), shape, 1) { $0 &* $1 }
    }
  }

  private func sum<T: BitwiseCopyable>(
    _ x: Elements<T>, _ y: Elements<T>, _ shape: Shape, _ first: T, _ combine: (T, T) -> T
  ) {
    let axis = shape.normalized(axis: axis) ?? 0
    let n = shape[axis]
    let inner = shape.elementCount(of: (axis + 1)..<shape.rank)
    for row in 0..<(x.count / n) {
      let start = row / inner * n * inner + row % inner
      var total = first
      for j in 0..<n {
        let at = start + (isReverse ? n - 1 - j : j) * inner
        let v = x[at]
        y[at] = isExclusive ? total : combine(total, v)
        total = combine(total, v)
      }
    }
  }
}
