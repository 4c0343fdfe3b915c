// UTF-8 as bytes: validation, comparison without Unicode tables.

/// Checks on UTF-8 text held as bytes.
public enum UTF8Text {
  /// Where the first byte stands that no well-formed UTF-8 has there, or nil when all is well.
  ///
  /// Overlong forms, surrogates, scalars above U+10FFFF and cut sequences are not well formed.
  public static func firstInvalidOffset(_ bytes: [UInt8]) -> Int? {
    firstInvalidOffset(bytes.span)
  }

  /// As for an array.
  public static func firstInvalidOffset(_ bytes: Span<UInt8>) -> Int? {
    var i = 0
    let count = bytes.count
    while i < count {
      let length = sequenceLength(bytes, at: i)
      if length == 0 { return i }
      i += length
    }
    return nil
  }

  /// Whether all of `bytes` is well-formed UTF-8.
  public static func isValid(_ bytes: [UInt8]) -> Bool { firstInvalidOffset(bytes) == nil }

  /// How many bytes the scalar at `i` takes; 0 when it is malformed.
  static func sequenceLength(_ bytes: Span<UInt8>, at i: Int) -> Int {
    let lead = bytes[i]
    if lead < 0x80 { return 1 }
    let length: Int
    // The range of the second byte excludes overlong forms and surrogates.
    var low: UInt8 = 0x80
    var high: UInt8 = 0xBF
    switch lead {
    case 0xC2...0xDF: length = 2
    case 0xE0: (length, low) = (3, 0xA0)
    case 0xED: (length, high) = (3, 0x9F)
    case 0xE1...0xEF: length = 3
    case 0xF0: (length, low) = (4, 0x90)
    case 0xF1...0xF3: length = 4
    case 0xF4: (length, high) = (4, 0x8F)
    default: return 0
    }
    guard length <= bytes.count - i, bytes[i + 1] >= low, bytes[i + 1] <= high else { return 0 }
    for k in 2..<max(length, 2) where bytes[i + k] & 0xC0 != 0x80 { return 0 }
    return length
  }

  /// `bytes` with U+FFFD in place of each byte that belongs to no well-formed sequence.
  public static func repaired(_ bytes: [UInt8]) -> [UInt8] {
    guard var bad = firstInvalidOffset(bytes) else { return bytes }
    var result = [UInt8](bytes[..<bad])
    let span = bytes.span
    while bad < bytes.count {
      let length = sequenceLength(span, at: bad)
      if length == 0 {
        append(scalar: 0xFFFD, to: &result)
      } else {
        result.append(contentsOf: bytes[bad..<bad + length])
      }
      bad += max(length, 1)
    }
    return result
  }

  /// Appends the UTF-8 form of `scalar`; U+FFFD for what is no scalar value.
  public static func append(scalar: UInt32, to bytes: inout [UInt8]) {
    switch scalar {
    case 0..<0x80: bytes.append(UInt8(scalar))
    case 0x80..<0x800:
      bytes.append(UInt8(0xC0 | scalar >> 6))
      bytes.append(UInt8(0x80 | scalar & 0x3F))
    case 0xD800..<0xE000, 0x11_0000...: append(scalar: 0xFFFD, to: &bytes)
    case 0x800..<0x1_0000:
      bytes.append(UInt8(0xE0 | scalar >> 12))
      bytes.append(UInt8(0x80 | (scalar >> 6) & 0x3F))
      bytes.append(UInt8(0x80 | scalar & 0x3F))
    default:
      bytes.append(UInt8(0xF0 | scalar >> 18))
      bytes.append(UInt8(0x80 | (scalar >> 12) & 0x3F))
      bytes.append(UInt8(0x80 | (scalar >> 6) & 0x3F))
      bytes.append(UInt8(0x80 | scalar & 0x3F))
    }
  }
}

extension String {
  /// Whether both texts have the same bytes; `==` also takes canonical equivalents for equal.
  public func hasSameBytes(as other: String) -> Bool {
    utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
  }
}
