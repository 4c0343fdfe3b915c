// From a snapshot to a screen: a pure function, tested without any terminal.
import Telemetry

/// Draws the monitor.
public enum MonitorView {
  /// The screen for a snapshot. Any size is drawn, down to one cell; the last line always names
  /// `q` where it has at least 6 columns and 4 rows.
  public static func frame(
    _ snapshot: Snapshot, size: Size, capabilities: Capabilities, ui: UIState
  ) -> Frame {
    var frame = Frame(size)
    var ui = ui
    ui.pictureLook = capabilities.pictureLook(ui.theme)
    if frame.columns < 20 || frame.rows < 4 {
      CompactView.drawLine(snapshot, ui, &frame)
    } else if ui.isHelpShown {
      drawHelp(ui, &frame)
    } else if ui.isZoomed, let panel = zoomed(ui, frame.size) {
      let size = Size(columns: frame.columns, rows: frame.rows - 1)
      frame.put(panel.boxed(size, snapshot, ui, isChosen: true), column: 0, row: 0)
      frame.put(Header.foot(ui), row: frame.rows - 1)
    } else if ui.tab > 0, ui.tab <= Panel.tabs.count, frame.rows >= 6 {
      drawTab(snapshot, ui, &frame)
    } else if frame.rows < 10 || frame.columns < 40 || frame.columns < 80 && frame.rows < 24 {
      CompactView.draw(snapshot, ui, &frame)
    } else {
      drawOverview(snapshot, ui, &frame)
    }
    if !capabilities.isUnicode { frame.reduceToASCII() }
    return frame
  }

  /// Whether a screen of this size shows the picture of the last item.
  static func showsPicture(_ ui: UIState, size: Size) -> Bool {
    guard ui.isPictureShown, !ui.isHelpShown, size.columns >= 20, size.rows >= 4 else {
      return false
    }
    return ui.isZoomed ? zoomed(ui, size)?.isOutput ?? false : ui.tab == Panel.output.tab
  }

  private static func drawOverview(_ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame) {
    frame.put(Header.title(snapshot, ui), row: 0)
    frame.put(Header.tabs(ui, width: frame.columns), row: 1)
    frame.put(Header.status(snapshot, ui), row: 2)
    for (i, place) in Layout.fitting(frame.size).shown(on: frame.size).enumerated() {
      let panel = place.panel.boxed(place.size, snapshot, ui, isChosen: ui.focus == i)
      frame.put(panel, column: place.column, row: place.row)
    }
    frame.put(Header.latest(snapshot, ui), row: frame.rows - 2)
    frame.put(Header.foot(ui), row: frame.rows - 1)
  }

  private static func zoomed(_ ui: UIState, _ size: Size) -> Panel? {
    if ui.tab > 0 { return ui.tab <= Panel.tabs.count ? Panel.tabs[ui.tab - 1] : nil }
    let panels = Layout.fitting(size).shown(on: size)
    guard let focus = ui.focus, !panels.isEmpty else { return nil }
    return panels[min(focus, panels.count - 1)].panel
  }

  private static func drawTab(_ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame) {
    frame.put(Header.title(snapshot, ui), row: 0)
    frame.put(Header.tabs(ui, width: frame.columns), row: 1)
    let size = Size(columns: frame.columns, rows: frame.rows - 3)
    frame.put(Panel.tabs[ui.tab - 1].boxed(size, snapshot, ui), column: 0, row: 2)
    frame.put(Header.foot(ui), row: frame.rows - 1)
  }

  private static func drawHelp(_ ui: UIState, _ frame: inout Frame) {
    let all = KeyBinding.all
    frame.put(Row(" keys", .strong), row: 0)
    let room = frame.rows - 2
    // Two columns where one is not long enough.
    let columns = all.count > room && frame.columns >= 130 ? 2 : 1
    let width = frame.columns / columns
    let first = min(ui.helpScroll, max(0, all.count - room * columns))
    for (i, binding) in all[first...].prefix(room * columns).enumerated() {
      var row = Row(" ")
      row.put(Panel.ascii(binding.label), .strong, left: 11)
      row.put(Panel.ascii(binding.meaning), .normal, canShrink: true)
      frame.put(row.cells(width: width), column: i / room * width, row: 1 + i % room)
    }
    var foot = Row(" ? back   q quit", .label)
    if all.count > room * columns { foot.put("   j, k, PgDn: more", .label, drop: 1) }
    frame.put(foot, row: frame.rows - 1)
  }
}
