// Error feedback: its factors are those of the moments, and rows quantized with it lose less.
import CKernels
import Foundation
import Quantization
import Randomness
import Tensors
import Testing
import WeightCoding

/// Samples whose columns go together: a random walk along the columns, as pictures' pixels are.
private func samples(_ count: Int, _ columns: Int, _ generator: inout SeededRandom) -> [[Float]] {
  (0..<count).map { _ in
    var x: Float = 0
    return (0..<columns).map { _ in
      x = 0.9 * x + 0.3 * Float.random(in: -1...1, using: &generator)
      return x + 0.2
    }
  }
}

private func moments(_ samples: [[Float]]) -> InputMoments {
  let k = samples[0].count
  var values = [Float](repeating: 0, count: k * k)
  for x in samples {
    for i in 0..<k { for j in 0..<k { values[i * k + j] += x[i] * x[j] / Float(samples.count) } }
  }
  return InputMoments(columns: k, values: values, sampleCount: samples.count)
}

@Suite struct ErrorFeedbackTests {
  /// U D Uᵀ is H over its mean diagonal, shrunk off the diagonal by n / (n + k / 5), with 0.005 on it.
  @Test(arguments: [2, 3, 17, 64]) func factorsMultiplyBack(k: Int) throws {
    var generator = SeededRandom(state: UInt64(k))
    let n = 500
    let h = moments(samples(n, k, &generator))
    let factors = try #require(ErrorFeedback(h))
    let mean = (0..<k).reduce(0.0) { $0 + Double(h.values[$1 * k + $1]) } / Double(k)
    for i in 0..<k {
      #expect(factors.upper[i * k + i] == 1)
      for j in 0..<i { #expect(factors.upper[i * k + j] == 0) }
      for j in 0..<k {
        var found = 0.0
        for l in 0..<k {
          found +=
            Double(factors.upper[i * k + l]) * Double(factors.shares[l])
            * Double(factors.upper[j * k + l])
        }
        let expected =
          Double(h.values[i * k + j]) / mean
          * (i == j ? 1 : Double(n) / (Double(n) + 0.2 * Double(k)))
          + (i == j ? 0.005 : 0)
        #expect(abs(found - expected) < 1e-4, "\(i) \(j)")
      }
    }
    #expect(factors.meanShare < (k > 3 ? 0.7 : 1.01))
  }

  @Test func nothingSeenHasNoFactors() {
    let none = InputMoments(columns: 4, values: [Float](repeating: 0, count: 16), sampleCount: 8)
    #expect(ErrorFeedback(none) == nil)
    #expect(
      ErrorFeedback(
        InputMoments(columns: 4, values: [Float](repeating: 1, count: 16), sampleCount: 0))
        == nil)
  }

  /// Dead columns, as after a ReLU that never opens, are no obstacle.
  @Test func columnsOfZeros() throws {
    var generator = SeededRandom(state: 5)
    let list = samples(300, 24, &generator).map { x in
      x.enumerated().map { $0.offset % 3 == 0 ? 0 : $0.element }
    }
    let factors = try #require(ErrorFeedback(moments(list)))
    #expect(factors.shares.allSatisfy { $0 > 0 && $0.isFinite })
    #expect(factors.upper.allSatisfy { $0.isFinite })
  }

  /// What rows lose, measured on samples that the factors were not made of: less than half of what they
  /// lose without feedback, in as many bits.
  @Test(arguments: [(64, 96), (200, 27), (80, 300)]) func rowsLoseLess(rows: Int, columns: Int)
    throws
  {
    var generator = SeededRandom(state: UInt64(rows))
    let factors = try #require(
      ErrorFeedback(moments(samples(4 * columns + 200, columns, &generator))))
    let unseen = samples(400, columns, &generator)
    let values = (0..<rows * columns).map { _ in Float.random(in: -1...1, using: &generator) }
    let matrix = WeightMatrix(rows: rows, columns: columns, values: values)
    let shape = Shape([rows, columns])
    let choice = StepChoice(step: 0.08)
    let encoding = WeightEncoding(.f16, .rowMajor)
    func lost(_ feedback: ErrorFeedback?) throws -> (Double, StepCost) {
      let result = try StepEncoder(matrix, shape: shape, feedback: feedback).encode(
        choice, encoding, try LosslessCoder())
      let found = result.resident.withUnsafeBytes { bytes in
        (0..<rows * columns).map {
          kn_f16_to_f32(bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self))
        }
      }
      // The coded form decodes to the same bytes.
      let decoded = try result.coded?.decoded(
        encoding, shape, byteCount: encoding.byteCount(shape) ?? 0)
      #expect(decoded == nil || decoded == result.resident)
      var sum = 0.0
      for x in unseen {
        for r in 0..<rows {
          var y = 0.0
          for j in 0..<columns {
            let at = r * columns + j
            y += Double(x[j]) * Double(values[at] - found[at])
          }
          sum += y * y / Double(unseen.count)
        }
      }
      return (sum, result.cost)
    }
    let (plain, plainCost) = try lost(nil)
    let (better, cost) = try lost(factors)
    #expect(better < 0.5 * plain, "\(better) \(plain)")
    #expect(cost.bits < 1.06 * plainCost.bits)
    // What it is said to be, from other samples, in units of white noise.
    let power = moments(unseen)
    let mean = (0..<columns).reduce(0.0) { $0 + Double(power.values[$1 * columns + $1]) }
    let said = cost.effectiveError * mean / Double(columns)
    #expect(said > 0.7 * better && said < 1.6 * better, "\(said) \(better)")
    #expect(plainCost.effectiveError == plainCost.squaredError)
  }

  /// Values stay within 8-bit codes, however large the errors that are made good.
  @Test func codesStayInRange() throws {
    var generator = SeededRandom(state: 9)
    let factors = try #require(ErrorFeedback(moments(samples(500, 48, &generator))))
    let values = (0..<64 * 48).map { Float($0 % 2 == 0 ? 1 : -1) * Float($0 % 7 == 0 ? 1 : 0.97) }
    let matrix = WeightMatrix(rows: 64, columns: 48, values: values)
    let encoder = StepEncoder(matrix, shape: Shape([64, 48]), feedback: factors)
    for factor in [1, 2.3, 9] as [Float] {
      let choice = StepChoice(step: encoder.leastStep(isDependent: true) * factor)
      let result = try encoder.encode(
        choice, WeightEncoding(.int8, .rowMajor), try LosslessCoder())
      let encoding = WeightEncoding(.int8, .rowMajor)
      let decoded = try result.coded?.decoded(
        encoding, Shape([64, 48]), byteCount: encoding.byteCount(Shape([64, 48])) ?? 0)
      #expect(decoded == nil || decoded == result.resident)
      // A value that wrapped around would err by more than the whole range.
      #expect(
        result.cost.squaredError / Double(values.count) < Double(choice.step * choice.step) * 9)
    }
  }
}
