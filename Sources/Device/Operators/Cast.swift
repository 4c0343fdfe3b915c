// The same values in another element type.
import CKernels
import Tensors

/// y = x as `type`: floats to integers truncate and saturate (NaN gives 0), anything to bool is x ≠ 0.
///
/// input: any shape → output: the same shape.
public struct Cast: OperatorDefinition {
  public static var code: Int { 4 }
  public static var name: StaticString { "Cast" }

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

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.requirePlain(0)
    step.setOutput(0, type, step.input(0).shape)
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output()
    let n = x.shape.elementCount
    if x.elementType == y.elementType {
      let bytes = n * x.elementType.byteCount
      unsafe y.pointer.copyMemory(from: x.pointer, byteCount: bytes)
      return
    }
    for i in 0..<n { store(load(x, i), y, i) }
  }

  /// A number on its way: integers keep all 64 bits.
  private enum Number {
    case integer(Int64)
    case real(Double)
  }

  private func load(_ x: TensorView, _ i: Int) -> Number {
    switch x.elementType {
    case .f32: .real(Double(x.elements(Float.self)[i]))
    case .f64: .real(x.elements(Double.self)[i])
    case .f16: .real(Double(kn_f16_to_f32(x.elements(UInt16.self)[i])))
    case .bf16: .real(Double(Float(bitPattern: UInt32(x.elements(UInt16.self)[i]) << 16)))
    default: .integer(Int64(x.integer(at: i)))
    }
  }

  private func store(_ value: Number, _ y: TensorView, _ i: Int) {
    let real: Double
    let whole: Int64
    switch value {
    case .integer(let v):
      real = Double(v)
      whole = v
    case .real(let v):
      real = v
      whole = v.isNaN ? 0 : v >= 0x1p63 ? Int64.max : v <= -0x1p63 ? Int64.min : Int64(v)
    }
    switch y.elementType {
    case .f32: y.elements(Float.self)[i] = Float(real)
    case .f64: y.elements(Double.self)[i] = real
    case .f16: y.elements(UInt16.self)[i] = kn_f32_to_f16(Float(real))
    case .bf16: y.elements(UInt16.self)[i] = Cast.bf16(Float(real))
    case .i64: y.elements(Int64.self)[i] = whole
    case .u64: y.elements(UInt64.self)[i] = UInt64(truncatingIfNeeded: whole)
    case .i32: y.elements(Int32.self)[i] = Int32(clamping: whole)
    case .u32: y.elements(UInt32.self)[i] = UInt32(clamping: whole)
    case .i16: y.elements(Int16.self)[i] = Int16(clamping: whole)
    case .u16: y.elements(UInt16.self)[i] = UInt16(clamping: whole)
    case .i8: y.elements(Int8.self)[i] = Int8(clamping: whole)
    case .u8: y.elements(UInt8.self)[i] = UInt8(clamping: whole)
    case .bool: y.elements(UInt8.self)[i] = real != 0 ? 1 : 0
    }
  }

  /// Round to nearest even; NaN stays NaN.
  static func bf16(_ x: Float) -> UInt16 {
    let bits = x.bitPattern
    if x.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
  }
}
