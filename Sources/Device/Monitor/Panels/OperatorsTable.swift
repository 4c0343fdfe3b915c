// The operators' tab: a table of all steps with a chosen row, and what is known of that one.
import Telemetry

/// The cells of a step that are numbers, or their headings.
private struct OperatorCells {
  var scheme: [UInt8]
  var time: [UInt8]
  var share: [UInt8]
  /// Of this row and those above it.
  var cumulated: [UInt8]
  var work: [UInt8]
  var rate: [UInt8]
  var bound: [UInt8]
  var drift: [UInt8]
}

extension Panel {
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
    case .work:
      return rows.sorted {
        let (a, b) = ($0.fact.multiplyAccumulates ?? 0, $1.fact.multiplyAccumulates ?? 0)
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

  static func drawTable(_ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame) {
    let shown = operatorRows(snapshot, ui, height: frame.rows - 1)
    drawRows(
      shown, of: operatorList(snapshot, ui), snapshot, ui, &frame, chosen: ui.step)
    guard !shown.isEmpty else {
      frame.put(Row("no operator has this text", .unknown), row: 1)
      return
    }
    guard ui.isDetailShown else { return }
    let chosen = shown.first { $0.step == ui.step } ?? shown[shown.startIndex]
    drawDetail(chosen, unit(snapshot, ui), &frame, from: frame.rows - detailHeight)
  }

  /// The headings, and a part of a list.
  static func drawRows(
    _ shown: ArraySlice<OperatorRow>, of list: [OperatorRow], _ snapshot: Snapshot, _ ui: UIState,
    _ frame: inout Frame, chosen: Int?
  ) {
    let unit = unit(snapshot, ui)
    let width = frame.columns
    var head = Row("    #  ")
    head.put(ascii("operator"), .label, left: kindWidth(width))
    if nameWidth(width) > 0 { head.put(ascii("place"), .label, left: nameWidth(width)) }
    head.spring()
    columns(
      &head,
      OperatorCells(
        scheme: ascii("scheme"), time: ascii(unit.plainName), share: ascii("share"),
        cumulated: ascii("cum%"), work: ascii("MACs M"), rate: ascii("GB/s"),
        bound: ascii("bound"), drift: ascii("x pred")), width, .label)
    frame.put(head, row: 0)
    var cumulated = 0.0
    for step in list[..<shown.startIndex] { cumulated += step.share }
    for (i, step) in shown.enumerated() {
      cumulated += step.share
      frame.put(
        tableLine(step, cumulated, unit, width, isChosen: step.step == chosen), row: 1 + i)
    }
  }

  private static func kindWidth(_ width: Int) -> Int {
    width >= 100 ? 24 : width >= 70 ? 16 : max(8, width - 46)
  }

  /// What the other columns leave; 0 where that is too little.
  private static func nameWidth(_ width: Int) -> Int {
    let rest = width - 7 - kindWidth(width) - 40 - moreWidth(width)
    return rest >= 8 ? rest : 0
  }

  /// Cells for work and what binds it, and from 110 on for what has been added up.
  private static func moreWidth(_ width: Int) -> Int { width >= 110 ? 24 : width >= 92 ? 17 : 0 }

  private static func columns(
    _ row: inout Row, _ cells: OperatorCells, _ width: Int, _ style: Style,
    _ driftStyle: Style = .label
  ) {
    row.put(" ", drop: 1)
    row.put(cells.scheme, .label, right: 7, drop: 1)
    row.put(cells.time, style, right: 8)
    row.put(cells.share, style, right: 8)
    if moreWidth(width) > 20 { row.put(cells.cumulated, style, right: 7, drop: 5) }
    if moreWidth(width) > 0 { row.put(cells.work, style, right: 8, drop: 4) }
    row.put(cells.rate, style, right: 7, drop: 3)
    if moreWidth(width) > 0 { row.put(cells.bound, style, right: 9, drop: 4) }
    row.put(cells.drift, driftStyle, right: 8, drop: 2)
  }

  private static func tableLine(
    _ step: OperatorRow, _ cumulated: Double, _ unit: TimeUnit, _ width: Int, isChosen: Bool
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
      &row,
      OperatorCells(
        scheme: step.fact.scheme.utf8, time: unit.three(step.meanNanoseconds),
        share: Figure.fixed(step.share * 100, 1) + ascii(" %"),
        cumulated: Figure.fixed(cumulated * 100, 1),
        work: Figure.three(step.fact.multiplyAccumulates.map { Double($0) / 1e6 }),
        rate: Figure.three(step.gigabytesPerSecond),
        bound: step.fact.bound.map { Array($0.name.utf8) } ?? Figure.unknown,
        drift: Figure.ratio(step.drift) + (step.isOff ? [0x21] : [0x20])), width, .normal,
      step.isOff ? .warning : .normal)
    return row
  }

  /// What the rows below the last one shown come to.
  static func othersLine(
    _ all: [OperatorRow], _ shown: ArraySlice<OperatorRow>, _ unit: TimeUnit, _ width: Int
  ) -> Row {
    let rest = all[shown.endIndex...]
    let time = rest.reduce(0) { $0 + $1.meanNanoseconds }
    let share = rest.reduce(0) { $0 + $1.share }
    var row = Row()
    row.put(Figure.count(rest.count), .label, right: 5)
    row.put("  others", .label)
    row.spring()
    columns(
      &row,
      OperatorCells(
        scheme: [], time: unit.three(time), share: Figure.fixed(share * 100, 1) + ascii(" %"),
        cumulated: Figure.fixed(100, 1), work: [], rate: [], bound: [], drift: []), width, .normal)
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
    frame.put(work(step), row: top + 5)
  }

  /// `work    12.3 M multiply-adds  31.2 G/s  memory-bound by the plan`
  private static func work(_ step: OperatorRow) -> Row {
    var row = Row("work    ")
    guard let count = step.fact.multiplyAccumulates else {
      row.put("- the bundle does not say", .unknown)
      return row
    }
    row.put(Figure.three(Double(count) / 1e6))
    row.put(" M multiply-adds", .label)
    if count > 0, step.meanNanoseconds > 0 {
      row.put("  ", drop: 1)
      row.put(Figure.three(Double(count) / step.meanNanoseconds), drop: 1)
      row.put(" G/s", .label, drop: 1)
    }
    if let bound = step.fact.bound {
      row.put("  bound by ", .label, drop: 2)
      row.put(Array(bound.name.utf8), drop: 2)
      row.put(", says the plan", .label, drop: 2)
    }
    return row
  }
}
