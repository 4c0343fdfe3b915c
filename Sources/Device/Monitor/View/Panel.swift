// What a panel is, and the one list of them.
import Telemetry

/// A box of the monitor: a constant value that draws a snapshot into a frame of any size.
struct Panel: Sendable {
  /// Its name in the tab line.
  var name: StaticString
  /// On its upper left edge.
  var title: @Sendable (Snapshot, UIState) -> Row
  /// On its upper right edge.
  var note: @Sendable (Snapshot, UIState) -> Row
  /// Fills the inside of the box. Must do with whatever size it is given.
  var draw: @Sendable (Snapshot, UIState, inout Frame) -> Void

  /// The tabs, in the order of their keys; the overview comes before them on key 1.
  static let tabs: [Panel] = [
    latency, memory, power, operators, quantization, drift, output, events,
  ]

  /// The tab that shows this panel; nil for those that are on the overview only.
  var tab: Int? {
    // The line and the bars are parts of the latency tab.
    let isPart = isNamed(Panel.latencyTrend) || isNamed(Panel.histogram)
    return isPart ? 1 : Panel.tabs.firstIndex { isNamed($0) }.map { $0 + 1 }
  }

  var isOutput: Bool { isNamed(Panel.output) }

  private func isNamed(_ other: Panel) -> Bool { Panel.ascii(name) == Panel.ascii(other.name) }

  /// The panel with its box. `isChosen`: its title is shown as the selection is.
  func boxed(
    _ size: Size, _ snapshot: Snapshot, _ ui: UIState, isChosen: Bool = false
  ) -> Frame {
    var frame = Frame(size)
    var title = title(snapshot, ui)
    if isChosen {
      let plain = title.cells(width: title.width)
      title = Row.empty
      title.add(([Cell(0x3E)] + plain).map { Cell($0.scalar, .selection, mark: $0.mark) })
    }
    let note = note(snapshot, ui)
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
