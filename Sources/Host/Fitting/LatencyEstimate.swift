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

/// Predicted seconds of one inference.
///
/// Every step takes the longer of its arithmetic and its weights' way from memory, plus a dispatch.
public struct LatencyEstimate: Equatable, Sendable {
  public var seconds: CostEstimate
  public var origin: EstimateOrigin
  /// Seconds of every step of the program; 0 for those that run ahead.
  public var steps: [CostEstimate]
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
    self.init(work, .table(measured, TableErrors()), .measured, threads)
  }

  private init(
    _ work: [StepWork], _ speeds: StepSpeeds, _ origin: EstimateOrigin, _ threads: Int
  ) {
    var speeds = speeds
    // What one inference reads decides which cache it finds it in the next time.
    let workingSet = work.reduce(0) { $0 + $1.weightBytes }
    steps = []
    var total = 0.0
    var variance = 0.0
    for step in work {
      guard step.time == .always else {
        steps.append(CostEstimate(value: 0, low: 0, high: 0))
        continue
      }
      let (seconds, spread) = speeds.seconds(step, workingSet: workingSet, threads: threads)
      steps.append(CostEstimate(seconds, within: exp2(1.64 * spread)))
      total += seconds
      variance += seconds * spread * seconds * spread
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

/// Where the time of a step comes from. A spread is a standard deviation of the logarithm to base 2.
private enum StepSpeeds {
  case table(MeasuredSpeeds, TableErrors)
  case roofline(Roofline)

  /// Of figures that are wrong for all steps together.
  var commonSpread: Double {
    switch self {
    case .table: 0.08
    // Half to twice, nine times in ten.
    case .roofline: 0.6
    }
  }

  mutating func seconds(
    _ work: StepWork, workingSet: Int, threads: Int
  ) -> (Double, spread: Double) {
    switch self {
    case .roofline(let roofline): return (roofline.seconds(work), 0.6)
    case .table(let measured, var errors):
      defer { self = .table(measured, errors) }
      // Weights come from where all of them find room, data from where the step before left them.
      let way = max(
        Double(work.weightBytes)
          / (measured.readBytesPerSecond(workingSet: workingSet, threads: threads) ?? .infinity),
        Double(work.dataBytes) / 2
          / (measured.copyBytesPerSecond(workingSet: work.dataBytes, threads: 1) ?? .infinity))
      if let table = measured.table(for: work, threads: threads),
        let seconds = table.seconds(work)
      {
        var alone = max(seconds, way, measured.dispatchSeconds)
        if let epilogue = work.epilogue {
          alone +=
            measured.table(for: epilogue, threads: threads)?.seconds(epilogue)
            ?? measured.generalSeconds(epilogue)
        }
        return (alone * measured.contextFactor, errors.spread(of: table))
      }
      return (max(measured.generalSeconds(work), way) * measured.contextFactor, 1)
    }
  }
}

/// How well tables predict their own points, found once for each.
private struct TableErrors {
  private var known: [String: Double] = [:]

  mutating func spread(of table: MeasuredSpeeds.StepTable) -> Double {
    let key = "\(table.kind) \(table.threads)"
    if let spread = known[key] { return spread }
    let spread = table.leaveOneOutSpread
    known[key] = spread
    return spread
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

  func seconds(_ work: StepWork) -> Double {
    let speed = work.isInteger ? int8OperationsPerSecond : f32OperationsPerSecond
    let memory = bytesPerSecond.map { Double(work.weightBytes) / $0 } ?? 0
    return max(2 * Double(work.multiplyAccumulates) / speed, memory) + dispatchSeconds
  }
}
