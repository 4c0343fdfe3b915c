// Indices to vectors with one element on.
import Tensors

/// y is `on` where the index along the new axis equals the input, else `off`.
///
/// inputs: indices i64 or i32; depth, one integer known before the program runs; [off, on], any element
/// type → output: the indices' shape with `axis` of extent depth put in. Negative indices count from
/// the end; an index out of range is all off.
public struct OneHot: OperatorDefinition {
  public static var code: Int { 51 }
  public static var name: StaticString { "OneHot" }

  /// Counted in the output.
  public var axis: Int

  public init(axis: Int = -1) { self.axis = axis }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    axis = try attributes.integer(in: -8...7)
  }

  public func encode(into attributes: inout AttributeWriter) { attributes.put(axis) }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 3...3)
    for i in 0..<3 { try step.requirePlain(i) }
    try step.require(0, is: .i64, .i32)
    let indices = step.input(0).shape
    let depth = try step.integers(1)
    guard depth.count == 1, depth[0] >= 1 else {
      throw ShapeError("depth is not one positive integer", input: 1)
    }
    guard step.input(2).shape == Shape([2]) else {
      throw ShapeError("is not two values", input: 2, expected: 2)
    }
    guard indices.rank < Shape.maximumRank else { throw ShapeError("output has too many axes") }
    let place = axis < 0 ? axis + indices.rank + 1 : axis
    guard place >= 0, place <= indices.rank else {
      throw ShapeError("axis is out of range", input: 0, expected: indices.rank + 1, found: axis)
    }
    var shape = Shape()
    for a in 0..<indices.rank {
      if a == place { shape.append(depth[0]) }
      shape.append(indices[a])
    }
    if place == indices.rank { shape.append(depth[0]) }
    step.setOutput(0, step.input(2).elementType, shape)
  }

  public func readsValue(ofInput i: Int) -> Bool { i == 1 }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? {
    inputs.count == 3 ? inputs[2] : nil
  }

  public func run(_ step: StepContext) {
    let values = step.input(2)
    let y = step.output()
    switch y.elementType.byteCount {
    case 1: set(step, values.elements(UInt8.self), y.elements(UInt8.self))
    case 2: set(step, values.elements(UInt16.self), y.elements(UInt16.self))
    case 4: set(step, values.elements(UInt32.self), y.elements(UInt32.self))
    default: set(step, values.elements(UInt64.self), y.elements(UInt64.self))
    }
  }

  private func set<T: BitwiseCopyable>(
    _ step: StepContext, _ values: Elements<T>, _ y: Elements<T>
  ) {
    guard y.count > 0 else { return }
    let indices = step.input(0)
    let shape = step.output().shape
    let place = shape.normalized(axis: axis) ?? 0
    let depth = shape[place]
    let inner = shape.elementCount(of: (place + 1)..<shape.rank)
    y.fill(values[0])
    for i in 0..<indices.shape.elementCount {
      let index = indices.integer(at: i)
      guard index >= -depth, index < depth else { continue }
      let on = index < 0 ? index + depth : index
      y[i / inner * depth * inner + on * inner + i % inner] = values[1]
    }
  }
}
