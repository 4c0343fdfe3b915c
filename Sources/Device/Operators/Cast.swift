// The same values in another element type.
import CKernels
import Tensors

/// y = x as `type`: reals to integers truncate and saturate (NaN gives 0), integers to narrower ones
/// keep their low bits, as do reals to integers of less than a byte; anything to bool is x ≠ 0.
///
/// input: any shape → output: the same shape. `saturates` is about numbers too large for an 8-bit real
/// type, `rounding` about powers of two (f8e8m0).
public struct Cast: OperatorDefinition {
  public static var code: Int { 4 }
  public static var name: StaticString { "Cast" }

  public var type: ElementType
  public var saturates: Bool
  public var rounding: PowerRounding

  public init(to type: ElementType, saturates: Bool = true, rounding: PowerRounding = .up) {
    self.type = type
    self.saturates = saturates
    self.rounding = rounding
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let type = ElementType(rawValue: UInt8(try attributes.integer(in: 0...255))) else {
      throw attributes.fail("unknown element type")
    }
    self.type = type
    saturates = try attributes.bool()
    guard let rounding = PowerRounding(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown rounding")
    }
    self.rounding = rounding
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(Int(type.rawValue))
    attributes.put(saturates)
    attributes.put(rounding.rawValue)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.requirePlain(0)
    guard type == step.input(0).elementType || (type.isNumber && step.input(0).elementType.isNumber)
    else { throw ShapeError("there are no numbers in texts and sequences", input: 0) }
    step.setOutput(0, type, step.input(0).shape)
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { type }

  public func run(_ step: StepContext) { convert(step.input(0), to: step.output()) }

  /// Writes x's elements into y, which has as many elements of `type`.
  public func convert(_ x: TensorView, to y: TensorView) {
    let n = x.shape.elementCount
    guard n > 0 else { return }
    if x.elementType == y.elementType {
      let bytes = n * x.elementType.byteCount
      unsafe y.pointer.copyMemory(from: x.pointer, byteCount: bytes)
      return
    }
    switch (x.elementType, y.elementType) {
    case (.i64, .f32): map(x.elements(Int64.self), y.floats) { Float($0) }
    case (.i32, .f32): map(x.elements(Int32.self), y.floats) { Float($0) }
    case (.bool, .f32), (.u8, .f32): map(x.elements(UInt8.self), y.floats) { Float($0) }
    case (.i8, .f32): map(x.elements(Int8.self), y.floats) { Float($0) }
    case (.f16, .f32): map(x.elements(UInt16.self), y.floats) { kn_f16_to_f32($0) }
    case (.f32, .f16): map(x.floats, y.elements(UInt16.self)) { kn_f32_to_f16($0) }
    case (.bf16, .f32):
      map(x.elements(UInt16.self), y.floats) { Float(bitPattern: UInt32($0) << 16) }
    case (.f32, .bf16): map(x.floats, y.elements(UInt16.self)) { Cast.bf16($0) }
    case (.f64, .f32): map(x.elements(Double.self), y.floats) { Float($0) }
    case (.f32, .f64): map(x.floats, y.elements(Double.self)) { Double($0) }
    case (.f32, .i64):
      map(x.floats, y.elements(Int64.self)) { Cast.saturated(Double($0)) }
    case (.f32, .i32): map(x.floats, y.elements(Int32.self)) { Cast.saturated(Double($0)) }
    case (.f32, .i8): map(x.floats, y.elements(Int8.self)) { Cast.saturated(Double($0)) }
    case (.f32, .u8): map(x.floats, y.elements(UInt8.self)) { Cast.saturated(Double($0)) }
    case (.u8, .i32): map(x.elements(UInt8.self), y.elements(Int32.self)) { Int32($0) }
    case (.i8, .i32): map(x.elements(Int8.self), y.elements(Int32.self)) { Int32($0) }
    case (.u8, .i64): map(x.elements(UInt8.self), y.elements(Int64.self)) { Int64($0) }
    case (.i8, .i64): map(x.elements(Int8.self), y.elements(Int64.self)) { Int64($0) }
    case (.i32, .i64): map(x.elements(Int32.self), y.elements(Int64.self)) { Int64($0) }
    case (.i64, .i32):
      map(x.elements(Int64.self), y.elements(Int32.self)) { Int32(truncatingIfNeeded: $0) }
    default:
      if x.elementType.isFloatingPoint {
        for i in 0..<n { store(Cast.real(x, i), y, i) }
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
    let from = unsafe x.pointer(0, count: x.count)
    let to = unsafe y.pointer(0, count: x.count)
    for i in 0..<x.count { unsafe to[i] = f(from[i]) }
  }

  static func real(_ x: TensorView, _ i: Int) -> Double {
    switch x.elementType {
    case .f32: Double(x.floats[i])
    case .f64: x.elements(Double.self)[i]
    case .f16, .bf16: Double(x.elementType.number(x.elements(UInt16.self)[i]))
    default: Double(x.elementType.number(UInt16(x.elements(UInt8.self)[i])))
    }
  }

  private static func saturated<T: FixedWidthInteger>(_ v: Double) -> T {
    if v.isNaN { return 0 }
    // T.max may round up to a power of two that T does not hold: compare before converting.
    if v >= Double(T.max) { return T.max }
    return v <= Double(T.min) ? T.min : T(v)
  }

  /// Stores a number as Cast does.
  func store(_ v: Double, _ y: TensorView, _ i: Int) {
    switch y.elementType {
    case .f32: y.floats[i] = Float(v)
    case .f64: y.elements(Double.self)[i] = v
    case .f16, .bf16: y.elements(UInt16.self)[i] = y.elementType.bits(v)
    case .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1:
      y.elements(UInt8.self)[i] = UInt8(
        y.elementType.bits(v, saturates: saturates, rounding: rounding))
    case .i64: y.elements(Int64.self)[i] = Cast.saturated(v)
    case .u64: y.elements(UInt64.self)[i] = Cast.saturated(v)
    case .i32: y.elements(Int32.self)[i] = Cast.saturated(v)
    case .u32: y.elements(UInt32.self)[i] = Cast.saturated(v)
    case .i16: y.elements(Int16.self)[i] = Cast.saturated(v)
    case .u16: y.elements(UInt16.self)[i] = Cast.saturated(v)
    case .i8: y.elements(Int8.self)[i] = Cast.saturated(v)
    case .u8: y.elements(UInt8.self)[i] = Cast.saturated(v)
    case .i4, .u4, .i2, .u2: store(Cast.saturated(v) as Int64, y, i)
    case .bool: y.elements(UInt8.self)[i] = v != 0 ? 1 : 0
    case .sequence, .string: break
    }
  }

  func store(_ v: Int64, _ y: TensorView, _ i: Int) {
    switch y.elementType {
    case .i64, .u64: y.elements(Int64.self)[i] = v
    case .i32, .u32: y.elements(Int32.self)[i] = Int32(truncatingIfNeeded: v)
    case .i16, .u16: y.elements(Int16.self)[i] = Int16(truncatingIfNeeded: v)
    case .i8, .u8: y.elements(Int8.self)[i] = Int8(truncatingIfNeeded: v)
    case .i4: y.elements(Int8.self)[i] = Int8(truncatingIfNeeded: (v << 60) >> 60)
    case .i2: y.elements(Int8.self)[i] = Int8(truncatingIfNeeded: (v << 62) >> 62)
    case .u4: y.elements(UInt8.self)[i] = UInt8(v & 15)
    case .u2: y.elements(UInt8.self)[i] = UInt8(v & 3)
    case .bool: y.elements(UInt8.self)[i] = v != 0 ? 1 : 0
    case .sequence, .string: break
    default:
      if y.elementType == .f32 {
        y.floats[i] = Float(v)
      } else {
        store(Double(v), y, i)
      }
    }
  }

  /// Round to nearest even; NaN stays NaN.
  static func bf16(_ x: Float) -> UInt16 {
    let bits = x.bitPattern
    if x.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
  }
}
