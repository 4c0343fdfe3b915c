// Lines of a stream as they come: no line is waited for longer than the caller likes.
import CPlatform

/// Reads standard input, a pipe or a file line by line. One thread at a time.
public final class LineReader {
  /// What one look gave.
  public enum Look: Equatable, Sendable {
    /// Without its line feed.
    case line([UInt8])
    /// None in time.
    case nothing
    case end
  }

  /// The longest line, in bytes.
  public static let longestLine = 1 << 20

  public let path: String
  private let descriptor: Int32
  private var buffer: [UInt8] = []
  private var start = 0
  private var isAtEnd = false

  /// Standard input.
  public init() {
    path = "standard input"
    descriptor = 0
  }

  /// A file or a pipe.
  public init(path: String) throws(PlatformError) {
    let descriptor = try withPath(path, "open") { unsafe kp_open_read($0) }
    guard descriptor >= 0 else { throw .last("open", path) }
    self.path = path
    self.descriptor = descriptor
  }

  deinit { if descriptor != 0 { close(descriptor) } }

  /// The next line, waiting for its rest up to so long. A last line without a line feed counts.
  /// `EFBIG` for one that is longer than a line may be.
  public func next(milliseconds: Int) throws(PlatformError) -> Look {
    var scanned = start
    while true {
      if let end = buffer[scanned...].firstIndex(of: 0x0A) {
        defer { start = end + 1 }
        return .line(Array(buffer[start..<end]))
      }
      if isAtEnd {
        guard start < buffer.count else { return .end }
        defer { start = buffer.count }
        return .line(Array(buffer[start...]))
      }
      buffer.removeFirst(start)
      start = 0
      scanned = buffer.count
      guard buffer.count <= LineReader.longestLine else {
        throw PlatformError(operation: "read", path: path, errno: EFBIG)
      }
      guard kp_wait_in_time(descriptor, 0, CInt(clamping: milliseconds)) != 0 else {
        return .nothing
      }
      var chunk = [UInt8](repeating: 0, count: 1 << 16)
      let got = unsafe chunk.withUnsafeMutableBytes { unsafe Platform.read(descriptor, into: $0) }
      guard got >= 0 else { throw .last("read", path) }
      isAtEnd = got == 0
      buffer += chunk[..<got]
    }
  }
}
