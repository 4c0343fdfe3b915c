// One choice put to the test: quantized, coded, and run.
import Calibration
import Fitting
import Foundation
import Lowering
import Quantization
import Runtime
import Tensors

/// What came of one choice of options.
package struct WeightTrial {
  var picked: [WeightOption]
  package var model: LoweredModel
  package var weights: PackedWeights
  /// The loss as the sensitivities add it up for the errors that were made, and as it is.
  var addedLoss: Double
  var loss: Double
  /// By weight.
  var losses: [Int: Double]
}

extension WeightSearch {
  /// Quantizes and codes every weight as `picked` says, each step times `factor`, and measures the model
  /// that it makes.
  ///
  /// other: a trial whose weights are taken as they are where `picked` says the same of them.
  func attempt(
    _ picked: [WeightOption], factor: Double = 1, like other: WeightTrial? = nil
  ) throws -> WeightTrial {
    var picked = picked
    var schemes: [ObjectIdentifier: QuantizationScheme] = [:]
    for i in picked.indices {
      if let step = picked[i].step {
        let scheme = picked[i].scheme
        picked[i].step?.step = scaled(step, by: factor, scheme, weights[i])
      }
      schemes[weights[i].constant] = picked[i].scheme
    }
    let model = try Lowering.lower(setup.graph, setup.lowering) {
      schemes[ObjectIdentifier($0.constant)] ?? .f32
    }
    let made = MadeWeights()
    let place = Dictionary(uniqueKeysWithValues: weights.indices.map { (weights[$0].weight, $0) })
    let choices = picked
    let feedback = feedback
    let known = Dictionary(
      uniqueKeysWithValues: weights.indices.compactMap { i in
        other.flatMap { $0.picked[i] == choices[i] ? (weights[i].weight, $0.weights) : nil }
      })
    let packed = try PackedWeights(
      model, setup.storage == .mapped ? .coded : setup.storage,
      chosen: { w in
        guard let i = place[w], let encoding = model.program.weights[w].encoding else {
          return nil
        }
        let source = model.sources[w]
        if let step = choices[i].step {
          if let taken = try known[w]?.coded(w) { return taken }
          let result = try StepEncoder(
            WeightMatrix(source), shape: source.shape, feedback: try feedback.feedback(w)
          ).encode(step, encoding, try LosslessCoder())
          made.add(result.cost.effectiveError, w)
          return ChosenWeight(result)
        }
        // What has no feedback is encoded as ever.
        guard let quantizer = BlockQuantizer.all[encoding.scheme],
          let feedback = try feedback.feedback(w)
        else { return nil }
        if let taken = try known[w]?.coded(w) { return taken }
        let result = quantizer.encode(WeightMatrix(source), feedback: feedback)
        made.add(result.effectiveError, w)
        let coded = try result.resident.withUnsafeBytes {
          try LosslessCoder().code(
            $0, encoding, source.shape, elementByteCount: 4, share: WeightMaker.share)
        }
        return ChosenWeight(resident: result.resident, coded: coded)
      })
    var losses: [Int: Double] = [:]
    for (i, option) in picked.enumerated() {
      let w = weights[i].weight
      losses[w] = option.loss
      if let distortion = made.distortions[w] {
        losses[w] =
          sensitivities[w]!.loss(at: distortion)
          + (option.scheme == .int8 ? activationLosses[w] ?? 0 : 0)
      } else if let other, known[w] != nil {
        losses[w] = other.losses[w]
      }
    }
    let loss = try packed.withViews { views in
      try reference.loss(
        of: try Session(program: packed.program, weights: views, threads: setup.lowering.threads))
    }
    return WeightTrial(
      picked: picked, model: model, weights: packed,
      addedLoss: losses.values.sorted().reduce(0, +), loss: loss, losses: losses)
  }

  /// A step times a factor, as far as the form it is run in holds its values.
  func scaled(
    _ choice: StepChoice, by factor: Double, _ scheme: QuantizationScheme, _ weight: WeightOptions
  ) -> Float {
    let most = scheme == .int8 ? 124.0 : 31_000
    return Float(max(Double(choice.step) * factor, weight.peak / most))
  }
}

/// Squared errors of weights, told from several threads.
private final class MadeWeights: @unchecked Sendable {
  private let lock = NSLock()
  private var list: [Int: Double] = [:]

  var distortions: [Int: Double] { lock.withLock { list } }

  func add(_ distortion: Double, _ weight: Int) { lock.withLock { list[weight] = distortion } }
}
