// The search for each weight's precision: what there is to choose from, and what each choice costs.
import Calibration
import Dispatch
import Fitting
import Foundation
import Graphs
import Lowering
import Operators
import Programs
import Quantization
import Runtime
import Tasks
import Tensors

/// Searches the precision of every weight of one model.
///
/// The order keeps memory low: the options need the weights one by one, the sensitivities the float
/// model as a whole, the trials neither.
package final class WeightSearch {
  let setup: SearchSetup
  var goals: FitGoals
  let watch: SearchWatch
  let float: LoweredModel
  package let reference: LossReference
  private(set) var weights: [WeightOptions] = []
  /// By weight.
  private(set) var sensitivities: [Int: Sensitivity] = [:]
  private(set) var unmeasuredCount = 0
  /// What computing with 8-bit inputs costs, by weight.
  private(set) var activationLosses: [Int: Double] = [:]
  let costs: [SchemeCosts]
  /// How errors of weights are made good by others.
  let feedback: FeedbackStore
  /// Bytes of the bundle beside the searched weights, about.
  var fixedBytes = 0.0

  /// Items that tell what the arithmetic of a scheme costs.
  private static let variantItems = 16

  package init(
    _ setup: SearchSetup, _ goals: FitGoals, _ watch: SearchWatch, task: Task,
    items: [CalibrationItem], threads: Int
  ) throws {
    self.setup = setup
    self.goals = goals
    self.watch = watch
    let float = try Lowering.lower(setup.graph, setup.lowering) { _ in .f32 }
    self.float = float
    costs = try WeightSearch.schemes(setup, goals).map { try SchemeCosts($0, setup) }
    let searched = float.sources.indices.filter { float.sources[$0].isQuantizable }
    let schemes = costs.map(\.scheme)
    var found = [WeightOptions?](repeating: nil, count: searched.count)
    let done = Counter()
    found.withUnsafeMutableBufferPointer { found in
      nonisolated(unsafe) let found = found
      DispatchQueue.concurrentPerform(iterations: searched.count) { i in
        let (w, source) = (searched[i], float.sources[searched[i]])
        let lookups = setup.storage == .smallest ? nil : float.lookups[w]
        found[i] = WeightOptions(source, weight: w, schemes: schemes, lookups: lookups)
        watch.progress(.options, Double(done.next()) / Double(searched.count))
      }
    }
    weights = found.compactMap { $0 }
    let meter = try LossMeter(
      float, meters: OutputMeter.meters(float.program, task: task), items: items,
      threads: threads)
    reference = meter.reference
    feedback = try FeedbackStore(meter) { share in
      watch.progress(.sensitivities, share * 0.1)
      return !watch.isStopped()
    }
    try measure(meter, items)
    price()
  }

  /// The schemes that a weight may run in. Integers and blocks are there where a limit asks for them:
  /// what integers lose beside their own error takes a run each to find out.
  private static func schemes(
    _ setup: SearchSetup, _ goals: FitGoals
  ) throws -> [QuantizationScheme] {
    var schemes: [QuantizationScheme] = [.f32, .f16]
    let half = try SchemeCosts(.f16, setup)
    let resident = half.model.program.weights.reduce(half.otherBytes) { $0 + ($1.byteCount ?? 0) }
    let isTight =
      goals.budgets.latencySeconds.isFinite || goals.budgets.energyJoules.isFinite
      || goals.budgets.ramBytes < Double(resident)
    if isTight { schemes += [.int8, .nl6, .nl5, .nl4, .nl3, .nl2] }
    for pin in setup.pins where !schemes.contains(pin.scheme) { schemes.append(pin.scheme) }
    return schemes
  }

  // MARK: Measuring

  private func measure(_ meter: LossMeter, _ items: [CalibrationItem]) throws {
    let wanted = meter.probedWeights
    let file = try SensitivityFile(watch.checkpoints, meter)
    var known = file.known.filter { wanted.contains($0.weight) }
    let rest = wanted.filter { w in !known.contains { $0.weight == w } }
    let before = Double(known.count) / Double(max(wanted.count, 1))
    // The integer form takes a part of the time that a probe takes.
    let share = costs.contains { $0.scheme == .int8 } ? 0.7 : 1
    if !rest.isEmpty {
      known += try meter.sensitivities(
        of: rest, budgetBytes: 24 << 20, onGroup: { [known] in file.save(known + $0) },
        progress: { [watch] state in
          let done = before + (1 - before) * state.doneRuns / max(state.totalRuns, 1)
          watch.progress(.sensitivities, min(done, 1) * share)
          return !watch.isStopped()
        })
    }
    for s in known { sensitivities[s.weight] = s }
    assumeRest()
    try measureForms(meter, share)
  }

  /// Weights that were not measured are as sensitive, relative to their scale and size, as the others in
  /// the middle; as 1 where none was.
  private func assumeRest() {
    let rest = weights.filter { sensitivities[$0.weight] == nil }
    unmeasuredCount = rest.count
    let slopes = sensitivities.values.map {
      $0.slope * $0.scale * $0.scale * Double($0.elementCount)
    }.filter { $0 > 0 }.sorted()
    let middle = slopes.isEmpty ? 1 : slopes[slopes.count / 2]
    for w in rest {
      let distortion = w.scale * w.scale * Double(w.elementCount) / 100
      let probes =
        distortion > 0 ? [Sensitivity.Probe(distortion: distortion, loss: middle / 100)] : []
      sensitivities[w.weight] = Sensitivity(
        weight: w.weight, name: w.name, elementCount: w.elementCount, scale: w.scale, probes: probes
      )
    }
  }

  /// Runs the model with each weight alone as integers: those losses hold the arithmetic's.
  private func measureForms(_ meter: LossMeter, _ share: Double) throws {
    for cost in costs where cost.scheme == .int8 {
      for (i, w) in weights.enumerated() {
        guard
          let o = w.options.firstIndex(where: { $0.step == nil && $0.scheme == cost.scheme })
        else { continue }
        let constant = float.sources[w.weight].constant
        var loss = sensitivities[w.weight]!.loss(at: w.rowsDistortion)
        if !watch.isStopped() {
          let variant = try Lowering.lower(setup.graph, setup.lowering) {
            $0.constant === constant ? cost.scheme : .f32
          }
          loss = try meter.loss(of: variant, weight: w.weight, itemCount: WeightSearch.variantItems)
        }
        weights[i].options[o].loss = loss
        activationLosses[w.weight] = max(
          0, loss - sensitivities[w.weight]!.loss(at: w.rowsDistortion))
        watch.progress(
          .sensitivities, share + (1 - share) * Double(i + 1) / Double(weights.count))
      }
    }
  }

  /// Every option gets its loss, its time and its energy.
  private func price() {
    for i in weights.indices {
      let w = weights[i].weight
      let sensitivity = sensitivities[w]!
      for o in weights[i].options.indices {
        let option = weights[i].options[o]
        if let distortion = option.distortion {
          let left = option.takesFeedback ? feedback.meanShares[w] ?? 1 : 1
          weights[i].options[o].loss =
            sensitivity.loss(at: distortion * left)
            + (option.scheme == .int8 ? activationLosses[w] ?? 0 : 0)
        }
        if let cost = costs.first(where: { $0.scheme == option.scheme }) {
          weights[i].options[o].seconds = cost.seconds[w] ?? 0
          weights[i].options[o].joules = (cost.seconds[w] ?? 0) * cost.watts
        }
      }
      // A pin leaves the options of its scheme; the last that matches counts.
      if let pin = setup.pins.last(where: { $0.matches(weights[i].name) }) {
        weights[i].options.removeAll { $0.step != nil || $0.scheme != pin.scheme }
      }
    }
  }
}

/// Counts from several threads.
private final class Counter: @unchecked Sendable {
  private let lock = NSLock()
  private var count = 0

  func next() -> Int {
    lock.withLock {
      count += 1
      return count
    }
  }
}
