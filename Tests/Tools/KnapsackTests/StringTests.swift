// A table with text in it, and texts, from the command line through scikit-learn's pipelines.
import Foundation
import Testing

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct StringTests {
  private static let folder =
    URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../Support/Strings").path

  private func first(_ outcome: Outcome, _ output: String) throws -> [Any] {
    #expect(outcome.status == 0, "\(outcome.error)")
    let results = try #require(try outcome.object()["results"] as? [[String: Any]])
    let outputs = try #require(results.first?["outputs"] as? [[String: Any]])
    let tensor = try #require(outputs.first { $0["name"] as? String == output })
    return try #require(tensor["first_values"] as? [Any])
  }

  @Test(arguments: ["onehot", "ordinal"]) func rowsAreTyped(name: String) throws {
    let folder = try Folder()
    let model = StringTests.folder + "/\(name).onnx"
    let bundle = folder.path("table.knap")
    #expect(try Tool.knapsack.run(["pack", model, "--output", bundle]).status == 0)
    let label = name == "onehot" ? "label" : "output_label"
    let row = ["--value", "job=clerk", "--value", "town=Köln", "--value", "age=31"]
    for (tool, path) in [
      (Tool.knapsack, model), (.knapsack, bundle), (.knapsackRun, bundle),
    ] {
      let outcome = try tool.run(["run", path] + row + ["--format", "json"])
      #expect(try first(outcome, label) as? [String] == ["stays"])
    }
    // Another row, and what is printed for people.
    let two = row + ["--value", "job=farmer", "--value", "town=Bonn", "--value", "age=52"]
    let outcome = try Tool.knapsackRun.run(["run", bundle] + two)
    #expect(outcome.text.contains("\(label) string[2] ['stays', 'leaves']"), "\(outcome.text)")
    for (wrong, status) in [
      (["--value", "job=clerk"], Int32(64)), (row + ["--value", "pay=1"], 64),
      (["--value", "job"], 64),
      (["--value", "job=a", "--value", "town=b", "--value", "age=old"], 64),
    ] {
      let outcome = try Tool.knapsackRun.run(["run", bundle] + wrong)
      #expect(outcome.status == status && !outcome.error.isEmpty, "\(wrong): \(outcome.error)")
    }
  }

  @Test func textsAreClassified() throws {
    let folder = try Folder()
    let model = StringTests.folder + "/tfidf.onnx"
    let texts = ["A fine film, warm and funny!", "Dull, slow and far too long."]
    let outcome = try Tool.knapsack.run(["run", model] + texts)
    #expect(outcome.text.contains("label string[1] ['good']"), "\(outcome.text)")
    #expect(outcome.text.contains("label string[1] ['bad']"))
    // Lines of standard input, and the labels as bytes in a file.
    let lines = folder.path("lines.txt")
    try (texts.joined(separator: "\n") + "\n").write(
      toFile: lines, atomically: true, encoding: .utf8)
    #expect(
      try Tool.knapsack.run(["run", model, "-"], input: lines).text
        .contains("label string[1] ['bad']"))
    let output = folder.path("out.safetensors")
    let rows = texts.flatMap { ["--value", "text=\($0)"] }
    #expect(try Tool.knapsack.run(["run", model] + rows + ["--output", output]).status == 0)
    let table = try TensorTable(path: output)
    #expect(table.entries["output.label"]?.shape == [2, 4])
    // What was written as bytes is read as texts.
    #expect(
      try Tool.knapsack.run(["bench", model, "--repeat", "3", "--value", "text=fine"]).status == 0)
  }

  /// NumPy's arrays of texts, in four bytes a scalar and in one a byte.
  @Test func arraysOfTextsAreRead() throws {
    let folder = try Folder()
    let model = StringTests.folder + "/tfidf.onnx"
    func array(_ description: String, _ bytes: [UInt8]) -> Data {
      var header =
        "{'descr': '\(description)', 'fortran_order': False, 'shape': (2, 1), }"
      while (10 + header.utf8.count + 1) % 64 != 0 { header += " " }
      header += "\n"
      let count = header.utf8.count
      return Data(
        [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(count & 255), UInt8(count >> 8)]
          + Array(header.utf8) + bytes)
    }
    let texts = ["dull", "wärm"]
    let wide = texts.flatMap { text -> [UInt8] in
      text.unicodeScalars.flatMap { scalar -> [UInt8] in
        withUnsafeBytes(of: scalar.value.littleEndian) { [UInt8]($0) }
      }
    }
    let narrow = texts.flatMap { text -> [UInt8] in
      Array(text.utf8) + (text.utf8.count < 5 ? [0] : [])
    }
    for (description, bytes) in [("<U4", wide), ("|S5", narrow)] {
      let path = folder.path("texts.npy")
      try array(description, bytes).write(to: URL(filePath: path))
      let outcome = try Tool.knapsack.run(["run", model, "--value", "text=@\(path)"])
      #expect(outcome.text.contains("label string[2] ['bad', 'good']"), "\(outcome.text)")
      try array(description, bytes.dropLast()).write(to: URL(filePath: path))
      #expect(try Tool.knapsack.run(["run", model, "--value", "text=@\(path)"]).status == 65)
    }
    #expect(
      try Tool.knapsack.run(["run", model, "--value", "text=@\(folder.path("none.npy"))"]).status
        == 66)
  }
}
