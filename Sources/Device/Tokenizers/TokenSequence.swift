// The tokens of one text or pair of texts, in buffers that the next text reuses.

/// What a tokenizer makes of a text. Keep one and encode into it again: once it has grown to its
/// longest text it allocates no more.
public struct TokenSequence: Sendable {
  /// Token ids, [CLS] and [SEP] among them.
  public internal(set) var ids: [Int32] = []
  /// Tokens of the first text with its [CLS] and [SEP]; those behind them have type 1.
  public internal(set) var firstSegmentCount = 0

  var word = WordBuffer()

  public init() {}

  public var count: Int { ids.count }

  /// 0 for tokens of the first text, 1 for those of the second.
  public func typeID(at index: Int) -> Int32 { index < firstSegmentCount ? 0 : 1 }
}

/// The word that is being collected, cleaned already.
struct WordBuffer: Sendable {
  /// UTF-8 of its scalars, up to the longest word that is looked up.
  var bytes: [UInt8] = []
  /// Where each scalar ends in `bytes`.
  var ends: [Int] = []
  /// Scalars seen, beyond those kept.
  var scalarCount = 0
  /// Hashes of the pieces that are tried.
  var hashes: [UInt32] = []
  /// Marks that wait for their canonical order, and their combining classes.
  var marks: [UInt32] = []
  var markClasses: [UInt8] = []
  /// The segment is full at this count of ids.
  var limit = 0
  /// Tokens of the segment that found no room.
  var excess = 0

  mutating func clear() {
    bytes.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
    scalarCount = 0
  }
}
