// Texts that are, from end to end, what a regular expression describes.
import Tensors

/// inputs: texts; the program of an expression, i32 [words], see `RegexMachine` → output: bool, true where
/// the expression describes the whole text.
public struct RegexMatch: OperatorWithoutAttributes {
  public static var code: Int { 143 }
  public static var name: StaticString { "RegexMatch" }

  /// Programs of more instructions are refused.
  public static var maximumInstructions: Int { 1 << 16 }

  public init() {}

  public func readsValue(ofInput i: Int) -> Bool { i == 1 }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...2)
    try step.requireTexts(0)
    try RegexMachine.check(step, 1)
    step.setOutput(0, .bool, step.input(0).shape)
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { .bool }

  public func scratchBytes(_ step: StepContext) -> Int {
    RegexMachine.scratchBytes(step.input(1))
  }

  public func run(_ step: StepContext) {
    let (texts, y) = (step.input(0).texts, step.output().elements(UInt8.self))
    let machine = RegexMachine(step, 1)
    for i in texts.indices { y[i] = machine.matches(texts[i]) ? 1 : 0 }
  }
}
