// A picture in cells: two pixels a cell where there are colours, a character for its brightness elsewhere.
import Telemetry

/// What a terminal can make of a picture.
enum PictureLook: Equatable, Sendable {
  /// Half blocks in two inks each.
  case inks
  /// Characters that are the denser the brighter it is; the other way round on a light ground.
  case characters(onLight: Bool)
}

/// Draws pictures.
enum PictureCells {
  /// From the emptiest to the densest.
  private static let ramp: [UInt8] = Array(" .:-=+*#%@".utf8)

  /// The cells that a picture takes in a room: as large as its shape allows, a cell twice as high as it is
  /// wide. At least one cell.
  static func fitted(_ thumbnail: Thumbnail, in room: Size) -> Size {
    let (width, height) = (thumbnail.sourceWidth, thumbnail.sourceHeight)
    let columns = max(1, room.columns)
    let rows = max(1, room.rows)
    // Two pixels a row.
    if width * rows * 2 <= height * columns {
      return Size(columns: max(1, (width * rows * 2 + height / 2) / height), rows: rows)
    }
    return Size(columns: columns, rows: min(rows, max(1, (height * columns + width) / (width * 2))))
  }

  /// A picture with what was found on it, in exactly `size` cells.
  static func frame(
    _ thumbnail: Thumbnail, _ boxes: [PictureBox], size: Size, look: PictureLook
  ) -> Frame {
    var frame = Frame(size)
    switch look {
    case .inks: drawInks(thumbnail, &frame)
    case .characters(let onLight): drawCharacters(thumbnail, onLight, &frame)
    }
    // The surest is drawn last, over all others.
    for box in boxes.prefix(PictureReading.boxLimit).reversed() { draw(box, look, &frame) }
    return frame
  }

  private static func drawInks(_ thumbnail: Thumbnail, _ frame: inout Frame) {
    let columns = frame.columns
    let pixels = thumbnail.scaled(width: columns, height: frame.rows * 2)
    for y in 0..<frame.rows {
      var row: [Cell] = []
      row.reserveCapacity(columns)
      for x in 0..<columns {
        let upper = ink(pixels, (2 * y * columns + x) * 3)
        let lower = ink(pixels, ((2 * y + 1) * columns + x) * 3)
        var cell = Cell(upper == lower ? 0x20 : 0x2580, .picture)
        cell.ink = upper
        cell.paper = lower
        row.append(cell)
      }
      frame.put(row, row: y)
    }
  }

  private static func ink(_ pixels: [UInt8], _ at: Int) -> UInt8 {
    Inks.nearest(pixels[at], pixels[at + 1], pixels[at + 2])
  }

  private static func drawCharacters(
    _ thumbnail: Thumbnail, _ onLight: Bool, _ frame: inout Frame
  ) {
    let pixels = thumbnail.scaled(width: frame.columns, height: frame.rows)
    for y in 0..<frame.rows {
      var row: [Cell] = []
      for x in 0..<frame.columns {
        let at = (y * frame.columns + x) * 3
        // Brightness by ITU-R BT.601.
        let light =
          (299 * Int(pixels[at]) + 587 * Int(pixels[at + 1]) + 114 * Int(pixels[at + 2])) / 1000
        let place = (light * (ramp.count - 1) + 127) / 255
        row.append(Cell(UInt32(ramp[onLight ? ramp.count - 1 - place : place]), .picture))
      }
      frame.put(row, row: y)
    }
  }

  // MARK: Boxes

  private static func draw(_ box: PictureBox, _ look: PictureLook, _ frame: inout Frame) {
    let (left, right) = cells(box.left, box.right, frame.columns)
    let (top, bottom) = cells(box.top, box.bottom, frame.rows)
    for x in left...right {
      for y in [top, bottom] { edge(0x2500, x, y, look, &frame) }
    }
    if bottom > top {
      for y in top...bottom {
        for x in [left, right] { edge(0x2502, x, y, look, &frame) }
      }
      if right > left {
        edge(0x250C, left, top, look, &frame)
        edge(0x2510, right, top, look, &frame)
        edge(0x2514, left, bottom, look, &frame)
        edge(0x2518, right, bottom, look, &frame)
      }
    }
    // On the upper edge, and as far to the left as it must be to be read.
    let label = Row.clip(label(of: box), to: frame.columns)
    let start = max(0, min(left + 1, frame.columns - label.count))
    var cells = label
    for i in cells.indices {
      cells[i].style = look == .inks ? .picture : .strong
      if look == .inks { (cells[i].ink, cells[i].paper) = (Inks.black, Inks.yellow) }
    }
    frame.put(cells, column: start, row: top)
  }

  /// `person 0.91`
  private static func label(of box: PictureBox) -> [Cell] {
    var row = Row()
    row.put(box.label.utf8)
    if let score = box.score {
      row.put(" ")
      row.put(Figure.fixed(score, 2))
    }
    return row.cells(width: row.width)
  }

  /// The first and the last of `count` cells that shares of a line lie in.
  private static func cells(_ from: Double, _ to: Double, _ count: Int) -> (Int, Int) {
    func cell(_ share: Double) -> Int {
      guard share > 0 else { return 0 }
      return min(count - 1, Int(min(share, 1) * Double(count)))
    }
    let (first, last) = (cell(min(from, to)), cell(max(from, to)))
    // An edge on the border between two cells belongs to the cell before it.
    let isOnBorder = Double(last) == max(from, to) * Double(count)
    return (first, max(first, isOnBorder ? last - 1 : last))
  }

  /// A piece of a box's line; the picture is left to be seen behind it.
  private static func edge(
    _ scalar: UInt32, _ x: Int, _ y: Int, _ look: PictureLook, _ frame: inout Frame
  ) {
    guard look == .inks else {
      return frame.put([Cell(scalar, .strong)], column: x, row: y)
    }
    var cell = Cell(scalar, .picture)
    cell.paper = frame.cells[y * frame.columns + x].paper
    cell.ink = Inks.isBright(cell.paper) ? Inks.black : Inks.yellow
    frame.put([cell], column: x, row: y)
  }
}
