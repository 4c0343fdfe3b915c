// Where the time goes: steps by their share of it.
import Telemetry

extension Panel {
  /// The longest steps, then one row for the others.
  static let operators = Panel(
    name: "Ops",
    title: { snapshot in
      var row = Row("Top ops ")
      row.put(unit(snapshot).name, .label)
      return row
    },
    note: { snapshot in
      if snapshot.operators.isEmpty { return Row.empty }
      var row = Row("sampled 1:")
      row.put(Figure.plain(UInt64(max(1, snapshot.profileInterval))), .label)
      return row
    },
    draw: { snapshot, ui, frame in
      let all = snapshot.operators
      guard !all.isEmpty else {
        frame.put(Row("no step timed yet", .unknown), row: 0)
        return
      }
      let unit = TimeUnit.fitting(snapshot.latency.p50.map { Double($0) })
      let hasOthers = all.count > frame.rows
      let room = hasOthers ? max(0, frame.rows - 1) : frame.rows
      let first = min(max(0, ui.tab == 0 ? 0 : ui.scroll), max(0, all.count - room))
      let shown = all[first..<min(all.count, first + room)]
      for (i, step) in shown.enumerated() {
        frame.put(line(step, unit: unit, width: frame.columns), row: i)
      }
      guard hasOthers else { return }
      let others = all.count - shown.count
      let time = all.reduce(0) { $0 + $1.meanNanoseconds }
      let seen = shown.reduce(0) { $0 + $1.meanNanoseconds }
      var row = Row()
      row.put(Figure.count(others), .label, right: 4)
      row.put(" others", .label)
      row.spring()
      numbers(&row, unit.three(time - seen), time > 0 ? (time - seen) / time : 0)
      frame.put(row, row: frame.rows - 1)
    })

  private static func numbers(_ row: inout Row, _ time: [UInt8], _ share: Double) {
    row.put(time, right: 7)
    row.put(Figure.fixed(share * 100, 1), right: 6)
    row.put(" %", .label)
  }

  private static func line(_ step: OperatorRow, unit: TimeUnit, width: Int) -> Row {
    var row = Row()
    row.put(Figure.plain(UInt64(max(0, step.step))), .label, right: 4)
    row.put(" ")
    row.put(step.fact.kind.utf8, .normal, left: width >= 60 ? 22 : 0, canShrink: true)
    if width >= 60 {
      row.put(" ", drop: 2)
      row.put(step.fact.name.utf8, .label, drop: 2)
    }
    row.spring()
    row.put(" ", drop: 1)
    row.put(step.fact.scheme.utf8, .label, right: 4, drop: 1)
    if width >= 76 {
      row.put("  ", drop: 3)
      row.add(Graphics.bar(step.share, width: 16), drop: 3)
    }
    numbers(&row, unit.three(step.meanNanoseconds), step.share)
    return row
  }
}
