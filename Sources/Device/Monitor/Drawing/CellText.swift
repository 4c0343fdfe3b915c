// From UTF-8 to cells.

/// Cells of a text of ours or of an already escaped one.
enum CellText {
  /// The cells of a text. Controls and broken UTF-8 become U+FFFD: nothing here can move a cursor.
  static func cells(_ text: Span<UInt8>, _ style: Style) -> [Cell] {
    var cells: [Cell] = []
    cells.reserveCapacity(text.count)
    var i = 0
    while i < text.count {
      let (scalar, length) = decode(text, at: i)
      i += length
      append(scalar, style, to: &cells)
    }
    return cells
  }

  /// The cells of a literal.
  static func cells(_ text: StaticString, _ style: Style) -> [Cell] {
    text.withUTF8Buffer { unsafe cells(Span(_unsafeElements: $0), style) }
  }

  private static func append(_ scalar: UInt32, _ style: Style, to cells: inout [Cell]) {
    switch CellWidth.of(scalar) {
    case 0:
      guard let last = cells.lastIndex(where: { !$0.isRightHalf }), cells[last].mark == 0 else {
        return
      }
      cells[last].mark = scalar
    case 2:
      cells.append(Cell(scalar, style))
      cells.append(Cell(0, style))
    default: cells.append(Cell(scalar, style))
    }
  }

  private static func decode(_ text: Span<UInt8>, at start: Int) -> (UInt32, Int) {
    let first = UInt32(text[start])
    let length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0
    guard length > 0, start + length <= text.count else { return (0xFFFD, 1) }
    if length == 1 { return (first < 0x20 || first == 0x7F ? 0xFFFD : first, 1) }
    var scalar = first & (0x7F >> UInt32(length))
    for k in 1..<length {
      let byte = UInt32(text[start + k])
      guard byte & 0xC0 == 0x80 else { return (0xFFFD, 1) }
      scalar = scalar << 6 | byte & 0x3F
    }
    let isC1 = scalar >= 0x80 && scalar < 0xA0
    let isSurrogate = scalar >= 0xD800 && scalar < 0xE000
    return (scalar > 0x10FFFF || isC1 || isSurrogate ? 0xFFFD : scalar, length)
  }
}
