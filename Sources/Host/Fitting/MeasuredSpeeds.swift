// How fast a machine is, as a probe measured it: a table of steps, and what memory gives.
import Foundation
import Lowering

/// What `knapsack probe` found on a machine. Part of a device profile.
public struct MeasuredSpeeds: Equatable, Sendable {
  /// The kernel set that was measured, such as `avx512-vnni`: another runs at other speeds.
  public var kernels: String
  /// Seconds of a step that does next to nothing.
  public var dispatchSeconds: Double
  /// Seconds of an inference beside its steps.
  public var inferenceSeconds: Double
  /// Time of steps in a model over that of the same steps alone, whose operands wait in the nearest
  /// cache; of steps with `commonBytes` of data. Those that the nearest cache holds are as fast.
  public var contextFactor: Double
  /// The same of steps with `wideBytes` of data and more, which no near cache holds.
  public var wideFactor: Double
  /// Seconds that a step takes longer for each second that its weights take longer to read because they
  /// come from further away: below 1 where reading goes on behind the arithmetic, above where a
  /// kernel reads more slowly than memory could.
  public var weightExposure: Double
  /// The same of integer steps.
  public var integerWeightExposure: Double
  /// The same of steps that use each weight once.
  public var rowWeightExposure: Double
  /// What a step that threads share takes longer where another step has just written its data, in the
  /// caches of several cores.
  public var handoverSeconds: Double
  /// Resident bytes of the tool before it opens a model.
  public var runtimeBytes: Int
  /// In which state the machine was.
  public var conditions: MachineConditions
  /// Sequential reads by working set, smallest first, for each number of threads.
  public var memory: [MemoryPoint]
  /// Steps by kind and number of threads.
  public var steps: [StepTable]
  /// What the processor's meter said, where there is one.
  public var power: MeasuredPower?

  /// Of the kinds of steps and their extents: tables of another version say nothing of today's steps.
  public var version: Int
  package static let currentVersion = 5

  /// Whether it is of these kernels, and of steps as they are described today.
  package func isOf(_ kernels: String) -> Bool {
    self.kernels == kernels && version == MeasuredSpeeds.currentVersion
  }

  public init(
    kernels: String, dispatchSeconds: Double, inferenceSeconds: Double = 0,
    contextFactor: Double = 1, wideFactor: Double = 1, weightExposure: Double = 1,
    integerWeightExposure: Double = 1, rowWeightExposure: Double = 1, handoverSeconds: Double = 0,
    runtimeBytes: Int,
    conditions: MachineConditions = MachineConditions(loadAverage: nil), memory: [MemoryPoint],
    steps: [StepTable], power: MeasuredPower? = nil
  ) {
    version = MeasuredSpeeds.currentVersion
    self.kernels = kernels
    self.dispatchSeconds = dispatchSeconds
    self.inferenceSeconds = inferenceSeconds
    self.contextFactor = contextFactor
    self.wideFactor = wideFactor
    self.weightExposure = weightExposure
    self.integerWeightExposure = integerWeightExposure
    self.rowWeightExposure = rowWeightExposure
    self.handoverSeconds = handoverSeconds
    self.runtimeBytes = runtimeBytes
    self.conditions = conditions
    self.memory = memory
    self.steps = steps
    self.power = power
  }

  public struct MemoryPoint: Equatable, Sendable {
    public var threads: Int
    public var workingSetBytes: Int
    public var readBytesPerSecond: Double
    public var copyBytesPerSecond: Double

    public init(
      threads: Int, workingSetBytes: Int, readBytesPerSecond: Double, copyBytesPerSecond: Double
    ) {
      self.threads = threads
      self.workingSetBytes = workingSetBytes
      self.readBytesPerSecond = readBytesPerSecond
      self.copyBytesPerSecond = copyBytesPerSecond
    }

    /// The better rates of two measurements of the same.
    func better(_ other: MemoryPoint) -> MemoryPoint {
      var point = self
      point.readBytesPerSecond = max(readBytesPerSecond, other.readBytesPerSecond)
      point.copyBytesPerSecond = max(copyBytesPerSecond, other.copyBytesPerSecond)
      return point
    }
  }

  /// Steps of one kind (`StepWork.kind`) on so many threads.
  public struct StepTable: Equatable, Sendable {
    public var kind: String
    public var threads: Int
    /// Never empty; all with equally many extents.
    public var points: [StepPoint]

    public init(kind: String, threads: Int, points: [StepPoint]) {
      self.kind = kind
      self.threads = threads
      self.points = points
    }

    /// The same where each point was measured as an inference that takes so long beside its step.
    package func without(_ seconds: Double) -> StepTable {
      var table = self
      for i in points.indices {
        // No step takes less than a fifth of what calling it did.
        table.points[i].seconds = max(points[i].seconds - seconds, points[i].seconds / 5)
      }
      return table
    }
  }

  /// One measured step.
  public struct StepPoint: Equatable, Sendable {
    public var extents: [Int]
    /// `StepWork.amount`.
    public var amount: Int
    public var seconds: Double

    public init(extents: [Int], amount: Int, seconds: Double) {
      self.extents = extents
      self.amount = amount
      self.seconds = seconds
    }
  }

  /// Watts of the processor's own meter: not of the whole device.
  public struct MeasuredPower: Equatable, Sendable {
    /// Which meter, such as `RAPL package`.
    public var meter: String
    public var idleWatts: Double
    /// What one busy core adds.
    public var activeWattsPerCore: Double

    public init(meter: String, idleWatts: Double, activeWattsPerCore: Double) {
      self.meter = meter
      self.idleWatts = idleWatts
      self.activeWattsPerCore = activeWattsPerCore
    }
  }
}

extension MeasuredSpeeds {
  /// Bytes per second that `threads` threads read of a working set, interpolated between the measured
  /// ones in log space; nil where nothing was measured.
  public func readBytesPerSecond(workingSet: Int, threads: Int) -> Double? {
    rate(workingSet, threads) { $0.readBytesPerSecond }
  }

  /// Seconds to read so many bytes of a working set; 0 where nothing was measured.
  func readSeconds(_ bytes: Int, workingSet: Int, threads: Int) -> Double {
    Double(bytes) / (readBytesPerSecond(workingSet: workingSet, threads: threads) ?? .infinity)
  }

  /// The same for copies, source and target together in the working set.
  public func copyBytesPerSecond(workingSet: Int, threads: Int) -> Double? {
    rate(workingSet, threads) { $0.copyBytesPerSecond }
  }

  private func rate(
    _ workingSet: Int, _ threads: Int, _ figure: (MemoryPoint) -> Double
  ) -> Double? {
    let counts = Set(memory.map(\.threads)).filter { $0 <= threads }
    guard let nearest = counts.max() else { return nil }
    let points = memory.filter { $0.threads == nearest }
      .sorted { $0.workingSetBytes < $1.workingSetBytes }
    guard let first = points.first, let last = points.last else { return nil }
    if workingSet <= first.workingSetBytes { return figure(first) }
    for (a, b) in zip(points, points.dropFirst()) where workingSet <= b.workingSetBytes {
      let at =
        log2(Double(workingSet) / Double(a.workingSetBytes))
        / log2(Double(b.workingSetBytes) / Double(a.workingSetBytes))
      return exp2(log2(figure(a)) * (1 - at) + log2(figure(b)) * at)
    }
    return figure(last)
  }

  /// The table that tells most about a step: of its kind, or the nearest kind that was measured, on as
  /// many threads as there are, or fewer. nil where the operator was not measured.
  func table(for work: StepWork, threads: Int) -> StepTable? {
    // The same arithmetic under another name.
    var kind = work.kind.replacing("bf16", with: "f16")
    while true {
      let tables = steps.filter { table in
        (table.kind == kind || table.kind.hasPrefix(kind + " ")) && table.threads <= threads
          && table.points[0].extents.count == work.extents.count
      }
      // A step that threads do not share was measured on one. The kind itself before its kin.
      let own = tables.filter { $0.kind == kind }
      let nearest = own.isEmpty ? tables : own
      if let best = nearest.max(by: { ($0.threads, $1.kind) < ($1.threads, $0.kind) }) {
        return best
      }
      guard let space = kind.lastIndex(of: " ") else { return nil }
      kind = String(kind[..<space])
    }
  }

  /// What a core has for itself on the processors we know, or less.
  package static let wideBytes = 1 << 20

  /// What a step before leaves in the nearest cache, and where the steps are whose factor was measured.
  private static let nearBytes = 32.0 * 1024
  private static let commonBytes = 256.0 * 1024

  /// What a step takes longer in a model than alone.
  func context(of work: StepWork) -> Double {
    if work.dataBytes >= Self.wideBytes { return wideFactor }
    let bytes = max(Double(work.dataBytes), 1)
    let share = log2(bytes / Self.nearBytes) / log2(Self.commonBytes / Self.nearBytes)
    return 1 + min(max(share, 0), 1) * (contextFactor - 1)
  }

  /// Seconds of a step that is unlike all that were measured: its bytes as copies, or a nanosecond
  /// for each element where that is more.
  func generalSeconds(_ work: StepWork) -> Double {
    let copied = memory.filter { $0.threads == 1 }.map(\.copyBytesPerSecond).min() ?? 1e9
    return max(Double(work.dataBytes) / copied, Double(work.amount) * 1e-9) + dispatchSeconds
  }
}
