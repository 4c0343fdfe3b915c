// Texts joined, and texts compared, element by element.
import Tensors

/// inputs: two string tensors that broadcast to one another → output: each element of the first with
/// that of the second behind it.
public struct StringConcat: OperatorWithoutAttributes {
  public static var code: Int { 140 }
  public static var name: StaticString { "StringConcat" }

  public init() {}

  public func prepare(_ step: StepContext) throws(ShapeError) {
    step.setOutput(0, .string, try step.textPairs())
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { .string }

  public func run(_ step: StepContext) {
    let (a, b, y) = (step.input(0), step.input(1), step.output())
    let (left, right, joined) = (a.texts, b.texts, y.texts)
    let pool = step.compute.texts
    let plan = Broadcast(a.shape, b.shape, to: y.shape)
    plan.forEachRun { i, j, o in
      for k in 0..<plan.run {
        let (first, second) = (left[i + k * plan.stepA], right[j + k * plan.stepB])
        // What is joined with nothing stays where it is.
        if second.count == 0 || first.count == 0 {
          joined[o + k] = second.count == 0 ? first : second
          continue
        }
        let start = pool.end
        pool.append(pool.range(first))
        pool.append(pool.range(second))
        joined[o + k] = pool.text(from: start)
      }
    }
  }
}

/// inputs: two string tensors that broadcast to one another → output: bool, true where both have the
/// same bytes.
public struct StringEqual: OperatorWithoutAttributes {
  public static var code: Int { 141 }
  public static var name: StaticString { "StringEqual" }

  public init() {}

  public func prepare(_ step: StepContext) throws(ShapeError) {
    step.setOutput(0, .bool, try step.textPairs())
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { .bool }

  public func run(_ step: StepContext) {
    let (a, b, y) = (step.input(0), step.input(1), step.output())
    let (left, right, equal) = (a.texts, b.texts, y.elements(UInt8.self))
    let pool = step.compute.texts
    let plan = Broadcast(a.shape, b.shape, to: y.shape)
    plan.forEachRun { i, j, o in
      for k in 0..<plan.run {
        equal[o + k] =
          pool.areEqual(left[i + k * plan.stepA], right[j + k * plan.stepB]) ? 1 : 0
      }
    }
  }
}

extension StepContext {
  /// Input `i` must hold texts.
  func requireTexts(_ i: Int) throws(ShapeError) {
    try require(i, is: .string)
    try requirePlain(i)
  }

  /// Input `i` must be known before the run.
  func requireKnown(_ i: Int) throws(ShapeError) {
    guard input(i).hasValue else {
      throw ShapeError("must not depend on the data that runs through the model", input: i)
    }
  }

  /// The shape that two string inputs broadcast to.
  fileprivate func textPairs() throws(ShapeError) -> Shape {
    try require(inputs: 2...2)
    try requireTexts(0)
    try requireTexts(1)
    guard let shape = Shape.broadcast(input(0).shape, input(1).shape),
      shape.checkedElementCount != nil
    else { throw ShapeError("shapes do not broadcast") }
    return shape
  }
}
