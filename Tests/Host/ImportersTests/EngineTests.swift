// Single operators with ONNX Runtime's outputs, as scripts/onnx-engine-tests.py writes them.
import Foundation
import Graphs
import Importers
import Tensors
import Testing

@Suite struct EngineTests {
  static let folder = ProcessInfo.processInfo.environment["KNAPSACK_ENGINE_TESTS"]

  @Test(.enabled(if: folder != nil, "KNAPSACK_ENGINE_TESTS names the folder of the engine tests"))
  func engineTests() throws {
    let folder = try #require(EngineTests.folder)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    #expect(!names.isEmpty)
    for name in names {
      do {
        let data = try ReferenceData("\(folder)/\(name)/io.safetensors")
        let graph = try Importer.importModel("\(folder)/\(name)/model.onnx").graph
        let outputs = try GraphRunner(graph).run(try data.tensors("input"))
        for (output, expected) in try data.tensors("output") {
          let found = try #require(outputs[output], "\(name): \(output)")
          let error = expected.floats == nil ? 0 : relativeError(found, expected)
          #expect(error < 1e-4, "\(name): \(output) is off by \(error)")
          #expect(found.integers == expected.integers, "\(name): \(output)")
        }
      } catch {
        Issue.record("\(name): \(error)")
      }
    }
  }
}
