// The monitor on a small screen: lines instead of boxes, the most important first.
import Telemetry

enum CompactView {
  /// One line of values, for screens too small for anything else.
  static func drawLine(_ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame) {
    let unit = Panel.unit(snapshot, ui)
    guard frame.columns >= 4 else {
      // No figure fits: a letter for the state.
      let letter = Panel.ascii(Header.word(snapshot.state)).prefix(1)
      return frame.put(CellText.cells(Array(letter).span, .strong), row: 0)
    }
    var row = Row()
    row.put(unit.three(snapshot.latency.p50), .strong)
    row.put(unit.name, .label, drop: 1)
    row.put(" ", drop: 2)
    row.put(Figure.three(snapshot.perSecond), drop: 2)
    row.put("/s", .label, drop: 2)
    row.put(" q", .label, drop: 3)
    frame.put(row, row: 0)
    guard frame.rows > 1 else { return }
    var second = Row()
    let state: RunState = ui.isLeaving ? .stopping : snapshot.state
    second.put(
      Panel.ascii(ui.frozen == nil ? Header.word(state) : "FROZEN"), Header.style(state),
      canShrink: true)
    frame.put(second, row: 1)
    guard frame.rows > 2 else { return }
    frame.put(Row("q quit"), row: frame.rows - 1)
  }

  /// Up to ten lines and the keys.
  static func draw(_ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame) {
    frame.put(title(snapshot, ui), row: 0)
    let unit = Panel.unit(snapshot, ui)
    var lines: [Row] = []
    if ui.isLeaving || snapshot.state != .running {
      lines.append(Header.status(snapshot, ui))
    }
    var line = Row()
    line.add(
      Graphics.sparkline(snapshot.tokens?.history ?? snapshot.history, width: frame.columns - 1))
    // The first to go where lines are short.
    var sparkline = lines.count + 1
    if let tokens = snapshot.tokens {
      let rows = Panel.tokenRows(tokens, snapshot, ui, width: frame.columns - 1, height: 3)
      sparkline += rows.count - 1
      lines += rows
      lines.append(line)
    } else {
      var latency = Panel.percentiles(snapshot, ui)
      latency.put(" ", drop: 4)
      latency.put(unit.name, .label, drop: 4)
      lines += [latency, line, rate(snapshot)]
    }
    lines.append(memory(snapshot))
    lines.append(power(snapshot))
    lines.append(thermal(snapshot))
    lines.append(drift(snapshot))
    for output in snapshot.output.suffix(max(1, frame.rows - 2 - lines.count)).reversed() {
      var row = Row("#")
      row.put(Figure.plain(output.number), .label)
      row.put(" ")
      row.put(output.text.utf8, canShrink: true)
      lines.append(row)
    }
    let room = frame.rows - 2
    if lines.count > room { lines.remove(at: sparkline) }
    for (i, row) in lines.prefix(room).enumerated() {
      var indented = Row(" ")
      indented.add(row.cells(width: frame.columns - 1))
      frame.put(indented, row: 1 + i)
    }
    frame.put(Header.foot(ui), row: frame.rows - 1)
  }

  private static func title(_ snapshot: Snapshot, _ ui: UIState) -> Row {
    var row = Row(" ")
    row.put(Header.name(snapshot.facts), .strong, canShrink: true)
    row.put(" ")
    let state: RunState = ui.isLeaving ? .stopping : snapshot.state
    if ui.frozen != nil {
      row.put("FROZEN ", .banner)
    } else {
      row.put(state == .running ? "RUN" : Header.word(state), Header.style(state))
      row.put(" ")
    }
    row.put(Figure.clock(ui.frozen?.elapsedSeconds ?? snapshot.elapsedSeconds), drop: 1)
    row.spring()
    row.put(" n ", .label, drop: 2)
    row.put(Figure.count(snapshot.inferenceCount), drop: 2)
    row.put(" ", drop: 2)
    return row
  }

  private static func rate(_ snapshot: Snapshot) -> Row {
    var row = Row()
    row.put(Figure.three(snapshot.perSecond), snapshot.perSecond == nil ? .unknown : .normal)
    row.put(" inf/s", .label)
    if snapshot.facts.latencyBudgetNanoseconds != nil {
      row.put("  missed ", .label, drop: 1)
      row.put(Figure.count(snapshot.missedCount), drop: 1)
    }
    if let accuracy = snapshot.accuracy {
      row.put("  accuracy ", .label, drop: 2)
      row.put(Figure.fixed(accuracy * 100, 1), drop: 2)
      row.put(" %", .label, drop: 2)
    }
    return row
  }

  private static func memory(_ snapshot: Snapshot) -> Row {
    let memory = snapshot.memory
    var row = Row("mem ")
    row.put(Figure.mebibytes(memory.resident), memory.resident == nil ? .unknown : .normal)
    if let budget = memory.budget {
      row.put(" of ", .label)
      row.put(Figure.mebibytes(budget))
    }
    row.put(" MiB", .label)
    if Panel.isOverBudget(memory) {
      row.put("  !! over", .critical)
    } else if memory.peak != nil {
      row.put("  peak ", .label, drop: 1)
      row.put(Figure.mebibytes(memory.peak), drop: 1)
    }
    return row
  }

  private static func power(_ snapshot: Snapshot) -> Row {
    let power = snapshot.power
    var row = Row()
    guard power.watts != nil else {
      row.put("power - ", .unknown)
      row.put(power.source.utf8, .unknown, canShrink: true)
      return row
    }
    let isEstimate = power.grade == .model
    let mark: [UInt8] = isEstimate ? [0x7E] : []
    let style: Style = isEstimate ? .estimate : .normal
    row.put(mark + Figure.three(power.watts), style)
    row.put(" W", .label)
    let (text, unit) = Panel.energy(power.joulesPerInference)
    if power.joulesPerInference != nil {
      row.put("  ", drop: 1)
      row.put(mark + text, style, drop: 1)
      row.put(unit, .label, drop: 1)
      row.put(snapshot.tokens == nil ? "/inf" : "/token", .label, drop: 1)
    }
    row.put(" ")
    row.put(Panel.gradeText(power), .label)
    return row
  }

  private static func thermal(_ snapshot: Snapshot) -> Row {
    var row = Row()
    guard let celsius = snapshot.thermal.celsius else {
      row.put("temp - ", .unknown)
      row.put(snapshot.thermal.reason.utf8, .unknown, canShrink: true)
      return row
    }
    row.put(Figure.fixed(celsius, 1))
    row.put(" °C ", .label)
    if snapshot.throttle.isThrottled == true { row.put("! throttled ", .warning) }
    row.put(snapshot.thermal.zone.utf8, .label, drop: 1)
    if let clock = snapshot.thermal.clockMegahertz {
      row.put("  ", drop: 2)
      row.put(Figure.plain(UInt64(max(0, clock))), drop: 2)
      row.put(" MHz", .label, drop: 2)
    }
    return row
  }

  private static func drift(_ snapshot: Snapshot) -> Row {
    var row = Row("drift")
    var isKnown = false
    for line in snapshot.drift where line.ratio != nil {
      isKnown = true
      switch line.quantity {
      case .p50: row.put(" p50 ", .label)
      case .peakMemory: row.put(" peak ", .label)
      case .energy: row.put(" energy ", .label)
      }
      row.put(Figure.ratio(line.ratio), line.isOff ? .warning : .normal)
      if line.isOff { row.put(" !", .warning) }
    }
    if !isKnown { row.put(" -", .unknown) }
    return row
  }
}
