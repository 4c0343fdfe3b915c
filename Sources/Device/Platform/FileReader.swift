// A file that is read at any offset through one descriptor.

import CPlatform

/// A regular file open for reading. Its size is taken from the open descriptor, once.
public final class FileReader: Sendable {
  public let path: String
  /// Bytes in the file when it was opened.
  public let count: Int
  let descriptor: Int32

  /// Opens a regular file; anything else is refused with `EINVAL`, a folder with `EISDIR`.
  public init(path: String) throws(PlatformError) {
    let descriptor = try withPath(path, "open") { unsafe kp_open_read($0) }
    guard descriptor >= 0 else { throw .last("open", path) }
    let size = kp_file_size(descriptor)
    guard size >= 0, let count = Int(exactly: size) else {
      close(descriptor)
      let isFolder = try File.kind(of: path) == .folder
      throw PlatformError(
        operation: "open", path: path, errno: size >= 0 ? EFBIG : isFolder ? EISDIR : EINVAL)
    }
    self.path = path
    self.count = count
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Fills `target` with the bytes from `offset` on; fewer are returned only at the end of the
  /// file. Offsets outside the file read nothing.
  public func read(
    at offset: Int, into target: UnsafeMutableRawBufferPointer
  ) throws(PlatformError) -> Int {
    guard offset >= 0, let base = target.baseAddress else { return 0 }
    var done = 0
    while done < target.count {
      let (position, overflow) = offset.addingReportingOverflow(done)
      guard !overflow, let position = off_t(exactly: position) else { break }
      let got = unsafe pread(descriptor, base + done, target.count - done, position)
      if got == 0 { break }
      if got < 0 {
        if kp_errno() == EINTR { continue }
        throw .last("read", path)
      }
      done += got
    }
    return done
  }

  /// Fills the first `count` bytes of `buffer`, which has at least as many, from `offset` on; how
  /// many there were.
  public func read(
    at offset: Int, count: Int, into buffer: inout [UInt8]
  ) throws(PlatformError) -> Int {
    let count = min(max(count, 0), buffer.count)
    return try unsafe buffer.withUnsafeMutableBufferPointer { bytes throws(PlatformError) in
      try unsafe read(
        at: offset, into: UnsafeMutableRawBufferPointer(start: bytes.baseAddress, count: count))
    }
  }

  /// The `count` bytes from `offset` on, fewer only at the end of the file. Memory is taken for
  /// no more than the file holds.
  public func bytes(at offset: Int, count: Int) throws(PlatformError) -> [UInt8] {
    guard offset >= 0, offset <= self.count, count > 0 else { return [] }
    var buffer = [UInt8](repeating: 0, count: min(count, self.count - offset))
    let got = try read(at: offset, count: buffer.count, into: &buffer)
    if got < buffer.count { buffer.removeLast(buffer.count - got) }
    return buffer
  }
}
