// Who else is told of a run: sinks in their rhythms, traces, announcements, what watching costs.
import Telemetry
import Testing

struct SinkTests {
  private static let second: UInt64 = 1_000_000_000

  /// What a sink was given.
  private final class Taken {
    var snapshots: [Snapshot] = []
    var recordings: [TraceRecording] = []
  }

  private func collector(steps: Int = 3) -> Collector {
    var facts = RunFacts()
    facts.bundleName = EscapedText("digits")
    facts.steps = (0..<steps).map { _ in
      StepFact(name: EscapedText("s"), kind: EscapedText("conv"), scheme: EscapedText("int8"))
    }
    let collector = Collector(
      facts: facts, nowNanoseconds: Self.second, sampler: SystemSampler(root: "/nonexistent"))
    collector.setState(.running)
    return collector
  }

  private func infer(_ collector: Collector, at start: UInt64, _ duration: UInt64, steps: [UInt64])
    -> Bool
  {
    let isTimed = collector.wantsStepTimes()
    if isTimed {
      for (i, step) in steps.enumerated() {
        collector.recordStep(i, durationNanoseconds: step)
      }
    }
    collector.recordInference(startNanoseconds: start, durationNanoseconds: duration)
    return isTimed
  }

  @Test func sinksKeepTheirRhythm() {
    let collector = collector()
    let (fast, slow, late) = (Taken(), Taken(), Taken())
    collector.addSink(everySeconds: 1) { fast.snapshots.append($0) }
    collector.addSink(everySeconds: 5, windowSeconds: nil) { slow.snapshots.append($0) }
    collector.addSink(everySeconds: 0, windowSeconds: 2, isAtOnce: false) {
      late.snapshots.append($0)
    }
    // Every 50 ms for 10 s, but nothing from 4 s to 6.5 s.
    for tick in 0..<200 where !(80..<130).contains(tick) {
      let now = Self.second + UInt64(tick) * 50_000_000
      _ = infer(collector, at: now, 1_000_000, steps: [])
      collector.poll(nowNanoseconds: now)
    }
    // At 0, 1, 2, 3, then 6.5 for all that were missed, 7, 8, 9.
    #expect(fast.snapshots.map { Int($0.elapsedSeconds * 10) } == [0, 10, 20, 30, 65, 70, 80, 90])
    #expect(slow.snapshots.map { Int($0.elapsedSeconds * 10) } == [0, 65])
    #expect(slow.snapshots.last?.windowSeconds == nil)
    #expect(slow.snapshots.last?.overallHistogram.count == 81)
    // Never more often than ten times a second, and not at once.
    #expect(late.snapshots.count == 74 && late.snapshots[0].elapsedSeconds > 0.09)
    #expect(late.snapshots.last?.latency.count == 39)
    let numbers = (fast.snapshots + slow.snapshots + late.snapshots).map { $0.number }
    #expect(Set(numbers).count == numbers.count)
  }

  @Test func aTraceHoldsTheInferencesThatWereAskedFor() throws {
    // With so many steps, one inference in many has them timed.
    let collector = collector(steps: 300)
    let taken = Taken()
    #expect(!collector.beginTrace(inferenceCount: 4, nowNanoseconds: 0), "nobody would take it")
    collector.setTraceSink { taken.recordings.append($0) }
    var now = 2 * Self.second
    var timed = 0
    for _ in 0..<200 {
      if infer(collector, at: now, 1_000_000, steps: [100, 200, 300]) { timed += 1 }
      now += 2_000_000
      collector.poll(nowNanoseconds: now)
    }
    #expect(timed < 50)
    // One that began before the trace did, with half of its steps.
    collector.recordStep(2, durationNanoseconds: 7)
    collector.recordInference(startNanoseconds: now, durationNanoseconds: 1_000_000)
    now += 2_000_000
    #expect(collector.beginTrace(inferenceCount: 4, nowNanoseconds: now))
    #expect(!collector.beginTrace(inferenceCount: 4, nowNanoseconds: now))
    collector.recordEvent(.warning, Array("look".utf8))
    let begin = now
    for i in 0..<6 as Range<UInt64> {
      let isTimed = infer(collector, at: now, 1_000_000 + i, steps: [100 + i, 200, 300])
      #expect(isTimed || i >= 4)
      now += 2_000_000
      collector.poll(nowNanoseconds: now)
    }
    #expect(taken.recordings.count == 1)
    let recording = try #require(taken.recordings.first)
    #expect(
      recording.inferences.map { $0.startNanoseconds - begin }
        == [0, 2, 4, 6].map { $0 * 1_000_000 })
    #expect(
      recording.inferences.map { $0.durationNanoseconds } == [
        1_000_000, 1_000_001, 1_000_002, 1_000_003,
      ])
    #expect(recording.inferences.map { $0.steps } == [0..<3, 3..<6, 6..<9, 9..<12])
    #expect(recording.steps.map { $0.step } == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2])
    #expect(recording.steps.map { $0.durationNanoseconds }[9...] == [103, 200, 300])
    #expect(recording.machine.count >= 4 && !recording.isCut)
    #expect(recording.startedAtNanoseconds == Self.second)
    #expect(recording.snapshot.events.map { $0.text } == [EscapedText("look")])
    // The next one can begin, and ends with what it has.
    #expect(collector.beginTrace(inferenceCount: 1000, nowNanoseconds: now))
    _ = infer(collector, at: now, 1_000_000, steps: [1, 2, 3])
    collector.recordStep(0, durationNanoseconds: 9)
    collector.poll(nowNanoseconds: now + 1)
    collector.endTrace(nowNanoseconds: now + 2)
    collector.endTrace(nowNanoseconds: now + 3)
    #expect(taken.recordings.count == 2)
    #expect(taken.recordings[1].inferences.count == 1)
    #expect(taken.recordings[1].steps.map { $0.durationNanoseconds } == [1, 2, 3])
  }

  @Test func announcementsAndCosts() {
    let collector = collector()
    collector.announce(.note, Array("trace \u{1B}written".utf8))
    collector.addMonitorCost(nanoseconds: 30)
    collector.addMonitorCost(nanoseconds: 12)
    let snapshot = collector.snapshot(nowNanoseconds: 2 * Self.second)
    #expect(snapshot.events.map { $0.text } == [EscapedText(Array("trace \u{1B}written".utf8))])
    #expect(snapshot.events.first?.elapsedSeconds == 1)
    #expect(snapshot.monitorNanoseconds == 42)
    #expect(collector.snapshot(nowNanoseconds: 3 * Self.second).events.count == 1)
  }
}
