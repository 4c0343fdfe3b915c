// Everything that can be wrong with a WordPiece vocabulary or its options.

import Bytes

/// Why a tokenizer could not be made. Byte offsets count from the start of the file or asset.
public enum WordPieceError: Error, Equatable, Sendable {
  /// No token at all.
  case emptyVocabulary
  /// Token `id` (line `id` + 1 of `vocab.txt`) has no bytes.
  case emptyToken(id: Int, byteOffset: Int)
  /// Token `id` says the same as token `firstID`.
  case duplicateToken(id: Int, firstID: Int, byteOffset: Int)
  /// Token `id` is not UTF-8 from `byteOffset` on.
  case invalidUTF8(id: Int, byteOffset: Int)
  /// Token `id` is longer than any word piece can be.
  case tokenTooLong(id: Int, byteCount: Int, limit: Int)
  /// More tokens, or more bytes of tokens, than a vocabulary may have.
  case vocabularyTooLarge(limit: Int)
  /// Tokens were chosen to collide in the lookup table: no real vocabulary comes near.
  case degenerateVocabulary(id: Int)
  /// The vocabulary lacks a token that the tokenizer cannot do without.
  case missingSpecial(String)
  /// `tokenizer.json` gives no token for this id, so that ids and rows of the model disagree.
  case missingToken(id: Int)
  /// An option is outside its range.
  case optionOutOfRange(name: String, value: Int)
  /// `tokenizer.json` asks for something this tokenizer does not do.
  case unsupported(key: String, byteOffset: Int)
  /// `tokenizer.json` is not JSON.
  case json(JSONError)
  /// The bytes are not what they should be here.
  case malformed(byteOffset: Int, expected: String)
}

extension WordPieceError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .emptyVocabulary: "the vocabulary has no token"
    case .emptyToken(let id, let offset):
      "token \(id) (line \(id + 1)) is empty at byte \(offset)"
    case .duplicateToken(let id, let first, let offset):
      "token \(id) (line \(id + 1)) at byte \(offset) repeats token \(first)"
    case .invalidUTF8(let id, let offset):
      "token \(id) (line \(id + 1)) is not UTF-8 at byte \(offset)"
    case .tokenTooLong(let id, let count, let limit):
      "token \(id) (line \(id + 1)) has \(count) bytes, at most \(limit) expected"
    case .vocabularyTooLarge(let limit): "the vocabulary is larger than \(limit)"
    case .degenerateVocabulary(let id):
      "token \(id) (line \(id + 1)) collides with too many others"
    case .missingSpecial(let name): "the vocabulary lacks the token \(name)"
    case .missingToken(let id): "the vocabulary has no token with id \(id)"
    case .optionOutOfRange(let name, let value): "\(name) is out of range: \(value)"
    case .unsupported(let key, let offset): "\(key) at byte \(offset) is not supported"
    case .json(let error): error.description
    case .malformed(let offset, let expected): "expected \(expected) at byte \(offset)"
    }
  }
}
