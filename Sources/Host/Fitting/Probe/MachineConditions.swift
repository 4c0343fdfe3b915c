// In which state a machine is while it is measured: what makes the same silicon fast or slow.

/// What the kernel says of clock, heat and company.
public struct MachineConditions: Equatable, Sendable {
  /// Processes that wanted to run over the last minute; nil where the kernel does not say.
  public var loadAverage: Double?
  /// The governor of the first core's clock.
  public var governor: String?
  /// The first core's clock now.
  public var clockHertz: Double?
  /// Times the processor slowed down because of heat or supply since it was started.
  public var throttleCount: Int?
  /// The share of the time in which the machine was slower than it can be: others had a part of it.
  public var disturbedShare: Double?

  public init(
    loadAverage: Double? = nil, governor: String? = nil, clockHertz: Double? = nil,
    throttleCount: Int? = nil, disturbedShare: Double? = nil
  ) {
    self.loadAverage = loadAverage
    self.governor = governor
    self.clockHertz = clockHertz
    self.throttleCount = throttleCount
    self.disturbedShare = disturbedShare
  }

  /// As it is now. `root` is where `proc` and `sys` are found.
  public init(root: String = "/") {
    let machine = SystemFiles(root: root)
    let cpu = "sys/devices/system/cpu/cpu0"
    loadAverage = machine.text("proc/loadavg")?.split(separator: " ").first.flatMap {
      Double($0).flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
    }
    governor = machine.text("\(cpu)/cpufreq/scaling_governor").flatMap { text in
      let name = text.split { $0 == "\n" || $0 == " " }.first.map { String($0.prefix(64)) }
      return name.flatMap { $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } ? $0 : nil }
    }
    clockHertz = machine.integer("\(cpu)/cpufreq/scaling_cur_freq").flatMap {
      (1_000...100_000_000).contains($0) ? Double($0) * 1000 : nil
    }
    throttleCount = machine.integer("\(cpu)/thermal_throttle/core_throttle_count").flatMap {
      $0 >= 0 ? $0 : nil
    }
  }
}
