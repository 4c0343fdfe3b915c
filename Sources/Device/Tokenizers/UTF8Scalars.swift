// Unicode scalars to and from UTF-8, with U+FFFD for whatever is not UTF-8.

/// What stands for bytes that are not UTF-8.
let replacementScalar: UInt32 = 0xFFFD

/// The scalar at `offset`, which moves behind it. Ill-formed bytes give U+FFFD, one for each
/// maximal part that could have begun a scalar. Precondition: `offset` is inside `text`.
func nextScalar(in text: Span<UInt8>, at offset: inout Int) -> UInt32 {
  let lead = text[offset]
  offset += 1
  if lead < 0x80 { return UInt32(lead) }
  // Bounds of the second byte keep out overlong forms, surrogates and what lies past U+10FFFF.
  var low: UInt8 = 0x80
  var high: UInt8 = 0xBF
  var following: Int
  var scalar: UInt32
  switch lead {
  case 0xC2...0xDF:
    following = 1
    scalar = UInt32(lead & 0x1F)
  case 0xE0...0xEF:
    following = 2
    scalar = UInt32(lead & 0x0F)
    if lead == 0xE0 { low = 0xA0 }
    if lead == 0xED { high = 0x9F }
  case 0xF0...0xF4:
    following = 3
    scalar = UInt32(lead & 0x07)
    if lead == 0xF0 { low = 0x90 }
    if lead == 0xF4 { high = 0x8F }
  default: return replacementScalar
  }
  while following > 0 {
    guard offset < text.count, text[offset] >= low, text[offset] <= high else {
      return replacementScalar
    }
    scalar = scalar << 6 | UInt32(text[offset] & 0x3F)
    low = 0x80
    high = 0xBF
    offset += 1
    following -= 1
  }
  return scalar
}

/// The first byte that is not UTF-8, or nil.
func firstInvalidByte(in text: Span<UInt8>) -> Int? {
  var offset = 0
  while offset < text.count {
    let start = offset
    if nextScalar(in: text, at: &offset) == replacementScalar {
      // U+FFFD itself is fine where it is spelled out.
      let spelled = offset - start == 3 && text[start] == 0xEF && text[start + 1] == 0xBF
      if !spelled { return start }
    }
  }
  return nil
}

extension Array where Element == UInt8 {
  /// Appends the UTF-8 of a scalar.
  mutating func append(scalar: UInt32) {
    switch scalar {
    case 0..<0x80: append(UInt8(scalar))
    case 0x80..<0x800:
      append(UInt8(0xC0 | scalar >> 6))
      append(UInt8(0x80 | scalar & 0x3F))
    case 0x800..<0x10000:
      append(UInt8(0xE0 | scalar >> 12))
      append(UInt8(0x80 | scalar >> 6 & 0x3F))
      append(UInt8(0x80 | scalar & 0x3F))
    default:
      append(UInt8(0xF0 | scalar >> 18))
      append(UInt8(0x80 | scalar >> 12 & 0x3F))
      append(UInt8(0x80 | scalar >> 6 & 0x3F))
      append(UInt8(0x80 | scalar & 0x3F))
    }
  }
}
