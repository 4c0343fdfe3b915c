// What holds for every frame, whatever the state and the size.
import Monitor
import Randomness
import Telemetry
import Testing

struct FrameInvariants {
  /// Sizes of every class and around their bounds.
  static let sizes: [Size] = {
    var sizes: [Size] = []
    let columns = [1, 2, 5, 6, 19, 20, 39, 40, 79, 80, 81, 119, 120, 133, 200, 220]
    for width in columns {
      for height in [1, 2, 3, 4, 9, 10, 17, 23, 24, 39, 40, 60, 70] {
        sizes.append(Size(columns: width, rows: height))
      }
    }
    return sizes
  }()

  private func check(_ frame: Frame, _ size: Size, isFiltering: Bool = false) {
    #expect(frame.size == size)
    #expect(frame.cells.count == size.columns * size.rows)
    for (i, cell) in frame.cells.enumerated() {
      let isControl = cell.scalar < 0x20 && cell.scalar != 0 || (0x7F..<0xA0).contains(cell.scalar)
      if isControl { Issue.record("control character at \(i)") }
      // A right half has its left half beside it, on the same row.
      if cell.scalar == 0 {
        let hasLeft =
          i % size.columns > 0 && frame.cells[i - 1].scalar > 0x2E7F
        if !hasLeft { Issue.record("lone right half at \(i)") }
      }
    }
    let text = frame.text.replacing("/inf", with: "").replacing("inf/s", with: "")
    for word in ["nan", "NaN", "inf ", "-0.0"] {
      if text.contains(word) { Issue.record("\(word) in \(size)") }
    }
    if size.columns >= 6, size.rows >= 4, !isFiltering {
      #expect(frame.row(size.rows - 1).contains("q quit"))
    }
  }

  @Test(arguments: SampleState.allCases) func overview(state: SampleState) {
    for size in Self.sizes { check(GoldenFrames.frame(state, size), size) }
  }

  @Test(arguments: 1...8, [SampleState.running, .languageModel])
  func tabs(tab: Int, state: SampleState) {
    for size in Self.sizes {
      var ui = UIState()
      ui.tab = tab
      ui.scroll = tab * 1000
      let frame = MonitorView.frame(
        Samples.snapshot(state), size: size,
        capabilities: Capabilities(colors: 8, isUnicode: true), ui: ui)
      check(frame, size)
    }
  }

  /// Whatever is typed and clicked: every frame in between is whole, and `q` is named on it.
  @Test(arguments: 1...8) func anyKeys(seed: UInt64) {
    var random = SeededRandom(state: seed)
    var ui = UIState()
    var size = Size(columns: 80, rows: 24)
    let keys: [Key] =
      (0x20...0x7E).map { .character(UInt8($0)) } + [
        .tab, .backTab, .enter, .escape, .delete, .up, .down, .left, .right, .pageUp, .pageDown,
        .home, .end,
      ]
    for _ in 0..<3000 {
      var key = keys[Int.random(in: 0..<keys.count, using: &random)]
      if Int.random(in: 0..<4, using: &random) == 0 {
        key = .click(
          column: Int.random(in: 0..<220, using: &random),
          row: Int.random(in: 0..<70, using: &random))
      }
      if Int.random(in: 0..<20, using: &random) == 0 {
        size = Self.sizes[Int.random(in: 0..<Self.sizes.count, using: &random)]
      }
      let state = SampleState.allCases[Int.random(in: 0..<3, using: &random)]
      let snapshot = Samples.snapshot(state)
      if !(ui.isFiltering && ui.type(key)), let action = key.action {
        ui.navigate(action, snapshot, size: size)
      }
      let frame = MonitorView.frame(
        snapshot, size: size, capabilities: Capabilities(colors: 8, isUnicode: true), ui: ui)
      check(frame, size, isFiltering: ui.isFiltering)
    }
  }

  /// Zero columns or rows are a frame without cells, and no crash.
  @Test func nothingToDrawOn() {
    for size in [Size(columns: 0, rows: 0), Size(columns: 80, rows: 0), Size(columns: -5, rows: 9)]
    {
      #expect(GoldenFrames.frame(.running, size).cells.isEmpty)
    }
  }

  @Test func asciiTerminalsGetASCII() {
    for size in Self.sizes {
      let frame = GoldenFrames.frame(.running, size, isUnicode: false)
      #expect(frame.cells.allSatisfy { $0.scalar >= 0x20 && $0.scalar < 0x7F && $0.mark == 0 })
    }
  }

  /// Figures that make no sense do not break the screen: they are `-`.
  @Test func absurdFigures() {
    var snapshot = Samples.running()
    snapshot.perSecond = .nan
    snapshot.elapsedSeconds = .infinity
    snapshot.power.watts = -.infinity
    snapshot.power.joulesPerInference = .nan
    snapshot.thermal.celsius = -0.0
    snapshot.thermal.clockMegahertz = 0
    snapshot.memory.budget = 0
    snapshot.memory.peak = .max
    snapshot.history = [0, .max, 0]
    snapshot.missedCount = .max
    snapshot.facts.schemeMap = [0x1B, 0x41]
    for i in snapshot.operators.indices {
      snapshot.operators[i].meanNanoseconds = .nan
      snapshot.operators[i].fact.multiplyAccumulates = .max
    }
    for i in snapshot.stages.indices { snapshot.stages[i].share = -.infinity }
    snapshot.slowest[0].elapsedSeconds = .nan
    snapshot.drift[0].predicted = 0
    snapshot.drift[1].predicted = 1e-300
    snapshot.slowest[1].durationNanoseconds = .max
    snapshot.latency.p50 = 0
    check(absurd: snapshot)
    snapshot = Samples.snapshot(.languageModel)
    snapshot.tokens?.decodePerSecond = .nan
    snapshot.tokens?.contextUsed = .max
    snapshot.tokens?.keyValueBytes = .max
    snapshot.tokens?.joulesPerRequest = -.infinity
    snapshot.tokens?.history = [0, .max]
    check(absurd: snapshot)
  }

  /// The overview and every tab, at every size.
  private func check(absurd snapshot: Snapshot) {
    for size in Self.sizes {
      for tab in 0...8 {
        var ui = UIState()
        ui.tab = tab
        ui.isDetailShown = true
        let frame = MonitorView.frame(
          snapshot, size: size, capabilities: Capabilities(colors: 8, isUnicode: true), ui: ui)
        check(frame, size)
      }
    }
    #expect(!String(decoding: PlainReporter.line(snapshot), as: UTF8.self).contains("nan"))
    #expect(!String(decoding: Summary.block(snapshot, stopped: nil), as: UTF8.self).contains("nan"))
  }

  /// An estimate is never shown without its mark, an unknown never as a number.
  @Test func honesty() {
    let running = GoldenFrames.frame(.running, Size(columns: 80, rows: 24)).text
    #expect(running.contains("~6.82 W"))
    #expect(running.contains("[D]"))
    #expect(running.contains("~32.9 mJ"))
    let none = GoldenFrames.frame(.noMeter, Size(columns: 80, rows: 24)).text
    #expect(none.contains("board        -  no meter"))
    #expect(none.contains("temp         -  no thermal zones"))
    #expect(!none.contains(" W "))
  }
}
