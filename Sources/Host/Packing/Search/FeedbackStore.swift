// Error feedback of all weights, in a scratch file: its factors are as large as the weights.
import Calibration
import Dispatch
import Foundation
import Platform
import Quantization

/// Factors by weight; several threads may ask.
final class FeedbackStore: Sendable {
  private struct Place {
    var offset: Int
    var columns: Int
  }
  private let scratch: WeightScratch
  private let places: [Int: Place]
  /// What of white noise is left, by weight.
  let meanShares: [Int: Double]

  /// Bytes of moments that are gathered at a time.
  private static let budgetBytes = 24 << 20

  /// Measures and factors the inputs' moments of all weights that have some.
  init(_ meter: LossMeter, progress: (Double) -> Bool) throws {
    let scratch = try WeightScratch(beside: ScratchFile.temporaryPath)
    self.scratch = scratch
    var places: [Int: Place] = [:]
    var meanShares: [Int: Double] = [:]
    let groups = meter.momentGroups
    var done = 0
    while done < groups.count {
      var batch: [[Int]] = []
      var held = 0
      while done + batch.count < groups.count {
        let k = meter.model.sources[groups[done + batch.count][0]].rowLength
        guard batch.isEmpty || held + 12 * k * k <= FeedbackStore.budgetBytes else { break }
        held += 12 * k * k
        batch.append(groups[done + batch.count])
      }
      let moments = try meter.moments(of: batch)
      var factors = [ErrorFeedback?](repeating: nil, count: batch.count)
      factors.withUnsafeMutableBufferPointer { factors in
        nonisolated(unsafe) let factors = factors
        let batch = batch
        DispatchQueue.concurrentPerform(iterations: batch.count) { i in
          factors[i] = moments[batch[i][0]].flatMap { ErrorFeedback($0) }
        }
      }
      for (group, factor) in zip(batch, factors) {
        guard let factor else { continue }
        let bytes = (factor.upper + factor.shares).withUnsafeBytes { Array($0) }
        let place = Place(offset: try scratch.put(bytes), columns: factor.columns)
        for w in group {
          places[w] = place
          meanShares[w] = factor.meanShare
        }
      }
      done += batch.count
      guard progress(Double(done) / Double(groups.count)) else { break }
    }
    self.places = places
    self.meanShares = meanShares
  }

  /// The factors of a weight; nil where it has none.
  func feedback(_ weight: Int) throws -> ErrorFeedback? {
    guard let place = places[weight] else { return nil }
    let k = place.columns
    let floats = try [Float](unsafeUninitializedCapacity: k * k + k) { out, count in
      try scratch.file.read(
        at: place.offset,
        into: UnsafeMutableRawBufferPointer(
          start: out.baseAddress!, count: (k * k + k) * MemoryLayout<Float>.stride))
      count = k * k + k
    }
    return ErrorFeedback(
      columns: k, upper: Array(floats[..<(k * k)]), shares: Array(floats[(k * k)...]))
  }
}
