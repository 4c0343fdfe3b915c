// Weights at a step: what comes back is what was promised, in as few bits as theory says.

import Foundation
import Kernels
import Quantization
import Tensors
import Testing
import WeightCoding

@Suite struct StepEncoderTests {
  static let shapes = [
    (1, 1), (1, 5000), (3, 7), (16, 32), (33, 50), (300, 9), (700, 1), (40, 129), (130, 384),
    (2, 9001),
  ]

  /// The kernels read from the stored form exactly the values whose error was reported.
  @Test(arguments: shapes)
  func storedFormHasTheReportedError(_ rows: Int, _ columns: Int) throws {
    let lossless = try LosslessCoder()
    let matrix = CodingSamples.matrix(
      rows: rows, columns: columns, seed: UInt64(rows * 31 + columns), octaves: 2,
      outliers: true)
    for layout in [WeightLayout.rowMajor, .panels] {
      let shape = CodingSamples.shape(matrix, layout)
      let encoder = StepEncoder(matrix, shape: shape)
      for isDependent in [false, true] {
        for share in [0.9, 6.0, 30.0] as [Float] {
          let step = max(encoder.leastStep(isDependent: isDependent), 1e-6) * share
          let choice = StepChoice(step: step, isDependent: isDependent)
          let scheme = encoder.scheme(choice)
          #expect(scheme == (share < 1 ? .f16 : .int8))
          for scheme in [scheme, .f32, .bf16] {
            let encoding = WeightEncoding(scheme, layout)
            let result = try encoder.encode(choice, encoding, lossless)
            let back = decoded(
              result.resident, encoding, rows: rows, columns: columns, KernelSet.best)
            var squared = 0.0
            for (x, y) in zip(matrix.values, back.values) {
              squared += Double(x - y) * Double(x - y)
            }
            #expect((squared - result.cost.squaredError).magnitude <= 1e-6 * squared + 1e-12)
            #expect(result.storedByteCount <= result.resident.count)
            if let coded = result.coded {
              let again = try coded.decoded(encoding, shape, byteCount: result.resident.count)
              #expect(again == result.resident)
            }
          }
        }
      }
    }
  }

  @Test func roundsToTheNearestWhereBitsCostNothing() throws {
    let matrix = CodingSamples.matrix(rows: 64, columns: 100, seed: 3, octaves: 1)
    let encoder = StepEncoder(matrix, shape: Shape([64, 100]))
    for isDependent in [false, true] {
      let choice = StepChoice(
        step: encoder.leastStep(isDependent: isDependent) * 4, isDependent: isDependent,
        rateWeight: 0, centers: false)
      let encoding = WeightEncoding(.int8, .rowMajor)
      let result = try encoder.encode(choice, encoding, try LosslessCoder())
      let back = decoded(result.resident, encoding, rows: 64, columns: 100, KernelSet.best)
      for (x, y) in zip(matrix.values, back.values) {
        let steps = Double(y) / Double(choice.step)
        #expect((steps - steps.rounded()).magnitude < 1e-4, "a multiple of the step")
        // Four states see every other multiple, and the path is free to take a farther one.
        #expect((x - y).magnitude <= choice.step * (isDependent ? 2 : 0.5001))
      }
    }
  }

  /// 0.2546 bit above Shannon's rate for plain steps and 0.10 to 0.13 for four states, as theory
  /// and packing.md have it for normal weights.
  @Test func rateIsThatOfTheory() throws {
    let matrix = CodingSamples.matrix(rows: 512, columns: 1024, seed: 11)
    let energy = matrix.values.reduce(0.0) { $0 + Double($1) * Double($1) }
    let encoder = StepEncoder(matrix, shape: Shape([512, 1024]))
    let lossless = try LosslessCoder()
    let encoding = WeightEncoding(.int8, .rowMajor)
    for (isDependent, steps, gaps) in [
      (false, [0.1, 0.35, 0.9], 0.245...0.264), (true, [0.09, 0.22, 0.56], 0.088...0.128),
    ] as [(Bool, [Float], ClosedRange<Double>)] {
      for step in steps {
        let choice = StepChoice(step: step, isDependent: isDependent)
        let result = try encoder.encode(choice, encoding, lossless)
        let bits = Double(result.storedByteCount) * 8 / Double(matrix.values.count)
        let shannon = 0.5 * log2(energy / result.cost.squaredError)
        #expect(gaps.contains(bits - shannon), "step \(step): \(bits) bits, gap \(bits - shannon)")
        // The estimate from a sample is right to a percent.
        let estimate = encoder.estimate(choice)
        #expect((estimate.bits / result.cost.bits - 1).magnitude < 0.01)
        #expect((estimate.squaredError / result.cost.squaredError - 1).magnitude < 0.02)
      }
    }
  }

  /// Within 1.5 % of the entropy of the integers themselves, from 1 to 7 bits.
  @Test(arguments: [0.02, 0.05, 0.2, 0.6, 1.5] as [Float])
  func sizeIsTheEntropy(_ step: Float) throws {
    let matrix = CodingSamples.matrix(rows: 300, columns: 700, seed: 5)
    let encoder = StepEncoder(matrix, shape: Shape([300, 700]))
    let choice = StepChoice(step: step, isDependent: false, centers: false)
    let encoding = WeightEncoding(encoder.scheme(choice), .rowMajor)
    let result = try encoder.encode(choice, encoding, try LosslessCoder())
    let back = decoded(result.resident, encoding, rows: 300, columns: 700, KernelSet.best)
    let entropy = CodingSamples.entropy(back.values.map { Int(($0 / step).rounded()) })
    #expect(Double(result.storedByteCount * 8) < entropy * 1.015)
  }

  /// Rows and columns of different scales: contexts come close to a code that knows every scale.
  @Test func contextsFindScales() throws {
    let (rows, columns) = (512, 512)
    let scales = (0..<rows * columns).map { i in
      exp2(Double(i / columns * 37 % rows + i % columns * 11 % columns) * 3 / 512)
    }
    let normal = CodingSamples.normal(rows * columns, seed: 9)
    let matrix = WeightMatrix(
      rows: rows, columns: columns, values: zip(normal, scales).map { $0 * Float($1) })
    // Bits of rounded normal numbers of each scale, by the error function.
    var known: [Int: Double] = [:]
    let ideal = scales.reduce(0.0) { sum, scale in
      let key = Int((log2(scale) * 64).rounded())
      let bits = known[key] ?? CodingSamples.roundedNormalEntropy(scale / 2)
      known[key] = bits
      return sum + bits
    }
    let encoder = StepEncoder(matrix, shape: Shape([rows, columns]))
    let choice = StepChoice(step: 2, isDependent: false, rateWeight: 0, centers: false)
    let encoding = WeightEncoding(encoder.scheme(choice), .rowMajor)
    let result = try encoder.encode(choice, encoding, try LosslessCoder())
    #expect(Double(result.storedByteCount * 8) < ideal * 1.02)
    let back = decoded(result.resident, encoding, rows: rows, columns: columns, KernelSet.best)
    let plain = CodingSamples.entropy(back.values.map { Int(($0 / 2).rounded()) })
    #expect(Double(result.storedByteCount * 8) < plain * 0.92)
  }

  /// Columns of two scales, of few rows: their means differ by chance, and what is told of them must not.
  @Test func levelsOfChanceAreNotTold() throws {
    let (rows, columns) = (16, 480)
    let scales = (0..<rows * columns).map { $0 % columns * 7919 % 1009 < 300 ? 4.0 : 1 }
    let values = zip(CodingSamples.normal(rows * columns, seed: 31), scales).map { $0 * Float($1) }
    let encoder = StepEncoder(
      WeightMatrix(rows: rows, columns: columns, values: values), shape: Shape([rows, columns]))
    let choice = StepChoice(step: 1, isDependent: false, rateWeight: 0, centers: false)
    let encoding = WeightEncoding(encoder.scheme(choice), .rowMajor)
    let result = try encoder.encode(choice, encoding, try LosslessCoder())
    // A bit for each column says which of the two it is.
    let ideal = scales.reduce(Double(columns)) { $0 + CodingSamples.roundedNormalEntropy($1) }
    #expect(Double(result.storedByteCount * 8) < ideal * 1.0125)
  }

  @Test func sameBytesEveryTime() throws {
    let matrix = CodingSamples.matrix(rows: 400, columns: 500, seed: 21, octaves: 2)
    let encoding = WeightEncoding(.int8, .panels)
    let shape = CodingSamples.shape(matrix, .panels)
    let choice = StepChoice(step: 0.7)
    let first = try StepEncoder(matrix, shape: shape).encode(choice, encoding, try LosslessCoder())
    let again = try StepEncoder(matrix, shape: shape).encode(choice, encoding, try LosslessCoder())
    #expect(first.coded?.head == again.coded?.head)
    #expect(first.coded?.pieces == again.coded?.pieces)
    #expect(first.cost == again.cost)
    #expect(first.coded!.pieces.count > 1)
  }

  @Test func zerosTakeNothing() throws {
    let matrix = WeightMatrix(
      rows: 64, columns: 512, values: [Float](repeating: 0, count: 64 * 512))
    let encoder = StepEncoder(matrix, shape: Shape([64, 512]))
    for isDependent in [false, true] {
      let choice = StepChoice(step: 1, isDependent: isDependent)
      let result = try encoder.encode(
        choice, WeightEncoding(.int8, .rowMajor), try LosslessCoder())
      #expect(result.storedByteCount < 120)
      #expect(result.cost.squaredError == 0)
    }
  }
}
