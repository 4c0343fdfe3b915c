// What was stored how: schemes, their bytes, and a map with one letter per tensor.
import Telemetry

extension Panel {
  /// Shares by scheme, then the map.
  static let quantization = Panel(
    name: "Quant", title: { _ in Row("Quantization") },
    note: { snapshot in
      var row = Row()
      if let bits = snapshot.facts.bitsPerWeight {
        row.put(Figure.three(bits), .label)
        row.put(" bits/weight", .label)
      }
      return row
    },
    draw: { snapshot, _, frame in
      let facts = snapshot.facts
      guard !facts.schemeShares.isEmpty else {
        frame.put(Row("no weights known", .unknown), row: 0)
        return
      }
      let total = facts.schemeShares.reduce(0.0) { $0 + Double($1.byteCount) }
      var y = 0
      for share in facts.schemeShares {
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
        frame.put(row, row: y)
        y += 1
      }
      drawMap(facts.schemeMap, &frame, from: y + 1)
    })

  /// Ten letters to a group, so that a place can be counted.
  private static func drawMap(_ map: [UInt8], _ frame: inout Frame, from top: Int) {
    let groups = max(1, (frame.columns + 1) / 11)
    for (i, letter) in map.enumerated() {
      let row = i / (groups * 10)
      let column = i % (groups * 10)
      let isPlain = letter > 0x20 && letter < 0x7F
      frame.put(
        [Cell(isPlain ? UInt32(letter) : 0x3F, .series)], column: column + column / 10,
        row: top + row)
    }
  }
}
