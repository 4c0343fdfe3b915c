// How fast text comes: speed of tokens and prompts, time to the first token, the context.
import Telemetry

extension Panel {
  /// Rows in their order; where there is no room for all, the less important are left out whole.
  static func tokenRows(
    _ tokens: TokenReading, _ snapshot: Snapshot, _ ui: UIState, width: Int, height: Int
  ) -> [Row] {
    var spark = Row()
    spark.add(Graphics.sparkline(tokens.history, width: width))
    var rows: [(rank: Int, row: Row)] = [
      (0, speed("decode", tokens.decodePerSecond, tokens.overallDecodePerSecond)),
      (4, spark),
      (5, speed("prefill", tokens.prefillPerSecond, tokens.overallPrefillPerSecond)),
      (1, percentiles("TTFT", tokens.firstToken, ui)),
      (2, percentiles("TPOT", snapshot.latency, ui)),
      (6, percentiles("req", tokens.request, ui)),
    ]
    if tokens.firstToken.count < 100 {
      rows.append((8, Row("p95 from 20, p99 from 100 of each", .unknown)))
    }
    rows.append((3, context(tokens, width)))
    rows.append((7, latest(tokens)))
    return rows.filter { entry in
      // How many are more important.
      rows.reduce(0) { $0 + ($1.rank < entry.rank ? 1 : 0) } < height
    }.map { $0.row }
  }

  /// `decode   38.2 tok/s   whole run 41.7`
  private static func speed(_ name: StaticString, _ now: Double?, _ overall: Double?) -> Row {
    var row = Row()
    row.put(ascii(name), .label, left: 8)
    row.put(Figure.three(now), now == nil ? .unknown : .strong, right: 5)
    row.put(" tok/s", .label)
    row.put("   whole run ", .label, drop: 1)
    row.put(Figure.three(overall), overall == nil ? .unknown : .normal, drop: 1)
    return row
  }

  /// `TTFT ms p50 118   p95 142   p99 -`
  private static func percentiles(
    _ name: StaticString, _ latency: LatencySummary, _ ui: UIState
  ) -> Row {
    let unit: TimeUnit =
      switch ui.units {
      case .fitting: TimeUnit.fitting(latency.p50.map { Double($0) })
      case .microseconds: .microseconds
      case .milliseconds: .milliseconds
      case .seconds: .seconds
      }
    var row = Row()
    row.put(ascii(name) + [0x20] + ascii(unit.name), .label, left: 8)
    for (name, value, drop) in [
      ("p50 ", latency.p50, 0), (" p95 ", latency.p95, 2), (" p99 ", latency.p99, 1),
    ] as [(StaticString, UInt64?, Int)] {
      var field = Row(name)
      field.put(
        unit.three(value), value == nil ? .unknown : drop == 0 ? .strong : .normal, left: 5)
      row.add(field.cells(width: field.width), drop: drop)
    }
    row.put("  n ", .label, drop: 3)
    row.put(Figure.count(latency.count), .label, drop: 3)
    return row
  }

  /// `context 1 204 of 2 048   ████░░░░`
  private static func context(_ tokens: TokenReading, _ width: Int) -> Row {
    var row = Row()
    guard let used = begin("context", tokens.contextUsed, "  nothing in it yet", &row),
      let limit = tokens.contextLimit, limit > 0
    else { return row }
    row.put(" of ", .label)
    row.put(Figure.count(limit))
    row.put("  ", drop: 1)
    row.add(
      Graphics.bar(Double(used) / Double(limit), width: min(40, width - row.width)), drop: 1)
    return row
  }

  /// `latest  212 in  188 out  generating`
  private static func latest(_ tokens: TokenReading) -> Row {
    var row = Row()
    guard begin("latest", tokens.latestPromptTokens, "  no request yet", &row) != nil else {
      return row
    }
    row.put(" in  ", .label)
    row.put(Figure.count(tokens.latestOutputTokens))
    row.put(" out", .label)
    row.put(tokens.isGenerating ? "  generating" : "  done", .label, drop: 1)
    return row
  }

  /// Begins a row with a count, or why there is none.
  private static func begin(
    _ name: StaticString, _ count: UInt64?, _ reason: StaticString, _ row: inout Row
  ) -> UInt64? {
    row.put(ascii(name), .label, left: 8)
    if let count {
      row.put(Figure.count(count))
    } else {
      row.put("-", .unknown)
      row.put(reason, .unknown, drop: 1)
    }
    return count
  }
}
