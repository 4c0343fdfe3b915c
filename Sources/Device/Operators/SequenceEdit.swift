// A sequence with an item more, or one less.
import Tensors

/// inputs: a sequence, a tensor, and the place it comes to, one integer, by default the end → output:
/// the longer sequence.
public struct SequenceInsert: OperatorWithoutAttributes {
  public static var code: Int { 67 }
  public static var name: StaticString { "SequenceInsert" }

  public init() {}

  public func readsValue(ofInput i: Int) -> Bool { true }

  private func place(_ step: StepContext, _ count: Int) throws(ShapeError) -> Int {
    step.has(2) ? try step.place(2, below: count + 1, from: count) : count
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...3)
    try step.requirePlain(1)
    let sequence = try step.sequence(0)
    _ = try place(step, sequence.count)
    try step.setSequence(sequence.count + 1) { $0 < sequence.count ? sequence[$0] : step.input(1) }
  }

  public func run(_ step: StepContext) {
    guard let sequence = try? step.sequence(0), let place = try? place(step, sequence.count) else {
      return
    }
    SequenceView.copy(into: step.output(), sequence.count + 1) { i in
      i == place ? step.input(1) : sequence[i < place ? i : i - 1]
    }
  }
}

/// inputs: a sequence, and the place of an item, one integer, by default the last → output: the sequence
/// without it.
public struct SequenceErase: OperatorWithoutAttributes {
  public static var code: Int { 68 }
  public static var name: StaticString { "SequenceErase" }

  public init() {}

  public func readsValue(ofInput i: Int) -> Bool { true }

  private func place(_ step: StepContext, _ count: Int) throws(ShapeError) -> Int {
    guard count > 0 else { throw ShapeError("is empty", input: 0) }
    return step.has(1) ? try step.place(1, below: count, from: count) : count - 1
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...2)
    let sequence = try step.sequence(0)
    let place = try place(step, sequence.count)
    try step.setSequence(sequence.count - 1) { sequence[$0 < place ? $0 : $0 + 1] }
  }

  public func run(_ step: StepContext) {
    guard let sequence = try? step.sequence(0), let place = try? place(step, sequence.count) else {
      return
    }
    SequenceView.copy(into: step.output(), sequence.count - 1) {
      sequence[$0 < place ? $0 : $0 + 1]
    }
  }
}
