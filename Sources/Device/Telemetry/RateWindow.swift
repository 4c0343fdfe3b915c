// What happened in each of the last 60 seconds: durations, time spent running, processor time.

/// Per-second records, merged over as many of the last seconds as are asked for.
///
/// Storage is allocated once: 60 histograms of 9 kB. Seconds are those of the monotonic clock.
public struct RateWindow: Sendable {
  /// How many seconds are kept.
  public static let seconds = 60

  private struct Second {
    var index: UInt64 = .max
    var durations = LatencyHistogram()
    var activeNanoseconds: UInt64 = 0
    var cpuNanoseconds: UInt64 = 0

    mutating func begin(_ newIndex: UInt64) {
      index = newIndex
      durations.reset()
      activeNanoseconds = 0
      cpuNanoseconds = 0
    }
  }

  private var slots: [Second]

  public init() {
    slots = []
    slots.reserveCapacity(Self.seconds)
    // One by one: repeating one value would share its storage.
    for _ in 0..<Self.seconds { slots.append(Second()) }
  }

  /// The slot of a moment; nil when that second has already been overwritten.
  private mutating func slot(atNanoseconds moment: UInt64) -> Int? {
    let second = moment / 1_000_000_000
    let slot = Int(second % UInt64(Self.seconds))
    let found = slots[slot].index
    if found == second { return slot }
    guard found == .max || found < second else { return nil }
    slots[slot].begin(second)
    return slot
  }

  /// Counts an inference that ended at a moment of the monotonic clock.
  public mutating func record(nanoseconds: UInt64, endingAt moment: UInt64) {
    guard let slot = slot(atNanoseconds: moment) else { return }
    slots[slot].durations.record(nanoseconds: nanoseconds)
  }

  /// Adds time in which the run was running, and the processor time spent in it.
  public mutating func advance(to moment: UInt64, activeNanoseconds: UInt64, cpuNanoseconds: UInt64)
  {
    guard let slot = slot(atNanoseconds: moment) else { return }
    slots[slot].activeNanoseconds += activeNanoseconds
    slots[slot].cpuNanoseconds += cpuNanoseconds
  }

  /// What the last seconds hold together.
  public struct Sum: Sendable {
    public var durations = LatencyHistogram()
    /// Time in which the run was running, not paused.
    public var activeNanoseconds: UInt64 = 0
    /// Processor time of the process in that time.
    public var cpuNanoseconds: UInt64 = 0

    public init() {}
    /// Inferences per second of running time; nil without any.
    public var perSecond: Double? {
      guard activeNanoseconds > 0, durations.count > 0 else { return nil }
      return Double(durations.count) / (Double(activeNanoseconds) / 1e9)
    }
    /// Cores kept busy; nil before any time has passed.
    public var busyCores: Double? {
      activeNanoseconds == 0 ? nil : Double(cpuNanoseconds) / Double(activeNanoseconds)
    }
  }

  /// Merges the last `seconds` (1…60) up to `moment` into `sum`, which is emptied first.
  public func merge(last seconds: Int, upTo moment: UInt64, into sum: inout Sum) {
    sum.durations.reset()
    sum.activeNanoseconds = 0
    sum.cpuNanoseconds = 0
    let now = moment / 1_000_000_000
    let span = UInt64(min(max(seconds, 1), Self.seconds))
    for slot in slots where slot.index <= now && now - slot.index < span {
      sum.durations.merge(slot.durations)
      sum.activeNanoseconds += slot.activeNanoseconds
      sum.cpuNanoseconds += slot.cpuNanoseconds
    }
  }

  /// Forgets everything and keeps the storage.
  public mutating func reset() {
    for i in slots.indices { slots[i].begin(.max) }
  }
}
