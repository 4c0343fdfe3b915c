// A grid of cells: what a view returns, before any terminal is involved.

/// Columns and rows of a screen.
public struct Size: Equatable, Sendable {
  public var columns: Int
  public var rows: Int

  public init(columns: Int, rows: Int) {
    self.columns = columns
    self.rows = rows
  }
}

/// A grid of cells. Drawing outside it is cut off; a wide character is never cut in half.
public struct Frame: Equatable, Sendable {
  public let size: Size
  /// Row by row, `size.rows × size.columns`.
  public private(set) var cells: [Cell]

  /// A blank frame. Sizes are held to 0…1000.
  public init(_ size: Size) {
    self.size = Size(
      columns: min(max(size.columns, 0), 1000), rows: min(max(size.rows, 0), 1000))
    cells = Array(repeating: Cell.blank, count: self.size.columns * self.size.rows)
  }

  var columns: Int { size.columns }
  var rows: Int { size.rows }

  /// Puts cells on a row from a column on.
  mutating func put(_ text: [Cell], column: Int = 0, row: Int) {
    guard row >= 0, row < rows else { return }
    var x = column
    for (i, cell) in text.enumerated() {
      defer { x += 1 }
      guard x >= 0, x < columns else { continue }
      let isWide = i + 1 < text.count && text[i + 1].isRightHalf
      if isWide && x + 1 >= columns || cell.isRightHalf && (i == 0 || x == 0) {
        cells[row * columns + x] = Cell(0x20, cell.style)
      } else {
        cells[row * columns + x] = cell
      }
    }
  }

  /// Puts a row made of fields, fitted to the frame's width.
  mutating func put(_ line: Row, row: Int) {
    guard row >= 0, row < rows else { return }
    put(line.cells(width: columns), row: row)
  }

  /// Copies another frame in.
  mutating func put(_ other: Frame, column: Int, row: Int) {
    for y in 0..<other.rows {
      let start = y * other.columns
      put(Array(other.cells[start..<start + other.columns]), column: column, row: row + y)
    }
  }

  /// Draws a box with a title on its upper left edge and a note on its upper right one.
  mutating func box(
    column: Int, row: Int, width: Int, height: Int, title: [Cell], note: [Cell]
  ) {
    guard width >= 2, height >= 2 else { return }
    func line(_ left: UInt32, _ right: UInt32) -> [Cell] {
      var cells = Array(repeating: Cell(0x2500, .label), count: width)
      cells[0] = Cell(left, .label)
      cells[width - 1] = Cell(right, .label)
      return cells
    }
    put(line(0x250C, 0x2510), column: column, row: row)
    put(line(0x2514, 0x2518), column: column, row: row + height - 1)
    for y in row + 1..<row + height - 1 {
      put([Cell(0x2502, .label)], column: column, row: y)
      put([Cell(0x2502, .label)], column: column + width - 1, row: y)
    }
    let room = width - 6
    guard !title.isEmpty, title.count <= room else { return }
    put([Cell.blank] + title + [Cell.blank], column: column + 2, row: row)
    guard !note.isEmpty, title.count + note.count + 4 <= room else { return }
    put(
      [Cell.blank] + note + [Cell.blank], column: column + width - note.count - 4, row: row)
  }

  /// Replaces what an ASCII terminal cannot show; every cell keeps its place.
  mutating func reduceToASCII() {
    for i in cells.indices {
      cells[i].mark = 0
      let scalar = cells[i].scalar
      guard scalar >= 0x7F || scalar == 0 else { continue }
      cells[i].scalar =
        switch scalar {
        case 0x2500: 0x2D  // ─
        case 0x2502: 0x7C  // │
        case 0x250C, 0x2510, 0x2514, 0x2518: 0x2B
        case 0x2588: 0x23  // █
        case 0x2591: 0x2E  // ░
        case 0x2581: 0x5F  // ▁
        case 0x2582, 0x2583: 0x2E
        case 0x2584, 0x2585: 0x2D
        case 0x2586, 0x2587: 0x3D
        case 0xB0: 0x20  // °
        case 0xB5: 0x75  // µ
        case 0xB7: 0x2E  // ·
        case 0x2026: 0x7E  // …
        default: 0x3F
        }
    }
  }
}
