// What the person, or a signal, asks of the run; read by the loop between inferences.
import CPlatform
import Synchronization

/// Why a run stopped early.
public enum StopReason: Equatable, Sendable {
  /// `q` in the monitor.
  case user
  /// A signal: SIGINT (also for Ctrl-C in the monitor), SIGTERM or SIGHUP.
  case signal(Int32)
}

/// Wishes that cross threads; every member may be used from any thread.
public final class RunControl: Sendable {
  // 0: go on. -1: the user. Else a signal's number.
  private let stop = Atomic<Int32>(0)
  private let pause = Atomic<Bool>(false)
  private let resets = Atomic<Int>(0)
  /// Whether the run goes on, unseen, when its terminal is gone.
  public let continuesOnHangup: Bool

  /// Catches SIGINT, SIGTERM and SIGHUP unless told not to: the first asks the run to stop, a
  /// second one restores the terminal and ends the process at once. SIGUSR1 always has whoever watches
  /// the run save a snapshot, in the dashboard and without one.
  /// SIGHUP is ignored where the run goes on without its terminal.
  public init(catchesSignals: Bool = true, continuesOnHangup: Bool = false) {
    self.continuesOnHangup = continuesOnHangup
    kp_snapshot_catch()
    if continuesOnHangup { kp_ignore_hangup() }
    if catchesSignals { catchSignals() }
  }

  /// From now on those signals ask the run to stop.
  public func catchSignals() { kp_stop_signals_catch() }

  /// Whether the loop should end after the current inference.
  public var isStopRequested: Bool {
    stop.load(ordering: .relaxed) != 0 || kp_stop_signal() != 0
  }

  /// Why; nil while nobody asked.
  public var stopReason: StopReason? {
    let asked = stop.load(ordering: .relaxed)
    if asked < 0 { return .user }
    let signal = asked > 0 ? asked : kp_stop_signal()
    return signal == 0 ? nil : .signal(signal)
  }

  /// Asks the run to stop. The first reason stays.
  public func requestStop(_ reason: StopReason) {
    var value: Int32 = -1
    if case .signal(let number) = reason { value = number }
    _ = stop.compareExchange(expected: 0, desired: value, ordering: .relaxed)
  }

  /// Whether the run is to rest.
  public var isPaused: Bool { pause.load(ordering: .relaxed) }

  /// Asks the run to rest, or to go on.
  public func setPaused(_ isPaused: Bool) { pause.store(isPaused, ordering: .relaxed) }

  /// Sleeps while the run is paused and nobody asks it to stop. True when it slept.
  @discardableResult
  public func waitWhilePaused() -> Bool {
    guard isPaused else { return false }
    while isPaused, !isStopRequested { kp_sleep_ms(20) }
    return true
  }

  /// Asks for statistics to begin anew; loops with counters of their own look at `resetCount`.
  public func requestReset() { resets.wrappingAdd(1, ordering: .relaxed) }

  /// How often that was asked for.
  public var resetCount: Int { resets.load(ordering: .relaxed) }

  /// Ends the process the way the signal that stopped it would have: call it last.
  public static func die(bySignal number: Int32) -> Never { kp_die_by_signal(number) }
}
