// How a WordPiece tokenizer treats text.

/// The choices of a BERT tokenizer. The defaults are those of the uncased English models.
public struct WordPieceOptions: Equatable, Sendable {
  /// Drop control characters, turn every kind of white space into a space.
  public var cleansText = true
  /// Make a word of each Chinese character.
  public var spacesIdeographs = true
  /// Decompose canonically and drop non-spacing marks.
  public var stripsAccents = true
  public var lowercases = true
  /// A text that spells out a special token (`[MASK]`) means that token.
  public var recognizesSpecials = true
  /// A word of more scalars becomes the unknown token.
  public var maximumWordScalars = 100
  /// Tokens at most, [CLS] and [SEP] among them; longer texts are cut at their end.
  public var maximumTokens = 512
  /// What a piece that continues a word starts with.
  public var continuationPrefix = "##"
  public var unknownToken = "[UNK]"
  /// Opens every text; BERT pools its vector for classification.
  public var classToken = "[CLS]"
  /// Closes every segment.
  public var separatorToken = "[SEP]"
  public var paddingToken = "[PAD]"
  /// Absent from many cut vocabularies, so it may be missing.
  public var maskToken = "[MASK]"

  public init() {}

  func check() throws(WordPieceError) {
    guard maximumWordScalars >= 1, maximumWordScalars <= 10_000 else {
      throw .optionOutOfRange(name: "maximumWordScalars", value: maximumWordScalars)
    }
    guard maximumTokens >= 3, maximumTokens <= 1 << 20 else {
      throw .optionOutOfRange(name: "maximumTokens", value: maximumTokens)
    }
    let prefix = continuationPrefix.utf8.count
    guard prefix <= 64 else { throw .optionOutOfRange(name: "continuationPrefix", value: prefix) }
  }
}
