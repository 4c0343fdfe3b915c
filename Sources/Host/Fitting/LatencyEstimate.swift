// The time of one inference, step by step: from a machine's measured table, or as a roofline over the
// profile's figures.
import Foundation
import Lowering

/// A prediction with its interval: nine times in ten the truth is between `low` and `high`.
public struct CostEstimate: Equatable, Sendable {
  public var value: Double
  public var low: Double
  public var high: Double

  public init(value: Double, low: Double, high: Double) {
    self.value = value
    self.low = low
    self.high = high
  }

  /// `factor` either way.
  init(_ value: Double, within factor: Double) {
    self.init(value: value, low: value / factor, high: value * factor)
  }
}

/// What a prediction rests on.
public enum EstimateOrigin: String, Equatable, Sendable {
  /// A table that was measured on the device.
  case measured = "the device's measured table"
  /// Data sheets and other people's measurements.
  case profile = "the profile's figures"
}

/// Predicted seconds of one inference: those of its steps, and what a measured table says of the rest.
///
/// Every step takes what the table's law says, what its weights' way from further away adds, or their way
/// alone where that is longer; from figures, the longer of its arithmetic and its weights' way from
/// memory, plus a dispatch.
public struct LatencyEstimate: Equatable, Sendable {
  /// What limits how fast a step can be.
  public enum Bound: String, Equatable, Sendable {
    /// Arithmetic.
    case compute
    /// The way of its weights and data.
    case memory
    /// Starting it.
    case launch
  }

  public var seconds: CostEstimate
  public var origin: EstimateOrigin
  /// Seconds of every step of the program; 0 for those that run ahead.
  public var steps: [CostEstimate]
  /// What binds every step: from figures the longest of dispatch, memory and arithmetic; from a table
  /// what alone is half of the time or more, dispatch before memory, else arithmetic. nil for steps that
  /// run ahead, or whose extents the run finds.
  public var bounds: [Bound?]
  /// True where some steps find their extents in the run: they are not counted.
  public var isLowerBound: Bool
  public var threads: Int

  /// nil where the profile says nothing about speed.
  public init?(_ work: [StepWork], on profile: DeviceProfile, threads: Int) {
    if let measured = profile.measured {
      self.init(work, measured: measured, threads: threads)
    } else if let roofline = Roofline(profile, threads: threads) {
      self.init(work, .roofline(roofline), .profile, threads)
    } else {
      return nil
    }
  }

  /// From a measured table.
  init(_ work: [StepWork], measured: MeasuredSpeeds, threads: Int) {
    self.init(work, .table(measured, FittedTables()), .measured, threads)
  }

  private init(
    _ work: [StepWork], _ speeds: StepSpeeds, _ origin: EstimateOrigin, _ threads: Int
  ) {
    var speeds = speeds
    // What one inference reads decides which cache it finds it in the next time.
    let workingSet = work.reduce(0) { $0 + $1.weightBytes }
    let times = work.map { step in
      step.time == .always
        ? speeds.time(step, workingSet: workingSet, threads: threads)
        : StepTime(alone: 0, shared: 0, spread: 0, bound: .compute)
    }
    bounds = zip(work, times).map { $0.time == .always ? $1.bound : nil }
    var total = speeds.inferenceSeconds
    var variance = 0.0
    steps = []
    for time in times {
      let seconds = time.seconds
      steps.append(
        seconds > 0
          ? CostEstimate(seconds, within: exp2(1.64 * time.spread))
          : CostEstimate(value: 0, low: 0, high: 0))
      total += seconds
      variance += seconds * time.spread * seconds * time.spread
    }
    // Steps err for themselves; the machine's state is common to all.
    let common = speeds.commonSpread
    let spread = (variance / max(total * total, 1e-300) + common * common).squareRoot()
    seconds = CostEstimate(total, within: exp2(1.64 * spread))
    self.origin = origin
    isLowerBound = work.contains { $0.time == .open }
    self.threads = threads
  }
}

/// Seconds of a step on one thread and on all that are there; the spread is a standard deviation of
/// the logarithm to base 2.
private struct StepTime {
  var alone: Double
  var shared: Double
  /// What is added where it is shared.
  var handover = 0.0
  var spread: Double
  var bound: LatencyEstimate.Bound

  /// Steps that handing over takes longer than it saves are shared by mistake of the table only. Threads
  /// count as awake: they spin for a millisecond (`ThreadPool`), of which waking them is a small part.
  var seconds: Double { min(alone, shared + handover) }
}

/// Where the time of a step comes from. A spread is a standard deviation of the logarithm to base 2.
private enum StepSpeeds {
  case table(MeasuredSpeeds, FittedTables)
  case roofline(Roofline)

  /// What is no step's.
  var inferenceSeconds: Double {
    switch self {
    case .table(let measured, _): measured.inferenceSeconds
    case .roofline: 0
    }
  }

  /// Of figures that are wrong for all steps together.
  var commonSpread: Double {
    switch self {
    // 1.64 of 0.12 is 15 % either way, which a quiet machine's table is to keep. What others did to a machine
    // while it was probed they will do to its runs; 0.2 is chosen, not measured.
    case .table(let measured, _): 0.12 + 0.2 * (measured.conditions.disturbedShare ?? 0)
    // Half to twice, nine times in ten.
    case .roofline: 0.6
    }
  }

  mutating func time(_ work: StepWork, workingSet: Int, threads: Int) -> StepTime {
    switch self {
    case .roofline(let roofline):
      let (seconds, bound) = roofline.time(work)
      return StepTime(alone: seconds, shared: seconds, spread: 0.6, bound: bound)
    case .table(let measured, var tables):
      defer { self = .table(measured, tables) }
      // Weights come from where all of them find room, data from where the step before left them.
      func way(_ threads: Int) -> Double {
        max(
          measured.readSeconds(work.weightBytes, workingSet: workingSet, threads: threads),
          Double(work.dataBytes) / 2
            / (measured.copyBytesPerSecond(workingSet: work.dataBytes, threads: 1) ?? .infinity))
      }
      guard let found = tables.seconds(work, measured, threads) else {
        let way = way(threads)
        let seconds = max(measured.generalSeconds(work), way) * measured.context(of: work)
        let bound = StepSpeeds.bound(seconds, way: way, dispatch: measured.dispatchSeconds)
        return StepTime(alone: seconds, shared: seconds, spread: 1, bound: bound)
      }
      // The table's step found its own weights where the step alone finds room.
      func further(_ threads: Int) -> Double {
        let all = measured.readSeconds(work.weightBytes, workingSet: workingSet, threads: threads)
        return max(
          all
            - measured.readSeconds(
              work.weightBytes, workingSet: work.weightBytes, threads: threads), 0)
      }
      let exposure =
        work.readsWeightsOnce
        ? measured.rowWeightExposure
        : work.isInteger ? measured.integerWeightExposure : measured.weightExposure
      var alone = max(found.seconds, measured.dispatchSeconds)
      if let epilogue = work.epilogue {
        // It is done where the results are stored, by the thread that stores them.
        alone +=
          tables.seconds(epilogue, measured, 1)?.seconds ?? measured.generalSeconds(epilogue)
      }
      func inModel(_ seconds: Double, _ threads: Int) -> Double {
        max(seconds * measured.context(of: work) + further(threads) * exposure, way(threads))
      }
      // What one thread does alone it also reads alone.
      let sharing = found.left < 1 - StepSharing.gain ? threads : 1
      let shared = inModel(alone * found.left, sharing)
      return StepTime(
        alone: inModel(alone, 1), shared: shared,
        handover: sharing > 1 ? measured.handoverSeconds : 0,
        spread: found.spread,
        bound: StepSpeeds.bound(
          shared, way: way(sharing), dispatch: measured.dispatchSeconds))
    }
  }

  /// What is half of a step's time or more; arithmetic where neither is.
  private static func bound(
    _ seconds: Double, way: Double, dispatch: Double
  ) -> LatencyEstimate.Bound {
    if dispatch >= seconds / 2 { return .launch }
    return way >= seconds / 2 ? .memory : .compute
  }
}

/// What tables say, and how well they predict their own points: found once for each.
private struct FittedTables {
  private struct Entry {
    var fit: StepFit
    var spread: Double
    /// nil where the table is of one thread, or one thread has no table.
    var sharing: StepSharing?
  }

  private var known: [String: Entry] = [:]

  /// Seconds of the step alone on one thread, and the share that several leave of them; nil where
  /// nothing like it was measured.
  mutating func seconds(
    _ work: StepWork, _ measured: MeasuredSpeeds, _ threads: Int
  ) -> (seconds: Double, left: Double, spread: Double)? {
    guard let table = measured.table(for: work, threads: threads) else { return nil }
    let key = "\(table.kind) \(table.threads)"
    let entry = known[key] ?? FittedTables.fit(table, measured)
    known[key] = entry
    guard let seconds = entry.fit.seconds(extents: work.extents, amount: work.amount) else {
      return nil
    }
    let left = entry.sharing?.left(extents: work.extents, amount: work.amount) ?? 1
    return (seconds, left, entry.spread)
  }

  private static func fit(
    _ table: MeasuredSpeeds.StepTable, _ measured: MeasuredSpeeds
  ) -> Entry {
    let one = measured.steps.first { $0.kind == table.kind && $0.threads == 1 }
    // One thread's law, and what several leave of it: the law says nothing of how work is divided.
    if table.threads > 1, let one, let sharing = StepSharing(one, table) {
      return Entry(
        fit: StepFit(one), spread: StepFit.leaveOneOutSpread(one), sharing: sharing)
    }
    return Entry(fit: StepFit(table), spread: StepFit.leaveOneOutSpread(table))
  }
}

/// The longer of arithmetic and memory, from a profile's few figures.
private struct Roofline {
  private let f32OperationsPerSecond: Double
  private let int8OperationsPerSecond: Double
  private let bytesPerSecond: Double?
  /// Loop, dispatch and one round through the thread pool.
  private let dispatchSeconds = 2e-6

  /// nil where the profile says nothing about speed. The fastest cluster runs the model.
  init?(_ profile: DeviceProfile, threads: Int) {
    let fastest = profile.cpu.clusters.max {
      ($0.f32OperationsPerSecondPerCore ?? 0) < ($1.f32OperationsPerSecondPerCore ?? 0)
    }
    guard let fastest, let f32 = fastest.f32OperationsPerSecondPerCore else { return nil }
    let cores = Double(max(1, min(threads, fastest.coreCount)))
    f32OperationsPerSecond = f32 * cores
    int8OperationsPerSecond = (fastest.int8OperationsPerSecondPerCore ?? f32) * cores
    bytesPerSecond = profile.memory.bandwidthBytesPerSecond
  }

  func time(_ work: StepWork) -> (seconds: Double, bound: LatencyEstimate.Bound) {
    let speed = work.isInteger ? int8OperationsPerSecond : f32OperationsPerSecond
    let memory = bytesPerSecond.map { Double(work.weightBytes) / $0 } ?? 0
    let arithmetic = 2 * Double(work.multiplyAccumulates) / speed
    let longer = max(arithmetic, memory)
    let bound: LatencyEstimate.Bound =
      dispatchSeconds >= longer ? .launch : memory >= arithmetic ? .memory : .compute
    return (longer + dispatchSeconds, bound)
  }
}
