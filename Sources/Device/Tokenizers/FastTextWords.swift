// The words of a fastText dictionary, found by fastText's own hash.

/// All words in one array of bytes, with an open-addressing table over their hashes. A word that is
/// there twice counts as its last.
struct FastTextWords: Equatable, Sendable {
  static var maximumCount: Int { 1 << 24 }
  static var maximumByteCount: Int { 1 << 30 }
  /// The longest chain of occupied slots.
  static var maximumProbeCount: Int { 4096 }

  private(set) var bytes: [UInt8] = []
  /// Word `id` is `bytes[starts[id]..<starts[id + 1]]`.
  private(set) var starts: [UInt32] = [0]
  /// The first of them are words, the others labels.
  let wordCount: Int
  /// id + 1; 0 is free. A power of two, at most half of it taken.
  private var slots: [UInt32]

  var count: Int { starts.count - 1 }

  init(capacity: Int, byteCount: Int, wordCount: Int) throws(FastTextError) {
    guard capacity <= FastTextWords.maximumCount, byteCount <= FastTextWords.maximumByteCount else {
      throw .tooLarge(limit: FastTextWords.maximumCount)
    }
    self.wordCount = wordCount
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = [UInt32](repeating: 0, count: size)
    bytes.reserveCapacity(byteCount)
    starts.reserveCapacity(capacity + 1)
  }

  /// Adds the word with the next id.
  mutating func append(_ word: Span<UInt8>) throws(FastTextError) {
    let id = count
    guard id * 2 < slots.count, bytes.count + word.count <= FastTextWords.maximumByteCount else {
      throw .tooLarge(limit: slots.count / 2)
    }
    var slot = first(FastTextWords.hash(word))
    var probes = 0
    while slots[slot] != 0, !equals(Int(slots[slot]) - 1, word) {
      slot = (slot + 1) & (slots.count - 1)
      probes += 1
      if probes > FastTextWords.maximumProbeCount { throw .degenerate(word: id) }
    }
    slots[slot] = UInt32(id + 1)
    for i in word.indices { bytes.append(word[i]) }
    starts.append(UInt32(bytes.count))
  }

  /// The id of the word with exactly these bytes and this hash.
  func id(of word: Span<UInt8>, hash: UInt32) -> Int? {
    var slot = first(hash)
    while slots[slot] != 0 {
      let id = Int(slots[slot]) - 1
      if equals(id, word) { return id }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  func range(of id: Int) -> Range<Int> { Int(starts[id])..<Int(starts[id + 1]) }

  private func equals(_ id: Int, _ word: Span<UInt8>) -> Bool {
    let range = range(of: id)
    guard range.count == word.count else { return false }
    for i in word.indices where bytes[range.lowerBound + i] != word[i] { return false }
    return true
  }

  private func first(_ hash: UInt32) -> Int {
    let mixed = (hash ^ hash >> 15) &* 0x9E37_79B1
    return Int((mixed ^ mixed >> 13) & UInt32(slots.count - 1))
  }

  // fastText's FNV-1a widens bytes as signed numbers.
  static var seed: UInt32 { 2_166_136_261 }
  static func extend(_ hash: inout UInt32, with byte: UInt8) {
    hash = (hash ^ UInt32(bitPattern: Int32(Int8(bitPattern: byte)))) &* 16_777_619
  }

  static func hash(_ word: Span<UInt8>) -> UInt32 {
    var hash = seed
    for i in word.indices { extend(&hash, with: word[i]) }
    return hash
  }
}
