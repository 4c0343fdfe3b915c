// A growing run of little-endian fields.

/// Collects little-endian fields into bytes; what it wrote a `ByteReader` reads.
public struct ByteWriter: Sendable {
  /// What was written so far.
  public private(set) var bytes: [UInt8] = []

  public init() {}

  /// Bytes written so far.
  public var count: Int { bytes.count }

  /// Makes room for `count` more bytes.
  public mutating func reserve(_ count: Int) { bytes.reserveCapacity(bytes.count + count) }

  /// Appends one little-endian integer.
  public mutating func put<T: FixedWidthInteger>(_ value: T) {
    var rest = value
    for _ in 0..<MemoryLayout<T>.size {
      bytes.append(UInt8(truncatingIfNeeded: rest))
      rest = T.bitWidth > 8 ? rest >> 8 : 0
    }
  }

  /// Appends an IEEE 754 single.
  public mutating func put(_ value: Float) { put(value.bitPattern) }

  /// Appends an IEEE 754 double.
  public mutating func put(_ value: Double) { put(value.bitPattern) }

  /// Appends an unsigned LEB128 integer.
  public mutating func put(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  /// Appends bytes as they are.
  public mutating func put(_ more: [UInt8]) { bytes.append(contentsOf: more) }

  /// Appends bytes as they are.
  public mutating func put(_ more: RawSpan) { bytes.append(contentsOf: [UInt8](copying: more)) }

  /// Appends zeros up to the next multiple of `alignment`, which is at least 1.
  public mutating func align(to alignment: Int) {
    let tail = bytes.count % alignment
    if tail != 0 { bytes.append(contentsOf: repeatElement(0, count: alignment - tail)) }
  }
}
