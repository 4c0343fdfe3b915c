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

  /// Bytes one element takes.
  public var byteCount: Int {
    switch self {
    case .i8, .u8, .bool: 1
    case .f16, .bf16, .i16, .u16: 2
    case .f32, .i32, .u32: 4
    case .f64, .i64, .u64: 8
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
    }
  }

  /// True for the types that hold real numbers.
  public var isFloatingPoint: Bool {
    switch self {
    case .f32, .f16, .bf16, .f64: true
    default: false
    }
  }
}
