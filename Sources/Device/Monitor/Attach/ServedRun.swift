// A run in this process, watched here and from other processes.
import Platform
import Telemetry

/// A run that viewers in other processes can attach to: `knapsack top`. Where its socket cannot be
/// opened, the run goes on without.
public final class ServedRun: MonitorSource, @unchecked Sendable {
  private let collector: Collector
  private let control: RunControl
  private var server: ViewerServer?
  private var isPictureShown = false
  /// Why nobody can attach; nil where one can.
  public let refusal: PlatformError?

  /// Opens the socket of this process, in the runtime folder unless told where.
  public init(_ collector: Collector, _ control: RunControl, folder: String? = nil) {
    self.collector = collector
    self.control = control
    do throws(PlatformError) {
      server = try ViewerServer(folder: folder)
      refusal = nil
    } catch {
      server = nil
      refusal = error
    }
  }

  /// Where viewers call; nil where they cannot.
  public var socketPath: String? { server?.path }

  public var runState: RunState { collector.runState }
  public var stopsWithView: Bool { true }
  public var secondOfDay: Int? { collector.secondOfDay }
  public func setPaused(_ isPaused: Bool) { collector.setPaused(isPaused) }
  public func addMonitorCost(nanoseconds: UInt64) {
    collector.addMonitorCost(nanoseconds: nanoseconds)
  }

  public func setPictureShown(_ isShown: Bool) {
    isPictureShown = isShown
    tellOfPictures()
  }

  /// Pictures are made for whoever watches, here or elsewhere.
  private func tellOfPictures() {
    collector.setPictureShown(isPictureShown || server?.wantsPicture ?? false)
  }

  public func poll(nowNanoseconds now: UInt64) {
    tellOfPictures()
    collector.poll(nowNanoseconds: now)
    server?.serve(collector, nowNanoseconds: now) { request in
      switch request {
      case .pause: control.setPaused(!control.isPaused)
      case .resetStatistics: control.requestReset()
      case .mark: collector.addEvent(.note, "mark", nowNanoseconds: now)
      }
    }
  }

  public var pollNanoseconds: UInt64 {
    let own = collector.pollNanoseconds
    return server.map { min(own, $0.pollNanoseconds) } ?? own
  }

  public func snapshot(nowNanoseconds now: UInt64, windowSeconds: Int?) -> Snapshot {
    collector.snapshot(nowNanoseconds: now, windowSeconds: windowSeconds)
  }

  public func exclude(fromNanoseconds from: UInt64, toNanoseconds to: UInt64) {
    collector.exclude(fromNanoseconds: from, toNanoseconds: to)
  }

  public func addEvent(_ level: EventLevel, _ text: StaticString, nowNanoseconds now: UInt64) {
    collector.addEvent(level, text, nowNanoseconds: now)
  }

  public func beginTrace(inferenceCount: Int, nowNanoseconds now: UInt64) -> Bool {
    collector.beginTrace(inferenceCount: inferenceCount, nowNanoseconds: now)
  }

  public func reset(nowNanoseconds now: UInt64) { collector.reset(nowNanoseconds: now) }

  /// Shows viewers how it ended, hangs up and removes the socket. To be called once the monitor's
  /// thread has ended.
  public func end(_ last: Snapshot) {
    server?.end(last)
    server = nil
  }
}
