// Packing takes little memory whatever the model's size, says the same thing twice, and leaves nothing half.

import Foundation
import Testing

@Suite(.enabled(if: Tool.areBuilt, "the tools are built with the tests"))
struct PackMemoryTests {
  /// A BERT of random numbers in a Hugging Face folder: 31 MB of word embeddings, 14 MB of layers.
  private struct LargeModel {
    let folder: Folder
    let path: String
    let byteCount: Int

    init() throws {
      folder = try Folder()
      path = folder.path("")
      let (width, inner, layers, words) = (256, 1024, 4, 30_522)
      var tensors: [(String, [Int])] = [
        ("embeddings.word_embeddings.weight", [words, width]),
        ("embeddings.position_embeddings.weight", [512, width]),
        ("embeddings.token_type_embeddings.weight", [2, width]),
        ("embeddings.LayerNorm.weight", [width]), ("embeddings.LayerNorm.bias", [width]),
      ]
      func linear(_ name: String, _ outer: Int, _ inner: Int) {
        tensors += [(name + ".weight", [outer, inner]), (name + ".bias", [outer])]
      }
      func norm(_ name: String) {
        tensors += [(name + ".weight", [width]), (name + ".bias", [width])]
      }
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
      var end = 0
      var fields: [String] = []
      for (name, shape) in tensors {
        let count = shape.reduce(4, *)
        fields.append(
          "\"\(name)\":{\"dtype\":\"F32\",\"shape\":\(shape),"
            + "\"data_offsets\":[\(end),\(end + count)]}")
        end += count
      }
      let header = Array("{\(fields.joined(separator: ","))}".utf8)
      var state: UInt32 = 9
      var file = Data((0..<8).map { UInt8(header.count >> (8 * $0) & 0xFF) } + header)
      file.append(
        Data(
          count: end))
      let start = 8 + header.count
      file.withUnsafeMutableBytes { bytes in
        for at in stride(from: start, to: bytes.count, by: 4) {
          state = state &* 1_664_525 &+ 1_013_904_223
          // About normal: the sum of two even numbers.
          let x =
            Float(Int32(bitPattern: state) >> 16) + Float(Int16(truncatingIfNeeded: state >> 4))
          bytes.storeBytes(of: x * 0x1p-20, toByteOffset: at, as: Float.self)
        }
      }
      byteCount = file.count
      try file.write(to: folder.url.appending(path: "model.safetensors"))
      let config = """
        {"model_type": "bert", "hidden_size": \(width), "num_hidden_layers": \(layers),
         "num_attention_heads": 4, "intermediate_size": \(inner), "vocab_size": \(words),
         "max_position_embeddings": 512, "type_vocab_size": 2, "hidden_act": "gelu",
         "layer_norm_eps": 1e-12, "pad_token_id": 0}
        """
      try folder.write("config.json", config.utf8)
      let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
      let vocabulary = special + (special.count..<words).map { "w\($0)" }
      try folder.write("vocab.txt", vocabulary.joined(separator: "\n").utf8)
    }
  }

  private static let model = Result { try LargeModel() }

  @Test(arguments: [
    ["--scheme", "int8"], ["--scheme", "f32", "--weights", "mapped"],
    ["--scheme", "int8", "--weights", "smallest"], ["--scheme", "f16", "--weights", "smallest"],
  ])
  func takesLessThanOneAndAHalfModels(_ options: [String]) throws {
    let model = try Self.model.get()
    let folder = try Folder()
    let outcome = try Tool.knapsack.run(
      ["pack", model.path, "--output", folder.path("m.knap")] + options, seconds: 300)
    #expect(outcome.status == 0, "\(outcome.error)")
    #expect(folder.names.sorted().filter { $0.hasSuffix("knap") } == ["m.knap"])
    #expect(outcome.peakBytes > 1 << 20)
    #expect(
      outcome.peakBytes * 2 <= model.byteCount * 3,
      "\(outcome.peakBytes) bytes for \(model.byteCount)")
  }

  @Test(arguments: [
    ["--scheme", "int8"], ["--scheme", "f32", "--weights", "mapped"],
    ["--scheme", "iq4_nl", "--weights", "smallest"],
  ])
  func packsTheSameBytesWhateverIsFree(_ options: [String]) throws {
    let folder = try Folder()
    func pack(_ name: String) throws -> [UInt8] {
      let path = folder.path(name)
      let outcome = try Tool.knapsack.run(
        ["pack", Repository.digits, "--target", "host", "--output", path] + options)
      #expect(outcome.status == 0, "\(outcome.error)")
      return try Repository.bytes(path)
    }
    let first = try pack("a.knap")
    // Less storage is left, and less memory.
    try folder.write("ballast", [UInt8](repeating: 1, count: 16 << 20))
    let ballast = [UInt8](repeating: 1, count: 64 << 20)
    let second = try pack("b.knap")
    #expect(first == second)
    #expect(ballast.last == 1)
  }

  @Test func aKilledPackLeavesNoPartOfABundle() throws {
    let model = try Self.model.get()
    let whole = try Folder()
    let reference = try Tool.knapsack.run(
      ["pack", model.path, "--scheme", "int8", "--output", whole.path("m.knap")], seconds: 300)
    try #require(reference.status == 0, "\(reference.error)")
    let expected = try Repository.bytes(whole.path("m.knap"))
    for part in 1...6 {
      let folder = try Folder()
      var end: DispatchWorkItem?
      let outcome = try Tool.knapsack.run(
        ["pack", model.path, "--scheme", "int8", "--output", folder.path("m.knap")], seconds: 300
      ) { child in
        let item = DispatchWorkItem { kill(child, SIGKILL) }
        let delay = reference.seconds * Double(part) / 7
        DispatchQueue.global().asyncAfter(deadline: .now() + delay, execute: item)
        end = item
      }
      end?.cancel()
      #expect(outcome.status == -SIGKILL || outcome.status == 0)
      // Nothing half-written under any name, where files need none while they are written.
      let unnamed = open(folder.url.path, 0o20000000 | O_DIRECTORY | O_WRONLY, 0o600)
      if unnamed >= 0 {
        close(unnamed)
        #expect(folder.names.allSatisfy { $0 == "m.knap" }, "\(folder.names)")
      }
      if folder.names.contains("m.knap") {
        #expect(try Repository.bytes(folder.path("m.knap")) == expected)
      }
      // Whoever comes next is not in the way of what is left.
      if part == 3 {
        let again = try Tool.knapsack.run(
          ["pack", model.path, "--scheme", "int8", "--output", folder.path("m.knap")],
          seconds: 300)
        #expect(again.status == 0, "\(again.error)")
        #expect(try Repository.bytes(folder.path("m.knap")) == expected)
      }
    }
  }
}
