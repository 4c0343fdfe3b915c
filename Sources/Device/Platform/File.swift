// Whole files of bounded size, and questions about paths.

import CPlatform

/// Files by their path.
public enum File {
  /// What a path leads to.
  public enum Kind: Sendable {
    case nothing
    case regular
    case folder
    /// A pipe, device or socket.
    case other
  }

  /// What `path` leads to, symbolic links followed.
  public static func kind(of path: String) throws(PlatformError) -> Kind {
    switch try withPath(path, "open", { unsafe kp_kind($0) }) {
    case 0: .nothing
    case 1: .regular
    case 2: .folder
    default: .other
    }
  }

  /// Whether both paths lead to one and the same file: writing the one would replace the other.
  public static func isSame(_ a: String, _ b: String) throws(PlatformError) -> Bool {
    _ = try withPath(b, "open") { _ in }
    return try withPath(a, "open") { a in
      unsafe b.withCString { b in unsafe kp_same_file(a, b) != 0 }
    }
  }

  /// All bytes of a file, also of one whose size is not known before, as under /proc. More than
  /// `limit` bytes are refused with `EFBIG`, a folder with `EISDIR`.
  public static func read(_ path: String, limit: Int) throws(PlatformError) -> [UInt8] {
    let descriptor = try withPath(path, "open") { unsafe kp_open_read($0) }
    guard descriptor >= 0 else { throw .last("open", path) }
    defer { close(descriptor) }
    return try readAll(descriptor, path: path, limit: limit)
  }

  /// Bytes an ordinary user may still write to the file system that `path` lies on.
  public static func freeBytes(at path: String) throws(PlatformError) -> Int {
    let count = try withPath(path, "ask for free space") { unsafe kp_free_bytes($0) }
    guard count >= 0 else { throw .last("ask for free space", path) }
    return Int(clamping: count)
  }

  /// Everything up to the end of `descriptor`, at most `limit` bytes.
  static func readAll(
    _ descriptor: Int32, path: String, limit: Int
  ) throws(PlatformError) -> [UInt8] {
    let size = kp_file_size(descriptor)
    guard size <= Int64(limit) else {
      throw PlatformError(operation: "read", path: path, errno: EFBIG)
    }
    var bytes: [UInt8] = []
    // One byte more than the size, so that the last read meets the end.
    var chunk = [UInt8](repeating: 0, count: size > 0 ? Int(size) + 1 : 16384)
    while true {
      let got = unsafe chunk.withUnsafeMutableBytes {
        unsafe Platform.read(descriptor, into: $0)
      }
      if got < 0 { throw .last("read", path) }
      if got == 0 { return bytes }
      guard got <= limit - bytes.count else {
        throw PlatformError(operation: "read", path: path, errno: EFBIG)
      }
      if bytes.isEmpty, got == size {
        // The usual case: the file is as long as it said.
        chunk.removeLast(chunk.count - got)
        swap(&bytes, &chunk)
        chunk = [UInt8](repeating: 0, count: 4096)
      } else {
        bytes.append(contentsOf: chunk[..<got])
      }
    }
  }
}

/// One read, waiting where the descriptor does not block; below 0 on failure.
func read(_ descriptor: Int32, into target: UnsafeMutableRawBufferPointer) -> Int {
  while true {
    let got = unsafe CPlatform.read(descriptor, target.baseAddress, target.count)
    if got >= 0 { return got }
    switch kp_errno() {
    case EINTR: continue
    case EAGAIN: _ = kp_wait_for(descriptor, 0)
    default: return got
    }
  }
}
