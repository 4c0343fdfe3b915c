// What it says: the run's own lines, escaped, newest first.
import Telemetry

extension Panel {
  /// Lines with their numbers, and the picture that the newest ones are about where that is asked for;
  /// accuracy on the edge when labels are known.
  static let output = Panel(
    name: "Out", title: { _, _ in Row("Output") },
    note: { snapshot, ui in
      var row = Row()
      if let accuracy = snapshot.accuracy {
        row.put("accuracy ", .label)
        row.put(Figure.fixed(accuracy * 100, 1), .label)
        row.put(" % of ", .label)
        row.put(Figure.count(snapshot.labelledCount), .label)
      }
      if ui.tab > 0 { row.put(ui.isPictureShown ? "   i lines" : "   i picture", .label) }
      return row
    },
    draw: { snapshot, ui, frame in
      if ui.isPictureShown, ui.tab > 0 || ui.isZoomed {
        drawPicture(snapshot, ui, &frame)
      } else {
        drawLines(snapshot, ui, &frame)
      }
    })

  private static func drawLines(_ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame) {
    guard let last = snapshot.output.last else {
      return frame.put(Row("nothing yet", .unknown), row: 0)
    }
    let width = Figure.plain(last.number).count
    let lines = snapshot.output.reversed().filter { ui.shows($0.text.utf8) }
    if lines.isEmpty { frame.put(Row("no line has this text", .unknown), row: 0) }
    let skip = ui.tab == 0 ? 0 : min(max(0, ui.scroll), max(0, lines.count - 1))
    for (i, line) in lines.dropFirst(skip).prefix(frame.rows).enumerated() {
      var row = Row()
      row.put(Figure.plain(line.number), .label, right: width, drop: 1)
      row.put(" ", drop: 1)
      row.put(line.text.utf8, .normal, canShrink: true)
      frame.put(row, row: i)
    }
  }

  // MARK: The picture

  /// Below this width lines beside a picture say nothing.
  private static var leastLineColumns: Int { 20 }

  /// The picture above what is said of it; the lines beside it where there is room, below a reason where
  /// there is no picture.
  private static func drawPicture(_ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame) {
    let reading = snapshot.picture
    guard let thumbnail = reading.thumbnail else {
      var row = Row("picture -  ", .unknown)
      row.put(reading.reason.utf8, .unknown, canShrink: true)
      if ui.frozen != nil { row.put(", once the view goes on", .unknown, drop: 1) }
      frame.put(row, row: 0)
      return drawLines(below: 1, column: 0, snapshot, ui, &frame)
    }
    let captionRows = frame.rows > 1 ? 1 : 0
    let room = Size(columns: frame.columns, rows: frame.rows - captionRows)
    let size = PictureCells.fitted(thumbnail, in: room)
    let picture = PictureCells.frame(thumbnail, reading.boxes, size: size, look: ui.pictureLook)
    frame.put(picture, column: 0, row: 0)
    if captionRows > 0 { frame.put(caption(reading, thumbnail), row: frame.rows - 1) }
    let column = size.columns + 2
    guard frame.columns - column >= leastLineColumns else { return }
    drawLines(below: 0, column: column, rows: room.rows, snapshot, ui, &frame)
  }

  private static func drawLines(
    below row: Int, column: Int, rows: Int? = nil, _ snapshot: Snapshot, _ ui: UIState,
    _ frame: inout Frame
  ) {
    var part = Frame(Size(columns: frame.columns - column, rows: (rows ?? frame.rows) - row))
    drawLines(snapshot, ui, &part)
    frame.put(part, column: column, row: row)
  }

  /// `#152380 tabby cat 0.913        640x480`
  private static func caption(_ reading: PictureReading, _ thumbnail: Thumbnail) -> Row {
    var row = Row("#")
    row.put(Figure.plain(reading.number), .label)
    row.put(" ")
    row.put(reading.caption.utf8, .strong, canShrink: true)
    row.spring()
    row.put("  ", drop: 1)
    if reading.isModelInput { row.put("the model's input ", .label, drop: 2) }
    row.put(Figure.plain(UInt64(thumbnail.sourceWidth)), .label, drop: 1)
    row.put("x", .label, drop: 1)
    row.put(Figure.plain(UInt64(thumbnail.sourceHeight)), .label, drop: 1)
    return row
  }
}
