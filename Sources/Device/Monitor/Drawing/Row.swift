// A line of fields that is fitted to a width by leaving fields out whole: a number is never cut.

/// A line under construction.
struct Row {
  private struct Field {
    var cells: [Cell]
    /// 0 stays to the last; all fields with the highest number are left out first, together.
    var drop: Int
    /// Text that may be shortened, rather than a number.
    var canShrink: Bool
    var isSpring: Bool
  }

  private var fields: [Field] = []

  /// Adds a literal.
  mutating func put(_ text: StaticString, _ style: Style = .normal, drop: Int = 0) {
    add(CellText.cells(text, style), drop: drop)
  }

  /// Adds text or a number, right-aligned in `right` cells or left-aligned in `left` cells.
  mutating func put(
    _ text: [UInt8], _ style: Style = .normal, right: Int = 0, left: Int = 0, drop: Int = 0,
    canShrink: Bool = false
  ) {
    let cells = CellText.cells(text.span, style)
    let before = Array(repeating: Cell.blank, count: max(0, right - cells.count))
    let after = Array(repeating: Cell.blank, count: max(0, left - cells.count))
    fields.append(
      Field(cells: before + cells + after, drop: drop, canShrink: canShrink, isSpring: false))
  }

  /// Adds cells.
  mutating func add(_ cells: [Cell], drop: Int = 0) {
    fields.append(Field(cells: cells, drop: drop, canShrink: false, isSpring: false))
  }

  /// Adds the fields of another row.
  mutating func put(_ other: Row) { fields += other.fields }

  /// What follows is pushed to the right edge.
  mutating func spring() {
    fields.append(Field(cells: [], drop: 0, canShrink: false, isSpring: true))
  }

  /// Cells the fields need when none is left out.
  var width: Int { fields.reduce(0) { $0 + $1.cells.count } }

  /// Exactly `width` cells: fields that do not fit are left out, text that may shrink ends in `…`.
  func cells(width: Int) -> [Cell] {
    var kept = fields
    var total = kept.reduce(0) { $0 + $1.cells.count }
    while total > width {
      let highest = kept.reduce(0) { max($0, $1.drop) }
      if highest > 0 {
        kept.removeAll { $0.drop == highest }
        total = kept.reduce(0) { $0 + $1.cells.count }
      } else if let text = kept.firstIndex(where: { $0.canShrink && $0.cells.count > 1 }),
        kept[text].cells.count > total - width
      {
        let count = kept[text].cells.count - (total - width)
        kept[text].cells = Self.clip(kept[text].cells, to: count)
        total = width
      } else if let last = kept.lastIndex(where: { !$0.isSpring }) {
        total -= kept.remove(at: last).cells.count
      } else {
        break
      }
    }
    var slack = width - total
    var out: [Cell] = []
    out.reserveCapacity(width)
    for field in kept {
      if field.isSpring {
        out += Array(repeating: Cell.blank, count: slack)
        slack = 0
      }
      out += field.cells
    }
    return out + Array(repeating: Cell.blank, count: max(0, slack))
  }

  /// The first cells of a text, the last one an ellipsis; never half a wide character.
  static func clip(_ cells: [Cell], to count: Int) -> [Cell] {
    guard cells.count > count else { return cells }
    guard count > 0 else { return [] }
    var out = Array(cells[0..<count - 1])
    if cells[count - 1].isRightHalf, !out.isEmpty { out[count - 2] = Cell.blank }
    out.append(Cell(0x2026, cells[0].style))
    return out
  }
}
