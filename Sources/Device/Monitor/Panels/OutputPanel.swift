// What it says: the run's own lines, escaped, newest first.
import Telemetry

extension Panel {
  /// Lines with their numbers; accuracy on the edge when labels are known.
  static let output = Panel(
    name: "Out", title: { _, _ in Row("Output") },
    note: { snapshot, ui in
      var row = Row()
      if let accuracy = snapshot.accuracy {
        row.put("accuracy ", .label)
        row.put(Figure.fixed(accuracy * 100, 1), .label)
        row.put(" % of ", .label)
        row.put(Figure.count(snapshot.labelledCount), .label)
      }
      return row
    },
    draw: { snapshot, ui, frame in
      guard let last = snapshot.output.last else {
        frame.put(Row("nothing yet", .unknown), row: 0)
        return
      }
      let width = Figure.plain(last.number).count
      let lines = snapshot.output.reversed().filter { ui.shows($0.text.utf8) }
      if lines.isEmpty { frame.put(Row("no line has this text", .unknown), row: 0) }
      let skip = ui.tab == 0 ? 0 : min(max(0, ui.scroll), max(0, lines.count - 1))
      for (i, line) in lines.dropFirst(skip).prefix(frame.rows).enumerated() {
        var row = Row()
        row.put(Figure.plain(line.number), .label, right: width, drop: 1)
        row.put(" ", drop: 1)
        row.put(line.text.utf8, .normal, canShrink: true)
        frame.put(row, row: i)
      }
    })
}
