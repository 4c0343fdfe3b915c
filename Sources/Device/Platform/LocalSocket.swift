// Streams between processes of one user on one machine. Nothing here ever waits.

import CPlatform

/// A socket that processes of the same user can call. It is removed with this object, and the first one of a
/// process also where the process ends at once: by a second Ctrl-C, `q` typed twice, a crash on a terminal.
public final class LocalListener: Sendable {
  public let path: String
  private let descriptor: Int32

  /// Makes it at `path`, in place of what lay there.
  public init(path: String) throws(PlatformError) {
    let descriptor = try withPath(path, "listen at") { unsafe kp_socket_listen($0) }
    guard descriptor >= 0 else { throw .last("listen at", path) }
    self.path = path
    self.descriptor = descriptor
  }

  deinit {
    unsafe path.withCString { path in unsafe kp_socket_close(descriptor, path) }
  }

  /// The next caller; nil for none.
  public func accept() -> LocalConnection? {
    let caller = kp_socket_accept(descriptor)
    return caller < 0 ? nil : LocalConnection(descriptor: caller)
  }
}

/// One end of a stream. One thread at a time.
public final class LocalConnection {
  private let descriptor: Int32
  private var buffer = [UInt8](repeating: 0, count: 1 << 16)
  /// Whether the other side can still be talked to.
  public private(set) var isOpen = true

  init(descriptor: Int32) { self.descriptor = descriptor }

  /// Calls the process that listens at `path`. Another user's is refused with EPERM.
  public init(path: String) throws(PlatformError) {
    let descriptor = try withPath(path, "call") { unsafe kp_socket_connect($0) }
    guard descriptor >= 0 else { throw .last("call", path) }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Sends what is taken at once of the bytes from `start` on; how many that were.
  public func send(_ bytes: [UInt8], from start: Int = 0) -> Int {
    guard isOpen, start < bytes.count else { return 0 }
    let sent = unsafe bytes.withUnsafeBytes {
      unsafe kp_socket_send(descriptor, $0.baseAddress! + start, $0.count - start)
    }
    if sent >= 0 { return Int(sent) }
    if sent != -Int64(EAGAIN) { isOpen = false }
    return 0
  }

  /// What has come, at most 64 KiB of it; empty for nothing.
  public func receive() -> [UInt8] {
    guard isOpen else { return [] }
    let got = unsafe buffer.withUnsafeMutableBytes {
      unsafe kp_socket_receive(descriptor, $0.baseAddress, $0.count)
    }
    if got > 0 { return Array(buffer[..<Int(got)]) }
    if got == 0 || got != -Int64(EAGAIN) { isOpen = false }
    return []
  }

  /// Talks and listens no more.
  public func hangUp() { isOpen = false }

  /// Waits until something comes, at most so long. For those who have nothing else to do.
  public func waitForBytes(milliseconds: Int32) {
    _ = kp_wait_in_time(descriptor, 0, milliseconds)
  }
}
