// One of two programs, chosen by data.
import Tensors

/// Runs one of two bodies of the program, which the session does: both take the same inputs and give
/// as many outputs.
///
/// inputs: the condition, one bool; whatever the bodies take → outputs: what the chosen body gives.
public struct Branch: OperatorDefinition {
  public static var code: Int { 64 }
  public static var name: StaticString { "If" }

  /// Numbers of the bodies for true and for false.
  public var thenBody: Int
  public var elseBody: Int

  public init(thenBody: Int, elseBody: Int) {
    self.thenBody = thenBody
    self.elseBody = elseBody
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    thenBody = try attributes.integer(in: 0...1 << 16)
    elseBody = try attributes.integer(in: 0...1 << 16)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(thenBody)
    attributes.put(elseBody)
  }

  public var bodies: IntegerList { IntegerList([thenBody, elseBody]) }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    throw ShapeError("can only be done by a session")
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { nil }

  public func run(_ step: StepContext) {}
}
