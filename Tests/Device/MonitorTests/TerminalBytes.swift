// What is sent, seen through a terminal of our own: after every frame it shows that frame.
import Foundation
import Monitor
import Randomness
import Telemetry
import Testing
import VirtualTerminal

// ncurses has one screen per process at a time.
@Suite(.serialized) struct TerminalBytes {
  init() { setenv("LC_ALL", "C.UTF-8", 1) }

  private func encoder(_ type: String, allowsColor: Bool = true) throws -> FrameEncoder {
    try FrameEncoder(type: Array(type.utf8), allowsColor: allowsColor)
  }

  private func expectSame(_ screen: VTScreen, _ frame: Frame, _ what: String) {
    #expect(screen.unknown.isEmpty, "\(what)")
    for y in 0..<frame.size.rows where screen.text(row: y) != frame.row(y) {
      Issue.record("\(what), row \(y): \(screen.text(row: y)) for \(frame.row(y))")
    }
  }

  @Test(arguments: [
    "xterm-256color", "xterm", "linux", "vt100", "screen-256color", "tmux-256color",
  ])
  func everyTerminalShowsTheFrame(type: String) throws {
    let size = Size(columns: 80, rows: 24)
    let encoder = try encoder(type)
    #expect(encoder.capabilities.isUnicode)
    encoder.resize(size)
    var screen = VTScreen(columns: 80, rows: 24)
    for state in SampleState.allCases + [.running, .running] {
      let frame = GoldenFrames.frame(state, size, colors: encoder.capabilities.colors)
      screen.feed(encoder.encode(frame))
      expectSame(screen, frame, "\(type) \(state)")
    }
  }

  /// What a style means arrives as the theme has it.
  @Test func stylesArrive() throws {
    let size = Size(columns: 80, rows: 24)
    let encoder = try encoder("xterm-256color")
    #expect(encoder.capabilities.colors == 256)
    encoder.resize(size)
    var screen = VTScreen(columns: 80, rows: 24)
    let frame = GoldenFrames.frame(.overBudget, size)
    screen.feed(encoder.encode(frame))
    var seen: Set<UInt8> = []
    for (i, cell) in frame.cells.enumerated() where cell.scalar > 0x20 {
      let style = screen.cells[i].style
      let isRight =
        switch cell.style {
        case .normal: style == VTScreen.Style()
        case .label: style.foreground == 67
        case .strong: style.isBold && style.foreground == -1
        case .warning: style.foreground == 214
        case .critical: style.foreground == 231 && style.background == 160
        case .estimate: style.foreground == 244
        case .unknown: style.foreground == 240
        case .selection: style.isReverse
        case .series: style.foreground == 75
        case .banner: style.foreground == 16 && style.background == 214
        case .picture: false
        }
      if !isRight { Issue.record("cell \(i): \(cell.style) came as \(style)") }
      seen.insert(cell.style.rawValue)
    }
    #expect(seen.count >= 7)
  }

  /// The inks of a picture arrive, pair by pair; the same picture again costs nothing.
  @Test(arguments: ["xterm-256color", "screen-256color"])
  func picturesArrive(type: String) throws {
    let size = Size(columns: 120, rows: 40)
    let encoder = try encoder(type)
    encoder.resize(size)
    var screen = VTScreen(columns: 120, rows: 40)
    var viewer = Viewer()
    viewer.type("i")
    for (width, height) in [(640, 480), (30, 90), (300, 20)] {
      viewer.snapshot.picture = Scene.reading(width, height)
      let frame = MonitorView.frame(
        viewer.snapshot, size: size, capabilities: encoder.capabilities, ui: viewer.ui)
      screen.feed(encoder.encode(frame))
      expectSame(screen, frame, "\(width)x\(height)")
      var inks: Set<UInt8> = []
      for (i, cell) in frame.cells.enumerated() where cell.paper > 0 {
        inks.formUnion([cell.ink, cell.paper])
        let style = screen.cells[i].style
        let isRight =
          style.background == Int(Inks.terminalColor(cell.paper))
          && (cell.scalar == 0x20 || style.foreground == Int(Inks.terminalColor(cell.ink)))
        if !isRight { Issue.record("cell \(i): \(cell.ink) on \(cell.paper) came as \(style)") }
      }
      #expect(inks.count >= 6)
      #expect(encoder.encode(frame).isEmpty)
    }
  }

  @Test func noColorMeansNone() throws {
    let encoder = try encoder("xterm-256color", allowsColor: false)
    encoder.resize(Size(columns: 80, rows: 24))
    var screen = VTScreen(columns: 80, rows: 24)
    for state in SampleState.allCases {
      screen.feed(encoder.encode(GoldenFrames.frame(state, Size(columns: 80, rows: 24), colors: 0)))
    }
    #expect(encoder.capabilities.colors == 0)
    #expect(screen.colorCount == 0)
  }

  /// Random sizes, one after the other, each from a screen left by the one before.
  @Test func resizing() throws {
    let encoder = try encoder("xterm-256color")
    var generator = SeededRandom(state: 20_261_121)
    for _ in 0..<60 {
      let size = Size(
        columns: Int.random(in: 1...220, using: &generator),
        rows: Int.random(in: 1...70, using: &generator))
      encoder.resize(size)
      var screen = VTScreen(columns: size.columns, rows: size.rows)
      // A terminal that was resized holds anything; ours begins full of dirt.
      screen.feed(Array(repeating: 0x23, count: size.columns * size.rows))
      encoder.repaint()
      for state in [SampleState.running, .noMeter, .running] {
        let frame = GoldenFrames.frame(state, size)
        screen.feed(encoder.encode(frame))
        expectSame(screen, frame, "\(size)")
      }
    }
  }

  /// The same frame again costs nothing; a changed figure costs little.
  @Test func onlyChangesAreSent() throws {
    let size = Size(columns: 120, rows: 40)
    let encoder = try encoder("xterm-256color")
    encoder.resize(size)
    let first = encoder.encode(GoldenFrames.frame(.loading, size))
    #expect((1000..<9000).contains(first.count))
    encoder.repaint()
    let full = encoder.encode(GoldenFrames.frame(.running, size))
    #expect((4000..<12_000).contains(full.count))
    #expect(encoder.encode(GoldenFrames.frame(.running, size)).isEmpty)
    var snapshot = Samples.running()
    snapshot.perSecond = 208.4
    snapshot.inferenceCount += 52
    let next = MonitorView.frame(
      snapshot, size: size, capabilities: encoder.capabilities, ui: GoldenFrames.ui(.running))
    let bytes = encoder.encode(next)
    #expect(bytes.count > 0 && bytes.count < 120)
  }

  /// Entering and leaving are a pair: full screen and hidden cursor on, then off.
  @Test func modesAreBalanced() throws {
    let encoder = try encoder("xterm-256color")
    encoder.resize(Size(columns: 80, rows: 24))
    var screen = VTScreen(columns: 80, rows: 24)
    screen.feed([0x1B] + Array("[?25h".utf8))
    screen.feed(encoder.encode(GoldenFrames.frame(.running, Size(columns: 80, rows: 24))))
    #expect(screen.modes.contains("1049"))
    #expect(!screen.modes.contains("25"))
    // Nothing of it is text.
    let restored = encoder.restoreBytes
    #expect(restored.split(separator: 0x1B).count == restored.count { $0 == 0x1B })
    #expect(!restored.contains(UInt8(ascii: "\\")))
    screen.feed(restored)
    #expect(!screen.modes.contains("1049"))
    #expect(screen.modes.contains("25"))
    for mode in ["1000", "1002", "1003", "1006", "2004", "2026"] {
      #expect(!screen.modes.contains(mode))
    }
    #expect(screen.unknown.isEmpty)
  }

  @Test func unknownTerminals() throws {
    // An emulator without an entry of its own is an xterm to us.
    #expect(try encoder("foot-nonsense").capabilities.colors == 256)
    for type in ["", "nonsense", "dumb", "../../etc/passwd", String(repeating: "x", count: 99)] {
      let name = Array(type.utf8)
      #expect(throws: TerminalError.unknownType(name: name)) {
        _ = try FrameEncoder(type: name, allowsColor: true)
      }
    }
  }

  /// In a locale without UTF-8 no byte above 126 is sent.
  @Test func asciiLocale() throws {
    setenv("LC_ALL", "C", 1)
    defer { setenv("LC_ALL", "C.UTF-8", 1) }
    let encoder = try encoder("xterm-256color")
    #expect(!encoder.capabilities.isUnicode)
    encoder.resize(Size(columns: 80, rows: 24))
    let frame = GoldenFrames.frame(.running, Size(columns: 80, rows: 24), isUnicode: false)
    let bytes = encoder.encode(frame)
    #expect(bytes.allSatisfy { $0 < 0x7F })
    var screen = VTScreen(columns: 80, rows: 24)
    screen.feed(bytes)
    expectSame(screen, frame, "ASCII")
  }
}
