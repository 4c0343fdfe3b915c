// Where a tensor is not zero.
import Tensors

/// The places of the elements that are not 0, in row-major order; −0 is 0, NaN is not.
///
/// input: any tensor, but for real numbers of 8 bits and less → output: i64 [axes, places], a column of indices for each place.
public struct NonZero: OperatorWithoutAttributes {
  public static var code: Int { 60 }
  public static var name: StaticString { "NonZero" }

  public init() {}

  public func readsValue(ofInput i: Int) -> Bool { true }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { .i64 }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.requirePlain(0)
    let x = step.input(0)
    guard x.elementType.isNumber, !x.elementType.isFloatingPoint || x.elementType.byteCount > 1
    else {
      throw ShapeError("element type is not taken here", input: 0)
    }
    guard x.hasValue else { throw ShapeError("must be known", input: 0) }
    var count = 0
    NonZero.forEach(x) { _ in count += 1 }
    step.setOutput(0, .i64, Shape([x.shape.rank, count]))
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output().elements(Int64.self)
    let count = step.output().shape[1]
    let shape = x.shape
    var column = 0
    NonZero.forEach(x) { i in
      var rest = i
      var axis = shape.rank - 1
      while axis >= 0 {
        y[axis * count + column] = Int64(rest % shape[axis])
        rest /= shape[axis]
        axis -= 1
      }
      column += 1
    }
  }

  private static func forEach(_ x: TensorView, _ body: (Int) -> Void) {
    // Without its sign bit a real number that is 0 has no bit set.
    let isReal = x.elementType.isFloatingPoint
    switch x.elementType.byteCount {
    case 1: forEach(x.elements(UInt8.self), UInt8.max, body)
    case 2: forEach(x.elements(UInt16.self), isReal ? UInt16.max >> 1 : .max, body)
    case 4: forEach(x.elements(UInt32.self), isReal ? UInt32.max >> 1 : .max, body)
    default: forEach(x.elements(UInt64.self), isReal ? UInt64.max >> 1 : .max, body)
    }
  }

  private static func forEach<T: FixedWidthInteger & BitwiseCopyable>(
    _ x: Elements<T>, _ mask: T, _ body: (Int) -> Void
  ) {
    for i in 0..<x.count where x[i] & mask != 0 { body(i) }
  }
}
