// Any tokenizer that a bundle may hold.

/// A tokenizer and its kind, told by the asset's magic.
public enum TextTokenizer: Sendable {
  case wordPiece(WordPieceTokenizer)
  case fastText(FastTextTokenizer)

  /// From the bytes of a bundle's asset; nothing in them is trusted.
  public init(serialized bytes: Span<UInt8>) throws(TextTokenizerError) {
    if FastTextTokenizer.isSerialized(bytes) {
      do throws(FastTextError) {
        self = .fastText(try FastTextTokenizer(serialized: bytes))
      } catch {
        throw .fastText(error)
      }
      return
    }
    do throws(WordPieceError) {
      self = .wordPiece(try WordPieceTokenizer(serialized: bytes))
    } catch {
      throw .wordPiece(error)
    }
  }
}

/// What is wrong with a tokenizer asset.
public enum TextTokenizerError: Error, Sendable, CustomStringConvertible {
  case wordPiece(WordPieceError)
  case fastText(FastTextError)

  public var description: String {
    switch self {
    case .wordPiece(let error): error.description
    case .fastText(let error): error.description
    }
  }
}
