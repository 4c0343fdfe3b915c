// What a stretch of time holds beside its histogram of inferences: stages of items, and the slowest.

/// The longest inferences of a stretch. Memory for 20 of them, kept when it is emptied.
struct SlowestList {
  static let kept = 20

  struct Entry: Equatable {
    var startNanoseconds: UInt64
    var durationNanoseconds: UInt64
    var mark: SlowMark

    init(_ inference: Sample) {
      startNanoseconds = inference.startNanoseconds
      durationNanoseconds = inference.durationNanoseconds
      mark = SlowMark(bits: inference.detail)
    }
  }

  /// In no order.
  private(set) var entries: [Entry] = []
  /// Where the shortest of a full list is.
  private var least = 0
  /// What an inference must take longer than to be kept; 0 while there is room.
  private(set) var floor: UInt64 = 0

  mutating func take(_ entry: Entry) {
    guard entries.count == Self.kept else {
      if entries.isEmpty { entries.reserveCapacity(Self.kept) }
      entries.append(entry)
      if entries.count == Self.kept { findLeast() }
      return
    }
    guard entry.durationNanoseconds > floor else { return }
    entries[least] = entry
    findLeast()
  }

  private mutating func findLeast() {
    least = 0
    for i in entries.indices
    where entries[i].durationNanoseconds < entries[least].durationNanoseconds {
      least = i
    }
    floor = entries[least].durationNanoseconds
  }

  mutating func merge(_ other: borrowing SlowestList) {
    for i in 0..<other.entries.count { take(other.entries[i]) }
  }

  mutating func reset() {
    entries.removeAll(keepingCapacity: true)
    floor = 0
  }

  /// The longest first; of equal ones the later.
  var sorted: [Entry] {
    entries.sorted {
      $0.durationNanoseconds != $1.durationNanoseconds
        ? $0.durationNanoseconds > $1.durationNanoseconds
        : $0.startNanoseconds > $1.startNanoseconds
    }
  }
}

/// The detail of one slot of a window: at most 2 bytes for each stage of an item.
struct SlotDetail {
  /// Stages that are kept: those of 32 items a second come to 1280 in ten seconds.
  static let most = 2048

  var slowest = SlowestList()
  /// A stage in four bits over the bucket of its duration in twelve.
  private var marks: [UInt16] = []

  mutating func take(_ stage: ItemStage, nanoseconds: UInt64) {
    guard marks.count < Self.most else { return }
    let bucket = LatencyHistogram.bucket(of: nanoseconds)
    marks.append(UInt16(stage.rawValue) << 12 | UInt16(bucket))
  }

  /// The durations come out as the middles of their buckets: at most 1/128 away.
  func addStages(to stages: inout [LatencyHistogram]) {
    for mark in marks {
      let bucket = Int(mark & 0xFFF)
      let lower = LatencyHistogram.lowerBound(of: bucket)
      let width = LatencyHistogram.lowerBound(of: bucket + 1) - lower
      stages[Int(mark >> 12)].record(nanoseconds: lower + width / 2)
    }
  }

  mutating func reset() {
    slowest.reset()
    marks.removeAll(keepingCapacity: true)
  }
}

/// The detail of a window, or of a run.
struct WindowDetail {
  var slowest = SlowestList()
  /// A histogram for each stage, in the order of `ItemStage`; that of `.infer` stays empty.
  var stages: [LatencyHistogram]

  init() {
    stages = []
    // One by one: repeating one value would share its storage.
    for _ in ItemStage.allCases { stages.append(LatencyHistogram()) }
  }

  mutating func merge(_ slot: borrowing SlotDetail) {
    slowest.merge(slot.slowest)
    slot.addStages(to: &stages)
  }

  mutating func reset() {
    slowest.reset()
    for i in stages.indices { stages[i].reset() }
  }
}
