// Two sinks for text: one of fixed size that never allocates, one that grows.

/// A line of at most 512 bytes of UTF-8 text; never allocates, drops what does not fit.
public struct TextLine: ~Copyable, TextSink {
  /// The most bytes it holds.
  public static var capacity: Int { 512 }

  private var storage: InlineArray<512, UInt8> = .init(repeating: 0)
  /// Bytes in use.
  public private(set) var count = 0

  public init() {}

  /// Empties the line.
  public mutating func clear() { count = 0 }

  public mutating func put(byte: UInt8) {
    guard count < Self.capacity else { return }
    storage[count] = byte
    count += 1
  }

  /// The text.
  public var span: Span<UInt8> {
    @_lifetime(borrow self)
    get { storage.span.extracting(0..<count) }
  }
}

/// UTF-8 text that grows as needed.
public struct TextBuffer: TextSink, Sendable {
  /// The text so far.
  public private(set) var bytes: [UInt8] = []

  public init() {}

  /// Bytes of text so far.
  public var count: Int { bytes.count }

  /// The text as a `String`; malformed UTF-8 is replaced.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  public mutating func put(byte: UInt8) { bytes.append(byte) }

  /// Puts a line feed.
  public mutating func endLine() { bytes.append(0x0A) }

  /// Puts spaces until the text since the last line feed has `column` bytes.
  public mutating func pad(to column: Int) {
    var used = 0
    while used < bytes.count, bytes[bytes.count - 1 - used] != 0x0A { used += 1 }
    put(byte: 0x20, count: column - used)
  }

  /// Empties the text and keeps its memory.
  public mutating func clear() { bytes.removeAll(keepingCapacity: true) }
}
