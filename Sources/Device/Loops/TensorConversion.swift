// Elements of a file into a program's input, converted where the types differ.
import Tensors

/// Copies tensors from files into inputs.
enum TensorConversion {
  /// Fills `target` with `count` elements of `type` at the start of `bytes`. Integers convert to
  /// whatever holds them, real numbers to real numbers; false where an element does not convert.
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
    for i in 0..<count {
      if target.elementType.isFloatingPoint {
        guard let x = unsafe real(base, type, i) else { return false }
        target.setNumber(x, at: i)
      } else {
        guard let x = unsafe integer(base, type, i), store(x, target, i) else { return false }
      }
    }
    return true
  }

  /// False for element types that are no real numbers.
  static func store(_ x: Double, _ target: TensorView, _ i: Int) -> Bool {
    guard target.elementType.isFloatingPoint else { return false }
    target.setNumber(x, at: i)
    return true
  }

  /// False where the element type does not hold `x`.
  static func store(_ x: Int64, _ target: TensorView, _ i: Int) -> Bool {
    func put<T: FixedWidthInteger & BitwiseCopyable>(
      _: T.Type, _ range: ClosedRange<Int64>? = nil
    ) -> Bool {
      guard let n = T(exactly: x), range?.contains(x) ?? true else { return false }
      target.elements(T.self)[i] = n
      return true
    }
    switch target.elementType {
    case .i64: return put(Int64.self)
    case .u64: return put(UInt64.self)
    case .i32: return put(Int32.self)
    case .u32: return put(UInt32.self)
    case .i16: return put(Int16.self)
    case .u16: return put(UInt16.self)
    case .i8: return put(Int8.self)
    case .u8: return put(UInt8.self)
    case .i4: return put(Int8.self, -8...7)
    case .u4: return put(UInt8.self, 0...15)
    case .i2: return put(Int8.self, -2...1)
    case .u2: return put(UInt8.self, 0...3)
    case .bool:
      target.elements(UInt8.self)[i] = x != 0 ? 1 : 0
      return true
    default: return false
    }
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
    case .i8, .i4, .i2: Int64(unsafe base.load(fromByteOffset: i, as: Int8.self))
    case .u8, .bool, .u4, .u2: Int64(unsafe base.load(fromByteOffset: i, as: UInt8.self))
    default: nil
    }
  }

  @unsafe private static func real(
    _ base: UnsafeRawPointer, _ type: ElementType, _ i: Int
  ) -> Double? {
    switch type {
    case .f64: return unsafe base.loadUnaligned(fromByteOffset: i * 8, as: Double.self)
    case .f32: return Double(unsafe base.loadUnaligned(fromByteOffset: i * 4, as: Float.self))
    case .bf16, .f16:
      let bits = unsafe base.loadUnaligned(fromByteOffset: i * 2, as: UInt16.self)
      return Double(type.number(bits))
    default:
      if type.isFloatingPoint {
        return Double(type.number(UInt16(unsafe base.load(fromByteOffset: i, as: UInt8.self))))
      }
      return unsafe integer(base, type, i).map { Double($0) }
    }
  }
}
