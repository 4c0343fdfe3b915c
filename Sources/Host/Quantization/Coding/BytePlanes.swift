// Bytes of numbers taken apart: all first bytes, all second bytes …, each plane compressed by itself.
import Bytes
import WeightCoding

/// Planes of the bytes of a stored form.
enum BytePlanes {
  /// The pieces of `bytes`, numbers of `width` bytes. A plane that saves less than 2 % is stored raw.
  static func pieces(
    _ bytes: UnsafeRawBufferPointer, width: Int, level: Int32, _ compressor: ZstdCompressor
  ) throws -> [[UInt8]] {
    var pieces: [[UInt8]] = []
    for start in stride(from: 0, to: bytes.count, by: CodedWeight.planePieceByteCount) {
      let count = min(CodedWeight.planePieceByteCount, bytes.count - start) / width
      var writer = ByteWriter()
      for byte in 0..<width {
        let plane = (0..<count).map { bytes[start + $0 * width + byte] }
        let stored = try compressor.frame(of: plane, level: level) ?? plane
        writer.put(varint: UInt64(stored.count))
        writer.put(stored)
      }
      pieces.append(writer.bytes)
    }
    return pieces
  }

  /// All of a weight's bytes as planes.
  static func tensor(
    _ bytes: UnsafeRawBufferPointer, width: Int, level: Int32, _ compressor: ZstdCompressor
  ) throws -> CodedTensor {
    CodedTensor(
      kind: .planes, head: [WeightCodingKind.planes.rawValue, UInt8(width)],
      pieces: try pieces(bytes, width: width, level: level, compressor))
  }
}
