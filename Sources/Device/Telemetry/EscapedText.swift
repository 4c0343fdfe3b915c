// What a model says, made safe to print: no byte of it can move a cursor or turn the text round.

/// UTF-8 text in which every control, bidirectional and invisible character is spelled out.
///
/// C0 and C1 controls, DEL and bytes that are not UTF-8 become `\n`, `\t` or `\x1b`; bidirectional
/// controls, line separators, tags and invisible format characters become `\u202e`. The zero-width
/// joiners stay: scripts and emoji need them, and they reorder nothing.
public struct EscapedText: Equatable, Sendable {
  /// The bytes, valid UTF-8 without any control character.
  public let utf8: [UInt8]

  /// Escapes text from outside.
  public init(_ text: [UInt8]) { self.init(text.span) }

  /// Escapes text from outside.
  public init(_ text: Span<UInt8>) {
    var out: [UInt8] = []
    out.reserveCapacity(text.count)
    var i = 0
    while i < text.count {
      let (scalar, length) = Self.decode(text, at: i)
      if let scalar, !Self.isHidden(scalar) {
        for k in i..<i + length { out.append(text[k]) }
      } else if let scalar {
        Self.spell(scalar, into: &out)
      } else {
        Self.spellByte(text[i], into: &out)
      }
      i += length
    }
    utf8 = out
  }

  /// A literal of ours.
  public init(_ text: StaticString) {
    self.init(text.withUTF8Buffer { buffer in unsafe Array(buffer) })
  }

  public var isEmpty: Bool { utf8.isEmpty }

  /// The scalar that begins at `start` and its length in bytes; (nil, 1) when it is not UTF-8.
  static func decode(_ text: Span<UInt8>, at start: Int) -> (scalar: UInt32?, length: Int) {
    let first = UInt32(text[start])
    let length: Int
    let smallest: UInt32
    var scalar: UInt32
    switch first {
    case 0..<0x80: return (first, 1)
    case 0xC2...0xDF: (length, smallest, scalar) = (2, 0x80, first & 0x1F)
    case 0xE0...0xEF: (length, smallest, scalar) = (3, 0x800, first & 0x0F)
    case 0xF0...0xF4: (length, smallest, scalar) = (4, 0x10000, first & 0x07)
    default: return (nil, 1)
    }
    guard start + length <= text.count else { return (nil, 1) }
    for k in 1..<length {
      let byte = UInt32(text[start + k])
      guard byte & 0xC0 == 0x80 else { return (nil, 1) }
      scalar = scalar << 6 | byte & 0x3F
    }
    let isSurrogate = scalar >= 0xD800 && scalar <= 0xDFFF
    return scalar < smallest || scalar > 0x10FFFF || isSurrogate ? (nil, 1) : (scalar, length)
  }

  /// Whether a scalar would act on the terminal or hide in the text.
  static func isHidden(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0..<0x20, 0x7F...0x9F: true  // C0, DEL, C1
    case 0xAD, 0x61C, 0x180E, 0xFEFF: true  // soft hyphen, Arabic letter mark, …
    case 0x200B, 0x200E, 0x200F: true  // zero-width space, direction marks
    case 0x2028...0x202E: true  // line separators, embeddings, overrides
    case 0x2060...0x206F: true  // word joiner, isolates, deprecated format characters
    case 0xFFF9...0xFFFB: true  // interlinear annotation
    case 0xFDD0...0xFDEF: true  // not characters
    case 0x1BCA0...0x1BCA3, 0x1D173...0x1D17A: true  // shorthand and musical format controls
    case 0xE0000...0xE0FFF: true  // tags
    default: scalar & 0xFFFE == 0xFFFE
    }
  }

  private static func hex(_ value: UInt32) -> UInt8 {
    let digit = UInt8(value & 15)
    return digit < 10 ? 0x30 + digit : 0x57 + digit
  }

  private static func spellByte(_ byte: UInt8, into out: inout [UInt8]) {
    out.append(0x5C)
    out.append(0x78)
    out.append(hex(UInt32(byte) >> 4))
    out.append(hex(UInt32(byte)))
  }

  private static func spell(_ scalar: UInt32, into out: inout [UInt8]) {
    switch scalar {
    case 0x09, 0x0A, 0x0D:
      out.append(0x5C)
      out.append(scalar == 9 ? 0x74 : scalar == 10 ? 0x6E : 0x72)
    case 0..<0x100: spellByte(UInt8(scalar), into: &out)
    default:
      out.append(0x5C)
      out.append(0x75)
      var shift: UInt32 = scalar > 0xFFFF ? 20 : 12
      while true {
        out.append(hex(scalar >> shift))
        if shift == 0 { break }
        shift -= 4
      }
    }
  }
}
