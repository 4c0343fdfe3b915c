// The fastText tokenizer as bytes of a bundle.
//
// Little-endian: magic, version, flags; options; the counts of words, of words and labels, and of their
// bytes; the count of kept hashes; then words and labels, each ended by a zero byte, and a hash and a
// row per kept hash.

import Bytes

private let assetMagic: UInt32 = 0x5446_4E4B  // "KNFT"
private let assetVersion: UInt16 = 1

extension FastTextTokenizer {
  /// Whether these bytes begin as `serialize()` begins.
  public static func isSerialized(_ bytes: Span<UInt8>) -> Bool {
    bytes.count >= 4 && bytes[0] == 0x4B && bytes[1] == 0x4E && bytes[2] == 0x46
      && bytes[3] == 0x54
  }

  /// The tokenizer with all its options; the same tokenizer gives the same bytes.
  public func serialize() -> [UInt8] {
    var out = ByteWriter()
    out.put(assetMagic)
    out.put(assetVersion)
    out.put(UInt16((options.isSupervised ? 1 : 0) | (kept == nil ? 0 : 2)))
    for value in [
      options.minimumPiece, options.maximumPiece, options.wordRun, options.bucketCount,
      options.maximumTokens, words.wordCount, words.count, words.bytes.count + words.count,
      kept?.hashes.count ?? 0,
    ] { out.put(UInt32(clamping: value)) }
    out.reserve(words.bytes.count + words.count)
    for id in 0..<words.count {
      out.put(Array(words.bytes[words.range(of: id)]))
      out.put(UInt8(0))
    }
    if let kept {
      for i in kept.hashes.indices {
        out.put(UInt32(bitPattern: kept.hashes[i]))
        out.put(UInt32(bitPattern: kept.rows[i]))
      }
    }
    return out.bytes
  }

  /// From the bytes that `serialize()` gave; nothing in them is trusted.
  public init(serialized bytes: Span<UInt8>) throws(FastTextError) {
    do throws(ByteError) {
      try self.init(reading: bytes)
    } catch {
      throw .malformed("byte \(error.offset)")
    }
  }

  private init(reading bytes: Span<UInt8>) throws(ByteError) {
    var reader = unsafe ByteReader(bytes.bytes)
    func wrong() -> ByteError { reader.error(.outOfRange(0)) }
    guard try reader.integer(UInt32.self) == assetMagic,
      try reader.integer(UInt16.self) == assetVersion
    else { throw wrong() }
    let flags = try reader.integer(UInt16.self)
    guard flags < 4 else { throw wrong() }
    var options = FastTextOptions()
    options.isSupervised = flags & 1 != 0
    func count() throws(ByteError) -> Int {
      let value = try reader.integer(UInt32.self)
      guard value <= UInt32(Int32.max) else { throw wrong() }
      return Int(value)
    }
    options.minimumPiece = try count()
    options.maximumPiece = try count()
    options.wordRun = try count()
    options.bucketCount = try count()
    options.maximumTokens = try count()
    let wordCount = try count()
    let total = try count()
    let byteCount = try count()
    let keptCount = try count()
    guard wordCount <= total, total <= byteCount, byteCount <= reader.remaining,
      keptCount == (reader.remaining - byteCount) / 8
    else { throw wrong() }
    do throws(FastTextError) {
      var words = try FastTextWords(
        capacity: total, byteCount: byteCount - total, wordCount: wordCount)
      let first = reader.position
      let end = first + byteCount
      var start = first
      for at in first..<end where bytes[at] == 0 {
        try words.append(bytes.extracting(start..<at))
        start = at + 1
      }
      guard start == end, words.count == total else { throw .malformed("words") }
      var kept: [(hash: Int32, row: Int32)]?
      if flags & 2 != 0 { kept = [] }
      var at = end
      for _ in 0..<keptCount {
        kept?.append((FastTextTokenizer.word(bytes, at), FastTextTokenizer.word(bytes, at + 4)))
        at += 8
      }
      guard at == bytes.count else { throw .malformed("end") }
      try self.init(words: words, kept: kept, options: options)
    } catch {
      throw wrong()
    }
  }

  private static func word(_ bytes: Span<UInt8>, _ at: Int) -> Int32 {
    var value: UInt32 = 0
    for i in 0..<4 { value |= UInt32(bytes[at + i]) << UInt32(8 * i) }
    return Int32(bitPattern: value)
  }
}
