// fastText's way from text to rows of its table: words, hashed pieces of words, hashed runs of words.

import Bytes

/// How a fastText model cuts text up.
public struct FastTextOptions: Equatable, Sendable {
  /// Scalars of the shortest and longest pieces of words; a longest of 0 means no pieces.
  public var minimumPiece = 0
  public var maximumPiece = 0
  /// Words of the longest runs that count as one; 1 means no runs.
  public var wordRun = 1
  /// Rows for hashed pieces and runs.
  public var bucketCount = 0
  /// A line is one list of rows and ends with `</s>`; else each word has a list of its own.
  public var isSupervised = true
  /// Rows of one text at most; more are cut off.
  public var maximumTokens = 1 << 16

  public init() {}
}

/// Texts to rows of a fastText model's input table.
///
/// Words are what stands between ASCII spaces, byte for byte: fastText neither folds case nor
/// normalises. A row's number is the word's, or the count of words plus a hash. Where rows were pruned,
/// `kept` maps the hashes that are left.
public struct FastTextTokenizer: Equatable, Sendable {
  public internal(set) var options: FastTextOptions
  var words: FastTextWords
  /// Hashes that have rows, ascending, and their rows behind the words; nil where all have.
  var kept: (hashes: [Int32], rows: [Int32])?

  static var endOfLine: [UInt8] { [UInt8]("</s>".utf8) }
  static var labelPrefix: [UInt8] { [UInt8]("__label__".utf8) }

  /// words: all words of the dictionary, then its labels, in their order. kept: hash and row of each
  /// hash that was not pruned.
  public init(
    words: [[UInt8]], wordCount: Int, kept: [(hash: Int32, row: Int32)]?,
    options: FastTextOptions
  ) throws(FastTextError) {
    guard wordCount >= 0, wordCount <= words.count else { throw .malformed("count of words") }
    self.options = options
    self.words = try FastTextWords(
      capacity: words.count, byteCount: words.reduce(0) { $0 + $1.count }, wordCount: wordCount)
    for word in words { try self.words.append(word.span) }
    try setKept(kept)
  }

  init(
    words: FastTextWords, kept: [(hash: Int32, row: Int32)]?, options: FastTextOptions
  ) throws(FastTextError) {
    self.words = words
    self.options = options
    try setKept(kept)
  }

  private mutating func setKept(_ kept: [(hash: Int32, row: Int32)]?) throws(FastTextError) {
    guard options.bucketCount >= 0, options.wordRun >= 0, options.maximumTokens > 0 else {
      throw .malformed("options")
    }
    guard let kept else { return }
    let sorted = kept.sorted { $0.hash < $1.hash }
    self.kept = (sorted.map { $0.hash }, sorted.map { $0.row })
  }

  /// At most `limit` rows of one text.
  public func limited(to limit: Int) -> FastTextTokenizer {
    var other = self
    other.options.maximumTokens = min(options.maximumTokens, max(limit, 1))
    return other
  }

  public static func == (a: FastTextTokenizer, b: FastTextTokenizer) -> Bool {
    guard a.options == b.options, a.words == b.words, (a.kept == nil) == (b.kept == nil) else {
      return false
    }
    return a.kept?.hashes == b.kept?.hashes && a.kept?.rows == b.kept?.rows
  }

  // MARK: Encoding

  /// The rows of a text. Line feeds count as spaces.
  public func encode(_ text: String) -> FastTextSequence {
    var text = text
    return text.withUTF8 { utf8 in unsafe encode(Span(_unsafeElements: utf8)) }
  }

  /// As for a string.
  public func encode(_ bytes: Span<UInt8>) -> FastTextSequence {
    var result = FastTextSequence()
    var hashes: [Int32] = []
    var at = 0
    while at < bytes.count {
      while at < bytes.count, FastTextTokenizer.isSpace(bytes[at]) { at += 1 }
      let start = at
      while at < bytes.count, !FastTextTokenizer.isSpace(bytes[at]) { at += 1 }
      guard at > start else { break }
      let word = bytes.extracting(start..<at)
      // Written out, it ends a line as well.
      if options.isSupervised, FastTextTokenizer.isEndOfLine(word) { break }
      add(word, &hashes, &result)
      // A text may be long: what is cut off needs no work. Runs come behind all words.
      if result.ids.count >= options.maximumTokens { break }
    }
    if options.isSupervised {
      let end = FastTextTokenizer.endOfLine
      add(end.span, &hashes, &result)
      addRuns(hashes, &result)
    }
    result.cut(to: options.maximumTokens)
    return result
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) || byte == 0
  }

  private func add(_ word: Span<UInt8>, _ hashes: inout [Int32], _ result: inout FastTextSequence) {
    let hash = FastTextWords.hash(word)
    let id = words.id(of: word, hash: hash)
    if options.isSupervised {
      // Labels among the words say nothing about the text.
      if let id, id >= words.wordCount { return }
      if id == nil, FastTextTokenizer.starts(word, FastTextTokenizer.labelPrefix) { return }
      hashes.append(Int32(bitPattern: hash))
    }
    // Among word vectors, a label counts as the word behind the last one.
    if let id { result.ids.append(Int32(id)) }
    if !FastTextTokenizer.isEndOfLine(word), options.maximumPiece > 0 { addPieces(word, &result) }
    if !options.isSupervised { result.ends.append(result.ids.count) }
  }

  private static func isEndOfLine(_ word: Span<UInt8>) -> Bool {
    word.count == endOfLine.count && starts(word, endOfLine)
  }

  private static func starts(_ word: Span<UInt8>, _ prefix: [UInt8]) -> Bool {
    guard word.count >= prefix.count else { return false }
    for i in 0..<prefix.count where word[i] != prefix[i] { return false }
    return true
  }

  /// All pieces of `<word>` of the lengths asked for, but not its first or last character alone.
  private func addPieces(_ word: Span<UInt8>, _ result: inout FastTextSequence) {
    guard options.bucketCount > 0 else { return }
    let count = word.count + 2
    func byte(_ i: Int) -> UInt8 {
      i == 0 ? UInt8(ascii: "<") : i == count - 1 ? UInt8(ascii: ">") : word[i - 1]
    }
    for start in 0..<count where byte(start) & 0xC0 != 0x80 {
      if result.ids.count >= options.maximumTokens { return }
      var hash = FastTextWords.seed
      var at = start
      var length = 1
      while at < count, length <= options.maximumPiece {
        FastTextWords.extend(&hash, with: byte(at))
        at += 1
        while at < count, byte(at) & 0xC0 == 0x80 {
          FastTextWords.extend(&hash, with: byte(at))
          at += 1
        }
        if length >= options.minimumPiece, !(length == 1 && (start == 0 || at == count)) {
          add(hash: Int64(hash % UInt32(options.bucketCount)), &result)
        }
        length += 1
      }
    }
  }

  /// Every run of two words and more, up to the longest.
  private func addRuns(_ hashes: [Int32], _ result: inout FastTextSequence) {
    guard options.wordRun > 1, options.bucketCount > 0 else { return }
    for i in hashes.indices {
      if result.ids.count >= options.maximumTokens { return }
      // Hashes are signed: they widen with their sign.
      var hash = UInt64(bitPattern: Int64(hashes[i]))
      for j in (i + 1)..<max(i + 1, min(hashes.count, i + options.wordRun)) {
        hash = hash &* 116_049_371 &+ UInt64(bitPattern: Int64(hashes[j]))
        add(hash: Int64(hash % UInt64(options.bucketCount)), &result)
      }
    }
  }

  private func add(hash: Int64, _ result: inout FastTextSequence) {
    var row = hash
    if let kept {
      var low = 0
      var high = kept.hashes.count
      while low < high {
        let middle = (low + high) / 2
        if Int64(kept.hashes[middle]) < hash { low = middle + 1 } else { high = middle }
      }
      guard low < kept.hashes.count, Int64(kept.hashes[low]) == hash else { return }
      row = Int64(kept.rows[low])
    }
    result.ids.append(Int32(truncatingIfNeeded: Int64(words.wordCount) + row))
  }
}

/// The rows that a text asks for.
public struct FastTextSequence: Equatable, Sendable {
  public internal(set) var ids: [Int32] = []
  /// Where each word's rows end, for models of word vectors; empty for classifiers.
  public internal(set) var ends: [Int] = []

  public init() {}

  mutating func cut(to limit: Int) {
    if ids.count > limit { ids.removeLast(ids.count - limit) }
    for i in ends.indices { ends[i] = min(ends[i], limit) }
  }
}

/// What is wrong with a fastText tokenizer.
public enum FastTextError: Error, Equatable, Sendable, CustomStringConvertible {
  case malformed(String)
  case tooLarge(limit: Int)
  /// Words chosen so that looking them up takes for ever.
  case degenerate(word: Int)

  public var description: String {
    switch self {
    case .malformed(let what): "\(what): not what a fastText tokenizer has"
    case .tooLarge(let limit): "a dictionary of more than \(limit) words or bytes"
    case .degenerate(let word): "word \(word) collides with too many others"
    }
  }
}
