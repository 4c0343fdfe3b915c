// What happened: marks, warnings, changes of state, newest first.
import Telemetry

extension Panel {
  /// Events with the time of the run at which they came.
  static let events = Panel(
    name: "Events", title: { _, _ in Row("Events") }, note: { _, _ in Row.empty },
    draw: { snapshot, ui, frame in
      guard !snapshot.events.isEmpty else {
        frame.put(Row("none", .unknown), row: 0)
        return
      }
      let events = snapshot.events.reversed().filter { ui.shows($0.text.utf8) }
      if events.isEmpty { frame.put(Row("no event has this text", .unknown), row: 0) }
      let skip = ui.tab == 0 ? 0 : min(max(0, ui.scroll), max(0, events.count - 1))
      for (i, event) in events.dropFirst(skip).prefix(frame.rows).enumerated() {
        frame.put(eventLine(event), row: i)
      }
    })

  /// `00:12:41 ! text`
  static func eventLine(_ event: EventRow) -> Row {
    var row = Row()
    row.put(Figure.clock(event.elapsedSeconds), .label)
    switch event.level {
    case .note: row.put("    ")
    case .warning: row.put(" !  ", .warning)
    case .critical: row.put(" !! ", .critical)
    }
    row.put(event.text.utf8, .normal, canShrink: true)
    return row
  }
}
