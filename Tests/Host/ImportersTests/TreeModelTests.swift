// Tree models against the predictions of the libraries that made them.
import Foundation
import GraphRunning
import Graphs
import Importers
import Tensors
import Testing

/// The elements of any tensor of numbers, whatever its alignment.
private func numbers(_ constant: Constant) -> [Double] {
  let copy = Constant(copying: constant.view)
  return withExtendedLifetime(copy) {
    (0..<copy.shape.elementCount).map { i in
      switch copy.elementType {
      case .f64: copy.view.elements(Double.self)[i]
      case .f32: Double(copy.view.floats[i])
      default: Double(copy.view.integer(at: i))
      }
    }
  }
}

/// The same numbers as another type.
private func converted(_ constant: Constant, to type: ElementType) -> Constant {
  guard constant.elementType != type else { return Constant(copying: constant.view) }
  let values = numbers(constant)
  return Constant(elementType: type, shape: constant.shape) { out in
    for (i, v) in values.enumerated() {
      switch type {
      case .f64: out.storeBytes(of: v, toByteOffset: i * 8, as: Double.self)
      case .f32: out.storeBytes(of: Float(v), toByteOffset: i * 4, as: Float.self)
      default: out.storeBytes(of: Int64(v), toByteOffset: i * 8, as: Int64.self)
      }
    }
  }
}

/// Tensors of a safetensors file by name, of every type.
private func tensors(_ path: String) throws -> [String: Constant] {
  let weights = try SafetensorsWeights(try ModelFile(mapping: path))
  var result: [String: Constant] = [:]
  for name in weights.names { result[name] = try weights.stored(name) }
  return result
}

/// Runs the model on its one input.
private func run(_ path: String, _ input: Constant) throws -> [String: Constant] {
  let graph = try Importer.importModel(path).graph
  #expect(graph.inputs.count == 1)
  let wanted = graph.inputs[0]
  return try GraphRunner(graph).run([
    graph[wanted.value].name: converted(input, to: wanted.elementType)
  ])
}

/// The first place where two tensors are further apart than `tolerance`, relative to 1 or the value.
private func difference(
  _ found: Constant?, _ expected: Constant, tolerance: Double = 1e-5
) -> String? {
  guard let found else { return "no such output" }
  let (a, b) = (numbers(found), numbers(expected))
  guard a.count == b.count else { return "\(found.shape), not \(expected.shape)" }
  for (i, (x, y)) in zip(a, b).enumerated() {
    if !(abs(x - y) <= tolerance * max(1, abs(y))) { return "[\(i)] is \(x), not \(y)" }
  }
  return nil
}

@Suite struct TreeModelTests {
  @Test(
    .enabled(if: Models.folder != nil, "KNAPSACK_MODELS names the folder of the model set"),
    arguments: [
      ("tab-adult-gbt/xgb.json", "probability_xgb"), ("tab-adult-gbt/xgb.ubj", "probability_xgb"),
      ("tab-adult-gbt/lgbm.txt", "probability_lgbm"),
    ])
  func adultMatches(model: String, output: String) throws {
    let folder = try #require(Models.folder)
    let data = try tensors(folder + "/tab-adult-gbt/io.safetensors")
    let found = try run(folder + "/" + model, try #require(data["input.features"]))
    #expect(difference(found["prediction"], try #require(data["output." + output])) == nil)
  }

  /// Rows of the held-out table: features, label, and what both libraries made of them.
  @Test(
    .enabled(if: Models.folder != nil, "KNAPSACK_MODELS names the folder of the model set"),
    arguments: [("xgb.ubj", 15, 0.8635), ("lgbm.txt", 16, 0.8590)])
  func adultIsAsAccurate(model: String, column: Int, accuracy: Double) throws {
    let folder = try #require(Models.folder) + "/tab-adult-gbt/"
    let text = try String(contentsOfFile: folder + "eval/adult_test.tsv", encoding: .utf8)
    let rows = text.split(separator: "\n").dropFirst().map {
      $0.split(separator: "\t", omittingEmptySubsequences: false).map { Double($0) ?? .nan }
    }
    let input = Constant(
      floats: rows.flatMap { $0.prefix(14).map { Float($0) } }, shape: Shape([rows.count, 14]))
    let found = numbers(try #require(try run(folder + model, input)["prediction"]))
    #expect(found.count == rows.count)
    var correct = 0
    for (row, p) in zip(rows, found) {
      #expect(abs(row[column] - p) < 1e-5)
      if (p > 0.5) == (row[14] == 1) { correct += 1 }
    }
    #expect(abs(Double(correct) / Double(rows.count) - accuracy) < 0.0005)
  }

  @Test(
    .enabled(if: Models.folder != nil, "KNAPSACK_MODELS names the folder of the model set"),
    arguments: [
      ("xgb_multi.json", "prediction", "xgb", 0.9519), ("rf.onnx", "probabilities", "rf", 0.9741),
      ("logreg.onnx", "probabilities", "logreg", 0.9611),
    ])
  func digitsMatch(model: String, output: String, key: String, accuracy: Double) throws {
    let folder = try #require(Models.folder) + "/tab-digits-rf/"
    let data = try tensors(folder + "eval/digits_test.safetensors")
    let outputs = try run(folder + model, try #require(data["input.X"]))
    let expected = try #require(data["output.\(key)_probabilities"])
    #expect(difference(outputs[output], expected) == nil)
    let labels = numbers(try #require(data["labels"]))
    let found = numbers(try #require(outputs[output]))
    let hits = labels.indices.filter { i in
      let row = found[i * 10..<i * 10 + 10]
      return Double(row.firstIndex(of: row.max()!)! - i * 10) == labels[i]
    }
    #expect(abs(Double(hits.count) / Double(labels.count) - accuracy) < 0.0005)
    if let label = outputs["label"] {
      #expect(zip(numbers(label), labels).filter { $0 == $1 }.count == hits.count)
    }
  }

  @Test(.enabled(if: Models.folder != nil, "KNAPSACK_MODELS names the folder of the model set"))
  func adultThroughONNXMatches() throws {
    let folder = try #require(Models.folder) + "/tab-adult-gbt/"
    let data = try tensors(folder + "io.safetensors")
    let outputs = try run(folder + "xgb.onnx", try #require(data["input.features"]))
    let expected = numbers(try #require(data["output.probability_xgb"]))
    let found = numbers(try #require(outputs["probabilities"]))
    let labels = numbers(try #require(outputs["label"]))
    #expect(found.count == 2 * expected.count && labels.count == expected.count)
    for (i, p) in expected.enumerated() {
      #expect(abs(found[2 * i + 1] - p) < 1e-5 && abs(found[2 * i] + p - 1) < 1e-5)
      #expect((labels[i] == 1) == (p > 0.5))
    }
  }

  static let folder = ProcessInfo.processInfo.environment["KNAPSACK_TREE_TESTS"]

  /// Models that scripts/tree-tests.py has just trained, by library.
  @Test(
    .enabled(if: folder != nil, "KNAPSACK_TREE_TESTS names the folder of trained tree models"),
    arguments: ["xgboost", "lightgbm", "sklearn"])
  func trainedModelsMatch(library: String) throws {
    let folder = try #require(Self.folder) + "/" + library
    let cases = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    #expect(cases.count >= 20)
    for name in cases {
      let path = folder + "/" + name
      let file = try FileManager.default.contentsOfDirectory(atPath: path)
        .first { $0.hasPrefix("model.") }
      let data = try tensors(path + "/io.safetensors")
      do {
        let found = try run(path + "/" + (try #require(file)), try #require(data["input.X"]))
        for (key, expected) in data where key.hasPrefix("output.") {
          let difference = difference(found[String(key.dropFirst(7))], expected)
          #expect(difference == nil, "\(library)/\(name): \(key): \(difference ?? "")")
        }
      } catch {
        Issue.record("\(library)/\(name): \(error)")
      }
    }
  }
}
