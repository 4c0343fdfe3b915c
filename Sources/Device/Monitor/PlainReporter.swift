// The monitor where there is no screen: a line per interval, nothing that moves a cursor.
import Bytes
import CPlatform
import Platform
import Synchronization
import Telemetry

/// Prints one line per interval from a thread of its own, and keeps the source polled.
public final class PlainReporter {
  private let stream: Standard
  private let intervalNanoseconds: UInt64
  private let prints: Bool
  private let isEnding: EndFlag
  private var thread: MonitorThread?

  /// Lines go to `stream` every `intervalSeconds`; `prints` false only collects.
  public init(stream: Standard = .error, intervalSeconds: Double = 10, prints: Bool = true) {
    self.stream = stream
    self.prints = prints
    intervalNanoseconds = UInt64(min(max(intervalSeconds, 0.1), 86_400) * 1e9)
    isEnding = EndFlag()
  }

  /// Begins to collect and print. False when there can be no thread: the caller then polls the
  /// collector itself.
  @discardableResult
  public func start(source: some MonitorSource, control: RunControl) -> Bool {
    let stream = stream
    let interval = intervalNanoseconds
    let prints = prints
    let flag = isEnding
    thread = MonitorThread {
      var due = kp_now_ns() + interval
      var resets = control.resetCount
      var cost = kp_thread_cpu_ns()
      var rest = source.pollNanoseconds
      while !flag.isSet {
        let wait = min(rest, due - min(due, kp_now_ns()))
        _ = kp_terminal_wait(Int32(clamping: (wait + 999_999) / 1_000_000), 0)
        let now = kp_now_ns()
        if control.resetCount != resets {
          resets = control.resetCount
          source.reset(nowNanoseconds: now)
        }
        source.setPaused(control.isPaused)
        source.poll(nowNanoseconds: now)
        rest = source.pollNanoseconds
        let cpu = kp_thread_cpu_ns()
        source.addMonitorCost(nanoseconds: cpu - cost)
        cost = cpu
        if kp_snapshot_asked() != 0 {
          Self.save(source.snapshot(nowNanoseconds: now, windowSeconds: RateWindow.seconds))
        }
        guard now >= due else { continue }
        due += max(1, (now - due) / interval + 1) * interval
        guard prints else { continue }
        try? stream.write(
          Self.line(source.snapshot(nowNanoseconds: now, windowSeconds: RateWindow.seconds)))
      }
    }
    return thread != nil
  }

  /// Ends the thread. The source then belongs to the caller.
  public func stop() {
    isEnding.set()
    kp_wake()
    thread?.join()
    thread = nil
  }

  /// Saves a snapshot, and says where on standard error.
  private static func save(_ snapshot: Snapshot) {
    do throws(PlatformError) {
      let path = try SavedSnapshot.write(
        snapshot, UIState(), size: SavedSnapshot.size, isUnicode: kp_locale_is_utf8() != 0)
      Standard.error.say("saved \(path) and .txt")
    } catch {
      Standard.error.say("not saved: \(error)")
    }
  }

  /// `00:00:10 n=2014 p50=4.81ms … energy=33.9mJ temp=68.2C`, with a line feed. A figure that is
  /// not known is `-`.
  public static func line(_ snapshot: Snapshot) -> [UInt8] {
    var text = TextBuffer()
    text.put(bytes: Figure.clock(snapshot.elapsedSeconds))
    if snapshot.state != .running {
      text.put(" state=")
      text.put(snapshot.state.name)
    }
    text.put(" n=")
    text.put(snapshot.inferenceCount)
    let unit = Panel.unit(snapshot)
    for (name, value) in [
      (" p50=", snapshot.latency.p50), (" p95=", snapshot.latency.p95),
      (" p99=", snapshot.latency.p99),
    ] {
      text.put(name)
      putFigure(unit.three(value), EscapedText(unit.plainName).string, into: &text)
    }
    text.put(" rate=")
    putFigure(Figure.three(snapshot.perSecond), "/s", into: &text)
    if let tokens = snapshot.tokens { putTokens(tokens, into: &text) }
    text.put(" mem=")
    text.put(bytes: compact(Figure.mebibytes(snapshot.memory.resident)))
    if snapshot.memory.budget != nil {
      text.put("/")
      text.put(bytes: compact(Figure.mebibytes(snapshot.memory.budget)))
    }
    if snapshot.memory.resident != nil { text.put("MiB") }
    text.put(" power=")
    putFigure(Figure.three(snapshot.power.watts), "W", into: &text)
    if snapshot.power.watts != nil { text.put(bytes: Panel.gradeText(snapshot.power)) }
    text.put(" energy=")
    let (energy, energyUnit) = Panel.energy(snapshot.power.joulesPerInference)
    putFigure(energy, EscapedText(energyUnit).string.filter { $0 != " " }, into: &text)
    text.put(" temp=")
    putFigure(Figure.fixed(snapshot.thermal.celsius, 1), "C", into: &text)
    text.put(" throttle=")
    text.put(snapshot.throttle.isThrottled.map { $0 ? "yes" : "none" } ?? "-")
    if let accuracy = snapshot.accuracy {
      text.put(" accuracy=")
      text.put(accuracy * 100, places: 1)
      text.put("%")
    }
    if snapshot.lostSampleCount > 0 {
      text.put(" lost=")
      text.put(snapshot.lostSampleCount)
    }
    text.endLine()
    return text.bytes
  }

  /// ` requests=28 tokens=5264 decode=38.2/s prefill=612/s ttft=118ms`
  private static func putTokens(_ tokens: TokenReading, into text: inout TextBuffer) {
    text.put(" requests=")
    text.put(tokens.requestCount)
    text.put(" tokens=")
    text.put(tokens.outputTokenCount)
    text.put(" decode=")
    putFigure(Figure.three(tokens.decodePerSecond), "/s", into: &text)
    text.put(" prefill=")
    putFigure(Figure.three(tokens.prefillPerSecond), "/s", into: &text)
    text.put(" ttft=")
    let unit = TimeUnit.fitting(tokens.firstToken.p50.map { Double($0) })
    putFigure(
      unit.three(tokens.firstToken.p50), EscapedText(unit.plainName).string, into: &text)
  }

  private static func compact(_ figure: [UInt8]) -> [UInt8] { figure.filter { $0 != 0x20 } }

  private static func putFigure(_ figure: [UInt8], _ unit: String, into text: inout TextBuffer) {
    text.put(bytes: compact(figure))
    if figure != Figure.unknown { text.put(unit) }
  }
}

/// A flag that ends a thread.
final class EndFlag: Sendable {
  private let flag = Atomic<Bool>(false)
  var isSet: Bool { flag.load(ordering: .acquiring) }
  func set() { flag.store(true, ordering: .releasing) }
}
