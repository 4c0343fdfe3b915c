// Where an item's time goes beside the inference: one row for each stage that was timed.
import Telemetry

extension Panel {
  /// The heading and a row per stage, in the unit of latencies; empty where none was timed.
  static func stageRows(_ snapshot: Snapshot, _ ui: UIState, width: Int) -> [Row] {
    guard !snapshot.stages.isEmpty else { return [] }
    let unit = unit(snapshot, ui)
    var head = Row()
    head.put(ascii("stage"), .label, left: 8)
    for name: StaticString in ["p50", "p95", "p99"] { head.put(ascii(name), .label, right: 7) }
    head.spring()
    head.put("share", .label, drop: 1)
    return [head]
      + snapshot.stages.map { stage in
        var row = Row()
        row.put(Array(stage.stage.name.utf8), stage.stage == .infer ? .strong : .label, left: 8)
        for value in [stage.latency.p50, stage.latency.p95, stage.latency.p99] {
          row.put(unit.three(value), value == nil ? .unknown : .normal, right: 7)
        }
        row.put("   ", drop: 2)
        row.add(Graphics.bar(stage.share, width: min(40, width - 40)), drop: 2)
        row.spring()
        row.put(Figure.fixed(stage.share * 100, 1), right: 6, drop: 1)
        row.put(" %", .label, drop: 1)
        return row
      }
  }
}
