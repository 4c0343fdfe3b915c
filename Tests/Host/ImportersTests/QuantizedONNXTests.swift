// Quantized ONNX models, operator by operator and whole networks, against onnxruntime.
import Foundation
import Graphs
import Importers
import Tensors
import Testing

@Suite struct QuantizedONNXTests {
  /// Written by make_quantized_fixtures.py.
  static let folder = Models.repository + "/Tests/Support/QuantizedONNX"
  static let names: [String] = {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return files.filter { $0.hasSuffix(".onnx") }.map { String($0.dropLast(5)) }.sorted()
  }()

  @Test func thereAreFixtures() { #expect(QuantizedONNXTests.names.count >= 30) }

  /// Integers within one unit, real numbers to some units in the last place, outputs of quantized
  /// networks within one unit of their scale, 1/256.
  @Test(arguments: names) func matchesReference(_ name: String) throws {
    let path = QuantizedONNXTests.folder + "/" + name
    let graph = try Importer.importModel(path + ".onnx").graph
    let data = try ReferenceData(path + ".safetensors")
    let outputs = try GraphRunner(graph).run(try data.tensors("input"))
    let isNetwork = name.hasPrefix("qdq") || name.hasPrefix("qoperator")
    for (key, wanted) in try data.tensors("output") {
      let found = try #require(outputs[key])
      #expect(found.elementType == wanted.elementType && found.shape == wanted.shape)
      if let a = found.integers, let b = wanted.integers {
        let most = wanted.elementType == .i32 ? 0 : 1
        #expect(zip(a, b).allSatisfy { abs($0 - $1) <= most }, "\(key)")
        // A unit is the last bit of a rounding, not a habit.
        #expect(zip(a, b).filter { $0 != $1 }.count * 50 <= a.count, "\(key)")
      } else {
        let difference = TFLiteModelTests.difference(found, wanted)
        #expect(isNetwork ? difference <= 1.0 / 255 : relativeError(found, wanted) < 2e-6)
      }
    }
  }

  /// QDQ networks run in integers from end to end: nothing in f32 but the edges.
  @Test(arguments: ["qdq_u8s8_channel", "qdq_s8s8", "qdq_u8u8"])
  func networksRunInIntegers(_ name: String) throws {
    let path = QuantizedONNXTests.folder + "/" + name + ".onnx"
    let graph = try Rewriter.rewrite(try Importer.importModel(path).graph)
    let counts = graph.operatorCounts
    #expect(counts["Conv"] == nil && counts["MatMul"] == nil && counts["Pool"] == nil, "\(counts)")
    #expect(counts["IntegerConv"] == 2 && counts["IntegerDepthwise"] == 1, "\(counts)")
    #expect(counts["IntegerProduct"] == 1 && counts["IntegerSoftmax"] == 1, "\(counts)")
  }
}
