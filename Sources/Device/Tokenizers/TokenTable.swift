// The tokens of a vocabulary, found by their bytes without a dictionary of strings.

import Bytes

/// All tokens in one array of bytes, with an open-addressing table over their hashes.
struct TokenTable: Sendable {
  static var maximumTokenCount: Int { 1 << 21 }
  static var maximumByteCount: Int { 1 << 26 }
  static var maximumTokenByteCount: Int { 1024 }
  /// The longest chain of occupied slots; half-full tables of honest tokens stay below 60.
  static var maximumProbeCount: Int { 512 }

  /// Token after token, by id.
  private(set) var bytes: [UInt8] = []
  /// Token `id` is `bytes[starts[id]..<starts[id + 1]]`.
  private(set) var starts: [UInt32] = [0]
  /// Bytes of the longest token.
  private(set) var longestByteCount = 0
  /// A hash's top byte << 24 | id + 1; 0 is free. A power of two, at most half of it taken.
  private var slots: [UInt32]

  var count: Int { starts.count - 1 }

  /// An empty table that holds `capacity` tokens of `byteCount` bytes in all.
  init(capacity: Int, byteCount: Int) throws(WordPieceError) {
    guard capacity <= TokenTable.maximumTokenCount else {
      throw .vocabularyTooLarge(limit: TokenTable.maximumTokenCount)
    }
    guard byteCount <= TokenTable.maximumByteCount else {
      throw .vocabularyTooLarge(limit: TokenTable.maximumByteCount)
    }
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = [UInt32](repeating: 0, count: size)
    bytes.reserveCapacity(byteCount)
    starts.reserveCapacity(capacity + 1)
  }

  /// Adds the token with the next id; `offset` is where it stands in its file, for errors.
  mutating func append(_ token: Span<UInt8>, offset: Int) throws(WordPieceError) {
    let id = count
    guard id * 2 < slots.count else { throw .vocabularyTooLarge(limit: slots.count / 2) }
    guard token.count > 0 else { throw .emptyToken(id: id, byteOffset: offset) }
    guard token.count <= TokenTable.maximumTokenByteCount else {
      throw .tokenTooLong(
        id: id, byteCount: token.count, limit: TokenTable.maximumTokenByteCount)
    }
    guard bytes.count + token.count <= TokenTable.maximumByteCount else {
      throw .vocabularyTooLarge(limit: TokenTable.maximumByteCount)
    }
    if let invalid = UTF8Text.firstInvalidOffset(token) {
      throw .invalidUTF8(id: id, byteOffset: offset + invalid)
    }
    var hash = TokenTable.hashSeed
    for i in token.indices { TokenTable.extend(&hash, with: token[i]) }
    let (tag, first) = place(of: hash)
    var slot = first
    var probes = 0
    while slots[slot] != 0 {
      if slots[slot] >> 24 == tag {
        let other = Int(slots[slot] & 0xFF_FFFF) - 1
        if equals(other, token, 0..<token.count) {
          throw .duplicateToken(id: id, firstID: other, byteOffset: offset)
        }
      }
      slot = (slot + 1) & (slots.count - 1)
      probes += 1
      if probes > TokenTable.maximumProbeCount { throw .degenerateVocabulary(id: id) }
    }
    slots[slot] = tag << 24 | UInt32(id + 1)
    for i in token.indices { bytes.append(token[i]) }
    starts.append(UInt32(bytes.count))
    longestByteCount = max(longestByteCount, token.count)
  }

  /// The bytes of token `id`, as a range of `bytes`.
  func range(of id: Int) -> Range<Int> { Int(starts[id])..<Int(starts[id + 1]) }

  // A caller that tries ever shorter pieces hashes them all in one pass: FNV-1a, byte by byte.
  static var hashSeed: UInt32 { 0x811C_9DC5 }
  static func extend(_ hash: inout UInt32, with byte: UInt8) {
    hash = (hash ^ UInt32(byte)) &* 0x0100_0193
  }

  /// The id of the token made of `prefix` and a part of `text`, whose joint hash is `hash`.
  func id(_ prefix: [UInt8], _ text: Span<UInt8>, _ part: Range<Int>, hash: UInt32) -> Int? {
    let (tag, first) = place(of: hash)
    var slot = first
    while slots[slot] != 0 {
      if slots[slot] >> 24 == tag {
        let id = Int(slots[slot] & 0xFF_FFFF) - 1
        if equals(id, prefix, text, part) { return id }
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  /// The id of the token with exactly these bytes.
  func id(of token: Span<UInt8>) -> Int? {
    var hash = TokenTable.hashSeed
    for i in token.indices { TokenTable.extend(&hash, with: token[i]) }
    return id([], token, 0..<token.count, hash: hash)
  }

  /// Tag and first slot of a hash; FNV leaves its low bits poorly mixed for short tokens.
  private func place(of hash: UInt32) -> (tag: UInt32, slot: Int) {
    let mixed = (hash ^ hash >> 15) &* 0x9E37_79B1
    return (mixed >> 24, Int((mixed ^ mixed >> 13) & UInt32(slots.count - 1)))
  }

  private func equals(_ id: Int, _ text: Span<UInt8>, _ part: Range<Int>) -> Bool {
    equals(id, [], text, part)
  }

  private func equals(
    _ id: Int, _ prefix: [UInt8], _ text: Span<UInt8>, _ part: Range<Int>
  ) -> Bool {
    let token = range(of: id)
    guard token.count == prefix.count + part.count else { return false }
    var at = token.lowerBound
    for i in 0..<prefix.count {
      if bytes[at] != prefix[i] { return false }
      at += 1
    }
    for i in part {
      if bytes[at] != text[i] { return false }
      at += 1
    }
    return true
  }
}
