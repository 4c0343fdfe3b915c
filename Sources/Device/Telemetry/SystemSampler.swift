// Reads what the system says: of this process, of power, of heat, of what presses on both.
import CPlatform
import Platform

/// Reads /proc and /sys below a root folder, which tests and bug reports set to a recorded tree.
///
/// Every source is looked for once, at the first reading, and kept open. One thread at a time.
public final class SystemSampler {
  /// What `cpuTicks` counts: Linux answers 100 per second on every architecture.
  private static let nanosecondsPerTick: UInt64 = 10_000_000
  /// What `residentPages` counts, where `status` has no memory lines.
  private static let pageBytes: UInt64 = 4096

  /// What was chosen about power.
  public let settings: PowerSettings
  private let tree: SensorTree

  /// How long the machine has slept since it started, in nanoseconds.
  package var asleep: () -> UInt64 = { kp_asleep_ns() }

  private var sources: Sources?
  private var thermal = ThermalReading()
  private var limits = LimitReading()
  private var accelerators = AcceleratorsReading()
  private var callsUntilSlow = 0
  private var before: (faults: UInt64?, switches: UInt64?, at: UInt64)?

  /// What was found.
  private final class Sources {
    let status: PolledFile?
    let statm: PolledFile?
    let stat: PolledFile?
    let meters: PowerMeters
    let thermal: ThermalProbe
    let throttle: ThrottleProbe
    let pressure: PressureProbe
    let limits: LimitProbe
    let accelerators: AcceleratorProbe

    init(_ tree: SensorTree, _ settings: PowerSettings) {
      status = tree.open("/proc/self/status", capacity: 1 << 14)
      statm = tree.open("/proc/self/statm")
      stat = tree.open("/proc/self/stat", capacity: 4096)
      let firmware = SystemSampler.firmware(tree)
      meters = PowerMeters(tree, meterPath: settings.meterPath, firmware: firmware)
      thermal = ThermalProbe(tree)
      throttle = ThrottleProbe(tree, firmware: try? firmware.get())
      pressure = PressureProbe(tree)
      limits = LimitProbe(tree)
      accelerators = AcceleratorProbe(tree)
    }
  }

  /// A sampler below `root`: by default the folder named by KNAPSACK_SYSROOT, else `/`.
  public init(root: String? = nil, settings: PowerSettings = PowerSettings()) {
    tree = SensorTree(root: root ?? Environment.getNonEmpty("KNAPSACK_SYSROOT") ?? "")
    self.settings = settings
  }

  private static func firmware(_ tree: SensorTree) -> Result<FirmwareChannel, PlatformError> {
    do throws(PlatformError) {
      return .success(try FirmwareChannel(path: tree.root + "/dev/vcio"))
    } catch {
      return .failure(error)
    }
  }

  private var found: Sources {
    if let sources { return sources }
    let new = Sources(tree, settings)
    sources = new
    return new
  }

  /// Every source of power figures in the order it was tried, up to the one that works.
  public var powerTried: [PowerAttempt] { found.meters.tried }

  /// Why the meter that the settings name cannot be read; nil where it can, and where none is named.
  public var meterRefusal: PlatformError? { found.meters.refusal }

  /// As `powerTried`, with those behind the first that works.
  public func everyPowerSource() -> [PowerAttempt] {
    PowerMeters(
      tree, meterPath: settings.meterPath, firmware: Self.firmware(tree), looksOn: true
    ).tried
  }

  /// Whether there is a meter or a battery to read.
  var metersPower: Bool { !found.meters.isEmpty }

  /// What the power meter says now. Energy is counted from one call to the next: call it ten times
  /// a second.
  public func power(nowNanoseconds now: UInt64) -> PowerSample {
    found.meters.read(nowNanoseconds: now)
  }

  /// Everything else. Heat, limits and accelerators are read anew at every second call: on some
  /// boards a sensor takes a millisecond to answer.
  public func reading(nowNanoseconds now: UInt64) -> SystemReading {
    let sources = found
    var reading = SystemReading()
    let stat = sources.stat?.read { ProcessStat(stat: $0) }
    reading.memory = memory(sources, stat, now)
    reading.memory.pressure = sources.pressure.read()
    reading.cpuNanoseconds = stat.flatMap { Self.cpuNanoseconds($0) }
    if callsUntilSlow > 0 {
      callsUntilSlow -= 1
    } else {
      callsUntilSlow = 1
      thermal = sources.thermal.read()
      sources.throttle.judge(&thermal)
      limits = sources.limits.read()
      accelerators = sources.accelerators.read()
    }
    reading.thermal = thermal
    reading.memory.limits = limits
    reading.accelerators = accelerators
    return reading
  }

  /// Memory of this process; what the kernel does not tell is nil.
  private func memory(_ sources: Sources, _ stat: ProcessStat?, _ now: UInt64) -> MemoryReading {
    var memory = MemoryReading()
    let status = sources.status?.read { ProcessStatus(status: $0) }
    memory.resident = status?.residentBytes
    memory.anonymous = status?.anonymousBytes
    memory.file = status?.fileBytes
    memory.peak = status?.peakBytes
    if memory.resident == nil,
      let pages = sources.statm?.read({ ProcessStatm.residentPages($0) }), pages < 1 << 40
    {
      memory.resident = pages * Self.pageBytes
    }
    let faults = stat?.majorFaults
    let switches = tree.root.isEmpty ? Self.ownSwitches() : status?.involuntarySwitches
    if let before, now > before.at {
      let seconds = Double(now - before.at) / 1e9
      memory.majorFaultsPerSecond = Self.rate(before.faults, faults, seconds)
      memory.involuntarySwitchesPerSecond = Self.rate(before.switches, switches, seconds)
    }
    before = (faults, switches, now)
    return memory
  }

  private static func rate(_ from: UInt64?, _ to: UInt64?, _ seconds: Double) -> Double? {
    guard let from, let to, to >= from else { return nil }
    return Double(to - from) / seconds
  }

  /// Of all threads, which /proc tells only thread by thread.
  private static func ownSwitches() -> UInt64? { UInt64(exactly: kp_involuntary_switches()) }

  /// Processor time of this process so far; nil where it is out of range.
  private static func cpuNanoseconds(_ stat: ProcessStat) -> UInt64? {
    let (nanoseconds, overflow) = stat.cpuTicks.multipliedReportingOverflow(by: nanosecondsPerTick)
    return overflow ? nil : nanoseconds
  }
}
