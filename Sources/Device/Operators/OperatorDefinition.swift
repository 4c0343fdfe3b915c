// What every operator is: attributes, a shape rule, a scratch size and arithmetic.
import Tensors

/// Whether output 0 may stand where an input stands.
public enum Aliasing: Sendable {
  /// The output needs memory of its own.
  case none
  /// The output has the input's bytes unchanged: it is the input under another shape.
  case view
  /// Output 0 may overwrite input 0 where it takes as many bytes.
  case inPlace
  /// Output 0 may overwrite any input that takes as many bytes: each element is read before the one
  /// of the same place is written, and never again.
  case inPlaceOfAny
}

/// One operator of the program's opset. Importing, shape inference, constant folding and the device
/// all use the same four functions.
public protocol OperatorDefinition: Sendable, Equatable {
  /// The operator's number in a bundle; never reused.
  static var code: Int { get }
  static var name: StaticString { get }

  init(from attributes: inout AttributeReader) throws(AttributeError)
  func encode(into attributes: inout AttributeWriter)

  /// The shape rule: checks inputs and sets every output's element type and shape.
  func prepare(_ step: StepContext) throws(ShapeError)

  /// Bytes of scratch that `run` uses for these shapes; called after `prepare`.
  func scratchBytes(_ step: StepContext) -> Int

  /// The arithmetic. Trusts what `prepare` checked; neither allocates nor throws.
  func run(_ step: StepContext)

  /// Whether output 0 may share memory with an input.
  var aliasing: Aliasing { get }

  /// Multiply-accumulates of the step, for the cost model and the per-step profile.
  func multiplyAccumulates(_ step: StepContext) -> Int

  /// True when the values of the outputs follow from the inputs' shapes alone.
  var dependsOnShapesOnly: Bool { get }

  /// True when `prepare` reads the elements of input `i`, not just its shape. Where these are not
  /// known before the run, the step is prepared in the run, as soon as they are.
  func readsValue(ofInput i: Int) -> Bool

  /// The element type of output `i` where it follows from the inputs' types alone; for hosts that
  /// look at graphs whose shapes are not known.
  func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType?

  /// The programs inside of the program that the step runs, by number. A session runs such steps.
  var bodies: IntegerList { get }
}

extension OperatorDefinition {
  public func scratchBytes(_ step: StepContext) -> Int { 0 }
  public var aliasing: Aliasing { .none }
  public func multiplyAccumulates(_ step: StepContext) -> Int { 0 }
  public var dependsOnShapesOnly: Bool { false }
  public func readsValue(ofInput i: Int) -> Bool { false }
  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? {
    inputs.first ?? nil
  }
  public var bodies: IntegerList { IntegerList() }
}

/// An operator that nothing but its inputs decides.
public protocol OperatorWithoutAttributes: OperatorDefinition {
  init()
}

extension OperatorWithoutAttributes {
  public init(from attributes: inout AttributeReader) throws(AttributeError) { self.init() }
  public func encode(into attributes: inout AttributeWriter) {}
}

extension Int {
  /// The product, or the largest integer where it overflows; for counts of work, which no bound keeps
  /// small.
  func saturatingProduct(_ other: Int) -> Int {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? Int.max : product
  }
}
