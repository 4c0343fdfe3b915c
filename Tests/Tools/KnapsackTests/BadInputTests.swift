// Damaged and hostile files given to the tools themselves; the readers' own tests go through many more.

import Foundation
import Testing

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct BadInputTests {
  let folder: Folder
  let bundle: String

  init() throws {
    folder = try Folder()
    bundle = try DigitsBundle.path()
  }

  @Test func damagedBundles() throws {
    let good = try Repository.bytes(bundle)
    for i in 0..<8 {
      let cut = try folder.write("cut", good[..<(good.count / 8 * i + i)])
      let tool = i % 2 == 0 ? Tool.knapsackRun : .knapsack
      try tool.refusal(65, ["run", cut])
    }
    for i in 0..<8 {
      var bytes = good
      bytes[good.count / 8 * i + 9 * i] ^= 1 << i
      let flipped = try folder.write("flipped", bytes)
      try Tool.knapsackRun.refusal(65, ["run", flipped])
      if i > 0 { try Tool.knapsack.refusal(65, ["verify", flipped]) }
    }
    try Tool.knapsack.refusal(65, ["run", try folder.write("twice", good + good)])
    try Tool.knapsack.refusal(65, ["verify", try folder.write("empty", [])])
    try Tool.knapsackRun.refusal(65, ["run", Repository.digitsModel])
  }

  @Test func damagedModels() throws {
    let good = try Repository.bytes(Repository.digitsModel)
    for count in stride(from: 0, to: good.count, by: good.count / 6) {
      let cut = try folder.write("cut.onnx", good[..<count])
      try Tool.knapsack.refusal(65, ["run", cut])
      try Tool.knapsack.refusal(65, ["pack", cut, "--output", folder.path("x.knap")])
    }
    // A flipped bit may be another model: then it runs. It never crashes.
    for i in 0..<12 {
      var bytes = good
      bytes[good.count / 12 * i + 31] ^= 1 << (i % 8)
      let flipped = try folder.write("flipped.onnx", bytes)
      let outcome = try Tool.knapsack.run(["run", flipped])
      #expect(outcome.status == 0 || outcome.status == 65, "\(outcome.status): \(outcome.error)")
    }
    let renamed = try folder.write("model.onnx", try Repository.bytes(Repository.digitsData))
    try Tool.knapsack.refusal(65, ["pack", renamed])
    try Tool.knapsack.refusal(65, ["pack", folder.url.path])
    #expect(!folder.names.contains { $0.hasSuffix("knap") || $0.hasSuffix("tmp") })
  }

  @Test func wrongTensors() throws {
    let image = [UInt8](repeating: 0, count: 64 * 4)
    let cases: [(String, [(name: String, type: String, shape: [Int], bytes: [UInt8])], String)] = [
      ("missing", [("picture", "F32", [1, 1, 8, 8], image)], "input.image"),
      ("rank", [("image", "F32", [1, 8, 8], image)], "[batch, 1, 8, 8]"),
      ("extent", [("image", "F32", [1, 1, 4, 16], image)], "[batch, 1, 8, 8]"),
      ("text", [("image", "BOOL", [2, 1, 8, 16], image)], "[batch, 1, 8, 8]"),
      ("none", [("image", "F32", [0, 1, 8, 8], [])], "image"),
    ]
    for (name, tensors, place) in cases {
      let path = try folder.write(name + ".safetensors", TensorTable.bytes(tensors))
      for tool in [Tool.knapsack, .knapsackRun] {
        let outcome = try tool.run(["run", bundle, "--input", path])
        if name == "none", outcome.status == 0 { continue }
        #expect(outcome.status == 65, "\(name): \(outcome.error)")
        #expect(outcome.errorLines.count == 1 && outcome.error.contains(place), "\(outcome.error)")
      }
    }
    // Integers are numbers: the same image as bytes gives an answer.
    let bytes = try folder.write(
      "u8.safetensors",
      TensorTable.bytes([("image", "U8", [1, 1, 8, 8], [UInt8](repeating: 7, count: 64))]))
    #expect(try Tool.knapsack.run(["run", bundle, "--input", bytes]).status == 0)
  }

  @Test func hostileTensorFiles() throws {
    func file(_ header: String, length: Int? = nil, body: Int = 0) -> [UInt8] {
      let count = length ?? header.utf8.count
      return (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) } + Array(header.utf8)
        + [UInt8](repeating: 0, count: body)
    }
    let good = try Repository.bytes(Repository.digitsData)
    let cases: [String: [UInt8]] = [
      "empty": [], "short": [1, 2, 3], "length": file("{}", length: Int.max),
      "negative": file("{}", length: -1), "not JSON": file("{]"),
      "deep": file(String(repeating: "[", count: 100_000)),
      "overflow": file(
        #"{"image":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#),
      "outside": file(#"{"image":{"dtype":"F32","shape":[1,1,8,8],"data_offsets":[0,256]}}"#),
      "backwards": file(
        #"{"image":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, body: 4),
      "negative extent": file(
        #"{"image":{"dtype":"F32","shape":[-1,1,8,8],"data_offsets":[0,4]}}"#, body: 4),
      "twice": file(
        #"{"image":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"#
          + #""image":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#, body: 2),
      "dtype": file(#"{"image":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}"#, body: 4),
      "cut": Array(good.dropLast()), "longer": good + [0],
    ]
    for (name, bytes) in cases {
      let path = try folder.write("x.safetensors", bytes)
      #expect(try Tool.knapsackRun.refusal(65, ["run", bundle, path]).contains(path), "\(name)")
      try Tool.knapsack.refusal(65, ["run", bundle, "--input", path])
    }
  }

  @Test func hostileRecipes() throws {
    try folder.write("digits.onnx", try Repository.bytes(Repository.digitsModel))
    let good = #"{name: "x", model: "digits.onnx", limits: {batch: 1}}"#
    func pack(_ text: String) throws -> Outcome {
      try folder.write("bundle.json5", text.utf8)
      return try Tool.knapsack.run(["pack", folder.url.path, "--output", folder.path("x.knap")])
    }
    #expect(try pack(good).status == 0)
    try FileManager.default.removeItem(atPath: folder.path("x.knap"))
    let cases = [
      (#"{name: "x", model: "../digits.onnx"}"#, "model"),
      (#"{name: "x", model: "/etc/passwd"}"#, "model"), (#"{name: "x", model: 3}"#, "model"),
      (#"{name: "x"}"#, "model"), (#"{name: "x", model: "digits.onnx", modle: 1}"#, "modle"),
      (#"{name: "x", model: "digits.onnx", limits: {batch: -1}}"#, "limits.batch"),
      (#"{name: "x", model: "digits.onnx", limits: {batch: 1e99}}"#, "limits.batch"),
      (#"{name: "x", model: "digits.onnx", task: "fly"}"#, "task"),
      (#"{name: "x", model: "digits.onnx", labels: "a"}"#, "labels"), ("[]", "object"),
      ("", "byte"),
      ("{name:" + String(repeating: "[", count: 200_000), "byte"),
    ]
    for (text, place) in cases {
      let outcome = try pack(text)
      #expect(outcome.status == 65, "\(text.prefix(80)): \(outcome.error)")
      #expect(outcome.errorLines.count == 1 && outcome.error.contains(place), "\(outcome.error)")
    }
    let missing = try pack(#"{name: "x", model: "missing.onnx"}"#)
    #expect(missing.status == 66 && missing.errorLines.count == 1)
    #expect(folder.names == ["bundle.json5", "digits.onnx"])
  }

  @Test func hugeLimitsAreRefusedBeforeAnythingIsReserved() throws {
    // 10 ** 5 fits no small board, 10 ** 9 no machine at all.
    for (limit, codes) in [("batch=100000000", [2, 65]), ("batch=1000000000", [65])]
      as [(String, [Int32])]
    {
      for command in ["pack", "run", "inspect", "bench"] {
        var arguments = [command, Repository.digits, "--limit", limit]
        if command == "pack" { arguments += ["--output", folder.path("x.knap")] }
        let outcome = try Tool.knapsack.run(arguments, limit: "-v 2000000")
        #expect(codes.contains(outcome.status), "\(arguments): \(outcome.status) \(outcome.error)")
        #expect(outcome.errorLines.count == 1)
      }
    }
    #expect(folder.names.isEmpty)
  }
}
