// Models of the model set mean the same after rewriting.
import Foundation
import GraphRunning
import Graphs
import Importers
import Operators
import Tensors
import Testing

@Suite(
  .enabled(
    if: ProcessInfo.processInfo.environment["KNAPSACK_MODELS"] != nil,
    "KNAPSACK_MODELS names the folder of the model set"))
struct RealModelTests {
  private func load(_ path: String) throws -> Graph {
    let folder = try #require(ProcessInfo.processInfo.environment["KNAPSACK_MODELS"])
    return try Importer.importModel(folder + "/" + path).graph
  }

  /// The BERT export comes down to its projections, attentions and norms.
  @Test func bert() throws {
    let graph = try load("ner-minilm-l3/model.onnx")
    let after = try Rewriter.rewrite(graph)
    #expect(after.history["attention"] == 3)
    #expect(after.history["gelu"] == 3)
    #expect(after.operatorCounts["LayerNorm"] == 7)
    #expect(after.operatorCounts["MatMul"] == 19)
    #expect(after.operatorCounts["Softmax"] == nil)
    #expect(Set(after.symbols) == Set(graph.symbols))
  }

  @Test(arguments: [
    "ner-minilm-l3/model.onnx", "filetype-magika-v3_3/model.onnx", "ocr-lprnet-plates/lprnet.onnx",
    "face-ultraface-320/ultraface_slim_320.onnx", "ocr-ppocr-en/ch_ppocr_mobile_v2.0_cls.onnx",
    "cls-mnist-cnn/mnist.onnx", "ts-nbeats-m4-hourly/model.onnx",
    "rec-twotower-movietweetings/item_tower.onnx",
  ])
  func sameOutputs(_ path: String) throws {
    let graph = try load(path)
    let after = try Rewriter.rewrite(graph)
    #expect(after.nodes.count < graph.nodes.count)
    let inputs = randomInputs(graph, try ShapeInference(graph).bindings[0], in: 0...1)
    let expected = try runGraph(graph, inputs)
    let found = try runGraph(after, inputs)
    for (name, value) in expected {
      let error = found[name]?.relativeError(to: value) ?? .infinity
      #expect(error <= 1e-4, "\(name)")
    }
  }
}
