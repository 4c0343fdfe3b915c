// Ranges and histograms of activations, against all values kept and counted one by one.
import Calibration
import GraphRunning
import Graphs
import Operators
import Tensors
import Testing

@Suite struct ActivationRangesTests {
  /// A chain in which later values take the memory of earlier ones.
  private static func chain(_ random: inout RandomSource) -> Graph {
    var graph = Graph(name: "chain")
    var v = graph.addInput("x", .f32, [.constant(1), .constant(3), .constant(8), .constant(8)])
    for i in 0..<4 {
      let weight = graph.addConstant("w\(i)", random.floats([3, 3, 3, 3]))
      let window = Window(pads: IntegerList([1, 1, 1, 1]))
      v = graph.add(.conv(Conv(window: window)), [v, weight], name: "conv\(i)")
      v = graph.add(.unary(Unary(i == 2 ? .tanh : .relu)), [v], name: "function\(i)")
    }
    graph.addOutput("y", v)
    return graph
  }

  @Test func rangesAndCounts() throws {
    var random = RandomSource(1)
    let graph = Self.chain(&random)
    let inputs = (0..<3).map { _ in random.floats([1, 3, 8, 8]) }
    let found = try ActivationRanges(
      graph, items: inputs.map { CalibrationItem(inputs: [$0]) })
    #expect(found.itemCount == 3)
    // The reference: every value as an output, so that nothing shares memory.
    var open = graph
    open.outputs = []
    for node in graph.nodes { open.addOutput(graph[node.outputs[0]].name, node.outputs[0]) }
    let run = try GraphRun(open)
    var seen: [String: [Float]] = ["x": inputs.flatMap { $0.floats! }]
    for x in inputs {
      for (name, value) in try run(["x": x]) { seen[name, default: []] += value.floats! }
    }
    for i in graph.values.indices where graph.values[i].constant == nil {
      let histogram = try #require(found.histograms[ValueID(i)], "\(graph.values[i].name)")
      let values = try #require(seen[graph.values[i].name])
      #expect(histogram.low == min(values.min()!, 0) && histogram.high == max(values.max()!, 0))
      #expect(histogram.count == values.count)
      #expect(histogram.zeroCount == values.filter { $0 == 0 }.count)
      #expect(histogram.bins.reduce(0, +) == values.count - histogram.zeroCount)
    }
  }

  /// The chosen range errs, measured element by element, no more than the whole one, and hardly more
  /// than the best that a search over the elements themselves finds.
  @Test(arguments: [false, true], [UInt64(1), 2, 3])
  func leastSquares(isSymmetric: Bool, seed: UInt64) throws {
    var random = RandomSource(seed)
    // Mostly small, a few far out.
    let values = (0..<20000).map { i -> Float in
      let u = Float.random(in: -1...1, using: &random)
      let x = i % 500 == 0 ? u * 40 : u * u * u
      return seed == 2 ? max(x, 0) : x
    }
    var histogram = ActivationHistogram()
    values.withUnsafeBufferPointer { histogram.extend($0) }
    values.withUnsafeBufferPointer { histogram.add($0) }
    func error(_ range: ClosedRange<Float>) -> Double {
      let low = isSymmetric ? -max(-range.lowerBound, range.upperBound) : range.lowerBound
      let high = isSymmetric ? -low : range.upperBound
      let step = (high - low) / (isSymmetric ? 254 : 255)
      return values.reduce(0) { sum, x in
        let zero = (low / step).rounded()
        let code = min(max((x / step).rounded(), zero), zero + (isSymmetric ? 254 : 255))
        return sum + Double(code * step - x) * Double(code * step - x)
      }
    }
    let chosen = histogram.leastSquares(isSymmetric: isSymmetric, least: 0.02)
    #expect(chosen.lowerBound >= histogram.low && chosen.upperBound <= histogram.high)
    #expect(error(chosen) <= error(histogram.whole) * 1.0001)
    var best = error(histogram.whole)
    for a in 1...40 where histogram.low < 0 || a == 40 {
      for b in isSymmetric ? [a] : Array(1...40) {
        let share = (Float(a) / 40, Float(b) / 40)
        best = min(best, error((histogram.low * share.0)...(histogram.high * share.1)))
      }
    }
    #expect(error(chosen) <= best * 1.05)
  }

  @Test func refusals() throws {
    var random = RandomSource(1)
    let graph = Self.chain(&random)
    #expect(throws: RangeError.noItems) { _ = try ActivationRanges(graph, items: []) }
    var stateful = Graph(name: "counter")
    let x = stateful.addInput("x", .f32, [.constant(2)])
    let y = stateful.add(.unary(Unary(.affine, 1, 1)), [x], name: "y")
    stateful.addOutput("y", y)
    stateful.states = [GraphState(input: 0, next: y)]
    #expect(throws: RangeError.isDynamic(model: "counter")) {
      _ = try ActivationRanges(
        stateful, items: [CalibrationItem(inputs: [Constant(floats: [0, 0], shape: Shape([2]))])])
    }
  }

  @Test func emptyAndConstantValues() {
    var histogram = ActivationHistogram()
    [Float.nan, .infinity, 0].withUnsafeBufferPointer { histogram.extend($0) }
    [Float.nan, .infinity, 0].withUnsafeBufferPointer { histogram.add($0) }
    #expect(histogram.whole == 0...0 && histogram.count == 1)
    #expect(histogram.leastSquares(isSymmetric: false) == 0...0)
  }
}
