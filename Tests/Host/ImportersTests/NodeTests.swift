// The ONNX project's own node tests, written out as folders by scripts/onnx-node-tests.py.
import Foundation
import Graphs
import Importers
import Tensors
import Testing

@Suite struct NodeTests {
  static let folder = ProcessInfo.processInfo.environment["KNAPSACK_NODE_TESTS"]

  enum Outcome: String {
    case passed
    /// Operators that the table does not have.
    case unsupported
    /// A use of a known operator that is refused by name.
    case refused
    /// Import or run went wrong.
    case failed
    /// Other numbers than expected.
    case differs
  }

  /// Cases that go wrong today, by prefix, with the reason.
  static let known: [(prefix: String, reason: String)] = [
    ("test_averagepool_3d", "pooling has one or two spatial axes"),
    ("test_maxpool_3d", "pooling has one or two spatial axes"),
    ("test_lppool_3d", "pooling has one or two spatial axes"),
    ("test_convtranspose_3d", "convolution has one or two spatial axes"),
    ("test_maxpool_2d_uint8", "pooling takes f32"),
    ("test_top_k_uint64", "TopK takes f32, i64 and i32"),
    ("test_reduce_max_empty_set_bool", "an empty maximum of bool"),
    ("test_reshape_allowzero_reordered", "an input extent of 0 means any extent here"),
    ("test_resize_downsample_scales_linear_align_corners", "scales an extent that is no integer"),
  ]

  func outcome(_ name: String) throws -> (Outcome, String) {
    let path = NodeTests.folder! + "/" + name
    let graph: Graph
    do {
      graph = try Importer.importModel(path + "/model.onnx").graph
    } catch {
      if case .unsupportedOperators(let list) = error.reason {
        return (.unsupported, list.map(\.name).joined(separator: ","))
      }
      return (.refused, error.description)
    }
    do {
      let data = try ReferenceData(path + "/io.safetensors")
      let outputs = try GraphRunner(graph).run(try data.tensors("input"))
      for (name, expected) in try data.tensors("output") {
        guard let found = outputs[name] else { return (.failed, "no output \(name)") }
        if let difference = difference(found, expected) {
          return (.differs, name + difference)
        }
      }
      return (.passed, "")
    } catch {
      return (.failed, "\(error)")
    }
  }

  /// Where two tensors differ by more than the node tests allow; nil where they do not.
  func difference(_ found: Constant, _ expected: Constant) -> String? {
    guard found.elementType == expected.elementType, found.shape == expected.shape else {
      return
        " is \(found.elementType) \(found.shape), not \(expected.elementType) \(expected.shape)"
    }
    guard let a = found.floats, let b = expected.floats else {
      return found.integers == expected.integers ? nil : " has other integers"
    }
    for (i, (x, y)) in zip(a, b).enumerated() {
      let isClose = x == y || (x.isNaN && y.isNaN) || (x - y).magnitude <= 1e-5 + 1e-3 * y.magnitude
      if !isClose { return "[\(i)] is \(x), not \(y)" }
    }
    return nil
  }

  @Test(.enabled(if: folder != nil, "KNAPSACK_NODE_TESTS names the folder of the node tests"))
  func nodeTests() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: NodeTests.folder!).sorted()
    var counts: [Outcome: Int] = [:]
    for name in names {
      let (result, why) = try outcome(name)
      counts[result, default: 0] += 1
      guard result == .failed || result == .differs else { continue }
      #expect(NodeTests.known.contains { name.hasPrefix($0.prefix) }, "\(name): \(why)")
    }
    #expect(counts[.passed] ?? 0 >= 1076, "\(counts)")
  }
}
