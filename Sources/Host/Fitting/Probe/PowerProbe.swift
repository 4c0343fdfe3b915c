// Watts from the processor's own energy counter, where the kernel shows one.
import Foundation
import Platform

/// RAPL's counter of the processor package: microjoules since some moment, back to 0 now and then.
package struct PowerProbe {
  private let machine: SystemFiles
  private static let folder = "sys/class/powercap/intel-rapl:0"

  /// nil where there is no counter, or it is not ours to read.
  package init?(root: String = "/") {
    machine = SystemFiles(root: root)
    guard energy != nil else { return nil }
  }

  /// Microjoules counted by now.
  package var energy: Int? {
    machine.integer("\(Self.folder)/energy_uj").flatMap { $0 >= 0 ? $0 : nil }
  }

  /// Joules between two readings; nil where they make no sense together.
  package func joules(from start: Int, to end: Int) -> Double? {
    if end >= start { return Double(end - start) * 1e-6 }
    guard let range = machine.integer("\(Self.folder)/max_energy_range_uj"), range >= start
    else { return nil }
    return Double(range - start) * 1e-6 + Double(end) * 1e-6
  }

  /// Idle watts and what each of `threads` busy cores adds, over half a second each.
  func measure(threads: Int, busy: (Double) throws -> Void) rethrows -> MeasuredSpeeds
    .MeasuredPower?
  {
    guard let idle = watts({ Clock.sleep(milliseconds: 500) }),
      let active = try watts({ try busy(0.5) })
    else { return nil }
    guard idle > 0.001, active > idle else { return nil }
    return MeasuredSpeeds.MeasuredPower(
      meter: "RAPL package", idleWatts: idle,
      activeWattsPerCore: (active - idle) / Double(threads))
  }

  private func watts(_ body: () throws -> Void) rethrows -> Double? {
    guard let before = energy else { return nil }
    let start = Clock.monotonicNanoseconds
    try body()
    let seconds = Double(Clock.monotonicNanoseconds &- start) * 1e-9
    guard let after = energy, let joules = joules(from: before, to: after), seconds > 0 else {
      return nil
    }
    return joules / seconds
  }
}
