// What an importer hands over: the graph, and what the files say about the task.
import Graphs

/// The task that a model's files name. Raw values are the names people type.
public enum TaskHint: String, Sendable {
  case sentenceEmbedding = "sentence-embedding"
  case textClassification = "text-classification"
  case tokenClassification = "token-classification"
}

/// Where a text model's tokenizer comes from: bytes of the files that lie beside it.
public struct TokenizerSource: Sendable {
  /// `vocab.txt`, one token per line.
  public var vocabulary: [UInt8]?
  /// `tokenizer.json` of the Hugging Face tokenizers library.
  public var tokenizerJSON: [UInt8]?
  /// `tokenizer_config.json`.
  public var configurationJSON: [UInt8]?
  /// A tokenizer that the importer made, as a bundle holds it; the others are nil then.
  public var serialized: [UInt8]?

  public init(serialized: [UInt8]) { self.serialized = serialized }

  public init(
    vocabulary: [UInt8]? = nil, tokenizerJSON: [UInt8]? = nil, configurationJSON: [UInt8]? = nil
  ) {
    self.vocabulary = vocabulary
    self.tokenizerJSON = tokenizerJSON
    self.configurationJSON = configurationJSON
  }
}

/// An imported model.
public struct ImportedModel: Sendable {
  public var graph: Graph
  public var format: ModelFormat
  /// nil where the files do not say what the model is for.
  public var task: TaskHint?
  /// Names of the classes in the order of the logits; empty where the files do not say.
  public var labels: [String] = []
  public var tokenizer: TokenizerSource?
  /// Tokens per text at most, special tokens included.
  public var maximumLength: Int?

  public init(graph: Graph, format: ModelFormat) {
    self.graph = graph
    self.format = format
  }
}
