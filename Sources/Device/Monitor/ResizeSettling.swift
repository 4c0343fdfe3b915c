// When a window that is being dragged is drawn anew.

/// Lets sizes settle: one that changes all the time is looked at when it has held still for 50 ms, and
/// every 250 ms as long as it does not.
package struct ResizeSettling {
  private static let stillNanoseconds: UInt64 = 50_000_000
  private static let longestNanoseconds: UInt64 = 250_000_000

  private var begin: UInt64?
  private var last: UInt64 = 0

  package init() {}

  /// Notes that the size has changed, at a moment of the monotonic clock.
  package mutating func note(_ now: UInt64) {
    begin = begin ?? now
    last = now
  }

  /// When the size is to be looked at; nil while it has not changed.
  package var due: UInt64? {
    begin.map { min(last &+ Self.stillNanoseconds, $0 &+ Self.longestNanoseconds) }
  }

  /// Whether to look now: true once for each settling.
  package mutating func isOver(_ now: UInt64) -> Bool {
    guard let due, now >= due else { return false }
    begin = nil
    return true
  }
}
