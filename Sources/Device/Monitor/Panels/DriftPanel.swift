// Was the plan right: what was predicted when packing, what is measured now.
import Telemetry

extension Panel {
  /// A row per quantity; a ratio outside 0.85…1.15 carries `!`.
  static let drift = Panel(
    name: "Drift", title: { _, _ in Row("Drift") },
    note: { _, ui in Row(ui.tab == 0 ? "measured / predicted" : "measured / predicted   e explain")
    },
    draw: { snapshot, ui, frame in
      guard !snapshot.drift.isEmpty else {
        frame.put(Row("no prediction in this bundle", .unknown), row: 0)
        return
      }
      var head = Row("         ")
      head.put(ascii("predicted"), .label, right: 9)
      head.put(ascii("measured"), .label, right: 9)
      head.put(ascii("x"), .label, right: 5)
      frame.put(head, row: 0)
      for (i, line) in snapshot.drift.enumerated() {
        let (name, predicted, measured) = texts(line)
        var row = Row()
        row.put(ascii(name), .label, left: 9)
        row.put(predicted, line.predicted == nil ? .unknown : .estimate, right: 9)
        row.put(
          (line.isEstimate && line.measured != nil ? [0x7E] : []) + measured,
          line.measured == nil ? .unknown : .normal, right: 9)
        row.put(
          Figure.ratio(line.ratio),
          line.ratio == nil ? .unknown : line.isOff ? .warning : .normal, right: 5)
        row.put(line.isOff ? " !" : "  ", .warning, drop: 1)
        if ui.tab > 0 {
          row.put("  ", drop: 2)
          row.put(ascii(verdict(line)), line.isOff ? .warning : .normal, drop: 2)
        }
        frame.put(row, row: 1 + i)
      }
      guard ui.tab > 0, ui.isExplained else { return }
      let top = snapshot.drift.count + 2
      if snapshot.facts.predictionNotes.isEmpty {
        frame.put(
          Row("the bundle does not say where its predictions come from", .unknown), row: top)
      }
      for (i, note) in snapshot.facts.predictionNotes.enumerated() {
        var row = Row()
        row.put(note.utf8, .label, canShrink: true)
        frame.put(row, row: top + i)
      }
    })

  private static func verdict(_ row: DriftRow) -> StaticString {
    guard let ratio = row.ratio else { return "not known yet" }
    return row.isOff ? ratio > 1 ? "higher than planned" : "lower than planned" : "as planned"
  }

  private static func texts(_ row: DriftRow) -> (StaticString, [UInt8], [UInt8]) {
    switch row.quantity {
    case .p50:
      let unit = TimeUnit.fitting(row.measured ?? row.predicted)
      let name: StaticString =
        unit.nanoseconds < 1e6 ? "p50 µs" : unit.nanoseconds < 1e9 ? "p50 ms" : "p50 s"
      return (name, unit.three(row.predicted), unit.three(row.measured))
    case .peakMemory:
      return (
        "peak MiB", Figure.three(row.predicted.map { $0 / 1_048_576 }),
        Figure.three(row.measured.map { $0 / 1_048_576 })
      )
    case .energy:
      return (
        "energy mJ", Figure.three(row.predicted.map { $0 * 1e3 }),
        Figure.three(row.measured.map { $0 * 1e3 })
      )
    }
  }
}
