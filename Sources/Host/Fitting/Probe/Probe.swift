// Measures this machine with the kernels and the runtime that will run the models.
import Foundation
import Kernels
import Lowering
import Platform
import Tensors

/// One measurement of the machine.
public struct Probe {
  /// What a caller may show while it runs: how much is done, from 0 to 1.
  public var progress: (Double) -> Void = { _ in }
  /// Seconds after which no further pass over the steps begins.
  public var seconds = 24.0
  /// Seconds after which the first pass ends where it is: kinds that were not reached are not measured.
  public var longest = 27.0
  /// Most threads that are measured.
  public var threads = CPUInfo.count

  public init() {}

  /// The kernels that are measured.
  package static var kernels: String { KernelSet.best.name }

  /// 1, 2, 4 … and all.
  package var threadCounts: [Int] {
    var counts: [Int] = []
    var count = 1
    while count < threads {
      counts.append(count)
      count *= 2
    }
    return counts + [max(threads, 1)]
  }

  /// This machine as found, with all figures that can be measured.
  public func profile() throws -> DeviceProfile {
    var profile = try DeviceProfile.host()
    let measured = try run()
    profile.measured = measured
    let all = max(threads, 1)
    func rate(_ kind: String) -> Double? {
      // Of all cores at work, so that one core's share is what it sustains.
      let points = measured.steps.filter { $0.kind == kind && $0.threads == all }
        .flatMap(\.points)
      return points.map { 2 * Double($0.amount) / $0.seconds / Double(all) }.max()
    }
    for i in profile.cpu.clusters.indices {
      profile.cpu.clusters[i].f32OperationsPerSecondPerCore = rate("MatMul f32")
      profile.cpu.clusters[i].int8OperationsPerSecondPerCore = rate("MatMul int8")
    }
    profile.memory.bandwidthBytesPerSecond =
      measured.memory.filter { $0.threads == all }
      .max { $0.workingSetBytes < $1.workingSetBytes }?.readBytesPerSecond
    return profile
  }

  /// A small model, and what it took.
  private struct Chain {
    var kind: ProbeCase.ChainKind
    var make: ProbeCase.Maker
    var threads = 1
    var model: ProbeModel?
    var seconds = Double.infinity
  }

  /// A step on so many threads, and what came of it.
  private struct Job {
    var make: ProbeCase.Maker
    var threads: Int
    var work: StepWork?
    var model: ProbeModel?
    var seconds = Double.infinity
  }

  /// Most memory for steps that are kept from one pass to the next, building one takes longer than
  /// measuring it: all of them take 493 MiB.
  private static var keptBytes: Int {
    let free = (try? DeviceProfile.host()).map {
      $0.memory.ramTotalBytes - $0.memory.ramReservedBytes
    }
    return min(600 << 20, (free ?? 0) / 4)
  }

  /// Measures everything. The machine should have nothing else to do.
  func run() throws -> MeasuredSpeeds {
    let runtimeBytes = ProcessMemory.current?.residentBytes ?? 1
    var conditions = MachineConditions()
    let start = Clock.monotonicNanoseconds
    func elapsed() -> Double { Double(Clock.monotonicNanoseconds &- start) * 1e-9 }
    let memory = MemoryProbe(threadCounts: threadCounts).points()
    var jobs: [Job] = []
    // One thread first: should time run out, the rest can do without.
    for threads in threadCounts {
      for make in ProbeCase.all { jobs.append(Job(make: make, threads: threads)) }
    }
    var chains = ProbeCase.chains.map { Chain(kind: $0.kind, make: $0.make) }
    if threads > 1 {
      // Each reads what all threads have just written; the cores' own caches hold the weights.
      let make: ProbeCase.Maker = { ProbeCase.rows(2, of: 448) }
      chains.append(Chain(kind: .rows, make: make, threads: threads))
    }
    var pools: [Int: ThreadPool] = [:]
    for threads in threadCounts where threads > 1 {
      pools[threads] = try ThreadPool(threads: threads)
    }
    var left = Self.keptBytes
    // What disturbs the machine for a while disturbs a few passes; the shortest time counts.
    var pass = 0
    while pass == 0 || elapsed() < seconds {
      for n in jobs.indices where pass == 0 || (jobs[n].work != nil && elapsed() < seconds) {
        if elapsed() > longest { break }
        try measure(&jobs[n], pools, keeping: &left)
        let inPass = Double(n + 1) / Double(jobs.count)
        progress(min(max(elapsed() / seconds, pass == 0 ? inPass * 0.5 : 0), 1))
        // Chains are few and weigh much: they are spread over the passes.
        if n % Self.chainInterval == 0 {
          try measure(&chains[n / Self.chainInterval % chains.count], pools)
        }
      }
      pass += 1
    }
    let now = MachineConditions()
    conditions.clockHertz = now.clockHertz
    conditions.throttleCount = now.throttleCount.map { $0 - (conditions.throttleCount ?? 0) }
    let tables = Self.tables(jobs)
    let shortest = tables.filter { $0.threads == 1 }.flatMap(\.points).map(\.seconds).min()
    var measured = MeasuredSpeeds(
      kernels: Self.kernels, dispatchSeconds: shortest ?? 1e-6,
      runtimeBytes: runtimeBytes, conditions: conditions, memory: memory, steps: tables,
      power: try power())
    measured.wakeSeconds = threads > 1 ? try wakeSeconds() : 0
    setContext(chains, &measured)
    return measured
  }

  /// What chains tell beyond their steps: one figure after the other, with those before it in place.
  private func setContext(_ chains: [Chain], _ measured: inout MeasuredSpeeds) {
    measured.weightExposure = 1
    measured.integerWeightExposure = 1
    measured.rowWeightExposure = 1
    func fit(
      _ kind: ProbeCase.ChainKind, _ figure: WritableKeyPath<MeasuredSpeeds, Double>,
      unit: Double = 1, leastShare: Double = 0.01
    ) -> Double? {
      var found: [Double] = []
      for chain in chains where chain.kind == kind {
        guard let model = chain.model else { continue }
        // Predicted time grows linearly with the figure.
        let seconds = [1.0, 2].map { value in
          measured[keyPath: figure] = value * unit
          return LatencyEstimate(model.all, measured: measured, threads: chain.threads)
            .seconds.value
        }
        // What hardly shows in the chain cannot be told from the table's own errors.
        if seconds[1] - seconds[0] > leastShare * seconds[0] {
          found.append(
            unit * (1 + (chain.seconds - seconds[0]) / (seconds[1] - seconds[0])))
        }
      }
      return found.isEmpty ? nil : found.reduce(0, +) / Double(found.count)
    }
    // Beyond these it is the company that was measured, not the machine.
    let near = fit(.near, \.contextFactor).map { min(max($0, 0.9), 1.3) } ?? 1
    measured.contextFactor = near
    measured.wideFactor = fit(.wide, \.wideFactor).map { min(max($0, 0.9), 2) } ?? near
    // A cache line at a time, memory is an order of magnitude slower than in one go.
    let exposure = fit(.weights, \.weightExposure).map { min(max($0, 0), 10) } ?? 1
    measured.weightExposure = exposure
    let integer =
      fit(.integerWeights, \.integerWeightExposure).map { min(max($0, 0), 10) } ?? exposure
    measured.integerWeightExposure = integer
    measured.rowWeightExposure =
      fit(.rowWeights, \.rowWeightExposure).map { min(max($0, 0), 10) } ?? 1
    let handover = fit(.rows, \.handoverSeconds, unit: 1e-7, leastShare: 0) ?? 0
    measured.handoverSeconds = min(max(handover, 0), 1e-5)
  }

  /// How much later than awake a thread that sleeps comes to a shared step: behind steps that leave it
  /// nothing to do for longer than it spins, the step takes so much longer than in a row of its own.
  private func wakeSeconds() throws -> Double {
    let all = max(threads, 1)
    func shortest(_ made: ProbeCase, _ threads: Int) throws -> Double {
      guard let model = try ProbeModel(made, threads: threads) else { return 0 }
      return try model.measure(seconds: 0.04)
    }
    let serial = try shortest(ProbeCase.waiting(isShared: false), 1)
    let shared = try shortest(ProbeCase.matMul(64, 512, 512, .f32), all)
    let both = try shortest(ProbeCase.waiting(isShared: true), all)
    return min(max(both - serial - shared, 0), 1)
  }

  /// So many steps are measured between two chains.
  private static let chainInterval = 40

  private func measure(
    _ job: inout Job, _ pools: [Int: ThreadPool], keeping left: inout Int
  ) throws {
    var model = job.model
    if model == nil {
      let made = job.make()
      if job.threads > 1, !made.isParallel { return }
      model = try ProbeModel(made, threads: job.threads, pool: pools[job.threads])
    }
    guard let model else { return }
    job.work = model.work
    job.seconds = min(job.seconds, try model.measure(seconds: 0.001))
    if job.model == nil, model.byteCount <= left {
      left -= model.byteCount
      job.model = model
    }
  }

  private func measure(_ chain: inout Chain, _ pools: [Int: ThreadPool]) throws {
    if chain.model == nil {
      chain.model = try ProbeModel(
        chain.make(), threads: chain.threads, pool: pools[chain.threads])
    }
    guard let model = chain.model else { return }
    chain.seconds = min(chain.seconds, try model.measure(seconds: 0.02, isLong: true))
  }

  private static func tables(_ jobs: [Job]) -> [MeasuredSpeeds.StepTable] {
    var tables: [MeasuredSpeeds.StepTable] = []
    for job in jobs {
      guard let work = job.work else { continue }
      let point = MeasuredSpeeds.StepPoint(
        extents: work.extents, amount: work.amount, seconds: max(job.seconds, 1e-9))
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

  /// Of the processor, all cores at a large product.
  private func power() throws -> MeasuredSpeeds.MeasuredPower? {
    guard let meter = PowerProbe() else { return nil }
    let made = ProbeCase.matMul(512, 512, 512, .f32)
    guard let model = try ProbeModel(made, threads: max(threads, 1)) else {
      return nil
    }
    return try meter.measure(threads: max(threads, 1)) { seconds in
      _ = try model.measure(seconds: seconds, atMost: .max)
    }
  }
}
