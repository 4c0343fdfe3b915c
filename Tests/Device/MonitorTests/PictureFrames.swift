// Pictures on the screen: golden frames in colour, without, and in ASCII; boxes where they belong; any size.
import Foundation
import Monitor
import Randomness
import Telemetry
import Testing

/// A scene that is made up: a sky, a sun, a field, and somebody with a dog.
enum Scene {
  static let boxes = [
    PictureBox(
      left: 0.55, top: 0.35, right: 0.7, bottom: 0.95, label: Samples.text("person"), score: 0.91),
    PictureBox(
      left: 0.72, top: 0.65, right: 0.9, bottom: 0.92, label: Samples.text("dog"), score: 0.77),
    PictureBox(
      left: 0, top: 0, right: 0.3, bottom: 0.4, label: Samples.text("\u{1B}[2J a very long label"),
      score: nil),
  ]

  static func thumbnail(_ width: Int, _ height: Int) -> Thumbnail {
    var bytes: [UInt8] = []
    for y in 0..<height {
      for x in 0..<width {
        let (u, v) = (Double(x) / Double(width), Double(y) / Double(height))
        var colour: (Double, Double, Double)
        colour = v < 0.6 ? (60 + 120 * v, 120 + 150 * v, 255) : (40, 170 - 120 * (v - 0.6), 30)
        if (u - 0.15) * (u - 0.15) + (v - 0.2) * (v - 0.2) < 0.012 { colour = (255, 240, 90) }
        if u > 0.57, u < 0.68, v > 0.4, v < 0.93 { colour = (200, 50, 60) }
        if u > 0.74, u < 0.88, v > 0.72, v < 0.9 { colour = (120, 80, 40) }
        for value in [colour.0, colour.1, colour.2] { bytes.append(UInt8(min(max(value, 0), 255))) }
      }
    }
    return Thumbnail(shrinking: bytes, width: width, height: height, channels: 3)!
  }

  static func reading(_ width: Int = 640, _ height: Int = 480) -> PictureReading {
    var reading = PictureReading(thumbnail(width, height))
    reading.number = 152_380
    reading.caption = Samples.text("person 0.91  dog 0.77")
    reading.boxes = boxes
    return reading
  }
}

struct PictureFrames {
  static let sizes = [
    Size(columns: 80, rows: 24), Size(columns: 120, rows: 40), Size(columns: 200, rows: 60),
  ]

  private static let colour = Capabilities(colors: 256, isUnicode: true)

  private func viewer(
    _ size: Size, showing reading: PictureReading = Scene.reading()
  ) -> Viewer {
    var viewer = Viewer()
    viewer.size = size
    viewer.snapshot.picture = reading
    viewer.ui.secondOfDay = 43_380
    viewer.type("i")
    return viewer
  }

  private func frame(_ viewer: Viewer, _ capabilities: Capabilities) -> Frame {
    MonitorView.frame(
      viewer.snapshot, size: viewer.size, capabilities: capabilities, ui: viewer.ui)
  }

  /// The text, then a letter for the ink of each upper half, then for each lower half.
  private func planes(_ frame: Frame) -> String {
    var text = frame.text
    for paper in [false, true] {
      for y in 0..<frame.size.rows {
        let row = frame.cells[y * frame.size.columns..<(y + 1) * frame.size.columns]
        let letters = row.map { cell -> Character in
          let ink = paper ? cell.paper : cell.ink
          return ink == 0 ? " " : Character(Unicode.Scalar(0x2F + ink))
        }
        text += String(letters) + "\n"
      }
    }
    return text
  }

  // MARK: Golden frames

  @Test(arguments: sizes) func colourMatches(size: Size) throws {
    let frame = frame(viewer(size), Self.colour)
    try GoldenFrames.compare(
      planes(frame), with: "picture-colour-\(size.columns)x\(size.rows).txt")
  }

  /// As with `NO_COLOR`, on a terminal of eight colours, and under the theme without any.
  @Test(arguments: sizes) func monoMatches(size: Size) throws {
    var viewer = viewer(size)
    let none = frame(viewer, Capabilities(colors: 0, isUnicode: true))
    try GoldenFrames.compare(none.text, with: "picture-mono-\(size.columns)x\(size.rows).txt")
    #expect(frame(viewer, Capabilities(colors: 8, isUnicode: true)) == none)
    let few = Capabilities(colors: 256, isUnicode: true, pairs: 256)
    #expect(frame(viewer, few) == none, "too few pairs of colours")
    viewer.ui.theme = .mono
    #expect(frame(viewer, Self.colour) == none)
    #expect(none.cells.allSatisfy { $0.ink == 0 && $0.paper == 0 })
  }

  @Test(arguments: sizes) func asciiMatches(size: Size) throws {
    let frame = frame(viewer(size), Capabilities(colors: 256, isUnicode: false))
    #expect(frame.cells.allSatisfy { $0.scalar >= 0x20 && $0.scalar < 0x7F })
    try GoldenFrames.compare(frame.text, with: "picture-ascii-\(size.columns)x\(size.rows).txt")
  }

  @Test func zoomMatches() throws {
    var viewer = viewer(Size(columns: 80, rows: 24))
    viewer.type("z")
    #expect(viewer.frame.row(0).hasPrefix("┌─ >Output"))
    try GoldenFrames.compare(
      planes(frame(viewer, Self.colour)), with: "picture-zoom-80x24.txt")
  }

  // MARK: What is drawn

  /// Red above blue, in the inks nearest to them.
  @Test func aCellIsTwoPixelsHigh() throws {
    let pixels: [UInt8] = [255, 0, 0, 0, 0, 255]
    let flag = try #require(Thumbnail(shrinking: pixels, width: 1, height: 2, channels: 3))
    let frame = frame(
      viewer(Size(columns: 80, rows: 24), showing: PictureReading(flag)), Self.colour)
    let inside = (0..<24).flatMap { y in frame.cells[y * 80 + 2..<y * 80 + 78] }
    let drawn = inside.filter { $0.ink > 0 }
    // 18 rows are 36 pixels, of which the flag's shape takes 18 × 36.
    #expect(drawn.count == 18 * 18)
    #expect(Inks.terminalColor(drawn[0].ink) == 196 && Inks.terminalColor(drawn[0].paper) == 196)
    let last = try #require(drawn.last)
    #expect(Inks.terminalColor(last.ink) == 21 && last.scalar == 0x20)
    // An odd number of rows puts the border inside of a cell.
    let odd = self.frame(
      viewer(Size(columns: 80, rows: 23), showing: PictureReading(flag)), Self.colour)
    let border = odd.cells.first { $0.scalar == 0x2580 }
    #expect(border.map { Inks.terminalColor($0.ink) } == 196)
    #expect(border.map { Inks.terminalColor($0.paper) } == 21)
  }

  /// Every colour gets the nearest of all inks.
  @Test func inksAreTheNearest() {
    func colour(_ number: Int16) -> (Int, Int, Int) {
      guard number < 232 else {
        let grey = 8 + 10 * (Int(number) - 232)
        return (grey, grey, grey)
      }
      let steps = [0, 95, 135, 175, 215, 255]
      let place = Int(number) - 16
      return (steps[place / 36], steps[place / 6 % 6], steps[place % 6])
    }
    func distance(_ a: (Int, Int, Int), _ b: (Int, Int, Int)) -> Int {
      (a.0 - b.0) * (a.0 - b.0) + (a.1 - b.1) * (a.1 - b.1) + (a.2 - b.2) * (a.2 - b.2)
    }
    let all = (1...UInt8(Inks.count)).map { colour(Inks.terminalColor($0)) }
    #expect(Set(all.map { "\($0)" }).count == 74)
    var random = SeededRandom(state: 4)
    for _ in 0..<20_000 {
      let (r, g, b) = (
        UInt8.random(in: 0...255, using: &random), UInt8.random(in: 0...255, using: &random),
        UInt8.random(in: 0...255, using: &random)
      )
      let wanted = (Int(r), Int(g), Int(b))
      let chosen = distance(colour(Inks.terminalColor(Inks.nearest(r, g, b))), wanted)
      let best = all.map { distance($0, wanted) }.min() ?? 0
      if chosen > best { Issue.record("\(wanted): \(chosen) for \(best)") }
    }
  }

  /// Edges lie on the cells that they cross, labels upon them, the surest on top.
  @Test func boxesStandWhereTheyAre() throws {
    var reading = PictureReading(Scene.thumbnail(40, 40))
    reading.boxes = [
      PictureBox(left: 0.25, top: 0.25, right: 0.75, bottom: 0.75, label: Samples.text("cat"))
    ]
    let size = Size(columns: 46, rows: 24)
    let frame = frame(viewer(size, showing: reading), Capabilities(colors: 0, isUnicode: true))
    // Inside of the box of the tab: 36 columns and 18 rows from (2, 3) on.
    let corners = [(9, 4, 0x250C), (26, 4, 0x2510), (9, 13, 0x2514), (26, 13, 0x2518)]
    for (x, y, scalar) in corners {
      #expect(frame.cells[(y + 3) * 46 + x + 2].scalar == UInt32(scalar), "\(x), \(y)")
    }
    #expect(frame.row(7).contains("┌cat───"))
    #expect(frame.cells[(8 + 3) * 46 + 9 + 2].scalar == 0x2502)
    #expect(frame.cells[(8 + 3) * 46 + 9 + 2].style == .strong)
  }

  /// Boxes that make no sense are held to the picture.
  @Test func absurdBoxes() {
    var reading = Scene.reading()
    let values = [-1e15, -0.5, 0, 0.3, 1, 1.5, 1e15, .nan, .infinity, -.infinity]
    var random = SeededRandom(state: 9)
    func any() -> Double { values[Int.random(in: 0..<values.count, using: &random)] }
    for _ in 0..<400 {
      reading.boxes = (0..<5).map { i in
        PictureBox(
          left: any(), top: any(), right: any(), bottom: any(),
          label: Samples.text(i == 0 ? "日本語のラベル" : "x"), score: any())
      }
      let size = FrameInvariants.sizes[
        Int.random(in: 0..<FrameInvariants.sizes.count, using: &random)]
      #expect(frame(viewer(size, showing: reading), Self.colour).size == size)
    }
  }

  /// Whatever the size of the screen and of the picture: whole frames, `q` on the last line.
  @Test(arguments: 1...4) func anySize(seed: UInt64) throws {
    var random = SeededRandom(state: seed)
    for _ in 0..<150 {
      let size = Size(
        columns: Int.random(in: 1...220, using: &random),
        rows: Int.random(in: 1...70, using: &random))
      let extents = [1, 2, 3, 8, 17, 96, 160, 641, 4000]
      let width = extents[Int.random(in: 0..<extents.count, using: &random)]
      let height = width > 1000 ? 3 : extents[Int.random(in: 0..<extents.count - 1, using: &random)]
      var viewer = viewer(size, showing: Scene.reading(width, height))
      if Bool.random(using: &random) { viewer.type("z") }
      for capabilities in [
        Self.colour, Capabilities(colors: 8, isUnicode: true),
        Capabilities(colors: 0, isUnicode: false),
      ] {
        let frame = frame(viewer, capabilities)
        #expect(frame.size == size && frame.cells.count == size.columns * size.rows)
        for (i, cell) in frame.cells.enumerated() {
          if cell.scalar < 0x20 && cell.scalar != 0 { Issue.record("control at \(i)") }
          if cell.scalar == 0, i % size.columns == 0 { Issue.record("lone half at \(i)") }
        }
        if size.columns >= 6, size.rows >= 4 {
          #expect(frame.row(size.rows - 1).contains("q quit"))
        }
      }
    }
  }

  // MARK: Keys

  @Test func thePictureComesAndGoes() {
    var viewer = Viewer()
    viewer.snapshot.picture = Scene.reading()
    viewer.type("2")
    #expect(!viewer.screen.contains("640x480"))
    viewer.type("i")
    #expect(viewer.screen.contains("[8 Out]") && viewer.screen.contains("640x480"))
    #expect(viewer.screen.contains("i lines"))
    viewer.type("i")
    #expect(!viewer.screen.contains("640x480") && viewer.screen.contains("i picture"))
    viewer.type("i")
    viewer.press(.escape)
    #expect(viewer.screen.contains("[8 Out]") && !viewer.screen.contains("640x480"))
    viewer.press(.escape)
    #expect(viewer.screen.contains("[1 Over]"))
  }

  /// Beside a picture that leaves room the lines are still there, filtered as ever.
  @Test func linesStandBesideIt() {
    var viewer = viewer(Size(columns: 120, rows: 40))
    #expect(viewer.screen.contains("152379 café"))
    viewer.type("/tiger")
    viewer.press(.enter)
    #expect(viewer.screen.contains("152376 tiger cat") && !viewer.screen.contains("café"))
  }

  /// Without a picture the reason, never a blank.
  @Test func anUnknownPictureSaysWhy() {
    var viewer = viewer(Size(columns: 80, rows: 24), showing: .awaited)
    #expect(viewer.frame.row(3).contains("picture -  it comes with the next item"))
    #expect(viewer.screen.contains("152380 tabby cat"))
    viewer.ui.frozen = FrozenView(elapsedSeconds: 1, livePerSecond: nil)
    #expect(viewer.frame.row(3).contains("with the next item, once the view goes on"))
    viewer.ui.frozen = nil
    viewer.snapshot.picture = PictureReading(unknown: Samples.text("the model takes no pictures"))
    #expect(viewer.frame.row(3).contains("picture -  the model takes no pictures"))
  }
}
