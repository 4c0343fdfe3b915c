// When inferences begin: at a rate, and not for ever.
import CPlatform
import Platform

/// Gives turns at an even rate. A turn that comes while the last inference still runs is skipped and
/// counted; the item waits for the next one.
struct Pacer {
  private let interval: UInt64?
  private let end: UInt64?
  private var due: UInt64
  /// Turns that nothing could begin at.
  private(set) var skippedCount: UInt64 = 0

  /// Nobody who asks for an end waits longer than this.
  private static let longestSleep: UInt64 = 50_000_000

  init(perSecond: Double?, from start: UInt64, durationSeconds: Double?) {
    interval = perSecond.map { UInt64(max(1e9 / $0, 1)) }
    end = durationSeconds.map { start &+ UInt64($0 * 1e9) }
    due = start
  }

  /// Waits for the next turn. False where the time is over, or somebody asked for an end.
  mutating func wait(_ isAskedToEnd: () -> Bool) -> Bool {
    var now = Clock.monotonicNanoseconds
    if let end, now >= end { return false }
    guard let interval else { return true }
    if now > due &+ interval {
      let late = (now - due) / interval
      skippedCount += late
      due += late * interval
    }
    while now < due {
      if isAskedToEnd() { return false }
      if let end, now >= end { return false }
      kp_sleep_until_ns(min(due, now + Pacer.longestSleep))
      now = Clock.monotonicNanoseconds
    }
    due += interval
    return true
  }

  /// The time since the last turn was nobody's to use: a pause, or nothing to do.
  mutating func rest() {
    if interval != nil { due = max(due, Clock.monotonicNanoseconds) }
  }
}
