// A thread that does what others put aside for it, so that they need not wait.
import CPlatform
import Platform
import Synchronization

/// Items done one after the other, on a thread of the queue's own. Any thread may put items.
final class WorkQueue<Item>: Sendable {
  private let items = Shared<[Item]>([])
  private let isEnding = Atomic<Bool>(false)
  private let limit: Int
  private let wakeUp: WakeUp
  private let thread = Shared<MonitorThread?>(nil)

  /// limit: how many items may wait; the oldest is dropped for a newer one. work: does one item; cost:
  /// told of the processor time that it took. Nil where there can be no thread.
  init?(
    limit: Int, work: @escaping @Sendable (Item) -> Void,
    cost: @escaping @Sendable (UInt64) -> Void
  ) {
    guard let wakeUp = WakeUp() else { return nil }
    self.limit = limit
    self.wakeUp = wakeUp
    let started = MonitorThread { [self] in
      var cpu = kp_thread_cpu_ns()
      while true {
        // Asked before the items are looked at: what was put before the end is still done.
        let isLast = isEnding.load(ordering: .acquiring)
        while let item = next() { work(item) }
        let now = kp_thread_cpu_ns()
        cost(now - cpu)
        cpu = now
        if isLast { return }
        wakeUp.wait(milliseconds: -1)
      }
    }
    guard let started else { return nil }
    thread.use { $0 = started }
  }

  /// Puts an item in line.
  func put(_ item: Item) {
    items.use {
      if $0.count >= limit { $0.removeFirst() }
      $0.append(item)
    }
    wakeUp.call()
  }

  /// Does what is left and ends the thread.
  func stop() {
    isEnding.store(true, ordering: .releasing)
    wakeUp.call()
    let running = thread.use { thread in
      defer { thread = nil }
      return thread
    }
    running?.join()
  }

  private func next() -> Item? { items.use { $0.isEmpty ? nil : $0.removeFirst() } }
}
