// One chunk's zstd frame, decompressed into memory of exactly its size.

import CZstd

/// A decompressor and its tables, kept from chunk to chunk.
@safe public final class ZstdDecompressor {
  private let context: OpaquePointer?

  public init() { unsafe context = ZSTD_createDCtx() }

  deinit { _ = unsafe ZSTD_freeDCtx(context) }

  /// Decompresses `frame` so that it fills `target`; returns what is wrong otherwise.
  ///
  /// Accepts one ordinary frame that says its content size and needs no dictionary. Its window is
  /// bounded by the target, the only memory it decodes into.
  public func decompress(
    _ frame: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
  ) -> String? {
    guard let context = unsafe context else { return "no memory for zstd" }
    // Skippable and legacy frames have other magic numbers.
    guard frame.count >= 4, unsafe frame.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) else {
      return "expected a zstd frame"
    }
    let size = unsafe ZSTD_getFrameContentSize(frame.baseAddress, frame.count)
    guard size == UInt64(target.count) else { return "expected a frame of \(target.count) bytes" }
    guard unsafe ZSTD_getDictID_fromFrame(frame.baseAddress, frame.count) == 0 else {
      return "expected a frame without dictionary"
    }
    guard unsafe ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count) == frame.count else {
      return "expected one frame and nothing behind it"
    }
    let result = unsafe ZSTD_decompressDCtx(
      context, target.baseAddress, target.count, frame.baseAddress, frame.count)
    if ZSTD_isError(result) != 0 { return unsafe String(cString: ZSTD_getErrorName(result)) }
    guard result == target.count else { return "expected a frame of \(target.count) bytes" }
    return nil
  }
}
