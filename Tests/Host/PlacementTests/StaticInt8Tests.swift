// Parts of a graph in integers, against plain arithmetic on the quantized numbers.
import Calibration
import Exporters
import GraphRunning
import Graphs
import Importers
import Operators
import Placement
import Tensors
import Testing

/// x [1, 3, 8, 8] → convolution, ReLU → depthwise convolution → sum with the ReLU → mean → product.
struct SmallNetwork {
  var graph = Graph(name: "small")
  let weights: [Constant]
  let names = ["relu", "depthwise", "sum", "mean", "flat", "y"]

  init(_ random: inout RandomSource) {
    weights = [
      random.floats([8, 3, 3, 3]), random.floats([8]), random.floats([8, 1, 3, 3]),
      random.floats([8]), random.floats([5, 8]), random.floats([5]),
    ]
    let x = graph.addInput("x", .f32, [.constant(1), .constant(3), .constant(8), .constant(8)])
    var c = [ValueID]()
    for (i, w) in weights.enumerated() { c.append(graph.addConstant("c\(i)", w)) }
    let window = Window(pads: IntegerList([1, 1, 1, 1]))
    let conv = graph.add(.conv(Conv(window: window)), [x, c[0], c[1]], name: "conv")
    let relu = graph.add(.unary(Unary(.relu)), [conv], name: "relu")
    let depthwise = graph.add(
      .conv(Conv(window: window, groups: 8)), [relu, c[2], c[3]], name: "depthwise")
    let sum = graph.add(.binary(Binary(.add)), [relu, depthwise], name: "sum")
    let mean = graph.add(
      .reduce(Reduce(.mean, axes: IntegerList([2, 3]), keepsAxes: true)), [sum], name: "mean")
    let flat = graph.add(.reshape(Reshape(.target, IntegerList([1, 8]))), [mean], name: "flat")
    let y = graph.add(.matMul(MatMul(transposeB: true)), [flat, c[4], c[5]], name: "y")
    graph.addOutput("y", y)
  }

  func value(_ name: String) -> ValueID {
    ValueID(graph.values.firstIndex { $0.name == name }!)
  }

  /// The same in double precision, every tensor rounded to its codes as the definition says.
  func reference(_ x: [Float], _ ranges: [ValueID: ClosedRange<Float>]) -> [Double] {
    func scale(_ name: String) -> ByteScale { ByteScale(ranges[value(name)]!) }
    func rounded(_ values: [Double], _ name: String) -> [Double] {
      let s = scale(name)
      return values.map {
        Double(Int(s.code(of: Float($0))) - s.zeroPoint) * Double(s.scale)
      }
    }
    /// Weights and bias as their codes, in real numbers.
    func weight(_ i: Int, _ input: ByteScale) -> (w: [Double], b: [Double]) {
      let (w, b) = (weights[i].floats!, weights[i + 1].floats!)
      let row = w.count / b.count
      var (codes, biases) = ([Double](), [Double]())
      for o in b.indices {
        let step = w[o * row..<(o + 1) * row].map(\.magnitude).max()! / 127
        for k in 0..<row {
          codes.append(Double((w[o * row + k] / step).rounded(.toNearestOrEven)) * Double(step))
        }
        let unit = Double(step) * Double(input.scale)
        biases.append((Double(b[o]) / unit).rounded(.toNearestOrEven) * unit)
      }
      return (codes, biases)
    }
    func conv(_ x: [Double], _ p: (w: [Double], b: [Double]), groups: Int) -> [Double] {
      let (channels, outputs) = (x.count / 64, p.b.count)
      let (each, made) = (channels / groups, outputs / groups)
      return (0..<outputs * 64).map { i in
        let (o, r, c) = (i / 64, i / 8 % 8, i % 8)
        var sum = p.b[o]
        for k in 0..<each {
          for t in 0..<9 where 0..<8 ~= r + t / 3 - 1 && 0..<8 ~= c + t % 3 - 1 {
            let at = (o / made * each + k) * 64 + (r + t / 3 - 1) * 8 + c + t % 3 - 1
            sum += x[at] * p.w[(o * each + k) * 9 + t]
          }
        }
        return sum
      }
    }
    let input = rounded(x.map(Double.init), "x")
    let relu = rounded(conv(input, weight(0, scale("x")), groups: 1).map { max($0, 0) }, "relu")
    let depthwise = rounded(conv(relu, weight(2, scale("relu")), groups: 8), "depthwise")
    let sum = rounded(zip(relu, depthwise).map { $0 + $1 }, "sum")
    let mean = rounded((0..<8).map { sum[$0 * 64..<$0 * 64 + 64].reduce(0, +) / 64 }, "mean")
    let last = weight(4, scale("mean"))
    return rounded(
      (0..<5).map { o in (0..<8).reduce(last.b[o]) { $0 + mean[$1] * last.w[o * 8 + $1] } }, "y")
  }
}

@Suite struct StaticInt8Tests {
  private func made(
    _ seed: UInt64
  ) throws -> (network: SmallNetwork, int8: StaticInt8, inputs: [Constant]) {
    var random = RandomSource(seed)
    let network = SmallNetwork(&random)
    let inputs = (0..<4).map { _ in random.floats([1, 3, 8, 8]) }
    let fixed = try FixedGraph(network.graph)
    #expect(fixed.graph.nodes.count == network.graph.nodes.count)
    let found = try ActivationRanges(
      fixed.graph, items: inputs.map { CalibrationItem(inputs: [$0]) })
    let int8 = StaticInt8(
      fixed, ranges: found.ranges(.minMax, isSymmetric: false), isSymmetric: false)
    return (network, int8, inputs)
  }

  /// Integer arithmetic gives what the definition of the codes gives, to one step.
  @Test(arguments: [UInt64(1), 2, 3]) func matchesDefinition(_ seed: UInt64) throws {
    let (network, int8, inputs) = try made(seed)
    let all = Array(int8.fixed.graph.nodes.indices)
    let graph = try int8.graph(parts: [all])
    #expect(graph.operatorCounts["Conv"] == nil && graph.operatorCounts["MatMul"] == nil)
    #expect(graph.operatorCounts["IntegerBinary"] == 1)
    let names = Dictionary(
      uniqueKeysWithValues: int8.ranges.map { (int8.fixed.graph[$0.key].name, $0.value) })
    let ranges = Dictionary(
      uniqueKeysWithValues: (network.names + ["x"]).compactMap { name in
        names[name].map { (network.value(name), $0) }
      })
    let step = Double(ByteScale(try #require(ranges[network.value("y")])).scale)
    for x in inputs {
      let found = try #require(try runGraph(graph, ["x": x])["y"]?.floats)
      let wanted = network.reference(try #require(x.floats), ranges)
      for (a, b) in zip(found, wanted) { #expect((Double(a) - b).magnitude <= step * 1.01) }
    }
  }

  /// One part, two parts, or the whole written as one file: the same codes wherever the cuts are.
  @Test func partsAgreeWithTheWhole() throws {
    let (_, int8, inputs) = try made(7)
    let nodes = Array(int8.fixed.graph.nodes.indices)
    let whole = try runGraph(try int8.graph(parts: [nodes]), ["x": inputs[0]])
    let halves = try runGraph(
      try int8.graph(parts: [Array(nodes[..<3]), Array(nodes[3...])]), ["x": inputs[0]])
    let file = try int8.exportWhole(quantized: Set(nodes))
    let read = try ONNXImporter.importGraph(ModelFile(copying: file.bytes, path: "whole.onnx"))
    let again = try runGraph(read, ["x": inputs[0]])
    var unsigned = int8
    unsigned.isUnsigned = true
    let bytes = try runGraph(unsigned.graph(parts: [nodes]), ["x": inputs[0]])
    let wanted = try #require(whole["y"])
    for found in [halves, again, bytes] {
      // The way back to real numbers may round in another order.
      #expect(try #require(found["y"]).relativeError(to: wanted) < 1e-6)
    }
  }

  /// A ReLU behind a sum goes where the codes begin at 0, and stays where they do not.
  @Test(arguments: [false, true]) func sumWithReLU(isSymmetric: Bool) throws {
    var random = RandomSource(12)
    var graph = Graph(name: "residual")
    let shape: [GraphDimension] = [.constant(1), .constant(4), .constant(6), .constant(6)]
    let x = graph.addInput("x", .f32, shape)
    let w = graph.addConstant("w", random.floats([4, 4, 1, 1]))
    let conv = graph.add(.conv(Conv()), [x, w], name: "conv")
    let sum = graph.add(.binary(Binary(.add)), [x, conv], name: "sum")
    graph.addOutput("y", graph.add(.unary(Unary(.relu)), [sum], name: "relu"))
    let fixed = try FixedGraph(graph)
    let given = random.floats([1, 4, 6, 6])
    let found = try ActivationRanges(fixed.graph, items: [CalibrationItem(inputs: [given])])
    let ranges = found.ranges(.minMax, isSymmetric: isSymmetric)
    let int8 = StaticInt8(fixed, ranges: ranges, isSymmetric: isSymmetric)
    let part = try int8.graph(parts: [Array(fixed.graph.nodes.indices)])
    if !isSymmetric { #expect(part.operatorCounts["IntegerBinary"] == 1) }
    let y = try #require(try runGraph(part, ["x": given])["y"]?.floats)
    let wanted = try #require(try runGraph(graph, ["x": given])["y"]?.floats)
    let peak = try #require(wanted.max())
    #expect(y.allSatisfy { $0 >= 0 } && wanted.contains(0))
    for (a, b) in zip(y, wanted) { #expect((a - b).magnitude <= peak * 0.03) }
  }

  /// Written as TFLite the same network computes the same to a step or two: products have other
  /// weights there, one scale for all.
  @Test(arguments: [UInt64(1), 2, 3]) func asTFLite(_ seed: UInt64) throws {
    let (network, int8, inputs) = try made(seed)
    var other = int8
    other.format = .tfLite
    let graph = try other.graph(parts: [Array(int8.fixed.graph.nodes.indices)])
    #expect(graph.operatorCounts["Conv"] == nil && graph.operatorCounts["MatMul"] == nil)
    #expect(graph.operatorCounts["IntegerConv"] == 1, "\(graph.operatorCounts)")
    #expect(graph.operatorCounts["IntegerDepthwise"] == 1)
    let y = network.value("y")
    let range = try #require(
      int8.ranges.first { int8.fixed.graph[$0.key].name == network.graph[y].name }?.value)
    let step = ByteScale(range).scale
    for x in inputs {
      let found = try #require(try runGraph(graph, ["x": x])["y"]?.floats)
      let wanted = try #require(try runGraph(network.graph, ["x": x])["y"]?.floats)
      for (a, b) in zip(found, wanted) { #expect((a - b).magnitude <= 6 * step) }
    }
  }

  /// Nodes outside of parts stay as they are.
  @Test func theRestStaysReal() throws {
    let (network, int8, inputs) = try made(9)
    let graph = try int8.graph(parts: [[0, 1]])
    #expect(graph.operatorCounts["IntegerConv"] == 1 && graph.operatorCounts["Conv"] == 1)
    let found = try #require(try runGraph(graph, ["x": inputs[0]])["y"])
    let wanted = try #require(try runGraph(network.graph, ["x": inputs[0]])["y"])
    #expect(found.relativeError(to: wanted) < 0.05)
  }

  /// No accelerator says what it takes: products and what lies between them.
  @Test func integerNodes() throws {
    var random = RandomSource(1)
    var network = SmallNetwork(&random)
    let y = network.value("y")
    network.graph.outputs = []
    let softmax = network.graph.add(.softmax(Softmax(axis: -1)), [y], name: "softmax")
    network.graph.addOutput("p", softmax)
    let fixed = try FixedGraph(network.graph)
    let left = fixed.graph.nodes.indices.filter { !fixed.integerNodes.contains($0) }
    #expect(left.map { fixed.graph.nodes[$0].op.name } == ["Softmax"])
  }

  /// Open extents become their limits, a batch 1.
  @Test func extentsAreFixed() throws {
    var graph = Graph(name: "open")
    let x = graph.addInput("x", .f32, [.symbol("batch"), .symbol("n")])
    graph.addOutput("y", graph.add(.unary(Unary(.relu)), [x], name: "y"))
    let fixed = try FixedGraph(graph, limits: ["n": 24])
    #expect(fixed.graph.symbols.isEmpty)
    #expect(fixed.extents.shape(fixed.graph.outputs[0].value) == Shape([1, 24]))
  }
}
