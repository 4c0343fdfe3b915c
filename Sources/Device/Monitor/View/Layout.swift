// Which panels stand where: one table per class of screen.

/// A row of panels side by side.
struct PanelRow: Sendable {
  /// The panels with their shares of the width.
  var panels: [(panel: Panel, share: Int)]
  /// Height it is drawn with when there is no row to spare, box included.
  var height: Int
  /// Its share of the rows to spare.
  var growth: Int
}

/// A screen's rows of panels, most important first.
struct Layout: Sendable {
  var rows: [PanelRow]

  /// The layout for a screen of at least 40 × 10; the header takes 3 rows, the foot 2.
  static func fitting(_ size: Size) -> Layout {
    let isTall = size.rows >= 40
    if size.columns < 80 { return singleColumn }
    if size.columns < 120 { return isTall ? twoColumnsTall : twoColumns }
    if size.columns < 200 { return isTall ? threeColumnsTall : threeColumns }
    return isTall ? wideTall : wide
  }

  static let singleColumn = Layout(rows: [
    PanelRow(panels: [(.latency, 1)], height: 7, growth: 2),
    PanelRow(panels: [(.memory, 1)], height: 7, growth: 0),
    PanelRow(panels: [(.power, 1)], height: 6, growth: 0),
    PanelRow(panels: [(.drift, 1)], height: 6, growth: 0),
    PanelRow(panels: [(.operators, 1)], height: 6, growth: 2),
    PanelRow(panels: [(.output, 1)], height: 5, growth: 1),
  ])

  static let twoColumns = Layout(rows: [
    PanelRow(panels: [(.latency, 42), (.memory, 38)], height: 7, growth: 1),
    PanelRow(panels: [(.power, 42), (.drift, 38)], height: 6, growth: 0),
    PanelRow(panels: [(.operators, 42), (.output, 38)], height: 6, growth: 3),
  ])

  static let twoColumnsTall = Layout(
    rows: twoColumns.rows + [
      PanelRow(panels: [(.quantization, 42), (.events, 38)], height: 6, growth: 1)
    ])

  static let threeColumns = Layout(rows: [
    PanelRow(panels: [(.latency, 44), (.memory, 38), (.power, 38)], height: 9, growth: 1),
    PanelRow(panels: [(.drift, 48), (.operators, 72)], height: 6, growth: 1),
    PanelRow(panels: [(.output, 1)], height: 4, growth: 1),
  ])

  static let threeColumnsTall = Layout(rows: [
    PanelRow(panels: [(.latencyTrend, 44), (.memory, 38), (.power, 38)], height: 10, growth: 0),
    PanelRow(panels: [(.histogram, 60), (.drift, 60)], height: 9, growth: 1),
    PanelRow(panels: [(.operators, 74), (.quantization, 46)], height: 10, growth: 2),
    PanelRow(panels: [(.output, 70), (.events, 50)], height: 6, growth: 2),
  ])

  static let wide = Layout(rows: [
    PanelRow(
      panels: [(.latencyTrend, 50), (.histogram, 50), (.memory, 50), (.power, 50)], height: 9,
      growth: 1),
    PanelRow(panels: [(.operators, 90), (.quantization, 60), (.drift, 50)], height: 7, growth: 1),
    PanelRow(panels: [(.output, 120), (.events, 80)], height: 4, growth: 1),
  ])

  static let wideTall = Layout(rows: [
    PanelRow(
      panels: [(.latencyTrend, 70), (.histogram, 64), (.memory, 66)], height: 14, growth: 0),
    PanelRow(panels: [(.power, 70), (.drift, 64), (.quantization, 66)], height: 9, growth: 0),
    PanelRow(panels: [(.operators, 1)], height: 12, growth: 2),
    PanelRow(panels: [(.output, 120), (.events, 80)], height: 8, growth: 1),
  ])

  /// The rows that fit `available` lines, with their heights: the last ones are left out first,
  /// then the lines to spare are given out by growth.
  func heights(available: Int) -> [Int] {
    var kept: [Int] = []
    var used = 0
    for row in rows {
      guard used + row.height <= available else { break }
      used += row.height
      kept.append(row.height)
    }
    // A shorter last row is better than an empty space, while its box holds two lines.
    if kept.count < rows.count, available - used >= 4 {
      kept.append(available - used)
      used = available
    }
    let growth = (0..<kept.count).reduce(0) { $0 + rows[$1].growth }
    guard growth > 0 else { return kept }
    let spare = available - used
    var given = 0
    for i in kept.indices {
      let part = spare * rows[i].growth / growth
      kept[i] += part
      given += part
    }
    if let last = kept.indices.last(where: { rows[$0].growth > 0 }) { kept[last] += spare - given }
    return kept
  }
}

/// A panel at its place on a screen.
struct PlacedPanel: Sendable {
  var panel: Panel
  var column: Int
  var row: Int
  var size: Size

  func holds(column x: Int, row y: Int) -> Bool {
    x >= column && x < column + size.columns && y >= row && y < row + size.rows
  }
}

extension Layout {
  /// The panels that a screen has room for, in reading order, below a header of three rows.
  func shown(on size: Size) -> [PlacedPanel] {
    var placed: [PlacedPanel] = []
    var y = 3
    for (i, height) in heights(available: size.rows - 5).enumerated() {
      var x = 0
      for (k, width) in rows[i].widths(columns: size.columns).enumerated() {
        placed.append(
          PlacedPanel(
            panel: rows[i].panels[k].panel, column: x, row: y,
            size: Size(columns: width, rows: height)))
        x += width
      }
      y += height
    }
    return placed
  }
}

extension PanelRow {
  /// Widths in cells that add up to `columns`.
  func widths(columns: Int) -> [Int] {
    let shares = panels.reduce(0) { $0 + $1.share }
    var widths = panels.map { $0.share * columns / shares }
    widths[0] += columns - widths.reduce(0, +)
    return widths
  }
}
