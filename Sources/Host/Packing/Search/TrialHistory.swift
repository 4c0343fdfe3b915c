// What trials at different steps have taught, and what follows for the next one.
import Foundation

/// Trials of one choice, all steps times a factor.
package struct TrialHistory {
  package struct Point {
    var factor: Double
    /// The loss as sensitivities add it up, and as it is.
    package var added: Double
    package var loss: Double
    /// Of the bundle.
    package var bytes: Double

    package init(factor: Double, added: Double, loss: Double, bytes: Double) {
      self.factor = factor
      self.added = added
      self.loss = loss
      self.bytes = bytes
    }
  }

  package var points: [Point] = []

  package init() {}

  private static let least = 1e-300

  /// The loss at a factor, before it is measured: as added up; with one trial, as far off as that was;
  /// with more, on the line through the two nearest on logarithmic scales.
  package func predictedLoss(_ factor: Double, added: Double) -> Double {
    let near = points.sorted { abs(log($0.factor / factor)) < abs(log($1.factor / factor)) }
    guard let first = near.first else { return added }
    guard near.count > 1, near[1].factor != first.factor else {
      return first.added > 0 ? added * first.loss / first.added : added
    }
    return first.loss * pow(factor / first.factor, slope(first, near[1]))
  }

  /// How fast the loss grows with the factor: squared where errors are small, in any case not wildly.
  private func slope(_ a: Point, _ b: Point) -> Double {
    let slope =
      log(max(b.loss, Self.least) / max(a.loss, Self.least)) / log(b.factor / a.factor)
    return slope.isFinite ? min(max(slope, 1), 5) : 2
  }

  /// The factor at which the loss should be `goal`: between trials on both sides of it, or on from the
  /// nearest.
  package func factor(forLoss goal: Double) -> Double {
    let below = points.filter { $0.loss <= goal }.max { $0.factor < $1.factor }
    let above = points.filter { $0.loss > goal }.min { $0.factor < $1.factor }
    if let below, let above, below.factor < above.factor {
      let whole = log(above.factor / below.factor)
      let share =
        log(goal / max(below.loss, Self.least)) / log(above.loss / max(below.loss, Self.least))
      return below.factor * exp(whole * min(max(share.isFinite ? share : 0.5, 0.1), 0.9))
    }
    let last = points[points.count - 1]
    let rate = points.count > 1 ? slope(points[points.count - 2], last) : 2
    let ratio = max(goal, Self.least) / max(last.loss, Self.least)
    return last.factor * min(max(pow(ratio, 1 / rate), 0.2), 3)
  }

  /// The factor at which the bundle should have `goal` bytes.
  ///
  /// elementCount: of the weights that are stored by steps. A factor of two is a bit of each, until a second
  /// trial tells better.
  package func factor(forBytes goal: Double, elementCount: Int) -> Double {
    let last = points[points.count - 1]
    var bytesPerOctave = Double(elementCount) / 8
    if points.count > 1 {
      let other = points[points.count - 2]
      let slope = (other.bytes - last.bytes) / log2(last.factor / other.factor)
      if slope > bytesPerOctave / 8, slope < bytesPerOctave * 2 { bytesPerOctave = slope }
    }
    return last.factor * exp2(min(max((last.bytes - goal) / bytesPerOctave, -2), 2))
  }
}
