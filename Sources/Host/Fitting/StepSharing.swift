// What several threads make of a step: the share of one thread's time that is left.
import Foundation
import Lowering

/// One table measured on one thread and one on several, of the same steps.
struct StepSharing {
  /// Steps of less work are not shared: handing them over costs more than it saves.
  private let leastAmount: Double
  private let alone: Double
  /// Logarithms of amount and extents of the steps that are shared, and log2 of what is left.
  private let places: [(logs: [Double], left: Double)]

  /// A step counts as shared where at least this share of its time is gone.
  static let gain = 0.15

  /// nil where no point is in both.
  init?(_ one: MeasuredSpeeds.StepTable, _ several: MeasuredSpeeds.StepTable) {
    var points: [(point: MeasuredSpeeds.StepPoint, left: Double)] = []
    for point in several.points {
      guard let same = one.points.first(where: { $0.extents == point.extents }) else { continue }
      points.append((point, point.seconds / same.seconds))
    }
    guard !points.isEmpty else { return nil }
    let sorted = points.sorted { $0.point.amount < $1.point.amount }
    // The cut that parts those that are shared from those that are not with the fewest mistakes.
    let isShared = sorted.map { $0.left < 1 - Self.gain }
    var (best, fewest) = (0, Int.max)
    for cut in 0...sorted.count {
      let mistakes =
        isShared[..<cut].reduce(0) { $0 + ($1 ? 1 : 0) }
        + isShared[cut...].reduce(0) { $0 + ($1 ? 0 : 1) }
      if mistakes < fewest { (best, fewest) = (cut, mistakes) }
    }
    let below = best > 0 ? Double(sorted[best - 1].point.amount) : 0
    let above = best < sorted.count ? Double(sorted[best].point.amount) : .infinity
    leastAmount = below > 0 ? (below * above).squareRoot() : 0
    let unshared = sorted[..<best].map(\.left).sorted()
    alone = unshared.isEmpty ? 1 : min(max(unshared[unshared.count / 2], 0.9), 1.2)
    places = sorted[best...].map { entry in
      let logs = [entry.point.amount] + entry.point.extents
      return (logs.map(StepFit.log), log2(min(max(entry.left, 1e-3), 2)))
    }
  }

  /// Time on several threads over that on one.
  func left(extents: [Int], amount: Int) -> Double {
    if Double(amount) < leastAmount || places.isEmpty { return alone }
    let here = ([amount] + extents).map(StepFit.log)
    var (total, sum) = (0.0, 0.0)
    for place in places {
      let weight = StepFit.weight(place.logs, here)
      total += weight
      sum += weight * place.left
    }
    return exp2(sum / total)
  }
}
