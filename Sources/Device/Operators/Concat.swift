// Tensors put behind one another along an axis.
import Tensors

/// inputs: any number of one element type, equal but for `axis` → output: their extents added there.
public struct Concat: OperatorDefinition {
  public static var code: Int { 21 }
  public static var name: StaticString { "Concat" }

  public var axis: Int

  public init(axis: Int) { self.axis = axis }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    axis = try attributes.integer(in: -8...7)
  }

  public func encode(into attributes: inout AttributeWriter) { attributes.put(axis) }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...65536)
    var shape = step.input(0).shape
    guard let axis = shape.normalized(axis: axis) else {
      throw ShapeError("axis is out of range", input: 0, expected: shape.rank, found: self.axis)
    }
    var total = 0
    for i in 0..<step.inputCount {
      guard step.has(i) else { throw ShapeError("is missing", input: i) }
      try step.requirePlain(i)
      let other = step.input(i).shape
      guard step.input(i).elementType == step.input(0).elementType else {
        throw ShapeError("element types differ", input: i)
      }
      guard other.rank == shape.rank else {
        throw ShapeError("wrong rank", input: i, expected: shape.rank, found: other.rank)
      }
      for a in 0..<shape.rank where a != axis && other[a] != shape[a] {
        throw ShapeError("extents differ", input: i, expected: shape[a], found: other[a])
      }
      let (sum, overflow) = total.addingReportingOverflow(other[axis])
      guard !overflow else { throw ShapeError("output is too large") }
      total = sum
    }
    shape[axis] = total
    guard shape.checkedElementCount != nil else { throw ShapeError("output is too large") }
    step.setOutput(0, step.input(0).elementType, shape)
  }

  public func run(_ step: StepContext) {
    let y = step.output()
    let axis = y.shape.normalized(axis: axis) ?? 0
    let outer = y.shape.elementCount(of: 0..<axis)
    let tail = y.shape.elementCount(of: (axis + 1)..<y.shape.rank) * y.elementType.byteCount
    let row = y.shape[axis] * tail
    var at = 0
    for i in 0..<step.inputCount {
      let x = step.input(i)
      let bytes = x.shape[axis] * tail
      guard bytes > 0, outer > 0 else { continue }
      precondition(outer * bytes <= x.byteCount && outer * row <= y.byteCount)
      let source = unsafe x.pointer
      let target = unsafe y.pointer
      for o in 0..<outer {
        unsafe (target + o * row + at).copyMemory(from: source + o * bytes, byteCount: bytes)
      }
      at += bytes
    }
  }
}
