// What the operating system refused, about which file.

import CPlatform

/// A system call that failed.
public struct PlatformError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was being done: `open`, `read`, `write`, `sync`, `rename`, `map`, `allocate`.
  public let operation: String
  /// The file, or a word such as `standard output`.
  public let path: String
  /// The system's error number.
  public let errno: Int32

  public init(operation: String, path: String, errno: Int32) {
    self.operation = operation
    self.path = path
    self.errno = errno
  }

  /// An error of the call that just failed.
  static func last(_ operation: String, _ path: String) -> PlatformError {
    PlatformError(operation: operation, path: path, errno: kp_errno())
  }

  /// The file or a folder on the way to it does not exist.
  public var isNotFound: Bool { errno == ENOENT || errno == ENOTDIR }
  /// The user may not do this.
  public var isNotPermitted: Bool { errno == EACCES || errno == EPERM || errno == EROFS }
  /// No room is left on the device, or in the user's quota.
  public var isNoSpace: Bool { errno == ENOSPC || errno == EDQUOT }
  /// The reader of a pipe has gone.
  public var isBrokenPipe: Bool { errno == EPIPE }
  /// The terminal has gone.
  public var isHungUp: Bool { errno == EIO }
  /// Nobody listens at a socket.
  public var isRefused: Bool { errno == ECONNREFUSED }
  /// Memory could not be had.
  public var isOutOfMemory: Bool { errno == ENOMEM }

  /// The system's words for the error number.
  public var reason: String {
    var buffer = [CChar](repeating: 0, count: 128)
    return unsafe buffer.withUnsafeMutableBufferPointer { buffer in
      guard let text = unsafe kp_error_text(errno, buffer.baseAddress, buffer.count) else {
        return "unknown error"
      }
      return unsafe String(cString: text)
    }
  }

  /// One line, without a full stop: `demo.knap: cannot open: No such file or directory`.
  public var description: String { "\(path): cannot \(operation): \(reason)" }
}

/// Calls `body` with the path as a C string; a path with a NUL inside is refused, since the system
/// would see another path.
@safe func withPath<T>(
  _ path: String, _ operation: String, _ body: (UnsafePointer<CChar>) -> T
) throws(PlatformError) -> T {
  for byte in path.utf8 where byte == 0 {
    throw PlatformError(operation: operation, path: path, errno: EINVAL)
  }
  return unsafe path.withCString(body)
}
