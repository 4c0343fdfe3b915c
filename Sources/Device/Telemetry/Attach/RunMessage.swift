// What a run and its viewers in other processes say to each other.
//
//     message   length of what follows (4 bytes, little-endian), kind (1 byte), fields
//
// The run greets first, then sends facts, then snapshots at the viewer's rate.
import Bytes

/// What a run says of itself to whoever calls.
public struct RunGreeting: Equatable, Sendable {
  /// Of the messages; viewers of another version hang up.
  public static var version: UInt8 { 2 }

  public var process = 0
  public var name = EscapedText("")
  public var state = RunState.loading
  public var elapsedSeconds = 0.0

  public init() {}
}

/// What a viewer wants to be sent.
public struct ViewerWish: Equatable, Sendable {
  /// Snapshots per second, 1…10.
  public var hertz = 4
  /// How far they look back, 1…600 s; nil is the whole run.
  public var windowSeconds: Int? = RateWindow.seconds
  /// Whether they have pictures.
  public var wantsPicture = false

  public init() {}
}

/// What a viewer asks of the run.
public enum ViewerRequest: UInt8, Sendable, CaseIterable {
  /// Rest, or go on.
  case pause
  case resetStatistics
  case mark
}

/// A message of either side.
public enum RunMessage: Sendable {
  case greeting(RunGreeting)
  case facts(RunFacts)
  /// Without its facts.
  case snapshot(Snapshot)
  /// The run is over; nothing follows.
  case end
  case wish(ViewerWish)
  case request(ViewerRequest)

  /// The longest message that is sent or taken.
  public static var byteLimit: Int { 4 << 20 }

  /// Its bytes; nil for one that is too long to be sent.
  public var bytes: [UInt8]? {
    let (kind, fields) = parts
    guard fields.count < Self.byteLimit else { return nil }
    var writer = ByteWriter()
    writer.put(UInt32(fields.count + 1))
    writer.put(kind)
    writer.put(fields)
    return writer.bytes
  }

  private var parts: (UInt8, [UInt8]) {
    switch self {
    case .greeting(let greeting): (1, FieldCoder.bytes(greeting))
    case .facts(let facts): (2, FieldCoder.bytes(facts))
    case .snapshot(let snapshot): (3, FieldCoder.bytes(snapshot))
    case .end: (4, [])
    case .wish(let wish): (5, FieldCoder.bytes(wish))
    case .request(let request): (6, [request.rawValue])
    }
  }

  init(kind: UInt8, _ fields: [UInt8]) throws(RecordingError) {
    switch kind {
    case 1: self = .greeting(try FieldCoder.value(of: fields, base: 5))
    case 2: self = .facts(try FieldCoder.value(of: fields, base: 5))
    case 3: self = .snapshot(try FieldCoder.value(of: fields, base: 5))
    case 4: self = .end
    case 5: self = .wish(try FieldCoder.value(of: fields, base: 5))
    case 6:
      guard fields.count == 1, let request = ViewerRequest(rawValue: fields[0]) else {
        throw RecordingError(offset: 5, reason: .unknown(fields.first ?? 0))
      }
      self = .request(request)
    default: throw RecordingError(offset: 4, reason: .unknown(kind))
    }
  }
}

/// Puts messages together from bytes as they come, in any cutting.
public struct MessageBuffer: Sendable {
  private let limit: Int
  private var bytes: [UInt8] = []
  private var start = 0

  /// `limit`: the longest message that the other side may send.
  public init(limit: Int = RunMessage.byteLimit) { self.limit = limit }

  /// Adds what came.
  public mutating func append(_ more: [UInt8]) {
    if start > 0 {
      bytes.removeFirst(start)
      start = 0
    }
    bytes.append(contentsOf: more)
  }

  /// The next message; nil until there is a whole one. After an error the other side is not to be
  /// believed any more.
  public mutating func next() throws(RecordingError) -> RunMessage? {
    guard bytes.count - start >= 4 else { return nil }
    var length = 0
    for i in 0..<4 { length |= Int(bytes[start + i]) << (8 * i) }
    guard length >= 1, length <= limit else {
      throw RecordingError(offset: 0, reason: .outOfRange(UInt64(length)))
    }
    guard bytes.count - start - 4 >= length else { return nil }
    let kind = bytes[start + 4]
    let fields = Array(bytes[start + 5..<start + 4 + length])
    start += 4 + length
    return try RunMessage(kind: kind, fields)
  }
}

extension RunGreeting: Fields {
  static var blank: RunGreeting { RunGreeting() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    var version = Self.version
    try coder.code(&version)
    guard version == Self.version else {
      throw RecordingError(offset: 5, reason: .version(found: version, known: Self.version))
    }
    try coder.code(&process)
    try coder.code(&name)
    try coder.code(&state, among: RunState.coded)
    try coder.code(&elapsedSeconds)
  }
}

extension ViewerWish: Fields {
  static var blank: ViewerWish { ViewerWish() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&hertz, limit: 10)
    try coder.code(&windowSeconds)
    try coder.code(&wantsPicture)
    hertz = max(1, hertz)
    windowSeconds = windowSeconds.map { min(max($0, 1), RateWindow.longestSeconds) }
  }
}
