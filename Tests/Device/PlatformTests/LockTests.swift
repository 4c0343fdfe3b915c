// Locks and wake-ups between real threads.

import Platform
import Testing

struct LockTests {
  /// Two threads that count together lose nothing.
  @Test func noIncrementIsLost() throws {
    let shared = Shared(0)
    let threads = try (0..<4).map { _ in
      try #require(
        MonitorThread { for _ in 0..<20_000 { shared.use { $0 += 1 } } })
    }
    for thread in threads { thread.join() }
    #expect(shared.use { $0 } == 80_000)
  }

  @Test func aCallEndsTheWait() throws {
    let wakeUp = try #require(WakeUp())
    let woken = Shared(0)
    // Called before it waits: the next wait ends at once, and only that one.
    wakeUp.call()
    wakeUp.call()
    wakeUp.wait(milliseconds: 60_000)
    let begin = Clock.monotonicNanoseconds
    wakeUp.wait(milliseconds: 20)
    #expect(Clock.monotonicNanoseconds - begin >= 19_000_000)
    let thread = try #require(
      MonitorThread {
        wakeUp.wait(milliseconds: 60_000)
        woken.use { $0 += 1 }
      })
    wakeUp.call()
    thread.join()
    #expect(woken.use { $0 } == 1)
  }
}
