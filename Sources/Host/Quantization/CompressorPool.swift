// Compressors that several threads take turns with.
import Foundation

/// As many compressors as are in use at once: making one costs more than a small frame.
final class CompressorPool: Sendable {
  private let lock = NSLock()
  private nonisolated(unsafe) var idle: [ZstdCompressor]

  init() throws { idle = [try ZstdCompressor()] }

  /// A compressor that nobody else has meanwhile.
  func withCompressor<R>(_ body: (ZstdCompressor) throws -> R) throws -> R {
    let compressor = try lock.withLock { idle.popLast() } ?? ZstdCompressor()
    defer { lock.withLock { idle.append(compressor) } }
    return try body(compressor)
  }
}
