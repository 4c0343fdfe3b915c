// What happened in each of the last seconds, and in each ten seconds before them: durations, time
// spent running, processor time, energy, stages of items, the slowest inferences.

/// Records per second and per ten seconds, merged over as many of the last seconds as are asked for.
///
/// Storage for sums is allocated once: 120 histograms of 9 kB. Stages and the slowest take 4 kB a slot at
/// most where there are any. Seconds are those of the monotonic clock.
public struct RateWindow: Sendable {
  /// How many seconds are kept one by one.
  public static let seconds = 60
  /// How far back it reaches, in steps of ten seconds.
  public static let longestSeconds = 600

  private struct Slot {
    var index: UInt64 = .max
    var sum = Sum()
    var detail = SlotDetail()

    mutating func begin(_ newIndex: UInt64) {
      index = newIndex
      sum.reset()
      detail.reset()
    }
  }

  /// Slots of equal length in a ring.
  private struct Track {
    let slotNanoseconds: UInt64
    var slots: [Slot]

    init(slotSeconds: UInt64, count: Int) {
      slotNanoseconds = slotSeconds * 1_000_000_000
      slots = []
      slots.reserveCapacity(count)
      // One by one: repeating one value would share its storage.
      for _ in 0..<count { slots.append(Slot()) }
    }

    /// The slot of a moment; nil when that stretch has already been overwritten.
    mutating func slot(atNanoseconds moment: UInt64) -> Int? {
      let index = moment / slotNanoseconds
      let slot = Int(index % UInt64(slots.count))
      let found = slots[slot].index
      if found == index { return slot }
      guard found == .max || found < index else { return nil }
      slots[slot].begin(index)
      return slot
    }

    /// The slots of the last `count` stretches up to a moment.
    func slots(last count: UInt64, upTo moment: UInt64) -> [Int] {
      let now = moment / slotNanoseconds
      return slots.indices.filter { slots[$0].index <= now && now - slots[$0].index < count }
    }
  }

  private var fine = Track(slotSeconds: 1, count: seconds)
  private var coarse = Track(slotSeconds: 10, count: longestSeconds / 10)

  public init() {}

  /// Counts an inference that ended at a moment of the monotonic clock.
  public mutating func record(nanoseconds: UInt64, endingAt moment: UInt64) {
    if let slot = fine.slot(atNanoseconds: moment) {
      fine.slots[slot].sum.durations.record(nanoseconds: nanoseconds)
    }
    if let slot = coarse.slot(atNanoseconds: moment) {
      coarse.slots[slot].sum.durations.record(nanoseconds: nanoseconds)
    }
  }

  /// Counts inferences that ended in the second that begins at a moment of the monotonic clock, with the
  /// slowest of them.
  mutating func add(
    _ durations: borrowing LatencyHistogram, _ slowest: borrowing SlowestList,
    endingAt moment: UInt64
  ) {
    if let slot = fine.slot(atNanoseconds: moment) {
      fine.slots[slot].sum.durations.merge(durations)
      fine.slots[slot].detail.slowest.merge(slowest)
    }
    if let slot = coarse.slot(atNanoseconds: moment) {
      coarse.slots[slot].sum.durations.merge(durations)
      coarse.slots[slot].detail.slowest.merge(slowest)
    }
  }

  /// Counts a stage of an item that ended at a moment of the monotonic clock.
  mutating func add(_ stage: ItemStage, nanoseconds: UInt64, endingAt moment: UInt64) {
    if let slot = fine.slot(atNanoseconds: moment) {
      fine.slots[slot].detail.take(stage, nanoseconds: nanoseconds)
    }
    if let slot = coarse.slot(atNanoseconds: moment) {
      coarse.slots[slot].detail.take(stage, nanoseconds: nanoseconds)
    }
  }

  /// Adds time in which the run was running, and the processor time spent in it.
  public mutating func advance(to moment: UInt64, activeNanoseconds: UInt64, cpuNanoseconds: UInt64)
  {
    if let slot = fine.slot(atNanoseconds: moment) {
      fine.slots[slot].sum.activeNanoseconds &+= activeNanoseconds
      fine.slots[slot].sum.cpuNanoseconds &+= cpuNanoseconds
    }
    if let slot = coarse.slot(atNanoseconds: moment) {
      coarse.slots[slot].sum.activeNanoseconds &+= activeNanoseconds
      coarse.slots[slot].sum.cpuNanoseconds &+= cpuNanoseconds
    }
  }

  /// Adds a stretch of time in which the run was running, to each second what belongs to it.
  mutating func addActive(from: UInt64, to end: UInt64) {
    // What lies further back is in no window, and a recording may claim any stretch.
    let longest = UInt64(Self.longestSeconds) * 1_000_000_000 + coarse.slotNanoseconds
    var at = max(from, end - min(end, longest))
    while at < end {
      let next = min(end, (at / fine.slotNanoseconds + 1) * fine.slotNanoseconds)
      advance(to: next - 1, activeNanoseconds: next - at, cpuNanoseconds: 0)
      at = next
    }
  }

  /// Adds energy, and the time it was measured over.
  public mutating func add(joules: Double, overNanoseconds: UInt64, at moment: UInt64) {
    let energy = EnergySpan(joules: joules, nanoseconds: overNanoseconds)
    if let slot = fine.slot(atNanoseconds: moment) { fine.slots[slot].sum.energy.add(energy) }
    if let slot = coarse.slot(atNanoseconds: moment) { coarse.slots[slot].sum.energy.add(energy) }
  }

  /// What the last seconds hold together.
  public struct Sum: Sendable {
    public var durations = LatencyHistogram()
    /// Time in which the run was running, not paused.
    public var activeNanoseconds: UInt64 = 0
    /// Processor time of the process in that time.
    public var cpuNanoseconds: UInt64 = 0
    /// What was measured of its energy.
    var energy = EnergySpan()

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
    /// Joules of the energy measured.
    public var joules: Double { energy.joules }
    /// The time they were measured over.
    public var meteredNanoseconds: UInt64 { energy.nanoseconds }

    /// Joules per inference at the mean power: gross and, with the idle power known, above idle.
    /// Nil below 10 s of running, 10 inferences or 9 s of metering.
    func joulesPerInference(idleWatts: Double?) -> (gross: Double, aboveIdle: Double?)? {
      guard activeNanoseconds >= 10_000_000_000, durations.count >= 10,
        energy.nanoseconds >= 9_000_000_000, let watts = energy.watts
      else { return nil }
      let seconds = Double(activeNanoseconds) / 1e9 / Double(durations.count)
      return (watts * seconds, idleWatts.map { max(0, watts - $0) * seconds })
    }

    mutating func merge(_ other: borrowing Sum) {
      durations.merge(other.durations)
      activeNanoseconds &+= other.activeNanoseconds
      cpuNanoseconds &+= other.cpuNanoseconds
      energy.add(other.energy)
    }

    mutating func reset() {
      durations.reset()
      activeNanoseconds = 0
      cpuNanoseconds = 0
      energy = EnergySpan()
    }
  }

  /// Merges the last `seconds` (1…600) up to `moment` into `sum`, which is emptied first. More than
  /// 60 are rounded up to tens, of which the latest may not be full.
  public func merge(last seconds: Int, upTo moment: UInt64, into sum: inout Sum) {
    sum.reset()
    let (track, count) = stretch(seconds)
    for slot in track.slots(last: count, upTo: moment) { sum.merge(track.slots[slot].sum) }
  }

  /// As the other, with the detail of the same stretch.
  func merge(
    last seconds: Int, upTo moment: UInt64, into sum: inout Sum, _ detail: inout WindowDetail
  ) {
    merge(last: seconds, upTo: moment, into: &sum)
    detail.reset()
    let (track, count) = stretch(seconds)
    for slot in track.slots(last: count, upTo: moment) { detail.merge(track.slots[slot].detail) }
  }

  /// Where the last seconds are kept, and in how many slots.
  private func stretch(_ seconds: Int) -> (Track, UInt64) {
    if seconds <= Self.seconds { return (fine, UInt64(max(seconds, 1))) }
    return (coarse, UInt64((min(seconds, Self.longestSeconds) + 9) / 10))
  }

  /// The moment from which on the last `seconds` up to `moment` count, by the same rule.
  static func beginning(ofLast seconds: Int, upTo moment: UInt64) -> UInt64 {
    let isFine = seconds <= Self.seconds
    let slot: UInt64 = isFine ? 1_000_000_000 : 10_000_000_000
    let count = isFine ? max(seconds, 1) : (min(seconds, Self.longestSeconds) + 9) / 10
    let last = moment / slot
    return last >= UInt64(count) ? (last - UInt64(count) + 1) * slot : 0
  }

  /// Forgets everything and keeps the storage.
  public mutating func reset() {
    for i in fine.slots.indices { fine.slots[i].begin(.max) }
    for i in coarse.slots.indices { coarse.slots[i].begin(.max) }
  }
}
