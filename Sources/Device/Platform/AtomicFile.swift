// A file that appears under its name whole, or not at all.

import CPlatform

/// Writes a file without a name in the target's folder, names it and renames it when all of it is on the
/// disk. Until `commit`, and when anything fails, the object is dropped or the process ends in any way,
/// the target stays as it was and nothing is left behind. Where the file system has no files without
/// names, SIGKILL and a power failure leave a hidden file.
public final class AtomicFile {
  /// Where the file will be.
  public let path: String
  /// Bytes written so far.
  public private(set) var count = 0

  /// Empty while the file has no name.
  private var temporaryPath = ""
  private var descriptor: Int32 = -1
  /// Whether a signal that ends the process removes the temporary file.
  private var isClaimed = false

  /// Makes the temporary file, in the folder of `path`. A folder is refused with `EISDIR`, a pipe, device
  /// or socket with `EOPNOTSUPP`, and so is what stands beside the devices.
  ///
  /// isNamed: gives it a name at once, as file systems without unnamed files do.
  public init(path: String, isNamed: Bool = false) throws(PlatformError) {
    let (folder, name) = Self.split(path)
    let kind = try File.kind(of: path)
    guard !name.isEmpty, kind != .folder else {
      throw PlatformError(operation: "write", path: path, errno: EISDIR)
    }
    // A rename would put a file in the place of a device, or of a link to one such as /dev/stdout, which
    // root may do.
    guard kind != .other, folder != "/dev/" else {
      throw PlatformError(operation: "write", path: path, errno: EOPNOTSUPP)
    }
    self.path = path
    if !isNamed {
      descriptor = try withPath(folder.isEmpty ? "." : folder, "create") {
        unsafe kp_open_unnamed($0)
      }
    }
    if descriptor < 0 {
      try unsafe claimName("create") { candidate in
        descriptor = unsafe kp_open_write(candidate)
        return descriptor >= 0
      }
    }
  }

  /// Finds a temporary name that is free. A file of that name is left of a process that was killed, or a
  /// second writer's.
  private func claimName(
    _ operation: String, _ make: (UnsafePointer<CChar>) -> Bool
  ) throws(PlatformError) {
    let (folder, name) = Self.split(path)
    for attempt in 0..<100 {
      let suffix = attempt == 0 ? "" : ".\(attempt)"
      let candidate = "\(folder).\(name).\(getpid())\(suffix).tmp"
      // Claimed before it is there: a signal must not find a file that nobody removes.
      isClaimed = try withPath(candidate, operation) { unsafe kp_temporary_claim($0) } != 0
      if try withPath(candidate, operation, { unsafe make($0) }) {
        temporaryPath = candidate
        return
      }
      let error = PlatformError.last(operation, path)
      release()
      guard error.errno == EEXIST, attempt < 99 else { throw error }
    }
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
  ///
  /// isDurable: false spares the syncs, for what is written again and again: readers see all of a file
  /// or none, but a power cut may leave an old or an empty one.
  public func commit(isDurable: Bool = true) throws(PlatformError) {
    guard descriptor >= 0 else {
      throw PlatformError(operation: "write", path: path, errno: EBADF)
    }
    // After a failed sync the kernel may have dropped the pages: no second try tells.
    guard !isDurable || fsync(descriptor) == 0 else { throw failure("sync") }
    if temporaryPath.isEmpty {
      do throws(PlatformError) {
        try unsafe claimName("name") { [descriptor] in unsafe kp_name_file(descriptor, $0) == 0 }
      } catch {
        discard()
        throw error
      }
    }
    let isClosed = close(descriptor) == 0
    descriptor = -1
    guard isClosed else { throw failure("write") }
    let isRenamed = unsafe temporaryPath.withCString { from in
      unsafe path.withCString { to in unsafe rename(from, to) }
    }
    guard isRenamed == 0 else { throw failure("rename") }
    release()
    guard isDurable else { return }
    let (folder, _) = Self.split(path)
    guard try withPath(folder.isEmpty ? "." : folder, "sync", { unsafe kp_sync_folder($0) }) == 0
    else { throw .last("sync", path) }
  }

  /// Writes all of `bytes` to `path`, whole or not at all.
  public static func write(
    _ bytes: [UInt8], to path: String, isDurable: Bool = true
  ) throws(PlatformError) {
    let file = try AtomicFile(path: path)
    try file.write(bytes)
    try file.commit(isDurable: isDurable)
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
    if !temporaryPath.isEmpty {
      unsafe temporaryPath.withCString { path in _ = unsafe unlink(path) }
    }
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
