// Tensors that follow from shapes: Shape, Size, ConstantOfShape, Range.
import Tensors

/// The extents of x from axis `start` up to `end`, or their product with `isProduct`.
///
/// input: any tensor → output: i64, a vector or (product) a scalar.
public struct ShapeOf: OperatorDefinition {
  public static var code: Int { 26 }
  public static var name: StaticString { "Shape" }

  public var start: Int
  public var end: Int
  public var isProduct: Bool

  public init(start: Int = 0, end: Int = 8, isProduct: Bool = false) {
    self.start = start
    self.end = end
    self.isProduct = isProduct
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    start = try attributes.integer()
    end = try attributes.integer()
    isProduct = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(start)
    attributes.put(end)
    attributes.put(isProduct)
  }

  public var dependsOnShapesOnly: Bool { true }

  private func range(_ shape: Shape) -> Range<Int> {
    func clamp(_ v: Int) -> Int { min(max(v < 0 ? v + shape.rank : v, 0), shape.rank) }
    let from = clamp(start)
    return from..<max(from, clamp(end))
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    let count = range(step.input(0).shape).count
    step.setOutput(0, .i64, isProduct ? Shape() : Shape([count]))
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { .i64 }

  public func run(_ step: StepContext) {
    let x = step.input(0).shape
    let y = step.output().elements(Int64.self)
    let axes = range(x)
    if isProduct {
      y[0] = Int64(x.elementCount(of: axes))
    } else {
      for (i, axis) in axes.enumerated() { y[i] = Int64(x[axis]) }
    }
  }
}

/// A tensor of one value, with the shape that input 0 (i64, known before the program runs) names.
public struct ConstantOfShape: OperatorDefinition {
  public static var code: Int { 27 }
  public static var name: StaticString { "ConstantOfShape" }

  public var type: ElementType
  /// The value where `type` is f32; integers and bool take `integer`.
  public var value: Float
  public var integer: Int

  public init(_ type: ElementType, value: Float, integer: Int) {
    self.type = type
    self.value = value
    self.integer = integer
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let type = ElementType(rawValue: UInt8(try attributes.integer(in: 0...255))) else {
      throw attributes.fail("unknown element type")
    }
    self.type = type
    value = try attributes.float()
    integer = try attributes.integer(in: Int.min...Int.max)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(Int(type.rawValue))
    attributes.put(value)
    attributes.put(integer)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    switch type {
    case .f32, .i64, .i32, .bool: break
    default: throw ShapeError("element type is not taken here")
    }
    let list = try step.integers(0)
    guard list.count <= Shape.maximumRank else { throw ShapeError("output has too many axes") }
    var shape = Shape()
    for i in 0..<list.count {
      guard list[i] >= 0 else { throw ShapeError("negative extent", input: 0, found: list[i]) }
      shape.append(list[i])
    }
    guard shape.checkedElementCount != nil else { throw ShapeError("output is too large") }
    step.setOutput(0, type, shape)
  }

  public func readsValue(ofInput i: Int) -> Bool { true }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { type }

  public func run(_ step: StepContext) {
    let y = step.output()
    switch type {
    case .f32: y.floats.fill(value)
    case .i64: y.elements(Int64.self).fill(Int64(integer))
    case .i32: y.elements(Int32.self).fill(Int32(truncatingIfNeeded: integer))
    default: y.elements(UInt8.self).fill(integer != 0 ? 1 : 0)
    }
  }
}

/// start, start + delta, … up to but without limit (ONNX Range).
///
/// inputs: three scalars of one type, i64, i32 or f32, known before the program runs → output: a vector.
public struct Sequence: OperatorWithoutAttributes {
  public static var code: Int { 28 }
  public static var name: StaticString { "Range" }

  public init() {}

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 3...3)
    try step.require(0, is: .i64, .i32, .f32)
    for i in 0..<3 {
      try step.requirePlain(i)
      guard step.input(i).elementType == step.input(0).elementType else {
        throw ShapeError("element types differ", input: i)
      }
      guard step.input(i).hasValue, step.input(i).shape.elementCount == 1 else {
        throw ShapeError("must be one number that does not depend on data", input: i)
      }
    }
    let (a, b, d) = (number(step, 0), number(step, 1), number(step, 2))
    guard d != 0, a.isFinite, b.isFinite, d.isFinite else {
      throw ShapeError("not a finite range")
    }
    let count = ((b - a) / d).rounded(.up)
    guard count < 0x1p40 else { throw ShapeError("output is too large") }
    step.setOutput(0, step.input(0).elementType, Shape([count > 0 ? Int(count) : 0]))
  }

  private func number(_ step: StepContext, _ i: Int) -> Double {
    let t = step.input(i)
    return t.elementType == .f32 ? Double(t.floats[0]) : Double(t.integer(at: 0))
  }

  public func readsValue(ofInput i: Int) -> Bool { true }

  public func run(_ step: StepContext) {
    let y = step.output()
    let n = y.shape.elementCount
    switch y.elementType {
    case .f32:
      let (a, d) = (step.input(0).floats[0], step.input(2).floats[0])
      for i in 0..<n { y.floats[i] = a + Float(i) * d }
    case .i64:
      let (a, d) = (Int64(step.input(0).integer(at: 0)), Int64(step.input(2).integer(at: 0)))
      for i in 0..<n { y.elements(Int64.self)[i] = a &+ Int64(i) &* d }
    default:
      let (a, d) = (step.input(0).integer(at: 0), step.input(2).integer(at: 0))
      for i in 0..<n { y.elements(Int32.self)[i] = Int32(truncatingIfNeeded: a &+ i &* d) }
    }
  }
}
