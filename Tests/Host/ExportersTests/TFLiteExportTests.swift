// Nodes as int8 TFLite, read back by the importer.
import Exporters
import GraphRunning
import Graphs
import Importers
import Operators
import Tensors
import Testing

@Suite struct TFLiteExportTests {
  private static let names = [
    "conv", "gemm", "softmax", "global pool", "reshape", "transpose", "add",
    "mul", "relu", "sigmoid", "tanh", "leaky_relu", "silu",
  ]

  /// Off by what steps of 8 bits make of it.
  @Test(arguments: names) func nodes(_ name: String) throws {
    let given = try #require(FormCase.all.first { $0.description == name })
    let graph = given.graph
    var random = RandomSource(8)
    let grid = ByteScale(-2...2)
    let x = random.floats(given.shape)
    let codes = try #require(x.floats).map {
      Float(Int(grid.code(of: $0)) - grid.zeroPoint) * grid.scale
    }
    let input = Constant(floats: codes, shape: x.shape)
    let wanted = try #require(try runGraph(graph, ["x": input])["y"])
    let values = try #require(wanted.floats)
    let (low, high) = (min(values.min() ?? 0, 0), max(values.max() ?? 0, 0))
    let plan = ONNXExportPlan(
      graph, try Evaluation(graph, bindings: [:]), nodes: [0], quantized: [0], isSymmetric: false,
      ranges: [graph.inputs[0].value: -2...2, graph.outputs[0].value: low...high])
    let export = try TFLiteExport(plan, hasRealEdges: true)
    #expect(export.inputs.map(\.name) == ["x"] && export.outputs.map(\.name) == ["y"])
    let read = try TFLiteImporter.importGraph(
      ModelFile(copying: export.bytes, path: "part.tflite"))
    let found = try #require(try runGraph(read, ["x": input])["y"])
    #expect(found.shape == wanted.shape)
    let bound = max(high - low, 1) * 0.02 + 0.02
    for (a, b) in zip(try #require(found.floats), values) {
      #expect((a - b).magnitude <= bound, "\(a) for \(b)")
    }
  }

  /// Without real edges what goes in and out are codes.
  @Test func integerEdges() throws {
    let given = try #require(FormCase.all.first { $0.description == "conv" })
    let graph = given.graph
    let plan = ONNXExportPlan(
      graph, try Evaluation(graph, bindings: [:]), nodes: [0], quantized: [0], isSymmetric: false,
      ranges: [graph.inputs[0].value: -2...2, graph.outputs[0].value: -9...9])
    let export = try TFLiteExport(plan, hasRealEdges: false)
    let read = try TFLiteImporter.importGraph(
      ModelFile(copying: export.bytes, path: "part.tflite"))
    #expect(read.inputs.map(\.elementType) == [.i8])
  }

  @Test(arguments: [
    "log softmax", "same conv with clip", "plain average pool", "linear resize", "norm",
  ])
  func unsupportedNodesAreNamed(_ name: String) throws {
    let given = try #require(FormCase.all.first { $0.description == name })
    let graph = given.graph
    let plan = ONNXExportPlan(
      graph, try Evaluation(graph, bindings: [:]), nodes: [0], quantized: [0], isSymmetric: false,
      ranges: [graph.inputs[0].value: -2...2, graph.outputs[0].value: -9...9])
    #expect(throws: ExportError.self) { _ = try TFLiteExport(plan, hasRealEdges: true) }
  }
}
