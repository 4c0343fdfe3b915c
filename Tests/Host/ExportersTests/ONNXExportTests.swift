// Written files read back by the importer, in real numbers and in integers.
import Exporters
import GraphRunning
import Graphs
import Importers
import Kernels
import Operators
import Tensors
import Testing

/// A node of one operator on x [1, 4, 6, 6], and what else it reads.
struct FormCase: CustomStringConvertible, Sendable {
  var description: String
  var op: Operator
  var constants: [Constant] = []
  var shape = [1, 4, 6, 6]

  static let all: [FormCase] = {
    var random = RandomSource(11)
    func list(_ integers: Int...) -> IntegerList { IntegerList(integers) }
    let window = Window(strides: list(2, 1), pads: list(1, 0, 1, 2))
    var cases = [
      FormCase(
        description: "conv", op: .conv(Conv(window: window)),
        constants: [random.floats([8, 4, 3, 3]), random.floats([8])]),
      FormCase(
        description: "same conv with clip",
        op: .conv(
          Conv(
            window: Window(strides: list(2, 2), autoPad: .sameLower), groups: 2,
            activation: FusedActivation(.clip, 0, 6))), constants: [random.floats([6, 2, 3, 3])]),
      FormCase(
        description: "gemm", op: .matMul(MatMul(transposeB: true, alpha: 0.5)),
        constants: [random.floats([5, 7]), random.floats([5])], shape: [3, 7]),
      FormCase(
        description: "product", op: .matMul(MatMul(transposeB: true, activation: .init(.relu))),
        constants: [random.floats([5, 7]), random.floats([5])], shape: [2, 3, 7]),
      FormCase(description: "softmax", op: .softmax(Softmax(axis: 1))),
      FormCase(description: "log softmax", op: .softmax(Softmax(axis: -1, isLogarithm: true))),
      FormCase(
        description: "max pool", op: .pool(Pool(.max, kernel: list(3, 2), window: window))),
      FormCase(
        description: "average pool",
        op: .pool(
          Pool(
            .average, kernel: list(2, 2),
            window: Window(strides: list(2, 2), pads: list(1, 1, 0, 0)),
            roundsUp: true, includesPadding: true))),
      FormCase(
        description: "plain average pool",
        op: .pool(Pool(.average, kernel: list(2, 2), window: Window(pads: list(1, 1, 0, 0))))),
      FormCase(
        description: "global pool",
        op: .reduce(Reduce(.mean, axes: list(-1, 2), keepsAxes: false))),
      FormCase(
        description: "mean", op: .reduce(Reduce(.mean, axes: list(1), keepsAxes: true))),
      FormCase(description: "sum", op: .reduce(Reduce(.sum, axes: list(), keepsAxes: false))),
      FormCase(
        description: "reshape", op: .reshape(Reshape(.target, list(0, -1, 3)))),
      FormCase(description: "transpose", op: .transpose(Transpose(list(0, 2, 3, 1)))),
      FormCase(
        description: "slice",
        op: .slice(
          Slice(starts: list(1, -1), ends: list(4, -9), axes: list(1, 3), steps: list(2, -2)))),
      FormCase(
        description: "pad", op: .pad(Pad(.constant, pads: list(1, 0, -1, 2), axes: list(2, 3)))),
      FormCase(
        description: "resize", op: .resize(Resize(isLinear: false, coordinates: .asymmetric)),
        constants: [Constant(floats: [1, 1, 2, 1.5], shape: Shape([4]))]),
      FormCase(
        description: "linear resize", op: .resize(Resize(isLinear: true, axes: list(2, 3))),
        constants: [Constant(integers: [9, 4], shape: Shape([2]))]),
      FormCase(
        description: "gather", op: .gather(Gather(axis: 1)),
        constants: [Constant(integers: [3, 0, 1], shape: Shape([3]))]),
      FormCase(
        description: "norm", op: .layerNorm(LayerNorm(axis: -1, epsilon: 1e-5)),
        constants: [random.floats([6]), random.floats([6])]),
      FormCase(description: "concat", op: .concat(Concat(axis: 1)), constants: []),
    ]
    for kind: BinaryKind in [.add, .sub, .mul, .div, .max, .min, .prelu] {
      cases.append(
        FormCase(
          description: "\(kind.name)", op: .binary(Binary(kind)),
          constants: [random.floats([4, 1, 1], in: 0.5...2)]))
    }
    let functions: [Unary] = [
      Unary(.relu), Unary(.clip, -1, 0.5), Unary(.sigmoid), Unary(.tanh), Unary(.leakyRelu, 0.2),
      Unary(.elu, 0.7), Unary(.hardSwish), Unary(.hardSigmoid, 0.2, 0.4), Unary(.softplus),
      Unary(.exp), Unary(.abs), Unary(.neg), Unary(.floor), Unary(.ceil), Unary(.erf),
      Unary(.silu), Unary(.affine, 2, -1),
    ]
    return cases
      + functions.map { FormCase(description: "\($0.kind.name)", op: .unary($0)) }
  }()

  /// y = op(x, constants), with nothing else in the graph.
  var graph: Graph {
    var graph = Graph(name: "case")
    let x = graph.addInput("x", .f32, shape.map { .constant($0) })
    let inputs: [ValueID?] =
      [x] + constants.enumerated().map { graph.addConstant("c\($0)", $1) }
    let y = graph.add(op, inputs, name: "y")
    graph.addOutput("y", y)
    return graph
  }

  func export(quantized: Bool, _ range: ClosedRange<Float> = -2...2) throws -> ONNXExport {
    let graph = graph
    let extents = try Evaluation(graph, bindings: [:])
    return try ONNXExport(
      ONNXExportPlan(
        graph, extents, nodes: [0], quantized: quantized ? [0] : [], isSymmetric: false,
        ranges: [graph.inputs[0].value: -2...2, graph.outputs[0].value: range]))
  }
}

@Suite struct ONNXExportTests {
  private func imported(_ export: ONNXExport) throws -> Graph {
    try ONNXImporter.importGraph(ModelFile(copying: export.bytes, path: "export.onnx"))
  }

  /// What is written in real numbers means the same when it is read again.
  @Test(arguments: FormCase.all) func realNodes(_ given: FormCase) throws {
    var random = RandomSource(5)
    let x = random.floats(given.shape)
    let wanted = try #require(try runGraph(given.graph, ["x": x])["y"])
    let read = try imported(try given.export(quantized: false))
    #expect(read.inputs.map { read[$0.value].name } == ["x"])
    let found = try #require(try runGraph(read, ["x": x])["y"])
    #expect(found.relativeError(to: wanted) <= 1e-5)
  }

  /// In integers it is off by what one step of the input and of the output makes of it.
  @Test(arguments: FormCase.all) func quantizedNodes(_ given: FormCase) throws {
    var random = RandomSource(6)
    // On the grid of the input: its own rounding takes no part.
    let grid = ByteScale(-2...2)
    let x = random.floats(given.shape)
    let codes = try #require(x.floats).map {
      Float(Int(grid.code(of: $0)) - grid.zeroPoint) * grid.scale
    }
    let input = Constant(floats: codes, shape: x.shape)
    let wanted = try #require(try runGraph(given.graph, ["x": input])["y"]?.floats)
    let (low, high) = (try #require(wanted.min()), try #require(wanted.max()))
    let export = try given.export(quantized: true, min(low, 0)...max(high, 0))
    let read = try Rewriter.rewrite(try imported(export))
    let found = try #require(try runGraph(read, ["x": input])["y"]?.floats)
    #expect(found.count == wanted.count)
    // Weights have 127 steps, sums of up to 36 products, and a constant of 255.
    let bound = max(high - low, 1) * 0.02 + 0.02
    for (a, b) in zip(found, wanted) { #expect((a - b).magnitude <= bound, "\(a) for \(b)") }
  }

  /// Products and what is known of bytes leave nothing to compute in real numbers but the edges.
  @Test(arguments: [
    "conv", "gemm", "max pool", "plain average pool", "global pool", "sigmoid", "add",
  ])
  func integersAreFused(_ name: String) throws {
    let given = try #require(FormCase.all.first { $0.description == name })
    let read = try Rewriter.rewrite(try imported(try given.export(quantized: true)))
    let counts = read.operatorCounts
    for real in ["Conv", "MatMul", "Pool", "Reduce"] { #expect(counts[real] == nil, "\(counts)") }
    #expect(counts.keys.contains { $0.hasPrefix("Integer") || $0 == "ByteTable" || $0 == "Remap" })
  }

  @Test func unsupportedNodesAreNamed() throws {
    var graph = Graph(name: "g")
    let x = graph.addInput("x", .f32, [.constant(4)])
    let y = graph.add(
      .cumSum(CumSum(axis: 0, isExclusive: false)), [x], name: "sum")
    graph.addOutput("y", y)
    let extents = try Evaluation(graph, bindings: [:])
    #expect(throws: ExportError.unsupported(["CumSum": ["sum"]])) {
      _ = try ONNXExport(
        ONNXExportPlan(
          graph, extents, nodes: [0], quantized: [], isSymmetric: false, ranges: [:]))
    }
  }

  @Test func rangesAreAskedFor() throws {
    let given = try #require(FormCase.all.first { $0.description == "relu" })
    let graph = given.graph
    let extents = try Evaluation(graph, bindings: [:])
    #expect(throws: ExportError.noRange(value: "x")) {
      _ = try ONNXExport(
        ONNXExportPlan(
          graph, extents, nodes: [0], quantized: [0], isSymmetric: false, ranges: [:]))
    }
  }

  /// The same plan gives the same bytes.
  @Test func isDeterministic() throws {
    let given = FormCase.all[0]
    #expect(try given.export(quantized: true).bytes == given.export(quantized: true).bytes)
  }
}
