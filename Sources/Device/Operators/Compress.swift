// The slices of a tensor for which a condition holds.
import Tensors

/// inputs: x, any element type; a vector of bools, which may be shorter than the axis: what it does not
/// reach is left out → output: the slices along `axis` where it holds, or without an axis such elements
/// of x as a vector.
public struct Compress: OperatorDefinition {
  public static var code: Int { 61 }
  public static var name: StaticString { "Compress" }

  /// nil takes x as one vector.
  public var axis: Int?

  public init(axis: Int? = nil) { self.axis = axis }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    let hasAxis = try attributes.bool()
    let place = try attributes.integer(in: -8...7)
    axis = hasAxis ? place : nil
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(axis != nil)
    attributes.put(axis ?? 0)
  }

  public func readsValue(ofInput i: Int) -> Bool { i == 1 }

  /// Elements in front of the axis, along it, and behind it.
  private func extents(_ shape: Shape) -> (outer: Int, count: Int, inner: Int)? {
    guard let axis else { return (1, shape.elementCount, 1) }
    guard let a = shape.normalized(axis: axis) else { return nil }
    return (
      shape.elementCount(of: 0..<a), shape[a], shape.elementCount(of: (a + 1)..<shape.rank)
    )
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...2)
    try step.requirePlain(0)
    try step.requirePlain(1)
    try step.require(1, is: .bool)
    let x = step.input(0)
    let condition = step.input(1)
    guard condition.shape.rank == 1 else {
      throw ShapeError("is no vector", input: 1, expected: 1, found: condition.shape.rank)
    }
    guard condition.hasValue else { throw ShapeError("must be known", input: 1) }
    guard let (_, count, _) = extents(x.shape) else {
      throw ShapeError("axis is out of range", input: 0, expected: x.shape.rank)
    }
    let holds = condition.elements(UInt8.self)
    var kept = 0
    for i in 0..<min(count, holds.count) where holds[i] != 0 { kept += 1 }
    var shape = Shape([kept])
    if let axis, let a = x.shape.normalized(axis: axis) {
      shape = x.shape
      shape[a] = kept
    }
    step.setOutput(0, x.elementType, shape)
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let holds = step.input(1).elements(UInt8.self)
    guard let (outer, count, inner) = extents(x.shape), step.output().plainByteCount > 0 else {
      return
    }
    let bytes = inner * x.elementType.byteCount
    precondition(outer * count * bytes <= x.byteCount)
    let source = unsafe x.pointer
    let target = unsafe step.output().pointer
    var at = 0
    for o in 0..<outer {
      for i in 0..<min(count, holds.count) where holds[i] != 0 {
        precondition(at + bytes <= step.output().byteCount)
        unsafe (target + at).copyMemory(from: source + (o * count + i) * bytes, byteCount: bytes)
        at += bytes
      }
    }
  }
}
