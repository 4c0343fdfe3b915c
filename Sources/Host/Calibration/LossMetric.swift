// How far a model's outputs are from those of the float model, as one number per output.
import Foundation

/// What is measured between an output and its reference. All are 0 for equal outputs, positive else, and
/// grow with the square of small errors: that makes losses of single weights add up.
public enum LossMetric: String, Sendable, CaseIterable {
  /// Mean over rows of KL(p₀ ‖ p), in nats; the rows hold probabilities.
  case probabilities
  /// The same where the rows hold logits, or their logarithms.
  case logits
  /// Mean over elements of the KL of two-valued distributions; elements are probabilities.
  case events
  /// 1 − cosine of rows.
  case cosine
  /// 1 − cosine of the mean of all rows: what pooling keeps.
  case pooled
  /// Mean squared error over the variance of the reference.
  case squares

  /// Sum over rows (elements for `events` and `squares`), and how many there are.
  ///
  /// found, reference: rows of `width` numbers.
  public func sum(
    _ found: UnsafeBufferPointer<Float>, _ reference: UnsafeBufferPointer<Float>, width: Int
  ) -> (loss: Double, count: Int) {
    precondition(found.count == reference.count && width > 0 && found.count % width == 0)
    switch self {
    case .probabilities:
      return rows(found, reference, width) { p, q in
        var sum = 0.0
        for (x, x0) in zip(p, q) where x0 > 0 {
          sum += Double(x0) * log(Double(x0) / max(Double(x), LossMetric.leastProbability))
        }
        return max(sum, 0)
      }
    case .logits: return rows(found, reference, width, LossMetric.divergence)
    case .events:
      var sum = 0.0
      for (x, x0) in zip(found, reference) { sum += LossMetric.event(Double(x), Double(x0)) }
      return (sum, found.count)
    case .cosine: return rows(found, reference, width, LossMetric.angle)
    case .pooled:
      guard found.count > 0 else { return (0, 0) }
      let means = [found, reference].map { list in
        var mean = [Float](repeating: 0, count: width)
        for (i, x) in list.enumerated() { mean[i % width] += x }
        return mean
      }
      let loss = means[0].withUnsafeBufferPointer { a in
        means[1].withUnsafeBufferPointer { LossMetric.angle(a[...], $0[...]) }
      }
      return (loss, 1)
    case .squares:
      var sum = 0.0
      for (x, x0) in zip(found, reference) {
        let d = Double(x) - Double(x0)
        sum += d * d
      }
      return (sum, found.count)
    }
  }

  /// Below this a probability counts as this: float models give 0 where e^−90 is meant.
  static let leastProbability = 1e-12

  private typealias Row = Slice<UnsafeBufferPointer<Float>>

  private func rows(
    _ found: UnsafeBufferPointer<Float>, _ reference: UnsafeBufferPointer<Float>, _ width: Int,
    _ loss: (Row, Row) -> Double
  ) -> (Double, Int) {
    var sum = 0.0
    for start in stride(from: 0, to: found.count, by: width) {
      sum += loss(found[start..<start + width], reference[start..<start + width])
    }
    return (sum, found.count / width)
  }

  /// KL of the softmax of two rows.
  private static func divergence(_ p: Row, _ q: Row) -> Double {
    func logSum(_ row: Row, _ peak: Double) -> Double {
      log(row.reduce(0) { $0 + exp(Double($1) - peak) }) + peak
    }
    let (peakP, peakQ) = (Double(p.max() ?? 0), Double(q.max() ?? 0))
    guard peakP.isFinite, peakQ.isFinite else { return peakP == peakQ ? 0 : .infinity }
    let (sumP, sumQ) = (logSum(p, peakP), logSum(q, peakQ))
    var sum = 0.0
    for (x, x0) in zip(p, q) {
      let logP0 = Double(x0) - sumQ
      // An impossible class stays out, as 0 · log 0.
      guard logP0 > -100 else { continue }
      sum += exp(logP0) * (logP0 - max(Double(x) - sumP, -100))
    }
    return max(sum, 0)
  }

  private static func event(_ p: Double, _ p0: Double) -> Double {
    func part(_ a0: Double, _ a: Double) -> Double {
      a0 > 0 ? a0 * log(a0 / max(a, leastProbability)) : 0
    }
    guard (0...1).contains(p0) else { return 0 }
    let inside = min(max(p, 0), 1)
    return max(part(p0, inside) + part(1 - p0, 1 - inside), 0)
  }

  private static func angle(_ p: Row, _ q: Row) -> Double {
    var (dot, pp, qq) = (0.0, 0.0, 0.0)
    for (x, x0) in zip(p, q) {
      dot += Double(x) * Double(x0)
      pp += Double(x) * Double(x)
      qq += Double(x0) * Double(x0)
    }
    guard pp > 0, qq > 0 else { return pp == qq ? 0 : 1 }
    return max(1 - dot / (pp * qq).squareRoot(), 0)
  }
}
