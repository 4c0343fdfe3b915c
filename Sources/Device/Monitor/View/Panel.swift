// What a panel is, and the one list of them.
import Telemetry

/// A box of the monitor: a constant value that draws a snapshot into a frame of any size.
struct Panel: Sendable {
  /// Its name in the tab line.
  var name: StaticString
  /// On its upper left edge.
  var title: @Sendable (Snapshot) -> Row
  /// On its upper right edge.
  var note: @Sendable (Snapshot) -> Row
  /// Fills the inside of the box. Must do with whatever size it is given.
  var draw: @Sendable (Snapshot, UIState, inout Frame) -> Void

  /// The tabs, in the order of their keys; the overview comes before them on key 1.
  static let tabs: [Panel] = [
    latency, memory, power, operators, quantization, drift, output, events,
  ]

  /// The panel with its box.
  func boxed(_ size: Size, _ snapshot: Snapshot, _ ui: UIState) -> Frame {
    var frame = Frame(size)
    let title = title(snapshot)
    let note = note(snapshot)
    frame.box(
      column: 0, row: 0, width: size.columns, height: size.rows,
      title: title.cells(width: title.width), note: note.cells(width: note.width))
    guard size.columns > 4, size.rows > 2 else { return frame }
    var inside = Frame(Size(columns: size.columns - 4, rows: size.rows - 2))
    draw(snapshot, ui, &inside)
    frame.put(inside, column: 2, row: 1)
    return frame
  }
}

extension Row {
  /// A row of one literal.
  init(_ text: StaticString, _ style: Style = .label) {
    self.init()
    put(text, style)
  }
  static let empty = Row()
}
