// The histogram alone, where there is room for it.
import Telemetry

extension Panel {
  /// How often which duration came, over the window.
  static let histogram = Panel(
    name: "Hist",
    title: { snapshot, ui in
      var row = Row(snapshot.tokens == nil ? "Histogram " : "Inter-token latency ")
      row.put(unit(snapshot, ui).name, .label)
      return row
    },
    note: { snapshot, ui in
      var row = Row(ui.isLogarithmic ? "log  n " : "n ")
      row.put(Figure.count(snapshot.histogram.count), .label)
      return row
    },
    draw: { snapshot, ui, frame in
      guard snapshot.histogram.count > 0 else {
        frame.put(Row("nothing counted yet", .unknown), row: 0)
        return
      }
      drawHistogram(snapshot, ui, &frame, from: 0, count: frame.rows)
    })
}
