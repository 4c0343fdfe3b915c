// What keys do to the view: each is pressed, and the frame that follows is read.
import Monitor
import Telemetry
import Testing

/// A person at a terminal: keys in, text of the screen out.
struct Viewer {
  var ui = UIState()
  var size = Size(columns: 80, rows: 24)
  var snapshot = Samples.snapshot(.running)

  mutating func press(_ keys: Key...) {
    for key in keys where !(ui.isFiltering && ui.type(key)) {
      if let action = key.action { ui.navigate(action, snapshot, size: size) }
    }
  }

  mutating func type(_ text: String) {
    for byte in text.utf8 { press(.character(byte)) }
  }

  var frame: Frame {
    MonitorView.frame(
      snapshot, size: size, capabilities: Capabilities(colors: 8, isUnicode: true), ui: ui)
  }

  var screen: String { frame.text }

  /// Where a text stands on the screen.
  func place(of text: String) -> (column: Int, row: Int)? {
    for (y, line) in screen.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if let range = line.range(of: text) {
        return (line.unicodeScalars.distance(from: line.startIndex, to: range.lowerBound), y)
      }
    }
    return nil
  }
}

extension StringProtocol {
  fileprivate func range(of text: String) -> Range<Index>? {
    indices.lazy.first { self[$0...].hasPrefix(text) }.map { $0..<endIndex }
  }
}

struct NavigationTests {
  @Test func tabMovesThroughPanels() {
    var viewer = Viewer()
    viewer.press(.tab)
    #expect(viewer.screen.contains(">Latency"))
    viewer.press(.tab)
    #expect(viewer.screen.contains(">Memory"))
    #expect(!viewer.screen.contains(">Latency"))
    viewer.press(.backTab, .backTab)
    #expect(viewer.screen.contains(">Output"))
    viewer.press(.escape)
    #expect(viewer.ui.focus == nil)
  }

  @Test func enterOpensTheTabOfAPanel() {
    var viewer = Viewer()
    viewer.press(.tab, .tab, .enter)
    #expect(viewer.screen.contains("[3 Mem]"))
    viewer.press(.escape)
    #expect(viewer.screen.contains("[1 Over]"))
  }

  @Test func zoomTakesTheWholeScreenAndGivesItBack() {
    var viewer = Viewer()
    let before = viewer.screen
    viewer.press(.tab)
    viewer.type("z")
    #expect(viewer.frame.row(0).hasPrefix("┌─ >Latency"))
    #expect(!viewer.screen.contains("Memory"))
    viewer.type("z")
    viewer.press(.escape)
    #expect(viewer.screen == before)
  }

  @Test func aFilterLeavesOnlyWhatHoldsIt() {
    var viewer = Viewer()
    viewer.type("5/")
    #expect(viewer.frame.row(23).contains("/_"))
    viewer.type("DW")
    #expect(viewer.frame.row(23).contains("/dw_"))
    #expect(viewer.screen.contains("dwconv 3x3"))
    #expect(!viewer.screen.contains("relu6"))
    // Letters that are keys elsewhere are text here.
    viewer.type("qq")
    #expect(viewer.screen.contains("no operator has this text"))
    viewer.press(.delete, .delete, .enter)
    #expect(viewer.frame.row(23).contains("filter /dw"))
    #expect(viewer.frame.row(23).contains("q quit"))
    viewer.press(.escape)
    #expect(viewer.screen.contains("relu6"))
  }

  @Test func aFilterHoldsForOutputAndEvents() {
    var viewer = Viewer()
    viewer.type("8/tiger")
    viewer.press(.enter)
    #expect(viewer.screen.contains("tiger cat"))
    #expect(!viewer.screen.contains("tabby cat"))
    viewer.type("9")
    #expect(viewer.screen.contains("no event has this text"))
  }

  @Test func operatorsAreSorted() {
    var viewer = Viewer()
    func first(_ viewer: Viewer) -> String { viewer.frame.row(4) }
    viewer.type("5")
    #expect(first(viewer).contains("features.0."))
    viewer.type("ss")
    #expect(viewer.screen.contains("by kind"))
    #expect(first(viewer).contains("conv2d 1x1"))
    viewer.type("s")
    #expect(viewer.screen.contains("by drift"))
    #expect(first(viewer).contains("features.4."))
    #expect(first(viewer).contains("1.45!"))
    viewer.type("s")
    #expect(viewer.screen.contains("by MACs"))
    #expect(first(viewer).contains("features.0."))
    viewer.press(.end)
    #expect(viewer.ui.step == 23)
    viewer.type("s")
    #expect(viewer.screen.contains("by time"))
    // Where nobody knows of work, nothing is sorted by it.
    for i in viewer.snapshot.operators.indices {
      viewer.snapshot.operators[i].fact.multiplyAccumulates = nil
    }
    viewer.type("ssss")
    #expect(viewer.screen.contains("by time"))
  }

  /// The chosen operator stays chosen when the order changes.
  @Test func aChoiceIsOfAnOperatorNotOfARow() {
    var viewer = Viewer()
    viewer.type("5jjjj")
    #expect(viewer.ui.step == 3)
    viewer.type("sss")
    #expect(viewer.ui.step == 3)
    #expect(viewer.place(of: ">   3") != nil)
    viewer.press(.enter)
    #expect(viewer.screen.contains("step 3  conv2d 1x1  features.3.conv"))
    #expect(viewer.screen.contains("times that"))
    viewer.press(.escape, .end)
    // Sorted by drift: the one without a prediction is the last.
    #expect(viewer.ui.step == 7)
  }

  @Test func theMapTellsOfATensor() {
    var viewer = Viewer()
    viewer.type("6")
    #expect(viewer.screen.contains("> 0 features.0.weight  24x96x1x1"))
    viewer.press(.right, .right, .down)
    #expect(viewer.screen.contains("features.36.weight"))
    viewer.press(.enter)
    #expect(viewer.screen.contains("predicted loss 2.50e-5  of 0.001  1.9 %"))
    viewer.press(.home, .left)
    #expect(viewer.ui.tensor == 0)
    viewer.press(.end)
    #expect(viewer.ui.tensor == 104)
  }

  @Test func windows() {
    var viewer = Viewer()
    #expect(viewer.ui.window.seconds == 60)
    viewer.type("[[[")
    #expect(viewer.ui.window.seconds == 10)
    viewer.type("]]]]]")
    #expect(viewer.ui.window.seconds == nil)
  }

  @Test func unitsAndLogarithms() {
    var viewer = Viewer()
    #expect(viewer.screen.contains("Latency ms"))
    viewer.type("u")
    #expect(viewer.screen.contains("Latency µs"))
    #expect(viewer.screen.contains("p50 4 882"))
    viewer.type("uuu")
    let linear = viewer.screen
    viewer.type("l")
    #expect(viewer.screen != linear)
    let rare = viewer.frame.text.split(separator: "\n").filter { $0.contains("█") }.count
    #expect(rare > 0)
  }

  @Test func alarmsAreAcknowledged() {
    var viewer = Viewer()
    viewer.snapshot.events.append(
      EventRow(elapsedSeconds: 710, level: .note, text: Samples.text("a later note")))
    #expect(viewer.frame.row(22).contains("input queue was empty"))
    #expect(viewer.frame.row(22).contains("(a acknowledge)"))
    viewer.type("a")
    #expect(viewer.frame.row(22).contains("a later note"))
  }

  @Test func predictionsAreExplained() {
    var viewer = Viewer()
    viewer.type("e")
    #expect(viewer.screen.contains("[7 Drift]"))
    #expect(viewer.screen.contains("from the profile's figures"))
    #expect(viewer.screen.contains("higher than planned"))
    viewer.type("e")
    #expect(!viewer.screen.contains("from the profile's figures"))
  }

  @Test func theHelpIsReadToItsEnd() {
    var viewer = Viewer()
    viewer.type("?")
    #expect(viewer.screen.contains("stop the run and print the summary"))
    #expect(!viewer.screen.contains("this list"))
    viewer.type("G")
    #expect(viewer.screen.contains("this list"))
    #expect(viewer.frame.row(23).contains("q quit"))
    viewer.type("??")
    #expect(viewer.screen.contains("stop the run and print the summary"))
  }

  @Test func everyKeyOfTheHelpDoesSomething() {
    for key in "qPzsrmbwtlueiacM/[]+-?".utf8 {
      #expect(Key.character(key).action != nil, "\(Character(Unicode.Scalar(key)))")
    }
  }

  @Test func themes() {
    var viewer = Viewer()
    for theme in [Theme.light, .highContrast, .mono, .dark] {
      viewer.type("c")
      #expect(viewer.ui.theme == theme)
    }
    #expect(Theme(name: Array("light".utf8)) == .light)
    #expect(Theme(name: Array("lights".utf8)) == nil)
    #expect(Theme(colorsOfTerminal: Array("0;15".utf8)) == .light)
    #expect(Theme(colorsOfTerminal: Array("15;0".utf8)) == .dark)
    #expect(Theme(colorsOfTerminal: []) == .dark)
  }

  @Test(arguments: [
    Size(columns: 80, rows: 24), Size(columns: 120, rows: 40), Size(columns: 200, rows: 60),
  ])
  func theMouseReachesWhatIsSeen(size: Size) throws {
    var viewer = Viewer(size: size)
    for (i, name) in ["Lat", "Mem", "Power", "Ops", "Quant", "Drift", "Out", "Events"].enumerated()
    {
      let place = try #require(viewer.place(of: "\(i + 2) \(name)"))
      viewer.press(.click(column: place.column + 2, row: place.row))
      #expect(viewer.ui.tab == i + 1)
    }
    let over = try #require(viewer.place(of: "1 Over"))
    viewer.press(.click(column: over.column, row: over.row))
    #expect(viewer.ui.tab == 0)
    let drift = try #require(viewer.place(of: "─ Drift"))
    viewer.press(.click(column: drift.column + 4, row: drift.row + 2))
    #expect(viewer.screen.contains(">Drift"))
    viewer.press(.click(column: drift.column + 4, row: drift.row + 2))
    #expect(viewer.ui.tab == 6)
    viewer.type("5")
    let row = try #require(viewer.place(of: "features.5."))
    viewer.press(.click(column: row.column, row: row.row))
    #expect(viewer.ui.step == 5)
    viewer.press(.click(column: row.column, row: row.row))
    #expect(viewer.screen.contains("step 5"))
    viewer.press(.click(column: 10, row: 3))
    #expect(viewer.ui.order == .place)
    viewer.type("6")
    let map = try #require(viewer.place(of: "8f8f8f8f8f 8f"))
    viewer.press(.click(column: map.column + 12, row: map.row))
    #expect(viewer.ui.tensor == 11)
  }
}
