// What is in a sequence or an optional, and how much.
import Tensors

/// inputs: a sequence, and the place of an item, one integer → output: the item.
public struct SequenceAt: OperatorWithoutAttributes {
  public static var code: Int { 69 }
  public static var name: StaticString { "SequenceAt" }

  public init() {}

  public func readsValue(ofInput i: Int) -> Bool { true }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { nil }

  private func item(_ step: StepContext) throws(ShapeError) -> TensorView {
    let sequence = try step.sequence(0)
    return sequence[try step.place(1, below: sequence.count, from: sequence.count)]
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...2)
    let item = try item(step)
    step.setOutput(0, item.elementType, item.shape)
  }

  public func run(_ step: StepContext) {
    guard let item = try? item(step) else { return }
    step.output().copyElements(of: item)
  }
}

/// input: a sequence → output: the number of its items, one i64.
public struct SequenceLength: OperatorWithoutAttributes {
  public static var code: Int { 70 }
  public static var name: StaticString { "SequenceLength" }

  public init() {}

  public func readsValue(ofInput i: Int) -> Bool { true }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { .i64 }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    _ = try step.sequence(0)
    step.setOutput(0, .i64, Shape())
  }

  public func run(_ step: StepContext) {
    step.output().elements(Int64.self)[0] = Int64((try? step.sequence(0))?.count ?? 0)
  }
}

/// input: anything, or nothing → output: one bool: false for nothing and for an optional without an item.
public struct OptionalHasElement: OperatorWithoutAttributes {
  public static var code: Int { 71 }
  public static var name: StaticString { "OptionalHasElement" }

  public init() {}

  public func readsValue(ofInput i: Int) -> Bool { true }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { .bool }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 0...1)
    if step.has(0), step.input(0).elementType == .sequence { _ = try step.sequence(0) }
    step.setOutput(0, .bool, Shape())
  }

  public func run(_ step: StepContext) {
    var holds = step.has(0)
    if holds, let sequence = SequenceView(step.input(0)) {
      holds = !sequence.isOptional || sequence.count > 0
    }
    step.output().elements(UInt8.self)[0] = holds ? 1 : 0
  }
}

/// input: an optional that has an item, or anything else → output: the item, or what was given.
public struct OptionalGetElement: OperatorWithoutAttributes {
  public static var code: Int { 72 }
  public static var name: StaticString { "OptionalGetElement" }

  public init() {}

  public func readsValue(ofInput i: Int) -> Bool { true }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? {
    inputs.first == .sequence ? nil : inputs.first ?? nil
  }

  private func item(_ step: StepContext) throws(ShapeError) -> TensorView {
    guard step.input(0).elementType == .sequence else { return step.input(0) }
    let sequence = try step.sequence(0)
    guard sequence.isOptional else { return step.input(0) }
    guard sequence.count > 0 else { throw ShapeError("the optional is empty", input: 0) }
    return sequence[0]
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.requirePlain(0)
    let item = try item(step)
    step.setOutput(0, item.elementType, item.shape)
  }

  public func run(_ step: StepContext) {
    guard let item = try? item(step) else { return }
    step.output().copyElements(of: item)
  }
}
