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
  /// Seconds after which nothing more is measured, memory included.
  public var seconds = 24.0
  /// Seconds after which the first round of all steps ends where it is: kinds that were not reached are not
  /// measured.
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

  /// Most memory for steps that are kept from one time to the next: building one takes longer than
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
    let memory = MemoryProbe(threadCounts: threadCounts)
    let start = Clock.monotonicNanoseconds
    let before = memory.points()
    // It is measured twice.
    let spent = 2e-9 * Double(Clock.monotonicNanoseconds &- start)
    let measuring = try ProbeMeasuring(threadCounts, keptBytes: Self.keptBytes)
    try measuring.run(
      seconds: max(seconds - spent, seconds / 2), longest: max(longest - spent, longest / 2),
      progress)
    let now = MachineConditions()
    conditions.clockHertz = now.clockHertz
    conditions.throttleCount = now.throttleCount.map { $0 - (conditions.throttleCount ?? 0) }
    conditions.disturbedShare = measuring.pace.disturbedShare
    let inferenceSeconds = measuring.inferenceSeconds
    let tables = measuring.tables.map { $0.without(inferenceSeconds) }
    let shortest = tables.filter { $0.threads == 1 }.flatMap(\.points).map(\.seconds).min()
    var measured = MeasuredSpeeds(
      kernels: Self.kernels, dispatchSeconds: shortest ?? 1e-6,
      inferenceSeconds: inferenceSeconds, runtimeBytes: runtimeBytes, conditions: conditions,
      memory: zip(before, memory.points()).map { $0.better($1) }, steps: tables,
      power: try power())
    setContext(measuring.chains, &measured)
    return measured
  }

  /// What chains tell beyond their steps: one figure after the other, with those before it in place.
  private func setContext(_ chains: [ProbeMeasuring.Chain], _ measured: inout MeasuredSpeeds) {
    measured.weightExposure = 1
    measured.integerWeightExposure = 1
    measured.rowWeightExposure = 1
    func fit(
      _ kind: ProbeCase.ChainKind, _ figure: WritableKeyPath<MeasuredSpeeds, Double>,
      unit: Double = 1, leastShare: Double = 0.01
    ) -> Double? {
      var found: [Double] = []
      for chain in chains where chain.kind == kind {
        guard let model = chain.model, chain.seconds.isFinite else { continue }
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
