// Elements of a file into a program's input, converted where the types differ.
import Tensors

/// Copies tensors from files into inputs.
enum TensorConversion {
  /// Fills `target` with `count` elements of `type` at the start of `bytes`. Integers convert to any
  /// integer or f32, real numbers to f32; false where the pair is not taken.
  static func fill(
    _ target: TensorView, from bytes: UnsafeRawBufferPointer, _ type: ElementType
  ) -> Bool {
    let count = target.shape.elementCount
    guard bytes.count >= count * type.byteCount, target.encoding == nil else { return false }
    guard count > 0 else { return true }
    let base = bytes.baseAddress!
    if type == target.elementType {
      unsafe target.pointer.copyMemory(from: base, byteCount: count * type.byteCount)
      return true
    }
    switch target.elementType {
    case .f32:
      let out = target.floats
      for i in 0..<count {
        guard let x = unsafe real(base, type, i) else { return false }
        out[i] = x
      }
    case .i64:
      let out = target.elements(Int64.self)
      for i in 0..<count {
        guard let x = unsafe integer(base, type, i) else { return false }
        out[i] = x
      }
    case .i32:
      let out = target.elements(Int32.self)
      for i in 0..<count {
        guard let x = unsafe integer(base, type, i), let n = Int32(exactly: x) else { return false }
        out[i] = n
      }
    case .bool:
      let out = target.elements(UInt8.self)
      for i in 0..<count {
        guard let x = unsafe integer(base, type, i) else { return false }
        out[i] = x != 0 ? 1 : 0
      }
    default: return false
    }
    return true
  }

  @unsafe private static func integer(
    _ base: UnsafeRawPointer, _ type: ElementType, _ i: Int
  ) -> Int64? {
    switch type {
    case .i64: unsafe base.loadUnaligned(fromByteOffset: i * 8, as: Int64.self)
    case .u64:
      Int64(
        truncatingIfNeeded: unsafe base.loadUnaligned(fromByteOffset: i * 8, as: UInt64.self))
    case .i32: Int64(unsafe base.loadUnaligned(fromByteOffset: i * 4, as: Int32.self))
    case .u32: Int64(unsafe base.loadUnaligned(fromByteOffset: i * 4, as: UInt32.self))
    case .i16: Int64(unsafe base.loadUnaligned(fromByteOffset: i * 2, as: Int16.self))
    case .u16: Int64(unsafe base.loadUnaligned(fromByteOffset: i * 2, as: UInt16.self))
    case .i8: Int64(unsafe base.load(fromByteOffset: i, as: Int8.self))
    case .u8, .bool: Int64(unsafe base.load(fromByteOffset: i, as: UInt8.self))
    default: nil
    }
  }

  @unsafe private static func real(
    _ base: UnsafeRawPointer, _ type: ElementType, _ i: Int
  ) -> Float? {
    switch type {
    case .f64: return Float(unsafe base.loadUnaligned(fromByteOffset: i * 8, as: Double.self))
    case .f32: return unsafe base.loadUnaligned(fromByteOffset: i * 4, as: Float.self)
    case .bf16:
      let bits = unsafe base.loadUnaligned(fromByteOffset: i * 2, as: UInt16.self)
      return Float(bitPattern: UInt32(bits) << 16)
    case .f16:
      let bits = unsafe base.loadUnaligned(fromByteOffset: i * 2, as: UInt16.self)
      return half(bits)
    default: return unsafe integer(base, type, i).map { Float($0) }
    }
  }

  /// IEEE half to float, by its parts: not every device has `Float16`.
  private static func half(_ bits: UInt16) -> Float {
    let sign: Float = bits & 0x8000 != 0 ? -1 : 1
    let exponent = Int(bits >> 10) & 31
    let fraction = Float(bits & 0x3FF)
    switch exponent {
    case 0: return sign * fraction * 0x1p-24
    case 31: return fraction == 0 ? sign * .infinity : .nan
    default:
      return sign * (1 + fraction * 0x1p-10)
        * Float(sign: .plus, exponent: exponent - 15, significand: 1)
    }
  }
}
