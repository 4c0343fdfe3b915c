// Blocks of 2 to 6 bits: against every scale there is, against published formats, with importances and
// with errors that are made good.

import CKernels
import Foundation
import Graphs
import Kernels
import Lowering
import Quantization
import Randomness
import Tensors
import Testing

@Suite struct BlockQuantizerTests {
  static let schemes = QuantizationScheme.allCases.filter { $0.block != nil }

  private static func normal(_ random: inout SeededRandom) -> Float {
    let u = Double.random(in: 0x1p-60..<1, using: &random)
    return Float(
      (-2 * log(u)).squareRoot() * cos(2 * .pi * Double.random(in: 0..<1, using: &random)))
  }

  private static func laplacian(_ random: inout SeededRandom) -> Float {
    let u = Double.random(in: 0x1p-60..<1, using: &random)
    return Float(log(u) * 0.5.squareRoot()) * (Bool.random(using: &random) ? 1 : -1)
  }

  private func value(_ scheme: QuantizationScheme, _ scale: UInt16, _ code: UInt8) -> Float {
    Float(Float16(bitPattern: scale))
      * Float(kn_block_value(Int32(scheme.rawValue), scale, Int32(code)))
  }

  /// Σ importance · (x - x')².
  private func error(
    _ scheme: QuantizationScheme, _ x: [Float], _ block: BlockQuantizer.Block,
    _ importances: [Float]
  ) -> Double {
    (0..<32).reduce(0.0) { sum, i in
      let d = Double(x[i] - value(scheme, block.scale, block.codes[i]))
      return sum + Double(importances[i]) * d * d
    }
  }

  /// All f16 scales that may do, each with the nearest of its table's values for every weight.
  @Test(arguments: schemes) func nearTheBestOfAllScales(_ scheme: QuantizationScheme) throws {
    let quantizer = try #require(BlockQuantizer(scheme))
    var random = SeededRandom(state: 41)
    var (found, best) = (0.0, 0.0)
    for n in 0..<8 {
      let x = (0..<32).map { _ in
        n % 2 == 0 ? Self.normal(&random) : Self.laplacian(&random) * 0.03
      }
      let importances = (0..<32).map { _ in
        n < 4 ? 1 : Float.random(in: 0.1...3, using: &random)
      }
      let block = quantizer.encode(x, importances: importances)
      let error = error(scheme, x, block, importances)
      #expect(abs(error - Double(block.error)) <= 1e-4 * error)
      let peak = x.map { $0.magnitude }.max()!
      let bits = [peak / 127 / 2, peak / 127 * 4].map { Float16($0).bitPattern }
      var least = Double.infinity
      for half in bits[0]...bits[1] {
        for scale in [half, half | 0x8000] {
          let values = (0..<UInt8(1) << UInt8(scheme.block!.bits)).map {
            value(scheme, scale, $0)
          }
          var sum = 0.0
          for i in 0..<32 where sum < least {
            var nearest = Float.infinity
            for v in values { nearest = min(nearest, (x[i] - v).magnitude) }
            sum += Double(importances[i]) * Double(nearest) * Double(nearest)
          }
          least = min(least, sum)
        }
      }
      #expect(error >= least * 0.9999)
      #expect(error <= least * 1.5, "block \(n): \(error) for \(least)")
      found += error / least
      best += 1
    }
    #expect(found / best < 1.08, "\(found / best)")
  }

  /// Squared error over power, for normal and Laplacian weights. What ggml's own encoders leave of
  /// normal ones: Q2_K 8.8e-2 in 2.63 bits, Q3_K 2.3e-2 in 3.44, IQ4_NL 5.8e-3 and Q4_K 5.1e-3 in 4.5,
  /// Q5_K 1.3e-3 in 5.5, Q6_K 3.1e-4 in 6.56.
  @Test(
    arguments: [
      (.nl2, 8.8e-2, 9.9e-2), (.nl3, 1.84e-2, 2.02e-2), (.nl4, 4.5e-3, 5.0e-3),
      (.iq4_nl, 5.75e-3, 7.4e-3), (.nl5, 1.13e-3, 1.29e-3), (.nl6, 3.05e-4, 3.75e-4),
    ] as [(QuantizationScheme, Double, Double)])
  func errorOfOrdinaryWeights(
    _ scheme: QuantizationScheme, _ mostNormal: Double, _ mostLaplacian: Double
  ) throws {
    let quantizer = try #require(BlockQuantizer(scheme))
    var random = SeededRandom(state: 5)
    for (isNormal, most) in [(true, mostNormal), (false, mostLaplacian)] {
      let values = (0..<2000 * 32).map { _ in
        isNormal ? Self.normal(&random) : Self.laplacian(&random)
      }
      let matrix = WeightMatrix(rows: 200, columns: 320, values: values)
      let power = values.reduce(0.0) { $0 + Double($1) * Double($1) }
      let found = quantizer.encode(matrix).squaredError / power
      #expect(found < most && found > most / 1.15, "\(scheme.name): \(found)")
    }
  }

  /// No value of a table could move to where the blocks that use it lose much less: what
  /// scripts/block-tables.py ends at.
  @Test(arguments: schemes.filter { $0 != .iq4_nl })
  func tablesAreAtRest(_ scheme: QuantizationScheme) throws {
    let quantizer = try #require(BlockQuantizer(scheme))
    let count = 1 << scheme.block!.bits
    let tables = 1 << Int(kn_block_table_bits(Int32(scheme.rawValue)))
    var random = SeededRandom(state: 77)
    // Σ s², Σ s x and Σ x² of the weights of every value.
    var sums = [SIMD3<Double>](repeating: .zero, count: tables * count)
    var error = 0.0
    for n in 0..<6000 {
      let x = (0..<32).map { _ in
        (n % 2 == 0 ? Self.normal(&random) : Self.laplacian(&random)) * 0.05
      }
      let block = quantizer.encode(x)
      error += Double(block.error)
      let scale = Double(Float16(bitPattern: block.scale))
      for (x, code) in zip(x, block.codes) {
        let x = Double(x)
        sums[Int(block.scale) % tables * count + Int(code)] +=
          SIMD3(scale * scale, scale * x, x * x)
      }
    }
    let least = sums.reduce(0.0) { $1.x > 0 ? $0 + $1.z - $1.y * $1.y / $1.x : $0 }
    #expect(least <= error * 1.0001 && least > error * 0.93, "\(least / error)")
    #expect(sums.allSatisfy { $0.x > 0 }, "every value is used")
  }

  @Test(arguments: schemes) func importantWeightsAreNearer(_ scheme: QuantizationScheme) throws {
    let quantizer = try #require(BlockQuantizer(scheme))
    var random = SeededRandom(state: 12)
    let importances = (0..<32).map { $0 % 8 == 0 ? 40 : 0.5 as Float }
    var (weighted, plain) = (0.0, 0.0)
    for _ in 0..<200 {
      let x = (0..<32).map { _ in Self.normal(&random) }
      weighted += error(
        scheme, x, quantizer.encode(x, importances: importances), importances)
      plain += error(scheme, x, quantizer.encode(x), importances)
    }
    #expect(weighted < plain * 0.9, "\(weighted / plain)")
  }

  /// Columns that go together: what the products lose is less than without feedback, and is what it is
  /// said to be.
  @Test(arguments: schemes) func feedbackMakesErrorsGood(_ scheme: QuantizationScheme) throws {
    let quantizer = try #require(BlockQuantizer(scheme))
    let (rows, k, samples) = (24, 90, 600)
    var random = SeededRandom(state: 31)
    // Inputs that a few causes have in common.
    let mixing = (0..<k * 12).map { _ in Self.normal(&random) }
    var moments = [Float](repeating: 0, count: k * k)
    for _ in 0..<samples {
      let causes = (0..<12).map { _ in Self.normal(&random) }
      let x = (0..<k).map { j in
        (0..<12).reduce(0.2 * Self.normal(&random)) { $0 + mixing[j * 12 + $1] * causes[$1] }
      }
      for i in 0..<k {
        for j in 0..<k { moments[i * k + j] += x[i] * x[j] / Float(samples) }
      }
    }
    let feedback = try #require(
      ErrorFeedback(InputMoments(columns: k, values: moments, sampleCount: samples)))
    let values = (0..<rows * k).map { _ in Self.normal(&random) * 0.1 }
    let matrix = WeightMatrix(rows: rows, columns: k, values: values)
    let encoding = WeightEncoding(scheme, .rowMajor)
    func loss(_ result: BlockResult) -> (outputs: Double, squares: Double) {
      let back = decoded(result.resident, encoding, rows: rows, columns: k, .scalar)
      let e = zip(values, back.values).map { Double($0 - $1) }
      var sum = 0.0
      for r in 0..<rows {
        for i in 0..<k {
          for j in 0..<k { sum += e[r * k + i] * e[r * k + j] * Double(moments[i * k + j]) }
        }
      }
      return (sum, e.reduce(0) { $0 + $1 * $1 })
    }
    let (plain, fed) = (quantizer.encode(matrix), quantizer.encode(matrix, feedback: feedback))
    let (before, after) = (loss(plain), loss(fed))
    #expect(after.outputs < before.outputs * 0.6, "\(after.outputs / before.outputs)")
    #expect(abs(before.squares / plain.squaredError - 1) < 1e-3)
    #expect(abs(after.squares / fed.squaredError - 1) < 1e-3)
    #expect(plain.effectiveError == plain.squaredError && fed.effectiveError < fed.squaredError)
    // Its own measure, that of the shrunken moments, is near theirs.
    let mean = (0..<k).reduce(0.0) { $0 + Double(moments[$1 * k + $1]) } / Double(k)
    #expect((0.9...2).contains(fed.effectiveError * mean / after.outputs))
  }

  @Test(arguments: schemes) func theEncoderAndEstimatesAgree(_ scheme: QuantizationScheme) throws {
    let quantizer = try #require(BlockQuantizer(scheme))
    for (rows, columns) in [(3, 7), (40, 33), (700, 256)] {
      let sample = CodingSamples.matrix(rows: rows, columns: columns, seed: 8, octaves: 1)
      let matrix = Matrix(rows: rows, columns: columns, values: sample.values)
      let whole = quantizer.encode(
        WeightMatrix(rows: rows, columns: columns, values: sample.values))
      #expect(
        whole.resident == encoded(matrix.source(.table), WeightEncoding(scheme, .rowMajor)))
      let estimate = quantizer.estimate(
        WeightMatrix(rows: rows, columns: columns, values: sample.values))
      #expect(abs(estimate.squaredError / whole.squaredError - 1) < 0.1)
      #expect(estimate.bits <= Double(whole.resident.count * 8))
      guard rows * columns > 100_000 else { continue }
      let coded = try whole.resident.withUnsafeBytes {
        try LosslessCoder().code(
          $0, WeightEncoding(scheme, .rowMajor), Shape([rows, columns]), elementByteCount: 4,
          share: 2)
      }
      let bits = Double(try #require(coded).byteCount * 8)
      #expect(abs(estimate.bits / bits - 1) < 0.05, "\(estimate.bits / bits)")
    }
  }

  @Test(arguments: schemes) func whatIsNoWeightHasAScale(_ scheme: QuantizationScheme) throws {
    let quantizer = try #require(BlockQuantizer(scheme))
    for value in [Float(0), 1e-12, 3e38] {
      let block = quantizer.encode([Float](repeating: value, count: 32))
      #expect(Float16(bitPattern: block.scale).isFinite)
      #expect(block.codes.allSatisfy { Int($0) < 1 << scheme.block!.bits })
    }
    #expect(quantizer.encode([Float](repeating: 0, count: 32)).scale == 0)
    #expect(BlockQuantizer.all[.int8] == nil)
  }
}
