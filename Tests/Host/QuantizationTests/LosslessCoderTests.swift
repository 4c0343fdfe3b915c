// Stored forms in fewer bytes: every scheme and layout comes back bit by bit.

import Foundation
import Lowering
import Quantization
import Randomness
import Tensors
import Testing
import WeightCoding

@Suite struct LosslessCoderTests {
  private func back(
    _ coded: CodedTensor, _ encoding: WeightEncoding?, _ shape: Shape, _ bytes: [UInt8]
  ) throws -> [UInt8] {
    try coded.decoded(encoding, shape, byteCount: bytes.count)
  }

  @Test(arguments: QuantizationScheme.allCases)
  func comesBackBitByBit(_ scheme: QuantizationScheme) throws {
    let coder = try LosslessCoder()
    for (rows, columns) in StepEncoderTests.shapes + [(17, 70), (64, 4100), (515, 256)] {
      let sample = CodingSamples.matrix(
        rows: rows, columns: columns, seed: UInt64(rows + columns), octaves: 1)
      let matrix = Matrix(rows: rows, columns: columns, values: sample.values)
      for layout in [WeightLayout.rowMajor, .panels] {
        let encoding = WeightEncoding(scheme, layout)
        let source = matrix.source(layout == .panels ? .matrix(transposed: true) : .table)
        let bytes = encoded(source, encoding)
        let coded = try bytes.withUnsafeBytes {
          try coder.code($0, encoding, source.shape, elementByteCount: 4, share: 2)
        }
        guard let coded else { continue }
        #expect(try back(coded, encoding, source.shape, bytes) == bytes)
        // Normal weights leave at least a few percent in every scheme.
        if rows * columns > 20_000 {
          #expect(
            Double(coded.byteCount) < Double(bytes.count) * (scheme.block == nil ? 0.95 : 0.99))
        }
      }
    }
  }

  /// Codes that fill the whole range, with weights that were no numbers among them.
  @Test func anyBytesComeBack() throws {
    var random = SeededRandom(state: 77)
    let coder = try LosslessCoder()
    for (rows, columns) in [(40, 64), (7, 333), (100, 1000)] {
      for layout in [WeightLayout.rowMajor, .panels] {
        let shape = Shape(layout == .panels ? [columns, rows] : [rows, columns])
        for scheme in [QuantizationScheme.int8, .iq4_nl, .nl2, .nl3, .nl5, .nl6, .f32, .bf16] {
          let encoding = WeightEncoding(scheme, layout)
          // Random where bytes mean something, zero where they pad.
          let ones = Matrix(
            rows: rows, columns: columns,
            values: (0..<rows * columns).map { _ in
              Float.random(in: 1...100, using: &random)
            })
          var bytes = encoded(
            ones.source(layout == .panels ? .matrix(transposed: true) : .table), encoding)
          for i in bytes.indices where bytes[i] != 0 {
            bytes[i] = UInt8.random(in: 0...127, using: &random)
          }
          let coded = try bytes.withUnsafeBytes {
            try coder.code($0, encoding, shape, elementByteCount: 4, share: 2)
          }
          #expect(try back(try #require(coded), encoding, shape, bytes) == bytes)
        }
      }
    }
  }

  @Test func noiseStaysRawAndRepeatsShrink() throws {
    var random = SeededRandom(state: 5)
    let coder = try LosslessCoder()
    let noise = (0..<100_000).map { _ in UInt8.random(in: 0...255, using: &random) }
    let shape = Shape([12_500])
    let stays = try noise.withUnsafeBytes {
      try coder.code($0, nil, shape, elementByteCount: 8)
    }
    #expect(stays?.byteCount == nil)
    // Rows that repeat one row of noise: only zstd sees that.
    let row = (0..<256).map { _ in UInt8.random(in: 1...126, using: &random) }
    let encoding = WeightEncoding(.int8, .rowMajor)
    let table = Shape([512, 256])
    var bytes = (0..<512).flatMap { _ in row }
    bytes += [UInt8](repeating: 0, count: encoding.byteCount(table)! - bytes.count)
    let coded = try #require(
      try bytes.withUnsafeBytes { try coder.code($0, encoding, table, elementByteCount: 4) })
    #expect(coded.kind == .planes)
    #expect(coded.byteCount * 20 < bytes.count)
    #expect(try back(coded, encoding, table, bytes) == bytes)
  }
}
