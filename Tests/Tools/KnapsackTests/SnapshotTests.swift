// SIGUSR1: what is known of a run is written down while it goes on, with a dashboard and without one.

import Foundation
import Testing

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct SnapshotTests {
  private let state: Folder

  init() throws { state = try Folder() }

  private var folder: String { state.path("knapsack/snapshots") }

  private var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  /// Waits until as many files are there.
  private func waitForFiles(_ count: Int) {
    for _ in 0..<2000 where names.count < count { usleep(5000) }
  }

  /// The JSON document and the screen, which have one name.
  private func checkFiles(columns: Int, rows: Int) throws {
    let files = names
    #expect(files.count == 2, "\(files)")
    let json = try #require(files.first { $0.hasSuffix(".json") })
    let text = try #require(files.first { $0.hasSuffix(".txt") })
    #expect(json.dropLast(5) == text.dropLast(4))
    let data = try Data(contentsOf: URL(filePath: folder + "/" + json))
    let object = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(object["schema"] as? String == "knapsack.snapshot")
    #expect(object["state"] as? String == "running")
    #expect(try #require(object["inferences"] as? Int) > 0)
    let screen = try String(contentsOfFile: folder + "/" + text, encoding: .utf8)
    let lines = screen.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == rows + 1 && lines[0].count == columns)
    #expect(screen.contains("digits") && screen.contains("RUNNING") && screen.contains("Latency"))
    #expect(!screen.contains("\u{1B}"))
  }

  @Test func withoutADashboard() throws {
    for tool in [Tool.knapsack, .knapsackRun] {
      try? FileManager.default.removeItem(atPath: folder)
      let outcome = try tool.run(
        ["run", try DigitsBundle.path(), Repository.digitsData, "--loop", "--no-tui"],
        environment: ["XDG_STATE_HOME": state.url.path, "LC_ALL": "C.UTF-8"]
      ) { child in
        Tool.waitUntil(child, catches: SIGUSR1)
        usleep(300_000)
        kill(child, SIGUSR1)
        waitForFiles(2)
        // It goes on: only this ends it.
        kill(child, SIGTERM)
      }
      #expect(outcome.status == -SIGTERM, "\(outcome.error)")
      try checkFiles(columns: 120, rows: 40)
      let path = folder + "/" + (names.first { $0.hasSuffix(".json") } ?? "")
      #expect(outcome.errorLines.contains("saved \(path) and .txt"), "\(outcome.error)")
    }
  }

  /// As `w` does, and the event line says where.
  @Test func withADashboard() throws {
    let terminal = try PseudoTerminal(
      .knapsackRun, ["run", try DigitsBundle.path(), Repository.digitsData, "--loop", "--tui"],
      columns: 100, rows: 30, environment: ["XDG_STATE_HOME": state.url.path])
    #expect(terminal.waits(forRowWith: "RUNNING"))
    usleep(300_000)
    kill(terminal.child, SIGUSR1)
    waitForFiles(2)
    try checkFiles(columns: 100, rows: 30)
    #expect(terminal.waits(forRowWith: "saved "))
    terminal.type("w")
    waitForFiles(4)
    #expect(names.count == 4, "\(names)")
    terminal.type("q")
    #expect(terminal.waitForEnd() == 0 && terminal.isCooked)
  }

  /// Where nothing can be written that is said, and the run goes on.
  @Test func whereNothingCanBeWritten() throws {
    let file = try state.write("file", [])
    let outcome = try Tool.knapsackRun.run(
      ["run", try DigitsBundle.path(), Repository.digitsData, "--loop", "--no-tui"],
      environment: ["XDG_STATE_HOME": file]
    ) { child in
      Tool.waitUntil(child, catches: SIGUSR1)
      kill(child, SIGUSR1)
      usleep(500_000)
      kill(child, SIGTERM)
    }
    #expect(outcome.status == -SIGTERM)
    #expect(outcome.error.contains("not saved: "), "\(outcome.error)")
  }
}

extension Tool {
  /// Waits until a process has a handler of its own for a signal.
  static func waitUntil(_ child: pid_t, catches signal: Int32) {
    for _ in 0..<4000 {
      let status = (try? String(contentsOfFile: "/proc/\(child)/status", encoding: .utf8)) ?? ""
      let line = status.split(separator: "\n").first { $0.hasPrefix("SigCgt:") }
      let mask = line.flatMap {
        UInt64($0.dropFirst(7).trimmingCharacters(in: .whitespaces), radix: 16)
      }
      if let mask, mask >> UInt64(signal - 1) & 1 == 1 { return }
      usleep(5000)
    }
  }
}
