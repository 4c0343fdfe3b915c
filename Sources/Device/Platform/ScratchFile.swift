// A file that nobody else sees: what is too large for memory, for as long as it is needed.

import CPlatform

/// A file without a name, whose bytes are gone with this object however the process ends. Writes and
/// reads may come from several threads at once.
public final class ScratchFile: Sendable {
  /// What errors name.
  public let path: String
  private let descriptor: Int32

  /// Makes it in the folder of `path`, for what will be written there: errors name that.
  public init(beside path: String) throws(PlatformError) {
    let (folder, _) = AtomicFile.split(path)
    let descriptor = try withPath(folder.isEmpty ? "." : folder, "create") {
      unsafe kp_open_scratch($0)
    }
    guard descriptor >= 0 else { throw .last("create", path) }
    self.path = path
    self.descriptor = descriptor
  }

  /// For what belongs nowhere in particular: in the folder that `TMPDIR` names.
  public static var temporaryPath: String {
    (Environment.getNonEmpty("TMPDIR") ?? "/tmp") + "/knapsack"
  }

  deinit { close(descriptor) }

  /// Puts bytes at `offset`, at least 0.
  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(PlatformError) {
    precondition(offset >= 0)
    var done = 0
    while done < bytes.count {
      let put = unsafe pwrite(
        descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      if put < 0, kp_errno() == EINTR { continue }
      guard put > 0 else { throw .last("write", path) }
      done += put
    }
  }

  /// Fills `target` with the bytes from `offset` on. What was never written is zero.
  public func read(at offset: Int, into target: UnsafeMutableRawBufferPointer) throws(PlatformError)
  {
    precondition(offset >= 0)
    var done = 0
    while done < target.count {
      let got = unsafe pread(
        descriptor, target.baseAddress! + done, target.count - done, off_t(offset + done))
      if got < 0, kp_errno() == EINTR { continue }
      guard got >= 0 else { throw .last("read", path) }
      if got == 0 {
        unsafe UnsafeMutableRawBufferPointer(rebasing: target[done...])
          .initializeMemory(as: UInt8.self, repeating: 0)
        return
      }
      done += got
    }
  }

  /// All bytes up to the last one written, as memory. Nobody may write while that lives.
  public func mapped() throws(PlatformError) -> MappedFile {
    let size = kp_file_size(descriptor)
    guard size >= 0 else { throw .last("map", path) }
    return try MappedFile(descriptor: descriptor, count: Int(size), path: path)
  }
}
