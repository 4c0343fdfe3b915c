// knapsack export: the int8 file, and what the tool itself then makes of it.

import Foundation
import Testing

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct ExportTests {
  /// The exported digits model is smaller and as good, whichever way activations are written.
  @Test(arguments: [[], ["--unsigned"], ["--symmetric"], ["--ranges", "min-max"]])
  func digits(_ options: [String]) throws {
    let folder = try Folder()
    let path = folder.path("int8.onnx")
    let outcome = try Tool.knapsack.run(["export", Repository.digits, "--qdq", path] + options)
    #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome.error)")
    #expect(outcome.text.contains("labelled inputs"))
    let before = try Repository.bytes(Repository.digitsModel).count
    #expect(try Repository.bytes(path).count * 2 < before)
    // Read back as anybody's model: the largest output is the answer.
    let out = folder.path("out.safetensors")
    let run = try Tool.knapsack.run([
      "run", path, "--input", Repository.digitsData, "--output", out, "--format", "json",
    ])
    #expect(run.status == 0, "\(run.error)")
    let entry = try #require(try TensorTable(path: Repository.digitsData).entries["labels"])
    let width = entry.bytes.count / entry.shape[0]
    let labels = (0..<entry.shape[0]).map { Int(entry.bytes[$0 * width]) }
    let answers = try TensorTable(path: out)
    let scores = try answers.floats(try #require(answers.entries.keys.first))
    #expect(scores.count == labels.count * 10)
    let right = labels.indices.filter { i in
      let row = scores[i * 10..<i * 10 + 10]
      return row.indices.max { row[$0] < row[$1] }! - i * 10 == labels[i]
    }
    #expect(right.count * 100 >= labels.count * 98)
  }

  /// The same command twice gives the same bytes.
  @Test func isDeterministic() throws {
    let folder = try Folder()
    var files: [[UInt8]] = []
    for name in ["a.onnx", "b.onnx"] {
      let path = folder.path(name)
      #expect(try Tool.knapsack.run(["export", Repository.digits, "--qdq", path]).status == 0)
      files.append(try Repository.bytes(path))
    }
    #expect(files[0] == files[1])
  }

  @Test func refusals() throws {
    let folder = try Folder()
    let out = folder.path("int8.onnx")
    let model = Repository.digitsModel
    try Tool.knapsack.refusal(66, ["export", folder.path("none.onnx"), "--qdq", out])
    try Tool.knapsack.refusal(64, ["export", model, "--qdq", ""])
    try Tool.knapsack.refusal(64, ["export", model])
    try Tool.knapsack.refusal(64, ["export", model, "--qdq", model])
    try Tool.knapsack.refusal(
      66, ["export", model, "--qdq", out, "--calibration", "none.safetensors"])
    try Tool.knapsack.refusal(64, ["export", model, "--qdq", out, "--ranges", "none"])
    try Tool.knapsack.refusal(64, ["export", Repository.digits, "--qdq", folder.path("a.tflite")])
    #expect(folder.names.isEmpty)
  }
}

/// pack --npu: what is placed, what the bundle says of it, and that it runs here.
@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct PlacedBundleTests {
  /// The Orange Pi with an accelerator to which the way costs next to nothing: the digits are small.
  private func target(_ folder: Folder) throws -> String {
    let text = String(
      decoding: try Repository.bytes(
        Repository.root.appending(path: "Targets/orange-pi-5.json5").path),
      as: UTF8.self)
    let path = folder.path("near.json5")
    try text.replacing("transfer_seconds: 1.0e-4", with: "transfer_seconds: 0")
      .write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  @Test func digits() throws {
    let folder = try Folder()
    let (bundle, target) = (folder.path("digits.knap"), try target(folder))
    let outcome = try Tool.knapsack.run([
      "pack", Repository.digits, "--npu", "--target", target, "--output", bundle,
    ])
    #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome.error)")
    #expect(outcome.text.contains("accelerator  RKNPU2, three cores: "))
    #expect(outcome.text.contains("labelled inputs"))
    let inspected = try Tool.knapsack.run(["inspect", bundle])
    #expect(inspected.text.contains("accelerator  RKNPU2, three cores: "))
    let run = try Tool.knapsackRun.run(["run", bundle, Repository.digitsData, "--format", "json"])
    #expect(try #require(try run.object()["accuracy"] as? Double) >= 0.98)
    let again = folder.path("again.knap")
    _ = try Tool.knapsack.run([
      "pack", Repository.digits, "--npu", "--target", target, "--output", again,
    ])
    #expect(try Repository.bytes(bundle) == Repository.bytes(again))
  }

  /// The compiler's result lies in the bundle, and its own estimate beside ours.
  @Test func compiledParts() throws {
    let folder = try Folder()
    let python = folder.path("python")
    try """
    #!/bin/sh
    echo 'Cycles(DDR/NPU/Total)'
    echo '1/2/3000000'
    printf compiled > "$4"
    """.write(toFile: python, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: python)
    let bundle = folder.path("digits.knap")
    let outcome = try Tool.knapsack.run(
      [
        "pack", Repository.digits, "--npu", "--compile-npu", "--target", try target(folder),
        "--output", bundle,
      ], environment: ["KNAPSACK_PYTHON": python])
    #expect(outcome.status == 0, "\(outcome.error)")
    #expect(outcome.text.contains("rknn-toolkit2 made 8 B, it says 3.00 ms"))
    #expect(try Tool.knapsack.run(["inspect", bundle]).text.contains("part-1.rknn"))
    #expect(try Tool.knapsack.run(["verify", bundle]).status == 0)
  }

  @Test func refusals() throws {
    let folder = try Folder()
    let out = folder.path("a.knap")
    let pack = ["pack", Repository.digits, "--output", out, "--target"]
    try Tool.knapsack.refusal(78, pack + ["raspberry-pi-5", "--npu"])
    try Tool.knapsack.refusal(2, pack + ["orange-pi-5", "--npu"])
    try Tool.knapsack.refusal(64, pack + ["orange-pi-5", "--compile-npu"])
    let outcome = try Tool.knapsack.run(
      pack + [try target(folder), "--npu", "--compile-npu"],
      environment: ["KNAPSACK_PYTHON": "no-such-python"])
    #expect(outcome.status == 69 && outcome.errorLines.count == 1)
    #expect(outcome.error.contains("-m pip install rknn-toolkit2"))
    #expect(folder.names == ["near.json5"])
  }
}
