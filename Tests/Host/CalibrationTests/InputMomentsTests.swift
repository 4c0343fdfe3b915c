// Moments of what weights are multiplied with, against what errors in the weights do to the outputs.
import Calibration
import GraphRunning
import Graphs
import Lowering
import Operators
import Tasks
import Tensors
import Testing

@Suite struct InputMomentsTests {
  /// Σ over rows of e H eᵀ is the mean square of what the errors e do to a place's outputs.
  private func check(_ graph: Graph, _ inputs: [Constant], rowLength: Int) throws {
    var random = RandomSource(3)
    let model = try Lowering.lower(graph) { _ in .f32 }
    let meters = OutputMeter.meters(model.program, task: .tensor)
    let meter = try LossMeter(
      model, meters: meters, items: inputs.map { CalibrationItem(inputs: [$0]) }, threads: 1)
    let w = try #require(meter.probedWeights.first)
    #expect(meter.momentGroups == [[w]])
    let all = try meter.moments(of: [[w]])
    let moments = try #require(all[w])
    #expect(moments.columns == rowLength)
    let source = model.sources[w]
    let values = try #require(source.constant.floats)
    let errors = try #require(random.floats([values.count]).floats).map { $0 * 0.01 }
    // Rows as the encoder sees them: columns of a product's [k, n].
    let isTurned = source.role == .matrix(transposed: false)
    let rows = values.count / rowLength
    var expected = 0.0
    for r in 0..<rows {
      for i in 0..<rowLength {
        for j in 0..<rowLength {
          let a = errors[isTurned ? i * rows + r : r * rowLength + i]
          let b = errors[isTurned ? j * rows + r : r * rowLength + j]
          expected += Double(a) * Double(b) * Double(moments.values[i * rowLength + j])
        }
      }
    }
    // The meter's loss is the mean square over the reference's variance.
    let run = try GraphRun(graph)
    var outputs: [Double] = []
    for x in inputs { outputs += try run(["x": x])["y"]?.floats?.map { Double($0) } ?? [] }
    let mean = outputs.reduce(0, +) / Double(outputs.count)
    let variance = outputs.reduce(0) { $0 + $1 * $1 } / Double(outputs.count) - mean * mean
    meter.set(
      w, to: Constant(floats: zip(values, errors).map { $0 + $1 }, shape: source.constant.shape))
    let found = try meter.loss() * variance * Double(rows)
    #expect(abs(found - expected) < 2e-3 * expected, "\(found) \(expected)")
  }

  @Test func products() throws {
    var random = RandomSource(1)
    var graph = Graph(name: "product")
    let x = graph.addInput("x", .f32, [.constant(5), .constant(24)])
    let weight = graph.addConstant("w", random.floats([24, 48]))
    graph.addOutput("y", graph.add(.matMul(MatMul()), [x, weight], name: "product"))
    try check(graph, (0..<4).map { _ in random.floats([5, 24]) }, rowLength: 24)
  }

  @Test(arguments: [
    Window(), Window(pads: IntegerList([1, 2, 1, 0])),
    Window(strides: IntegerList([2, 1]), dilations: IntegerList([1, 2])),
    Window(strides: IntegerList([2, 2]), autoPad: .sameUpper),
    Window(strides: IntegerList([3, 2]), autoPad: .sameLower), Window(autoPad: .valid),
  ]) func convolutions(window: Window) throws {
    var random = RandomSource(2)
    var graph = Graph(name: "convolution")
    let x = graph.addInput(
      "x", .f32, [.constant(1), .constant(5), .constant(7), .constant(8)])
    let weight = graph.addConstant("w", random.floats([24, 5, 3, 3]))
    graph.addOutput("y", graph.add(.conv(Conv(window: window)), [x, weight], name: "convolution"))
    try check(graph, (0..<3).map { _ in random.floats([1, 5, 7, 8]) }, rowLength: 45)
  }

  /// Products of the same input share their moments; what follows from another input does not.
  @Test func groups() throws {
    var random = RandomSource(4)
    var graph = Graph(name: "heads")
    let x = graph.addInput("x", .f32, [.constant(3), .constant(32)])
    var last = x
    for i in 0..<3 {
      let weight = graph.addConstant("w\(i)", random.floats([32, 32]))
      let y = graph.add(.matMul(MatMul()), [x, weight], name: "product\(i)")
      graph.addOutput("y\(i)", y)
      last = y
    }
    let weight = graph.addConstant("last", random.floats([32, 40]))
    let node = graph.add(.matMul(MatMul()), [last, weight], name: "product3")
    graph.addOutput("y3", node)
    let model = try Lowering.lower(graph) { _ in .f32 }
    let meter = try LossMeter(
      model, meters: OutputMeter.meters(model.program, task: .tensor),
      items: [CalibrationItem(inputs: [random.floats([3, 32])])], threads: 1)
    #expect(meter.momentGroups.map(\.count) == [3, 1])
  }
}
