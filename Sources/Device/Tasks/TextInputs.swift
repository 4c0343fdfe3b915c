// The token inputs of a BERT model, filled from a tokenizer's sequence.

import Bytes
import Tokenizers

/// Which inputs of the model take ids, mask and types, and how many tokens they hold.
///
/// Each is an i64 tensor [texts, tokens]. With a fastText tokenizer, ids is i64 [tokens] and the mask f32
/// [words, tokens]: what each word's vector takes of each token's.
public struct TextInputs: Equatable, Sendable {
  /// The most tokens of one text, [CLS] and [SEP] among them.
  public var maximumTokens = 128
  public var idsName = "input_ids"
  /// Nil where the model takes no mask.
  public var maskName: String? = "attention_mask"
  /// Nil where the model takes no token types.
  public var typesName: String? = "token_type_ids"
  /// The asset that holds the serialized tokenizer.
  public var tokenizerName = "tokenizer"

  public init() {}

  /// Writes one row of ids: the tokens, then `padding`. The row holds all tokens.
  public static func fill(
    ids: inout MutableSpan<Int64>, from tokens: TokenSequence, padding: Int32
  ) {
    precondition(tokens.count <= ids.count)
    for i in ids.indices { ids[i] = Int64(i < tokens.count ? tokens.ids[i] : padding) }
  }

  /// Writes one row of the attention mask: 1 for each token, 0 behind them.
  public static func fill(mask: inout MutableSpan<Int64>, from tokens: TokenSequence) {
    precondition(tokens.count <= mask.count)
    for i in mask.indices { mask[i] = i < tokens.count ? 1 : 0 }
  }

  /// Writes one row of token types: 1 for tokens of the second text, else 0.
  public static func fill(types: inout MutableSpan<Int64>, from tokens: TokenSequence) {
    precondition(tokens.count <= types.count)
    for i in types.indices { types[i] = i < tokens.count ? Int64(tokens.typeID(at: i)) : 0 }
  }
}

extension TextInputs {
  var fields: [CBORPair] {
    [
      CBORPair("ids", .text(idsName)),
      CBORPair("mask", maskName.map { .text($0) } ?? .null),
      CBORPair("maximum_tokens", .integer(maximumTokens)),
      CBORPair("tokenizer", .text(tokenizerName)),
      CBORPair("types", typesName.map { .text($0) } ?? .null),
    ]
  }

  init(_ reader: inout TaskReader) throws(TaskError) {
    maximumTokens = try reader.count("maximum_tokens", in: 3...(1 << 20))
    idsName = try reader.text("ids")
    maskName = try reader.optionalText("mask")
    typesName = try reader.optionalText("types")
    tokenizerName = try reader.text("tokenizer")
  }
}
