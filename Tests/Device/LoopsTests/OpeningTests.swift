// What a dashboard shows of a run before its model is open, and after.

import BundleFormat
import Loops
import Monitor
import Telemetry
import Testing

@Suite struct OpeningTests {
  @Test func itLoadsUntilThereIsARun() {
    let opening = OpeningRun(
      Array("big.knap".utf8), LoadProgress(), startNanoseconds: 1_000_000_000)
    opening.poll(nowNanoseconds: 1_500_000_000)
    opening.setPaused(true)
    opening.reset(nowNanoseconds: 1_500_000_000)
    #expect(opening.runState == .loading)
    #expect(!opening.beginTrace(inferenceCount: 3, nowNanoseconds: 1_500_000_000))
    let early = opening.snapshot(nowNanoseconds: 3_000_000_000, windowSeconds: 10)
    #expect(early.state == .loading && early.elapsedSeconds == 2 && early.windowSeconds == 10)
    #expect(early.facts.bundleName == EscapedText("big.knap"))
    #expect(early.progress == nil && early.inferenceCount == 0)

    var facts = RunFacts()
    facts.bundleName = EscapedText("big")
    let collector = Collector(
      facts: facts, nowNanoseconds: 1_000_000_000,
      sampler: SystemSampler(root: "/nonexistent"))
    collector.setState(.running)
    for i in 0..<5 {
      collector.recordInference(
        startNanoseconds: 3_000_000_000 + UInt64(i) * 10_000_000, durationNanoseconds: 1_000_000)
    }
    opening.become(
      ServedRun(collector, RunControl(catchesSignals: false), folder: "/nonexistent"))
    opening.poll(nowNanoseconds: 4_000_000_000)
    let late = opening.snapshot(nowNanoseconds: 4_000_000_000, windowSeconds: 10)
    #expect(opening.runState == .running && late.state == .running)
    #expect(late.facts.bundleName == EscapedText("big"))
    #expect(late.inferenceCount == 5 && late.elapsedSeconds == 3)
    opening.setPaused(true)
    #expect(opening.runState == .paused)
  }
}
