// What the loop's thread records of an item's way: its stages, its inference, its tokens. Nothing here
// allocates, locks or throws.
import Platform
import Synchronization

/// Which items have their stages timed, and where the one that runs is. Plain data of one thread.
struct ItemClock {
  /// 32 items a second: often enough for percentiles of a minute, and nothing beside what they measure.
  private static let meanNanoseconds: UInt64 = 31_250_000

  private(set) var isTimed = false
  /// When the stage began that runs.
  private(set) var at: UInt64 = 0
  /// When the last inference ended: a clock that costs nothing.
  private var inferredAt: UInt64 = 0
  private var dueAt: UInt64 = 0
  private var random: UInt64 = 0x9E37_79B9_7F4A_7C15

  /// An item begins. The interval to the next one that is timed is random: items that come round in a
  /// cycle are then all seen.
  mutating func begin(readyNanoseconds: UInt64?) {
    isTimed = max(inferredAt, readyNanoseconds ?? 0) >= dueAt
    guard isTimed else { return }
    at = readyNanoseconds ?? Clock.monotonicNanoseconds
    random ^= random << 13
    random ^= random >> 7
    random ^= random << 17
    dueAt = at &+ random % (2 * Self.meanNanoseconds)
  }

  mutating func inferenceEnded(_ moment: UInt64) {
    inferredAt = moment
    at = moment
  }

  /// The stage that ends at a moment: when it began, and how long it took.
  mutating func step(to moment: UInt64) -> (start: UInt64, duration: UInt64) {
    let start = at
    at = moment
    return (start, moment > start ? moment - start : 0)
  }
}

extension Collector {
  /// Shorter inferences are not worth looking at the kernel's counters before each.
  private static var shortestLookedInto: UInt64 { 100_000 }

  // MARK: Items

  /// Says that an item begins. Some items have their stages timed: one clock reading where each ends.
  ///
  /// readyNanoseconds: the moment on the monotonic clock from which on the item was there; nil is now.
  public func beginItem(readyNanoseconds: UInt64? = nil) {
    items.begin(readyNanoseconds: readyNanoseconds)
  }

  /// Says that this stage of the item ends now, and the next one begins. Not for `.infer`.
  public func endStage(_ stage: ItemStage) {
    guard items.isTimed else { return }
    let (start, duration) = items.step(to: Clock.monotonicNanoseconds)
    recordStage(stage, startNanoseconds: start, durationNanoseconds: duration)
  }

  /// Records a stage that was timed elsewhere. Start on the monotonic clock, both in nanoseconds.
  public func recordStage(
    _ stage: ItemStage, startNanoseconds: UInt64, durationNanoseconds: UInt64
  ) {
    push(.stage(stage), startNanoseconds, durationNanoseconds)
  }

  private func push(
    _ kind: SampleKind, _ start: UInt64, _ duration: UInt64, detail: UInt32 = 0
  ) {
    samples.push(
      Sample(
        startNanoseconds: start, durationNanoseconds: duration, step: kind.code, detail: detail))
  }

  // MARK: Inferences

  /// Whether the steps of the inference that begins now are to be timed. Call once per inference.
  public func wantsStepTimes() -> Bool {
    let known = interval.load(ordering: .relaxed)
    areStepsTimed = isTracing.load(ordering: .relaxed) || untilProfiled <= 0
    // All steps of a fast model would fill the ring before it is looked into for the first time.
    let interval = known > 0 ? known : Self.firstInterval
    untilProfiled = min(areStepsTimed ? interval : untilProfiled, interval) - 1
    return areStepsTimed
  }

  private static var firstInterval: Int { 16 }

  /// Records one step of the inference that `wantsStepTimes` was asked for, before the inference
  /// itself is recorded.
  public func recordStep(_ index: Int, durationNanoseconds: UInt64) {
    samples.push(
      Sample(
        startNanoseconds: 0, durationNanoseconds: durationNanoseconds,
        step: Int32(truncatingIfNeeded: index & 0x7FFF_FFFF)))
  }

  /// Says that an inference begins now: what the kernel has counted of its thread is looked at where
  /// that pays, 0.3 µs, or 0.6 µs for all threads. Without this call a slow inference has no cause.
  public func beginInference() {
    let slow = slowNanoseconds.load(ordering: .relaxed)
    before = slow >= 2 * Self.shortestLookedInto ? look() : nil
  }

  private func look() -> Interruptions {
    let counts = interruptions(hasSeveralThreads)
    return Interruptions(majorFaults: counts.faults, involuntarySwitches: counts.switches)
  }

  /// Records an inference that is over. Start on the monotonic clock, both in nanoseconds.
  public func recordInference(startNanoseconds: UInt64, durationNanoseconds: UInt64) {
    let slow = slowNanoseconds.load(ordering: .relaxed)
    var mark = SlowMark(bits: 0)
    if slow > 0, durationNanoseconds > slow {
      mark = SlowMark(wereStepsTimed: areStepsTimed, before.map { look().since($0) })
    }
    push(.inference, startNanoseconds, durationNanoseconds, detail: mark.bits)
    before = nil
    // What was recorded of single steps is no part of the stage that follows.
    items.inferenceEnded(
      items.isTimed && areStepsTimed
        ? Clock.monotonicNanoseconds : startNanoseconds &+ durationNanoseconds)
    areStepsTimed = false
  }

  // MARK: Tokens

  /// Records that a request's prompt was read. Start on the monotonic clock, both in nanoseconds. A run
  /// that calls this gives `RunFacts.generation`; the others of this group are for it too.
  public func recordPrompt(
    tokenCount: Int, startNanoseconds: UInt64, durationNanoseconds: UInt64
  ) {
    push(
      .prompt, startNanoseconds, durationNanoseconds, detail: UInt32(clamping: tokenCount))
  }

  /// Records that the first token of a request is out, which came at `startNanoseconds`.
  public func recordFirstToken(startNanoseconds: UInt64, durationNanoseconds: UInt64) {
    push(.firstToken, startNanoseconds, durationNanoseconds)
  }

  /// Records a token behind the first: an inference. `beginInference` and steps go with it as with any.
  public func recordToken(startNanoseconds: UInt64, durationNanoseconds: UInt64) {
    recordInference(
      startNanoseconds: startNanoseconds, durationNanoseconds: durationNanoseconds)
  }

  /// Records that a request is answered, with so many tokens, the first included.
  public func recordRequest(
    tokenCount: Int, startNanoseconds: UInt64, durationNanoseconds: UInt64
  ) {
    push(
      .request, startNanoseconds, durationNanoseconds, detail: UInt32(clamping: tokenCount))
  }

  /// Says how many tokens are in the context now, and how many bytes of the KV cache hold anything.
  public func setContext(usedTokens: Int, keyValueBytes bytes: UInt64) {
    contextUsed.store(UInt64(clamping: usedTokens), ordering: .relaxed)
    keyValueBytes.store(bytes, ordering: .relaxed)
  }
}
