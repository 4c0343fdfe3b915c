// A program run again and again over what it gave the time before.
import Tensors

/// Runs a body of the program, which the session does, while a count lasts and a condition holds (ONNX
/// Loop).
///
/// inputs: the count, one i64, and the condition, one bool, both optional; the first values that are
/// carried from run to run; whatever else the body takes → outputs: the carried values after the last
/// run; what each run gave, put behind one another along a new first axis.
///
/// The body takes the number of the run (i64, from 0), the condition, the carried values and the rest,
/// and gives the next condition, the next carried values, and what is to be collected. Carried values
/// may change their shapes, collected ones may not.
public struct Loop: OperatorDefinition {
  public static var code: Int { 65 }
  public static var name: StaticString { "Loop" }

  public var body: Int
  /// How many values are carried, and how many collected.
  public var carriedCount: Int
  public var collectedCount: Int

  public init(body: Int, carriedCount: Int, collectedCount: Int) {
    self.body = body
    self.carriedCount = carriedCount
    self.collectedCount = collectedCount
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    body = try attributes.integer(in: 0...1 << 16)
    carriedCount = try attributes.integer(in: 0...1 << 16)
    collectedCount = try attributes.integer(in: 0...1 << 16)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(body)
    attributes.put(carriedCount)
    attributes.put(collectedCount)
  }

  public var bodies: IntegerList { IntegerList([body]) }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    throw ShapeError("can only be done by a session")
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? {
    i < carriedCount && i + 2 < inputs.count ? inputs[i + 2] : nil
  }

  public func run(_ step: StepContext) {}
}

extension Operator {
  /// True when a body of so many inputs and outputs is one for a step of so many.
  public func fits(inputs: Int, outputs: Int, bodyInputs: Int, bodyOutputs: Int) -> Bool {
    switch self {
    case .branch: return inputs == bodyInputs + 1 && outputs == bodyOutputs
    case .loop(let op):
      return inputs == bodyInputs && inputs >= 2 + op.carriedCount
        && outputs == op.carriedCount + op.collectedCount && bodyOutputs == outputs + 1
    default: return false
    }
  }
}
