// The three standard streams, as bytes.

import CPlatform

/// Standard output and standard error.
public enum Standard: Sendable {
  case output
  case error

  private var descriptor: Int32 { self == .output ? 1 : 2 }
  private var name: String { self == .output ? "standard output" : "standard error" }

  /// Whether a person sees this stream on a terminal.
  public var isTerminal: Bool { isatty(descriptor) == 1 }

  /// Whether standard input is a terminal.
  public static var isInputTerminal: Bool { isatty(0) == 1 }

  /// Writes all of `bytes`, waiting for a slow reader. A reader that has gone gives an error whose
  /// `isBrokenPipe` is true, where SIGPIPE is ignored.
  public func write(_ bytes: RawSpan) throws(PlatformError) {
    let result = unsafe bytes.withUnsafeBytes { unsafe writeAll($0, to: descriptor) }
    guard result == 0 else { throw PlatformError(operation: "write", path: name, errno: result) }
  }

  /// Writes all of `bytes`.
  public func write(_ bytes: [UInt8]) throws(PlatformError) {
    try unsafe write(bytes.span.bytes)
  }

  /// Writes `bytes` to a reader that may stall: while it does, `mayWait` is asked ten times a second.
  /// False where the answer was no before all was written.
  public func write(
    _ bytes: [UInt8], while mayWait: () -> Bool
  ) throws(PlatformError) -> Bool {
    // What a pipe with room takes without waiting.
    let piece = 4096
    var done = 0
    while done < bytes.count {
      if kp_wait_in_time(descriptor, 1, 100) == 0 {
        guard mayWait() else { return false }
        continue
      }
      let end = min(done + piece, bytes.count)
      try write(Array(bytes[done..<end]))
      done = end
    }
    return true
  }

  /// Writes `line` and a line feed; for messages, whose loss nobody can be told of.
  public func say(_ line: String) {
    try? write(Array(line.utf8) + [0x0A])
  }

  /// One line of standard input without its line feed; nil at the end, and for a longer one.
  public static func readLine(limit: Int) -> [UInt8]? {
    var line: [UInt8] = []
    while line.count <= limit {
      var byte: UInt8 = 0
      let got = unsafe CPlatform.read(0, &byte, 1)
      if got < 0, kp_errno() == EINTR { continue }
      guard got == 1 else { return nil }
      if byte == 0x0A { return line }
      line.append(byte)
    }
    return nil
  }

  /// Everything that standard input gives, at most `limit` bytes.
  public static func readInput(limit: Int) throws(PlatformError) -> [UInt8] {
    try File.readAll(0, path: "standard input", limit: limit)
  }
}
