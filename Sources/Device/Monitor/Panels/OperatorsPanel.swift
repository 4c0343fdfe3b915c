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
      return row
    },
    draw: { snapshot, ui, frame in
      guard !snapshot.operators.isEmpty else {
        frame.put(Row("no step timed yet", .unknown), row: 0)
        return
      }
      if ui.tab == 0 {
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

  // MARK: The tab

  /// The steps that the filter lets through, in the order that was chosen.
  static func operatorList(_ snapshot: Snapshot, _ ui: UIState) -> [OperatorRow] {
    let rows = snapshot.operators.filter {
      ui.shows($0.fact.kind.utf8, $0.fact.name.utf8, $0.fact.scheme.utf8)
    }
    switch ui.order {
    case .time: return rows
    case .place: return rows.sorted { $0.step < $1.step }
    case .kind:
      return rows.sorted {
        $0.fact.kind.utf8 == $1.fact.kind.utf8
          ? $0.step < $1.step : $0.fact.kind.utf8.lexicographicallyPrecedes($1.fact.kind.utf8)
      }
    case .drift:
      return rows.sorted {
        let (a, b) = ($0.drift ?? -1, $1.drift ?? -1)
        return a != b ? a > b : $0.step < $1.step
      }
    }
  }

  /// The part of the list that `height` rows show: the chosen one is always among them.
  static func operatorRows(_ snapshot: Snapshot, _ ui: UIState, height: Int) -> ArraySlice<
    OperatorRow
  > {
    let list = operatorList(snapshot, ui)
    let room = max(1, height - (ui.isDetailShown ? detailHeight : 0))
    let chosen = list.firstIndex { $0.step == ui.step } ?? 0
    let first = min(max(0, chosen - room / 2), max(0, list.count - room))
    return list[first..<min(list.count, first + room)]
  }

  private static var detailHeight: Int { 6 }

  private static func drawTable(_ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame) {
    let unit = unit(snapshot, ui)
    let width = frame.columns
    var head = Row("    #  ")
    head.put(ascii("operator"), .label, left: kindWidth(width))
    if nameWidth(width) > 0 { head.put(ascii("place"), .label, left: nameWidth(width)) }
    head.spring()
    columns(
      &head, scheme: ascii("scheme"), time: ascii(unit.plainName), share: ascii("share"),
      rate: ascii("GB/s"), drift: ascii("x pred"), .label)
    frame.put(head, row: 0)
    let shown = operatorRows(snapshot, ui, height: frame.rows - 1)
    guard !shown.isEmpty else {
      frame.put(Row("no operator has this text", .unknown), row: 1)
      return
    }
    for (i, step) in shown.enumerated() {
      frame.put(tableLine(step, unit, width, isChosen: step.step == ui.step), row: 1 + i)
    }
    guard ui.isDetailShown else { return }
    let chosen = shown.first { $0.step == ui.step } ?? shown[shown.startIndex]
    drawDetail(chosen, unit, &frame, from: frame.rows - detailHeight)
  }

  private static func kindWidth(_ width: Int) -> Int {
    width >= 100 ? 24 : width >= 70 ? 16 : max(8, width - 46)
  }

  /// What the other columns leave; 0 where that is too little.
  private static func nameWidth(_ width: Int) -> Int {
    let rest = width - 7 - kindWidth(width) - 40
    return rest >= 8 ? rest : 0
  }

  private static func columns(
    _ row: inout Row, scheme: [UInt8], time: [UInt8], share: [UInt8], rate: [UInt8],
    drift: [UInt8], _ style: Style, _ driftStyle: Style = .label
  ) {
    row.put(" ", drop: 1)
    row.put(scheme, .label, right: 7, drop: 1)
    row.put(time, style, right: 8)
    row.put(share, style, right: 8)
    row.put(rate, style, right: 7, drop: 3)
    row.put(drift, driftStyle, right: 8, drop: 2)
  }

  private static func tableLine(
    _ step: OperatorRow, _ unit: TimeUnit, _ width: Int, isChosen: Bool
  ) -> Row {
    var row = Row()
    row.put(isChosen ? ">" : " ", isChosen ? .selection : .normal)
    row.put(Figure.plain(UInt64(max(0, step.step))), isChosen ? .selection : .label, right: 4)
    row.put("  ")
    row.put(
      step.fact.kind.utf8, isChosen ? .strong : .normal, left: kindWidth(width), canShrink: true)
    let name = CellText.cells(step.fact.name.utf8.span, .label)
    if nameWidth(width) > 0 { row.add(Row.clip(name, to: nameWidth(width) - 1)) }
    row.spring()
    columns(
      &row, scheme: step.fact.scheme.utf8, time: unit.three(step.meanNanoseconds),
      share: Figure.fixed(step.share * 100, 1) + ascii(" %"),
      rate: Figure.three(step.gigabytesPerSecond),
      drift: Figure.ratio(step.drift) + (step.isOff ? [0x21] : [0x20]), .normal,
      step.isOff ? .warning : .normal)
    return row
  }

  private static func drawDetail(
    _ step: OperatorRow, _ unit: TimeUnit, _ frame: inout Frame, from top: Int
  ) {
    frame.put(Array(repeating: Cell(0x2500, .label), count: frame.columns), row: top)
    var name = Row("step ")
    name.put(Figure.count(step.step), .strong)
    name.put("  ")
    name.put(step.fact.kind.utf8, .strong)
    name.put("  ")
    name.put(step.fact.name.utf8, .normal, canShrink: true)
    frame.put(name, row: top + 1)
    var weights = Row("weights ")
    if let bytes = step.fact.weightBytes, bytes > 0 {
      weights.put(step.fact.scheme.utf8)
      weights.put("  ")
      weights.put(Figure.three(Double(bytes) / 1024))
      weights.put(" KiB", .label)
      weights.put("  read at ", .label, drop: 1)
      weights.put(Figure.three(step.gigabytesPerSecond), drop: 1)
      weights.put(" GB/s", .label, drop: 1)
    } else {
      weights.put("none", .unknown)
    }
    frame.put(weights, row: top + 2)
    var time = Row("time    ")
    time.put(unit.three(step.meanNanoseconds), .strong)
    time.put(" ")
    time.put(unit.name, .label)
    time.put("  ", drop: 1)
    time.put(Figure.fixed(step.share * 100, 1), drop: 1)
    time.put(" % of all steps", .label, drop: 1)
    frame.put(time, row: top + 3)
    var plan = Row("plan    ")
    if let predicted = step.fact.predictedNanoseconds {
      plan.put(unit.three(predicted), .estimate)
      plan.put(" ")
      plan.put(unit.name, .label)
      plan.put("  measured is ", .label, drop: 1)
      plan.put(Figure.ratio(step.drift), step.isOff ? .warning : .normal, drop: 1)
      plan.put(" times that", .label, drop: 1)
    } else {
      plan.put("- no prediction for this step", .unknown)
    }
    frame.put(plan, row: top + 4)
  }
}
