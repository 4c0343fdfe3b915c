// Runs that lose their terminal, and runs that are made to leave at once: what they leave behind.

import Foundation
import Testing
import VirtualTerminal

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct LeavingTests {
  /// Short enough for a socket's path.
  private let runtime = URL(filePath: "/tmp/kl-\(UUID().uuidString.prefix(8))")
  private let state: Folder

  private var environment: [String: String] {
    ["XDG_RUNTIME_DIR": runtime.path, "XDG_STATE_HOME": state.url.path]
  }

  init() throws {
    state = try Folder()
    try FileManager.default.createDirectory(
      at: runtime, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
  }

  private func remove() { try? FileManager.default.removeItem(at: runtime) }

  private func socket(_ child: pid_t) -> String { runtime.path + "/knapsack/\(child).sock" }

  private func isThere(_ path: String) -> Bool {
    var info = stat()
    return lstat(path, &info) == 0
  }

  private func run(_ words: [String]) throws -> [String] {
    ["run", try DigitsBundle.path(), Repository.digitsData, "--loop"] + words
  }

  /// Two signals that wait for a process that was stopped: it sees both before its loop sees the first.
  private func sendTwo(to child: pid_t) {
    kill(child, SIGSTOP)
    kill(child, SIGINT)
    kill(child, SIGTERM)
    kill(child, SIGCONT)
  }

  /// The second Ctrl-C leaves at once, and takes the socket along.
  @Test func aSecondSignalLeavesNoSocket() throws {
    defer { remove() }
    for tool in [Tool.knapsack, .knapsackRun] {
      var path = ""
      let outcome = try tool.run(try run(["--no-tui"]), environment: environment) { child in
        path = socket(child)
        for _ in 0..<4000 where !isThere(path) { usleep(5000) }
        #expect(isThere(path))
        Tool.waitUntil(child, catches: SIGTERM)
        sendTwo(to: child)
      }
      #expect([-SIGINT, -SIGTERM].contains(outcome.status), "\(outcome.status)")
      #expect(!isThere(path))
    }
  }

  /// The same on a terminal, which is given back: by signals, and by `q` typed twice.
  @Test(arguments: [false, true]) func leavingAScreenTwice(types: Bool) throws {
    defer { remove() }
    let terminal = try PseudoTerminal(.knapsackRun, try run(["--tui"]), environment: environment)
    #expect(terminal.waits(forRowWith: "RUNNING"))
    #expect(isThere(socket(terminal.child)))
    if types { terminal.type("qq") } else { sendTwo(to: terminal.child) }
    let status = try #require(terminal.waitForEnd())
    #expect(types ? status == 0 : [-SIGINT, -SIGTERM].contains(status), "\(status)")
    #expect(terminal.isCooked && !terminal.screen.modes.contains("1049"))
    #expect(!isThere(socket(terminal.child)))
  }

  /// The mouse is asked for with M, and no longer once the screen is given back; of what asks for it
  /// nothing is seen.
  @Test func theMouseIsGivenBack() throws {
    defer { remove() }
    let terminal = try PseudoTerminal(.knapsackRun, try run(["--tui"]), environment: environment)
    #expect(terminal.waits(forRowWith: "RUNNING"))
    #expect(!terminal.screen.modes.contains("1006"))
    terminal.type("M")
    #expect(terminal.wait { terminal.screen.modes.isSuperset(of: ["1000", "1006"]) })
    terminal.type("q")
    #expect(terminal.waitForEnd() == 0)
    #expect(terminal.screen.modes.isDisjoint(with: ["1000", "1006", "1049"]))
    #expect(!terminal.output.contains(UInt8(ascii: "\\")))
  }

  /// Behind the screen that is given back stands the error, and nothing else.
  @Test func anErrorStandsForItself() throws {
    defer { remove() }
    let arguments = ["run", try DigitsBundle.path(), state.path("none"), "--loop", "--tui"]
    let terminal = try PseudoTerminal(.knapsackRun, arguments, environment: environment)
    #expect(terminal.waitForEnd() == 66)
    #expect(terminal.isCooked)
    let output = String(decoding: terminal.output, as: UTF8.self)
    #expect(output.contains("\u{1B}[?1049h") == output.contains("\u{1B}[?1049l"))
    let last = try #require(output.components(separatedBy: "\u{1B}[?1049l").last)
    var screen = VTScreen(columns: 200, rows: 24)
    screen.feed(Array(last.utf8))
    #expect(screen.unknown.isEmpty && screen.text(row: 0).hasPrefix("knapsack-run: "))
    #expect((1..<24).allSatisfy { !screen.text(row: $0).contains { $0 != " " } })
  }

  /// Whose terminal is closed goes on where it was told to: it can be listed, and still saves what it is
  /// asked for, and ends as any run does.
  @Test(arguments: [Tool.knapsack, .knapsackRun])
  func aClosedTerminalIsNoEnd(tool: Tool) throws {
    defer { remove() }
    let terminal = try PseudoTerminal(
      tool, try run(["--tui", "--on-hangup", "continue"]), environment: environment)
    #expect(terminal.waits(forRowWith: "RUNNING"))
    let child = terminal.child
    terminal.close()
    usleep(500_000)
    #expect(!terminal.isOver)
    let list = try Tool.knapsackRun.run(["top", "--list"], environment: environment)
    #expect(list.text.contains("\(child)  ") && list.text.contains("running"), "\(list.text)")
    kill(child, SIGUSR1)
    let snapshots = state.path("knapsack/snapshots")
    for _ in 0..<2000 {
      if (try? FileManager.default.contentsOfDirectory(atPath: snapshots))?.count == 2 { break }
      usleep(5000)
    }
    #expect((try? FileManager.default.contentsOfDirectory(atPath: snapshots))?.count == 2)
    kill(child, SIGTERM)
    #expect(terminal.waitForEnd() == -SIGTERM)
    #expect(!isThere(socket(child)))
    let reports = try FileManager.default.contentsOfDirectory(atPath: state.path("knapsack/runs"))
    #expect(reports.count == 1, "its report is written")
  }

  /// Nor does a second signal leave anything behind once the terminal is gone.
  @Test func aSecondSignalWithoutATerminal() throws {
    defer { remove() }
    let terminal = try PseudoTerminal(
      .knapsackRun, try run(["--tui", "--on-hangup", "continue"]), environment: environment)
    #expect(terminal.waits(forRowWith: "RUNNING"))
    terminal.close()
    usleep(300_000)
    #expect(!terminal.isOver && isThere(socket(terminal.child)))
    sendTwo(to: terminal.child)
    let status = try #require(terminal.waitForEnd())
    #expect([-SIGINT, -SIGTERM].contains(status), "\(status)")
    #expect(!isThere(socket(terminal.child)))
  }

  /// Whose terminal is closed ends where nothing else was said, with its report.
  @Test func aClosedTerminalIsTheEnd() throws {
    defer { remove() }
    let terminal = try PseudoTerminal(.knapsackRun, try run(["--tui"]), environment: environment)
    #expect(terminal.waits(forRowWith: "RUNNING"))
    let path = socket(terminal.child)
    terminal.close()
    #expect(terminal.waitForEnd() == -SIGHUP)
    #expect(!isThere(path))
    let reports = try FileManager.default.contentsOfDirectory(atPath: state.path("knapsack/runs"))
    #expect(reports.count == 1)
  }
}
