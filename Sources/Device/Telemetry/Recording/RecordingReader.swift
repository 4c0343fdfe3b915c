// Takes a recording apart, entry by entry, from bytes that nobody vouches for.
import Bytes
import Platform

/// Reads a recording from its beginning to its end. Memory: the longest entry, checked against the
/// bytes that are there and 4 MiB, and a window of 64 KiB.
struct RecordingReader {
  private enum Source {
    case memory([UInt8])
    case file(FileReader)
  }
  private static let windowBytes = 1 << 16
  /// The longest header, and the longest short entry: kind and four integers.
  private static let headBytes = 64

  private let source: Source
  private let count: Int
  private var window: [UInt8] = []
  private var windowStart = 0
  /// Where the next entry begins.
  private(set) var position = 0
  private(set) var header = RecordingHeader()
  /// Whether the last entry is cut: the process that recorded was killed.
  private(set) var isCut = false

  private var moment: UInt64 = 0
  private var lastStart: UInt64 = 0
  private var last = [(at: Int, bytes: [UInt8])?](repeating: nil, count: RecordedKind.count)

  /// Opens a file and reads its header.
  init(path: String) throws(RecordingError) {
    let file: FileReader
    do throws(PlatformError) {
      file = try FileReader(path: path)
    } catch {
      throw RecordingError(offset: 0, reason: .file(error))
    }
    source = .file(file)
    count = file.count
    try readHeader()
  }

  /// Reads the header of a recording in memory.
  init(_ bytes: [UInt8]) throws(RecordingError) {
    source = .memory(bytes)
    count = bytes.count
    try readHeader()
  }

  // MARK: Bytes

  /// The bytes from `offset` on, `wanted` of them or as many as there are.
  private mutating func bytes(at offset: Int, _ wanted: Int) throws(RecordingError) -> ArraySlice<
    UInt8
  > {
    let wanted = min(wanted, count - offset)
    switch source {
    case .memory(let all): return all[offset..<offset + wanted]
    case .file(let file):
      if offset < windowStart || offset + wanted > windowStart + window.count {
        do throws(PlatformError) {
          window = try file.bytes(at: offset, count: max(wanted, Self.windowBytes))
        } catch {
          throw RecordingError(offset: offset, reason: .file(error))
        }
        windowStart = offset
      }
      let from = offset - windowStart
      return window[from..<min(from + wanted, window.count)]
    }
  }

  private func error(_ reason: RecordingError.Reason) -> RecordingError {
    RecordingError(offset: position, reason: reason)
  }

  private mutating func readHeader() throws(RecordingError) {
    let head = Array(try bytes(at: 0, Self.headBytes))
    let magic = RecordingFormat.magic
    guard head.count > magic.count, Array(head.prefix(magic.count)) == magic else {
      throw error(.notARecording)
    }
    guard head[magic.count] == RecordingFormat.version else {
      throw RecordingError(
        offset: magic.count,
        reason: .version(found: head[magic.count], known: RecordingFormat.version))
    }
    var coder = FieldCoder(reading: head)
    try coder.skip(magic.count + 1)
    try coder.code(&header)
    position = coder.offset
    moment = header.startNanoseconds
    lastStart = moment
  }

  // MARK: Entries

  /// The next entry; nil at the end, also where the last entry is cut.
  mutating func next() throws(RecordingError) -> RecordedEntry? {
    guard position < count, !isCut else { return nil }
    let start = position
    do throws(RecordingError) {
      return try entry()
    } catch {
      // What is missing lies behind the end of the file.
      if case .bytes(.truncated) = error.reason, error.offset >= start, isAtTail(error) {
        isCut = true
        return nil
      }
      throw error
    }
  }

  private func isAtTail(_ error: RecordingError) -> Bool {
    guard case .bytes(.truncated(let needed, _)) = error.reason else { return false }
    let (end, overflow) = error.offset.addingReportingOverflow(needed)
    return overflow || end > count
  }

  private mutating func entry() throws(RecordingError) -> RecordedEntry {
    let head = Array(try bytes(at: position, Self.headBytes))
    // A file that became shorter since it was opened.
    guard !head.isEmpty else { throw error(.bytes(.truncated(needed: 1, remaining: 0))) }
    let kind = head[0] & ~RecordedKind.same
    var coder = FieldCoder(reading: head, base: position)
    try coder.skip(1)
    guard kind >= RecordedKind.firstLong else {
      guard head[0] < RecordedKind.same else { throw error(.unknown(head[0])) }
      let entry = try shortEntry(kind, &coder)
      position = coder.offset
      return entry
    }
    guard Int(kind) < RecordedKind.count else { throw error(.unknown(head[0])) }
    if head[0] == kind {
      var length = 0
      try coder.code(&length, limit: RecordingFormat.entryLimit)
      let at = coder.offset
      guard length <= count - at else {
        throw RecordingError(
          offset: at, reason: .bytes(.truncated(needed: length, remaining: count - at)))
      }
      last[Int(kind)] = (at, Array(try bytes(at: at, length)))
      position = at + length
    } else {
      position += 1
    }
    guard let (at, fields) = last[Int(kind)] else {
      throw RecordingError(offset: coder.offset - 1, reason: .unknown(head[0]))
    }
    return try longEntry(kind, fields, base: at)
  }

  private mutating func shortEntry(
    _ kind: UInt8, _ coder: inout FieldCoder
  ) throws(RecordingError) -> RecordedEntry {
    switch kind {
    case RecordedKind.moment:
      var difference: UInt64 = 0
      try coder.code(
        &difference, limit: RecordingFormat.latest - min(moment, RecordingFormat.latest))
      moment += difference
      return .moment(moment)
    case RecordedKind.inference:
      var sample = Sample(startNanoseconds: 0, durationNanoseconds: 0)
      try readTimes(&sample, &coder)
      return .sample(sample)
    case RecordedKind.sample:
      var sample = Sample(startNanoseconds: 0, durationNanoseconds: 0)
      var code: UInt64 = 0
      var detail: UInt64 = 0
      try coder.code(&code, limit: 255)
      sample.step = -Int32(code)
      guard SampleKind(code: sample.step) != nil else { throw error(.unknown(UInt8(code))) }
      try readTimes(&sample, &coder)
      try coder.code(&detail, limit: UInt64(UInt32.max))
      sample.detail = UInt32(detail)
      return .sample(sample)
    case RecordedKind.step:
      var step = 0
      var duration: UInt64 = 0
      try coder.code(&step, limit: Int(Int32.max))
      try coder.code(&duration)
      return .sample(
        Sample(startNanoseconds: 0, durationNanoseconds: duration, step: Int32(step)))
    case RecordedKind.advance: return .advance
    default: throw error(.unknown(kind))
    }
  }

  /// When it began, as a difference from the one before, and how long it took.
  private mutating func readTimes(
    _ sample: inout Sample, _ coder: inout FieldCoder
  ) throws(RecordingError) {
    var difference: UInt64 = 0
    try coder.code(&difference, limit: .max)
    try coder.code(&sample.durationNanoseconds)
    let signed = Int64(bitPattern: difference >> 1) ^ -Int64(bitPattern: difference & 1)
    lastStart = lastStart &+ UInt64(bitPattern: signed)
    guard lastStart <= RecordingFormat.latest else { throw error(.outOfRange(lastStart)) }
    sample.startNanoseconds = lastStart
  }

  private func longEntry(
    _ kind: UInt8, _ fields: [UInt8], base: Int
  ) throws(RecordingError) -> RecordedEntry {
    switch kind {
    case RecordedKind.facts: return .facts(try FieldCoder.value(of: fields, base: base))
    case RecordedKind.status: return .status(try FieldCoder.value(of: fields, base: base))
    case RecordedKind.text: return .text(try FieldCoder.value(of: fields, base: base))
    case RecordedKind.output: return .output(try FieldCoder.value(of: fields, base: base))
    case RecordedKind.power: return .power(try FieldCoder.value(of: fields, base: base))
    case RecordedKind.attempts:
      return .attempts(try FieldCoder.value(RecordedAttempts.self, of: fields, base: base).list)
    case RecordedKind.system: return .system(try FieldCoder.value(of: fields, base: base))
    case RecordedKind.gap: return .gap(try FieldCoder.value(of: fields, base: base))
    case RecordedKind.event: return .event(try FieldCoder.value(of: fields, base: base))
    case RecordedKind.reset: return .reset
    default: throw error(.unknown(kind))
    }
  }
}
