// The histogram alone, where there is room for it.
import Telemetry

extension Panel {
  /// How often which duration came, over the window.
  static let histogram = Panel(
    name: "Hist",
    title: { snapshot in
      var row = Row("Histogram ")
      row.put(unit(snapshot).name, .label)
      return row
    },
    note: { snapshot in
      var row = Row("n ")
      row.put(Figure.count(snapshot.histogram.count), .label)
      return row
    },
    draw: { snapshot, _, frame in
      guard snapshot.histogram.count > 0 else {
        frame.put(Row("nothing counted yet", .unknown), row: 0)
        return
      }
      drawHistogram(snapshot, &frame, from: 0, count: frame.rows)
    })
}
