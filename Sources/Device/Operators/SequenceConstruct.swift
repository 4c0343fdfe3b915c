// Tensors put together to a sequence, or one or none to an optional.
import Tensors

/// inputs: any tensors, none too; at most one for an optional → output: the sequence of them.
public struct SequenceConstruct: OperatorDefinition {
  public static var code: Int { 66 }
  public static var name: StaticString { "SequenceConstruct" }

  public var isOptional: Bool

  public init(isOptional: Bool = false) { self.isOptional = isOptional }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    isOptional = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) { attributes.put(isOptional) }

  public func readsValue(ofInput i: Int) -> Bool { true }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { .sequence }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 0...(isOptional ? 1 : 1 << 16))
    for i in 0..<step.inputCount {
      guard step.has(i) else { throw ShapeError("is missing", input: i) }
      try step.requirePlain(i)
    }
    try step.setSequence(step.inputCount) { step.input($0) }
  }

  public func run(_ step: StepContext) {
    SequenceView.copy(into: step.output(), isOptional: isOptional, step.inputCount) {
      step.input($0)
    }
  }
}

extension StepContext {
  /// Input `i` as a sequence.
  func sequence(_ i: Int) throws(ShapeError) -> SequenceView {
    guard input(i).hasValue else {
      throw ShapeError("must not depend on the data that runs through the model", input: i)
    }
    guard let sequence = SequenceView(input(i)) else {
      throw ShapeError("is no sequence", input: i)
    }
    return sequence
  }

  /// Output 0 is a sequence of these items.
  func setSequence(_ count: Int, _ item: (Int) -> TensorView) throws(ShapeError) {
    guard let bytes = SequenceView.byteCount(count, item), bytes <= 1 << 40 else {
      throw ShapeError("output is too large")
    }
    setOutput(0, .sequence, Shape([bytes]))
  }

  /// The place below `limit` that integer input `i` names, from the front or back from `end`.
  func place(_ i: Int, below limit: Int, from end: Int) throws(ShapeError) -> Int {
    let list = try integers(i)
    guard list.count == 1 else { throw ShapeError("is not one integer", input: i) }
    let place = list[0] < 0 ? list[0] &+ end : list[0]
    guard place >= 0, place < limit else {
      throw ShapeError("position is out of range", input: i, expected: limit, found: list[0])
    }
    return place
  }
}
