// Running sums and products along an axis.
import Tensors

/// y[i] = Σ x[j] (Π x[j] with `isProduct`) over j ≤ i along `axis`; j < i with `isExclusive`; from the
/// end with `isReverse`.
///
/// inputs: f32, i64 or i32 (which wrap); the axis instead of `axis`, i64 or i32, optional (one out of
/// range is the first) → output: the same shape.
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
    try step.require(inputs: 1...2)
    try step.requirePlain(0)
    if step.has(1) {
      try step.require(1, is: .i64, .i32)
      guard step.input(1).shape.elementCount == 1, step.input(0).shape.rank > 0 else {
        throw ShapeError("is not one axis", input: 1, expected: 1)
      }
    }
    try step.require(0, is: .f32, .i64, .i32)
    let x = step.input(0)
    guard step.has(1) || x.shape.normalized(axis: axis) != nil else {
      throw ShapeError("axis is out of range", input: 0, expected: x.shape.rank, found: axis)
    }
    step.setOutput(0, x.elementType, x.shape)
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output()
    guard y.shape.elementCount > 0 else { return }
    let shape = x.shape
    let axis = shape.normalized(axis: step.has(1) ? step.input(1).integer(at: 0) : axis) ?? 0
    switch (x.elementType, isProduct) {
    case (.f32, false): sum(x.floats, y.floats, shape, axis, 0) { $0 + $1 }
    case (.f32, true): sum(x.floats, y.floats, shape, axis, 1) { $0 * $1 }
    case (.i64, false):
      sum(x.elements(Int64.self), y.elements(Int64.self), shape, axis, 0) { $0 &+ $1 }
    case (.i64, true):
      sum(x.elements(Int64.self), y.elements(Int64.self), shape, axis, 1) { $0 &* $1 }
    case (_, false):
      sum(x.elements(Int32.self), y.elements(Int32.self), shape, axis, 0) { $0 &+ $1 }
    case (_, true): sum(x.elements(Int32.self), y.elements(Int32.self), shape, axis, 1) { $0 &* $1 }
    }
  }

  private func sum<T: BitwiseCopyable>(
    _ x: Elements<T>, _ y: Elements<T>, _ shape: Shape, _ axis: Int, _ first: T,
    _ combine: (T, T) -> T
  ) {
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
