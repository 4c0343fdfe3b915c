// The metrics port: a thread that answers a few short requests, whatever the peers do.
import CPlatform
import Platform
import Synchronization

/// Answers `GET /metrics`. At most eight connections at a time, four kilobytes and five seconds for a
/// request, five more for its answer; everything else is refused or closed.
public final class MetricsServer: Sendable {
  private let listener: Listener
  private let wakeUp: WakeUp
  private let isEnding = Atomic<Bool>(false)
  private let thread = Shared<MonitorThread?>(nil)

  /// Begins to listen; nobody is answered yet.
  public init(_ address: ListenAddress) throws(PlatformError) {
    guard let wakeUp = WakeUp() else {
      throw PlatformError(operation: "listen", path: address.text, errno: EMFILE)
    }
    self.wakeUp = wakeUp
    listener = try Listener(address: address.host, port: address.port)
  }

  /// The port that is listened at.
  public var port: Int { listener.port }

  /// Begins to answer. page: the body of the one page, asked for on the server's thread; cost: told of
  /// the processor time that the thread took. False where there can be no thread.
  public func start(
    page: @escaping @Sendable () -> [UInt8], cost: @escaping @Sendable (UInt64) -> Void
  ) -> Bool {
    let loop = ServerLoop(listener, wakeUp, page: page)
    let started = MonitorThread { [self] in
      var cpu = kp_thread_cpu_ns()
      while !isEnding.load(ordering: .acquiring) {
        loop.turn()
        let now = kp_thread_cpu_ns()
        cost(now - cpu)
        cpu = now
      }
    }
    thread.use { $0 = started }
    return started != nil
  }

  /// Ends the thread.
  public func stop() {
    isEnding.store(true, ordering: .releasing)
    wakeUp.call()
    let running = thread.use { thread in
      defer { thread = nil }
      return thread
    }
    running?.join()
  }
}

/// The connections, on the server's thread.
private final class ServerLoop: @unchecked Sendable {
  private static let mostConnections = 8
  private static let patienceNanoseconds: UInt64 = 5_000_000_000
  /// What a peer may still send while its answer is on the way.
  private static let mostIgnored = 1 << 16

  private struct Peer {
    var connection: Connection
    var received: [UInt8] = []
    /// Empty until the request is whole.
    var answer: [UInt8] = []
    var sentCount = 0
    var ignoredCount = 0
    var deadline: UInt64

    var isSending: Bool { sentCount < answer.count }
  }

  private let listener: Listener
  private let wakeUp: WakeUp
  private let page: @Sendable () -> [UInt8]
  private var peers: [Peer] = []

  init(_ listener: Listener, _ wakeUp: WakeUp, page: @escaping @Sendable () -> [UInt8]) {
    self.listener = listener
    self.wakeUp = wakeUp
    self.page = page
  }

  /// Waits for something to do, and does it.
  func turn() {
    var entries = [Polling.Entry(wakeUp.descriptor)]
    for peer in peers {
      entries.append(Polling.Entry(peer.connection.descriptor, isOutput: peer.isSending))
    }
    // A full house leaves others waiting.
    let hasRoom = peers.count < Self.mostConnections
    if hasRoom { entries.append(Polling.Entry(listener.descriptor)) }
    Polling.wait(&entries, milliseconds: untilDeadline())
    let now = kp_now_ns()
    var kept: [Peer] = []
    for (i, peer) in peers.enumerated() {
      var peer = peer
      let isAlive = !entries[i + 1].isReady || serve(&peer, now)
      if isAlive, now < peer.deadline { kept.append(peer) }
    }
    peers = kept
    if hasRoom, entries[entries.count - 1].isReady, let connection = listener.accept() {
      peers.append(Peer(connection: connection, deadline: now + Self.patienceNanoseconds))
    }
  }

  private func untilDeadline() -> Int32 {
    guard let first = peers.map({ $0.deadline }).min() else { return -1 }
    let now = kp_now_ns()
    return first > now ? Int32(clamping: (first - now) / 1_000_000 + 1) : 0
  }

  /// One step with a peer. False when its connection is over.
  private func serve(_ peer: inout Peer, _ now: UInt64) -> Bool {
    do throws(PlatformError) {
      if peer.isSending {
        peer.sentCount += try peer.connection.send(peer.answer, from: peer.sentCount)
        if !peer.isSending { peer.connection.endSending() }
        return true
      }
      guard let bytes = try peer.connection.receive(limit: MetricsRequest.limit) else {
        return true
      }
      if bytes.isEmpty { return false }
      guard peer.answer.isEmpty else {
        // The answer is on its way: closing now would cut it off.
        peer.ignoredCount += bytes.count
        return peer.ignoredCount < Self.mostIgnored
      }
      peer.received += bytes
      let verdict = MetricsRequest.judge(peer.received)
      guard verdict != .incomplete else { return true }
      peer.answer = MetricsRequest.answer(verdict, page: page)
      peer.received = []
      peer.deadline = now + Self.patienceNanoseconds
      return true
    } catch {
      return false
    }
  }
}
