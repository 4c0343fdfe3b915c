// The energy of one inference, from its time, its arithmetic and its bytes.
import Lowering

/// Predicted joules of one inference.
///
/// E = idle watts × time + watts that busy cores add × time + picojoules per byte × bytes from memory.
/// The cores' watts hold the energy of their operations; an accelerator's add to the idle ones while it works.
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
    guard let figures = PowerFigures(profile, threads: latency.threads) else { return nil }
    let bytes = work.reduce(0) { $0 + ($1.time == .always ? $1.weightBytes : 0) }
    func joules(_ seconds: Double) -> Double { figures.joules(seconds, weightBytes: bytes) }
    // Watts are off by a third where nobody measured them, by a tenth where a meter did.
    let band = figures.grade == .meter ? 1.1 : 1.35
    grade = figures.grade
    self.joules = CostEstimate(
      value: joules(latency.seconds.value), low: joules(latency.seconds.low) / band,
      high: joules(latency.seconds.high) * band)
  }
}

/// What a device draws.
package struct PowerFigures {
  package let grade: EnergyEstimate.Grade
  private let idleWatts: Double
  /// What a core at work adds, and what all of them do.
  private let coreWatts: Double
  private let busyWatts: Double
  private let joulesPerByte: Double

  /// With `threads` at work; nil where nothing is known about power.
  package init?(_ profile: DeviceProfile, threads: Int) {
    let cores = Double(max(1, min(threads, profile.cpu.coreCount)))
    if let power = profile.power {
      let active = profile.cpu.clusters.compactMap(\.activeWattsPerCore).max() ?? 0
      (idleWatts, coreWatts) = (power.idleWatts, active)
      joulesPerByte = power.picojoulesPerDRAMByte * 1e-12
      grade = .profile
    } else if let power = profile.measured?.power {
      (idleWatts, coreWatts) = (power.idleWatts, power.activeWattsPerCore)
      joulesPerByte = 0
      grade = .meter
    } else {
      return nil
    }
    busyWatts = coreWatts * cores
  }

  /// Joules of so many seconds of the CPU's work, while `weightBytes` come from memory, of one core's that moves
  /// what an accelerator takes and gives, and of the accelerator's, while the CPU waits.
  package func joules(
    _ seconds: Double, weightBytes: Int, transferSeconds: Double = 0,
    acceleratorSeconds: Double = 0, acceleratorWatts: Double = 0
  ) -> Double {
    (idleWatts + busyWatts) * seconds + Double(weightBytes) * joulesPerByte
      + (idleWatts + coreWatts) * transferSeconds
      + (idleWatts + acceleratorWatts) * acceleratorSeconds
  }
}
