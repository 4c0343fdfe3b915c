// A small random BERT: its Hugging Face folder in any family's names, and what it computes, written
// plainly.
import Foundation
import Importers
import Tasks
import Tensors

/// Weights by BERT's own names, and a forward pass without any of our operators.
struct TinyBERT {
  let width = 8
  let heads = 2
  let layers = 2
  let inner = 12
  let vocabulary = 20
  let positions = 6
  let labels = 3
  var weights: [String: (shape: [Int], values: [Float])] = [:]

  init() {
    var state: UInt64 = 7
    func random(_ shape: [Int], around centre: Float = 0) -> (shape: [Int], values: [Float]) {
      let values = (0..<shape.reduce(1, *)).map { _ -> Float in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return centre + Float(state >> 40) / Float(1 << 24) - 0.5
      }
      return (shape, values)
    }
    func norm(_ name: String) {
      weights[name + ".weight"] = random([width], around: 1)
      weights[name + ".bias"] = random([width])
    }
    func linear(_ name: String, _ outer: Int, _ inner: Int) {
      weights[name + ".weight"] = random([outer, inner])
      weights[name + ".bias"] = random([outer])
    }
    weights["embeddings.word_embeddings.weight"] = random([vocabulary, width])
    weights["embeddings.position_embeddings.weight"] = random([positions, width])
    weights["embeddings.token_type_embeddings.weight"] = random([2, width])
    norm("embeddings.LayerNorm")
    for i in 0..<layers {
      let base = "encoder.layer.\(i)."
      for part in ["query", "key", "value"] {
        linear(base + "attention.self." + part, width, width)
      }
      linear(base + "attention.output.dense", width, width)
      norm(base + "attention.output.LayerNorm")
      linear(base + "intermediate.dense", inner, width)
      linear(base + "output.dense", width, inner)
      norm(base + "output.LayerNorm")
    }
    linear("pooler.dense", width, width)
    linear("classifier", labels, width)
  }

  // MARK: Arithmetic

  typealias Rows = [[Double]]

  private func numbers(_ name: String) -> [Double] { weights[name]!.values.map(Double.init) }

  func linear(_ name: String, _ x: Rows) -> Rows {
    let w = numbers(name + ".weight")
    let b = numbers(name + ".bias")
    return x.map { row in
      b.indices.map { o in
        row.indices.reduce(b[o]) { $0 + row[$1] * w[o * row.count + $1] }
      }
    }
  }

  private func norm(_ name: String, _ x: Rows) -> Rows {
    let scale = numbers(name + ".weight")
    let bias = numbers(name + ".bias")
    return x.map { row in
      let mean = row.reduce(0, +) / Double(width)
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
      return row.indices.map {
        (row[$0] - mean) / (variance + 1e-12).squareRoot() * scale[$0] + bias[$0]
      }
    }
  }

  private func add(_ a: Rows, _ b: Rows) -> Rows { zip(a, b).map { zip($0, $1).map(+) } }

  private func row(_ table: String, _ i: Int) -> [Double] {
    Array(numbers("embeddings.\(table).weight")[i * width..<(i + 1) * width])
  }

  /// Hidden states of one text: ids, 1 for each real token, kinds of token.
  func encode(_ ids: [Int], _ mask: [Int], _ types: [Int]) -> Rows {
    var x = norm(
      "embeddings.LayerNorm",
      ids.indices.map { t in
        let word = row("word_embeddings", ids[t])
        let place = row("position_embeddings", t)
        let kind = row("token_type_embeddings", types[t])
        return (0..<width).map { word[$0] + place[$0] + kind[$0] }
      })
    for i in 0..<layers {
      let base = "encoder.layer.\(i)."
      let q = linear(base + "attention.self.query", x)
      let k = linear(base + "attention.self.key", x)
      let v = linear(base + "attention.self.value", x)
      let size = width / heads
      var mixed = Rows(repeating: [Double](repeating: 0, count: width), count: x.count)
      for head in 0..<heads {
        let columns = head * size..<(head + 1) * size
        for a in x.indices {
          let weights = x.indices.map { b -> Double in
            guard mask[b] == 1 else { return 0 }
            let score = columns.reduce(0) { $0 + q[a][$1] * k[b][$1] } / Double(size).squareRoot()
            return exp(score)
          }
          let total = weights.reduce(0, +)
          for c in columns {
            mixed[a][c] = x.indices.reduce(0) { $0 + weights[$1] / total * v[$1][c] }
          }
        }
      }
      let attended = norm(
        base + "attention.output.LayerNorm",
        add(linear(base + "attention.output.dense", mixed), x))
      let grown = linear(base + "intermediate.dense", attended).map {
        $0.map { $0 / 2 * (1 + erf($0 / 2.0.squareRoot())) }
      }
      x = norm(base + "output.LayerNorm", add(linear(base + "output.dense", grown), attended))
    }
    return x
  }

  // MARK: Folders

  /// The name of a weight in a family's checkpoints; nil where the family has no such weight.
  private func name(_ name: String, family: String) -> String? {
    guard family == "distilbert" else { return name }
    if name.contains("token_type") { return nil }
    var name = name
    for (old, new) in [
      ("encoder.layer", "transformer.layer"), ("attention.self.query", "attention.q_lin"),
      ("attention.self.key", "attention.k_lin"), ("attention.self.value", "attention.v_lin"),
      ("attention.output.dense", "attention.out_lin"),
      ("attention.output.LayerNorm", "sa_layer_norm"), ("intermediate.dense", "ffn.lin1"),
      ("output.dense", "ffn.lin2"), ("output.LayerNorm", "output_layer_norm"),
      ("pooler.dense", "pre_classifier"),
    ] {
      name = name.replacingOccurrences(of: old, with: new)
    }
    return name
  }

  /// config.json of a family; `changes` add and replace keys, nil takes one out.
  func configuration(family: String, architecture: String, _ changes: [String: Any?] = [:])
    -> [String: Any]
  {
    var keys: [String: Any] = [
      "model_type": family, "architectures": [architecture], "vocab_size": vocabulary,
      "max_position_embeddings": positions, "id2label": ["0": "a", "1": "b", "2": "c"],
    ]
    let isDistilled = family == "distilbert"
    keys[isDistilled ? "dim" : "hidden_size"] = width
    keys[isDistilled ? "n_layers" : "num_hidden_layers"] = layers
    keys[isDistilled ? "n_heads" : "num_attention_heads"] = heads
    keys[isDistilled ? "hidden_dim" : "intermediate_size"] = inner
    for (key, value) in changes { keys[key] = value }
    return keys
  }

  /// Writes the folder and returns its path. prefix: what stands in front of the encoder's names.
  func write(
    family: String = "bert", architecture: String = "BertModel", prefix: String = "",
    changes: [String: Any?] = [:], without missing: String? = nil
  ) throws -> String {
    let path = NSTemporaryDirectory() + "knapsack-bert-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let json = configuration(family: family, architecture: architecture, changes)
    try JSONSerialization.data(withJSONObject: json)
      .write(to: URL(fileURLWithPath: path + "/config.json"))
    var writer = SafetensorsWriter()
    for (own, tensor) in weights.sorted(by: { $0.key < $1.key }) {
      guard let name = name(own, family: family), own != missing else { continue }
      let isHead = name.hasPrefix("classifier") || name.hasPrefix("pre_classifier")
      try writer.add(
        (isHead ? "" : prefix) + name, .f32, Shape(tensor.shape),
        bytes: tensor.values.withUnsafeBytes { [UInt8]($0) })
    }
    try writer.write(to: path + "/model.safetensors")
    return path
  }
}
