// The side of the run: whoever calls its socket is sent snapshots, and never waited for.
import Platform
import Telemetry

/// Serves viewers in other processes. Used by the thread that reads the run.
final class ViewerServer {
  private static let viewerLimit = 16
  /// The longest that a viewer may say, and how much of it is listened to at once.
  private static let requestBytes = 4096
  private static let requestsAtOnce = 16

  private final class Viewer {
    let connection: LocalConnection
    var wish = ViewerWish()
    var buffer = MessageBuffer(limit: ViewerServer.requestBytes)
    var pending: [UInt8] = []
    var sent = 0
    var dueAt: UInt64 = 0
    /// How many steps and what name the facts had that were sent.
    var facts: (steps: Int, name: EscapedText)?

    init(_ connection: LocalConnection) { self.connection = connection }

    /// Sends on; whether everything has been taken.
    func flush() -> Bool {
      if sent < pending.count { sent += connection.send(pending, from: sent) }
      guard sent == pending.count else { return false }
      pending = []
      sent = 0
      return true
    }

    func send(_ message: RunMessage) { if let bytes = message.bytes { pending += bytes } }
  }

  private let listener: LocalListener
  private var viewers: [Viewer] = []

  /// The socket's path.
  var path: String { listener.path }

  /// Opens this process's socket, in the runtime folder unless told where.
  init(folder: String? = nil) throws(PlatformError) {
    let place: String
    if let folder { place = folder } else { place = try RuntimeFolder.make() }
    listener = try LocalListener(
      path: RuntimeFolder.socket(place, process: RuntimeFolder.ownProcess))
  }

  /// Greets callers, hears requests and sends what is due. `request` is called with what viewers ask.
  func serve(
    _ source: some MonitorSource, nowNanoseconds now: UInt64, request: (ViewerRequest) -> Void
  ) {
    greet(source, now)
    for viewer in viewers {
      hear(viewer, request)
      guard viewer.connection.isOpen, viewer.flush(), now >= viewer.dueAt else { continue }
      // A moment of a rhythm; those that a slow viewer missed are left out.
      viewer.dueAt = now + 1_000_000_000 / UInt64(viewer.wish.hertz) - 10_000_000
      let snapshot = source.snapshot(
        nowNanoseconds: now, windowSeconds: viewer.wish.windowSeconds)
      send(snapshot, to: viewer)
    }
    viewers.removeAll { !$0.connection.isOpen }
  }

  /// Sends the last snapshot, as far as viewers take it at once, and hangs up.
  func end(_ snapshot: Snapshot) {
    for viewer in viewers where viewer.flush() {
      send(snapshot, to: viewer)
      viewer.send(.end)
      _ = viewer.flush()
    }
    viewers = []
  }

  private func greet(_ source: some MonitorSource, _ now: UInt64) {
    while let connection = listener.accept() {
      guard viewers.count < Self.viewerLimit else { continue }
      let viewer = Viewer(connection)
      let snapshot = source.snapshot(nowNanoseconds: now, windowSeconds: RateWindow.seconds)
      var greeting = RunGreeting()
      greeting.process = RuntimeFolder.ownProcess
      greeting.name = snapshot.facts.bundleName
      greeting.state = snapshot.state
      greeting.elapsedSeconds = snapshot.elapsedSeconds
      viewer.send(.greeting(greeting))
      viewers.append(viewer)
    }
  }

  /// How long `serve` need not be called: viewers want ten snapshots a second, callers wait longer.
  var pollNanoseconds: UInt64 { viewers.isEmpty ? 500_000_000 : 100_000_000 }

  /// Whether a viewer is to be shown pictures.
  var wantsPicture: Bool { viewers.contains { $0.wish.wantsPicture } }

  private func send(_ snapshot: Snapshot, to viewer: Viewer) {
    let facts = (snapshot.facts.steps.count, snapshot.facts.bundleName)
    if viewer.facts.map({ $0 != facts }) ?? true {
      viewer.facts = facts
      if let bytes = RunMessage.facts(snapshot.facts).bytes {
        viewer.pending += bytes
      } else {
        // More steps than any viewer takes.
        var fewer = snapshot.facts
        fewer.steps = []
        viewer.send(.facts(fewer))
      }
    }
    var told = snapshot
    if !viewer.wish.wantsPicture { told.picture = .awaited }
    viewer.send(.snapshot(told))
    _ = viewer.flush()
  }

  private func hear(_ viewer: Viewer, _ request: (ViewerRequest) -> Void) {
    viewer.buffer.append(viewer.connection.receive())
    do throws(RecordingError) {
      for _ in 0..<Self.requestsAtOnce {
        guard let message = try viewer.buffer.next() else { return }
        switch message {
        case .wish(let wish):
          viewer.wish = wish
          viewer.dueAt = 0
        case .request(let asked): request(asked)
        default: throw RecordingError(offset: 4, reason: .unknown(0))
        }
      }
      // Nobody types so fast.
      viewer.connection.hangUp()
    } catch {
      viewer.connection.hangUp()
    }
  }
}
