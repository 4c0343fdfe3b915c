// A bounds-checked little-endian cursor over bytes that nobody vouches for.

/// What a `ByteReader` could not do, and where.
public struct ByteError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was wrong at `offset`.
  public enum Reason: Equatable, Sendable {
    /// So many bytes were asked for, fewer were left.
    case truncated(needed: Int, remaining: Int)
    /// A variable-length integer of more than ten bytes or 64 bits.
    case overlongVarint
    /// A length or offset that no `Int` holds, or that lies outside the bytes.
    case outOfRange(UInt64)
    /// Text that is not UTF-8.
    case invalidUTF8
  }

  /// Where, in bytes from the start of what the reader was made over plus its `base`.
  public let offset: Int
  public let reason: Reason

  public init(offset: Int, reason: Reason) {
    self.offset = offset
    self.reason = reason
  }

  /// One line, without a full stop: where, and what.
  public var description: String { "byte \(offset): \(message)" }

  /// What is wrong, without where.
  public var message: String {
    switch reason {
    case .truncated(let needed, let remaining):
      "expected \(needed) more bytes, found \(remaining)"
    case .overlongVarint: "expected an integer of at most 64 bits"
    case .outOfRange(let value): "\(value) is out of range"
    case .invalidUTF8: "expected UTF-8 text"
    }
  }
}

/// Reads little-endian fields from untrusted bytes and never past their end.
///
/// It borrows the bytes: `ByteReader(array.span)`, or `ByteReader(mappedFile.bytes)`.
public struct ByteReader: ~Escapable {
  /// All the bytes the reader was made over.
  public let bytes: RawSpan
  /// What is added to offsets in errors: where `bytes` begins in its file.
  public let base: Int
  /// The next byte to read, counted from the start of `bytes`.
  public private(set) var position = 0

  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan, base: Int = 0) {
    self.bytes = bytes
    self.base = base
  }

  /// As for raw bytes.
  @_lifetime(copy bytes)
  public init(_ bytes: Span<UInt8>, base: Int = 0) {
    unsafe self.init(bytes.bytes, base: base)
  }

  /// Bytes not read yet.
  public var remaining: Int { bytes.byteCount - position }
  /// Whether every byte has been read.
  public var isAtEnd: Bool { position == bytes.byteCount }
  /// Where the next byte lies in the file.
  public var offset: Int { base + position }

  /// An error of `reason` at the current offset.
  public func error(_ reason: ByteError.Reason) -> ByteError {
    ByteError(offset: offset, reason: reason)
  }

  /// Reads one little-endian integer of the type asked for.
  public mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(
    _: T.Type = T.self
  ) throws(ByteError) -> T {
    try require(MemoryLayout<T>.size)
    let value = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: T.self)
    position += MemoryLayout<T>.size
    return T(littleEndian: value)
  }

  /// Reads one byte.
  public mutating func byte() throws(ByteError) -> UInt8 { try integer() }

  /// Reads a little-endian IEEE 754 single.
  public mutating func float() throws(ByteError) -> Float {
    Float(bitPattern: try integer(UInt32.self))
  }

  /// Reads a little-endian IEEE 754 double.
  public mutating func double() throws(ByteError) -> Double {
    Double(bitPattern: try integer(UInt64.self))
  }

  /// Reads a 64-bit count that must fit an `Int`.
  public mutating func count64() throws(ByteError) -> Int {
    let start = offset
    let value = try integer(UInt64.self)
    guard let count = Int(exactly: value) else {
      throw ByteError(offset: start, reason: .outOfRange(value))
    }
    return count
  }

  /// Reads an unsigned LEB128 integer (protobuf's varint) of at most ten bytes.
  public mutating func varint() throws(ByteError) -> UInt64 {
    let start = offset
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let next = try byte()
      guard shift < 63 || (shift == 63 && next <= 1) else {
        throw ByteError(offset: start, reason: .overlongVarint)
      }
      value |= UInt64(next & 0x7F) << shift
      if next < 0x80 { return value }
      shift += 7
    }
  }

  /// Reads `count` bytes as a view of them.
  @_lifetime(copy self)
  public mutating func span(_ count: Int) throws(ByteError) -> RawSpan {
    try require(count)
    let start = position
    position += count
    return bytes.extracting(start..<position)
  }

  /// Steps over `count` bytes and says where they lie in `bytes`.
  public mutating func range(_ count: Int) throws(ByteError) -> Range<Int> {
    try require(count)
    let start = position
    position += count
    return start..<position
  }

  /// Reads `count` bytes as a copy.
  public mutating func array(_ count: Int) throws(ByteError) -> [UInt8] {
    let taken = try span(count)
    return [UInt8](copying: taken)
  }

  /// Reads `count` bytes of UTF-8 text.
  public mutating func text(_ count: Int) throws(ByteError) -> String {
    let start = offset
    let taken = try array(count)
    if let bad = UTF8Text.firstInvalidOffset(taken) {
      throw ByteError(offset: start + bad, reason: .invalidUTF8)
    }
    return String(decoding: taken, as: UTF8.self)
  }

  /// Steps over `count` bytes.
  public mutating func skip(_ count: Int) throws(ByteError) {
    try require(count)
    position += count
  }

  /// Moves to `position`, counted from the start of `bytes`.
  public mutating func seek(to position: Int) throws(ByteError) {
    guard position >= 0, position <= bytes.byteCount else {
      throw error(.outOfRange(UInt64(bitPattern: Int64(position))))
    }
    self.position = position
  }

  private func require(_ count: Int) throws(ByteError) {
    guard count >= 0 else { throw error(.outOfRange(UInt64(bitPattern: Int64(count)))) }
    guard count <= remaining else {
      throw error(.truncated(needed: count, remaining: remaining))
    }
  }
}

extension Array where Element == UInt8 {
  /// The bytes of `span`, copied.
  public init(copying span: RawSpan) {
    self = unsafe span.withUnsafeBytes { unsafe [UInt8]($0) }
  }
}
