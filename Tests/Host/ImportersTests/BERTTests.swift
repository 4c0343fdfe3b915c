// BERT folders: what the graph computes against a plain forward pass, and folders that are wrong.
import Foundation
import Graphs
import Importers
import Tensors
import Testing

@Suite struct BERTTests {
  var bert = TinyBERT()
  /// Two texts; the second one has two padding tokens.
  let ids = [[3, 7, 19, 2, 5], [4, 1, 11, 0, 0]]
  let mask = [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
  let types = [[0, 0, 1, 1, 1], [0, 1, 1, 0, 0]]

  func inputs(_ graph: Graph) -> [String: Constant] {
    func constant(_ rows: [[Int]]) -> Constant {
      Constant(integers: rows.flatMap { $0 }, shape: Shape([rows.count, rows[0].count]))
    }
    let all = [
      "input_ids": constant(ids), "attention_mask": constant(mask),
      "token_type_ids": constant(types),
    ]
    let names = Set(graph.inputs.map { graph[$0.value].name })
    return all.filter { names.contains($0.key) }
  }

  func run(_ path: String) throws -> (model: ImportedModel, outputs: [String: Constant]) {
    defer { try? FileManager.default.removeItem(atPath: path) }
    let model = try Importer.importModel(path)
    return (model, try GraphRunner(model.graph).run(inputs(model.graph)))
  }

  func expect(
    _ found: Constant?, _ shape: [Int], _ values: [Double],
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let found = try #require(found, sourceLocation: location)
    #expect(found.shape == Shape(shape), sourceLocation: location)
    let floats = try #require(found.floats)
    try #require(floats.count == values.count, sourceLocation: location)
    for (a, b) in zip(floats, values) {
      #expect((Double(a) - b).magnitude < 1e-4, sourceLocation: location)
    }
  }

  /// Hidden states with padding rows 0.
  func hidden(_ types: [[Int]]) -> [[[Double]]] {
    (0..<2).map { text in
      zip(bert.encode(ids[text], mask[text], types[text]), mask[text]).map { row, real in
        row.map { $0 * Double(real) }
      }
    }
  }

  @Test func encoder() throws {
    let (model, outputs) = try run(try bert.write())
    #expect(model.task == nil)
    #expect(model.maximumLength == 6)
    #expect(model.graph.limits == ["sequence": 6])
    #expect(outputs.keys.sorted() == ["last_hidden_state"])
    try expect(
      outputs["last_hidden_state"], [2, 5, 8], hidden(types).flatMap { $0.flatMap { $0 } })
  }

  @Test(arguments: ["bert.", ""]) func prefixOfTheEncoder(prefix: String) throws {
    let path = try bert.write(architecture: "BertForMaskedLM", prefix: prefix)
    let outputs = try run(path).outputs
    try expect(
      outputs["last_hidden_state"], [2, 5, 8], hidden(types).flatMap { $0.flatMap { $0 } })
  }

  /// DistilBERT is BERT without kinds of token, under other names.
  @Test func distilled() throws {
    let path = try bert.write(
      family: "distilbert", architecture: "DistilBertModel", prefix: "distilbert.")
    let (model, outputs) = try run(path)
    #expect(model.graph.inputs.count == 2)
    var plain = bert
    let table = "embeddings.token_type_embeddings.weight"
    plain.weights[table]!.values = [Float](repeating: 0, count: 16)
    var tests = self
    tests.bert = plain
    try expect(
      outputs["last_hidden_state"], [2, 5, 8], tests.hidden(types).flatMap { $0.flatMap { $0 } })
  }

  /// RoBERTa's positions start behind the padding index and count real tokens only.
  @Test func roberta() throws {
    var shifted = bert
    let table = "embeddings.position_embeddings.weight"
    let kinds = "embeddings.token_type_embeddings.weight"
    let rows = bert.weights[table]!.values
    // Rows 0 and 1 are before and at the padding index.
    shifted.weights[table] = ([8, 8], [Float](repeating: 9, count: 16) + rows)
    shifted.weights[kinds] = ([1, 8], Array(bert.weights[kinds]!.values[..<8]))
    var tests = self
    let path = try shifted.write(
      family: "roberta", architecture: "RobertaModel", prefix: "roberta.",
      changes: ["max_position_embeddings": 8, "pad_token_id": 1, "type_vocab_size": 1])
    defer { try? FileManager.default.removeItem(atPath: path) }
    let model = try Importer.importModel(path)
    #expect(model.maximumLength == 6)
    // The padding index is a token here, so no text may hold it but as padding.
    let texts = [[3, 7, 19, 2, 5], [4, 12, 11, 1, 1]]
    let inputs = [
      "input_ids": Constant(integers: texts.flatMap { $0 }, shape: Shape([2, 5])),
      "attention_mask": Constant(integers: mask.flatMap { $0 }, shape: Shape([2, 5])),
    ]
    let outputs = try GraphRunner(model.graph).run(inputs)
    let zeros = [[Int]](repeating: [0, 0, 0, 0, 0], count: 2)
    let expected = (0..<2).flatMap { text in
      zip(bert.encode(texts[text], mask[text], zeros[text]), mask[text]).flatMap { row, real in
        row.map { $0 * Double(real) }
      }
    }
    tests.bert = shifted
    try expect(outputs["last_hidden_state"], [2, 5, 8], expected)
  }

  @Test(arguments: [true, false]) func sequenceClassification(isDistilled: Bool) throws {
    let path = try bert.write(
      family: isDistilled ? "distilbert" : "bert",
      architecture: isDistilled
        ? "DistilBertForSequenceClassification" : "BertForSequenceClassification",
      prefix: isDistilled ? "distilbert." : "bert.")
    let (model, outputs) = try run(path)
    #expect(model.task == .textClassification)
    #expect(model.labels == ["a", "b", "c"])
    #expect(outputs.keys.sorted() == ["logits"])
    var plain = bert
    if isDistilled {
      plain.weights["embeddings.token_type_embeddings.weight"]!.values = [Float](
        repeating: 0, count: 16)
    }
    let logits = (0..<2).flatMap { text -> [Double] in
      let first = plain.encode(ids[text], mask[text], types[text])[0]
      let pooled = plain.linear("pooler.dense", [first]).map {
        $0.map { isDistilled ? max($0, 0) : tanh($0) }
      }
      return plain.linear("classifier", pooled)[0]
    }
    try expect(outputs["logits"], [2, 3], logits)
  }

  @Test func tokenClassification() throws {
    let path = try bert.write(architecture: "BertForTokenClassification", prefix: "bert.")
    let (model, outputs) = try run(path)
    #expect(model.task == .tokenClassification)
    let rows = (0..<2).flatMap { text in
      bert.linear("classifier", bert.encode(ids[text], mask[text], types[text]))
    }
    let found = try #require(outputs["logits"])
    #expect(found.shape == Shape([2, 5, 3]))
    // What padding tokens are labelled means nothing.
    for (i, row) in rows.enumerated() where mask[i / 5][i % 5] == 1 {
      for (j, value) in row.enumerated() {
        #expect((Double(found.floats![i * 3 + j]) - value).magnitude < 1e-4)
      }
    }
  }

  func writePooling(_ path: String, _ modes: [String], normalizes: Bool) throws {
    var modules: [[String: Any]] = [
      ["idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"],
      ["idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"],
    ]
    if normalizes {
      modules.append([
        "idx": 2, "name": "2", "path": "2_Normalize",
        "type": "sentence_transformers.models.Normalize",
      ])
    }
    try JSONSerialization.data(withJSONObject: modules)
      .write(to: URL(fileURLWithPath: path + "/modules.json"))
    try FileManager.default.createDirectory(
      atPath: path + "/1_Pooling", withIntermediateDirectories: true)
    let pooling = Dictionary(uniqueKeysWithValues: modes.map { ("pooling_mode_\($0)", true) })
    try JSONSerialization.data(withJSONObject: pooling)
      .write(to: URL(fileURLWithPath: path + "/1_Pooling/config.json"))
  }

  @Test(arguments: [
    (["mean_tokens"], true), (["mean_tokens"], false), (["cls_token"], true),
    (["max_tokens"], false), (["mean_sqrt_len_tokens"], false),
    (["cls_token", "mean_tokens"], true),
  ])
  func sentenceEmbeddings(modes: [String], normalizes: Bool) throws {
    let path = try bert.write()
    try writePooling(path, modes, normalizes: normalizes)
    let (model, outputs) = try run(path)
    #expect(model.task == .sentenceEmbedding)
    let expected = (0..<2).flatMap { text -> [Double] in
      let rows = bert.encode(ids[text], mask[text], types[text])
      let real = rows.indices.filter { mask[text][$0] == 1 }
      var y: [Double] = []
      for mode in modes {
        y += (0..<8).map { column in
          let sum = real.reduce(0) { $0 + rows[$1][column] }
          return switch mode {
          case "cls_token": rows[0][column]
          case "max_tokens": real.map { rows[$0][column] }.max()!
          case "mean_tokens": sum / Double(real.count)
          default: sum / Double(real.count).squareRoot()
          }
        }
      }
      let norm = y.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return normalizes ? y.map { $0 / norm } : y
    }
    try expect(outputs["sentence_embedding"], [2, 8 * modes.count], expected)
  }

  // MARK: Wrong folders

  func refuse(_ path: String, naming key: String) throws {
    defer { try? FileManager.default.removeItem(atPath: path) }
    let error = #expect(throws: ImportError.self) { try Importer.importModel(path) }
    let text = try #require(error?.description)
    #expect(text.contains(key), "\(text)")
    #expect(!text.contains("\n"))
  }

  @Test(arguments: [
    ("hidden_size", 9 as any Sendable), ("hidden_size", -8), ("hidden_size", "8"),
    ("hidden_size", 1 << 60), ("num_attention_heads", 0), ("num_hidden_layers", 1 << 40),
    ("vocab_size", 21), ("max_position_embeddings", 7), ("type_vocab_size", 3),
    ("hidden_act", "sine"), ("model_type", "gpt2"), ("position_embedding_type", "relative_key"),
    ("is_decoder", true), ("layer_norm_eps", "small"), ("layer_norm_eps", -1),
    ("id2label", ["0": "a", "2": "b"]),
  ])
  func configurationsThatLie(key: String, value: any Sendable) throws {
    let architecture = "BertForSequenceClassification"
    let path = try bert.write(architecture: architecture, changes: [key: value])
    // A size that fits no tensor is found at the tensor.
    let tensors = [
      "vocab_size": "word_embeddings", "max_position_embeddings": "position_embeddings",
      "type_vocab_size": "token_type_embeddings",
    ]
    try refuse(path, naming: tensors[key] ?? key)
  }

  @Test(arguments: ["hidden_size", "model_type", "vocab_size"])
  func keysThatAreMissing(key: String) throws {
    try refuse(try bert.write(changes: [key: Optional<Any>.none]), naming: key)
  }

  @Test(arguments: [
    "embeddings.word_embeddings.weight", "encoder.layer.1.attention.self.key.bias",
    "encoder.layer.0.output.LayerNorm.weight",
  ])
  func tensorsThatAreMissing(name: String) throws {
    try refuse(try bert.write(without: name), naming: name)
  }

  @Test func weightsCutAnywhere() throws {
    let path = try bert.write()
    defer { try? FileManager.default.removeItem(atPath: path) }
    let file = URL(fileURLWithPath: path + "/model.safetensors")
    let whole = try Data(contentsOf: file)
    for count in stride(from: 0, to: whole.count, by: 64) {
      try whole.prefix(count).write(to: file)
      #expect(throws: ImportError.self) { try Importer.importModel(path) }
    }
  }

  @Test func bitsOfTheHeaderFlipped() throws {
    let path = try bert.write()
    defer { try? FileManager.default.removeItem(atPath: path) }
    let file = URL(fileURLWithPath: path + "/model.safetensors")
    let whole = try Data(contentsOf: file)
    for place in stride(from: 0, to: 3000, by: 7) {
      var bytes = whole
      bytes[place] ^= 1 << (place % 8)
      try bytes.write(to: file)
      do {
        try Importer.importModel(path).graph.verify()
      } catch let error as ImportError {
        #expect(!error.description.contains("\n"))
      }
    }
  }

  @Test func poolingModulesThatAreNotKnown() throws {
    let path = try bert.write()
    try writePooling(path, ["lasttoken"], normalizes: false)
    try refuse(path, naming: "lasttoken")
  }

  @Test func poolingFolderElsewhere() throws {
    let path = try bert.write()
    try writePooling(path, ["mean_tokens"], normalizes: false)
    let modules = path + "/modules.json"
    let text = try String(contentsOfFile: modules, encoding: .utf8)
    try text.replacingOccurrences(of: "1_Pooling", with: "..\\/..")
      .write(toFile: modules, atomically: true, encoding: .utf8)
    try refuse(path, naming: "modules.json")
  }

  @Test func weightsThatAreMissing() throws {
    let path = try bert.write()
    try FileManager.default.removeItem(atPath: path + "/model.safetensors")
    defer { try? FileManager.default.removeItem(atPath: path) }
    let error = #expect(throws: ImportError.self) { try Importer.importModel(path) }
    #expect(error?.isMissingInput == true)
  }
}
