// Writes down what a run's statistics take in, so that it can be taken in again.
import Bytes
import CPlatform
import Platform

/// A recording that is being made. Used by the thread that reads the collector.
///
/// It never fails the run and never waits: where it cannot be written, or has become too large, it ends.
public final class Recorder {
  /// Where a recording ends: 256 MiB.
  public static var byteLimit: Int { 256 << 20 }
  private static var bufferedBytes: Int { 1 << 16 }
  private static var flushNanoseconds: UInt64 { 1_000_000_000 }

  private let file: GrowingFile?
  private let limit: Int
  private var pending = ByteWriter()
  private var written = 0
  private var flushedAt: UInt64 = 0
  private var isOver = false

  private var start: UInt64 = 0
  private var moment: UInt64 = 0
  private var lastStart: UInt64 = 0
  private var last = [[UInt8]?](repeating: nil, count: RecordedKind.count)

  /// Why it ended before the run did; nil while it has not. To be told once.
  private(set) var failure: EscapedText?

  /// A recording in a file, which is replaced if it is there.
  public init(path: String) throws(PlatformError) {
    file = try GrowingFile(path: path)
    limit = Self.byteLimit
  }

  /// A recording in memory, for tests: it ends at `limit` bytes.
  package init(limit: Int = Recorder.byteLimit) {
    file = nil
    self.limit = limit
  }

  /// What a recording in memory holds.
  package var bytes: [UInt8] { pending.bytes }

  // MARK: What the collector says

  /// Writes the header, and the facts known so far.
  func begin(_ header: RecordingHeader, _ facts: RunFacts) {
    start = header.startNanoseconds
    moment = start
    lastStart = start
    pending.put(RecordingFormat.magic)
    pending.put(RecordingFormat.version)
    pending.put(FieldCoder.bytes(header))
    put(facts)
  }

  /// What follows happened at this moment.
  func put(moment now: UInt64) {
    guard now > moment else { return }
    short(RecordedKind.moment, now - moment)
    moment = now
  }

  func put(_ facts: RunFacts) { long(RecordedKind.facts, FieldCoder.bytes(facts)) }
  func put(_ status: RunStatus) { long(RecordedKind.status, FieldCoder.bytes(status)) }
  func put(_ look: PowerLook) { long(RecordedKind.power, FieldCoder.bytes(look)) }
  func put(_ look: SystemLook) { long(RecordedKind.system, FieldCoder.bytes(look)) }
  func put(_ attempts: [PowerAttempt]) {
    long(RecordedKind.attempts, FieldCoder.bytes(RecordedAttempts(list: attempts)))
  }

  func put(_ sample: Sample) {
    guard sample.step < 0 else {
      return short(RecordedKind.step, UInt64(sample.step), sample.durationNanoseconds)
    }
    let difference = Int64(bitPattern: sample.startNanoseconds &- lastStart)
    lastStart = sample.startNanoseconds
    let zigzag = UInt64(bitPattern: difference << 1 ^ difference >> 63)
    guard sample.step != SampleKind.inference.code || sample.detail != 0 else {
      return short(RecordedKind.inference, zigzag, sample.durationNanoseconds)
    }
    short(
      RecordedKind.sample, UInt64(sample.step.magnitude), zigzag, sample.durationNanoseconds,
      UInt64(sample.detail))
  }

  func put(text: [UInt8], tag: UInt8) {
    long(
      RecordedKind.text,
      FieldCoder.bytes(RecordedText(number: UInt64(tag), text: EscapedText(text))))
  }

  func put(output: [UInt8], number: UInt64) {
    long(
      RecordedKind.output, FieldCoder.bytes(RecordedText(number: number, text: EscapedText(output)))
    )
  }

  func put(event text: EscapedText, _ level: EventLevel) {
    let event = RecordedText(number: UInt64(level.rawValue), text: text)
    long(RecordedKind.event, FieldCoder.bytes(event))
  }

  func put(gapFrom from: UInt64, to: UInt64) {
    let gap = RecordedGap(from: from &- start, to: to &- start)
    long(RecordedKind.gap, FieldCoder.bytes(gap))
  }

  func putReset() { long(RecordedKind.reset, []) }

  /// Says that everything of this moment has been taken in, and writes what waits where it is time to.
  func putAdvance(_ now: UInt64) {
    short(RecordedKind.advance)
    if pending.count >= Self.bufferedBytes || now &- flushedAt >= Self.flushNanoseconds {
      flush()
      flushedAt = now
    }
  }

  // MARK: Bytes

  private func short(_ kind: UInt8, _ fields: UInt64...) {
    guard !isOver else { return }
    pending.put(kind)
    for field in fields { pending.put(varint: field) }
  }

  private func long(_ kind: UInt8, _ fields: [UInt8]) {
    guard !isOver, fields.count <= RecordingFormat.entryLimit else { return }
    if let before = last[Int(kind)], before == fields {
      return pending.put(kind | RecordedKind.same)
    }
    last[Int(kind)] = fields
    pending.put(kind)
    pending.put(varint: UInt64(fields.count))
    pending.put(fields)
  }

  /// Writes what waits.
  public func flush() {
    guard !isOver else { return }
    guard written + pending.count <= limit else {
      return end("recording off: its file is full")
    }
    guard let file else { return }
    do throws(PlatformError) {
      try file.write(pending.bytes)
      written += pending.count
      pending = ByteWriter()
    } catch {
      end("recording off: \(error.reason)")
    }
  }

  private func end(_ reason: String) {
    isOver = true
    failure = EscapedText(Array(reason.utf8))
    if file != nil { pending = ByteWriter() }
  }

  /// The failure, told once.
  func takeFailure() -> EscapedText? {
    defer { failure = nil }
    return failure
  }
}
