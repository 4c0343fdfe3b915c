// The dashboard: a thread that reads keys, takes snapshots and shows frames.
import CPlatform
import Platform
import Telemetry

/// The full-screen monitor of one run.
///
/// It draws on a thread of its own, so keys work while an inference takes as long as it takes:
/// `q` asks the run to stop and, when the loop has not answered within 2 s (`.stopping` or `.done`),
/// ends the process with the terminal restored and the summary printed.
public final class Dashboard {
  private let loop: DashboardLoop
  private var thread: MonitorThread?

  /// Takes the terminal. `type` is TERM's value. Throws when there is no terminal that can show a
  /// full screen: run in plain mode then.
  public init(
    terminalType type: [UInt8], allowsColor: Bool, theme: Theme = .standard
  ) throws(TerminalError) {
    loop = DashboardLoop(try Terminal(type: type, allowsColor: allowsColor), theme: theme)
  }

  /// Draws the first frame and goes on drawing until `stop`. False when there can be no thread;
  /// the terminal is given back then.
  ///
  /// `leave` is called on the dashboard's thread when the process is about to end at once, with
  /// the terminal already restored: by default it prints the summary on standard output.
  @discardableResult
  public func start(
    source: some MonitorSource, control: RunControl,
    leave: @escaping @Sendable (Snapshot, StopReason) -> Void = { snapshot, reason in
      Summary.print(snapshot, stopped: reason)
    }
  ) -> Bool {
    let loop = loop
    thread = MonitorThread { loop.run(source, control, leave: leave) }
    if thread == nil { loop.terminal.restore() }
    return thread != nil
  }

  /// Ends drawing and gives the terminal back. The source then belongs to the caller.
  public func stop() {
    loop.isEnding.set()
    kp_wake()
    thread?.join()
    thread = nil
    loop.terminal.restore()
  }

  deinit { stop() }
}
