// One operator as different opsets write it gives the same numbers.
import Foundation
import Graphs
import Importers
import Operators
import Tensors
import Testing

@Suite struct OpsetTests {
  /// Runs a model of one input `x` and one output `y`.
  func run(
    _ opset: Int, _ x: Constant, _ build: (inout ONNXModelSketch) -> Void
  ) throws -> Constant {
    var model = ONNXModelSketch(opset: opset)
    model.input("x", x.shape.dimensions)
    build(&model)
    model.output("y")
    let graph = try ONNXImporter.importGraph(model.file)
    return try #require(try GraphRunner(graph).run(["x": x])["y"])
  }

  let x = Constant(floats: (0..<24).map { Float($0) / 4 - 2 }, shape: Shape([2, 3, 4]))

  func expect(
    _ found: Constant, _ shape: [Int], _ values: [Float],
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    #expect(found.shape == Shape(shape), sourceLocation: location)
    let floats = try #require(found.floats)
    #expect(floats.count == values.count, sourceLocation: location)
    for (a, b) in zip(floats, values) {
      #expect((a - b).magnitude <= 1e-5 * max(1, b.magnitude), sourceLocation: location)
    }
  }

  @Test(arguments: [11, 13]) func squeezeAndUnsqueeze(opset: Int) throws {
    let y = try run(opset, x) { m in
      if opset < 13 {
        m.node("Unsqueeze", ["x"], ["a"], ["axes": .integers([0, -1])])
        m.node("Squeeze", ["a"], ["y"], ["axes": .integers([0])])
      } else {
        m.constant(.integers("put", [0, -1]))
        m.constant(.integers("take", [0]))
        m.node("Unsqueeze", ["x", "put"], ["a"])
        m.node("Squeeze", ["a", "take"], ["y"])
      }
    }
    try expect(y, [2, 3, 4, 1], x.floats!)
  }

  /// Before opset 7 the axes of a second operand stand where `axis` says.
  @Test(arguments: [6, 7]) func addAlongAnAxis(opset: Int) throws {
    let y = try run(opset, x) { m in
      if opset < 7 {
        m.constant(.floats("b", [3], [10, 20, 30]))
        m.node("Add", ["x", "b"], ["y"], ["axis": .integer(1), "broadcast": .integer(1)])
      } else {
        m.constant(.floats("b", [3, 1], [10, 20, 30]))
        m.node("Add", ["x", "b"], ["y"])
      }
    }
    try expect(
      y, [2, 3, 4], x.floats!.enumerated().map { $1 + Float(10 * ($0 / 4 % 3 + 1)) })
  }

  @Test func slopePerChannel() throws {
    let y = try run(6, x) { m in
      m.constant(.floats("slope", [3], [0.5, 2, -1]))
      m.node("PRelu", ["x", "slope"], ["y"])
    }
    try expect(
      y, [2, 3, 4],
      x.floats!.enumerated().map { $1 < 0 ? $1 * [0.5, 2, -1][$0 / 4 % 3] : $1 })
  }

  @Test(arguments: [6, 11, 13]) func clip(opset: Int) throws {
    let y = try run(opset, x) { m in
      if opset < 11 {
        m.node("Clip", ["x"], ["y"], ["min": .float(-1), "max": .float(1.5)])
      } else {
        m.constant(.floats("low", [], [-1]))
        m.constant(.floats("high", [], [1.5]))
        m.node("Clip", ["x", "low", "high"], ["y"])
      }
    }
    try expect(y, [2, 3, 4], x.floats!.map { min(max($0, -1), 1.5) })
  }

  @Test func clipWithOneBound() throws {
    let y = try run(13, x) { m in
      m.constant(.floats("high", [], [1.5]))
      m.node("Clip", ["x", "", "high"], ["y"])
    }
    try expect(y, [2, 3, 4], x.floats!.map { min($0, 1.5) })
  }

  @Test(arguments: [9, 13]) func slice(opset: Int) throws {
    let y = try run(opset, x) { m in
      if opset < 10 {
        m.node(
          "Slice", ["x"], ["y"],
          ["starts": .integers([1, -3]), "ends": .integers([9, 4]), "axes": .integers([1, 2])])
      } else {
        m.constant(.integers("starts", [1, -3]))
        m.constant(.integers("ends", [9, 4]))
        m.constant(.integers("axes", [1, 2]))
        m.node("Slice", ["x", "starts", "ends", "axes"], ["y"])
      }
    }
    let values = x.floats!
    var expected: [Float] = []
    for a in 0..<2 {
      for b in 1..<3 { for c in 1..<4 { expected.append(values[a * 12 + b * 4 + c]) } }
    }
    try expect(y, [2, 2, 3], expected)
  }

  @Test(arguments: [11, 13, 18]) func reduceSumAndMean(opset: Int) throws {
    let y = try run(opset, x) { m in
      m.constant(.integers("axes", [1]))
      if opset < 13 {
        m.node("ReduceSum", ["x"], ["s"], ["axes": .integers([1])])
      } else {
        m.node("ReduceSum", ["x", "axes"], ["s"])
      }
      if opset < 18 {
        m.node("ReduceMean", ["s"], ["y"], ["axes": .integers([-1]), "keepdims": .integer(0)])
      } else {
        m.constant(.integers("last", [-1]))
        m.node("ReduceMean", ["s", "last"], ["y"], ["keepdims": .integer(0)])
      }
    }
    let values = x.floats!
    try expect(
      y, [2, 1], [0, 12].map { first in (first..<first + 12).reduce(0) { $0 + values[$1] } / 4 })
  }

  @Test func reduceOfNothing() throws {
    let y = try run(18, x) { m in
      m.node("ReduceL1", ["x"], ["y"], ["noop_with_empty_axes": .integer(1)])
    }
    try expect(y, [2, 3, 4], x.floats!.map(\.magnitude))
  }

  /// Before opset 13 the axes from `axis` on are one; from then on it is that axis alone.
  @Test(arguments: [11, 13]) func softmaxDefaults(opset: Int) throws {
    let y = try run(opset, x) { m in m.node("Softmax", ["x"], ["y"]) }
    let e = x.floats!.map { expf($0) }
    let width = opset < 13 ? 12 : 4
    var expected: [Float] = []
    for first in stride(from: 0, to: 24, by: width) {
      let sum = e[first..<first + width].reduce(0, +)
      expected += e[first..<first + width].map { $0 / sum }
    }
    try expect(y, [2, 3, 4], expected)
  }

  @Test(arguments: [11, 13, 18]) func split(opset: Int) throws {
    let y = try run(opset, x) { m in
      switch opset {
      case 11:
        m.node("Split", ["x"], ["a", "y"], ["axis": .integer(2), "split": .integers([1, 3])])
      case 13:
        m.constant(.integers("sizes", [1, 3]))
        m.node("Split", ["x", "sizes"], ["a", "y"], ["axis": .integer(2)])
      default:
        // ⌈4 / 3⌉ = 2, 2 and nothing: the second part.
        m.node("Split", ["x"], ["a", "y", "z"], ["axis": .integer(2), "num_outputs": .integer(3)])
      }
    }
    let from = opset == 18 ? 2 : 1
    let expected = x.floats!.enumerated().filter { $0.offset % 4 >= from }.map(\.element)
    try expect(y, [2, 3, 4 - from], expected)
  }

  @Test(arguments: [10, 13, 18]) func pad(opset: Int) throws {
    let y = try run(opset, x) { m in
      switch opset {
      case 10:
        m.node("Pad", ["x"], ["y"], ["pads": .integers([0, 0, 1, 0, 0, 0]), "value": .float(9)])
      default:
        m.constant(.floats("value", [], [9]))
        m.constant(.integers("pads", opset == 13 ? [0, 0, 1, 0, 0, 0] : [1, 0]))
        m.constant(.integers("axes", [-1]))
        m.node(
          "Pad", opset == 13 ? ["x", "pads", "value"] : ["x", "pads", "value", "axes"], ["y"])
      }
    }
    var expected: [Float] = []
    for row in 0..<6 { expected += [9] + x.floats![row * 4..<row * 4 + 4] }
    try expect(y, [2, 3, 5], expected)
  }

  @Test(arguments: [7, 13]) func dropoutPassesThrough(opset: Int) throws {
    let y = try run(opset, x) { m in
      m.constant(.floats("ratio", [], [0.5]))
      m.node("Dropout", opset == 7 ? ["x"] : ["x", "ratio"], ["y", "mask"])
    }
    try expect(y, [2, 3, 4], x.floats!)
  }

  @Test(arguments: [9, 10, 11]) func topK(opset: Int) throws {
    let y = try run(opset, x) { m in
      m.constant(.integers("k", [2]))
      if opset < 10 {
        m.node("TopK", ["x"], ["y", "i"], ["k": .integer(2)])
      } else {
        m.node("TopK", ["x", "k"], ["y", "i"])
      }
    }
    var expected: [Float] = []
    for row in 0..<6 { expected += [x.floats![row * 4 + 3], x.floats![row * 4 + 2]] }
    try expect(y, [2, 3, 2], expected)
  }

  @Test(arguments: [7, 9, 10, 13]) func upsampling(opset: Int) throws {
    let y = try run(opset, x) { m in
      m.constant(.floats("scales", [3], [1, 1, 2]))
      switch opset {
      case 7: m.node("Upsample", ["x"], ["y"], ["scales": .floats([1, 1, 2])])
      case 9: m.node("Upsample", ["x", "scales"], ["y"])
      case 10: m.node("Resize", ["x", "scales"], ["y"])
      default:
        m.node(
          "Resize", ["x", "", "scales"], ["y"],
          ["coordinate_transformation_mode": .text("asymmetric"), "nearest_mode": .text("floor")])
      }
    }
    try expect(y, [2, 3, 8], x.floats!.flatMap { [$0, $0] })
  }

  @Test(arguments: [7, 14]) func batchNormalization(opset: Int) throws {
    let y = try run(opset, x) { m in
      for (name, values) in [
        ("s", [1, 2, 3]), ("b", [0, 1, 2]), ("mean", [0.5, 0, -1]), ("var", [1, 4, 0.25]),
      ] as [(String, [Float])] {
        m.constant(.floats(name, [3], values))
      }
      m.node("BatchNormalization", ["x", "s", "b", "mean", "var"], ["y"], ["epsilon": .float(0)])
    }
    let (s, b, mean, root): ([Float], [Float], [Float], [Float]) = (
      [1, 2, 3], [0, 1, 2], [0.5, 0, -1], [1, 2, 0.5]
    )
    let expected = x.floats!.enumerated().map { i, v in
      let c = i / 4 % 3
      return (v - mean[c]) / root[c] * s[c] + b[c]
    }
    try expect(y, [2, 3, 4], expected)
  }

  @Test func gemmFoldsBetaAndTransposes() throws {
    let a = Constant(floats: [1, 2, 3, 4, 5, 6], shape: Shape([3, 2]))
    let y = try run(13, a) { m in
      m.constant(.floats("b", [2, 3], [1, 0, 2, 0, 1, 3]))
      m.constant(.floats("c", [2], [10, 20]))
      m.node(
        "Gemm", ["x", "b", "c"], ["y"],
        ["transA": .integer(1), "transB": .integer(1), "alpha": .float(2), "beta": .float(0.5)])
    }
    // aᵀ bᵀ = [[1·1+3·0+5·2, 1·0+3·1+5·3], [2+12, 4+18]] doubled, plus half of c.
    try expect(y, [2, 2], [27, 46, 33, 54])
  }

  @Test func wideAndNarrowFloatsBecomeF32() throws {
    let y = try run(13, x) { m in
      m.constant(
        ONNXTensorSketch("half", type: 10, [1]) { $0.put(5, [0x80, 0x78]) })  // 1.0 as varint
      m.constant(
        ONNXTensorSketch("brain", type: 16, [1]) { $0.put(9, [0x00, 0x40]) })  // 2.0
      m.constant(
        ONNXTensorSketch("wide", type: 11, [1]) {
          $0.put(10, withUnsafeBytes(of: Double(0.25)) { [UInt8]($0) })
        })
      m.node("Add", ["x", "half"], ["a"])
      m.node("Mul", ["a", "brain"], ["b"])
      m.node("Cast", ["b"], ["c"], ["to": .integer(10)])
      m.node("Sub", ["c", "wide"], ["y"])
    }
    try expect(y, [2, 3, 4], x.floats!.map { ($0 + 1) * 2 - 0.25 })
  }

  @Test func localFunctionsAreInlined() throws {
    var model = ONNXModelSketch(opset: 17)
    model.input("x", ["n", 4])
    model.node("Twice", ["x"], ["a"], domain: "local")
    model.node("Twice", ["a"], ["y"], domain: "local")
    model.output("y")
    model.function(
      "Twice", ["in"], ["out"],
      [
        ONNXModelSketch.node("Add", ["in", "in"], ["sum"], "", [:]),
        ONNXModelSketch.node("Identity", ["sum"], ["out"], "", [:]),
      ])
    let graph = try ONNXImporter.importGraph(model.file)
    #expect(graph.history["function Twice inlined"] == 2)
    #expect(graph.symbols == ["n"])
    let x = Constant(floats: [1, 2, 3, 4], shape: Shape([1, 4]))
    let y = try #require(try GraphRunner(graph).run(["x": x])["y"])
    try expect(y, [1, 4], [4, 8, 12, 16])
  }

  @Test func nodesInAnyOrderAreSorted() throws {
    let y = try run(17, x) { m in
      m.node("Neg", ["a"], ["y"])
      m.node("Abs", ["x"], ["a"])
    }
    try expect(y, [2, 3, 4], x.floats!.map { -$0.magnitude })
  }

  @Test func namesAllUnsupportedOperatorsAtOnce() throws {
    var model = ONNXModelSketch(opset: 17)
    model.input("x", [1])
    model.node("Mystery", ["x"], ["a"])
    model.node("Relu", ["a"], ["b"])
    model.node("Mystery", ["b"], ["c"])
    model.node("Riddle", ["c"], ["y"], domain: "org.example")
    model.output("y")
    let error = #expect(throws: ImportError.self) { try ONNXImporter.importGraph(model.file) }
    #expect(
      error?.reason
        == .unsupportedOperators([
          UnsupportedOperator(
            domain: "", name: "Mystery", opset: 17, nodes: ["node of a", "node of c"]),
          UnsupportedOperator(
            domain: "org.example", name: "Riddle", opset: 17, nodes: ["node of y"]),
        ]))
  }

  @Test(arguments: [0, 29]) func refusesOtherOpsets(opset: Int) throws {
    var model = ONNXModelSketch(opset: opset)
    model.input("x", [1])
    model.node("Relu", ["x"], ["y"])
    model.output("y")
    let error = #expect(throws: ImportError.self) { try ONNXImporter.importGraph(model.file) }
    #expect(error?.description.contains("opset \(opset)") == true)
  }
}
