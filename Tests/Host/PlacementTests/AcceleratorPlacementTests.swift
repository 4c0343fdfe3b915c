// Parts of whole models by a profile's figures.
import Fitting
import GraphRunning
import Graphs
import Operators
import Placement
import Tensors
import Testing

@Suite struct AcceleratorPlacementTests {
  /// Convolutions of the channels, with something no accelerator takes in the middle.
  private func graph(channels: Int, middle: Operator) -> Graph {
    var random = RandomSource(1)
    var graph = Graph(name: "g")
    var v = graph.addInput(
      "x", .f32, [.constant(1), .constant(channels), .constant(64), .constant(64)])
    for i in 0..<4 {
      if i == 2 { v = graph.add(middle, [v], name: "middle") }
      let w = graph.addConstant("w\(i)", random.floats([channels, channels, 3, 3]))
      let window = Window(pads: IntegerList([1, 1, 1, 1]))
      v = graph.add(.conv(Conv(window: window)), [v, w], name: "conv\(i)")
      v = graph.add(.unary(Unary(.relu)), [v], name: "relu\(i)")
    }
    graph.addOutput("y", v)
    return graph
  }

  @Test func heavyPartsGo() throws {
    let profile = try DeviceProfile.named("orange-pi-5", folder: nil)
    let fixed = try FixedGraph(
      graph(channels: 64, middle: .cumSum(CumSum(axis: 1))))
    let found = try AcceleratorPlacement(fixed, on: profile)
    #expect(
      found.parts.map(\.names) == [
        ["conv0", "relu0", "conv1", "relu1"], ["conv2", "relu2", "conv3", "relu3"],
      ])
    #expect(found.parts[0].inputs == ["x"] && found.parts[1].outputs == ["relu3"])
    #expect(found.parts[0].transferBytes == 2 * 64 * 64 * 64)
    #expect(found.seconds < found.processorSeconds)
    let sum = found.parts.reduce(0) { $0 + $1.seconds + $1.transferSeconds }
    #expect(found.seconds > sum)
    // Each part's least time: its operations at the sustained rate.
    let operations = 2.0 * 2 * 64 * 64 * 64 * 64 * 9
    #expect(found.parts[0].seconds >= operations / 0.33e12 * 0.999)
  }

  /// While the accelerator works the CPU draws its idle watts; what is transferred one core moves.
  @Test func partsTakeTheAcceleratorsWatts() throws {
    var profile = try DeviceProfile.named("orange-pi-5", folder: nil)
    let active = try #require(profile.cpu.clusters.compactMap(\.activeWattsPerCore).max())
    let fixed = try FixedGraph(graph(channels: 64, middle: .cumSum(CumSum(axis: 1))))
    let found = try AcceleratorPlacement(fixed, on: profile)
    let there = found.parts.reduce(0) { $0 + $1.seconds }
    // 4 W idle, 2.8 W of the accelerator; 40 pJ a byte of four convolutions' weights, a byte each there.
    let weights = 4.0 * 64 * 64 * 9 * 40e-12
    let joules = (4 + active) * (found.seconds - there) + 6.8 * there + weights
    #expect(abs(try #require(found.joules) / joules - 1) < 1e-3)
    let alone = (4 + active) * found.processorSeconds + 4 * weights
    #expect(abs(try #require(found.processorJoules) / alone - 1) < 1e-3)
    #expect(joules < alone)
    let four = try AcceleratorPlacement(fixed, on: profile, threads: 4)
    let (busy, moved) = (
      four.parts.reduce(0) { $0 + $1.seconds }, four.parts.reduce(0) { $0 + $1.transferSeconds }
    )
    let shared = (4 + 4 * active) * (four.seconds - busy - moved) + (4 + active) * moved
    #expect(abs(try #require(four.joules) / (shared + 6.8 * busy + weights) - 1) < 1e-3)
    profile.power = nil
    let unknown = try AcceleratorPlacement(fixed, on: profile)
    #expect(unknown.joules == nil && unknown.processorJoules == nil)
    #expect(unknown.seconds == found.seconds)
  }

  /// What takes less time than its way there stays.
  @Test func lightPartsStay() throws {
    let profile = try DeviceProfile.named("orange-pi-5", folder: nil)
    let fixed = try FixedGraph(graph(channels: 1, middle: .unary(Unary(.relu))))
    #expect(try AcceleratorPlacement(fixed, on: profile).parts.isEmpty)
  }

  @Test func operatorsThatAreNotListedStay() throws {
    var profile = try DeviceProfile.named("orange-pi-5", folder: nil)
    let fixed = try FixedGraph(graph(channels: 64, middle: .unary(Unary(.relu))))
    let all = try AcceleratorPlacement(fixed, on: profile)
    #expect(all.parts.count == 1 && all.parts[0].nodes.count == fixed.graph.nodes.count)
    profile.accelerator?.operators = ["Relu"]
    #expect(try AcceleratorPlacement(fixed, on: profile).parts.isEmpty)
  }

  @Test func refusals() throws {
    let fixed = try FixedGraph(graph(channels: 1, middle: .unary(Unary(.relu))))
    let plain = try DeviceProfile.named("raspberry-pi-5", folder: nil)
    #expect(throws: PlacementError.noAccelerator(target: "raspberry-pi-5")) {
      _ = try AcceleratorPlacement(fixed, on: plain)
    }
    var profile = try DeviceProfile.named("orange-pi-5", folder: nil)
    profile.accelerator?.elementTypes = ["f16"]
    #expect(throws: PlacementError.noBytes(target: "orange-pi-5")) {
      _ = try AcceleratorPlacement(fixed, on: profile)
    }
  }
}
