// BERT's tokenizer: clean the text, split it into words, cut words into the longest known pieces.

/// Turns text into the token ids of a BERT model and back. Gives the ids that the PyPI package
/// `tokenizers` gives for BertNormalizer, BertPreTokenizer, WordPiece and the template
/// `[CLS] A [SEP] B [SEP]`.
public struct WordPieceTokenizer: Sendable {
  public private(set) var options: WordPieceOptions
  /// Ids of the special tokens.
  public let unknownID: Int32
  public let classID: Int32
  public let separatorID: Int32
  public let paddingID: Int32
  /// Nil where the vocabulary has no mask token.
  public let maskID: Int32?

  let tokens: TokenTable
  let prefix: [UInt8]
  /// The hash state behind `prefix`.
  let prefixHash: UInt32
  /// Ids that texts may spell out, ascending, and the first bytes they start with.
  let specialIDs: [Int32]
  let specialLeads: [UInt8]

  /// From the lines of a `vocab.txt`: token `i` is line `i`, ended by LF or CR LF.
  public init(
    vocabulary text: Span<UInt8>, options: WordPieceOptions = WordPieceOptions()
  ) throws(WordPieceError) {
    var lines = 1
    for i in text.indices where text[i] == 0x0A { lines += 1 }
    var table = try TokenTable(capacity: lines, byteCount: text.count)
    var start = 0
    while start < text.count {
      var end = start
      while end < text.count, text[end] != 0x0A { end += 1 }
      let next = end + 1
      if end > start, text[end - 1] == 0x0D { end -= 1 }
      try table.append(text.extracting(start..<end), offset: start)
      start = next
    }
    try self.init(tokens: table, specialIDs: nil, options: options)
  }

  /// `specialIDs` nil: the five special tokens of the options, so far as they exist.
  init(
    tokens: TokenTable, specialIDs: [Int32]?, options: WordPieceOptions
  ) throws(WordPieceError) {
    try options.check()
    guard tokens.count > 0 else { throw .emptyVocabulary }
    func id(_ name: String) -> Int32? {
      let bytes = Array(name.utf8)
      return tokens.id(of: bytes.span).map { Int32($0) }
    }
    guard let unknown = id(options.unknownToken) else {
      throw .missingSpecial(options.unknownToken)
    }
    guard let opening = id(options.classToken) else { throw .missingSpecial(options.classToken) }
    guard let separator = id(options.separatorToken) else {
      throw .missingSpecial(options.separatorToken)
    }
    guard let padding = id(options.paddingToken) else {
      throw .missingSpecial(options.paddingToken)
    }
    let mask = id(options.maskToken)
    self.options = options
    self.tokens = tokens
    unknownID = unknown
    classID = opening
    separatorID = separator
    paddingID = padding
    maskID = mask
    prefix = Array(options.continuationPrefix.utf8)
    var hash = TokenTable.hashSeed
    for byte in prefix { TokenTable.extend(&hash, with: byte) }
    prefixHash = hash
    var spelled = specialIDs ?? [unknown, opening, separator, padding]
    if specialIDs == nil, let mask { spelled.append(mask) }
    spelled.sort()
    var unique: [Int32] = []
    for id in spelled where unique.last != id { unique.append(id) }
    self.specialIDs = unique
    specialLeads = self.specialIDs.map { tokens.bytes[tokens.range(of: Int($0)).lowerBound] }
  }

  /// Tokens in the vocabulary.
  public var vocabularyCount: Int { tokens.count }

  /// The same tokenizer with another limit, such as the positions a model has.
  public func limited(to maximumTokens: Int) throws(WordPieceError) -> WordPieceTokenizer {
    var copy = self
    copy.options.maximumTokens = maximumTokens
    try copy.options.check()
    return copy
  }

  /// The id of a token's exact spelling.
  public func id(of token: String) -> Int32? {
    let bytes = Array(token.utf8)
    return tokens.id(of: bytes.span).map { Int32($0) }
  }

  /// The spelling of a token; nil for an id outside the vocabulary.
  public func token(_ id: Int32) -> String? {
    guard id >= 0, id < tokens.count else { return nil }
    return String(decoding: tokens.bytes[tokens.range(of: Int(id))], as: UTF8.self)
  }

  /// The tokens of one text: [CLS] text [SEP].
  public func encode(_ text: Span<UInt8>, into result: inout TokenSequence) {
    begin(&result)
    append(text, to: &result, atMost: options.maximumTokens - 2)
    result.ids.append(separatorID)
    result.firstSegmentCount = result.ids.count
  }

  /// The tokens of two texts: [CLS] text [SEP] pair [SEP]. Cut at the end of the longer one first.
  public func encode(
    _ text: Span<UInt8>, pair: Span<UInt8>, into result: inout TokenSequence
  ) {
    begin(&result)
    let room = options.maximumTokens - 3
    let first = append(text, to: &result, atMost: room, countingAll: true)
    let firstStored = min(first, room)
    let second = append(pair, to: &result, atMost: room, countingAll: true)
    let kept = WordPieceTokenizer.lengths(first, second, room: room)
    result.ids.removeLast(min(second, room) - kept.1)
    result.ids.removeSubrange((1 + kept.0)..<(1 + firstStored))
    result.ids.insert(separatorID, at: 1 + kept.0)
    result.ids.append(separatorID)
    result.firstSegmentCount = kept.0 + 2
  }

  /// The tokens of a text, or of two.
  public func encode(_ text: String, pair: String? = nil) -> TokenSequence {
    var result = TokenSequence()
    let bytes = Array(text.utf8)
    if let pair {
      let other = Array(pair.utf8)
      encode(bytes.span, pair: other.span, into: &result)
    } else {
      encode(bytes.span, into: &result)
    }
    return result
  }

  /// What "longest first" leaves of two lengths that together must not exceed `room`.
  static func lengths(_ a: Int, _ b: Int, room: Int) -> (Int, Int) {
    if a + b <= room { return (a, b) }
    let short = min(a, b)
    // The longer one alone pays while it stays the longer one; else both get half of the room.
    if short * 2 <= room { return a <= b ? (a, room - a) : (room - b, b) }
    let half = room / 2
    return a <= b ? (half, room - half) : (room - half, half)
  }

  private func begin(_ result: inout TokenSequence) {
    result.ids.removeAll(keepingCapacity: true)
    result.word.clear()
    result.word.marks.removeAll(keepingCapacity: true)
    result.word.markClasses.removeAll(keepingCapacity: true)
    result.ids.append(classID)
  }
}
