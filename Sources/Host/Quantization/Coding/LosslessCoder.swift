// The bytes of a weight's stored form in fewer bytes, without changing one of them.
import Bytes
import Tensors
import WeightCoding

/// Codes stored forms. One coder serves one thread.
public final class LosslessCoder {
  private let compressor: ZstdCompressor

  public init() throws { compressor = try ZstdCompressor() }

  /// The smallest coding of a weight's bytes; nil where none is smaller than `share` of them.
  ///
  /// encoding: nil for plain elements, of `elementByteCount` bytes each.
  public func code(
    _ bytes: UnsafeRawBufferPointer, _ encoding: WeightEncoding?, _ shape: Shape,
    elementByteCount: Int, share: Double = 0.98
  ) throws -> CodedTensor? {
    guard bytes.count >= 64 else { return nil }
    let level = ZstdCompressor.level(forByteCount: bytes.count)
    var best: CodedTensor
    switch encoding?.scheme {
    case .int8:
      best = try integers(bytes, encoding!, shape, .rows, level)
      best = try orPlanes(best, bytes, width: 1, level)
    case .iq4_nl:
      best = try integers(bytes, encoding!, shape, .blocks, level)
      best = try orPlanes(best, bytes, width: 1, level)
    case .f16, .bf16: best = try BytePlanes.tensor(bytes, width: 2, level: level, compressor)
    case .f32: best = try BytePlanes.tensor(bytes, width: 4, level: level, compressor)
    case nil:
      best = try BytePlanes.tensor(bytes, width: elementByteCount, level: level, compressor)
    }
    return Double(best.byteCount) < Double(bytes.count) * share ? best : nil
  }

  /// `coded`, or zstd over the bytes as they are where that is smaller. A fast level tells first
  /// whether the slow one has a chance.
  func orPlanes(
    _ coded: CodedTensor, _ bytes: UnsafeRawBufferPointer, width: Int, _ level: Int32
  ) throws -> CodedTensor {
    let quick = try BytePlanes.tensor(bytes, width: width, level: 1, compressor)
    guard quick.byteCount * 10 < coded.byteCount * 11 else { return coded }
    let slow = try BytePlanes.tensor(bytes, width: width, level: level, compressor)
    return slow.byteCount < coded.byteCount ? slow : coded
  }

  /// Codes of rows or blocks by their contexts, their scales as planes.
  private func integers(
    _ bytes: UnsafeRawBufferPointer, _ encoding: WeightEncoding, _ shape: Shape,
    _ kind: WeightCodingKind, _ level: Int32
  ) throws -> CodedTensor {
    let codes = StoredCodes(bytes, encoding, shape)
    let layout = RunLayout(
      rows: codes.rows, columns: codes.columns, granule: kind == .blocks ? 32 : 1)
    let levels = ScaleLevels(codes.integers.map { Float($0) }, layout)
    let coder = IntegerCoder(
      codes.integers, ValueRule(isDependent: false), layout, levels,
      limit: kind == .blocks ? 8 : 127)
    var head = ByteWriter()
    head.put(kind.rawValue)
    coder.coding.write(to: &head)
    let scales = try codes.scales.withUnsafeBytes {
      try BytePlanes.pieces($0, width: kind == .blocks ? 2 : 4, level: level, compressor)
    }
    return CodedTensor(kind: kind, head: head.bytes, pieces: coder.pieces() + scales)
  }
}

/// The integers and scales out of the bytes of an int8 or 4-bit weight.
struct StoredCodes {
  let rows: Int
  /// What fills the last block is among them.
  let columns: Int
  private(set) var integers: [Int16]
  private(set) var scales: [UInt8]

  init(_ bytes: UnsafeRawBufferPointer, _ encoding: WeightEncoding, _ shape: Shape) {
    let matrix = WeightEncoding.matrix(of: shape, encoding.layout)
    rows = matrix.rows
    let isBlocks = encoding.scheme == .iq4_nl
    let columns = isBlocks ? (matrix.columns + 31) / 32 * 32 : matrix.columns
    self.columns = columns
    integers = [Int16](repeating: 0, count: rows * columns)
    scales = []
    if isBlocks {
      for block in 0..<rows * columns / 32 {
        let base = block * WeightEncoding.blockBytes
        scales += bytes[base..<base + 2]
        for i in 0..<16 {
          let byte = bytes[base + 2 + i]
          integers[block * 32 + i] = Int16(byte & 15) - 8
          integers[block * 32 + i + 16] = Int16(byte >> 4) - 8
        }
      }
      return
    }
    for r in 0..<rows {
      for c in 0..<columns {
        let at =
          encoding.layout == .panels
          ? r / 16 * ((columns + 3) / 4) * 64 + r % 16 * 4 + c / 4 * 64 + c % 4
          : r * WeightEncoding.int8RowBytes(columns) + c
        integers[r * columns + c] = Int16(Int8(bitPattern: bytes[at]))
      }
    }
    scales = Array(bytes[encoding.scaleOffset(shape)...])
  }
}
