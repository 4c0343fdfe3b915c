// Coded weights as a bundle would hand them to a device: a head, and pieces that are decoded one by one.
import Bytes
import Foundation
import Graphs
import Lowering
import Quantization
import Tensors
import WeightCoding

/// What the fuzzer makes of coded weights: a stored form, a matrix, a head and pieces.
enum CodedWeightFuzzer {
  private static let schemes: [QuantizationScheme] = [.int8, .f16, .f32, .bf16, .iq4_nl, .nl3]
  /// Elements of the largest matrix: time goes to what is read, not to what is filled.
  private static let mostElements = 1 << 17

  /// Decodes one input. Errors are what damaged weights should get.
  static func decode(_ bytes: [UInt8]) {
    var reader = ByteReader(bytes.span)
    guard let kind = try? reader.byte(), let rows: UInt16 = try? reader.integer(),
      let columns: UInt16 = try? reader.integer(), let headCount: UInt16 = try? reader.integer(),
      let head = try? reader.array(Int(headCount))
    else { return }
    let layout: WeightLayout = kind & 1 == 0 ? .rowMajor : .panels
    let encoding = WeightEncoding(schemes[Int(kind >> 1) % schemes.count], layout)
    let shape = Shape([Int(rows), Int(columns)])
    guard shape.elementCount > 0, shape.elementCount <= mostElements,
      let byteCount = encoding.byteCount(shape),
      let weight = try? CodedWeight(
        head: head.span.bytes, encoding: encoding, shape: shape, byteCount: byteCount)
    else { return }
    let decoder = PieceDecoder()
    var target = [UInt8](repeating: 0, count: byteCount)
    for index in 0..<min(weight.pieceCount, 4) {
      guard let count: UInt32 = try? reader.integer(),
        let piece = try? reader.array(min(Int(count), reader.remaining))
      else { return }
      target.withUnsafeMutableBytes {
        try? decoder.decode(index, of: weight, bytes: piece.span.bytes, into: $0)
      }
    }
  }

  /// Writes inputs to start from: one for each way of coding, in one lane, two and eight.
  static func writeSeeds(to folder: String) throws {
    let lossless = try LosslessCoder()
    var number = 0
    func keep(_ coded: CodedTensor, _ encoding: WeightEncoding, _ shape: Shape) throws {
      let scheme = schemes.firstIndex(of: encoding.scheme) ?? 0
      var writer = ByteWriter()
      writer.put(UInt8(scheme << 1 | (encoding.layout == .panels ? 1 : 0)))
      writer.put(UInt16(shape[0]))
      writer.put(UInt16(shape[1]))
      writer.put(UInt16(coded.head.count))
      writer.put(coded.head)
      for piece in coded.pieces {
        writer.put(UInt32(piece.count))
        writer.put(piece)
      }
      number += 1
      try Data(writer.bytes).write(to: URL(fileURLWithPath: "\(folder)/seed-\(number)"))
    }
    for (rows, columns) in [(24, 40), (90, 96), (150, 256)] {
      // Sizes that change from row to row, from column to column and along the rows.
      var state: UInt64 = 11
      var size: Float = 1
      let values = (0..<rows * columns).map { i -> Float in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        if i % 50 == 0 { size = Float(1 << (state >> 61)) / 32 }
        let channel: Float = i % columns % 16 < 8 ? 1 : 5
        let unit = Float(Int32(truncatingIfNeeded: state >> 32)) / Float(Int32.max)
        return unit * unit * unit * size * channel * (i / columns % 3 == 0 ? 3 : 1)
      }
      let matrix = WeightMatrix(rows: rows, columns: columns, values: values)
      let shape = Shape([rows, columns])
      let encoder = StepEncoder(matrix, shape: shape)
      for (share, isDependent) in [(100, false), (60, true), (2000, false)]
        as [(Float, Bool)]
      {
        let choice = StepChoice(step: matrix.peak / share, isDependent: isDependent)
        let encoding = WeightEncoding(encoder.scheme(choice), .rowMajor)
        let result = try encoder.encode(choice, encoding, lossless)
        if let coded = result.coded { try keep(coded, encoding, shape) }
      }
      let source = WeightSource(
        name: "w", constant: Constant(floats: values, shape: shape), role: .table)
      for scheme in [QuantizationScheme.int8, .iq4_nl, .nl3, .f32] {
        let encoding = WeightEncoding(scheme, .rowMajor)
        var bytes = [UInt8](repeating: 0, count: encoding.byteCount(shape)!)
        bytes.withUnsafeMutableBytes { WeightEncoder(source, encoding).encode(into: $0) }
        let coded = try bytes.withUnsafeBytes {
          try lossless.code($0, encoding, shape, elementByteCount: 4, share: 2)
        }
        if let coded { try keep(coded, encoding, shape) }
      }
    }
  }
}
