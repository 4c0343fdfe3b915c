// What of a run is there before its model: its control, and the dashboard.
import BundleFormat
import Monitor
import Platform
import Synchronization
import Telemetry

/// Shows a run from its first moment: a dashboard that is sure to be drawn is on the screen before the
/// model is opened, which may take its time.
public final class RunView {
  /// Below this many inferences a run is over before anyone could look, and better read as lines.
  private static let fewInferences = 100

  /// When the run began, on the monotonic clock, in nanoseconds.
  let begin = Clock.monotonicNanoseconds
  let control: RunControl
  /// To be told by what opens the model.
  public let progress = LoadProgress()
  private let options: RunOptions
  private let source: OpeningRun
  /// What the dashboard calls when it ends the process.
  private let leave = Shared<@Sendable (Snapshot, StopReason) -> Void>({ snapshot, reason in
    Summary.print(snapshot, stopped: reason)
  })
  private var dashboard: Dashboard?
  private var isStarted = false

  /// Throws where a dashboard is asked for and cannot be drawn, and for options that cannot be meant.
  public init(_ options: RunOptions) throws(Failure) {
    try options.check()
    self.options = options
    control = RunControl(
      catchesSignals: false, continuesOnHangup: options.continuesOnHangup)
    source = OpeningRun(
      lastComponent(of: options.modelPath), progress, startNanoseconds: begin)
    let isLong =
      options.loops || options.durationSeconds ?? 0 >= 1
      || options.repeatCount >= Self.fewInferences
    try open(isLong: isLong)
    start()
  }

  /// Whether there is a dashboard: the answers are then not printed.
  var isDrawn: Bool { dashboard != nil }

  /// What opens the model and looks for its items; a failure of it ends the dashboard first.
  public func loading<T, E: Error>(_ body: () throws(E) -> T) throws(E) -> T {
    do throws(E) {
      return try body()
    } catch {
      stop()
      throw error
    }
  }

  /// Takes the terminal for a run over so many items, where it is not yet taken and the run is to be drawn.
  func open(itemCount: Int, isLive: Bool) throws(Failure) {
    let (count, isMore) = options.repeatCount.multipliedReportingOverflow(by: itemCount)
    try open(isLong: isLive || isMore || count >= Self.fewInferences)
  }

  /// Shows the run itself. From now on `served` belongs to the dashboard's
  /// thread, which calls `leave` when it ends the process.
  func watch(
    _ served: ServedRun, leave: @escaping @Sendable (Snapshot, StopReason) -> Void
  ) {
    self.leave.use { $0 = leave }
    source.become(served)
    start()
  }

  /// Ends drawing; what was watched then belongs to the caller.
  func stop() {
    dashboard?.stop()
    dashboard = nil
  }

  private func open(isLong: Bool) throws(Failure) {
    guard dashboard == nil, options.usesDashboard != false else { return }
    let isAsked = options.usesDashboard == true
    let isUsable =
      Standard.output.isTerminal && Standard.isInputTerminal && !options.isFormatGiven
      && Environment.getNonEmpty("CI") == nil && Environment.getNonEmpty("KNAPSACK_A11Y") == nil
    guard isAsked || (isUsable && isLong) else { return }
    dashboard = try Dashboard.onTerminal(isAsked: isAsked, theme: options.theme)
  }

  private func start() {
    guard let dashboard, !isStarted else { return }
    isStarted = true
    control.catchSignals()
    let leave = leave
    let isRunning = dashboard.start(source: source, control: control) { snapshot, reason in
      leave.use { $0 }(snapshot, reason)
    }
    if !isRunning { self.dashboard = nil }
  }
}

/// A file's name without the folders before it.
private func lastComponent(of path: String) -> [UInt8] {
  let bytes = Array(path.utf8)
  let start = bytes.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
  return start < bytes.count ? Array(bytes[start...]) : bytes
}
