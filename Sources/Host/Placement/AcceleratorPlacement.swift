// A model's parts for an accelerator, with their predicted times.
import Exporters
import Fitting
import Graphs
import Lowering
import Operators
import Tensors

/// Nodes that run on the accelerator in one go.
public struct AcceleratorPart: Equatable, Sendable {
  /// By their places in the fixed graph, in running order.
  public var nodes: [Int]
  /// Their names, in the same order.
  public var names: [String]
  /// Names of the values that come in and go out.
  public var inputs: [String]
  public var outputs: [String]
  /// What the part takes there, without transfers, and what it would take on the CPU.
  public var seconds: Double
  public var processorSeconds: Double
  /// Codes that come in and go out: a byte an element.
  public var transferBytes: Int
  public var transferSeconds: Double
}

/// Why nothing can be placed.
public enum PlacementError: Error, Equatable, Sendable, CustomStringConvertible {
  case noAccelerator(target: String)
  /// The accelerator's profile does not list int8.
  case noBytes(target: String)
  /// The profile has no figures for the CPU to compare with.
  case noSpeeds(target: String)
  /// Whatever could be placed takes longer there, transfers included, or is not taken.
  case nothingPays(target: String)

  /// True where another target is what is needed, not another model.
  public var isAboutTarget: Bool { if case .nothingPays = self { false } else { true } }

  public var description: String {
    switch self {
    case .noAccelerator(let target): "\(target) has no accelerator in its profile"
    case .noBytes(let target): "the accelerator of \(target) does not take int8"
    case .noSpeeds(let target): "the profile of \(target) has no speed figures to compare with"
    case .nothingPays(let target):
      "no part of the model is faster on the accelerator of \(target), transfers included"
    }
  }
}

/// What runs where, and how long that takes.
public struct AcceleratorPlacement: Sendable {
  public let accelerator: DeviceProfile.Accelerator
  /// In running order.
  public let parts: [AcceleratorPart]
  /// Predicted seconds of one inference: all on the CPU in f32, and with the parts where they are.
  public let processorSeconds: Double
  public let seconds: Double
  /// Predicted joules of the same two; nil where the profile has no figures for power.
  public let processorJoules: Double?
  public let joules: Double?
  public let nodeCount: Int

  /// Figures are the profile's, an accelerator's rate that of usual convolutions.
  public init(_ fixed: FixedGraph, on profile: DeviceProfile, threads: Int = 1) throws {
    guard let accelerator = profile.accelerator else {
      throw PlacementError.noAccelerator(target: profile.name)
    }
    guard accelerator.elementTypes.contains("int8") else {
      throw PlacementError.noBytes(target: profile.name)
    }
    let costs = try PlacementCosts(fixed, accelerator, profile, threads)
    let problem = costs.problem
    let chosen = problem.paying()
    var isAccelerated = [Bool](repeating: false, count: problem.nodes.count)
    var parts: [AcceleratorPart] = []
    for nodes in chosen {
      for i in nodes { isAccelerated[i] = true }
      parts.append(costs.part(nodes))
    }
    self.accelerator = accelerator
    self.parts = parts
    processorSeconds = problem.nodes.reduce(0) {
      $0 + Placement.seconds(ofPicoseconds: $1.processorTime)
    }
    let rest = problem.nodes.indices.filter { !isAccelerated[$0] }
    self.seconds =
      rest.reduce(0) { $0 + Placement.seconds(ofPicoseconds: problem.nodes[$1].processorTime) }
      + parts.reduce(0) { $0 + $1.seconds + $1.transferSeconds }
    nodeCount = problem.nodes.count
    let figures = PowerFigures(profile, threads: threads)
    let bytes = costs.weightBytes
    processorJoules = figures?.joules(processorSeconds, weightBytes: bytes.reduce(0, +))
    // Weights are bytes there.
    let there = parts.reduce(0) { $0 + $1.seconds }
    let transfers = parts.reduce(0) { $0 + $1.transferSeconds }
    joules = figures?.joules(
      self.seconds - there - transfers,
      weightBytes: bytes.indices.reduce(0) {
        $0 + (isAccelerated[$1] ? bytes[$1] / 4 : bytes[$1])
      },
      transferSeconds: transfers, acceleratorSeconds: there,
      acceleratorWatts: accelerator.activeWatts)
  }

  /// The nodes of each part.
  public var nodes: [[Int]] { parts.map(\.nodes) }
}

private func seconds(ofPicoseconds time: Int) -> Double { Double(time) * 1e-12 }

/// Times of a graph's nodes and tensors from a profile's figures.
private struct PlacementCosts {
  private let fixed: FixedGraph
  private let accelerator: DeviceProfile.Accelerator
  let problem: PlacementProblem
  /// Of the weights that each node reads, in f32.
  let weightBytes: [Int]
  /// The value of each tensor of the problem, and its elements.
  private let values: [ValueID]
  private let elementCounts: [Int]

  init(
    _ fixed: FixedGraph, _ accelerator: DeviceProfile.Accelerator, _ profile: DeviceProfile,
    _ threads: Int
  ) throws {
    self.fixed = fixed
    self.accelerator = accelerator
    let graph = fixed.graph
    // A step is called what its node is: numbers there lead back.
    var numbered = graph
    for i in numbered.nodes.indices { numbered.nodes[i].name = "\(i)" }
    let lowered = try Lowering.lower(numbered) { _ in .f32 }
    guard let latency = LatencyEstimate(lowered.work, on: profile, threads: threads) else {
      throw PlacementError.noSpeeds(target: profile.name)
    }
    var processor = [Double](repeating: 0, count: graph.nodes.count)
    var work = [StepWork?](repeating: nil, count: graph.nodes.count)
    for (s, step) in lowered.program.steps.enumerated() {
      guard let i = Int(step.name), graph.nodes.indices.contains(i) else { continue }
      processor[i] = latency.steps[s].value
      work[i] = lowered.work[s]
    }
    weightBytes = work.map { $0?.weightBytes ?? 0 }
    let known = Set(accelerator.operators)
    let bandwidth = profile.memory.bandwidthBytesPerSecond ?? accelerator.transferBytesPerSecond
    func time(_ seconds: Double) -> Int { Int(min(max(seconds, 0), 1e5) * 1e12) }
    let nodes = graph.nodes.indices.map { i -> PlacementProblem.Node in
      var there: Int?
      if fixed.takesIntegers(i), let form = fixed.forms[i], let work = work[i],
        form.operators.allSatisfy(known.contains)
      {
        // Weights come from memory every time; activations stay where they fit.
        let data = work.dataBytes / 4
        let bytes = work.weightBytes / 4 + (data > accelerator.localMemoryBytes ? data : 0)
        there = time(
          max(
            2 * Double(work.multiplyAccumulates) / accelerator.sustainedInt8OperationsPerSecond,
            Double(bytes) / bandwidth))
      }
      return PlacementProblem.Node(processorTime: time(processor[i]), acceleratorTime: there)
    }
    var maker: [ValueID: Int] = [:]
    var readers: [ValueID: [Int]] = [:]
    for (i, node) in graph.nodes.enumerated() {
      for output in node.outputs { maker[output] = i }
      for v in Set(node.inputs.compactMap { $0 }) where graph[v].constant == nil {
        readers[v, default: []].append(i)
      }
    }
    let wanted = Set(graph.outputs.map(\.value) + graph.states.map(\.next))
    values = graph.values.indices.map { ValueID($0) }.filter {
      graph[$0].constant == nil && (readers[$0] != nil || wanted.contains($0))
    }
    elementCounts = values.map {
      fixed.extents.isOpen[$0.index] ? 0 : fixed.extents.shape($0).elementCount
    }
    let tensors = zip(values, elementCounts).map { v, count in
      PlacementProblem.Tensor(
        maker: maker[v], readers: readers[v] ?? [], isOutput: wanted.contains(v),
        transferTime: time(
          accelerator.transferSeconds + Double(count) / accelerator.transferBytesPerSecond))
    }
    problem = PlacementProblem(nodes: nodes, tensors: tensors)
  }

  func part(_ nodes: [Int]) -> AcceleratorPart {
    let graph = fixed.graph
    let inside = Set(nodes)
    var part = AcceleratorPart(
      nodes: nodes, names: nodes.map { graph.nodes[$0].name }, inputs: [], outputs: [],
      seconds: 0, processorSeconds: 0, transferBytes: 0, transferSeconds: 0)
    for i in nodes {
      part.seconds += seconds(ofPicoseconds: problem.nodes[i].acceleratorTime ?? 0)
      part.processorSeconds += seconds(ofPicoseconds: problem.nodes[i].processorTime)
    }
    for (n, t) in problem.tensors.enumerated() {
      let isMade = t.maker.map(inside.contains) ?? false
      let isRead = t.readers.contains(where: inside.contains)
      let name = graph[values[n]].name
      if isRead, !isMade {
        part.inputs.append(name)
      } else if isMade, t.isOutput || t.readers.contains(where: { !inside.contains($0) }) {
        part.outputs.append(name)
      } else {
        continue
      }
      part.transferBytes += elementCounts[n]
      part.transferSeconds += seconds(ofPicoseconds: t.transferTime)
    }
    return part
  }
}
