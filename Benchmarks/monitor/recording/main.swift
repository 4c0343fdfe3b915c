// What telemetry costs: recording, from the thread that infers; reading sensors, from the monitor's.
import Platform
import Telemetry

/// Nanoseconds per call of `body`: the least of nine rounds of `count` calls.
func nanoseconds(_ count: Int, _ body: (Int) -> Void) -> Double {
  var least = Double.infinity
  for _ in 0..<9 {
    let begin = Clock.monotonicNanoseconds
    for i in 0..<count { body(i) }
    least = min(least, Double(Clock.monotonicNanoseconds - begin) / Double(count))
  }
  return least
}

func report(_ name: String, _ nanoseconds: Double, bar: Double? = nil) {
  let padded = name + String(repeating: " ", count: max(1, 44 - name.utf8.count))
  let rounded = (nanoseconds * 10).rounded() / 10
  print(padded + "\(rounded) ns" + (bar.map { "   must stay below \(Int($0)) ns" } ?? ""))
}

func collector() -> Collector {
  let collector = Collector(
    facts: RunFacts(), nowNanoseconds: Clock.monotonicNanoseconds, ringCapacity: 1 << 20)
  collector.setState(.running)
  return collector
}

report("one reading of the clock", nanoseconds(10_000) { _ in _ = Clock.monotonicNanoseconds })

// All that a loop does for the monitor around one inference (goal G5: 1 µs).
var target = collector()
report(
  "an inference: two clock readings, record",
  nanoseconds(20_000) { _ in
    _ = target.wantsStepTimes()
    let begin = Clock.monotonicNanoseconds
    target.recordInference(
      startNanoseconds: begin, durationNanoseconds: Clock.monotonicNanoseconds &- begin)
  }, bar: 1000)
// The same with all that is known by then: the kernel's counters are looked at before each inference.
for threads in [1, 2] {
  target = collector()
  target.hasSeveralThreads = threads > 1
  for i in 0..<100 {
    target.recordInference(startNanoseconds: UInt64(i) * 200_000, durationNanoseconds: 200_000)
  }
  target.poll(nowNanoseconds: Clock.monotonicNanoseconds)
  report(
    "an item of 0.2 ms on \(threads) threads: stages, counters",
    nanoseconds(2000) { _ in
      target.beginItem()
      target.endStage(.read)
      target.endStage(.prepare)
      _ = target.wantsStepTimes()
      target.beginInference()
      let begin = Clock.monotonicNanoseconds
      target.recordInference(
        startNanoseconds: begin, durationNanoseconds: Clock.monotonicNanoseconds &- begin)
      target.endStage(.answer)
      target.endStage(.publish)
    }, bar: 1000)
}
target = collector()
report(
  "a step: one clock reading, record",
  nanoseconds(20_000) { _ in
    target.recordStep(3, durationNanoseconds: Clock.monotonicNanoseconds & 0xFFFF)
  })
target = collector()
report(
  "record alone",
  nanoseconds(20_000) {
    target.recordInference(startNanoseconds: UInt64($0), durationNanoseconds: 5_000_000)
  })

// The monitor's thread.
var window = RateWindow()
report(
  "taking one duration in",
  nanoseconds(20_000) {
    window.record(nanoseconds: 5_000_000 + UInt64($0) * 997, endingAt: UInt64($0) * 10_000_000)
  })
var sum = RateWindow.Sum()
report(
  "merging a minute",
  nanoseconds(100) { _ in window.merge(last: 60, upTo: 200_000_000_000, into: &sum) })

let status = "/proc/self/status"
if let file = try? PolledFile(path: status, capacity: 1 << 14) {
  report("\(status), kept open", nanoseconds(200) { _ in _ = file.read { $0.count } })
  report(
    "\(status), opened each time",
    nanoseconds(200) { _ in _ = try? File.read(status, limit: 1 << 14) })
}

let sampler = SystemSampler()
let begin = Clock.monotonicNanoseconds
_ = sampler.powerTried
report("finding every sensor, once", Double(Clock.monotonicNanoseconds - begin))
report(
  "the power meter, ten times a second",
  nanoseconds(50) { _ in _ = sampler.power(nowNanoseconds: Clock.monotonicNanoseconds) })
report(
  "everything else, twice a second",
  nanoseconds(50) { _ in _ = sampler.reading(nowNanoseconds: Clock.monotonicNanoseconds) })
