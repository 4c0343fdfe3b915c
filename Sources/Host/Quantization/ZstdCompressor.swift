// Bytes to one zstd frame, where that pays.
import CZstd

/// A zstd compressor, one thread: the same bytes at the same level give the same frame.
public final class ZstdCompressor {
  private let context: OpaquePointer

  /// A failure inside zstd, in its words.
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  public init() throws {
    guard let context = ZSTD_createCCtx() else { throw Failure(description: "no memory for zstd") }
    self.context = context
    try set(ZSTD_c_checksumFlag, 1)
    try set(ZSTD_c_contentSizeFlag, 1)
    try set(ZSTD_c_dictIDFlag, 0)
  }

  /// The level for a section of so many bytes. Packing takes about a second per 2 MB at 19, 16 MB
  /// at 12, 55 MB at 9; text gains much from 19, weights about 1 %.
  public static func level(forByteCount count: Int) -> Int32 {
    count <= 2 << 20 ? 19 : count <= 64 << 20 ? 12 : 9
  }

  deinit { ZSTD_freeCCtx(context) }

  /// The frame that `bytes` compress to; nil where it saves less than 2 %.
  public func frame(of bytes: [UInt8], level: Int32) throws -> [UInt8]? {
    // A quick look first: what the fast level cannot shrink is noise to the slow one too.
    guard try compress(bytes, level: 1) != nil else { return nil }
    return try compress(bytes, level: level)
  }

  private func compress(_ bytes: [UInt8], level: Int32) throws -> [UInt8]? {
    try set(ZSTD_c_compressionLevel, level)
    var frame = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
    let count = frame.withUnsafeMutableBytes { frame in
      bytes.withUnsafeBytes { bytes in
        ZSTD_compress2(context, frame.baseAddress, frame.count, bytes.baseAddress, bytes.count)
      }
    }
    try check(count)
    guard count * 100 <= bytes.count * 98 else { return nil }
    frame.removeLast(frame.count - count)
    return frame
  }

  private func set(_ parameter: ZSTD_cParameter, _ value: Int32) throws {
    try check(ZSTD_CCtx_setParameter(context, parameter, value))
  }

  private func check(_ result: Int) throws {
    if ZSTD_isError(result) != 0 {
      throw Failure(description: "zstd: " + String(cString: ZSTD_getErrorName(result)))
    }
  }
}
