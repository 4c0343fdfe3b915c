// A port that other programs connect to, and waiting for several descriptors at once.

import CPlatform

/// Listens at a port of this machine.
public final class Listener: Sendable {
  /// Readable when somebody wants to connect.
  public let descriptor: Int32
  /// The port, also where any was asked for.
  public let port: Int

  /// address: IPv4 or IPv6 in digits. port: 0 for any that is free.
  public init(address: String, port: Int) throws(PlatformError) {
    let descriptor = try withPath(address, "listen") { address in
      unsafe kp_listen(address, Int32(clamping: port))
    }
    let name = "\(address):\(port)"
    guard descriptor >= 0 else {
      throw PlatformError(operation: "listen", path: name, errno: -descriptor)
    }
    let actual = kp_listening_port(descriptor)
    guard actual >= 0 else {
      close(descriptor)
      throw PlatformError(operation: "listen", path: name, errno: -actual)
    }
    self.descriptor = descriptor
    self.port = Int(actual)
  }

  deinit { close(descriptor) }

  /// The next who waits; nil for nobody.
  public func accept() -> Connection? {
    let descriptor = kp_accept(descriptor)
    return descriptor >= 0 ? Connection(descriptor: descriptor) : nil
  }
}

/// A connection that never waits. Closed with its last user.
public final class Connection {
  public let descriptor: Int32

  init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// What came, at most `limit` bytes: empty at the end, nil for nothing yet. Throws where the connection
  /// is lost.
  public func receive(limit: Int) throws(PlatformError) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: limit)
    let count = unsafe bytes.withUnsafeMutableBytes {
      unsafe kp_receive(descriptor, $0.baseAddress, $0.count)
    }
    if count == -Int64(EAGAIN) || count == -Int64(EINTR) { return nil }
    guard count >= 0 else { throw Self.lost("receive", count) }
    bytes.removeLast(limit - Int(count))
    return bytes
  }

  /// How many of the bytes from `start` on were taken; 0 where the peer is slow.
  public func send(_ bytes: [UInt8], from start: Int) throws(PlatformError) -> Int {
    let count = unsafe bytes.span.extracting(droppingFirst: start).bytes.withUnsafeBytes {
      unsafe kp_send(descriptor, $0.baseAddress, $0.count)
    }
    if count == -Int64(EAGAIN) || count == -Int64(EINTR) { return 0 }
    guard count >= 0 else { throw Self.lost("send", count) }
    return Int(count)
  }

  /// Tells the peer that this was all.
  public func endSending() { kp_end_sending(descriptor) }

  private static func lost(_ operation: String, _ result: Int64) -> PlatformError {
    PlatformError(
      operation: operation, path: "connection", errno: Int32(truncatingIfNeeded: -result))
  }
}

/// Waiting for several descriptors.
public enum Polling {
  /// A descriptor, and whether room for output is waited for in place of input.
  public struct Entry {
    public var descriptor: Int32
    public var isOutput: Bool
    /// Whether it can be used now, or is lost.
    public var isReady = false

    public init(_ descriptor: Int32, isOutput: Bool = false) {
      self.descriptor = descriptor
      self.isOutput = isOutput
    }
  }

  /// Waits until one is ready, at most so long; below 0 for ever.
  public static func wait(_ entries: inout [Entry], milliseconds: Int32) {
    var polled = entries.map {
      pollfd(fd: $0.descriptor, events: Int16($0.isOutput ? POLLOUT : POLLIN), revents: 0)
    }
    let count = unsafe polled.withUnsafeMutableBufferPointer {
      unsafe poll($0.baseAddress, nfds_t($0.count), milliseconds)
    }
    for i in entries.indices { entries[i].isReady = count > 0 && polled[i].revents != 0 }
  }
}
