// Items around their inferences: stages against exact percentiles, the slowest with their causes.
import Randomness
import RecordedMachines
import Telemetry
import Testing

/// The duration that a share of all does not exceed, by nearest rank.
func nearestRank(_ durations: [UInt64], _ share: Double) -> Double {
  let sorted = durations.sorted()
  return Double(sorted[max(1, Int((share * Double(sorted.count)).rounded(.up))) - 1])
}

struct ItemTests {
  private static let second: UInt64 = 1_000_000_000

  private func collector(
    warmUp: Int = 0, steps: Int = 0, sampler: SystemSampler = SystemSampler(root: "/nonexistent")
  ) -> Collector {
    var facts = RunFacts()
    facts.warmUpCount = warmUp
    facts.steps = (0..<steps).map { _ in
      StepFact(name: EscapedText("s"), kind: EscapedText("conv"), scheme: EscapedText("int8"))
    }
    let collector = Collector(facts: facts, nowNanoseconds: 0, sampler: sampler)
    collector.setState(.running)
    return collector
  }

  // MARK: Stages

  /// An item with every stage, one behind the other, from `start` on; when it ends.
  private func item(
    _ collector: Collector, at start: UInt64, _ durations: [ItemStage: UInt64]
  ) -> UInt64 {
    var now = start
    for stage in ItemStage.allCases {
      guard let duration = durations[stage] else { continue }
      if stage == .infer {
        collector.recordInference(startNanoseconds: now, durationNanoseconds: duration)
      } else {
        collector.recordStage(stage, startNanoseconds: now, durationNanoseconds: duration)
      }
      now += duration
    }
    return now
  }

  @Test(arguments: [1, 2, 3]) func stagesAgainstExactPercentiles(seed: UInt64) throws {
    let collector = collector(warmUp: 3)
    var random = SeededRandom(state: seed)
    var now = Self.second
    var all: [ItemStage: [UInt64]] = [:]
    for i in 0..<403 {
      // The warm-up takes a hundred times as long, which must not be seen.
      let scale: UInt64 = i < 3 ? 100 : 1
      let durations: [ItemStage: UInt64] = [
        .read: UInt64.random(in: 900_000...1_300_000, using: &random) * scale,
        .prepare: UInt64.random(in: 2_000_000...3_000_000, using: &random) * scale,
        .infer: UInt64.random(in: 14_000_000...19_000_000, using: &random) * scale,
        .answer: UInt64.random(in: 1_000...4_000_000, using: &random) * scale,
        .publish: UInt64.random(in: 30...900, using: &random) * scale,
      ]
      now = item(collector, at: now, durations) + 1000
      if i >= 3 { for (stage, duration) in durations { all[stage, default: []].append(duration) } }
      if i % 7 == 0 { collector.poll(nowNanoseconds: now) }
    }
    let snapshot = collector.snapshot(nowNanoseconds: now)
    #expect(snapshot.inferenceCount == 400)
    #expect(snapshot.stages.map { $0.stage } == ItemStage.allCases)
    let means = all.mapValues { $0.reduce(0.0) { $0 + Double($1) } / 400 }
    let total = means.values.reduce(0, +)
    for reading in snapshot.stages {
      let truth = try #require(all[reading.stage])
      #expect(reading.latency.count == 400)
      for (found, share) in [
        (reading.latency.p50, 0.5), (reading.latency.p95, 0.95), (reading.latency.p99, 0.99),
      ] {
        let exact = nearestRank(truth, share)
        #expect(abs(Double(try #require(found)) - exact) <= exact / 128 + 1, "\(reading.stage)")
      }
      let share = try #require(means[reading.stage]) / total
      #expect(abs(reading.share - share) <= 0.01 * share + 1e-6)
      #expect(reading.overall.count == (reading.stage == .infer ? 0 : 400))
    }
    #expect(abs(snapshot.stages.reduce(0) { $0 + $1.share } - 1) < 1e-9)
  }

  /// What is older than the window is gone from it: of a minute, of ten, and stays in the run's.
  @Test func windowsForgetStages() throws {
    let collector = collector()
    var now = Self.second
    for _ in 0..<30 {
      now = item(collector, at: now, [.prepare: 8_000_000, .infer: 1_000_000])
      collector.poll(nowNanoseconds: now)
    }
    now += 120 * Self.second
    for _ in 0..<40 {
      now = item(collector, at: now, [.prepare: 2_000_000, .infer: 1_000_000])
      collector.poll(nowNanoseconds: now)
    }
    func counts(_ seconds: Int?) -> [UInt64] {
      let snapshot = collector.snapshot(nowNanoseconds: now, windowSeconds: seconds)
      return [snapshot.stages[0].latency.count, snapshot.latency.count]
    }
    #expect(counts(10) == [40, 40] && counts(60) == [40, 40])
    #expect(counts(600) == [70, 70] && counts(nil) == [70, 70])
    let minute = collector.snapshot(nowNanoseconds: now).stages[0].latency
    #expect(abs(Double(try #require(minute.max)) - 2e6) <= 2e6 / 128)
    #expect(minute.p95 != nil && minute.p99 == nil)
    collector.reset(nowNanoseconds: now)
    #expect(collector.snapshot(nowNanoseconds: now, windowSeconds: nil).stages.isEmpty)
  }

  /// Without any stage but the inference there is no table.
  @Test func inferencesAloneAreNoStages() {
    let collector = collector()
    let now = item(collector, at: Self.second, [.infer: 1_000_000])
    #expect(collector.snapshot(nowNanoseconds: now).stages.isEmpty)
  }

  /// A fast model has its stages timed for some 32 items a second, of every item of a cycle.
  @Test func someItemsAreTimed() {
    let collector = collector()
    var now = Self.second
    var timed: [UInt64] = [0, 0, 0, 0]
    var before: UInt64 = 0
    for i in 0..<20_000 {
      collector.beginItem(readyNanoseconds: now)
      collector.endStage(.prepare)
      collector.recordInference(startNanoseconds: now, durationNanoseconds: 500_000)
      now += 1_000_000
      if i % 100 == 0 { collector.poll(nowNanoseconds: now) }
      let snapshot =
        i % 5 == 0 ? nil : collector.snapshot(nowNanoseconds: now, windowSeconds: nil)
      guard let count = snapshot?.stages.first?.overall.count else { continue }
      if count == before + 1 { timed[i % 4] += 1 }
      before = count
    }
    // In 20 s: 640 and the spread of as many random intervals.
    #expect((560...720).contains(before), "\(before)")
    #expect(timed.allSatisfy { $0 > 60 }, "\(timed)")
  }

  /// Slow items are all timed, and their stages lie end to end.
  @Test func slowItemsAreAllTimed() {
    let collector = collector()
    var now = Self.second
    for _ in 0..<50 {
      collector.beginItem(readyNanoseconds: now)
      collector.endStage(.read)
      collector.endStage(.prepare)
      collector.recordInference(startNanoseconds: now, durationNanoseconds: 90_000_000)
      collector.endStage(.answer)
      collector.endStage(.publish)
      now += 100_000_000
      collector.poll(nowNanoseconds: now)
    }
    let snapshot = collector.snapshot(nowNanoseconds: now, windowSeconds: nil)
    #expect(snapshot.stages.map { $0.stage } == ItemStage.allCases)
    #expect(snapshot.stages.allSatisfy { $0.latency.count == 50 })
  }

  // MARK: The slowest

  @Test(arguments: [1, 2]) func theSlowestAreTheSlowest(seed: UInt64) {
    let collector = collector()
    var random = SeededRandom(state: seed)
    var now = Self.second
    var all: [(start: UInt64, duration: UInt64)] = []
    for i in 0..<5000 {
      let duration = UInt64.random(in: 1_000_000...9_000_000, using: &random)
      all.append((now, duration))
      collector.recordInference(startNanoseconds: now, durationNanoseconds: duration)
      now += duration + (i == 3000 ? 100 * Self.second : 0)
      if i % 50 == 0 { collector.poll(nowNanoseconds: now) }
    }
    func expected(_ list: some Sequence<(start: UInt64, duration: UInt64)>) -> [Double] {
      list.sorted { $0.duration > $1.duration }.prefix(20).map { Double($0.start) / 1e9 }
    }
    let run = collector.snapshot(nowNanoseconds: now, windowSeconds: nil).slowest
    #expect(run.map { $0.elapsedSeconds } == expected(all))
    #expect(run.map { $0.durationNanoseconds } == run.map { $0.durationNanoseconds }.sorted(by: >))
    let minute = collector.snapshot(nowNanoseconds: now).slowest
    #expect(minute.map { $0.elapsedSeconds } == expected(all[3001...]))
  }

  /// Counters that a test sets.
  private final class Counters {
    var faults: UInt64 = 7
    var switches: UInt64 = 100_000
    var looks = 0
  }

  private func watched(_ counters: Counters) -> Collector {
    let collector = collector(steps: 1)
    collector.interruptions = { _ in
      counters.looks += 1
      return (counters.faults, counters.switches)
    }
    return collector
  }

  private func infer(
    _ collector: Collector, at now: UInt64, _ duration: UInt64, _ during: () -> Void
  ) {
    collector.beginInference()
    during()
    collector.recordInference(startNanoseconds: now, durationNanoseconds: duration)
  }

  /// What the kernel counted while it ran, and only what it counted then.
  @Test func causesAreThoseOfTheInference() throws {
    let counters = Counters()
    let collector = watched(counters)
    var now = Self.second
    // An early one: nobody knows yet what is slow.
    infer(collector, at: now, 50_000_000) { counters.faults += 3 }
    for _ in 0..<30 {
      now += 10_000_000
      infer(collector, at: now, 1_000_000) {}
      counters.switches += 1
    }
    collector.poll(nowNanoseconds: now)
    #expect(counters.looks == 0)
    func slow(_ duration: UInt64, _ during: () -> Void) {
      now += 60_000_000
      infer(collector, at: now, duration, during)
    }
    slow(40_000_000) { counters.faults += 2 }
    // Between two inferences.
    counters.switches += 5
    slow(30_000_000) { counters.switches += 70_000 }
    slow(20_000_000) {}
    slow(1_500_000) { counters.switches += 1 }
    _ = collector.wantsStepTimes()
    slow(10_000_000) {}
    let rows = collector.snapshot(nowNanoseconds: now + 60_000_000).slowest
    #expect(
      rows.prefix(6).map { $0.durationNanoseconds / 100_000 } == [500, 400, 300, 200, 100, 15])
    #expect(rows[0].majorFaults == nil && !rows[0].hasCause)
    #expect(rows[1].majorFaults == 2 && rows[1].involuntarySwitches == 0 && rows[1].hasCause)
    #expect(rows[2].majorFaults == 0 && rows[2].involuntarySwitches == 32_767)
    #expect(rows[3].majorFaults == 0 && rows[3].involuntarySwitches == 0 && !rows[3].hasCause)
    #expect(rows[4].wereStepsTimed && rows[4].hasCause && rows[4].majorFaults == 0)
    // Not twice the median: it was not compared.
    #expect(rows[5].involuntarySwitches == nil)
    #expect(rows.allSatisfy { $0.isThrottled == nil })
    #expect(abs(try #require(rows.first).elapsedSeconds - 1) < 1e-9)
    // Once before each that began since then, once behind those that were slow.
    #expect(counters.looks == 5 + 4)
  }

  /// Models that take less than 0.1 ms are not looked into: it would be felt.
  @Test func fastModelsAreLeftAlone() {
    let counters = Counters()
    let collector = watched(counters)
    var now = Self.second
    for i in 0..<200 {
      now += 1_000_000
      infer(collector, at: now, i == 150 ? 900_000 : 99_000) { counters.faults += 1 }
      collector.poll(nowNanoseconds: now)
    }
    #expect(counters.looks == 0)
    let rows = collector.snapshot(nowNanoseconds: now).slowest
    #expect(rows.count == 20 && rows[0].durationNanoseconds == 900_000)
    #expect(rows.allSatisfy { $0.majorFaults == nil })
  }

  /// The kernel's own counters: of one thread no more than of all.
  @Test func theKernelCounts() {
    let collector = collector()
    let (thread, process) = (collector.interruptions(false), collector.interruptions(true))
    #expect(thread.faults <= process.faults && thread.switches <= process.switches)
    let later = collector.interruptions(true)
    #expect(later.faults >= process.faults && later.switches >= process.switches)
  }

  /// Slow inferences while the machine is held back say so, the others that it was not.
  @Test func throttledOnesSaySo() {
    let tree = RecordedTree(HeatTests.board)
    let collector = collector(sampler: tree.sampler)
    var now = Self.second
    func run(seconds: Int, longest: UInt64) {
      for i in 0..<seconds * 10 {
        let duration = i == seconds * 5 ? longest : 4_000_000
        collector.recordInference(startNanoseconds: now, durationNanoseconds: duration)
        now += Self.second / 10
        collector.poll(nowNanoseconds: now)
      }
    }
    run(seconds: 10, longest: 30_000_000)
    tree.write(HeatTests.causes[0].later)
    run(seconds: 10, longest: 40_000_000)
    tree.write(HeatTests.board)
    run(seconds: 10, longest: 20_000_000)
    let rows = collector.snapshot(nowNanoseconds: now).slowest
    #expect(rows.prefix(3).map { $0.durationNanoseconds / 1_000_000 } == [40, 30, 20])
    #expect(rows.prefix(3).map { $0.isThrottled } == [true, false, false])
  }
}
