// What config.json says about a model of the BERT family.
import Operators

/// The kinds of BERT that are read. Raw values are `model_type`.
enum BERTFamily: String, CaseIterable {
  case bert, distilbert, roberta
  case xlmRoberta = "xlm-roberta"

  /// RoBERTa counts positions from behind the padding index and only over real tokens.
  var countsRealTokens: Bool { self == .roberta || self == .xlmRoberta }
}

/// What stands on top of the encoder.
enum BERTHead {
  case none, sequenceClassification, tokenClassification
}

/// Sizes and choices of one model.
struct BERTConfiguration {
  var family: BERTFamily
  var head: BERTHead
  var width: Int
  var layers: Int
  var heads: Int
  var innerWidth: Int
  var vocabulary: Int
  /// Rows of the position table.
  var positions: Int
  /// Kinds of token; 0 where the model has none.
  var tokenTypes: Int
  var paddingID: Int
  var epsilon: Float
  var activation: FusedActivation
  var labels: [String]

  /// The longest sequence.
  var maximumLength: Int { family.countsRealTokens ? positions - paddingID - 1 : positions }

  init(_ json: HuggingFaceJSON, _ family: BERTFamily) throws(ImportError) {
    self.family = family
    let isDistilled = family == .distilbert
    let sizes = 1...1 << 20
    width = try json.integer(isDistilled ? "dim" : "hidden_size", in: 1...1 << 16)
    layers = try json.integer(isDistilled ? "n_layers" : "num_hidden_layers", in: 1...1024)
    heads = try json.integer(isDistilled ? "n_heads" : "num_attention_heads", in: 1...4096)
    innerWidth = try json.integer(isDistilled ? "hidden_dim" : "intermediate_size", in: sizes)
    vocabulary = try json.integer("vocab_size", in: 1...1 << 24)
    positions = try json.integer("max_position_embeddings", in: sizes, 512)
    tokenTypes = isDistilled ? 0 : try json.integer("type_vocab_size", in: 0...1 << 16, 2)
    paddingID = try json.integer(
      "pad_token_id", in: 0...1 << 24, family.countsRealTokens ? 1 : 0)
    epsilon = Float(try json.number("layer_norm_eps", 1e-12))
    guard epsilon.isFinite, epsilon >= 0 else {
      throw json.refuse("layer_norm_eps", "\(epsilon) is out of range")
    }
    guard width % heads == 0 else {
      throw json.refuse(
        isDistilled ? "dim" : "hidden_size", "\(width) is no multiple of \(heads) heads")
    }
    guard try json.string("position_embedding_type") ?? "absolute" == "absolute" else {
      throw json.refuse("position_embedding_type", "only 'absolute' is supported")
    }
    guard try !json.bool("is_decoder", false), try !json.bool("add_cross_attention", false) else {
      throw json.refuse("is_decoder", "a decoder is not supported")
    }
    let key = isDistilled ? "activation" : "hidden_act"
    let name = try json.string(key) ?? "gelu"
    switch name {
    case "gelu", "gelu_python": activation = FusedActivation(.gelu)
    case "gelu_new", "gelu_pytorch_tanh", "gelu_fast": activation = FusedActivation(.geluTanh)
    case "relu": activation = FusedActivation(.relu)
    case "silu", "swish": activation = FusedActivation(.silu)
    default: throw json.refuse(key, "activation '\(name)' is not supported")
    }
    labels = try json.labels("id2label")
    let architecture = try json.strings("architectures").first ?? ""
    if architecture.hasSuffix("ForSequenceClassification") {
      head = .sequenceClassification
    } else if architecture.hasSuffix("ForTokenClassification") {
      head = .tokenClassification
    } else {
      head = .none
    }
    guard maximumLength >= 1 else {
      throw json.refuse("max_position_embeddings", "\(positions) leave no room for a token")
    }
  }
}
