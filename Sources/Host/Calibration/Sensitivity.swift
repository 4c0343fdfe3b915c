// What an error in each weight costs the model's outputs.
import Foundation

/// The price of errors in one weight: two or three probes, and the line through them.
public struct Sensitivity: Equatable, Sendable {
  /// One measurement with only this weight changed.
  public struct Probe: Equatable, Sendable {
    /// Sum over elements of the squared error.
    public var distortion: Double
    /// Loss of the model's outputs.
    public var loss: Double

    public init(distortion: Double, loss: Double) {
      self.distortion = distortion
      self.loss = loss
    }

    var ratio: Double { max(loss, Sensitivity.leastLoss) / distortion }
  }

  /// Index among the program's weights.
  public var weight: Int
  public var name: String
  public var elementCount: Int
  /// Root mean square of the elements.
  public var scale: Double
  /// Finest first; empty for a weight of zeros, which every scheme holds.
  public var probes: [Probe]

  public init(
    weight: Int, name: String, elementCount: Int, scale: Double, probes: [Probe]
  ) {
    self.weight = weight
    self.name = name
    self.elementCount = elementCount
    self.scale = scale
    self.probes = probes
  }

  /// Losses below this are the noise of f32 arithmetic.
  static let leastLoss = 1e-12

  /// Loss per squared error: the geometric mean over the probes.
  public var slope: Double {
    guard !probes.isEmpty else { return 0 }
    return exp(probes.reduce(0) { $0 + log($1.ratio) } / Double(probes.count))
  }

  /// The factor between the largest and the smallest slope of single probes; 1 is a straight line.
  public var bend: Double {
    guard let least = probes.map(\.ratio).min(), let most = probes.map(\.ratio).max() else {
      return 1
    }
    return most / least
  }

  /// The most that slopes may differ by before a third probe is taken and the curve kept.
  public static let acceptedBend = 1.5

  /// The loss at a squared error: along the line, or between the probes where that is bent.
  public func loss(at distortion: Double) -> Double {
    guard distortion > 0, !probes.isEmpty else { return 0 }
    guard bend > Sensitivity.acceptedBend, probes.count >= 2 else { return slope * distortion }
    let points = probes.sorted { $0.distortion < $1.distortion }
    // Beyond the ends the loss grows as the error does.
    if distortion <= points[0].distortion { return points[0].ratio * distortion }
    let last = points[points.count - 1]
    if distortion >= last.distortion { return last.ratio * distortion }
    let i = points.firstIndex { $0.distortion >= distortion }!
    let (a, b) = (points[i - 1], points[i])
    let share = log(distortion / a.distortion) / log(b.distortion / a.distortion)
    return exp(
      log(max(a.loss, Sensitivity.leastLoss)) * (1 - share)
        + log(max(b.loss, Sensitivity.leastLoss)) * share)
  }
}
