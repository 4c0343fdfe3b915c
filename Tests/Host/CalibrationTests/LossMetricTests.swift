// Losses against their formulas.
import Calibration
import Foundation
import Testing

@Suite struct LossMetricTests {
  private func loss(
    _ metric: LossMetric, _ found: [Float], _ reference: [Float], width: Int
  ) -> Double {
    let (sum, count) = found.withUnsafeBufferPointer { a in
      reference.withUnsafeBufferPointer { metric.sum(a, $0, width: width) }
    }
    return sum / Double(count)
  }

  private func softmax(_ row: [Float]) -> [Double] {
    let e = row.map { exp(Double($0)) }
    return e.map { $0 / e.reduce(0, +) }
  }

  private func divergence(_ p0: [Double], _ p: [Double]) -> Double {
    zip(p0, p).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) }
  }

  @Test func divergencesOfRows() {
    let reference: [Float] = [0.5, -1, 2, 3, 3, -2]
    let found: [Float] = [0.4, -1.2, 2.1, 2, 3.5, -2]
    let rows = [0..<3, 3..<6].map {
      divergence(softmax(Array(reference[$0])), softmax(Array(found[$0])))
    }
    let wanted = (rows[0] + rows[1]) / 2
    #expect(abs(loss(.logits, found, reference, width: 3) - wanted) < 1e-12)
    func probabilities(_ x: [Float]) -> [Float] {
      (softmax(Array(x[0..<3])) + softmax(Array(x[3..<6]))).map { Float($0) }
    }
    let direct = loss(
      .probabilities, probabilities(found), probabilities(reference), width: 3)
    #expect(abs(direct - wanted) < 1e-6)
    // A shift of all logits of a row is no change.
    #expect(loss(.logits, [1, 2, 3], [11, 12, 13], width: 3) < 1e-12)
  }

  @Test func eventsAreTwoValuedDivergences() {
    let (p, p0) = (0.3, 0.2)
    let wanted = p0 * log(p0 / p) + (1 - p0) * log((1 - p0) / (1 - p))
    #expect(abs(loss(.events, [Float(p)], [Float(p0)], width: 1) - wanted) < 1e-7)
    #expect(loss(.events, [0, 1], [0, 1], width: 1) == 0)
    #expect(loss(.events, [0.5], [1], width: 1) > 0.6)
  }

  @Test func anglesOfRowsAndOfTheirMean() {
    #expect(abs(loss(.cosine, [1, 0, 0, 2], [1, 0, 2, 0], width: 2) - 0.5) < 1e-12)
    #expect(abs(loss(.cosine, [3, 4], [4, 3], width: 2) - (1 - 24.0 / 25)) < 1e-12)
    // Errors of single rows that cancel in the mean are none.
    #expect(loss(.pooled, [1, 1, 1, -1], [1, 0, 1, 0], width: 2) < 1e-12)
    #expect(loss(.cosine, [0, 0], [0, 0], width: 2) == 0)
    #expect(loss(.cosine, [0, 0], [1, 0], width: 2) == 1)
  }

  @Test func squares() {
    #expect(loss(.squares, [1, 2, 3], [1, 4, 2], width: 3) == 5.0 / 3)
  }

  @Test(arguments: LossMetric.allCases)
  func equalOutputsCostNothing(metric: LossMetric) {
    let x: [Float] = [0.1, 0.2, 0.7, 0, 1, 0]
    #expect(loss(metric, x, x, width: 3) < 1e-12)
    #expect(loss(metric, [0.2, 0.1, 0.7, 0, 0.9, 0.1], x, width: 3) > 1e-4)
  }
}
