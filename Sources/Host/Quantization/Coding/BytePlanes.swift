// Bytes of numbers taken apart: all first bytes, all second bytes …, each plane compressed by itself.
import Bytes
import WeightCoding

/// Planes of the bytes of a stored form.
enum BytePlanes {
  /// Hands the pieces of numbers of `width` bytes to `keep`; what it says of each. A plane that saves less
  /// than 2 % is stored raw.
  static func pieces<Kept>(
    _ form: StoredForm, width: Int, level: Int32, _ compressors: CompressorPool,
    _ keep: ([UInt8]) throws -> Kept
  ) throws -> [Kept] {
    let size = CodedWeight.planePieceByteCount
    return try PieceWindow.map(count: (form.byteCount + size - 1) / size, keep) { index in
      let start = index * size
      let bytes = try form.bytes(start..<min(start + size, form.byteCount))
      let count = bytes.count / width
      var writer = ByteWriter()
      try compressors.withCompressor { compressor in
        for byte in 0..<width {
          let plane = (0..<count).map { bytes[$0 * width + byte] }
          let stored = try compressor.frame(of: plane, level: level) ?? plane
          writer.put(varint: UInt64(stored.count))
          writer.put(stored)
        }
      }
      return writer.bytes
    }
  }
}
