// Real models through the tools, against what their own engines gave.

import Foundation
import Testing

private let environment = ProcessInfo.processInfo.environment
private let models = environment["KNAPSACK_MODELS"]
private let miniLM = environment["KNAPSACK_MINILM"]

@Suite(
  .enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"),
  .enabled(if: models != nil, "KNAPSACK_MODELS is not set: the folder of models"))
struct ModelTests {
  let folder: Folder

  init() throws { folder = try Folder() }

  /// The largest difference of any two elements; with `isRelative`, over the largest magnitude.
  private func difference(_ a: [Float], _ b: [Float], isRelative: Bool = false) -> Float {
    guard a.count == b.count else { return .infinity }
    let scale = isRelative ? b.reduce(0) { max($0, $1.magnitude) } : 1
    return zip(a, b).reduce(0) { worst, pair in
      let d = (pair.0 - pair.1).magnitude
      return d.isNaN ? .infinity : max(worst, d)
    } / scale
  }

  private func cosine(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Double {
    var (dot, aa, bb) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
      dot += Double(x) * Double(y)
      aa += Double(x) * Double(x)
      bb += Double(y) * Double(y)
    }
    return dot / (aa * bb).squareRoot()
  }

  private func pack(_ model: String, _ scheme: String) throws -> String {
    let path = folder.path("\(scheme).knap")
    let outcome = try Tool.knapsack.run(["pack", model, "--scheme", scheme, "--output", path])
    try #require(outcome.status == 0, "\(outcome.error)")
    return path
  }

  private func run(_ source: String, on data: String) throws -> TensorTable {
    let output = folder.path("out.safetensors")
    let outcome = try Tool.knapsack.run(["run", source, "--input", data, "--output", output])
    try #require(outcome.status == 0, "\(outcome.error)")
    return try TensorTable(path: output)
  }

  /// Eight sentences of several lengths in one batch, padded. The least cosine of the embeddings.
  private func sentences(_ bundle: String) throws -> (least: Double, largestError: Float) {
    let data = try #require(models) + "/emb-minilm-l6-v2/io.safetensors"
    let (expected, found) = (try TensorTable(path: data), try run(bundle, on: data))
    var least = 1.0
    var error: Float = 0
    for name in ["output.last_hidden_state", "output.sentence_embedding"] {
      let (a, b) = (try found.floats(name), try expected.floats(name))
      #expect(found.entries[name]?.shape == expected.entries[name]?.shape)
      error = max(error, difference(a, b))
      guard name.hasSuffix("embedding") else { continue }
      for row in stride(from: 0, to: b.count, by: 384) {
        least = min(least, cosine(a[row..<row + 384], b[row..<row + 384]))
      }
    }
    return (least, error)
  }

  @Test(.enabled(if: miniLM != nil, "KNAPSACK_MINILM is not set: the folder of MiniLM"))
  func miniLMExact() throws {
    let bundle = try pack(try #require(miniLM), "f32")
    let (least, error) = try sentences(bundle)
    #expect(error <= 1e-4, "padding included")
    #expect(least >= 0.99999)

    // Text in, embedding out, the whole vector as JSON; both tools say the same.
    var answers: [[Double]] = []
    for tool in [Tool.knapsack, .knapsackRun] {
      let outcome = try tool.run(["run", bundle, "two dogs play", "--format", "json"])
      let results = try #require(try outcome.object()["results"] as? [[String: Any]])
      #expect(results.first?["text"] as? String == "two dogs play")
      answers.append(try #require(results.first?["embedding"] as? [Double]))
    }
    #expect(answers[0] == answers[1] && answers[0].count == 384)
    #expect(abs(answers[0].reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)

    // A batch of texts, in a file, by lines: what each would be alone.
    let file = try folder.write("texts.txt", "two dogs play\n\nnaïve 日本 🐕\ntwo dogs play".utf8)
    let lines = try Tool.knapsack.run(["run", bundle, file, "--format", "json"]).object()
    let vectors = try #require(lines["results"] as? [[String: Any]])
      .compactMap { $0["embedding"] as? [Double] }
    #expect(vectors.count == 3)
    #expect(vectors.first == answers[0] && vectors.last == answers[0])
    #expect(vectors[1] != answers[0])

    // 1 text of 128 tokens is what bench runs when it is given nothing.
    let bench = try Tool.knapsack.run(["bench", bundle, "--repeat", "5", "--format", "json"])
    let object = try bench.object()
    let predicted = try #require(object["predicted_peak_memory_bytes"] as? Double)
    let measured = try #require(object["peak_memory_bytes"] as? Double)
    #expect(abs(predicted / measured - 1) <= 0.1, "\(predicted) predicted, \(measured) measured")
  }

  @Test(
    .enabled(if: miniLM != nil, "KNAPSACK_MINILM is not set: the folder of MiniLM"),
    arguments: [
      ("f16", 0.9999, 17.0), ("int8", 0.995, 9), ("nl6", 0.998, 7), ("nl5", 0.993, 6),
      ("nl4", 0.975, 5), ("iq4_nl", 0.97, 5), ("nl3", 0.9, 4), ("nl2", 0.5, 3),
    ])
  func miniLMQuantized(scheme: String, cosine: Double, bits: Double) throws {
    let bundle = try pack(try #require(miniLM), scheme)
    #expect(try sentences(bundle).least >= cosine)
    let inspected = try Tool.knapsack.run(["inspect", bundle, "--format", "json"]).object()
    #expect(try #require(inspected["bits_per_weight"] as? Double) < bits)
  }

  @Test(.enabled(if: miniLM != nil, "KNAPSACK_MINILM is not set: the folder of MiniLM"))
  func miniLMHasLimits() throws {
    let model = try #require(miniLM)
    let bundle = try pack(model, "int8")
    // More tokens than there are positions are no input; a long text is cut.
    let count = 513
    func tensor(_ name: String, _ value: UInt8) -> (String, String, [Int], [UInt8]) {
      (name, "I64", [1, count], (0..<count).flatMap { _ in [value, 0, 0, 0, 0, 0, 0, 0] })
    }
    let data = try folder.write(
      "long.safetensors",
      TensorTable.bytes([
        tensor("attention_mask", 1), tensor("input_ids", 101), tensor("token_type_ids", 0),
      ]))
    #expect(try Tool.knapsack.refusal(65, ["run", bundle, "--input", data]).contains("position"))
    let text = try folder.write("long.txt", String(repeating: "dog ", count: 100_000).utf8)
    #expect(try Tool.knapsackRun.run(["run", bundle, text]).status == 0)
    #expect(try Tool.knapsack.run(["run", bundle, ""]).status == 0)
    #expect(
      try Tool.knapsack.refusal(64, ["pack", model, "--limit", "sequence=513"]).contains("512"))
    // Bytes that are no text are a text too.
    var noise: [UInt8] = []
    var state: UInt32 = 1
    for _ in 0..<4000 {
      state = state &* 1_664_525 &+ 1_013_904_223
      noise.append(UInt8(state >> 24))
    }
    let input = try folder.write("noise", noise)
    let outcome = try Tool.knapsackRun.run(["run", bundle, "-", "--format", "json"], input: input)
    #expect(outcome.status == 0)
    let results = try #require(try outcome.object()["results"] as? [Any])
    #expect(results.count == noise.split(separator: 10).count)
  }

  @Test(arguments: [
    ("face-ultraface-320", "ultraface_rfb_320.onnx"), ("ocr-lprnet-plates", "lprnet.onnx"),
    ("filetype-magika-v3_3", "model.onnx"),
  ])
  func modelsAgreeWithTheirEngine(name: String, file: String) throws {
    let root = try #require(models) + "/" + name
    let expected = try TensorTable(path: root + "/io.safetensors")
    let bundle = try pack(root + "/" + file, "f32")
    for source in [bundle, root + "/" + file] {
      let found = try run(source, on: root + "/io.safetensors")
      let outputs = expected.entries.keys.filter { $0.hasPrefix("output.") }
      #expect(!outputs.isEmpty)
      for output in outputs {
        let error = difference(
          try found.floats(output), try expected.floats(output), isRelative: true)
        #expect(error <= 1e-4, "\(output): \(error)")
      }
    }
  }

  @Test(.enabled(if: miniLM != nil, "KNAPSACK_MINILM is not set: the folder of MiniLM"))
  func aSignalWhilePackingLeavesNothing() throws {
    let model = try #require(miniLM)
    var wasWriting = false
    let outcome = try Tool.knapsack.run(
      ["pack", model, "--scheme", "f32", "--output", folder.path("x.knap")]
    ) { child in
      for _ in 0..<20_000 where !wasWriting {
        // What is being written has no name yet where the file system can do that.
        wasWriting = Tool.openFiles(of: child).contains { $0.hasPrefix(folder.url.path) }
        usleep(500)
      }
      kill(child, SIGINT)
    }
    #expect(wasWriting && outcome.status == -SIGINT)
    #expect(outcome.error.isEmpty)
    #expect(folder.names.isEmpty)
  }

  /// A tokenizer that is damaged, beside a model that is whole.
  @Test(.enabled(if: miniLM != nil, "KNAPSACK_MINILM is not set: the folder of MiniLM"))
  func hostileTokenizers() throws {
    let model = try #require(miniLM)
    for name in ["config.json", "model.safetensors"] {
      try FileManager.default.createSymbolicLink(
        atPath: folder.path(name), withDestinationPath: model + "/" + name)
    }
    let good = try Repository.bytes(model + "/tokenizer.json")
    let cases = [
      [], Array("{}".utf8), Array(good[..<(good.count / 2)]), Array("[1,2".utf8),
      Array(#"{"model":{"type":"BPE","vocab":{}}}"#.utf8),
      Array(#"{"model":{"type":"WordPiece","vocab":{"[UNK]":-1}}}"#.utf8),
      Array(#"{"model":{"type":"WordPiece","vocab":{"[UNK]":4000000000}}}"#.utf8),
      Array(String(repeating: #"{"model":"#, count: 50_000).utf8),
    ]
    for (i, bytes) in cases.enumerated() {
      try folder.write("tokenizer.json", bytes)
      let error = try Tool.knapsack.refusal(
        65, ["pack", folder.url.path, "--output", folder.path("x.knap")])
      #expect(error.contains("tokenizer"), "case \(i): \(error)")
    }
    #expect(!folder.names.contains { $0.contains("x.knap") })
  }

  /// Kernels with rows of zeros, as NumPy counts them in the ONNX file's initializers.
  @Test func slackFindsDeadChannels() throws {
    let model = try #require(models) + "/ocr-lprnet-plates/lprnet.onnx"
    let outcome = try Tool.knapsack.run(
      ["inspect", model, "--slack", "--target", "raspberry-pi-5", "--format", "json"])
    #expect(outcome.status == 0, "\(outcome.error)")
    let report = try outcome.object()
    let findings = try #require(report["findings"] as? [[String: Any]])
    let dead = findings.filter { $0["kind"] as? String == "dead_channels" }
    #expect(dead.compactMap { $0["bytes"] as? Int }.reduce(0, +) == 610_836)
    let counts = dead.compactMap { finding in
      (finding["detail"] as? String)?.split(separator: " ").first.flatMap { Int($0) }
    }
    #expect(counts.sorted() == [12, 20, 31, 217, 227, 232])
    let text = try Tool.knapsack.run(["inspect", model, "--slack"])
    #expect(text.status == 0 && text.text.contains("dead output channels, 6: 611 kB"))
  }
}
