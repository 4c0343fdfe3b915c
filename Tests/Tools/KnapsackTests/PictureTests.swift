// The picture of a run on a real screen: from a file, from a data set, and watched from elsewhere.

import Foundation
import Testing
import VirtualTerminal

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct PictureTests {
  private let folder: Folder
  private let runtime = URL(filePath: "/tmp/kp-\(UUID().uuidString.prefix(8))")

  private var environment: [String: String] {
    ["XDG_RUNTIME_DIR": runtime.path, "XDG_STATE_HOME": folder.path("state")]
  }

  init() throws {
    folder = try Folder()
    try FileManager.default.createDirectory(
      at: runtime, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
  }

  private func remove() { try? FileManager.default.removeItem(at: runtime) }

  /// A file whose left half is red and whose right half is blue.
  private func halves() throws -> String {
    var bytes = Array("P6 60 40 255\n".utf8)
    for _ in 0..<40 { for x in 0..<60 { bytes += x < 30 ? [255, 0, 0] : [0, 0, 255] } }
    return try folder.write("halves.ppm", bytes)
  }

  private func leave(_ terminal: PseudoTerminal) {
    terminal.type("q")
    #expect(terminal.waitForEnd() == 0 && terminal.isCooked)
    #expect(terminal.screen.unknown.isEmpty)
  }

  /// Columns of a row of the panel whose cells have this background.
  private func columns(_ screen: VTScreen, row: Int, _ colour: Int) -> [Int] {
    (0..<80).filter { screen.cells[row * 80 + $0].style.background == colour }
  }

  @Test(arguments: [Tool.knapsack, .knapsackRun]) func ofAFile(tool: Tool) throws {
    defer { remove() }
    let terminal = try PseudoTerminal(
      tool, ["run", try DigitsBundle.path(), try halves(), "--loop", "--tui"],
      environment: environment)
    #expect(terminal.waits(forRowWith: "RUNNING"))
    terminal.type("i")
    #expect(terminal.waits(forRowWith: "60x40"))
    // 18 rows are 36 pixels, and 54 columns of the shape 3:2, half of them each.
    let screen = terminal.screen
    #expect(columns(screen, row: 10, 196) == Array(2..<29))
    #expect(columns(screen, row: 10, 21) == Array(29..<56))
    terminal.type("i")
    #expect(terminal.waits(forRowWith: "i picture"))
    #expect(columns(terminal.screen, row: 10, 196).isEmpty)
    leave(terminal)
  }

  /// Of a data set's tensors: what the model takes, brought back to pixels.
  @Test func ofTheModelsInput() throws {
    defer { remove() }
    let terminal = try PseudoTerminal(
      .knapsackRun,
      ["run", try DigitsBundle.path(), Repository.digitsData, "--loop", "--tui", "--rate", "20"],
      environment: environment)
    #expect(terminal.waits(forRowWith: "RUNNING"))
    terminal.type("i")
    #expect(terminal.waits(forRowWith: "the model's input 8x8"))
    // Ink is bright and paper is black: both are there.
    let screen = terminal.screen
    let colours = Set(screen.cells.map { $0.style.background })
    #expect(colours.contains(16) && colours.contains { $0 == 231 || $0 >= 247 }, "\(colours)")
    leave(terminal)
  }

  /// Of a model whose numbers nobody explains: the reason, and no picture that may be wrong.
  @Test func ofNumbersThatAreNoPicture() throws {
    defer { remove() }
    let bundle = folder.path("plain.knap")
    let packed = try Tool.knapsack.run(
      ["pack", Repository.digitsModel, "--scheme", "f32", "--output", bundle])
    try #require(packed.status == 0, "\(packed.error)")
    let terminal = try PseudoTerminal(
      .knapsackRun, ["run", bundle, Repository.digitsData, "--loop", "--tui"],
      environment: environment)
    #expect(terminal.waits(forRowWith: "RUNNING"))
    terminal.type("i")
    #expect(
      terminal.waits(
        forRowWith: "picture -  nothing says how the model's numbers become a picture"))
    leave(terminal)
  }

  @Test func withoutColour() throws {
    defer { remove() }
    let terminal = try PseudoTerminal(
      .knapsackRun, ["run", try DigitsBundle.path(), try halves(), "--loop", "--tui"],
      environment: environment.merging(["NO_COLOR": "1"]) { $1 })
    #expect(terminal.waits(forRowWith: "RUNNING"))
    terminal.type("i")
    #expect(terminal.waits(forRowWith: "60x40"))
    let screen = terminal.screen
    // Red is brighter than blue: 76 and 29 of 255.
    #expect(screen.text(row: 10).contains("-------......."), "\(screen.text(row: 10))")
    #expect(screen.colorCount == 0)
    leave(terminal)
  }

  /// A viewer in another process is sent it.
  @Test func fromElsewhere() throws {
    defer { remove() }
    let outcome = try Tool.knapsackRun.run(
      ["run", try DigitsBundle.path(), try halves(), "--loop", "--detach"],
      environment: environment)
    // Its number; the first answer may stand before or behind it.
    let process = try #require(
      outcome.text.split(separator: "\n").compactMap { pid_t($0) }.first, "\(outcome.error)")
    defer { kill(process, SIGTERM) }
    let terminal = try PseudoTerminal(
      .knapsackRun, ["top", "\(process)", "--tui"], environment: environment)
    #expect(terminal.waits(forRowWith: "RUNNING"))
    terminal.type("i")
    #expect(terminal.waits(forRowWith: "60x40"))
    #expect(columns(terminal.screen, row: 10, 196) == Array(2..<29))
    leave(terminal)
  }
}
