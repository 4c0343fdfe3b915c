// A file that is written as things happen: what was written stays, however the process ends.

import CPlatform

/// A file open for writing behind its end. Writes never wait.
public final class GrowingFile {
  /// Where the file is.
  public let path: String
  private let descriptor: Int32

  /// Makes the file, for this user alone; one that is there is emptied.
  public init(path: String) throws(PlatformError) {
    let descriptor = try withPath(path, "create") { unsafe kp_open_growing($0) }
    guard descriptor >= 0 else { throw .last("create", path) }
    self.path = path
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Appends bytes. Something that takes them only later, such as a full pipe, is an error.
  public func write(_ bytes: [UInt8]) throws(PlatformError) {
    var done = 0
    while done < bytes.count {
      let put = unsafe bytes.withUnsafeBytes {
        unsafe CPlatform.write(descriptor, $0.baseAddress! + done, bytes.count - done)
      }
      if put < 0, kp_errno() == EINTR { continue }
      guard put > 0 else { throw .last("write", path) }
      done += put
    }
  }
}
