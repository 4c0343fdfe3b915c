// In which order a probe measures: everything once, then whatever lacks a time at the machine's full pace.
import Kernels
import Lowering
import Platform

/// Steps and small models, and their times.
package final class ProbeMeasuring {
  /// A small model, and what it took.
  struct Chain {
    var kind: ProbeCase.ChainKind
    var make: ProbeCase.Maker
    var threads = 1
    var model: ProbeModel?
    var samples = ProbeSamples()
    /// When it was measured last.
    var turn = 0
    /// Infinite where no sample is of the full pace.
    var seconds = Double.infinity
  }

  /// A step on so many threads, and what came of it.
  private struct Job {
    var make: ProbeCase.Maker
    var threads: Int
    var work: StepWork?
    var model: ProbeModel?
    var samples = ProbeSamples()
    /// When it was measured last.
    var turn = 0
    /// Takes longer than its kin: more likely than others it was disturbed each time.
    var isSuspect = false
    /// On several threads too one thread does it all: it takes what it takes on one.
    var isAlone = false
  }

  let pace: ProbePace
  private(set) var chains: [Chain]
  private var jobs: [Job] = []
  private let threadCounts: [Int]
  private var pools: [Int: ThreadPool] = [:]
  /// Memory that is left for models, kept from one time to the next.
  private var left: Int
  private var turn = 0
  /// The last look, where nothing was done since.
  private var last: (threads: Int, seconds: Double)?

  package init(
    _ threadCounts: [Int], keptBytes: Int, cases: [ProbeCase.Maker] = ProbeCase.all
  ) throws {
    self.threadCounts = threadCounts
    left = keptBytes
    for threads in threadCounts where threads > 1 {
      pools[threads] = try ThreadPool(threads: threads)
    }
    pace = try ProbePace(threadCounts, pools)
    chains = ProbeCase.chains.map { Chain(kind: $0.kind, make: $0.make) }
    let all = threadCounts.max() ?? 1
    if all > 1 {
      chains += ProbeCase.sharedChains.map {
        Chain(kind: $0.kind, make: $0.make, threads: all)
      }
    }
    // One thread first: should time run out, the rest can do without.
    for threads in threadCounts {
      for make in cases { jobs.append(Job(make: make, threads: threads)) }
    }
  }

  /// So many steps are measured between two chains, which are few and weigh much.
  private static let chainInterval = 6
  /// The same where the machine is slow: the shortest run of a chain's many may still be at full pace.
  private static let waitedInterval = 3
  /// Seconds that a chain is run for at a time, of few runs each: many looks find the machine undisturbed.
  private static let chainSeconds = 0.006
  /// The part of the time for all; in the rest what seems to take too long is measured again.
  private static let commonShare = 0.75
  /// Looks at less than the full pace until something is measured all the same: short moments at full pace
  /// are not to be missed.
  private static let patience = 8
  /// log2 of how much longer than its kin a step takes that is suspect.
  private static let suspectMiss = 0.1

  /// Measures all once, unless that takes longer than `longest`, and then on until `seconds` are over.
  package func run(seconds: Double, longest: Double, _ progress: (Double) -> Void) throws {
    let start = Clock.monotonicNanoseconds
    func elapsed() -> Double { Double(Clock.monotonicNanoseconds &- start) * 1e-9 }
    for n in jobs.indices {
      if elapsed() > longest { break }
      try measure(job: n)
      if n < chains.count { try measure(chain: n) }
      progress(min(0.5 * Double(n + 1) / Double(jobs.count), 1))
    }
    var count = 0
    var waited = 0
    var hasSuspects = false
    while elapsed() < seconds {
      if !hasSuspects, elapsed() > seconds * Self.commonShare {
        findSuspects()
        hasSuspects = true
      }
      // What is furthest behind comes first, of those that the machine is at its full pace for.
      let classes = threadCounts.map { ($0, leastFull($0, hasSuspects)) }.sorted { $0.1 < $1.1 }
        .filter { $0.1 < .max }
      if classes.isEmpty { break }
      var open: Int?
      for (threads, _) in classes where try pace.isFull(look(threads), threads) {
        open = threads
        break
      }
      if open == nil {
        waited += 1
        guard waited % Self.patience == 0 else {
          last = nil
          continue
        }
      }
      count += 1
      let interval = open == nil ? Self.waitedInterval : Self.chainInterval
      if count % interval == 0, let n = nextChain(open) {
        try measure(chain: n)
      } else if let n = nextJob(open, hasSuspects) {
        // At any other pace it is better than nothing.
        if open == nil { _ = try look(jobs[n].threads) }
        try measure(job: n)
      }
      progress(min(max(elapsed() / seconds, 0.5), 1))
    }
    for n in chains.indices where chains[n].samples.fullCount > 0 {
      // One that others slowed says more of them than of steps together.
      chains[n].seconds = chains[n].samples.seconds(best: pace.best(chains[n].threads)) ?? .infinity
    }
  }

  private func findSuspects() {
    for table in tables {
      for (point, miss) in zip(table.points, StepFit.misses(table)) where miss > Self.suspectMiss {
        for n in jobs.indices where jobs[n].threads == table.threads {
          guard let work = jobs[n].work, work.kind == table.kind, work.extents == point.extents
          else { continue }
          jobs[n].isSuspect = true
        }
      }
    }
  }

  /// The fewest times at full pace that a step on so many threads has, suspect ones only if `suspects`.
  private func leastFull(_ threads: Int, _ suspects: Bool) -> Int {
    jobs.lazy.filter {
      $0.threads == threads && $0.work != nil && !$0.isAlone && (!suspects || $0.isSuspect)
    }
    .map(\.samples.fullCount).min() ?? .max
  }

  /// The step that lacks times most; of any number of threads where that is nil.
  private func nextJob(_ threads: Int?, _ suspects: Bool) -> Int? {
    func isOpen(_ job: Job) -> Bool {
      job.work != nil && !job.isAlone && job.threads == threads ?? job.threads
        && (!suspects || job.isSuspect)
    }
    return jobs.indices.lazy.filter { isOpen(self.jobs[$0]) }
      .min {
        (self.jobs[$0].samples.fullCount, self.jobs[$0].turn)
          < (self.jobs[$1].samples.fullCount, self.jobs[$1].turn)
      }
  }

  private func nextChain(_ threads: Int?) -> Int? {
    chains.indices
      .filter {
        chains[$0].model != nil && chains[$0].threads == threads ?? chains[$0].threads
      }
      .min {
        (chains[$0].samples.fullCount, chains[$0].turn)
          < (chains[$1].samples.fullCount, chains[$1].turn)
      }
  }

  /// The machine's pace.
  private func look(_ threads: Int) throws -> Double {
    if let last, last.threads == threads { return last.seconds }
    let (seconds, isNew) = try pace.look(threads)
    last = (threads, seconds)
    if isNew {
      for n in jobs.indices where jobs[n].threads == threads {
        jobs[n].samples.countAgain(best: pace.best(threads))
      }
      for n in chains.indices where chains[n].threads == threads {
        chains[n].samples.countAgain(best: pace.best(threads))
      }
    }
    return seconds
  }

  /// Between the last look and another; isLong: the time is the shortest of many, so one of them will do.
  private func sample(
    _ samples: inout ProbeSamples, _ threads: Int, isLong: Bool = false,
    _ measure: () throws -> Double
  ) throws {
    let before = last?.seconds ?? .infinity
    let seconds = try measure()
    last = nil
    let after = try look(threads)
    samples.add(
      seconds, pace: isLong ? min(before, after) : max(before, after), best: pace.best(threads))
  }

  private func measure(job n: Int) throws {
    turn += 1
    jobs[n].turn = turn
    var model = jobs[n].model
    let threads = jobs[n].threads
    if model == nil {
      let made = jobs[n].make()
      if threads > 1, !made.isParallel { return }
      model = try ProbeModel(made, threads: threads, pool: pools[threads])
      last = nil
      jobs[n].work = model?.work
      if let pool = pools[threads], let model, try !model.isShared(on: pool) {
        jobs[n].isAlone = true
        return
      }
      _ = try look(threads)
    }
    guard let model else { return }
    var samples = jobs[n].samples
    try sample(&samples, threads) { try model.measure(seconds: 0.001) }
    jobs[n].samples = samples
    if jobs[n].model == nil, model.byteCount <= left {
      left -= model.byteCount
      jobs[n].model = model
    }
  }

  private func measure(chain n: Int) throws {
    turn += 1
    chains[n].turn = turn
    let threads = chains[n].threads
    if chains[n].model == nil {
      chains[n].model = try ProbeModel(chains[n].make(), threads: threads, pool: pools[threads])
      last = nil
    }
    guard let model = chains[n].model else { return }
    _ = try look(threads)
    var samples = chains[n].samples
    try sample(&samples, threads, isLong: true) {
      try model.measure(seconds: Self.chainSeconds, isLong: true)
    }
    chains[n].samples = samples
  }

  /// What an inference takes beside its steps: a model of one short step takes that once, as one of several.
  var inferenceSeconds: Double {
    func found(_ kind: ProbeCase.ChainKind) -> (steps: Int, seconds: Double)? {
      guard let chain = chains.first(where: { $0.kind == kind && $0.threads == 1 }),
        let model = chain.model, chain.seconds.isFinite
      else { return nil }
      return (model.all.count { $0.time == .always }, chain.seconds)
    }
    guard let one = found(.one), let several = found(.several), several.steps > one.steps
    else { return 0 }
    let step = max(several.seconds - one.seconds, 0) / Double(several.steps - one.steps)
    return max(one.seconds - step * Double(one.steps), 0)
  }

  /// The same step on one thread.
  private func alone(_ work: StepWork) -> Job? {
    jobs.first {
      $0.threads == 1 && $0.work?.kind == work.kind && $0.work?.extents == work.extents
    }
  }

  /// By the number of threads, of the steps that were measured at the full pace.
  private func gains(_ threads: Int) -> SharingGains {
    var gains = SharingGains()
    for job in jobs where job.threads == threads && job.samples.fullCount > 0 {
      guard let work = job.work, let alone = alone(work), alone.samples.fullCount > 0,
        let one = alone.samples.seconds(best: pace.best(1)),
        let several = job.samples.seconds(best: pace.best(threads))
      else { continue }
      gains.add(alone: one, shared: several)
    }
    return gains
  }

  private func seconds(_ job: Job, _ work: StepWork) -> Double? {
    let alone = job.threads > 1 ? alone(work) : nil
    let one = alone?.samples.seconds(best: pace.best(1))
    // The pace of several threads says nothing of what one does.
    if job.isAlone { return one }
    let found = job.samples.seconds(best: pace.best(job.threads))
    guard job.samples.fullCount == 0, let found, let one, let alone,
      alone.samples.fullCount > 0, let usual = gains(job.threads).seconds(alone: one)
    else { return found }
    // Never met at the full pace: no slower than its like, at the same gain.
    return min(found, usual)
  }

  /// What the steps took, each with an inference of its own.
  package var tables: [MeasuredSpeeds.StepTable] {
    var tables: [MeasuredSpeeds.StepTable] = []
    for job in jobs {
      guard let work = job.work, let seconds = seconds(job, work) else { continue }
      let point = MeasuredSpeeds.StepPoint(
        extents: work.extents, amount: work.amount, seconds: max(seconds, 1e-9))
      let at = tables.firstIndex { $0.kind == work.kind && $0.threads == job.threads }
      if let at {
        // Weights too small to be quantized are the same under every scheme.
        let isKnown = tables[at].points.contains { $0.extents == point.extents }
        if !isKnown { tables[at].points.append(point) }
      } else {
        tables.append(.init(kind: work.kind, threads: job.threads, points: [point]))
      }
    }
    return tables
  }
}
