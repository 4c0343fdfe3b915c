// What each form of each weight costs in time and energy, and what the rest of the model takes.
import Fitting
import Graphs
import Lowering
import Tensors

/// What the search knows of the device and of the bundle beside the weights.
public struct SearchSetup: Sendable {
  public var graph: Graph
  public var lowering: LoweringOptions
  public var target: DeviceProfile
  public var runtime: RuntimeFootprint
  public var assetBytes: Int
  public var pins: [SchemePin]
  /// Whether tables are coded too.
  public var storage: WeightStorage

  public init(
    graph: Graph, lowering: LoweringOptions, target: DeviceProfile, runtime: RuntimeFootprint,
    assetBytes: Int, pins: [SchemePin], storage: WeightStorage
  ) {
    self.graph = graph
    self.lowering = lowering
    self.target = target
    self.runtime = runtime
    self.assetBytes = assetBytes
    self.pins = pins
    self.storage = storage
  }
}

/// The model in one scheme throughout: figures for all its weights.
struct SchemeCosts {
  let scheme: QuantizationScheme
  let model: LoweredModel
  /// Predicted seconds of the steps that read each weight; empty where the target has no figures.
  private(set) var seconds: [Int: Double] = [:]
  /// Seconds of all other steps.
  private(set) var otherSeconds = 0.0
  /// Watts while it runs; 0 where nothing is known.
  private(set) var watts = 0.0
  /// Bytes of a run beside the searched weights.
  let otherBytes: Int

  init(_ scheme: QuantizationScheme, _ setup: SearchSetup) throws {
    self.scheme = scheme
    let model = try Lowering.lower(setup.graph, setup.lowering) { _ in scheme }
    self.model = model
    let memory = MemoryEstimate(
      model, isMapped: { model.lookups[$0] != nil }, runtime: setup.runtime,
      assetBytes: setup.assetBytes)
    otherBytes =
      memory.peakBytes
      - model.sources.indices.reduce(0) { sum, w in
        guard model.sources[w].isQuantizable else { return sum }
        let bytes = model.program.weights[w].byteCount ?? 0
        return sum
          + (model.lookups[w].map { min(bytes, MemoryEstimate.touchedBytes(lookups: $0)) } ?? bytes)
      }
    let threads = setup.lowering.threads
    guard let latency = LatencyEstimate(model.work, on: setup.target, threads: threads) else {
      return
    }
    if latency.seconds.value > 0,
      let energy = EnergyEstimate(model.work, latency, on: setup.target)
    {
      watts = energy.joules.value / latency.seconds.value
    }
    for (i, step) in model.program.steps.enumerated() {
      // A step that reads two is counted for the first.
      let weight = step.inputs.first {
        $0 >= 0 && !model.program.isSlot($0) && model.sources[$0].isQuantizable
      }
      if let weight {
        seconds[weight, default: 0] += latency.steps[i].value
      } else {
        otherSeconds += latency.steps[i].value
      }
    }
    // What an inference takes beside its steps.
    otherSeconds += latency.seconds.value - latency.steps.reduce(0) { $0 + $1.value }
  }
}
