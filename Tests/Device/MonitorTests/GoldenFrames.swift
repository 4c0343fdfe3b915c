// Golden frames: every state at every class of size, as text files that a person can read.
//
// `KNAPSACK_UPDATE_GOLDENS=1 swift test -c release --filter MonitorTests` writes them anew.
import Foundation
import Monitor
import Testing

struct GoldenFrames {
  static let sizes = [
    Size(columns: 80, rows: 24), Size(columns: 40, rows: 10), Size(columns: 120, rows: 40),
    Size(columns: 200, rows: 60), Size(columns: 20, rows: 5), Size(columns: 1, rows: 1),
  ]
  static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Support/Monitor")

  static func ui(_ state: SampleState) -> UIState {
    var ui = UIState()
    ui.secondOfDay = 43_380
    if state == .frozen { ui.frozen = FrozenView(elapsedSeconds: 750, livePerSecond: 207.2) }
    return ui
  }

  static func frame(
    _ state: SampleState, _ size: Size, colors: Int = 256, isUnicode: Bool = true
  ) -> Frame {
    MonitorView.frame(
      Samples.snapshot(state), size: size,
      capabilities: Capabilities(colors: colors, isUnicode: isUnicode), ui: ui(state))
  }

  static func compare(_ text: String, with name: String) throws {
    let file = folder.appendingPathComponent(name)
    if ProcessInfo.processInfo.environment["KNAPSACK_UPDATE_GOLDENS"] == "1" {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
      return
    }
    let golden = try String(decoding: Data(contentsOf: file), as: UTF8.self)
    #expect(text == golden, "\(name) differs from its golden frame")
  }

  @Test(arguments: SampleState.allCases, sizes)
  func matches(state: SampleState, size: Size) throws {
    let frame = Self.frame(state, size)
    try Self.compare(frame.text, with: "\(state.rawValue)-\(size.columns)x\(size.rows).txt")
  }

  @Test func stylesMatch() throws {
    try Self.compare(
      Self.frame(.running, Size(columns: 80, rows: 24)).styles, with: "styles-80x24.txt")
  }

  @Test func asciiMatches() throws {
    let frame = Self.frame(.running, Size(columns: 80, rows: 24), isUnicode: false)
    try Self.compare(frame.text, with: "ascii-80x24.txt")
  }

  @Test func helpMatches() throws {
    var ui = UIState()
    ui.isHelpShown = true
    let frame = MonitorView.frame(
      Samples.snapshot(.running), size: Size(columns: 80, rows: 24),
      capabilities: Capabilities(colors: 8, isUnicode: true), ui: ui)
    try Self.compare(frame.text, with: "help-80x24.txt")
  }

  @Test(arguments: 1...8) func tabsMatch(tab: Int) throws {
    var ui = UIState()
    ui.tab = tab
    let frame = MonitorView.frame(
      Samples.snapshot(.running), size: Size(columns: 80, rows: 24),
      capabilities: Capabilities(colors: 8, isUnicode: true), ui: ui)
    try Self.compare(frame.text, with: "tab\(tab + 1)-80x24.txt")
  }

  /// The memory and power tabs with everything that they can say, and with nothing.
  @Test(
    arguments: [2, 3],
    [(SampleState.throttled, 120, 40), (.throttled, 200, 60), (.notPermitted, 80, 24)])
  func fullTabsMatch(tab: Int, place: (state: SampleState, columns: Int, rows: Int)) throws {
    var ui = UIState()
    ui.tab = tab
    let frame = MonitorView.frame(
      Samples.snapshot(place.state), size: Size(columns: place.columns, rows: place.rows),
      capabilities: Capabilities(colors: 8, isUnicode: true), ui: ui)
    let name = "tab\(tab + 1)-\(place.state.rawValue)-\(place.columns)x\(place.rows).txt"
    try Self.compare(frame.text, with: name)
  }
}

/// Tabs at the sizes where they have more to show.
struct GoldenTabs {
  private func frame(
    _ state: SampleState, tab: Int, _ size: Size, _ change: (inout UIState) -> Void
  )
    -> String
  {
    var ui = UIState()
    ui.tab = tab
    change(&ui)
    return MonitorView.frame(
      Samples.snapshot(state), size: size,
      capabilities: Capabilities(colors: 8, isUnicode: true), ui: ui
    ).text
  }

  @Test(
    arguments: [1, 4],
    [(SampleState.running, 120, 40), (.running, 200, 60), (.languageModel, 120, 40)])
  func wideTabsMatch(tab: Int, place: (state: SampleState, columns: Int, rows: Int)) throws {
    let size = Size(columns: place.columns, rows: place.rows)
    try GoldenFrames.compare(
      frame(place.state, tab: tab, size) { _ in },
      with: "tab\(tab + 1)-\(place.state.rawValue)-\(place.columns)x\(place.rows).txt")
  }

  @Test(arguments: 1...3) func tabsOfALanguageModelMatch(tab: Int) throws {
    try GoldenFrames.compare(
      frame(.languageModel, tab: tab, Size(columns: 80, rows: 24)) { _ in },
      with: "tab\(tab + 1)-languageModel-80x24.txt")
  }

  /// All twenty can be read where there is no room for them, with every cause among them.
  @Test func theSlowestScroll() {
    let size = Size(columns: 80, rows: 24)
    var seen = ""
    for scroll in 0..<20 { seen += frame(.running, tab: 1, size) { $0.scroll = scroll } }
    for cause in [
      "00:12:24     18.5    3.79   2 major faults, preempted 1x",
      "00:12:11     14.2    2.91   preempted 3x, throttled", "its steps were timed",
      "-  no major fault, not preempted", "-  p50 was not known yet, or longer",
      "-  looked into from twice p50 on", "20 of 20 in 60 s",
    ] {
      #expect(seen.contains(cause), "\(cause)")
    }
    var fast = Samples.snapshot(.running)
    fast.latency.p50 = 11_600
    var ui = UIState()
    ui.tab = 1
    let text = MonitorView.frame(
      fast, size: Size(columns: 120, rows: 40),
      capabilities: Capabilities(colors: 8, isUnicode: true), ui: ui
    ).text
    #expect(text.contains("its steps were timed") && !text.contains("looked into from"))
    #expect(text.contains("-  too short to look into each"))
    #expect(!text.contains("p50 was not known"))
  }

  /// Columns are left out whole, the least important first; the detail tells what is left out.
  @Test func columnsOfWorkNeedRoom() {
    let names = ["MACs M", "bound", "cum%"]
    for (columns, shown) in [(80, []), (100, ["MACs M", "bound"]), (120, names), (200, names)] {
      let text = frame(.running, tab: 4, Size(columns: columns, rows: 30)) { _ in }
      #expect(names.filter { text.contains($0) } == shown, "\(columns)")
    }
    let detail = frame(.running, tab: 4, Size(columns: 80, rows: 24)) {
      $0.step = 3
      $0.isDetailShown = true
    }
    #expect(detail.contains("work    10.8 M multiply-adds  32.3 G/s  bound by compute"))
    let unknown = frame(.running, tab: 4, Size(columns: 80, rows: 24)) {
      $0.step = 7
      $0.isDetailShown = true
    }
    #expect(unknown.contains("work    - the bundle does not say"))
  }
}

extension Frame {
  /// The cells as lines of text.
  var text: String { String(decoding: textBytes, as: UTF8.self) }

  /// The styles as lines of letters.
  var styles: String { String(decoding: styleBytes, as: UTF8.self) }

  /// One row as text.
  func row(_ y: Int) -> String { String(text.split(separator: "\n")[y]) }
}
