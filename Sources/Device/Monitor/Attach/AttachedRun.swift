// A run in another process, as something to watch.
import CPlatform
import Platform
import Telemetry

/// The viewer's side: takes snapshots from a running loop's socket.
///
/// The run is asked for as many snapshots as are looked at. What it sends is not believed further
/// than its bytes go; where they make no sense, it is hung up on.
public final class AttachedRun: MonitorSource, @unchecked Sendable {
  private let connection: LocalConnection
  private var buffer = MessageBuffer()
  private var facts = RunFacts()
  private var last = Snapshot()
  private var wish = ViewerWish()
  private var isEnded = false
  private var error: RecordingError?
  private var wasPaused = false
  private var isPictureShown = false
  private var looks: (count: Int, since: UInt64) = (0, 0)
  /// What the run said first; nil while it has said nothing.
  public private(set) var greeting: RunGreeting?

  /// Calls a running loop's socket.
  public init(path: String) throws(PlatformError) {
    connection = try LocalConnection(path: path)
    say(.wish(wish))
  }

  /// Waits until the run has said who it is, at most so long. Nil where it does not.
  public func waitForGreeting(milliseconds: Int32) -> RunGreeting? {
    var rest = milliseconds
    while greeting == nil, rest > 0, connection.isOpen, error == nil {
      connection.waitForBytes(milliseconds: min(rest, 50))
      receive()
      rest -= 50
    }
    return greeting
  }

  /// Whether the run has ended, or can be heard no more.
  public var isOver: Bool { isEnded || error != nil || !connection.isOpen }

  public var runState: RunState { isOver ? .done : last.state }
  public var stopsWithView: Bool { false }
  public var secondOfDay: Int? { Int(kp_local_second_of_day()) }

  private func say(_ message: RunMessage) {
    guard let bytes = message.bytes else { return }
    // A run that does not take a few bytes is not listening at all.
    if connection.send(bytes) < bytes.count { connection.hangUp() }
  }

  private func receive() {
    do throws(RecordingError) {
      // As much as one message can be, so that a run that never stops talking is no trap.
      for _ in 0..<80 {
        let bytes = connection.receive()
        if bytes.isEmpty { break }
        buffer.append(bytes)
        while let message = try buffer.next() { take(message) }
      }
    } catch {
      self.error = error
      connection.hangUp()
    }
  }

  private func take(_ message: RunMessage) {
    switch message {
    case .greeting(let greeting): self.greeting = self.greeting ?? greeting
    case .facts(let facts): self.facts = facts
    case .snapshot(var snapshot):
      snapshot.join(facts)
      last = snapshot
    case .end: isEnded = true
    case .wish, .request: break
    }
  }

  /// P toggles; the run itself knows whether it rests.
  public func setPaused(_ isPaused: Bool) {
    guard isPaused != wasPaused else { return }
    wasPaused = isPaused
    say(.request(.pause))
  }

  /// The wish goes with the next snapshot that is asked for.
  public func setPictureShown(_ isShown: Bool) { isPictureShown = isShown }

  public func poll(nowNanoseconds now: UInt64) { receive() }

  public func snapshot(nowNanoseconds now: UInt64, windowSeconds: Int?) -> Snapshot {
    ask(windowSeconds, now)
    receive()
    guard isOver else { return last }
    var snapshot = last
    if snapshot.state != .failed { snapshot.state = .done }
    snapshot.events.append(
      EventRow(elapsedSeconds: snapshot.elapsedSeconds, level: .note, text: ending))
    return snapshot
  }

  private var ending: EscapedText {
    if let error { return EscapedText(Array("hung up: \(error)".utf8)) }
    return isEnded ? EscapedText("the run is over") : EscapedText("the run has gone")
  }

  /// Asks for as many snapshots a second as were looked at in the last one.
  private func ask(_ windowSeconds: Int?, _ now: UInt64) {
    looks.count += 1
    var next = wish
    next.windowSeconds = windowSeconds
    next.wantsPicture = isPictureShown
    if looks.since == 0 { looks = (0, now) }
    if now >= looks.since + 1_000_000_000 {
      next.hertz = min(max(looks.count, 1), 10)
      looks = (0, now)
    }
    guard next != wish, !isOver else { return }
    wish = next
    say(.wish(wish))
  }

  // Time that this process was stopped is no time of the run.
  public func exclude(fromNanoseconds: UInt64, toNanoseconds: UInt64) {}
  public func addEvent(_ level: EventLevel, _ text: StaticString, nowNanoseconds: UInt64) {
    say(.request(.mark))
  }
  public func reset(nowNanoseconds: UInt64) { say(.request(.resetStatistics)) }
}
