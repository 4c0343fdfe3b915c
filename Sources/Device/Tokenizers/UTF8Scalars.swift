// Unicode scalars from UTF-8, with U+FFFD for whatever is not UTF-8.

/// What stands for bytes that are not UTF-8.
let replacementScalar: UInt32 = 0xFFFD

/// The scalar at `offset`, which moves behind it. Ill-formed bytes give U+FFFD, one for each
/// maximal part that could have begun a scalar. Precondition: `offset` is inside `text`.
public func nextScalar(in text: Span<UInt8>, at offset: inout Int) -> UInt32 {
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
