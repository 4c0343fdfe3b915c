// What the dashboard's thread does.
import CPlatform
import Telemetry

/// The state of the dashboard's thread; used by that thread alone once it runs.
final class DashboardLoop: @unchecked Sendable {
  /// Settling, then ten seconds of measuring.
  private static let idleNanoseconds: UInt64 = 11_000_000_000
  private static let graceNanoseconds: UInt64 = 2_000_000_000
  private static let rates = [1, 2, 4, 10]
  private static let traceCount = 100

  let terminal: Terminal
  let isEnding = EndFlag()
  private var ui = UIState()
  private var keys = KeyDecoder()
  private var snapshot = Snapshot()
  private var isTerminalGone = false
  private var leaveBy: UInt64?
  private var drawnAt: UInt64 = 0
  private var quickFrames = 0
  private var chosenRate = 4
  private var cpuMark: (wall: UInt64, cpu: UInt64) = (0, 0)
  private var monitorPercent: Double?
  private var resets = 0
  private var resumeAt: UInt64?
  private var notes = DashboardNotes()
  private var settling = ResizeSettling()

  init(_ terminal: Terminal, theme: Theme) {
    self.terminal = terminal
    ui.theme = theme
  }

  /// Draws and listens until told to end.
  func run(
    _ source: some MonitorSource, _ control: RunControl,
    leave: @Sendable (Snapshot, StopReason) -> Void
  ) {
    resets = control.resetCount
    cpuMark = (kp_now_ns(), kp_thread_cpu_ns())
    var drawBy: UInt64 = 0
    // A storm of signals wakes more often than the source needs.
    var pollBy: UInt64 = 0
    while !isEnding.isSet {
      let now = kp_now_ns()
      if let moment = resumeAt, now >= moment || !control.isPaused {
        resumeAt = nil
        control.setPaused(false)
      }
      source.setPaused(control.isPaused)
      if now >= pollBy || (now >= drawBy && settling.due == nil) {
        source.poll(nowNanoseconds: now)
        pollBy = now + source.pollNanoseconds
      }
      if control.resetCount != resets {
        resets = control.resetCount
        source.reset(nowNanoseconds: now)
      }
      watchStop(source, control, now: now)
      if let leaveBy, now >= leaveBy { leaveNow(source, control, leave) }
      if settling.isOver(now) {
        terminal.refreshSize()
        // Also where it is what it was: what stood there in between may be lost.
        terminal.repaint()
        drawBy = 0
      }
      if now >= drawBy, settling.due == nil, terminal.isReady, !isTerminalGone {
        draw(source, now: now)
        // A view that is held still only says how fast the run goes.
        drawBy = now + 1_000_000_000 / UInt64(ui.frozen == nil ? ui.redrawHertz : 1)
      }
      let next = min(settling.due ?? .max, pollBy)
      let wake = drawBy > now ? min(drawBy, next) : next
      let bits = isTerminalGone ? sleepOnly() : terminal.wait(milliseconds: milliseconds(now, wake))
      if bits & Int32(KP_WRITABLE) != 0 { finishFrame() }
      let signals = kp_signals_taken()
      if signals & UInt32(KP_STOP_ASKED) != 0 { suspend(source) }
      if signals & UInt32(KP_CONTINUED) != 0 { resume(source, stoppedAt: now) }
      if signals & UInt32(KP_RESIZED) != 0 { settling.note(kp_now_ns()) }
      if kp_snapshot_asked() != 0 {
        saveNow(source, now)
        drawBy = 0
      }
      if signals & ~UInt32(KP_RESIZED) != 0 { drawBy = 0 }
      if bits & Int32(KP_READABLE) != 0, listen(source, control, leave) { drawBy = 0 }
      if bits & Int32(KP_HUNG_UP) != 0 { isTerminalGone = true }
    }
    // What was asked for last is seen once more, and a cut frame is not left half sent.
    if !isTerminalGone, terminal.isReady { draw(source, now: kp_now_ns()) }
  }

  private func milliseconds(_ from: UInt64, _ to: UInt64) -> Int {
    to > from ? Int((to - from + 999_999) / 1_000_000) : 0
  }

  private func sleepOnly() -> Int32 {
    kp_sleep_ms(50)
    return 0
  }

  // MARK: Drawing

  private func draw(_ source: some MonitorSource, now: UInt64) {
    measureOwnCost(source, now)
    source.setPictureShown(
      ui.frozen == nil && MonitorView.showsPicture(ui, size: terminal.size))
    var fresh = source.snapshot(nowNanoseconds: now, windowSeconds: ui.window.seconds)
    fresh.monitorPercent = monitorPercent
    notes.join(&fresh)
    ui.secondOfDay = source.secondOfDay
    if ui.frozen == nil {
      snapshot = fresh
    } else {
      ui.frozen?.livePerSecond = fresh.perSecond
    }
    terminal.theme = ui.theme
    terminal.isMouseOn = ui.isMouseOn
    guard terminal.isReady else { return }
    let frame = MonitorView.frame(
      snapshot, size: terminal.size, capabilities: terminal.capabilities, ui: ui)
    drawnAt = now
    if !terminal.show(frame) { isTerminalGone = true }
    if terminal.isReady { noteFrame(isSlow: false) }
  }

  private func finishFrame() {
    if !terminal.sendPending() { isTerminalGone = true }
    if terminal.isReady { noteFrame(isSlow: kp_now_ns() - drawnAt > 50_000_000) }
  }

  /// A terminal that is slow to take a frame gets one a second until ten went well.
  private func noteFrame(isSlow: Bool) {
    quickFrames = isSlow ? 0 : quickFrames + 1
    if isSlow {
      ui.isLinkSlow = true
      ui.redrawHertz = 1
    } else if ui.isLinkSlow, quickFrames >= 10 {
      ui.isLinkSlow = false
      ui.redrawHertz = chosenRate
    }
  }

  private func measureOwnCost(_ source: some MonitorSource, _ now: UInt64) {
    guard now - cpuMark.wall >= 1_000_000_000 else { return }
    let cpu = kp_thread_cpu_ns()
    monitorPercent = Double(cpu - cpuMark.cpu) / Double(now - cpuMark.wall) * 100
    source.addMonitorCost(nanoseconds: cpu - cpuMark.cpu)
    cpuMark = (now, cpu)
  }

  // MARK: Leaving

  private func watchStop(_ source: some MonitorSource, _ control: RunControl, now: UInt64) {
    if isTerminalGone, !control.isStopRequested, !control.continuesOnHangup {
      control.requestStop(.signal(SIGHUP))
    }
    guard control.isStopRequested else { return }
    ui.isLeaving = source.stopsWithView
    ui.frozen = nil
    switch source.runState {
    // The loop has noticed: it may take its time to write results.
    case .stopping, .done, .failed: leaveBy = nil
    // Nothing has been run, and opening a model cannot be told to stop.
    case .loading where source.stopsWithView: leaveBy = now
    default: leaveBy = leaveBy ?? now + Self.graceNanoseconds
    }
  }

  private func leaveNow(
    _ source: some MonitorSource, _ control: RunControl,
    _ leave: @Sendable (Snapshot, StopReason) -> Void
  ) -> Never {
    let reason = control.stopReason ?? .user
    let last = source.snapshot(
      nowNanoseconds: kp_now_ns(), windowSeconds: RateWindow.seconds)
    terminal.restore()
    leave(last, reason)
    if case .signal(let number) = reason { kp_die_by_signal(number) }
    kp_leave(0)
  }

  // MARK: Keys

  /// Obeys what was typed. True when there is something new to draw.
  private func listen(
    _ source: some MonitorSource, _ control: RunControl,
    _ leave: @Sendable (Snapshot, StopReason) -> Void
  ) -> Bool {
    guard var bytes = terminal.typed() else {
      isTerminalGone = true
      return false
    }
    var isChanged = false
    while !bytes.isEmpty {
      for byte in bytes {
        guard let key = keys.take(byte) else { continue }
        isChanged = true
        obey(key, source, control, leave)
      }
      bytes = []
      guard keys.isPending else { break }
      // An escape alone is a key when nothing follows it for 25 ms.
      if kp_terminal_wait(25, 0) & Int32(KP_READABLE) != 0 {
        bytes = terminal.typed() ?? []
      }
      if bytes.isEmpty, let key = keys.flush() {
        isChanged = true
        obey(key, source, control, leave)
      }
    }
    return isChanged
  }

  private func obey(
    _ key: Key, _ source: some MonitorSource, _ control: RunControl,
    _ leave: @Sendable (Snapshot, StopReason) -> Void
  ) {
    if ui.isFiltering, ui.type(key) { return }
    if let action = key.action { obey(action, source, control, leave) }
  }

  private func obey(
    _ action: Action, _ source: some MonitorSource, _ control: RunControl,
    _ leave: @Sendable (Snapshot, StopReason) -> Void
  ) {
    switch action {
    case .quit(let isInterrupt):
      if control.isStopRequested { leaveNow(source, control, leave) }
      control.requestStop(isInterrupt ? .signal(SIGINT) : .user)
    case .freeze:
      let frozen = FrozenView(elapsedSeconds: snapshot.elapsedSeconds, livePerSecond: nil)
      ui.frozen = ui.frozen == nil ? frozen : nil
    case .pause:
      control.setPaused(!control.isPaused)
      resumeAt = nil
    case .measureIdle:
      guard !control.isPaused else { return }
      control.setPaused(true)
      resumeAt = kp_now_ns() + Self.idleNanoseconds
    case .resetStatistics: control.requestReset()
    case .mark: source.addEvent(.note, "mark", nowNanoseconds: kp_now_ns())
    case .saveSnapshot:
      notes.save(
        snapshot, ui, size: terminal.size, isUnicode: terminal.capabilities.isUnicode)
    case .trace:
      guard source.beginTrace(inferenceCount: Self.traceCount, nowNanoseconds: kp_now_ns()) else {
        return notes.say(
          .warning,
          Array("no trace: one is being recorded, or the run is not in this process".utf8),
          atSeconds: snapshot.elapsedSeconds)
      }
    case .suspend: suspend(source)
    case .repaint: terminal.repaint()
    case .faster, .slower: changeRate(isFaster: action == .faster)
    default: ui.navigate(action, snapshot, size: terminal.size)
    }
  }

  private func suspend(_ source: some MonitorSource) {
    let from = kp_now_ns()
    terminal.suspend()
    // The signal that made us go on is ours, and answered.
    _ = kp_signals_taken()
    source.exclude(fromNanoseconds: from, toNanoseconds: kp_now_ns())
  }

  /// Stopped from outside, somewhere in the last sleep.
  private func resume(_ source: some MonitorSource, stoppedAt: UInt64) {
    terminal.resume()
    source.exclude(fromNanoseconds: stoppedAt, toNanoseconds: kp_now_ns())
  }

  /// What is known now: what was drawn last is old where the view is frozen or the terminal gone.
  private func saveNow(_ source: some MonitorSource, _ now: UInt64) {
    var known = source.snapshot(nowNanoseconds: now, windowSeconds: ui.window.seconds)
    known.monitorPercent = monitorPercent
    notes.join(&known)
    var live = ui
    live.frozen = nil
    notes.save(
      known, live, size: terminal.size, isUnicode: terminal.capabilities.isUnicode)
  }

  private func changeRate(isFaster: Bool) {
    let at = Self.rates.firstIndex(of: chosenRate) ?? 2
    chosenRate = Self.rates[min(max(at + (isFaster ? 1 : -1), 0), Self.rates.count - 1)]
    if !ui.isLinkSlow { ui.redrawHertz = chosenRate }
  }
}
