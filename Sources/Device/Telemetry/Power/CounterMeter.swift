// RAPL: the processor's own counters of microjoules.
import Bytes
import Platform

/// The counters of all processor packages and of the memory that is counted apart from them.
final class CounterMeter {
  private struct Domain {
    var name: [UInt8]
    var energy: PolledFile
    var counter: CounterIntegrator
    /// Inside a package, which counts it already; or around all of them.
    var isPart: Bool
    /// Counted and not handed over yet.
    var pendingJoules = 0.0
  }

  static let folder = "/sys/class/powercap/"
  private static let domainLimit = 64
  private var domains: [Domain]
  private let source: EscapedText
  private var countedTo: UInt64?

  /// What there is to count with; nil where no package can be read.
  init?(_ tree: SensorTree) {
    domains = []
    for zone in Self.zones(tree) {
      let path = Self.folder + zone + "/"
      guard let name = tree.word(path + "name"), let energy = tree.open(path + "energy_uj"),
        let range = tree.integer(path + "max_energy_range_uj"), range > 0
      else { continue }
      let isInside = zone.utf8.reduce(0) { $1 == 0x3A ? $0 + 1 : $0 } > 1
      // Memory is counted beside the package although it is listed below it.
      let isMemory = name == Array("dram".utf8)
      let isPackage = name.starts(with: "package".utf8)
      domains.append(
        Domain(
          name: name, energy: energy, counter: CounterIntegrator(range: UInt64(range)),
          isPart: isInside ? !isMemory : !isPackage))
    }
    guard domains.contains(where: { !$0.isPart && $0.name.starts(with: "package".utf8) }) else {
      return nil
    }
    let hasMemory = domains.contains { !$0.isPart && $0.name == Array("dram".utf8) }
    source = EscapedText(string: hasMemory ? "RAPL package and memory" : "RAPL package")
  }

  /// The names of the zones: `intel-rapl:0`, `intel-rapl:0:0`. The same package under
  /// `intel-rapl-mmio` would be counted twice.
  static func zones(_ tree: SensorTree) -> [String] {
    Array(tree.names(folder).filter { $0.hasPrefix("intel-rapl:") }.prefix(domainLimit))
  }

  func read(nowNanoseconds now: UInt64) -> PowerSample {
    var sample = PowerSample()
    sample.source = source
    sample.grade = .partialMeter
    var isComplete = true
    var wasSetBack = false
    for i in domains.indices {
      var watts: Double?
      if let count = domains[i].energy.integer(), count >= 0 {
        let span = domains[i].counter.add(microjoules: UInt64(count), atNanoseconds: now)
        watts = span?.watts
        if span == nil { wasSetBack = wasSetBack || !domains[i].isPart }
        domains[i].pendingJoules += span?.joules ?? 0
      } else if !domains[i].isPart {
        isComplete = false
      }
      sample.rails.append(
        PowerRail(name: EscapedText(domains[i].name), watts: watts, isPart: domains[i].isPart))
    }
    guard isComplete else {
      // What the others counted is handed over with what this one will have counted by then.
      sample.source = EscapedText("RAPL: a counter does not answer")
      return sample
    }
    var joules = 0.0
    for i in domains.indices {
      if !domains[i].isPart { joules += domains[i].pendingJoules }
      domains[i].pendingJoules = 0
    }
    defer { countedTo = now }
    guard let countedTo, now > countedTo, !wasSetBack else {
      sample.source = EscapedText(
        countedTo == nil ? "RAPL: the first reading" : "RAPL: a counter was set back")
      return sample
    }
    let span = EnergySpan(joules: joules, nanoseconds: now - countedTo)
    sample.take(span)
    sample.watts = span.watts
    return sample
  }
}
