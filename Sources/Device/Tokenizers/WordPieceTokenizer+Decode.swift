// From token ids back to text.

extension WordPieceTokenizer {
  /// The text of `ids`: words joined by spaces, pieces without their prefix, no space before
  /// closing punctuation and English contractions. Ids outside the vocabulary are left out, and
  /// special tokens too unless they are wanted.
  public func decode(_ ids: Span<Int32>, keepingSpecials: Bool = false) -> String {
    var text: [UInt8] = []
    var isFirst = true
    for i in ids.indices {
      let id = ids[i]
      if id < 0 || id >= tokens.count { continue }
      if !keepingSpecials, specialIDs.contains(id) { continue }
      var piece = tokens.range(of: Int(id))
      if isFirst {
        isFirst = false
      } else if starts(piece, with: prefix) {
        piece = (piece.lowerBound + prefix.count)..<piece.upperBound
      } else if !leansLeft(piece) {
        text.append(0x20)
      }
      text.append(contentsOf: tokens.bytes[piece])
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The text of `ids`.
  public func decode(_ ids: [Int32], keepingSpecials: Bool = false) -> String {
    decode(ids.span, keepingSpecials: keepingSpecials)
  }

  private func starts(_ piece: Range<Int>, with head: [UInt8]) -> Bool {
    guard piece.count >= head.count else { return false }
    for i in head.indices where tokens.bytes[piece.lowerBound + i] != head[i] { return false }
    return true
  }

  private func starts(_ piece: Range<Int>, with head: StaticString) -> Bool {
    guard piece.count >= head.utf8CodeUnitCount else { return false }
    for i in 0..<head.utf8CodeUnitCount {
      if unsafe tokens.bytes[piece.lowerBound + i] != head.utf8Start[i] { return false }
    }
    return true
  }

  /// True for tokens that stand right behind the word before them.
  private func leansLeft(_ piece: Range<Int>) -> Bool {
    switch tokens.bytes[piece.lowerBound] {
    case UInt8(ascii: "."), UInt8(ascii: "?"), UInt8(ascii: "!"), UInt8(ascii: ","): true
    case UInt8(ascii: "n"): starts(piece, with: "n't")
    case UInt8(ascii: "'"):
      starts(piece, with: "'m") || starts(piece, with: "'s") || starts(piece, with: "'ve")
        || starts(piece, with: "'re")
    default: false
    }
  }
}
