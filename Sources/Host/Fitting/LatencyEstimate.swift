// The time and energy of one inference, as a roofline over the profile's figures.
import Lowering
import Programs
import Tensors

/// A prediction with its interval.
public struct CostEstimate: Equatable, Sendable {
  public var value: Double
  public var low: Double
  public var high: Double
}

/// What one inference costs on a device that was not measured: every step takes the longer of its
/// arithmetic and its weights' way from memory, plus a dispatch.
public struct LatencyEstimate: Equatable, Sendable {
  public var seconds: CostEstimate
  /// nil where the profile has no power figures.
  public var joules: CostEstimate?

  /// Per step: loop, dispatch and one round through the thread pool.
  private static let dispatchSeconds = 2e-6
  /// Shipped figures are data sheets and other people's measurements: half to twice.
  private static let band = 2.0

  /// nil where the profile says nothing about speed.
  public init?(_ model: LoweredModel, on profile: DeviceProfile, threads: Int) {
    // The fastest cluster runs the model.
    let speeds = profile.cpu.clusters.compactMap { cluster -> (f32: Double, int8: Double, Int)? in
      guard let f32 = cluster.f32OperationsPerSecondPerCore else { return nil }
      return (f32, cluster.int8OperationsPerSecondPerCore ?? f32, cluster.coreCount)
    }
    guard let fastest = speeds.max(by: { $0.f32 < $1.f32 }) else { return nil }
    let cores = Double(max(1, min(threads, fastest.2)))
    let program = model.program
    var time = 0.0
    var bytesMoved = 0.0
    for (i, step) in program.steps.enumerated() {
      let weights = step.inputs.filter { $0 >= 0 && !program.isSlot($0) }
      let isInt8 = weights.contains { program.weights[$0].encoding?.scheme == .int8 }
      let work = 2 * Double(model.multiplyAccumulates[i])
      let bytes = weights.reduce(0.0) { sum, t in
        sum + (model.lookups[t] == nil ? Double(program.weights[t].byteCount ?? 0) : 0)
      }
      let speed = (isInt8 ? fastest.int8 : fastest.f32) * cores
      let memory = profile.memory.bandwidthBytesPerSecond.map { bytes / $0 } ?? 0
      time += max(work / speed, memory) + LatencyEstimate.dispatchSeconds
      bytesMoved += bytes
    }
    seconds = LatencyEstimate.banded(time)
    guard let power = profile.power else { return }
    let active = profile.cpu.clusters.compactMap(\.activeWattsPerCore).max() ?? 0
    // The cores' power already holds the energy of their operations.
    joules = LatencyEstimate.banded(
      (power.idleWatts + active * cores) * time + bytesMoved * power.picojoulesPerDRAMByte * 1e-12)
  }

  private static func banded(_ value: Double) -> CostEstimate {
    CostEstimate(value: value, low: value / band, high: value * band)
  }
}
