// Packing with a search: goals and limits in, weights of many precisions out.
import BundleFormat
import Calibration
import Fitting
import Lowering
import Programs
import Quantization
import Tensors

extension Packer {
  /// Searches the weights' precisions for the goals of the request and the limits of its target.
  static func search(_ packed: PackedModel, _ options: LoweringOptions) throws -> PackedModel {
    let request = packed.request
    guard let calibrate = request.search.calibrate else {
      preconditionFailure("a search has somebody who makes inputs")
    }
    let inputs = try calibrate(packed)
    var goals = request.goals
    goals.budgets.storageBytes = min(goals.budgets.storageBytes, Double(packed.budget.storageBytes))
    goals.budgets.ramBytes = min(goals.budgets.ramBytes, Double(packed.budget.ramBytes))
    let setup = SearchSetup(
      graph: packed.graph, lowering: options, target: request.target, runtime: request.runtime,
      assetBytes: packed.tokenizerAsset?.count ?? 0, pins: request.search.pins,
      storage: request.storage)
    let search = try WeightSearch(
      setup, goals, request.search.watch, task: packed.task, items: inputs.items,
      threads: request.search.threads)
    search.fixedBytes = try fixedBytes(packed)
    let found = try search.fit(goals, bestEffort: request.search.isBestEffort) { trial, report in
      var tried = fitted(packed, trial.model, trial.weights)
      tried.fit = report
      tried.fit?.isGenerated = inputs.isGenerated
      return try writer(tried).measured().byteCount
    }
    var result = fitted(packed, found.model, found.weights)
    result.fit = found.report
    result.fit?.isGenerated = inputs.isGenerated
    result.predictCosts()
    return result
  }

  /// The model with these weights.
  private static func fitted(
    _ packed: PackedModel, _ model: LoweredModel, _ weights: PackedWeights
  ) -> PackedModel {
    var result = packed
    result.weights = weights
    result.candidate = FitCandidate(
      scheme: .f16, model: model,
      memory: MemoryEstimate(
        model, isMapped: { weights.codings[$0] == nil }, runtime: packed.request.runtime,
        assetBytes: packed.tokenizerAsset?.count ?? 0), storageBytes: weights.storedByteCount)
    result.fit = FittedWeights()
    result.predictCosts()
    return result
  }

  /// Bytes of a bundle beside the weights that are searched.
  private static func fixedBytes(_ packed: PackedModel) throws -> Double {
    let model = packed.candidate.model
    let small = model.sources.indices.reduce(0) { sum, w in
      model.sources[w].isQuantizable
        ? sum : sum + ((model.program.weights[w].byteCount ?? 0) + 63) & ~63
    }
    return Double(try writer(packed).measured().byteCount + small)
  }
}
