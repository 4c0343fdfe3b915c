// The graph of a BERT encoder and its head, built with the operators a device runs it with.
import Graphs
import Operators
import Tensors

/// Builds BERT, DistilBERT and RoBERTa from their weights.
///
/// inputs: input_ids, attention_mask and, where the model has token types, token_type_ids, all i64
/// [batch, sequence] → outputs: last_hidden_state [batch, sequence, width] with padding rows 0, and
/// sentence_embedding [batch, width] where the folder is a sentence-transformers one; or logits
/// [batch, labels], per token [batch, sequence, labels], where the model has such a head.
enum BERTImporter {
  static func importModel(
    _ folder: HuggingFaceFolder, _ configuration: BERTConfiguration, _ weights: SafetensorsWeights
  ) throws(ImportError) -> ImportedModel {
    let name = folder.path.split(separator: "/").last.map(String.init) ?? "bert"
    var builder = try BERTBuilder(name, configuration, weights)
    let hidden = try builder.encoder()
    let pooling = try SentencePooling(folder)

    var task: TaskHint?
    switch configuration.head {
    case .none:
      let masked = builder.masked(hidden)
      builder.graph.addOutput("last_hidden_state", masked)
      if let pooling {
        builder.graph.addOutput("sentence_embedding", builder.pool(hidden, masked, pooling))
        task = .sentenceEmbedding
      }
    case .sequenceClassification:
      builder.graph.addOutput("logits", try builder.sequenceLogits(hidden))
      task = .textClassification
    case .tokenClassification:
      builder.graph.addOutput("logits", try builder.tokenLogits(hidden))
      task = .tokenClassification
    }
    do throws(GraphError) {
      try builder.graph.verify()
    } catch {
      throw ImportError(
        file: folder.path, .node(name: error.node, operator: "", error.message))
    }

    builder.graph.unusedTensors = weights.unused
    var model = ImportedModel(graph: builder.graph, format: .huggingFace)
    model.task = task
    if configuration.head != .none { model.labels = configuration.labels }
    model.tokenizer = TokenizerSource(
      vocabulary: try folder.bytes("vocab.txt"),
      tokenizerJSON: try folder.bytes("tokenizer.json"),
      configurationJSON: try folder.bytes("tokenizer_config.json"))
    model.maximumLength = min(configuration.maximumLength, try textLimit(folder) ?? Int.max)
    return model
  }

  /// The length that sentence-transformers or the tokenizer cuts texts to.
  private static func textLimit(_ folder: HuggingFaceFolder) throws(ImportError) -> Int? {
    for (file, key) in [
      ("sentence_bert_config.json", "max_seq_length"),
      ("tokenizer_config.json", "model_max_length"),
    ] {
      // "No limit" is written as 1e30 there.
      guard let json = try folder.json(file), let number = json.value[key]?.numberValue else {
        continue
      }
      if number >= 1, number <= 0x1p40 { return Int(number) }
    }
    return nil
  }
}
