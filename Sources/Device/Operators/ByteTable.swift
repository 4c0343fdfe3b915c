// Any function of one byte, as a table of its 256 values.
import Tensors

/// y[i] = table[x[i]]: every function of one 8-bit integer, with the scales of both sides in it.
///
/// inputs: x i8 or u8, any shape; table [256] of f32, i8, u8 or i16, its element k for the byte k
/// (so −1 looks up element 255) → output: the table's type, x's shape.
public struct ByteTable: OperatorWithoutAttributes {
  public static var code: Int { 106 }
  public static var name: StaticString { "ByteTable" }

  public init() {}

  public var aliasing: Aliasing { .inPlace }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...2)
    try step.requirePlain(0)
    try step.requirePlain(1)
    try step.require(0, is: .i8, .u8)
    try step.require(1, is: .f32, .i8, .u8, .i16)
    let table = step.input(1).shape
    guard table.rank == 1, table[0] == 256 else {
      throw ShapeError("a table has 256 elements", input: 1, expected: 256)
    }
    step.setOutput(0, step.input(1).elementType, step.input(0).shape)
  }

  public func run(_ step: StepContext) {
    let (x, y) = (step.input(0), step.output())
    switch y.elementType {
    case .f32: map(x, step.input(1).floats, y.floats)
    case .i16: map(x, step.input(1).elements(Int16.self), y.elements(Int16.self))
    default: map(x, step.input(1).elements(UInt8.self), y.elements(UInt8.self))
    }
  }

  private func map<T: BitwiseCopyable>(_ x: TensorView, _ table: Elements<T>, _ y: Elements<T>) {
    let n = y.count
    let bytes = unsafe x.elements(UInt8.self).pointer(0, count: n)
    let values = unsafe table.pointer(0, count: 256)
    let out = unsafe y.pointer(0, count: n)
    for i in 0..<n { unsafe out[i] = unsafe values[Int(bytes[i])] }
  }
}
