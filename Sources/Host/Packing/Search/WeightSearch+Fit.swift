// From goals to weights: choose, try, compare with what was promised, correct, and choose again.
import Calibration
import Fitting
import Foundation
import Lowering
import Quantization
import Tensors

/// Weights that keep the goals, and the model they make.
package struct SearchResult {
  package var model: LoweredModel
  package var weights: PackedWeights
  package var report: FittedWeights
}

/// One trial, what it was tried with, and what there is to say of it.
struct FitAttempt {
  var trial: WeightTrial
  var factor: Double
  var report: FittedWeights
  var bytes: Int
}

extension WeightSearch {
  /// How often a choice is tried: each time with what the last one taught.
  private static let rounds = 6
  /// How near to a limit all steps together are brought, of a loss and of a size: what is left is for
  /// single weights.
  private static let lossSlack = 0.12
  private static let sizeSlack = 0.003

  /// The smallest weights that lose at most `goals.loss`, or those of least loss within the budgets.
  ///
  /// bundleBytes: what a bundle of these weights and this report comes to. bestEffort: the nearest where
  /// nothing keeps the goals.
  package func fit(
    _ goals: FitGoals, bestEffort: Bool,
    bundleBytes: (WeightTrial, FittedWeights) throws -> Int
  ) throws -> SearchResult {
    self.goals = goals
    let (choice, missed) = try firstChoice()
    if let missed, !bestEffort { throw missed }
    var history = TrialHistory()
    func attempt(_ factor: Double) throws -> FitAttempt {
      let trial = try self.attempt(choice.picked, factor: factor)
      let predicted = history.predictedLoss(factor, added: trial.addedLoss)
      var report = report(trial, predicted: predicted, choice)
      report.missed = missed
      report.firstAddedLoss = history.points.first?.added ?? trial.addedLoss
      report.firstMeasuredLoss = history.points.first?.loss ?? trial.loss
      let bytes = try bundleBytes(trial, WeightSearch.compared(report))
      history.points.append(
        .init(factor: factor, added: trial.addedLoss, loss: trial.loss, bytes: Double(bytes)))
      return FitAttempt(trial: trial, factor: factor, report: report, bytes: bytes)
    }
    var tried: [FitAttempt] = []
    var factor = 1.0
    for round in 0..<WeightSearch.rounds {
      tried.append(try attempt(factor))
      watch.progress(.trials, Double(round + 1) / Double(WeightSearch.rounds + 1))
      let isEnough = watch.isStopped() && tried.contains(where: keeps)
      guard missed == nil, !isEnough, let next = nextFactor(tried[tried.count - 1], history) else {
        break
      }
      factor = next
      keepBest(&tried)
    }
    if var best = tried.filter(keeps).min(by: isBetter) {
      tried = []
      try trim(&best, bundleBytes)
      try compare(&best, bundleBytes)
      if best.report.shipsUniform { try trim(&best, bundleBytes) }
      // The report grew a little with what was compared.
      for _ in 0..<3 where Double(best.bytes) > goals.budgets.storageBytes {
        let excess = Double(best.bytes) - goals.budgets.storageBytes + 16
        best = try attempt(
          best.factor * exp2(excess * 8 / Double(max(stepElements(best.trial), 1))))
        try compare(&best, bundleBytes)
      }
      if keeps(best) { return result(best) }
      tried = [best]
    }
    // The last trial of those that miss is the one that all the others led to.
    var nearest = missed == nil ? tried.min { $0.trial.loss < $1.trial.loss }! : tried.last!
    nearest.report.missed = missed ?? notReached(nearest)
    guard bestEffort else { throw nearest.report.missed! }
    return result(nearest)
  }

  /// A report as long as it is once a baseline was compared: what a bundle comes to is foreseen with it.
  static func compared(_ report: FittedWeights) -> FittedWeights {
    var report = report
    report.uniformLoss = report.uniformLoss ?? report.measuredLoss * 1.37
    report.uniformBytes = report.uniformBytes ?? report.entries.reduce(0) { $0 + $1.storedBytes }
    return report
  }

  private func result(_ attempt: FitAttempt) -> SearchResult {
    watch.progress(.trials, 1)
    var report = attempt.report
    report.curve = curve()
    return SearchResult(
      model: attempt.trial.model, weights: attempt.trial.weights, report: report)
  }

  private func firstChoice() throws -> (Choice, GoalsNotReached?) {
    do {
      guard let loss = goals.loss else { return (try choose(within: goals.budgets), nil) }
      return (try choose(loss: loss * 0.97, within: goals.budgets), nil)
    } catch let error as Infeasible {
      return (error.choice, GoalsNotReached(setup.target.name, error.reason))
    }
  }

  func keeps(_ attempt: FitAttempt) -> Bool {
    Double(attempt.bytes) <= goals.budgets.storageBytes
      && (goals.loss.map { attempt.trial.loss <= $0 } ?? true)
  }

  func isBetter(_ a: FitAttempt, _ b: FitAttempt) -> Bool {
    goals.loss == nil ? a.trial.loss < b.trial.loss : a.bytes < b.bytes
  }

  /// The last one stays, and the best; weights of all others are let go.
  private func keepBest(_ tried: inout [FitAttempt]) {
    let last = tried[tried.count - 1]
    guard let best = tried.filter(keeps).min(by: isBetter), best.factor != last.factor else {
      tried = [last]
      return
    }
    tried = [best, last]
  }

  /// What to multiply all steps with next; nil where the last trial is near enough to the limit, or
  /// steps have no part in it.
  private func nextFactor(_ last: FitAttempt, _ history: TrialHistory) -> Double? {
    let elements = stepElements(last.trial)
    guard elements > 0 else { return nil }
    if let goal = goals.loss {
      let ratio = last.trial.loss / goal
      if ratio <= 1, ratio >= 1 - WeightSearch.lossSlack { return nil }
      return history.factor(forLoss: goal * (1 - WeightSearch.lossSlack / 2))
    }
    let limit = goals.budgets.storageBytes
    guard limit.isFinite else { return nil }
    let bytes = Double(last.bytes)
    if bytes <= limit, bytes >= limit * (1 - WeightSearch.sizeSlack) { return nil }
    // Nothing is gained by finer steps than the options have.
    if bytes < limit, last.factor <= 1, isMostPrecise(last.trial.picked) { return nil }
    return history.factor(
      forBytes: limit * (1 - WeightSearch.sizeSlack / 3), elementCount: elements)
  }

  /// Elements of the weights that are stored by steps.
  func stepElements(_ trial: WeightTrial) -> Int {
    zip(weights, trial.picked).reduce(0) { $0 + ($1.1.step == nil ? 0 : $1.0.elementCount) }
  }

  private func isMostPrecise(_ picked: [WeightOption]) -> Bool {
    zip(weights, picked).allSatisfy { weight, option in
      option.step == nil || weight.options.allSatisfy { $0.storedBytes <= option.storedBytes }
    }
  }

  private func notReached(_ attempt: FitAttempt) -> GoalsNotReached {
    var failure = GoalsNotReached(target: setup.target.name, binding: [])
    if let loss = goals.loss, attempt.trial.loss > loss {
      failure.binding.append(
        .init(
          name: "loss", needs: lossText(attempt.trial.loss), limit: lossText(loss),
          shortfall: lossText(attempt.trial.loss - loss), relaxed: nil))
    }
    if Double(attempt.bytes) > goals.budgets.storageBytes {
      failure.binding.append(
        .init(
          name: "storage", needs: amountText(Double(attempt.bytes), .storage),
          limit: amountText(goals.budgets.storageBytes, .storage),
          shortfall: amountText(Double(attempt.bytes) - goals.budgets.storageBytes, .storage),
          relaxed: nil))
    }
    return failure
  }

  // MARK: The report

  /// What there is to say of a trial, the baseline apart.
  private func report(
    _ trial: WeightTrial, predicted: Double, _ choice: Choice
  ) -> FittedWeights {
    var report = FittedWeights()
    report.optimalityGap = choice.allocation.optimalityGap
    report.metrics = reference.meters.map(\.metric)
    report.itemCount = reference.items.count
    report.unmeasuredCount = unmeasuredCount
    report.predictedLoss = predicted
    describe(trial, in: &report)
    return report
  }

  /// Says in a report what a trial stores of each weight, and what it lost.
  func describe(_ trial: WeightTrial, in report: inout FittedWeights) {
    report.measuredLoss = trial.loss
    report.entries = weights.enumerated().map { i, w in
      FittedWeights.Entry(
        weight: w.weight, name: w.name, elementCount: w.elementCount,
        scheme: trial.picked[i].scheme, step: trial.picked[i].step?.step,
        slope: sensitivities[w.weight]?.slope ?? 0, predictedLoss: trial.losses[w.weight] ?? 0,
        storedBytes: trial.weights.storedByteCount(w.weight))
    }
  }
}

/// A loss, for people.
func lossText(_ loss: Double) -> String { String(format: "%.3g", loss) }

/// An amount of a resource, for people.
func amountText(_ amount: Double, _ resource: FitResource) -> String {
  switch resource {
  case .storage: amount < 1e6 ? figure(amount / 1e3, "kB") : figure(amount / 1e6, "MB")
  case .ram: figure(amount / 1_048_576, "MiB")
  case .latency: figure(amount * 1e3, "ms")
  case .energy: figure(amount * 1e3, "mJ")
  }
}

/// Three digits, or all before the point.
private func figure(_ x: Double, _ unit: String) -> String {
  let places = abs(x) >= 100 ? 0 : abs(x) >= 10 ? 1 : abs(x) >= 0.1 ? 2 : 4
  return String(format: "%.\(places)f \(unit)", x)
}

extension GoalsNotReached {
  /// What the solver says, for people.
  init(_ target: String, _ reason: AllocationInfeasible) {
    func relaxed(_ resource: FitResource) -> String? {
      (reason.relaxations[resource] ?? nil).map { amountText($0, resource) }
    }
    self.init(
      target: target,
      binding: reason.binding.map {
        Excess(
          name: $0.resource.name, needs: amountText($0.needed, $0.resource),
          limit: amountText($0.budget, $0.resource),
          shortfall: amountText($0.shortfall, $0.resource), relaxed: relaxed($0.resource))
      })
    for resource in FitResource.allCases
    where !reason.binding.contains(where: { $0.resource == resource }) {
      guard let text = relaxed(resource) else { continue }
      relaxations.append(
        Excess(name: resource.name, needs: "", limit: "", shortfall: "", relaxed: text))
    }
  }
}
