// Anything that a terminal can send, at a real dashboard: it draws on, and leaves when it is told to.

import Foundation
import Randomness
import Testing
import VirtualTerminal

/// The same noise from the same seed.
private struct Noise: RandomNumberGenerator {
  var random: SeededRandom

  mutating func next() -> UInt64 { random.next() }

  mutating func pick<T>(_ values: [T]) -> T {
    values[Int.random(in: 0..<values.count, using: &self)]
  }

  /// Bytes without those that end or stop the process: `q`, Ctrl-C, Ctrl-Z.
  mutating func bytes(_ range: ClosedRange<UInt8>, _ counts: ClosedRange<Int>) -> [UInt8] {
    (0..<Int.random(in: counts, using: &self)).map { _ in UInt8.random(in: range, using: &self) }
      .filter { ![0x71, 0x03, 0x1A].contains($0) }
  }

  /// A report of the mouse: true, cut, or with numbers that no screen has.
  mutating func mouse() -> [UInt8] {
    let numbers = ["0", "1", "7", "64", "65", "35", "80", "220", "", "-1", "99999999999999999999"]
    let column = pick(numbers)
    let row = pick(numbers)
    let whole = Array("\u{1B}[<\(pick(numbers));\(column);\(row)\(pick(["M", "m"]))".utf8)
    guard Int.random(in: 0..<4, using: &self) == 0 else { return whole }
    return Array(whole.prefix(Int.random(in: 1..<whole.count, using: &self)))
  }

  mutating func input() -> [UInt8] {
    switch Int.random(in: 0..<12, using: &self) {
    case 0...4: bytes(0x20...0x7E, 1...8)
    case 5: bytes(0x00...0x1F, 1...6)
    case 6, 7: mouse()
    case 8:
      // A paste: a terminal sets it in brackets, and may not end it.
      Array("\u{1B}[200~".utf8) + bytes(0x09...0x7E, 0...400)
        + Array(pick(["\u{1B}[201~", "", "\u{1B}[20"]).utf8)
    case 9:
      pick([[0xC3], [0xE2, 0x82], [0xF0, 0x9F], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xFF]])
    case 10: bytes(0x80...0xFF, 1...40)
    default:
      Array(
        pick([
          "\u{1B}", "\u{1B}[", "\u{1B}O", "\u{1B}]11;rgb:0/0/0\u{7}", "\u{1B}P1$r0m\u{1B}\\",
          "\u{1B}[?2026;2$y", "\u{1B}[1;5A", "\u{1B}[3~", "\u{1B}[Z", "\u{1B}[I",
          "\u{1B}[5;5;5;5;5R",
        ]).utf8)
    }
  }
}

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct TerminalFuzzTests {
  private static let seconds = 9.0

  /// KNAPSACK_FUZZ_SEED repeats a run that failed.
  private static let seed =
    ProcessInfo.processInfo.environment["KNAPSACK_FUZZ_SEED"].flatMap { UInt64($0) }
    ?? UInt64(Date().timeIntervalSince1970)

  /// Ends whatever sequence, string or filter is open, then leaves.
  private func leave(_ terminal: PseudoTerminal) -> Int32? {
    for _ in 0..<4 {
      for bytes in ["\u{1B}\\", "\u{1B}", "\u{1B}"] {
        terminal.type(bytes)
        // Longer than an escape waits for what may follow it.
        usleep(100_000)
      }
      terminal.type("q")
      if let status = terminal.waitForEnd(seconds: 4) { return status }
    }
    return nil
  }

  @Test(arguments: [Tool.knapsack, .knapsackRun]) func anyInput(tool: Tool) throws {
    print("fuzz of \(tool.name): KNAPSACK_FUZZ_SEED=\(Self.seed)")
    var noise = Noise(random: SeededRandom(state: Self.seed))
    let state = try Folder()
    let terminal = try PseudoTerminal(
      tool, ["run", try DigitsBundle.path(), Repository.digitsData, "--loop", "--tui"],
      environment: ["XDG_STATE_HOME": state.url.path])
    #expect(terminal.waits(forRowWith: "RUNNING"))
    let end = Date().addingTimeInterval(Self.seconds)
    var count = 0
    while Date() < end, !terminal.isOver {
      count += 1
      if Int.random(in: 0..<10, using: &noise) == 0 {
        terminal.resize(
          columns: Int.random(in: 1...220, using: &noise),
          rows: Int.random(in: 1...70, using: &noise))
      } else {
        terminal.type(noise.input())
      }
      usleep(UInt32.random(in: 0...20_000, using: &noise))
    }
    #expect(!terminal.isOver, "seed \(Self.seed): ended after \(count) inputs")
    terminal.resize(columns: 80, rows: 24)
    #expect(leave(terminal) == 0, "seed \(Self.seed): \(count) inputs")
    #expect(terminal.isCooked, "seed \(Self.seed)")
    // Larger than any screen there was: what counts is that every sequence is known.
    var screen = VTScreen(columns: 256, rows: 100)
    screen.feed(terminal.output)
    #expect(screen.unknown.isEmpty, "seed \(Self.seed): \(screen.unknown.prefix(5))")
    #expect(screen.modes.contains("25"))
    for mode in ["1049", "1000", "1002", "1003", "1006", "2004", "2026"] {
      #expect(!screen.modes.contains(mode), "seed \(Self.seed): mode \(mode) is left on")
    }
  }
}
