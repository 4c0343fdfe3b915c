// Where the largest or smallest element along an axis stands.
import Tensors

/// y = the index of the maximum (or minimum) of x along `axis`; of equals the first, or the last with
/// `selectsLast`. A NaN is neither larger nor smaller than a number.
///
/// input: f32, i64, i32 or u64 → output: i64; the axis is 1, or gone without `keepsAxis`.
public struct ArgReduce: OperatorDefinition {
  public static var code: Int { 45 }
  public static var name: StaticString { "ArgReduce" }

  public var isMinimum: Bool
  public var axis: Int
  public var keepsAxis: Bool
  public var selectsLast: Bool

  public init(
    isMinimum: Bool = false, axis: Int, keepsAxis: Bool = true, selectsLast: Bool = false
  ) {
    self.isMinimum = isMinimum
    self.axis = axis
    self.keepsAxis = keepsAxis
    self.selectsLast = selectsLast
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    isMinimum = try attributes.bool()
    axis = try attributes.integer(in: -8...7)
    keepsAxis = try attributes.bool()
    selectsLast = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(isMinimum)
    attributes.put(axis)
    attributes.put(keepsAxis)
    attributes.put(selectsLast)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.requirePlain(0)
    try step.require(0, is: .f32, .i64, .i32, .u64)
    let x = step.input(0).shape
    guard let a = x.normalized(axis: axis) else {
      throw ShapeError("axis is out of range", input: 0, expected: x.rank, found: axis)
    }
    var shape = Shape()
    for i in 0..<x.rank {
      if i != a { shape.append(x[i]) } else if keepsAxis { shape.append(1) }
    }
    guard x[a] > 0 || shape.elementCount == 0 else {
      throw ShapeError("nothing to choose from", input: 0)
    }
    step.setOutput(0, .i64, shape)
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { .i64 }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output().elements(Int64.self)
    guard y.count > 0 else { return }
    let a = x.shape.normalized(axis: axis) ?? 0
    let inner = x.shape.elementCount(of: (a + 1)..<x.shape.rank)
    switch x.elementType {
    case .f32: choose(x.floats, y, x.shape[a], inner)
    case .i64: choose(x.elements(Int64.self), y, x.shape[a], inner)
    case .u64: choose(x.elements(UInt64.self), y, x.shape[a], inner)
    default: choose(x.elements(Int32.self), y, x.shape[a], inner)
    }
  }

  private func choose<T: Comparable & BitwiseCopyable>(
    _ x: Elements<T>, _ y: Elements<Int64>, _ n: Int, _ inner: Int
  ) {
    for o in 0..<y.count {
      let first = o / inner * n * inner + o % inner
      var best = x[first]
      var place = 0
      for j in 1..<max(n, 1) {
        let v = x[first + j * inner]
        if (isMinimum ? v < best : v > best) || selectsLast && v == best {
          best = v
          place = j
        }
      }
      y[o] = Int64(place)
    }
  }
}
