// A small file that is read again and again through one descriptor, as those of /proc and /sys are.

import CPlatform

/// A file whose text is made anew at every reading. One thread at a time.
///
/// The descriptor stays open: a reading is then one system call instead of three.
public final class PolledFile {
  public let path: String
  private let descriptor: Int32
  private var buffer: [UInt8]
  /// Whether a reading has given the whole text at once: then it always does while the text is short.
  private var comesWhole = false
  /// Texts of /proc that come in pieces have pieces of half a page and more.
  private static let shortBytes = 2048

  /// Opens a file whose text is shorter than `capacity` bytes.
  public init(path: String, capacity: Int = 128) throws(PlatformError) {
    let descriptor = try withPath(path, "open") { unsafe kp_open_polled($0) }
    guard descriptor >= 0 else { throw .last("open", path) }
    self.path = path
    self.descriptor = descriptor
    buffer = [UInt8](repeating: 0, count: max(capacity, 1))
  }

  deinit { close(descriptor) }

  /// What `body` makes of the text as it is now. Nil where the file cannot be read any more, or is
  /// too long to be the one that was meant.
  public func read<T>(_ body: (Span<UInt8>) -> T?) -> T? {
    var used = 0
    var pieces = 0
    while used < buffer.count {
      let got = unsafe buffer.withUnsafeMutableBytes { bytes in
        unsafe pread(descriptor, bytes.baseAddress! + used, bytes.count - used, off_t(used))
      }
      if got < 0, kp_errno() == EINTR { continue }
      guard got >= 0 else { return nil }
      // Texts of /proc come in pieces.
      let isWhole = comesWhole && used == 0 && got < min(Self.shortBytes, buffer.count)
      if got == 0 { comesWhole = pieces == 1 }
      used += got
      pieces += 1
      guard got == 0 || isWhole else { continue }
      let text = buffer
      return body(text.span.extracting(0..<used))
    }
    return nil
  }
}

/// A file or pipe that somebody else writes on, read as it grows. One thread at a time.
public final class TailedFile {
  private let descriptor: Int32
  private var buffer = [UInt8](repeating: 0, count: 4096)

  /// Opens `path` and stands `tailBytes` before the end of a regular file; never waits for the
  /// other end of a pipe.
  public init(path: String, tailBytes: Int) throws(PlatformError) {
    let descriptor = try withPath(path, "open") { unsafe kp_open_polled($0) }
    guard descriptor >= 0 else { throw .last("open", path) }
    self.descriptor = descriptor
    _ = kp_seek_before_end(descriptor, Int64(tailBytes))
  }

  deinit { close(descriptor) }

  /// What was written since the last reading, at most 4 KiB of it; empty for nothing. A file that
  /// was cut is read from its beginning.
  public func readNew() -> [UInt8] {
    _ = kp_rewind_if_shorter(descriptor)
    while true {
      let got = unsafe buffer.withUnsafeMutableBytes { bytes in
        unsafe CPlatform.read(descriptor, bytes.baseAddress, bytes.count)
      }
      if got < 0, kp_errno() == EINTR { continue }
      return got > 0 ? Array(buffer[..<got]) : []
    }
  }
}
