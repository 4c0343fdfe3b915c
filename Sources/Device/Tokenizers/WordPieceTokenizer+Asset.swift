// The tokenizer as bytes of a bundle.
//
// Little-endian: magic, version, flags, limits, then five special spellings and the prefix, each a
// u16 length and its bytes, the ids that texts may spell out, the count of tokens and their bytes
// in all, a u16 length per token, the bytes of the tokens.

private let assetMagic: UInt32 = 0x5057_4E4B  // "KNWP"
private let assetVersion: UInt16 = 1

extension WordPieceTokenizer {
  /// The tokenizer with all its options; the same tokenizer gives the same bytes.
  public func serialize() -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(tokens.bytes.count + tokens.count * 2 + 256)
    func put<T: FixedWidthInteger>(_ value: T) {
      for i in 0..<(T.bitWidth / 8) { out.append(UInt8(truncatingIfNeeded: value >> T(i * 8))) }
    }
    put(assetMagic)
    put(assetVersion)
    var flags: UInt16 = 0
    if options.cleansText { flags |= 1 }
    if options.spacesIdeographs { flags |= 2 }
    if options.stripsAccents { flags |= 4 }
    if options.lowercases { flags |= 8 }
    if options.recognizesSpecials { flags |= 16 }
    put(flags)
    put(UInt32(options.maximumWordScalars))
    put(UInt32(options.maximumTokens))
    for name in [
      options.continuationPrefix, options.unknownToken, options.classToken,
      options.separatorToken, options.paddingToken, options.maskToken,
    ] {
      put(UInt16(name.utf8.count))
      out.append(contentsOf: name.utf8)
    }
    put(UInt16(specialIDs.count))
    for id in specialIDs { put(UInt32(id)) }
    put(UInt32(tokens.count))
    put(UInt32(tokens.bytes.count))
    for id in 0..<tokens.count { put(UInt16(tokens.range(of: id).count)) }
    out.append(contentsOf: tokens.bytes)
    return out
  }

  /// From the bytes that `serialize()` gave; nothing in them is trusted.
  public init(serialized bytes: Span<UInt8>) throws(WordPieceError) {
    var offset = 0
    func take(_ count: Int, _ what: String) throws(WordPieceError) -> UInt32 {
      guard bytes.count - offset >= count else {
        throw .malformed(byteOffset: offset, expected: what)
      }
      var value: UInt32 = 0
      for i in 0..<count { value |= UInt32(bytes[offset + i]) << UInt32(i * 8) }
      offset += count
      return value
    }
    guard try take(4, "a tokenizer asset") == assetMagic else {
      throw .malformed(byteOffset: 0, expected: "a tokenizer asset")
    }
    guard try take(2, "a version") == UInt32(assetVersion) else {
      throw .malformed(byteOffset: 4, expected: "tokenizer asset version \(assetVersion)")
    }
    let flags = try take(2, "flags")
    guard flags < 32 else { throw .malformed(byteOffset: 6, expected: "flags below 32") }
    var options = WordPieceOptions()
    options.cleansText = flags & 1 != 0
    options.spacesIdeographs = flags & 2 != 0
    options.stripsAccents = flags & 4 != 0
    options.lowercases = flags & 8 != 0
    options.recognizesSpecials = flags & 16 != 0
    options.maximumWordScalars = Int(clamping: try take(4, "a word length"))
    options.maximumTokens = Int(clamping: try take(4, "a token limit"))
    var names: [String] = []
    for _ in 0..<6 {
      let count = Int(try take(2, "a length"))
      guard count <= bytes.count - offset else {
        throw .malformed(byteOffset: offset, expected: "\(count) bytes of a name")
      }
      let text = bytes.extracting(offset..<(offset + count))
      guard firstInvalidByte(in: text) == nil else {
        throw .malformed(byteOffset: offset, expected: "UTF-8")
      }
      var copy: [UInt8] = []
      for i in text.indices { copy.append(text[i]) }
      names.append(String(decoding: copy, as: UTF8.self))
      offset += count
    }
    options.continuationPrefix = names[0]
    options.unknownToken = names[1]
    options.classToken = names[2]
    options.separatorToken = names[3]
    options.paddingToken = names[4]
    options.maskToken = names[5]
    let idsAt = offset + 2
    var ids: [Int32] = []
    for _ in 0..<(try take(2, "a count of special tokens")) {
      ids.append(Int32(truncatingIfNeeded: try take(4, "a special token's id")))
    }
    let count = Int(clamping: try take(4, "a count of tokens"))
    let byteCount = Int(clamping: try take(4, "a count of bytes"))
    for i in ids.indices where ids[i] < 0 || Int(ids[i]) >= count {
      throw .malformed(byteOffset: idsAt + i * 4, expected: "an id below \(count)")
    }
    let left = bytes.count - offset
    guard count <= left / 2, byteCount == left - count * 2 else {
      throw .malformed(
        byteOffset: offset, expected: "\(count) lengths and \(byteCount) bytes to the end")
    }
    var table = try TokenTable(capacity: count, byteCount: byteCount)
    var at = offset + count * 2
    for id in 0..<count {
      let length = Int(try take(2, "a length"))
      guard length <= bytes.count - at else {
        throw .malformed(byteOffset: offset - 2, expected: "the length of token \(id)")
      }
      try table.append(bytes.extracting(at..<(at + length)), offset: at)
      at += length
    }
    guard at == bytes.count else {
      throw .malformed(byteOffset: at, expected: "the end of the asset")
    }
    try self.init(tokens: table, specialIDs: ids, options: options)
  }
}
