// Where the time goes: steps by their share of it.
import Telemetry

extension Panel {
  /// The longest steps, then one row for the others; as a tab a table with a chosen row.
  static let operators = Panel(
    name: "Ops",
    title: { snapshot, ui in
      var row = Row(ui.tab == 0 ? "Top ops " : "Ops ")
      row.put(unit(snapshot, ui).name, .label)
      return row
    },
    note: { snapshot, ui in
      if snapshot.operators.isEmpty { return Row.empty }
      var row = Row()
      if ui.tab > 0 {
        row.put("by ", .label)
        row.put(ui.order.name, .label)
        row.put("  ")
      }
      row.put("sampled 1:", .label)
      row.put(Figure.plain(UInt64(max(1, snapshot.profileInterval))), .label)
      if ui.tab > 0, let percent = snapshot.monitorPercent {
        // Watching takes time too.
        row.put("  monitor ", .label)
        row.put(Figure.fixed(percent, 1), .label)
        row.put(" % of a core", .label)
      }
      return row
    },
    draw: { snapshot, ui, frame in
      guard !snapshot.operators.isEmpty else {
        frame.put(Row("no step timed yet", .unknown), row: 0)
        return
      }
      if ui.tab == 0, frame.columns >= 110 {
        drawLongestTable(snapshot, ui, &frame)
      } else if ui.tab == 0 {
        drawLongest(snapshot, ui, &frame)
      } else {
        drawTable(snapshot, ui, &frame)
      }
    })

  private static func drawLongest(_ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame) {
    let all = snapshot.operators
    let unit = unit(snapshot, ui)
    let hasOthers = all.count > frame.rows
    let shown = all.prefix(hasOthers ? max(0, frame.rows - 1) : frame.rows)
    for (i, step) in shown.enumerated() {
      frame.put(line(step, unit: unit, width: frame.columns), row: i)
    }
    guard hasOthers else { return }
    frame.put(others(all, shown, unit), row: frame.rows - 1)
  }

  /// The same as a table with all columns, where there is room for them.
  private static func drawLongestTable(_ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame) {
    let all = snapshot.operators
    let room = max(0, frame.rows - 1)
    let shown = all.prefix(all.count > room ? max(0, room - 1) : room)
    drawRows(shown, of: all, snapshot, ui, &frame, chosen: nil)
    guard shown.count < all.count else { return }
    frame.put(othersLine(all, shown, unit(snapshot, ui), frame.columns), row: frame.rows - 1)
  }

  private static func others(
    _ all: [OperatorRow], _ shown: ArraySlice<OperatorRow>, _ unit: TimeUnit
  ) -> Row {
    let time = all.reduce(0) { $0 + $1.meanNanoseconds }
    let seen = shown.reduce(0) { $0 + $1.meanNanoseconds }
    var row = Row()
    row.put(Figure.count(all.count - shown.count), .label, right: 4)
    row.put(" others", .label)
    row.spring()
    numbers(&row, unit.three(time - seen), time > 0 ? (time - seen) / time : 0)
    return row
  }

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
