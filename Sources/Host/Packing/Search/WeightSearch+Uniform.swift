// The baseline: one relative step for all weights, in as many bytes as a choice takes.
import Foundation
import Quantization
import Tensors

extension WeightSearch {
  /// Measures the baseline beside the best trial; the better one is kept.
  func compare(
    _ best: inout FitAttempt, _ bundleBytes: (WeightTrial, FittedWeights) throws -> Int
  ) throws {
    guard !watch.isStopped(), let (uniform, predicted) = try uniform(like: best.trial) else {
      return
    }
    best.report.uniformLoss = uniform.loss
    best.report.uniformBytes = uniform.weights.storedByteCount
    if uniform.loss < best.trial.loss {
      var other = best
      other.trial = uniform
      other.report.predictedLoss = predicted
      other.report.shipsUniform = true
      describe(uniform, in: &other.report)
      other.bytes = try bundleBytes(other.trial, other.report)
      if keeps(other) {
        best = other
        return
      }
    }
    best.bytes = try bundleBytes(best.trial, best.report)
  }

  /// One step for all weights, relative to each one's scale, in the forms of `trial` and in no more bytes;
  /// and what it was predicted to lose; nil where no weight has steps.
  private func uniform(
    like trial: WeightTrial
  ) throws -> (trial: WeightTrial, predicted: Double)? {
    let limit = Double(trial.weights.storedByteCount)
    func picked(_ relative: Double) -> [WeightOption]? {
      var list: [WeightOption] = []
      for (w, option) in zip(weights, trial.picked) {
        guard w.scale > 0, option.step != nil else {
          list.append(option)
          continue
        }
        var changed = option
        changed.step?.step = Float(relative * w.scale)
        list.append(changed)
      }
      return list.contains { $0.step != nil } ? list : nil
    }
    // Bits of all weights at the steps of the options, and between them.
    func bytes(_ relative: Double) -> Double {
      zip(weights, trial.picked).reduce(0) { sum, pair in
        let (w, option) = pair
        guard option.step != nil else { return sum + option.storedBytes }
        let points = w.options.filter { $0.scheme == option.scheme && $0.step != nil }
          .map { (log2(Double($0.step!.step) / w.scale), $0.storedBytes) }
          .sorted { $0.0 < $1.0 }
        return sum + interpolate(points, log2(relative))
      }
    }
    // Bytes that are the same in both.
    let rest =
      limit
      - zip(weights, trial.picked).reduce(0.0) { sum, pair in
        sum + Double(trial.weights.storedByteCount(pair.0.weight))
      }
    var (low, high) = (0.001, 4.0)
    for _ in 0..<30 {
      let middle = (low * high).squareRoot()
      if bytes(middle) + rest > limit { low = middle } else { high = middle }
    }
    var relative = high
    var best: (trial: WeightTrial, predicted: Double)?
    var history = TrialHistory()
    // Steps that took too much, and those that did not.
    var fine: (relative: Double, bytes: Double)?
    var coarse: (relative: Double, bytes: Double)?
    for _ in 0..<6 {
      guard let list = picked(relative) else { return nil }
      let found = try attempt(list)
      let bytes = Double(found.weights.storedByteCount)
      // As far off as the trial beside it was, until there are some of its own kind.
      let predicted =
        history.points.isEmpty
        ? found.addedLoss * trial.loss / max(trial.addedLoss, .leastNormalMagnitude)
        : history.predictedLoss(relative, added: found.addedLoss)
      history.points.append(
        .init(factor: relative, added: found.addedLoss, loss: found.loss, bytes: bytes))
      if bytes <= limit {
        if bytes >= Double(best?.trial.weights.storedByteCount ?? 0) { best = (found, predicted) }
        if bytes >= 0.998 * limit { break }
        coarse = (relative, bytes)
      } else {
        fine = (relative, bytes)
      }
      if let fine, let coarse {
        let share = (fine.bytes - limit * 0.999) / max(fine.bytes - coarse.bytes, 1)
        relative =
          fine.relative * pow(coarse.relative / fine.relative, min(max(share, 0.1), 0.9))
      } else {
        relative *= exp2(
          (bytes - limit * 0.999) * 8 / Double(max(stepElements(found), 1)))
      }
    }
    return best
  }

  private func interpolate(_ points: [(Double, Double)], _ x: Double) -> Double {
    guard let first = points.first, let last = points.last else { return 0 }
    if x <= first.0 { return first.1 }
    if x >= last.0 { return last.1 }
    let i = points.firstIndex { $0.0 >= x }!
    let (a, b) = (points[i - 1], points[i])
    return a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0)
  }
}
