// The keys: one table that the dashboard obeys and the help and the last line are made from.

/// A key as it arrives from a terminal.
public enum Key: Equatable, Sendable {
  case character(UInt8)
  case controlC, controlL, controlZ, tab, backTab, enter, escape, delete
  case up, down, left, right, pageUp, pageDown, home, end
  /// The left button went down on a cell; columns and rows count from 0.
  case click(column: Int, row: Int)
  /// The wheel was turned: 3 down or -3 up.
  case wheel(Int)
}

/// What a key does.
public enum Action: Equatable, Sendable {
  /// Ask the run to stop; a second time, leave at once. The flag tells Ctrl-C from `q`.
  case quit(isInterrupt: Bool)
  case freeze, pause, resetStatistics, mark, measureIdle
  case showTab(Int)
  /// Tab and the arrows mean a panel on the overview, a tab elsewhere, a tensor on the map.
  case nextPanel, previousPanel, nextTab, previousTab, back
  case scroll(Int)
  case scrollPage(Int)
  case scrollToStart, scrollToEnd
  case faster, slower, help, repaint, suspend
  case zoom, details, longerWindow, shorterWindow, sort, filter
  case saveSnapshot, trace, logarithmic, units, acknowledge, palette, mouse, explain, picture
  case click(column: Int, row: Int)
}

/// A row of the help.
struct KeyBinding: Sendable {
  var keys: [Key]
  /// How the keys are written.
  var label: StaticString
  /// In the last line of the screen; empty keeps it out of there.
  var short: StaticString
  var meaning: StaticString
  var action: Action

  /// Every key that does something. `1`…`9` stand in one row, see `action(for:)`.
  static let all: [KeyBinding] = [
    KeyBinding(
      keys: [.character(0x71)], label: "q", short: "quit",
      meaning: "stop the run and print the summary; again leaves at once",
      action: .quit(isInterrupt: false)),
    KeyBinding(
      keys: [.controlC], label: "Ctrl-C", short: "", meaning: "the same, as an interrupt",
      action: .quit(isInterrupt: true)),
    KeyBinding(
      keys: [.character(0x20)], label: "space", short: "freeze",
      meaning: "hold the view still; the run goes on", action: .freeze),
    KeyBinding(
      keys: [.character(0x50)], label: "P", short: "pause",
      meaning: "pause the run, or let it go on", action: .pause),
    KeyBinding(
      keys: [], label: "1-9", short: "tab", meaning: "overview, or one panel on the whole screen",
      action: .showTab(0)),
    KeyBinding(
      keys: [.tab], label: "Tab", short: "", meaning: "next panel of the overview, or next tab",
      action: .nextPanel),
    KeyBinding(
      keys: [.backTab], label: "Shift-Tab", short: "", meaning: "the panel or tab before",
      action: .previousPanel),
    KeyBinding(
      keys: [.right], label: "right", short: "", meaning: "next tab; next tensor of the map",
      action: .nextTab),
    KeyBinding(
      keys: [.left], label: "left", short: "", meaning: "the tab, or the tensor, before",
      action: .previousTab),
    KeyBinding(
      keys: [.character(0x7A)], label: "z", short: "zoom",
      meaning: "the panel on the whole screen, and back", action: .zoom),
    KeyBinding(
      keys: [.enter], label: "Enter", short: "",
      meaning: "details of the chosen row; the tab of the chosen panel", action: .details),
    KeyBinding(
      keys: [.character(0x6A), .down], label: "j, down", short: "",
      meaning: "one row down in a tab",
      action: .scroll(1)),
    KeyBinding(
      keys: [.character(0x6B), .up], label: "k, up", short: "", meaning: "one row up",
      action: .scroll(-1)),
    KeyBinding(
      keys: [.pageDown], label: "PgDn", short: "", meaning: "a page down", action: .scrollPage(1)),
    KeyBinding(
      keys: [.pageUp], label: "PgUp", short: "", meaning: "a page up", action: .scrollPage(-1)),
    KeyBinding(
      keys: [.character(0x67), .home], label: "g", short: "", meaning: "to the first row",
      action: .scrollToStart),
    KeyBinding(
      keys: [.character(0x47), .end], label: "G", short: "", meaning: "to the last row",
      action: .scrollToEnd),
    KeyBinding(
      keys: [.character(0x2F)], label: "/", short: "filter",
      meaning: "show only operators, lines or events with this text", action: .filter),
    KeyBinding(
      keys: [.character(0x73)], label: "s", short: "",
      meaning: "sort operators by time, place, kind, drift, MACs", action: .sort),
    KeyBinding(
      keys: [.character(0x5B)], label: "[", short: "", meaning: "shorter window: 1 min, 10 s",
      action: .shorterWindow),
    KeyBinding(
      keys: [.character(0x5D)], label: "]", short: "window",
      meaning: "longer window: 1 min, 10 min, whole run", action: .longerWindow),
    KeyBinding(
      keys: [.character(0x6C)], label: "l", short: "",
      meaning: "bars of equal steps, or logarithmic",
      action: .logarithmic),
    KeyBinding(
      keys: [.character(0x75)], label: "u", short: "",
      meaning: "durations in what fits, µs, ms, s", action: .units),
    KeyBinding(
      keys: [.character(0x65)], label: "e", short: "",
      meaning: "explain where a prediction comes from (drift)", action: .explain),
    KeyBinding(
      keys: [.character(0x69)], label: "i", short: "",
      meaning: "the picture that the output is about, with what was found on it",
      action: .picture),
    KeyBinding(
      keys: [.character(0x61)], label: "a", short: "", meaning: "acknowledge alarms",
      action: .acknowledge),
    KeyBinding(
      keys: [.character(0x72)], label: "r", short: "reset stats",
      meaning: "forget all statistics so far", action: .resetStatistics),
    KeyBinding(
      keys: [.character(0x6D)], label: "m", short: "mark", meaning: "put a mark among the events",
      action: .mark),
    KeyBinding(
      keys: [.character(0x77)], label: "w", short: "",
      meaning: "write what is shown to a file, as JSON and as text", action: .saveSnapshot),
    KeyBinding(
      keys: [.character(0x74)], label: "t", short: "",
      meaning: "trace the next 100 inferences to a file for Perfetto", action: .trace),
    KeyBinding(
      keys: [.character(0x62)], label: "b", short: "",
      meaning: "pause for 11 s and measure the power when idle", action: .measureIdle),
    KeyBinding(
      keys: [.character(0x2B), .character(0x3D)], label: "+", short: "",
      meaning: "redraw more often: 1, 2, 4, 10 times a second", action: .faster),
    KeyBinding(
      keys: [.character(0x2D)], label: "-", short: "", meaning: "redraw less often",
      action: .slower),
    KeyBinding(
      keys: [.character(0x63)], label: "c", short: "",
      meaning: "colours: dark, light, high contrast, none",
      action: .palette),
    KeyBinding(
      keys: [.character(0x4D)], label: "M", short: "", meaning: "mouse on, or off to select text",
      action: .mouse),
    KeyBinding(
      keys: [.escape], label: "Esc", short: "", meaning: "back to the overview", action: .back),
    KeyBinding(
      keys: [.controlL], label: "Ctrl-L", short: "", meaning: "draw the whole screen again",
      action: .repaint),
    KeyBinding(
      keys: [.controlZ], label: "Ctrl-Z", short: "", meaning: "stop the process, as in any shell",
      action: .suspend),
    KeyBinding(
      keys: [.character(0x3F)], label: "?", short: "help", meaning: "this list", action: .help),
  ]
}

extension Key {
  /// What this key does; nil for nothing.
  public var action: Action? {
    if case .character(let byte) = self, byte >= 0x31, byte <= 0x39 {
      let tab = Int(byte) - 0x31
      return tab <= Panel.tabs.count ? .showTab(tab) : nil
    }
    switch self {
    case .click(let column, let row): return .click(column: column, row: row)
    case .wheel(let rows): return .scroll(rows)
    default: break
    }
    return KeyBinding.all.first { $0.keys.contains(self) }?.action
  }
}
