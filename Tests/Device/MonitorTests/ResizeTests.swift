// When a size that changes is looked at.
import Monitor
import Testing

struct ResizeTests {
  private static let millisecond: UInt64 = 1_000_000

  /// Moments in milliseconds at which the size is looked at, by a loop that wakes every millisecond.
  private func looks(changes: [UInt64], until end: UInt64) -> [UInt64] {
    var settling = ResizeSettling()
    var found: [UInt64] = []
    for now in 0..<end {
      if settling.isOver(now * Self.millisecond) { found.append(now) }
      if changes.contains(now) { settling.note(now * Self.millisecond) }
    }
    return found
  }

  @Test func aSizeIsLookedAtOnceItHoldsStill() {
    #expect(looks(changes: [], until: 1000) == [])
    #expect(looks(changes: [100], until: 1000) == [150])
    #expect(looks(changes: [100, 120, 160], until: 1000) == [210])
    #expect(looks(changes: [100, 400], until: 1000) == [150, 450])
  }

  /// While somebody drags, four times a second; and the last size is always seen.
  @Test func aDragIsFollowed() {
    let found = looks(changes: Array(stride(from: 0, to: 1000, by: 20)), until: 2000)
    #expect(found == [250, 510, 770, 1030])
    #expect(found.last.map { $0 > 980 } == true)
  }
}
