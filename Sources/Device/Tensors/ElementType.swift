// What one element of a tensor is.

/// The type of one tensor element. Raw values are part of the bundle format.
public enum ElementType: UInt8, Sendable, CaseIterable {
  case f32 = 1
  case f16 = 2
  case bf16 = 3
  case f64 = 4
  case i8 = 5
  case u8 = 6
  case i16 = 7
  case u16 = 8
  case i32 = 9
  case u32 = 10
  case i64 = 11
  case u64 = 12
  case bool = 13
  /// Real numbers of eight bits and fewer; `RealFormat` says what their bits mean.
  case f8e4m3fn = 14
  case f8e4m3fnuz = 15
  case f8e5m2 = 16
  case f8e5m2fnuz = 17
  case f8e8m0 = 18
  case f4e2m1 = 19
  /// Integers of four and two bits. Like `f4e2m1` each takes a whole byte here, sign-extended.
  case i4 = 20
  case u4 = 21
  case i2 = 22
  case u2 = 23
  /// Where a text is in its program's pool, see `TextReference`.
  case string = 24
  /// A byte of a sequence of tensors, see `SequenceView`.
  case sequence = 31

  /// Bytes one element takes.
  public var byteCount: Int {
    switch self {
    case .i8, .u8, .bool, .i4, .u4, .i2, .u2, .sequence: 1
    case .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1: 1
    case .f16, .bf16, .i16, .u16: 2
    case .f32, .i32, .u32: 4
    case .f64, .i64, .u64, .string: 8
    }
  }

  /// The name people read: `f32`, `i64`, …
  public var name: String {
    switch self {
    case .f32: "f32"
    case .f16: "f16"
    case .bf16: "bf16"
    case .f64: "f64"
    case .i8: "i8"
    case .u8: "u8"
    case .i16: "i16"
    case .u16: "u16"
    case .i32: "i32"
    case .u32: "u32"
    case .i64: "i64"
    case .u64: "u64"
    case .bool: "bool"
    case .f8e4m3fn: "f8e4m3fn"
    case .f8e4m3fnuz: "f8e4m3fnuz"
    case .f8e5m2: "f8e5m2"
    case .f8e5m2fnuz: "f8e5m2fnuz"
    case .f8e8m0: "f8e8m0"
    case .f4e2m1: "f4e2m1"
    case .i4: "i4"
    case .u4: "u4"
    case .i2: "i2"
    case .u2: "u2"
    case .string: "string"
    case .sequence: "sequence"
    }
  }

  /// True for the types that hold real numbers.
  public var isFloatingPoint: Bool {
    switch self {
    case .f32, .f16, .bf16, .f64: true
    case .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1: true
    default: false
    }
  }

  /// Bits one element has where files pack them: 2 or 4 for the types that share bytes there.
  public var packedBitCount: Int {
    switch self {
    case .i2, .u2: 2
    case .i4, .u4, .f4e2m1: 4
    default: 8 * byteCount
    }
  }

  /// False for texts and sequences, with which there is no arithmetic.
  public var isNumber: Bool { self != .sequence && self != .string }
}
