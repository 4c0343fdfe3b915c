// The last of the way to a limit: a few weights change, and all others stay as they were measured.
import Foundation
import Quantization
import Tensors

extension WeightSearch {
  /// How often a few weights are changed, how near to a limit is near enough, and by how many octaves a
  /// step may change at most.
  private static let trims = 8
  private static let trimmedLoss = 0.97
  private static let trimmedSize = 0.9995
  private static let octaves = 0.25
  /// What the report may still grow by.
  private static let reportBytes = 16.0

  /// Uses what an attempt leaves of its limit.
  ///
  /// Rounding all weights anew moves the loss of a small model by a third. Where few are rounded anew,
  /// what they add is small against what was measured, and the loss is foreseen well.
  func trim(
    _ best: inout FitAttempt, _ bundleBytes: (WeightTrial, FittedWeights) throws -> Int
  ) throws {
    var share = 1.0
    var turn = 0
    var last: [Float?] = []
    for _ in 0..<WeightSearch.trims {
      guard !watch.isStopped(), let picked = trimmed(best, share, turn) else { return }
      // Where all weights change, or the same one again, turns make no difference.
      let steps = picked.map { $0.step?.step }
      guard steps != last else {
        share /= 2
        continue
      }
      last = steps
      let trial = try attempt(picked, like: best.trial)
      let ratio = best.trial.loss / max(best.trial.addedLoss, .leastNormalMagnitude)
      var next = best
      next.trial = trial
      next.report.predictedLoss =
        best.trial.loss + ratio * (trial.addedLoss - best.trial.addedLoss)
      describe(trial, in: &next.report)
      next.bytes = try bundleBytes(trial, WeightSearch.compared(next.report))
      next.report.shipsUniform = false
      if keeps(next), isBetter(next, best) {
        best = next
      } else if keeps(next), goals.loss == nil {
        // It fits, and finer steps happened to lose more: other weights have their turn.
        turn += 1
      } else {
        share /= 2
      }
    }
  }

  /// The options of an attempt, a few of them with other steps, so that `share` of what is left of its
  /// limit is used; nil where nothing is. turn: with which of them to begin.
  private func trimmed(_ best: FitAttempt, _ share: Double, _ turn: Int) -> [WeightOption]? {
    let trial = best.trial
    let ratio = trial.loss / max(trial.addedLoss, .leastNormalMagnitude)
    guard ratio.isFinite, ratio > 0 else { return nil }
    var room: Double
    var octaves = WeightSearch.octaves
    if let goal = goals.loss {
      guard trial.loss < goal * WeightSearch.trimmedLoss else { return nil }
      room = (goal * (1 + WeightSearch.trimmedLoss) / 2 - trial.loss) * share
    } else {
      let limit = goals.budgets.storageBytes
      guard limit.isFinite,
        Double(best.bytes) + WeightSearch.reportBytes < limit * WeightSearch.trimmedSize
      else { return nil }
      room = (limit - Double(best.bytes) - WeightSearch.reportBytes) * share
      octaves = -octaves
    }
    // What a change of each group takes of the room, and what it brings.
    let changes = groups.compactMap { group -> (group: [Int], cost: Double, gain: Double)? in
      guard group.allSatisfy({ trial.picked[$0].step != nil }) else { return nil }
      let loss = group.reduce(0.0) { $0 + (trial.losses[weights[$1].weight] ?? 0) } * ratio
      let elements = group.reduce(0) { $0 + weights[$1].elementCount }
      let (bytes, lost) = (
        Double(elements) * abs(octaves) / 8, loss * abs(exp2(2 * octaves) - 1)
      )
      guard bytes > 0, lost > 0 else { return nil }
      return goals.loss == nil ? (group, bytes, lost) : (group, lost, bytes)
    }.sorted { $0.gain * $1.cost > $1.gain * $0.cost }
    var picked = trial.picked
    var isChanged = false
    func change(_ group: [Int], _ octaves: Double) {
      isChanged = true
      for i in group {
        let step = scaled(picked[i].step!, by: exp2(octaves), picked[i].scheme, weights[i])
        picked[i].step?.step = step
      }
    }
    let begin = turn % max(changes.count, 1)
    for (group, cost, _) in changes[begin...] + changes[..<begin] where cost <= room {
      change(group, octaves)
      room -= cost
    }
    // Where none fits whole, one in part: the least of them first.
    if !isChanged, !changes.isEmpty {
      let one = changes.sorted { $0.cost < $1.cost }[begin]
      let part = octaves * room / one.cost
      guard abs(part) > 0.002 else { return nil }
      change(one.group, part)
    }
    return isChanged ? picked : nil
  }
}
