// The tokenizer as bytes of a bundle.
//
// Little-endian: magic, version, flags, limits, then the prefix and five special spellings, each a
// u16 length and its bytes; the ids that texts may spell out; the count of tokens and their bytes
// in all; a u16 length per token; the bytes of the tokens.

import Bytes

private let assetMagic: UInt32 = 0x5057_4E4B  // "KNWP"
private let assetVersion: UInt16 = 1

extension WordPieceTokenizer {
  /// The tokenizer with all its options; the same tokenizer gives the same bytes.
  public func serialize() -> [UInt8] {
    var out = ByteWriter()
    out.reserve(tokens.bytes.count + tokens.count * 2 + 256)
    out.put(assetMagic)
    out.put(assetVersion)
    var flags: UInt16 = 0
    if options.cleansText { flags |= 1 }
    if options.spacesIdeographs { flags |= 2 }
    if options.stripsAccents { flags |= 4 }
    if options.lowercases { flags |= 8 }
    if options.recognizesSpecials { flags |= 16 }
    out.put(flags)
    out.put(UInt32(options.maximumWordScalars))
    out.put(UInt32(options.maximumTokens))
    for name in [
      options.continuationPrefix, options.unknownToken, options.classToken,
      options.separatorToken, options.paddingToken, options.maskToken,
    ] {
      out.put(UInt16(name.utf8.count))
      out.put(Array(name.utf8))
    }
    out.put(UInt16(specialIDs.count))
    for id in specialIDs { out.put(UInt32(id)) }
    out.put(UInt32(tokens.count))
    out.put(UInt32(tokens.bytes.count))
    for id in 0..<tokens.count { out.put(UInt16(tokens.range(of: id).count)) }
    out.put(tokens.bytes)
    return out.bytes
  }

  /// From the bytes that `serialize()` gave; nothing in them is trusted.
  public init(serialized bytes: Span<UInt8>) throws(WordPieceError) {
    var reader = AssetReader(bytes)
    guard try reader.take(UInt32.self) == assetMagic else {
      throw .malformed(byteOffset: 0, expected: "a tokenizer asset")
    }
    guard try reader.take(UInt16.self) == assetVersion else {
      throw .malformed(byteOffset: 4, expected: "tokenizer asset version \(assetVersion)")
    }
    let flags = try reader.take(UInt16.self)
    guard flags < 32 else { throw .malformed(byteOffset: 6, expected: "flags below 32") }
    var options = WordPieceOptions()
    options.cleansText = flags & 1 != 0
    options.spacesIdeographs = flags & 2 != 0
    options.stripsAccents = flags & 4 != 0
    options.lowercases = flags & 8 != 0
    options.recognizesSpecials = flags & 16 != 0
    options.maximumWordScalars = Int(clamping: try reader.take(UInt32.self))
    options.maximumTokens = Int(clamping: try reader.take(UInt32.self))
    options.continuationPrefix = try reader.name()
    options.unknownToken = try reader.name()
    options.classToken = try reader.name()
    options.separatorToken = try reader.name()
    options.paddingToken = try reader.name()
    options.maskToken = try reader.name()
    var ids: [Int32] = []
    let idsAt = reader.offset + 2
    for _ in 0..<(try reader.take(UInt16.self)) { ids.append(try reader.take(Int32.self)) }
    let table = try reader.tokens()
    for i in ids.indices where ids[i] < (i == 0 ? 0 : ids[i - 1] + 1) || ids[i] >= table.count {
      throw .malformed(
        byteOffset: idsAt + i * 4, expected: "ascending ids below \(table.count)")
    }
    try self.init(tokens: table, specialIDs: ids, options: options)
  }
}

/// The fields of an asset, with the tokenizer's own errors.
private struct AssetReader: ~Escapable {
  private var reader: ByteReader
  private let bytes: Span<UInt8>

  @_lifetime(copy bytes)
  init(_ bytes: Span<UInt8>) {
    self.bytes = bytes
    reader = unsafe ByteReader(bytes.bytes)
  }

  var offset: Int { reader.offset }

  mutating func take<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type
  ) throws(WordPieceError) -> T {
    do throws(ByteError) { return try reader.integer(type) } catch {
      throw .malformed(byteOffset: error.offset, expected: "more of a tokenizer asset")
    }
  }

  mutating func name() throws(WordPieceError) -> String {
    let count = Int(try take(UInt16.self))
    do throws(ByteError) { return try reader.text(count) } catch {
      throw .malformed(byteOffset: error.offset, expected: "\(count) bytes of UTF-8")
    }
  }

  /// The rest of the asset: lengths of all tokens, then the tokens.
  mutating func tokens() throws(WordPieceError) -> TokenTable {
    let count = Int(clamping: try take(UInt32.self))
    let byteCount = Int(clamping: try take(UInt32.self))
    guard count <= reader.remaining / 2, byteCount == reader.remaining - count * 2 else {
      throw .malformed(
        byteOffset: offset, expected: "\(count) lengths and \(byteCount) bytes to the end")
    }
    var table = try TokenTable(capacity: count, byteCount: byteCount)
    var at = offset + count * 2
    for id in 0..<count {
      let length = Int(try take(UInt16.self))
      guard length <= bytes.count - at else {
        throw .malformed(byteOffset: offset - 2, expected: "the length of token \(id)")
      }
      try table.append(bytes.extracting(at..<(at + length)), offset: at)
      at += length
    }
    guard at == bytes.count else {
      throw .malformed(byteOffset: at, expected: "the end of the asset")
    }
    return table
  }
}
