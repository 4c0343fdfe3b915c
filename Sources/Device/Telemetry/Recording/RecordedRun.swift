// A recording taken in again: the same statistics, the same snapshots, at any moment of the run.

/// A recorded run. One thread at a time.
public final class RecordedRun: @unchecked Sendable {
  private var reader: RecordingReader
  private var statistics: RunStatistics
  private let header: RecordingHeader
  /// The moment that was reached on the recorded clock, and the entry that lies behind it.
  private var now: UInt64
  private var next: UInt64?
  /// The last moment of the recording that was taken in.
  private var lastMoment: UInt64

  /// Opens a recording; what it holds is read as it is taken in.
  public convenience init(path: String) throws(RecordingError) {
    self.init(try RecordingReader(path: path))
  }

  /// A recording in memory.
  public convenience init(bytes: [UInt8]) throws(RecordingError) {
    self.init(try RecordingReader(bytes))
  }

  private init(_ reader: RecordingReader) {
    self.reader = reader
    header = reader.header
    now = header.startNanoseconds
    lastMoment = now
    statistics = RunStatistics(
      facts: RunFacts(), nowNanoseconds: now,
      gridGramsPerKilowattHour: header.gridGramsPerKilowattHour)
  }

  /// Whether everything has been taken in.
  public private(set) var isAtEnd = false
  /// Whether the recording ends in the middle of an entry.
  public var isCut: Bool { reader.isCut }
  /// What the run was doing.
  public var runState: RunState { statistics.status.state }
  /// Seconds of the run that were taken in.
  public var elapsedSeconds: Double { statistics.seconds(header.startNanoseconds, now) }
  /// The local time of day then.
  public var secondOfDay: Int {
    (header.secondOfDay + Int(min(elapsedSeconds, 1e9))) % 86_400
  }

  /// Takes in what happened up to a moment of the run, or up to the end.
  public func advance(toSeconds seconds: Double) throws(RecordingError) {
    let limit = Double(RecordingFormat.latest - header.startNanoseconds)
    let span = seconds.isFinite ? min(max((seconds * 1e9).rounded(), 0), limit) : limit
    let target = header.startNanoseconds + UInt64(span)
    while !isAtEnd {
      if let moment = next {
        guard moment <= target else { break }
        lastMoment = moment
        next = nil
      }
      guard let entry = try reader.next() else {
        isAtEnd = true
        break
      }
      take(entry)
    }
    now = max(now, isAtEnd ? min(target, lastMoment) : target)
  }

  private func take(_ entry: RecordedEntry) {
    switch entry {
    case .moment(let moment): next = moment
    case .sample(let sample): statistics.take(sample)
    case .advance: statistics.advance(to: lastMoment, statistics.status)
    case .facts(let facts): takeFacts(facts)
    case .status(let status): statistics.status = status
    case .text(let text):
      statistics.take(
        text: text.text.utf8, tag: UInt8(truncatingIfNeeded: text.number), now: lastMoment)
    case .output(let line): statistics.take(output: line.text.utf8, number: line.number)
    case .power(let look): statistics.take(look, at: lastMoment)
    case .attempts(let list): statistics.powerTried = list
    case .system(let look): statistics.take(look, at: lastMoment)
    case .gap(let gap):
      let start = header.startNanoseconds
      statistics.exclude(from: start + gap.from, to: start + gap.to)
    case .event(let event):
      let level = EventLevel(rawValue: UInt8(truncatingIfNeeded: event.number)) ?? .note
      statistics.addEvent(level, event.text, now: lastMoment)
    case .reset: statistics.reset()
    }
  }

  private var hasFacts = false

  /// The first are what was known before the bundle was loaded.
  private func takeFacts(_ facts: RunFacts) {
    if hasFacts {
      statistics.take(facts)
    } else {
      hasFacts = true
      statistics.setFacts(facts)
    }
  }

  /// What was known at the moment that was reached. `windowSeconds`: 1…600; nil is the whole run.
  public func snapshot(windowSeconds: Int? = RateWindow.seconds) -> Snapshot {
    var snapshot = statistics.snapshot(now: now, windowSeconds: windowSeconds)
    snapshot.picture = PictureReading(unknown: EscapedText("recordings hold no pictures"))
    return snapshot
  }
}
