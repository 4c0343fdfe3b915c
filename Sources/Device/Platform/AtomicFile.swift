// A file that appears under its name whole, or not at all.

import CPlatform

/// Writes beside the target and renames when all of it is on the disk. Until `commit`, and when
/// anything fails, the object is dropped or a signal ends the process, the target stays as it was and
/// nothing is left behind.
public final class AtomicFile {
  /// Where the file will be.
  public let path: String
  /// Bytes written so far.
  public private(set) var count = 0

  private let temporaryPath: String
  private var descriptor: Int32
  /// Whether a signal that ends the process removes the temporary file.
  private var isClaimed = false

  /// Makes the temporary file, in the folder of `path`.
  public init(path: String) throws(PlatformError) {
    let (folder, name) = Self.split(path)
    guard !name.isEmpty, try File.kind(of: path) != .folder else {
      throw PlatformError(operation: "write", path: path, errno: EISDIR)
    }
    var descriptor: Int32 = -1
    var temporaryPath = ""
    var isClaimed = false
    // A file of that name is left of a process that was killed, or a second writer's.
    for attempt in 0..<100 {
      let suffix = attempt == 0 ? "" : ".\(attempt)"
      temporaryPath = "\(folder).\(name).\(getpid())\(suffix).tmp"
      // Claimed before it is there: a signal must not find a file that nobody removes.
      isClaimed = try withPath(temporaryPath, "create") { unsafe kp_temporary_claim($0) } != 0
      descriptor = try withPath(temporaryPath, "create") { unsafe kp_open_write($0) }
      guard descriptor < 0 else { break }
      let error = PlatformError.last("create", path)
      if isClaimed { kp_temporary_release() }
      guard error.errno == EEXIST, attempt < 99 else { throw error }
    }
    self.path = path
    self.temporaryPath = temporaryPath
    self.descriptor = descriptor
    self.isClaimed = isClaimed
  }

  deinit { discard() }

  /// Appends bytes.
  public func write(_ bytes: RawSpan) throws(PlatformError) {
    let result = unsafe bytes.withUnsafeBytes { unsafe writeAll($0, to: descriptor) }
    guard result == 0 else {
      discard()
      throw PlatformError(operation: "write", path: path, errno: result)
    }
    count += bytes.byteCount
  }

  /// Appends bytes.
  public func write(_ bytes: [UInt8]) throws(PlatformError) {
    try unsafe write(bytes.span.bytes)
  }

  /// Replaces bytes written before; `offset + bytes.count` is at most `count`.
  public func overwrite(at offset: Int, _ bytes: [UInt8]) throws(PlatformError) {
    precondition(offset >= 0 && bytes.count <= count - offset)
    var done = 0
    while done < bytes.count {
      let put = unsafe bytes.withUnsafeBytes {
        unsafe pwrite(descriptor, $0.baseAddress! + done, bytes.count - done, off_t(offset + done))
      }
      if put < 0, kp_errno() == EINTR { continue }
      guard put > 0 else {
        let error = PlatformError.last("write", path)
        discard()
        throw error
      }
      done += put
    }
  }

  /// Puts the file under its name: sync, rename, sync the folder. To be called once, last.
  public func commit() throws(PlatformError) {
    guard descriptor >= 0 else {
      throw PlatformError(operation: "write", path: path, errno: EBADF)
    }
    // After a failed sync the kernel may have dropped the pages: no second try tells.
    guard fsync(descriptor) == 0 else { throw failure("sync") }
    let isClosed = close(descriptor) == 0
    descriptor = -1
    guard isClosed else { throw failure("write") }
    let isRenamed = unsafe temporaryPath.withCString { from in
      unsafe path.withCString { to in unsafe rename(from, to) }
    }
    guard isRenamed == 0 else { throw failure("rename") }
    release()
    let (folder, _) = Self.split(path)
    guard try withPath(folder.isEmpty ? "." : folder, "sync", { unsafe kp_sync_folder($0) }) == 0
    else { throw .last("sync", path) }
  }

  /// Writes all of `bytes` to `path`, whole or not at all.
  public static func write(_ bytes: [UInt8], to path: String) throws(PlatformError) {
    let file = try AtomicFile(path: path)
    try file.write(bytes)
    try file.commit()
  }

  private func failure(_ operation: String) -> PlatformError {
    let error = PlatformError.last(operation, path)
    removeTemporary()
    return error
  }

  private func discard() {
    guard descriptor >= 0 else { return }
    removeTemporary()
  }

  private func removeTemporary() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
    unsafe temporaryPath.withCString { path in _ = unsafe unlink(path) }
    release()
  }

  private func release() {
    if isClaimed { kp_temporary_release() }
    isClaimed = false
  }

  /// The folder with its slash, empty for the current one, and the name behind it.
  static func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("", path) }
    let next = path.utf8.index(after: slash)
    return (String(path[..<next]), String(path[next...]))
  }
}

/// Writes everything, waiting where the descriptor does not block; 0 or the error number.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
  var done = 0
  while done < bytes.count {
    let put = unsafe write(descriptor, bytes.baseAddress! + done, bytes.count - done)
    if put >= 0 {
      done += put
      continue
    }
    switch kp_errno() {
    case EINTR: continue
    case EAGAIN: _ = kp_wait_for(descriptor, 1)
    default: return kp_errno()
    }
  }
  return 0
}
