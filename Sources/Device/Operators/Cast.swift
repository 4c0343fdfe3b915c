// The same values in another element type.
import CKernels
import Tensors

/// y = x as `type`: floats to integers truncate and saturate (NaN gives 0), integers to narrower ones
/// keep their low bits, anything to bool is x ≠ 0.
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
    switch (x.elementType, y.elementType) {
    case (.i64, .f32): map(x.elements(Int64.self), y.floats) { Float($0) }
    case (.i32, .f32): map(x.elements(Int32.self), y.floats) { Float($0) }
    case (.bool, .f32), (.u8, .f32): map(x.elements(UInt8.self), y.floats) { Float($0) }
    case (.f32, .i64):
      map(x.floats, y.elements(Int64.self)) { Cast.saturated(Double($0)) }
    case (.i32, .i64): map(x.elements(Int32.self), y.elements(Int64.self)) { Int64($0) }
    case (.i64, .i32):
      map(x.elements(Int64.self), y.elements(Int32.self)) { Int32(truncatingIfNeeded: $0) }
    default:
      if x.elementType.isFloatingPoint {
        for i in 0..<n { store(real(x, i), y, i) }
      } else if y.elementType.isFloatingPoint, x.elementType == .u64 {
        let words = x.elements(UInt64.self)
        for i in 0..<n { store(Double(words[i]), y, i) }
      } else {
        for i in 0..<n { store(Int64(x.integer(at: i)), y, i) }
      }
    }
  }

  private func map<A: BitwiseCopyable, B: BitwiseCopyable>(
    _ x: Elements<A>, _ y: Elements<B>, _ f: (A) -> B
  ) {
    for i in 0..<x.count { y[i] = f(x[i]) }
  }

  private func real(_ x: TensorView, _ i: Int) -> Double {
    switch x.elementType {
    case .f32: Double(x.floats[i])
    case .f16: Double(kn_f16_to_f32(x.elements(UInt16.self)[i]))
    case .bf16: Double(Float(bitPattern: UInt32(x.elements(UInt16.self)[i]) << 16))
    default: x.elements(Double.self)[i]
    }
  }

  private static func saturated<T: FixedWidthInteger>(_ v: Double) -> T {
    if v.isNaN { return 0 }
    // T.max may round up to a power of two that T does not hold: compare before converting.
    if v >= Double(T.max) { return T.max }
    return v <= Double(T.min) ? T.min : T(v)
  }

  private func store(_ v: Double, _ y: TensorView, _ i: Int) {
    switch y.elementType {
    case .f32: y.floats[i] = Float(v)
    case .f64: y.elements(Double.self)[i] = v
    case .f16: y.elements(UInt16.self)[i] = kn_f32_to_f16(Float(v))
    case .bf16: y.elements(UInt16.self)[i] = Cast.bf16(Float(v))
    case .i64: y.elements(Int64.self)[i] = Cast.saturated(v)
    case .u64: y.elements(UInt64.self)[i] = Cast.saturated(v)
    case .i32: y.elements(Int32.self)[i] = Cast.saturated(v)
    case .u32: y.elements(UInt32.self)[i] = Cast.saturated(v)
    case .i16: y.elements(Int16.self)[i] = Cast.saturated(v)
    case .u16: y.elements(UInt16.self)[i] = Cast.saturated(v)
    case .i8: y.elements(Int8.self)[i] = Cast.saturated(v)
    case .u8: y.elements(UInt8.self)[i] = Cast.saturated(v)
    case .bool: y.elements(UInt8.self)[i] = v != 0 ? 1 : 0
    }
  }

  private func store(_ v: Int64, _ y: TensorView, _ i: Int) {
    switch y.elementType {
    case .f32: y.floats[i] = Float(v)
    case .f64: y.elements(Double.self)[i] = Double(v)
    case .f16: y.elements(UInt16.self)[i] = kn_f32_to_f16(Float(v))
    case .bf16: y.elements(UInt16.self)[i] = Cast.bf16(Float(v))
    case .i64, .u64: y.elements(Int64.self)[i] = v
    case .i32, .u32: y.elements(Int32.self)[i] = Int32(truncatingIfNeeded: v)
    case .i16, .u16: y.elements(Int16.self)[i] = Int16(truncatingIfNeeded: v)
    case .i8, .u8: y.elements(Int8.self)[i] = Int8(truncatingIfNeeded: v)
    case .bool: y.elements(UInt8.self)[i] = v != 0 ? 1 : 0
    }
  }

  /// Round to nearest even; NaN stays NaN.
  static func bf16(_ x: Float) -> UInt16 {
    let bits = x.bitPattern
    if x.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
  }
}
