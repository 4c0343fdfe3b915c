// The same bits under another element type.
import Tensors

/// y = the bits of x, read as `type`, which is as wide.
///
/// input: any shape → output: the same shape. Types of 4 and 2 bits are as wide as each other, though
/// each of their elements takes a byte.
public struct BitCast: OperatorDefinition {
  public static var code: Int { 80 }
  public static var name: StaticString { "BitCast" }

  public var type: ElementType

  public init(to type: ElementType) { self.type = type }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let type = ElementType(rawValue: UInt8(try attributes.integer(in: 0...255))) else {
      throw attributes.fail("unknown element type")
    }
    self.type = type
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(Int(type.rawValue))
  }

  public var aliasing: Aliasing { .inPlace }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.requirePlain(0)
    let x = step.input(0)
    guard x.elementType.isNumber, type.isNumber else {
      throw ShapeError("element type is not taken here", input: 0)
    }
    guard x.elementType.packedBitCount == type.packedBitCount else {
      throw ShapeError(
        "element types differ in width", input: 0, expected: type.packedBitCount,
        found: x.elementType.packedBitCount)
    }
    step.setOutput(0, type, x.shape)
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { type }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output()
    let n = x.shape.elementCount
    switch type {
    case .i4, .i2, .u4, .u2, .f4e2m1:
      let from = x.elements(UInt8.self)
      let to = y.elements(UInt8.self)
      for i in 0..<n { to[i] = widened(from[i]) }
    case .bool:
      let from = x.elements(UInt8.self)
      let to = y.elements(UInt8.self)
      for i in 0..<n { to[i] = from[i] == 0 ? 0 : 1 }
    default:
      guard n > 0, !step.sharesMemory(withInput: 0) else { return }
      unsafe y.pointer.copyMemory(from: x.pointer, byteCount: n * type.byteCount)
    }
  }

  /// A byte that holds the low bits as elements of `type` are held: signed ones extended.
  private func widened(_ byte: UInt8) -> UInt8 {
    switch type {
    case .i4: UInt8(bitPattern: Int8(bitPattern: byte << 4) >> 4)
    case .i2: UInt8(bitPattern: Int8(bitPattern: byte << 6) >> 6)
    case .u2: byte & 3
    default: byte & 15
    }
  }
}
