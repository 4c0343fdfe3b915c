// Where a dashboard's snapshots come from: a run in this process, one elsewhere, or a recorded one.
import CPlatform
import Telemetry

/// What a dashboard watches. Its members belong to the dashboard's thread, unless a type says more.
///
/// Times are those of this process's monotonic clock, in nanoseconds; a source whose run has
/// another clock converts them.
public protocol MonitorSource: AnyObject, Sendable {
  /// What the run is doing.
  var runState: RunState { get }
  /// Whether the run ends when its dashboard is left.
  var stopsWithView: Bool { get }
  /// The local time of day that the header shows, in seconds; nil leaves it out.
  var secondOfDay: Int? { get }

  /// Asks the run to rest, or to go on; said as often as the dashboard wakes.
  func setPaused(_ isPaused: Bool)
  /// Takes in what is new. To be called again within `pollNanoseconds`.
  func poll(nowNanoseconds: UInt64)
  /// How long this need not be polled after a poll, in nanoseconds.
  var pollNanoseconds: UInt64 { get }
  /// What is known now. `windowSeconds`: 1…600; nil is the whole run.
  func snapshot(nowNanoseconds: UInt64, windowSeconds: Int?) -> Snapshot
  /// Says that this process was stopped in this stretch of time.
  func exclude(fromNanoseconds: UInt64, toNanoseconds: UInt64)
  /// Adds an event of the dashboard's own.
  func addEvent(_ level: EventLevel, _ text: StaticString, nowNanoseconds: UInt64)
  /// Forgets all statistics so far.
  func reset(nowNanoseconds: UInt64)
  /// Has the next inferences traced, each with all its steps. False where one is being traced, or none
  /// can be: the trace's path comes as an event.
  func beginTrace(inferenceCount: Int, nowNanoseconds: UInt64) -> Bool
  /// Says that a thread of the monitor took so much processor time more.
  func addMonitorCost(nanoseconds: UInt64)
  /// Says whether snapshots are to have the picture of the last item; a run makes none unasked.
  func setPictureShown(_ isShown: Bool)
}

extension MonitorSource {
  public var pollNanoseconds: UInt64 { 100_000_000 }

  /// What watching costs is told of a run in this process alone.
  public func addMonitorCost(nanoseconds: UInt64) {}

  /// A run elsewhere, or one that is over, is not traced from here.
  public func beginTrace(inferenceCount: Int, nowNanoseconds: UInt64) -> Bool { false }
}

extension Collector: MonitorSource {
  public var stopsWithView: Bool { true }
  public var secondOfDay: Int? { Int(kp_local_second_of_day()) }
}
