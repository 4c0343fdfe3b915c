// A borrowed look at a tensor: where its bytes are, what they mean, how many there are.

/// Bounds-checked access to consecutive elements.
@safe public struct Elements<T: BitwiseCopyable> {
  @usableFromInline let base: UnsafeMutablePointer<T>
  public let count: Int

  /// `base` must hold `count` elements for as long as the view is used.
  @inlinable @unsafe public init(base: UnsafeMutablePointer<T>, count: Int) {
    unsafe self.base = unsafe base
    self.count = count
  }

  @inlinable public var indices: Range<Int> { 0..<count }

  @inlinable public subscript(i: Int) -> T {
    get {
      precondition(i >= 0 && i < count)
      return unsafe base[i]
    }
    nonmutating set {
      precondition(i >= 0 && i < count)
      unsafe base[i] = newValue
    }
  }

  /// For kernels: `count` elements from `offset` on are checked to exist.
  @inlinable public func pointer(_ offset: Int = 0, count needed: Int = 0) -> UnsafeMutablePointer<
    T
  > {
    precondition(offset >= 0 && needed >= 0 && offset <= count && needed <= count - offset)
    return unsafe base + offset
  }

  /// Sets every element.
  @inlinable public func fill(_ value: T) {
    for i in 0..<count { unsafe base[i] = value }
  }

  /// Copies `count` elements of `source` from `from` to `to`; the ranges may overlap.
  @inlinable public func copy(from source: Elements<T>, at from: Int, to: Int, count n: Int) {
    unsafe pointer(to, count: n).update(from: source.pointer(from, count: n), count: n)
  }
}

/// A tensor's place and meaning. It owns nothing: the arena, the bundle or the caller does.
@safe public struct TensorView {
  /// First byte; nil while a program is being prepared and the value is not yet known.
  @unsafe public var base: UnsafeMutableRawPointer?
  /// Bytes readable from `base`.
  public var byteCount: Int
  /// What the elements stand for; `.f32` for every quantized weight.
  public var elementType: ElementType
  /// How a weight is stored; nil for plain elements of `elementType` in row-major order.
  public var encoding: WeightEncoding?
  public var shape: Shape

  public init(elementType: ElementType, shape: Shape) {
    unsafe base = nil
    byteCount = 0
    self.elementType = elementType
    encoding = nil
    self.shape = shape
  }

  @unsafe public init(
    base: UnsafeMutableRawPointer?, byteCount: Int, elementType: ElementType, shape: Shape,
    encoding: WeightEncoding? = nil
  ) {
    unsafe self.base = unsafe base
    self.byteCount = byteCount
    self.elementType = elementType
    self.encoding = encoding
    self.shape = shape
  }

  /// True once the bytes are there.
  public var hasValue: Bool { unsafe base != nil }

  /// Bytes that plain elements of this type and shape take.
  public var plainByteCount: Int { shape.elementCount * elementType.byteCount }

  /// The elements as `T`, whose size must be the element type's. Traps where the bytes are missing.
  public func elements<T: BitwiseCopyable>(_: T.Type) -> Elements<T> {
    precondition(MemoryLayout<T>.size == elementType.byteCount && encoding == nil)
    let n = shape.elementCount
    precondition(hasValue && n * MemoryLayout<T>.size <= byteCount)
    return unsafe Elements(base: base!.assumingMemoryBound(to: T.self), count: n)
  }

  public var floats: Elements<Float> { elements(Float.self) }

  /// First byte for a kernel. Traps where the bytes are missing.
  public var pointer: UnsafeMutableRawPointer {
    precondition(hasValue)
    return unsafe base!
  }

  /// Element `i` of an integer or bool tensor, widened; of a string tensor bits that mean nothing. Traps
  /// on real-number types.
  public func integer(at i: Int) -> Int {
    switch elementType {
    case .i64, .u64, .string: Int(truncatingIfNeeded: elements(Int64.self)[i])
    case .i32: Int(elements(Int32.self)[i])
    case .u32: Int(elements(UInt32.self)[i])
    case .i16: Int(elements(Int16.self)[i])
    case .u16: Int(elements(UInt16.self)[i])
    case .i8, .i4, .i2: Int(elements(Int8.self)[i])
    case .u8, .bool, .u4, .u2, .sequence: Int(elements(UInt8.self)[i])
    default: preconditionFailure("not an integer tensor")
    }
  }
}
