// How fast, how steady: percentiles, the last minute as a line, and the histogram.
import Telemetry

extension Panel {
  /// Percentiles of the window, sparkline, histogram.
  static let latency = Panel(
    name: "Lat",
    title: { snapshot, ui in
      if snapshot.tokens != nil { return Row("Tokens") }
      var row = Row("Latency ")
      row.put(unit(snapshot, ui).name, .label)
      return row
    },
    note: countOrAge,
    draw: { snapshot, ui, frame in
      if let tokens = snapshot.tokens, ui.tab == 0 {
        return drawTokens(tokens, snapshot, ui, &frame)
      }
      if ui.tab > 0, snapshot.latency.count > 0 { return drawLatencyTab(snapshot, ui, &frame) }
      frame.put(percentiles(snapshot, ui), row: 0)
      guard snapshot.latency.count > 0 else { return drawTooFew(snapshot, ui, &frame) }
      frame.put(Graphics.sparkline(snapshot.history, width: frame.columns), row: 1)
      let rest = frame.rows - 2
      let isFew = snapshot.latency.count < 100
      let bars = max(0, isFew && rest > 1 ? rest - 1 : rest)
      drawHistogram(snapshot, ui, &frame, from: 2, count: min(bars, 40))
      if isFew, rest > 1 { frame.put(thresholds(), row: frame.rows - 1) }
    })

  /// Percentiles and a tall line, for layouts that have the histogram beside it.
  static let latencyTrend = Panel(
    name: "Trend", title: latency.title, note: countOrAge,
    draw: { snapshot, ui, frame in
      if let tokens = snapshot.tokens { return drawTokens(tokens, snapshot, ui, &frame) }
      frame.put(percentiles(snapshot, ui), row: 0)
      guard snapshot.latency.count > 0 else { return drawTooFew(snapshot, ui, &frame) }
      var below = stageRows(snapshot, ui, width: frame.columns)
      if below.count + 2 > frame.rows || frame.columns < 36 { below = [] }
      if below.isEmpty || below.count + 5 <= frame.rows {
        below.insert(Row("longest of each half second", .unknown), at: 0)
      }
      if below.count + 3 <= frame.rows {
        below.append(snapshot.latency.count < 100 ? thresholds() : steadiness(snapshot, ui))
      }
      let height = max(1, frame.rows - 1 - below.count)
      let graph = Graphics.graph(snapshot.history, width: frame.columns, height: height)
      for (i, row) in graph.enumerated() { frame.put(row, row: 1 + i) }
      for (i, row) in below.enumerated() { frame.put(row, row: 1 + height + i) }
    })

  private static func drawTokens(
    _ tokens: TokenReading, _ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame
  ) {
    let rows = tokenRows(tokens, snapshot, ui, width: frame.columns, height: frame.rows)
    for (i, row) in rows.enumerated() { frame.put(row, row: i) }
    let rest = frame.rows - rows.count
    if rest >= 3 { drawHistogram(snapshot, ui, &frame, from: rows.count, count: min(rest, 40)) }
  }

  private static func countOrAge(_ snapshot: Snapshot, _ ui: UIState) -> Row {
    var row = Row()
    if let age = snapshot.sinceLastSeconds, age >= 2,
      snapshot.state == .running || snapshot.state == .inputLost
    {
      row.put(Figure.three(age), .unknown)
      row.put(" s old", .unknown)
    } else {
      row.put("n ", .label)
      row.put(Figure.count(snapshot.latency.count), .label)
    }
    return row
  }

  /// What there is to say before the first counted inference.
  private static func drawTooFew(_ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame) {
    if snapshot.facts.warmUpCount > 0 { frame.put(warmUp(snapshot), row: 1) }
    frame.put(thresholds(), row: 2)
    frame.put(firstAndLast(snapshot, ui), row: 3)
  }

  /// `mean 4.92   jitter p99-p50 2.16   first 48.2`
  static func steadiness(_ snapshot: Snapshot, _ ui: UIState) -> Row {
    let unit = unit(snapshot, ui)
    let latency = snapshot.latency
    var row = Row("mean ")
    row.put(unit.three(latency.mean))
    if let p50 = latency.p50, let p99 = latency.p99 {
      row.put("   jitter p99-p50 ", .label, drop: 1)
      row.put(unit.three(p99 - p50), drop: 1)
    }
    row.put("   first ", .label, drop: 2)
    row.put(unit.three(snapshot.firstNanoseconds), drop: 2)
    return row
  }

  /// The unit of this run's durations.
  static func unit(_ snapshot: Snapshot, _ ui: UIState = UIState()) -> TimeUnit {
    switch ui.units {
    case .fitting:
      TimeUnit.fitting(
        (snapshot.latency.p50 ?? snapshot.overall.p50 ?? snapshot.lastNanoseconds).map {
          Double($0)
        })
    case .microseconds: .microseconds
    case .milliseconds: .milliseconds
    case .seconds: .seconds
    }
  }

  /// `p50 4.81  p95 5.22  p99 6.97  max 19.4`
  static func percentiles(_ snapshot: Snapshot, _ ui: UIState) -> Row {
    let unit = unit(snapshot, ui)
    let latency = snapshot.latency
    var row = Row()
    func put(_ name: StaticString, _ value: UInt64?, drop: Int) {
      var field = Row()
      field.put(name, .label)
      field.put(
        unit.three(value), value == nil ? .unknown : drop == 0 ? .strong : .normal, left: 4)
      row.add(field.cells(width: field.width), drop: drop)
    }
    put("p50 ", latency.p50, drop: 0)
    put("  p95 ", latency.p95, drop: 2)
    put("  p99 ", latency.p99, drop: 1)
    put("  max ", latency.max, drop: 3)
    return row
  }

  /// `n 7 of 10 warm-up, not counted`
  static func warmUp(_ snapshot: Snapshot) -> Row {
    var row = Row("n ")
    row.put(Figure.count(snapshot.warmUpDone))
    row.put(" of ", .label)
    row.put(Figure.count(snapshot.facts.warmUpCount))
    row.put(" warm-up, not counted", .label)
    return row
  }

  static func thresholds() -> Row { Row("p95 from n 20, p99 from n 100", .unknown) }

  private static func firstAndLast(_ snapshot: Snapshot, _ ui: UIState) -> Row {
    let unit = unit(snapshot, ui)
    var row = Row("last ")
    row.put(unit.three(snapshot.lastNanoseconds))
    row.put("   first ", .label)
    row.put(unit.three(snapshot.firstNanoseconds))
    return row
  }

  /// Histogram rows: lower bound, bar, share.
  static func drawHistogram(
    _ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame, from top: Int, count: Int
  ) {
    let bars = snapshot.histogram.bars(limit: count)
    let most = height(bars.map { $0.count }.max() ?? 1, ui)
    let unit = unit(snapshot, ui)
    let showsCount = frame.columns >= 56
    let width = frame.columns - 6 - 8 - (showsCount ? 12 : 0)
    for (i, bar) in bars.enumerated() {
      var row = Row()
      row.put(unit.three(bar.lowerNanoseconds), .normal, right: 5)
      row.put(bar.isOpen ? "+" : " ", .label)
      row.add(
        Graphics.bar(height(bar.count, ui) / most, width: width, isTrackShown: false), drop: 2)
      if showsCount { row.put(Figure.count(bar.count), .normal, right: 12, drop: 1) }
      let share = Double(bar.count) / Double(snapshot.histogram.count)
      row.put(Figure.fixed(share * 100, 1), .normal, right: 6)
      row.put(" %", .label)
      frame.put(row, row: top + i)
    }
  }

  /// What a bar's length stands for: a count, or its logarithm so that rare ones are seen.
  private static func height(_ count: UInt64, _ ui: UIState) -> Double {
    ui.isLogarithmic ? logarithm(count) : Double(count)
  }

  /// To base 2, between powers a straight line: for lengths of bars. 1 for one, 0 for none.
  private static func logarithm(_ count: UInt64) -> Double {
    guard count > 0 else { return 0 }
    let power = 63 - count.leadingZeroBitCount
    return 1 + Double(power) + (Double(count) / Double(UInt64(1) << UInt64(power)) - 1)
  }
}
