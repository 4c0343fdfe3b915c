// A run in virtual time: what goes in by recording comes out in snapshots.
import Randomness
import Telemetry
import Testing

struct CollectorTests {
  private static let second: UInt64 = 1_000_000_000

  private func text(_ string: String) -> [UInt8] { Array(string.utf8) }

  private func facts() -> RunFacts {
    var facts = RunFacts()
    facts.bundleName = EscapedText("digits")
    facts.warmUpCount = 10
    facts.latencyBudgetNanoseconds = 5_000_000
    facts.energy = EnergyFigures(idleWatts: 2, wattsPerActiveCore: 1)
    facts.predictedP50Nanoseconds = 4_000_000
    facts.steps = (0..<4).map { _ in
      StepFact(name: EscapedText("s"), kind: EscapedText("conv"), scheme: EscapedText("int8"))
    }
    return facts
  }

  /// A collector on an empty machine, loaded and running.
  private func running() -> Collector {
    let collector = Collector(
      facts: RunFacts(), nowNanoseconds: 0, sampler: SystemSampler(root: "/nonexistent"))
    collector.setLoaded(facts())
    collector.setState(.running)
    collector.poll(nowNanoseconds: 1)
    return collector
  }

  /// Inferences of `duration` back to back from `start` on; returns when the last one ended.
  private func run(_ collector: Collector, from start: UInt64, count: Int, duration: UInt64)
    -> UInt64
  {
    var now = start
    for _ in 0..<count {
      collector.recordInference(startNanoseconds: now, durationNanoseconds: duration)
      now += duration
      collector.poll(nowNanoseconds: now)
    }
    return now
  }

  @Test func warmUpIsNotCounted() {
    let collector = running()
    let now = run(collector, from: Self.second, count: 7, duration: 50_000_000)
    let snapshot = collector.snapshot(nowNanoseconds: now)
    #expect(snapshot.state == .warmingUp)
    #expect(snapshot.warmUpDone == 7)
    #expect(snapshot.inferenceCount == 0)
    #expect(snapshot.latency.p50 == nil)
    #expect(snapshot.firstNanoseconds == 50_000_000)
    #expect(snapshot.lastNanoseconds == 50_000_000)
    #expect(snapshot.perSecond == nil)
  }

  @Test func percentilesNeedEnoughInferences() {
    let collector = running()
    var now = run(collector, from: Self.second, count: 10 + 19, duration: 4_000_000)
    var snapshot = collector.snapshot(nowNanoseconds: now)
    #expect(snapshot.state == .running)
    #expect(snapshot.inferenceCount == 19)
    #expect(snapshot.latency.p50 != nil)
    #expect(snapshot.latency.p95 == nil)
    now = run(collector, from: now, count: 1, duration: 4_000_000)
    snapshot = collector.snapshot(nowNanoseconds: now)
    #expect(snapshot.latency.p95 != nil)
    #expect(snapshot.latency.p99 == nil)
    now = run(collector, from: now, count: 80, duration: 4_000_000)
    snapshot = collector.snapshot(nowNanoseconds: now)
    #expect(snapshot.latency.p99 != nil)
    #expect(snapshot.missedCount == 0)
    _ = run(collector, from: now, count: 3, duration: 9_000_000)
    #expect(collector.snapshot(nowNanoseconds: now).missedCount == 3)
  }

  @Test func rateIsOverRunningTime() throws {
    let collector = running()
    // 10 of warm-up, then 100 in one second.
    let now = run(collector, from: Self.second, count: 110, duration: 10_000_000)
    let rate = try #require(collector.snapshot(nowNanoseconds: now).perSecond)
    #expect(abs(rate - 100) < 1)
    // Ten seconds of pause change nothing.
    collector.setPaused(true)
    #expect(collector.runState == .paused)
    var later = now
    for _ in 0..<100 {
      later += Self.second / 10
      collector.poll(nowNanoseconds: later)
    }
    let paused = collector.snapshot(nowNanoseconds: later)
    #expect(paused.state == .paused)
    #expect(abs(try #require(paused.perSecond) - 100) < 1)
  }

  /// What is older than the window is gone from it, and stays in the whole run's figures.
  @Test func windowForgets() throws {
    let collector = running()
    let now = run(collector, from: Self.second, count: 60, duration: 1_000_000)
    let later = run(collector, from: now + 61 * Self.second, count: 50, duration: 3_000_000)
    let snapshot = collector.snapshot(nowNanoseconds: later)
    #expect(snapshot.latency.count == 50)
    #expect(snapshot.overall.count == 100)
    let p50 = Double(try #require(snapshot.latency.p50))
    #expect(abs(p50 - 3_000_000) <= 3_000_000 * 0.008)
  }

  @Test func energyNeedsTenSecondsAndHasAGrade() throws {
    let collector = running()
    let now = run(collector, from: Self.second, count: 10 + 90, duration: 100_000_000)
    // No processor time on an empty machine: no watts, and a reason.
    let snapshot = collector.snapshot(nowNanoseconds: now)
    #expect(snapshot.power.watts == nil)
    #expect(snapshot.power.grade == .unknown)
    #expect(!snapshot.power.source.isEmpty)
    #expect(snapshot.power.joulesPerInference == nil)
  }

  @Test func modelAddsIdleAndBusyCores() throws {
    let model = EnergyModel(figures: EnergyFigures(idleWatts: 2.5, wattsPerActiveCore: 1.5))
    let reading = model.reading(busyCores: 2)
    #expect(reading.watts == 5.5)
    #expect(reading.grade == .model)
    #expect(reading.bandPercent == 35)
    #expect(model.joules(seconds: 10, cpuSeconds: 4) == 31)
    let unknown = EnergyModel(figures: nil).reading(busyCores: 2)
    #expect(unknown.watts == nil)
    #expect(unknown.grade == .unknown)
    let broken = EnergyModel(figures: EnergyFigures(idleWatts: .nan, wattsPerActiveCore: 1))
    #expect(broken.reading(busyCores: 1).watts == nil)
  }

  @Test func stepsBecomeATableByTime() {
    let collector = running()
    var now = Self.second
    for i in 0..<30 {
      #expect(collector.wantsStepTimes() || i > 0)
      // In the warm-up, steps take long; that must not be seen.
      let scale: UInt64 = i < 10 ? 100 : 1
      for (step, duration) in [UInt64(100), 600, 0, 300].enumerated() where step != 2 {
        collector.recordStep(step, durationNanoseconds: duration * scale)
      }
      collector.recordStep(77, durationNanoseconds: 1)
      collector.recordInference(startNanoseconds: now, durationNanoseconds: 1000)
      now += 1_000_000
    }
    let rows = collector.snapshot(nowNanoseconds: now).operators
    #expect(rows.map { $0.step } == [1, 3, 0])
    #expect(rows.map { $0.meanNanoseconds } == [600, 300, 100])
    #expect(rows.map { $0.share } == [0.6, 0.3, 0.1])
  }

  /// Facts that are known from the start need not be given again.
  @Test func stepsOfTheFirstFacts() {
    let collector = Collector(
      facts: facts(), nowNanoseconds: 0, sampler: SystemSampler(root: "/nonexistent"))
    collector.setState(.running)
    for i in 0..<12 {
      collector.recordStep(1, durationNanoseconds: 500)
      collector.recordInference(startNanoseconds: UInt64(i) * 1000, durationNanoseconds: 900)
    }
    let rows = collector.snapshot(nowNanoseconds: Self.second).operators
    #expect(rows.map { $0.step } == [1])
    #expect(rows.map { $0.meanNanoseconds } == [500])
  }

  /// Timing 4 steps costs 0.8 µs: of 10 µs that is 8 %, so one inference in 16 is timed.
  @Test func timingStaysBelowHalfAPercent() {
    let collector = running()
    let now = run(collector, from: Self.second, count: 200, duration: 10_000)
    let snapshot = collector.snapshot(nowNanoseconds: now)
    #expect(snapshot.profileInterval >= 16 && snapshot.profileInterval <= 17)
    var timed = 0
    for _ in 0..<snapshot.profileInterval * 10 where collector.wantsStepTimes() { timed += 1 }
    #expect(timed >= 10 && timed <= 11)
  }

  @Test func outputAndEventsAreEscapedAndNumbered() {
    let collector = running()
    collector.recordOutput(text("one"))
    collector.recordOutput(text("two\u{1B}[2J"))
    collector.recordEvent(.warning, text("hot"))
    collector.recordAnswer(isCorrect: true)
    collector.recordAnswer(isCorrect: true)
    collector.recordAnswer(isCorrect: false)
    collector.recordAnswer(isCorrect: true)
    let snapshot = collector.snapshot(nowNanoseconds: 3 * Self.second)
    #expect(snapshot.output.map { $0.number } == [1, 2])
    #expect(snapshot.output[1].text == EscapedText("two\\x1b[2J"))
    #expect(snapshot.events.count == 1)
    #expect(snapshot.events[0].level == .warning)
    #expect(snapshot.events[0].elapsedSeconds == 3)
    #expect(snapshot.accuracy == 0.75)
  }

  /// Lines beyond what is read are left out, keep their numbers, and are no lost timings.
  @Test func manyLinesPushNothingElseOut() {
    let collector = running()
    for i in 1...20_000 { collector.recordOutput(text("line \(i)")) }
    collector.recordEvent(.warning, text("hot"))
    var snapshot = collector.snapshot(nowNanoseconds: 3 * Self.second)
    #expect(snapshot.lostSampleCount == 0)
    #expect(snapshot.events.count == 1)
    collector.recordOutput(text("line 20001"))
    snapshot = collector.snapshot(nowNanoseconds: 4 * Self.second)
    #expect(snapshot.output.count > 10 && snapshot.output.last?.number == 20_001)
    for line in snapshot.output {
      #expect(line.text == EscapedText(text("line \(line.number)")))
    }
  }

  @Test func resetForgetsStatisticsAndSaysSo() {
    let collector = running()
    let now = run(collector, from: Self.second, count: 50, duration: 1_000_000)
    collector.reset(nowNanoseconds: now)
    let snapshot = collector.snapshot(nowNanoseconds: now)
    #expect(snapshot.inferenceCount == 0)
    #expect(snapshot.latency.count == 0)
    #expect(snapshot.history.isEmpty)
    #expect(snapshot.events.last?.text == EscapedText("statistics reset"))
    // Warm-up is not asked for again.
    let later = run(collector, from: now, count: 5, duration: 1_000_000)
    #expect(collector.snapshot(nowNanoseconds: later).inferenceCount == 5)
  }

  /// The process was stopped for an hour in the middle of an inference: neither counts.
  @Test func timeStoppedIsLeftOut() throws {
    let collector = running()
    let now = run(collector, from: Self.second, count: 110, duration: 10_000_000)
    let later = now + 3600 * Self.second
    collector.exclude(fromNanoseconds: now + 1_000_000, toNanoseconds: later)
    collector.recordInference(
      startNanoseconds: now, durationNanoseconds: later + 2_000_000 - now)
    let end = run(collector, from: later + 2_000_000, count: 100, duration: 10_000_000)
    let snapshot = collector.snapshot(nowNanoseconds: end)
    #expect(snapshot.inferenceCount == 200)
    #expect(snapshot.overall.max == 10_000_000)
    #expect(abs(try #require(snapshot.overallPerSecond) - 100) < 2)
    #expect(snapshot.events.count == 1)
  }

  /// A ring that nobody empties drops timings, and says how many.
  @Test func lossIsCounted() {
    let collector = Collector(
      facts: RunFacts(), nowNanoseconds: 0, sampler: SystemSampler(root: "/nonexistent"),
      ringCapacity: 16)
    for i in 0..<20 {
      collector.recordInference(startNanoseconds: UInt64(i), durationNanoseconds: 1)
    }
    let snapshot = collector.snapshot(nowNanoseconds: Self.second)
    #expect(snapshot.lostSampleCount == 4)
    #expect(snapshot.inferenceCount == 16)
  }

  /// G18: what a run's snapshot says of its percentiles, against the durations themselves.
  @Test(arguments: [1, 2, 3]) func percentilesAreWithinAPercent(seed: Int) throws {
    let collector = running()
    var random = SeededRandom(state: UInt64(seed))
    var now = Self.second
    var durations: [UInt64] = []
    for i in 0..<3010 {
      // A body around 5 ms, a shoulder at 7, and now and then something long.
      let place = random.unit()
      let milliseconds =
        place < 0.9
        ? 4.8 + 0.5 * (random.unit() + random.unit() + random.unit())
        : place < 0.99 ? 7 + random.unit() : 10 + 60 * random.unit() * random.unit()
      let duration = UInt64(milliseconds * 1e6)
      if i >= 10 { durations.append(duration) }
      collector.recordInference(startNanoseconds: now, durationNanoseconds: duration)
      now += duration
      if i % 10 == 0 { collector.poll(nowNanoseconds: now) }
    }
    durations.sort()
    let latency = collector.snapshot(nowNanoseconds: now).latency
    for (found, share) in [(latency.p50, 0.5), (latency.p95, 0.95), (latency.p99, 0.99)] {
      let rank = max(1, Int((share * Double(durations.count)).rounded(.up)))
      let truth = Double(durations[rank - 1])
      #expect(abs(Double(try #require(found)) / truth - 1) < 0.008)
    }
    #expect(latency.max == durations.last)
    #expect(latency.count == 3000)
  }

  @Test func driftComparesWithPrediction() throws {
    let collector = running()
    let now = run(collector, from: Self.second, count: 60, duration: 6_000_000)
    let drift = collector.snapshot(nowNanoseconds: now).drift
    let p50 = try #require(drift.first)
    #expect(p50.quantity == .p50)
    #expect(abs(try #require(p50.ratio) - 1.5) < 0.02)
    #expect(p50.isOff)
  }

  /// The monitor's own tables and code are no fault of the prediction.
  @Test func memoryIsOffBeyondWhatWatchingAdds() {
    func row(_ predicted: Double, _ measured: Double) -> DriftRow {
      DriftRow(
        quantity: .peakMemory, predicted: predicted * 1_048_576, measured: measured * 1_048_576,
        isEstimate: false)
    }
    #expect(!row(25, 29).isOff && !row(10, 15.9).isOff)
    #expect(row(10, 16.1).isOff && row(30, 20).isOff)
    #expect(!row(100, 114).isOff && row(100, 116).isOff)
  }
}

extension SeededRandom {
  /// From 0 to below 1.
  fileprivate mutating func unit() -> Double { Double.random(in: 0..<1, using: &self) }
}
