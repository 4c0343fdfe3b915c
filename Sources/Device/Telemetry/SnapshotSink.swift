// Something beside the screen that wants a snapshot in its own rhythm.

/// A rhythm, and who is called in it.
struct SnapshotSink {
  let intervalNanoseconds: UInt64
  let windowSeconds: Int?
  let take: (Snapshot) -> Void
  /// When the next snapshot is due.
  private(set) var dueAt: UInt64

  /// firstAt: 0 for at once, else the moment that the first interval begins.
  init(
    everySeconds: Double, windowSeconds: Int?, firstAt: UInt64, take: @escaping (Snapshot) -> Void
  ) {
    intervalNanoseconds = UInt64(min(max(everySeconds, 0.1), 86_400) * 1e9)
    self.windowSeconds = windowSeconds
    self.take = take
    dueAt = firstAt == 0 ? 0 : firstAt &+ intervalNanoseconds
  }

  /// Goes on to the next moment of the rhythm behind `now`; those that were missed are left out.
  mutating func step(past now: UInt64) {
    if dueAt == 0 { dueAt = now }
    dueAt += (max(now, dueAt) - dueAt) / intervalNanoseconds * intervalNanoseconds
    dueAt += intervalNanoseconds
  }
}
