// Thousands of timings at a time, as fast models give them, against the same ones taken one by one.
import Randomness
import Telemetry
import Testing

struct BatchTests {
  private static let second: UInt64 = 1_000_000_000

  private func collector(warmUp: Int) -> Collector {
    var facts = RunFacts()
    facts.warmUpCount = warmUp
    facts.latencyBudgetNanoseconds = 40_000
    facts.steps = (0..<3).map { _ in
      StepFact(name: EscapedText("s"), kind: EscapedText("conv"), scheme: EscapedText("int8"))
    }
    let collector = Collector(
      facts: facts, nowNanoseconds: 0, sampler: SystemSampler(root: "/nonexistent"),
      ringCapacity: 1 << 13)
    collector.setState(.running)
    return collector
  }

  /// An item: steps of some inferences, stages of some, pauses; when it ends.
  private func item(
    _ collectors: [Collector], at start: UInt64, _ random: inout SeededRandom
  ) -> UInt64 {
    let kind = Int.random(in: 0..<100, using: &random)
    let scale = Double.random(in: 0..<1, using: &random)
    let duration = UInt64(8_000 + 2_000_000 * scale * scale * scale * scale * scale)
    for collector in collectors {
      // A step of another model, too: nobody's.
      if kind < 4 {
        for step in 0..<4 { collector.recordStep(step, durationNanoseconds: duration / 4) }
      }
      if kind == 5 {
        collector.recordStage(.prepare, startNanoseconds: start, durationNanoseconds: 900)
      }
      collector.recordInference(startNanoseconds: start, durationNanoseconds: duration)
    }
    return start + duration + (kind == 6 ? 30_000_000 : 300)
  }

  /// Everything but what an inference was looked into for, which depends on what is known by then.
  private func said(_ snapshot: Snapshot) -> String {
    var snapshot = snapshot
    for i in snapshot.slowest.indices {
      snapshot.slowest[i].majorFaults = nil
      snapshot.slowest[i].involuntarySwitches = nil
      snapshot.slowest[i].wereStepsTimed = false
    }
    return String(describing: snapshot)
  }

  @Test(arguments: [1, 2, 3, 4]) func batchesAreTheirSamples(seed: UInt64) {
    var random = SeededRandom(state: seed)
    let warmUp = Int.random(in: 0...40, using: &random)
    let many = collector(warmUp: warmUp)
    let single = collector(warmUp: warmUp)
    var now = Self.second
    for chunk in 0..<16 {
      for _ in 0..<Int.random(in: 1...700, using: &random) {
        now = item([many, single], at: now, &random)
        single.poll(nowNanoseconds: now)
      }
      many.poll(nowNanoseconds: now)
      let window = [1, 10, 60, nil][chunk % 4]
      let expected = said(single.snapshot(nowNanoseconds: now, windowSeconds: window))
      let found = said(many.snapshot(nowNanoseconds: now, windowSeconds: window))
      #expect(found == expected)
      guard chunk == 9 else { continue }
      for collector in [many, single] {
        collector.exclude(fromNanoseconds: now, toNanoseconds: now + 5_000_000)
      }
    }
    let last = many.snapshot(nowNanoseconds: now)
    #expect(last.lostSampleCount == 0)
    #expect(last.inferenceCount > 3000)
    #expect(last.missedCount > 0 && last.missedCount < last.inferenceCount)
    #expect(last.slowest.count == 20 && last.operators.count == 3 && !last.stages.isEmpty)
  }

  /// Fast models are polled before the ring is full, slow ones seldom, and all of them ten times a second
  /// where somebody wants more than their timings.
  @Test func restIsAsLongAsTheRingAllows() {
    let fast = collector(warmUp: 0)
    let slow = collector(warmUp: 0)
    var now = Self.second
    for collector in [fast, slow] { collector.poll(nowNanoseconds: now) }
    for i in 0..<2048 {
      fast.recordInference(startNanoseconds: now + UInt64(i), durationNanoseconds: 1)
    }
    slow.recordInference(startNanoseconds: now, durationNanoseconds: 1)
    now += 40_000_000
    for collector in [fast, slow] { collector.poll(nowNanoseconds: now) }
    // A quarter of the ring in 40 ms.
    #expect(fast.pollNanoseconds == 80_000_000)
    #expect(slow.pollNanoseconds == 250_000_000)
    slow.addSink(everySeconds: 1) { _ in }
    #expect(slow.pollNanoseconds == 100_000_000)
  }
}
