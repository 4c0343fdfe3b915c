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
    #expect(folder.names.isEmpty)
  }
}
