// The lines above and below the panels.
import Telemetry

enum Header {
  /// The state in a word.
  static func word(_ state: RunState) -> StaticString {
    switch state {
    case .loading: "LOADING"
    case .warmingUp: "WARM-UP"
    case .running: "RUNNING"
    case .paused: "PAUSED"
    case .stopping: "STOPPING"
    case .done: "DONE"
    case .failed: "!! FAILED"
    case .inputLost: "!! INPUT LOST"
    }
  }

  static func style(_ state: RunState) -> Style {
    switch state {
    case .failed, .inputLost: .critical
    case .paused, .stopping: .banner
    default: .strong
    }
  }

  /// Name, state, time, count, device, rate, clock.
  static func title(_ snapshot: Snapshot, _ ui: UIState) -> Row {
    var row = Row(" ")
    row.put("knapsack  ", .label, drop: 5)
    row.put(name(snapshot.facts), .strong, canShrink: true)
    row.put("  ")
    let state: RunState = ui.isLeaving ? .stopping : snapshot.state
    if let frozen = ui.frozen {
      row.put("FROZEN ", .banner)
      row.put(Figure.clock(frozen.elapsedSeconds), .banner)
      row.put(", live ", .banner, drop: 1)
      row.put(Figure.three(frozen.livePerSecond), .banner, drop: 1)
      row.put("/s, space to resume", .banner, drop: 1)
    } else {
      row.put(word(state), style(state))
      row.put("  ")
      row.put(Figure.clock(snapshot.elapsedSeconds))
    }
    if let tokens = snapshot.tokens {
      row.put("  requests ", .label, drop: 3)
      row.put(Figure.count(tokens.requestCount), drop: 3)
      row.put("  tokens ", .label, drop: 2)
      row.put(Figure.count(tokens.outputTokenCount), drop: 2)
    } else {
      row.put("  n ", .label, drop: 2)
      row.put(Figure.count(snapshot.inferenceCount), drop: 2)
    }
    if !snapshot.facts.device.isEmpty {
      row.put("  ", drop: 3)
      row.put(snapshot.facts.device.utf8, .label, drop: 3)
    }
    row.spring()
    if ui.isLinkSlow {
      row.put("  ! link slow", .warning, drop: 1)
    }
    row.put("  ", drop: 4)
    row.put(Figure.count(ui.redrawHertz), .label, drop: 4)
    row.put(" Hz", .label, drop: 4)
    if let second = ui.secondOfDay {
      row.put("  ", drop: 4)
      row.put(Array(Figure.clock(Double(second)).prefix(5)), .label, drop: 4)
    }
    row.put(" ")
    return row
  }

  /// `mnv2-int8 1.2.0`
  static func name(_ facts: RunFacts) -> [UInt8] {
    var name = facts.bundleName.utf8
    if !facts.bundleVersion.isEmpty { name += [0x20] + facts.bundleVersion.utf8 }
    if !facts.scheme.isEmpty { name += [0x20] + facts.scheme.utf8 }
    return name.isEmpty ? Panel.ascii("(no name)") : name
  }

  /// `[1 Over] 2 Lat  3 Mem …`
  static func tabs(_ ui: UIState, width: Int) -> Row {
    var row = Row(" ")
    for tab in 0...Panel.tabs.count {
      let name = tab == 0 ? "Over" : Panel.tabs[tab - 1].name
      let text = Figure.count(tab + 1) + [0x20] + Panel.ascii(name)
      // The one that is on is never left out; the last ones go first.
      let drop = tab == ui.tab ? 0 : tab + 1
      let isOn = tab == ui.tab
      row.put(
        isOn ? [0x5B] + text + [0x5D] : [0x20] + text + [0x20], isOn ? .selection : .label,
        drop: drop)
    }
    return row
  }

  /// One line that says whether all is well, and what the figures rest on.
  static func status(_ snapshot: Snapshot, _ ui: UIState) -> Row {
    var row = Row(" ")
    putVerdict(&row, snapshot, ui)
    guard snapshot.state != .loading else { return row }
    if snapshot.state != .warmingUp {
      row.put("  ")
      // Of a model that generates what counts is how fast it writes, not how often it is asked.
      let rate = snapshot.tokens.map { $0.decodePerSecond } ?? snapshot.perSecond
      row.put(Figure.three(rate), rate == nil ? .unknown : .strong)
      row.put(snapshot.tokens == nil ? "/s" : " tok/s", .label)
    }
    if let budget = snapshot.facts.latencyBudgetNanoseconds {
      row.put("  budget ", .label, drop: 2)
      row.put(TimeUnit.milliseconds.three(budget), drop: 2)
      row.put(" ms", .label, drop: 2)
      row.put("  missed ", .label, drop: 1)
      row.put(Figure.count(snapshot.missedCount), drop: 1)
    }
    row.put("  window ", .label, drop: 3)
    if let seconds = snapshot.windowSeconds {
      row.put(Figure.count(seconds), drop: 3)
      row.put(" s", .label, drop: 3)
    } else {
      row.put("whole run", drop: 3)
    }
    if snapshot.facts.warmUpCount > 0 {
      row.put("  warm-up ", .label, drop: 4)
      row.put(Figure.count(snapshot.warmUpDone), drop: 4)
      row.put(" excluded", .label, drop: 4)
    }
    if snapshot.droppedCount > 0 {
      row.put("  dropped ", .label, drop: 1)
      row.put(Figure.count(snapshot.droppedCount), drop: 1)
    }
    if snapshot.lostSampleCount > 0 {
      row.put("  ! samples lost ", .warning, drop: 1)
      row.put(Figure.count(snapshot.lostSampleCount), .warning, drop: 1)
    }
    if let percent = snapshot.monitorPercent {
      row.put("  monitor ", .label, drop: 5)
      row.put(Figure.fixed(percent, 1), drop: 5)
      row.put(" % of a core", .label, drop: 5)
    }
    return row
  }

  private static func putVerdict(_ row: inout Row, _ snapshot: Snapshot, _ ui: UIState) {
    if ui.isLeaving {
      row.put("stopping after this inference, q again leaves at once", .warning)
    } else if snapshot.state == .loading {
      row.put("loading ", .label)
      row.put(snapshot.phase.utf8, canShrink: true)
      if let progress = snapshot.progress {
        row.put(" ")
        row.add(Graphics.bar(progress, width: 20), drop: 1)
        row.put(Figure.fixed(min(max(progress, 0), 1) * 100, 0), right: 4)
        row.put(" %", .label)
      }
    } else if snapshot.state == .failed || snapshot.state == .inputLost {
      row.put("!! ", .critical)
      row.put(snapshot.phase.utf8, .critical, canShrink: true)
    } else if Panel.isOverBudget(snapshot.memory) {
      row.put("!! over memory budget", .critical)
    } else if snapshot.state == .warmingUp {
      row.add(Panel.warmUp(snapshot).cells(width: Panel.warmUp(snapshot).width))
    } else if let throttle = snapshot.throttle.current {
      row.put("! THROTTLED ", .warning)
      row.put(throttle.cause.utf8, .warning, canShrink: true)
      row.put(" since ", .label, drop: 2)
      row.put(Figure.clock(throttle.beginSeconds), drop: 2)
      if let slowdown = throttle.slowdown {
        row.put("  latency ", .label, drop: 1)
        row.put(Panel.signedPercent(slowdown), .warning, drop: 1)
      }
    } else if snapshot.drift.contains(where: { $0.isOff }) {
      row.put("! drift", .warning)
    } else {
      row.put("OK", .strong)
    }
  }

  /// The keys that are worth a place in the last line; `q` and `?` are the last to be left out.
  static func foot(_ ui: UIState) -> Row {
    var row = Row(" ")
    if ui.isFiltering {
      row.put("/", .strong)
      row.put(ui.filter, .strong)
      row.put("_", .strong)
      row.put("   Enter keeps it, Esc drops it, Ctrl-C quits", .label, drop: 1)
      return row
    }
    if !ui.filter.isEmpty {
      row.put("filter /", .banner, drop: 1)
      row.put(ui.filter, .banner, drop: 1)
      row.put("  ", drop: 1)
    }
    var drop = 2
    for binding in KeyBinding.all where binding.short.utf8CodeUnitCount > 0 {
      var field = Row()
      field.put(binding.label, .strong)
      field.put(" ")
      field.put(binding.short, .label)
      field.put("  ")
      let isQuit = binding.action == .quit(isInterrupt: false)
      row.add(
        field.cells(width: field.width), drop: isQuit ? 0 : binding.action == .help ? 1 : drop)
      drop += 1
    }
    return row
  }

  /// The newest alarm that nobody has seen, else the newest event.
  static func latest(_ snapshot: Snapshot, _ ui: UIState) -> Row {
    var row = Row(" ")
    let alarm = snapshot.events.last {
      $0.level != .note && $0.elapsedSeconds > ui.acknowledgedSeconds
    }
    guard let event = alarm ?? snapshot.events.last else { return row }
    let line = Panel.eventLine(event)
    row.put(line)
    if alarm != nil { row.put("   (a acknowledge)", .label, drop: 1) }
    return row
  }

  /// The tab whose name stands at a column of the tab line; nil for none.
  static func tab(at column: Int, _ ui: UIState, width: Int) -> Int? {
    let cells = tabs(ui, width: width).cells(width: width)
    guard cells.indices.contains(column), cells[column].scalar != 0x20 else { return nil }
    for at in (0...column).reversed() {
      let scalar = cells[at].scalar
      if scalar >= 0x31, scalar <= 0x39 { return Int(scalar) - 0x31 }
      if at > 0, scalar == 0x20, cells[at - 1].scalar == 0x20 { return nil }
    }
    return nil
  }
}
