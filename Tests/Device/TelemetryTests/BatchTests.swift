// Thousands of timings at a time, as fast models give them, against the same ones one by one out of a recording.
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
      ringCapacity: 1 << 10)
    collector.setState(.running)
    return collector
  }

  /// An item: steps of some inferences, stages of some, pauses; when it ends.
  private func item(
    _ collector: Collector, at start: UInt64, _ random: inout SeededRandom
  ) -> UInt64 {
    let kind = Int.random(in: 0..<100, using: &random)
    let scale = Double.random(in: 0..<1, using: &random)
    let duration = UInt64(8_000 + 2_000_000 * scale * scale * scale * scale * scale)
    // A step of another model, too: nobody's.
    if kind < 4 {
      for step in 0..<4 { collector.recordStep(step, durationNanoseconds: duration / 4) }
    }
    if kind == 5 {
      collector.recordStage(.prepare, startNanoseconds: start, durationNanoseconds: 900)
    }
    collector.recordInference(startNanoseconds: start, durationNanoseconds: duration)
    return start + duration + (kind == 6 ? 30_000_000 : 300)
  }

  /// What samples become, and nothing that depends on when somebody looked.
  private func said(_ snapshot: Snapshot) -> String {
    var slowest = snapshot.slowest
    for i in slowest.indices {
      slowest[i].majorFaults = nil
      slowest[i].involuntarySwitches = nil
      slowest[i].wereStepsTimed = false
    }
    let parts: [Any] = [
      snapshot.inferenceCount, snapshot.firstNanoseconds as Any, snapshot.lastNanoseconds as Any,
      snapshot.missedCount, snapshot.latency, snapshot.histogram, snapshot.perSecond as Any,
      snapshot.overallHistogram, snapshot.history, snapshot.stages, snapshot.operators, slowest,
    ]
    return String(describing: parts)
  }

  /// Batches of a run, and the recording of it, which is read sample by sample.
  @Test(arguments: [1, 2, 3, 4]) func batchesAreTheirSamples(seed: UInt64) throws {
    var random = SeededRandom(state: seed)
    let live = collector(warmUp: Int.random(in: 0...40, using: &random))
    let recorder = Recorder()
    live.record(into: recorder, secondOfDay: 0)
    var now = Self.second
    var looks: [(seconds: Double, said: String)] = []
    for chunk in 0..<40 {
      for _ in 0..<Int.random(in: 1...700, using: &random) {
        now = item(live, at: now, &random)
      }
      live.poll(nowNanoseconds: now)
      looks.append((Double(now) / 1e9, said(live.snapshot(nowNanoseconds: now))))
      guard chunk == 17 else { continue }
      // An inference that began before the gap comes after it.
      live.exclude(fromNanoseconds: now, toNanoseconds: now + 5_000_000)
      live.recordInference(startNanoseconds: now - 9000, durationNanoseconds: 60_000)
      now += 5_000_000
    }
    recorder.flush()
    let recorded = try RecordedRun(bytes: recorder.bytes)
    for look in looks {
      try recorded.advance(toSeconds: look.seconds)
      #expect(said(recorded.snapshot()) == look.said)
    }
    let last = live.snapshot(nowNanoseconds: now)
    #expect(last.lostSampleCount == 0)
    #expect(last.inferenceCount > 8000)
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
    for i in 0..<256 {
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
