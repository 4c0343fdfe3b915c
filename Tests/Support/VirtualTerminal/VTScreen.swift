// A small terminal: it obeys what the monitor may send, and remembers everything else as an error.

/// What a terminal would show after some bytes.
package struct VTScreen {
  package struct Style: Equatable {
    package var foreground = -1
    package var background = -1
    package var isBold = false
    package var isDim = false
    package var isReverse = false

    package init() {}
  }
  package struct Cell: Equatable {
    package var text = " "
    package var style = Style()
  }

  package private(set) var columns: Int
  package private(set) var rows: Int
  package private(set) var cells: [Cell]
  package private(set) var unknown: [String] = []
  package private(set) var colorCount = 0
  package private(set) var modes: Set<String> = []
  private var x = 0
  private var y = 0
  // After the last column the cursor waits there until the next character.
  private var isWrapPending = false
  private var style = Style()
  private var last = " "
  private var top = 0
  private var bottom: Int
  private var saved: (Int, Int) = (0, 0)

  package init(columns: Int, rows: Int) {
    self.columns = columns
    self.rows = rows
    bottom = rows - 1
    cells = Array(repeating: Cell(), count: columns * rows)
  }

  package func text(row: Int) -> String {
    (0..<columns).map { cells[row * columns + $0].text }.joined()
  }

  package mutating func feed(_ bytes: [UInt8]) {
    let scalars = Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
    var i = 0
    while i < scalars.count {
      let scalar = scalars[i]
      i += 1
      switch scalar.value {
      case 0x08: x = max(0, x - 1)
      case 0x0A: lineFeed()
      case 0x0D: x = 0
      // The last one ends a sequence that was cut.
      case 0x0E, 0x0F, 0x18: break
      case 0x1B: escape(scalars, &i)
      case 0..<0x20: unknown.append("control \(scalar.value)")
      default: put(scalar)
      }
      if scalar.value < 0x20, scalar.value != 0x1B { isWrapPending = false }
    }
  }

  private mutating func lineFeed() {
    if y == bottom { scrollUp(1) } else { y = min(rows - 1, y + 1) }
  }

  private mutating func put(_ scalar: Unicode.Scalar) {
    let width = Self.width(scalar)
    if width == 0 {
      let at = max(0, y * columns + (isWrapPending ? x : x - 1))
      let left = cells[at].text.isEmpty ? at - 1 : at
      cells[left].text.unicodeScalars.append(scalar)
      return
    }
    if isWrapPending {
      x = 0
      lineFeed()
      isWrapPending = false
    }
    cells[y * columns + x] = Cell(text: String(scalar), style: style)
    if width == 2, x + 1 < columns { cells[y * columns + x + 1] = Cell(text: "", style: style) }
    last = String(scalar)
    x += width
    if x >= columns {
      x = columns - 1
      isWrapPending = true
    }
  }

  /// Enough for the characters of these tests.
  private static func width(_ scalar: Unicode.Scalar) -> Int {
    switch scalar.value {
    case 0x300..<0x370: 0
    case 0x3000..<0xA000, 0xAC00..<0xD7A4, 0xFF01..<0xFF61, 0x1F300..<0x1FB00: 2
    default: 1
    }
  }

  private mutating func escape(_ scalars: [Unicode.Scalar], _ i: inout Int) {
    guard i < scalars.count else { return unknown.append("cut escape") }
    let kind = scalars[i]
    i += 1
    switch kind {
    case "[":
      var body = ""
      while i < scalars.count, !(0x40...0x7E).contains(scalars[i].value) {
        if scalars[i].value == 0x18 { return }
        body.unicodeScalars.append(scalars[i])
        i += 1
      }
      guard i < scalars.count else { return unknown.append("cut CSI") }
      control(body, scalars[i])
      i += 1
    case "(", ")":
      if i < scalars.count, scalars[i] != "B", scalars[i] != "0" {
        unknown.append("charset \(scalars[i])")
      }
      i += 1
    case "7": saved = (x, y)
    case "8":
      (x, y) = saved
      isWrapPending = false
    case "M":
      isWrapPending = false
      if y == top { scrollDown(1) } else { y = max(0, y - 1) }
    case "=", ">": break
    default: unknown.append("ESC \(kind)")
    }
  }

  private mutating func control(_ body: String, _ final: Unicode.Scalar) {
    if body.hasPrefix("?") || body.hasPrefix(">") {
      // The Linux console's cursor shape.
      if final == "c" { return }
      guard final == "h" || final == "l" else { return unknown.append("CSI \(body)\(final)") }
      for mode in body.dropFirst().split(separator: ";") {
        if final == "h" { modes.insert(String(mode)) } else { modes.remove(String(mode)) }
      }
      return
    }
    let numbers = body.split(separator: ";", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    let count = max(1, numbers.first ?? 1)
    if final != "m" { isWrapPending = false }
    switch final {
    case "A": y = max(0, y - count)
    case "B": y = min(rows - 1, y + count)
    case "C": x = min(columns - 1, x + count)
    case "D": x = max(0, x - count)
    case "G": x = min(columns, count) - 1
    case "d": y = min(rows, count) - 1
    case "H":
      y = min(rows, max(1, numbers.first ?? 1)) - 1
      x = min(columns, max(1, numbers.count > 1 ? numbers[1] : 1)) - 1
    case "J": erase(from: numbers.first == 2 ? 0 : y * columns + x, to: rows * columns)
    case "K":
      let row = y * columns
      if numbers.first == 1 { erase(from: row, to: row + x + 1) }
      if numbers.first ?? 0 == 0 { erase(from: row + x, to: row + columns) }
    case "X": erase(from: y * columns + x, to: min(y * columns + x + count, (y + 1) * columns))
    case "b": for _ in 0..<count { put(last.unicodeScalars.first ?? " ") }
    case "P":
      let row = y * columns
      for k in x..<columns {
        cells[row + k] = k + count < columns ? cells[row + k + count] : Cell()
      }
    case "@":
      let row = y * columns
      for k in stride(from: columns - 1, through: x, by: -1) {
        cells[row + k] = k - count >= x ? cells[row + k - count] : Cell()
      }
    case "L", "M":
      let region = top
      top = y
      if final == "L" { scrollDown(count) } else { scrollUp(count) }
      top = region
    case "S": scrollUp(count)
    case "T": scrollDown(count)
    case "r":
      top = max(1, numbers.first ?? 1) - 1
      bottom = (numbers.count > 1 ? numbers[1] : rows) - 1
      (x, y) = (0, 0)
    case "m": rendition(numbers)
    case "h", "l":
      if numbers != [4] { unknown.append("mode \(body)") }
    case "t": break
    default: unknown.append("CSI \(body)\(final)")
    }
  }

  private mutating func erase(from start: Int, to end: Int) {
    var blank = Cell()
    blank.style.background = style.background
    for i in start..<max(start, end) { cells[i] = blank }
  }

  private mutating func scrollUp(_ count: Int) {
    for _ in 0..<count {
      cells.removeSubrange(top * columns..<(top + 1) * columns)
      cells.insert(
        contentsOf: Array(repeating: Cell(), count: columns), at: bottom * columns)
    }
  }

  private mutating func scrollDown(_ count: Int) {
    for _ in 0..<count {
      cells.removeSubrange(bottom * columns..<(bottom + 1) * columns)
      cells.insert(contentsOf: Array(repeating: Cell(), count: columns), at: top * columns)
    }
  }

  private mutating func rendition(_ numbers: [Int]) {
    var i = 0
    while i < numbers.count {
      let number = numbers[i]
      i += 1
      switch number {
      case 0: style = Style()
      case 1: style.isBold = true
      case 2: style.isDim = true
      case 7: style.isReverse = true
      case 10: break  // the primary font
      case 22: (style.isBold, style.isDim) = (false, false)
      case 27: style.isReverse = false
      case 30...37: style.foreground = number - 30
      case 40...47: style.background = number - 40
      case 90...97: style.foreground = number - 90 + 8
      case 100...107: style.background = number - 100 + 8
      case 39: style.foreground = -1
      case 49: style.background = -1
      case 38, 48:
        guard i + 1 < numbers.count, numbers[i] == 5 else {
          return unknown.append("SGR \(numbers)")
        }
        if number == 38 {
          style.foreground = numbers[i + 1]
        } else {
          style.background = numbers[i + 1]
        }
        i += 2
      default: unknown.append("SGR \(number)")
      }
      if number >= 30, number != 39, number != 49 { colorCount += 1 }
    }
  }
}
