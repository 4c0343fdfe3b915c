// What one look at /proc and /sys gave, the power meter apart.

/// What an accelerator's node in /sys or /proc says.
public struct AcceleratorReading: Equatable, Sendable {
  public var name: EscapedText
  /// 0…100; the mean of its cores.
  public var loadPercent: Double?
  public var megahertz: Double?
  public var maxMegahertz: Double?

  public init(name: EscapedText) { self.name = name }
}

/// Accelerators that tell their load or clock.
public struct AcceleratorsReading: Equatable, Sendable {
  public var list: [AcceleratorReading] = []
  /// Why there is none.
  public var reason = EscapedText("not measured yet")

  public init() {}
}

/// Everything that is read twice a second.
public struct SystemReading: Equatable, Sendable {
  public var memory = MemoryReading()
  public var thermal = ThermalReading()
  public var accelerators = AcceleratorsReading()
  /// Processor time of the process so far.
  public var cpuNanoseconds: UInt64?

  public init() {}
}
