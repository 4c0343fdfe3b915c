// What was stored how: schemes, their bytes, and a map with one letter per tensor.
import Telemetry

extension Panel {
  /// Shares by scheme, then the map; as a tab the chosen tensor as well.
  static let quantization = Panel(
    name: "Quant", title: { _, _ in Row("Quantization") },
    note: { snapshot, _ in
      var row = Row()
      if let bits = snapshot.facts.bitsPerWeight {
        row.put(Figure.three(bits), .label)
        row.put(" bits/weight", .label)
      }
      return row
    },
    draw: { snapshot, ui, frame in
      let facts = snapshot.facts
      guard !facts.schemeShares.isEmpty else {
        frame.put(Row("no weights known", .unknown), row: 0)
        return
      }
      let total = facts.schemeShares.reduce(0.0) { $0 + Double($1.byteCount) }
      for (i, share) in facts.schemeShares.enumerated() {
        frame.put(schemeLine(share, of: total), row: i)
      }
      let top = mapTop(facts)
      guard ui.tab > 0 else {
        drawMap(facts, nil, &frame, from: top, to: frame.rows)
        return
      }
      let detail = ui.isDetailShown ? 5 : 2
      let chosen = min(max(0, ui.tensor), max(0, facts.schemeMap.count - 1))
      drawMap(facts, chosen, &frame, from: top, to: frame.rows - detail)
      guard facts.tensors.indices.contains(chosen) else { return }
      drawTensor(facts, chosen, ui.isDetailShown, &frame, from: frame.rows - detail)
    })

  private static func schemeLine(_ share: SchemeShare, of total: Double) -> Row {
    var row = Row()
    row.put([share.letter], .series)
    row.put(" ")
    row.put(share.scheme.utf8, .normal, left: 12, canShrink: true)
    row.put(Figure.count(share.tensorCount), .normal, right: 6, drop: 1)
    row.put(" tensors", .label, drop: 1)
    row.spring()
    row.put(Figure.mebibytes(share.byteCount), right: 7)
    row.put(" MiB", .label)
    row.put(Figure.fixed(total > 0 ? Double(share.byteCount) / total * 100 : 0, 0), right: 5)
    row.put(" %", .label)
    return row
  }

  // MARK: The map

  private static func mapTop(_ facts: RunFacts) -> Int { facts.schemeShares.count + 1 }

  /// Tensors in one line of the map: ten letters to a group, so that a place can be counted.
  static func mapColumns(_ width: Int) -> Int { max(1, (width + 1) / 11) * 10 }

  /// The tensor at a place inside of the panel; nil for none.
  static func mapIndex(column: Int, row: Int, _ snapshot: Snapshot, width: Int) -> Int? {
    let line = row - mapTop(snapshot.facts)
    guard line >= 0, column >= 0, column % 11 != 10 else { return nil }
    let place = column - column / 11
    let index = line * mapColumns(width) + place
    return place < mapColumns(width) && index < snapshot.facts.schemeMap.count ? index : nil
  }

  private static func drawMap(
    _ facts: RunFacts, _ chosen: Int?, _ frame: inout Frame, from top: Int, to bottom: Int
  ) {
    let columns = mapColumns(frame.columns)
    for (i, letter) in facts.schemeMap.enumerated() {
      let row = top + i / columns
      guard row < bottom else { return }
      let column = i % columns
      let isPlain = letter > 0x20 && letter < 0x7F
      frame.put(
        [Cell(isPlain ? UInt32(letter) : 0x3F, i == chosen ? .selection : .series)],
        column: column + column / 10, row: row)
    }
  }

  private static func drawTensor(
    _ facts: RunFacts, _ index: Int, _ isWhole: Bool, _ frame: inout Frame, from top: Int
  ) {
    let tensor = facts.tensors[index]
    var name = Row("> ", .selection)
    name.put(Figure.count(index), .label)
    name.put(" ")
    name.put(tensor.name.utf8, .strong, canShrink: true)
    name.put("  ")
    name.put(tensor.shape.utf8, .label)
    frame.put(name, row: top)
    var size = Row()
    size.put("  ")
    size.put(tensor.scheme.utf8)
    size.put("  ")
    size.put(Figure.three(Double(tensor.byteCount) / 1024))
    size.put(" KiB", .label)
    if tensor.elementCount > 0 {
      size.put("  ", drop: 1)
      size.put(
        Figure.three(Double(tensor.byteCount) * 8 / Double(tensor.elementCount)), drop: 1)
      size.put(" bits/weight", .label, drop: 1)
    }
    if !isWhole { size.put("   Enter: what it costs", .label, drop: 2) }
    frame.put(size, row: top + 1)
    guard isWhole else { return }
    var stored = Row("  in the bundle ")
    stored.put(
      Figure.three(tensor.storedBytes.map { Double($0) / 1024 }),
      tensor.storedBytes == nil ? .unknown : .normal)
    stored.put(" KiB", .label)
    frame.put(stored, row: top + 2)
    var loss = Row("  predicted loss ")
    loss.put(scientific(tensor.predictedLoss), tensor.predictedLoss == nil ? .unknown : .estimate)
    if let part = tensor.predictedLoss, let whole = facts.predictedLoss, whole > 0 {
      loss.put("  of ", .label, drop: 1)
      loss.put(scientific(whole), .estimate, drop: 1)
      loss.put("  ", drop: 2)
      loss.put(Figure.fixed(part / whole * 100, 1), drop: 2)
      loss.put(" %", .label, drop: 2)
    } else if tensor.predictedLoss == nil {
      loss.put("  not packed to a limit, or not measured", .unknown, drop: 1)
    }
    frame.put(loss, row: top + 3)
  }

  /// Losses are small: three digits and a power of ten.
  private static func scientific(_ value: Double?) -> [UInt8] {
    guard let value, value.isFinite, value >= 0 else { return Figure.unknown }
    guard value > 0, value < 0.001 else { return Figure.three(value) }
    var scaled = value
    var power = 0
    while scaled < 1, power < 300 {
      scaled *= 10
      power += 1
    }
    return Figure.three(scaled) + ascii("e-") + Figure.count(power)
  }
}
