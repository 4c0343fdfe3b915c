// fastText models against fastText's own answers.
import Foundation
import GraphRunning
import Graphs
import Importers
import Tensors
import Testing
import Tokenizers

/// A fastText model ready for texts.
private struct FastTextRunner {
  let graph: Graph
  private let run: GraphRun
  private let tokenizer: FastTextTokenizer

  init(_ path: String) throws {
    let model = try Importer.importModel(path)
    #expect(model.format == .fastText)
    graph = model.graph
    run = try GraphRun(try Rewriter.rewrite(model.graph))
    let bytes = try #require(model.tokenizer?.serialized)
    tokenizer = try FastTextTokenizer(serialized: bytes.span)
    #expect(tokenizer.serialize() == bytes)
  }

  /// Outputs for a text; nil where nothing in it is known.
  func outputs(_ text: String) throws -> [String: Constant]? {
    let sequence = tokenizer.encode(text)
    let count = sequence.ids.count
    guard count > 0 else { return nil }
    var inputs = [
      FastTextImporter.idsName: Constant(
        integers: sequence.ids.map { Int($0) }, shape: Shape([count]))
    ]
    if graph.inputs.count == 2 {
      var averages = [Float](repeating: 0, count: sequence.ends.count * count)
      var start = 0
      for (word, end) in sequence.ends.enumerated() {
        for i in start..<end { averages[word * count + i] = 1 / Float(end - start) }
        start = end
      }
      inputs[FastTextImporter.averagesName] = Constant(
        floats: averages, shape: Shape([sequence.ends.count, count]))
    }
    return try run(inputs)
  }

  /// Labels and probabilities, the best first.
  func answers(_ text: String) throws -> [(label: String, probability: Float)] {
    guard let found = try outputs(text)?["probabilities"]?.floats else { return [] }
    return zip(graph.labels, found).map { ($0, $1) }.sorted { $0.probability > $1.probability }
  }
}

@Suite struct FastTextTests {
  static let folder = ProcessInfo.processInfo.environment["KNAPSACK_FASTTEXT_TESTS"]

  @Test(.enabled(if: Models.folder != nil, "KNAPSACK_MODELS names the folder of the model set"))
  func languagesMatch() throws {
    let folder = try #require(Models.folder) + "/fasttext-lid176/"
    let runner = try FastTextRunner(folder + "lid.176.ftz")
    #expect(runner.graph.labels.count == 176)
    let text = try String(contentsOfFile: folder + "eval/udhr.tsv", encoding: .utf8)
    var correct = 0
    var count = 0
    for line in text.split(separator: "\n").dropFirst() {
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      let best = try #require(try runner.answers(fields[1]).first)
      #expect(best.label == "__label__" + fields[2], "\(fields[1])")
      #expect(abs(best.probability - (Float(fields[3]) ?? .nan)) < 2e-5, "\(fields[1])")
      count += 1
      if best.label == "__label__" + fields[0] { correct += 1 }
    }
    #expect(count == 432)
    #expect(abs(Double(correct) / Double(count) - 0.9884) < 0.0005)
  }

  /// Models that scripts/fasttext-tests.py has just trained.
  @Test(
    .enabled(if: folder != nil, "KNAPSACK_FASTTEXT_TESTS names the folder of trained models"))
  func trainedModelsMatch() throws {
    let cases = try #require(Self.folder) + "/cases/"
    let names = try FileManager.default.contentsOfDirectory(atPath: cases).sorted()
    #expect(names.count >= 14)
    for name in names {
      let path = cases + name
      let files = try FileManager.default.contentsOfDirectory(atPath: path)
      let model = try #require(files.first { $0.hasPrefix("model.") })
      let runner = try FastTextRunner(path + "/" + model)
      func lines(_ file: String) throws -> [String] {
        try String(contentsOfFile: path + "/" + file, encoding: .utf8)
          .split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
      }
      let texts = try lines("texts.txt")
      let expected = try lines("expected.tsv")
      try #require(texts.count == expected.count)
      for (text, line) in zip(texts, expected) {
        let fields = line.split(separator: "\t").map(String.init)
        if runner.graph.labels.isEmpty {
          let found = try runner.outputs(text)?["sentence_vector"]?.floats
          for (i, field) in fields.enumerated() {
            let wanted = try #require(Float(field))
            #expect(abs((found?[i] ?? 0) - wanted) < 1e-5, "\(name): \(text): [\(i)]")
          }
          continue
        }
        let found = try runner.answers(text)
        #expect(found.isEmpty == fields.isEmpty, "\(name): \(text)")
        guard !found.isEmpty else { continue }
        for i in 0..<fields.count / 2 {
          let wanted = try #require(Float(fields[2 * i + 1]))
          #expect(abs(found[i].probability - wanted) < 1e-5, "\(name): \(text): \(i)")
          // Labels of equal probability may change places.
          let own = found.first { $0.label == fields[2 * i] }?.probability
          #expect(abs((own ?? .nan) - wanted) < 1e-5, "\(name): \(text): \(fields[2 * i])")
        }
      }
    }
  }
}
