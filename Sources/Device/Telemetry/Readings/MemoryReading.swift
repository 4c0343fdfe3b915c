// What the monitor says of memory: where it is, what limits it, what presses on it, whether it grows.

/// Memory in bytes; nil is unknown.
public struct MemoryReading: Equatable, Sendable {
  public var weights: UInt64?
  /// The part of the weights that is in memory: the others are read when they are needed.
  public var weightsResident: UInt64?
  public var arena: UInt64?
  public var resident: UInt64?
  /// The part of `resident` that is not backed by a file.
  public var anonymous: UInt64?
  /// The part of `resident` that is: mapped weights, code.
  public var file: UInt64?
  public var peak: UInt64?
  public var budget: UInt64?
  /// Page faults that had to read, per second.
  public var majorFaultsPerSecond: Double?
  /// Times per second that this process was taken off a core while it had work.
  public var involuntarySwitchesPerSecond: Double?
  public var growth = GrowthReading()
  public var pressure = PressureReading()
  public var limits = LimitReading()

  public init() {}
}

/// How fast anonymous memory grows over the run after its warm-up.
public struct GrowthReading: Equatable, Sendable {
  /// Slope of the regression line in kB (1000 bytes) per hour; nil in the first minute.
  public var kilobytesPerHour: Double?
  /// Correlation of memory with time, -1…1; nil where memory did not change at all.
  public var correlation: Double?
  /// What the line is drawn through.
  public var overSeconds = 0.0

  public init() {}
}

/// The kernel's pressure stall figures: the share of the last 10 s, in percent, in which some task
/// (or all of them) waited for a resource.
public struct PressureReading: Equatable, Sendable {
  public var memorySome: Double?
  public var memoryFull: Double?
  public var cpuSome: Double?
  public var ioSome: Double?
  public var ioFull: Double?
  /// Why they are missing.
  public var reason = EscapedText("not measured yet")

  public init() {}
}

/// What the control groups allow this process; nil is no limit or unknown, and `reason` tells which.
public struct LimitReading: Equatable, Sendable {
  /// 1 or 2; nil where there are none.
  public var version: Int?
  /// The tightest limit of this group and those above it, in bytes.
  public var memoryLimit: UInt64?
  /// What the group with that limit uses of it, in bytes.
  public var memoryUsage: UInt64?
  /// Cores that may be used at once on average.
  public var cpuQuotaCores: Double?
  /// What there is to say where a figure is missing.
  public var reason = EscapedText("not measured yet")

  public init() {}
}
