// A recorded run as something to watch: at its own pace, or at one moment of it.
import CPlatform
import Telemetry

/// Plays a recording on the monotonic clock, from a moment on. It ends with its last state on the
/// screen.
public final class ReplaySource: MonitorSource, @unchecked Sendable {
  private let run: RecordedRun
  private var reached: Double
  private var polledAt: UInt64?
  private var isPaused = false
  private var error: RecordingError?

  /// Begins `seconds` into the run. What is wrong with the recording up to there is thrown; what is
  /// wrong behind ends it with an event.
  public init(_ run: RecordedRun, fromSeconds seconds: Double) throws(RecordingError) {
    self.run = run
    reached = max(0, seconds)
    try run.advance(toSeconds: reached)
    reached = min(reached, run.elapsedSeconds)
  }

  public var runState: RunState { run.runState }
  public var stopsWithView: Bool { false }
  public var secondOfDay: Int? { run.secondOfDay }

  /// Holds the replay; the run that was recorded is what it was.
  public func setPaused(_ isPaused: Bool) { self.isPaused = isPaused }

  public func poll(nowNanoseconds now: UInt64) {
    defer { polledAt = now }
    guard let polledAt, now > polledAt, !isPaused, error == nil, !run.isAtEnd else { return }
    reached += Double(now - polledAt) / 1e9
    do throws(RecordingError) {
      try run.advance(toSeconds: reached)
    } catch {
      self.error = error
    }
  }

  public func snapshot(nowNanoseconds now: UInt64, windowSeconds: Int?) -> Snapshot {
    poll(nowNanoseconds: now)
    var snapshot = run.snapshot(windowSeconds: windowSeconds)
    if isPaused { snapshot.state = .paused }
    if let text = ending {
      snapshot.events.append(
        EventRow(elapsedSeconds: snapshot.elapsedSeconds, level: .note, text: text))
    }
    return snapshot
  }

  private var ending: EscapedText? {
    if let error { return EscapedText(Array("the recording is damaged: \(error)".utf8)) }
    guard run.isAtEnd else { return nil }
    return run.isCut
      ? EscapedText("the recording ends in the middle of an entry")
      : EscapedText("the recording ends here")
  }

  // The recorded run is over: nothing can be asked of it.
  public func exclude(fromNanoseconds: UInt64, toNanoseconds: UInt64) {}
  public func addEvent(_ level: EventLevel, _ text: StaticString, nowNanoseconds: UInt64) {}
  public func reset(nowNanoseconds: UInt64) {}
  public func setPictureShown(_ isShown: Bool) {}
}

extension MonitorView {
  /// The screen of a recorded run at the moment that it was advanced to, after keys were typed, on a
  /// terminal that shows everything. It depends on the recording alone.
  public static func frame(_ run: RecordedRun, size: Size, keys: [UInt8]) -> Frame {
    var snapshot = run.snapshot()
    var ui = UIState()
    ui.secondOfDay = run.secondOfDay
    var decoder = KeyDecoder()
    var typed: [Key] = []
    for byte in keys { if let key = decoder.take(byte) { typed.append(key) } }
    if let key = decoder.flush() { typed.append(key) }
    for key in typed where !(ui.isFiltering && ui.type(key)) {
      guard let action = key.action else { continue }
      guard action == .freeze else {
        ui.navigate(action, snapshot, size: size)
        continue
      }
      let frozen = FrozenView(
        elapsedSeconds: snapshot.elapsedSeconds, livePerSecond: snapshot.perSecond)
      ui.frozen = ui.frozen == nil ? frozen : nil
    }
    snapshot = run.snapshot(windowSeconds: ui.window.seconds)
    return frame(
      snapshot, size: size, capabilities: Capabilities(colors: 256, isUnicode: true), ui: ui)
  }
}
