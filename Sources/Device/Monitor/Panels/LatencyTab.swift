// The latency tab: all percentiles, the histogram, the stages of items, the slowest inferences and why.
import Telemetry

extension Panel {
  /// The histogram with the stages beside or above it, then the slowest, which scroll.
  static func drawLatencyTab(_ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame) {
    let top =
      snapshot.tokens.map { tokenRows($0, snapshot, ui, width: frame.columns, height: 9) }
      ?? [percentiles(snapshot, ui), sparkline(snapshot, frame.columns), firstLine(snapshot, ui)]
    for (i, row) in top.enumerated() { frame.put(row, row: i) }
    let begin = min(frame.rows, top.count)
    let rest = frame.rows - begin
    guard rest > 0, snapshot.latency.count > 0 else { return }
    if frame.columns >= 110 {
      let height = rest >= 14 ? min(max(rest * 2 / 5, 8), 16) : rest
      drawBeside(snapshot, ui, &frame, from: begin, height: height)
      drawSlowest(snapshot, ui, &frame, from: begin + height + 1)
      return
    }
    var stages = stageRows(snapshot, ui, width: frame.columns)
    if rest < stages.count + 3 { stages = [] }
    for (i, row) in stages.enumerated() { frame.put(row, row: begin + i) }
    let left = rest - stages.count
    let bars = left >= 7 ? min(left / 2, 12) : left
    drawHistogram(snapshot, ui, &frame, from: begin + stages.count, count: bars)
    if left > bars { drawSlowest(snapshot, ui, &frame, from: begin + stages.count + bars) }
  }

  private static func sparkline(_ snapshot: Snapshot, _ width: Int) -> Row {
    var row = Row()
    row.add(Graphics.sparkline(snapshot.history, width: width))
    return row
  }

  private static func firstLine(_ snapshot: Snapshot, _ ui: UIState) -> Row {
    snapshot.latency.count < 100 ? thresholds() : steadiness(snapshot, ui)
  }

  /// The histogram on the left, the stages on the right.
  private static func drawBeside(
    _ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame, from top: Int, height: Int
  ) {
    let stages = stageRows(snapshot, ui, width: frame.columns / 2 - 2)
    guard !stages.isEmpty else {
      return drawHistogram(snapshot, ui, &frame, from: top, count: height)
    }
    var left = Frame(Size(columns: frame.columns / 2 - 2, rows: height))
    drawHistogram(snapshot, ui, &left, from: 0, count: height)
    frame.put(left, column: 0, row: top)
    let column = left.columns + 4
    for (i, row) in stages.prefix(height).enumerated() {
      frame.put(row.cells(width: frame.columns - column), column: column, row: top + i)
    }
  }

  // MARK: The slowest

  private static func drawSlowest(
    _ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame, from top: Int
  ) {
    let room = frame.rows - top - 1
    guard room > 0, !snapshot.slowest.isEmpty else { return }
    let unit = unit(snapshot, ui)
    let first = min(max(0, ui.scroll), max(0, snapshot.slowest.count - room))
    let shown = snapshot.slowest[first...].prefix(room)
    var head = Row("slowest ")
    head.put(ascii(unit.plainName), .label, right: 9)
    head.put(ascii("x p50"), .label, right: 8)
    head.put("   cause", .label)
    head.spring()
    head.put(Figure.count(first + 1), .label, drop: 1)
    head.put(" to ", .label, drop: 1)
    head.put(Figure.count(first + shown.count), .label, drop: 1)
    head.put(" of ", .label, drop: 1)
    head.put(Figure.count(snapshot.slowest.count), .label, drop: 1)
    if let seconds = snapshot.windowSeconds {
      head.put(" in ", .label, drop: 2)
      head.put(Figure.count(seconds), .label, drop: 2)
      head.put(" s", .label, drop: 2)
    } else {
      head.put(" of the whole run", .label, drop: 2)
    }
    frame.put(head, row: top)
    for (i, slow) in shown.enumerated() {
      var row = Row()
      row.put(Figure.clock(slow.elapsedSeconds), .label)
      row.put(unit.three(slow.durationNanoseconds), .strong, right: 9)
      let ratio = snapshot.latency.p50.map {
        Double(slow.durationNanoseconds) / Double(max($0, 1))
      }
      row.put(Figure.ratio(ratio), ratio == nil ? .unknown : .normal, right: 8)
      row.put("   ")
      row.put(
        cause(slow, p50: snapshot.latency.p50), slow.hasCause ? .normal : .unknown, canShrink: true)
      frame.put(row, row: top + 1 + i)
    }
  }

  /// `2 major faults, preempted 3x`, or `-` with the reason why nothing is known.
  static func cause(_ slow: SlowInference, p50: UInt64?) -> [UInt8] {
    var parts: [[UInt8]] = []
    if let faults = slow.majorFaults, faults > 0 {
      parts.append(Figure.count(faults) + ascii(faults == 1 ? " major fault" : " major faults"))
    }
    if let switches = slow.involuntarySwitches, switches > 0 {
      parts.append(ascii("preempted ") + Figure.count(switches) + [0x78])
    }
    if slow.isThrottled == true { parts.append(ascii("throttled")) }
    if slow.wereStepsTimed { parts.append(ascii("its steps were timed")) }
    if let first = parts.first {
      return parts.dropFirst().reduce(first) { $0 + [0x2C, 0x20] + $1 }
    }
    if slow.majorFaults != nil { return ascii("-  no major fault, not preempted") }
    guard let p50 else { return Figure.unknown }
    if p50 < 100_000 { return ascii("-  too short to look into each") }
    if slow.durationNanoseconds / 2 <= p50 { return ascii("-  looked into from twice p50 on") }
    return ascii("-  p50 was not known yet, or longer")
  }
}
