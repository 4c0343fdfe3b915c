// Reads what the system says of this process and of the machine's heat.
import Platform

/// Reads /proc and /sys below a root folder, which tests set to a recorded tree.
public final class SystemSampler {
  private static let zoneLimit = 32
  private static let textLimit = 1 << 16
  /// What `cpuTicks` counts: Linux answers 100 per second on every architecture.
  private static let nanosecondsPerTick: UInt64 = 10_000_000
  /// What `residentPages` counts, where `status` has no memory lines.
  private static let pageBytes: UInt64 = 4096

  private let root: String
  private var zoneCount: Int?
  private var reading = ThermalReading()
  private var callsUntilThermal = 0

  /// A sampler below `root`: by default the folder named by KNAPSACK_SYSROOT, else `/`.
  public init(root: String? = nil) {
    self.root = root ?? Environment.getNonEmpty("KNAPSACK_SYSROOT") ?? ""
  }

  private func text(_ path: String) -> [UInt8]? {
    try? File.read(root + path, limit: Self.textLimit)
  }

  /// Memory of this process; what the kernel does not tell is nil.
  public func memory() -> MemoryReading {
    var memory = MemoryReading()
    if let status = text("/proc/self/status") {
      let parsed = ProcessStatus(status: status.span)
      memory.resident = parsed.residentBytes
      memory.anonymous = parsed.anonymousBytes
      memory.file = parsed.fileBytes
      memory.peak = parsed.peakBytes
    }
    if memory.resident == nil, let statm = text("/proc/self/statm"),
      let pages = ProcessStatm.residentPages(statm.span), pages < 1 << 40
    {
      memory.resident = pages * Self.pageBytes
    }
    return memory
  }

  /// Processor time of this process so far; nil where /proc does not tell.
  public func cpuNanoseconds() -> UInt64? {
    guard let stat = text("/proc/self/stat"), let parsed = ProcessStat(stat: stat.span) else {
      return nil
    }
    let (nanoseconds, overflow) = parsed.cpuTicks.multipliedReportingOverflow(
      by: Self.nanosecondsPerTick)
    return overflow ? nil : nanoseconds
  }

  /// The hottest zone and the first core's clock. Read anew at every second call: on some boards
  /// a sensor takes a millisecond to answer.
  public func thermal() -> ThermalReading {
    if callsUntilThermal > 0 {
      callsUntilThermal -= 1
      return reading
    }
    callsUntilThermal = 1
    readZones()
    readClocks()
    return reading
  }

  private func readZones() {
    reading.celsius = nil
    reading.zone = EscapedText("")
    reading.criticalCelsius = nil
    var hottest: (zone: ThermalZone, index: Int)?
    var found = 0
    for index in 0..<min(zoneCount ?? Self.zoneLimit, Self.zoneLimit) {
      let folder = "/sys/class/thermal/thermal_zone\(index)"
      guard let temperature = text(folder + "/temp") else {
        // A sensor may refuse to answer now; a folder that is not there ends the list.
        if zoneCount == nil, text(folder + "/type") == nil { break }
        found += 1
        continue
      }
      found += 1
      let type = text(folder + "/type") ?? []
      guard let zone = ThermalZone(type: type.span, temperature: temperature.span) else { continue }
      if zone.celsius > hottest?.zone.celsius ?? 0 { hottest = (zone, index) }
    }
    if zoneCount == nil { zoneCount = found }
    guard let hottest else {
      reading.reason = EscapedText(found == 0 ? "no thermal zones" : "no zone answers")
      return
    }
    reading.celsius = hottest.zone.celsius
    reading.zone = EscapedText(hottest.zone.name)
    reading.criticalCelsius = critical(zone: hottest.index)
  }

  private func critical(zone: Int) -> Double? {
    for point in 0..<8 {
      let base = "/sys/class/thermal/thermal_zone\(zone)/trip_point_\(point)"
      guard let type = text(base + "_type") else { return nil }
      guard ProbeText.matches("critical", in: type.span, at: 0) else { continue }
      guard let value = text(base + "_temp"), let millidegrees = ProbeText.integer(value.span),
        millidegrees > 0
      else { return nil }
      return Double(millidegrees) / 1000
    }
    return nil
  }

  private func readClocks() {
    let folder = "/sys/devices/system/cpu/cpu0/cpufreq/"
    reading.clockMegahertz = text(folder + "scaling_cur_freq").flatMap {
      ClockProbe.megahertz($0.span)
    }
    reading.maxClockMegahertz = text(folder + "cpuinfo_max_freq").flatMap {
      ClockProbe.megahertz($0.span)
    }
  }
}
