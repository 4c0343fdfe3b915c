// What trials teach: factors that meet a loss or a size.
import Foundation
import Packing
import Testing

@Suite struct TrialHistoryTests {
  /// Losses that grow with a power of the step, off from what is added up by a factor.
  @Test(arguments: [1.6, 2, 3.1], [0.1, 1, 8]) func aLossIsFound(power: Double, off: Double) {
    var history = TrialHistory()
    var factor = 1.0
    let goal = 0.02
    for _ in 0..<6 {
      let loss = off * 0.01 * pow(factor, power)
      history.points.append(
        .init(factor: factor, added: 0.01 * factor * factor, loss: loss, bytes: 1))
      if abs(loss / goal - 1) < 0.02 { break }
      factor = history.factor(forLoss: goal)
    }
    let last = history.points[history.points.count - 1]
    #expect(abs(last.loss / goal - 1) < 0.02, "\(history.points.map(\.loss))")
    // The next loss is foreseen.
    let predicted = history.predictedLoss(factor * 1.1, added: 0.01 * factor * factor * 1.21)
    let loss = off * 0.01 * pow(factor * 1.1, power)
    #expect(abs(predicted / loss - 1) < 0.1)
  }

  @Test func theFirstIsAddedUpAndTheSecondCorrected() {
    var history = TrialHistory()
    #expect(history.predictedLoss(1, added: 3) == 3)
    history.points.append(.init(factor: 1, added: 2, loss: 5, bytes: 1))
    #expect(history.predictedLoss(2, added: 8) == 20)
  }

  @Test func sizesAreFound() {
    // Two bits saved for three octaves, as at low rates.
    var history = TrialHistory()
    var factor = 1.0
    let goal = 70_000.0
    for _ in 0..<6 {
      let bytes = 100_000 - 10_000 / 8 * 8 * 2 / 3 * log2(factor)
      history.points.append(.init(factor: factor, added: 1, loss: 1, bytes: bytes))
      factor = history.factor(forBytes: goal, elementCount: 80_000)
    }
    #expect(abs(history.points[5].bytes - goal) < 10, "\(history.points.map(\.bytes))")
  }

  /// What is measured may be zero, or no number that a line could be drawn through.
  @Test func oddLosses() {
    var history = TrialHistory()
    for loss in [0, 1e-300, .infinity, 5] as [Double] {
      history.points.append(
        .init(factor: 1 + Double(history.points.count), added: 1, loss: loss, bytes: 1))
      let factor = history.factor(forLoss: 0.1)
      #expect(factor.isFinite && factor > 0)
      #expect(!history.predictedLoss(1.5, added: 1).isNaN)
    }
  }
}
