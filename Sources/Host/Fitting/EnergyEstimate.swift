// The energy of one inference, from its time, its arithmetic and its bytes.
import Lowering

/// Predicted joules of one inference.
///
/// E = idle watts × time + watts that busy cores add × time + picojoules per byte × bytes from memory.
/// The cores' watts hold the energy of their operations.
public struct EnergyEstimate: Equatable, Sendable {
  public enum Grade: String, Equatable, Sendable {
    /// The processor's meter, read while the machine was probed: the processor only.
    case meter = "the processor's meter"
    /// The figures of the profile: the whole device.
    case profile = "the profile's figures"
  }

  public var joules: CostEstimate
  public var grade: Grade

  /// nil where nothing is known about power.
  public init?(_ work: [StepWork], _ latency: LatencyEstimate, on profile: DeviceProfile) {
    let cores = Double(max(1, min(latency.threads, profile.cpu.coreCount)))
    let watts: Double
    var perByte = 0.0
    if let power = profile.power {
      let active = profile.cpu.clusters.compactMap(\.activeWattsPerCore).max() ?? 0
      watts = power.idleWatts + active * cores
      perByte = power.picojoulesPerDRAMByte * 1e-12
      grade = .profile
    } else if let power = profile.measured?.power {
      watts = power.idleWatts + power.activeWattsPerCore * cores
      grade = .meter
    } else {
      return nil
    }
    let bytes = work.reduce(0.0) { $0 + ($1.time == .always ? Double($1.weightBytes) : 0) }
    func joules(_ seconds: Double) -> Double { watts * seconds + bytes * perByte }
    // Watts are off by a third where nobody measured them, by a tenth where a meter did.
    let band = grade == .meter ? 1.1 : 1.35
    self.joules = CostEstimate(
      value: joules(latency.seconds.value), low: joules(latency.seconds.low) / band,
      high: joules(latency.seconds.high) * band)
  }
}
