// Running sums along an axis.
import Tensors

/// y[i] = Σ x[j] over j ≤ i along `axis`; j < i with `isExclusive`; from the end with `isReverse`.
///
/// input: f32, i64 or i32 (sums wrap) → output: the same shape.
public struct CumSum: OperatorDefinition {
  public static var code: Int { 49 }
  public static var name: StaticString { "CumSum" }

  public var axis: Int
  public var isExclusive: Bool
  public var isReverse: Bool

  public init(axis: Int, isExclusive: Bool = false, isReverse: Bool = false) {
    self.axis = axis
    self.isExclusive = isExclusive
    self.isReverse = isReverse
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    axis = try attributes.integer(in: -8...7)
    isExclusive = try attributes.bool()
    isReverse = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(axis)
    attributes.put(isExclusive)
    attributes.put(isReverse)
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
    switch x.elementType {
    case .f32: sum(x.floats, y.floats, x.shape, 0) { $0 + $1 }
    case .i64: sum(x.elements(Int64.self), y.elements(Int64.self), x.shape, 0) { $0 &+ $1 }
    default: sum(x.elements(Int32.self), y.elements(Int32.self), x.shape, 0) { $0 &+ $1 }
    }
  }

  private func sum<T: BitwiseCopyable>(
    _ x: Elements<T>, _ y: Elements<T>, _ shape: Shape, _ zero: T, _ add: (T, T) -> T
  ) {
    let axis = shape.normalized(axis: axis) ?? 0
    let n = shape[axis]
    let inner = shape.elementCount(of: (axis + 1)..<shape.rank)
    for row in 0..<(x.count / n) {
      let first = row / inner * n * inner + row % inner
      var total = zero
      for j in 0..<n {
        let at = first + (isReverse ? n - 1 - j : j) * inner
        let v = x[at]
        y[at] = isExclusive ? total : add(total, v)
        total = add(total, v)
      }
    }
  }
}
