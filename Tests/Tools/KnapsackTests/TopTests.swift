// Runs that go on by themselves, and viewers that attach to them.

import Foundation
import Testing

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct TopTests {
  /// Runtime folder of its own, short enough for a socket's path.
  let runtime = URL(filePath: "/tmp/kt-\(UUID().uuidString.prefix(8))")
  private var environment: [String: String] { ["XDG_RUNTIME_DIR": runtime.path] }

  init() throws {
    try FileManager.default.createDirectory(
      at: runtime, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
  }

  private func remove() { try? FileManager.default.removeItem(at: runtime) }

  /// A run that has left us, and its process.
  private func start(_ tool: Tool) throws -> pid_t {
    let outcome = try tool.run(
      ["run", try DigitsBundle.path(), Repository.digitsData, "--loop", "--detach"],
      environment: environment)
    #expect(outcome.status == 0, "\(outcome.error)")
    return try #require(pid_t(outcome.text.trimmingCharacters(in: .whitespacesAndNewlines)))
  }

  /// Whether a process is there and no zombie.
  private func lives(_ process: pid_t) -> Bool {
    guard let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    else { return false }
    return !status.contains("State:\tZ")
  }

  private func end(_ process: pid_t) {
    kill(process, SIGTERM)
    for _ in 0..<400 where lives(process) { usleep(25_000) }
    #expect(!lives(process))
  }

  @Test func attachAndDetach() throws {
    defer { remove() }
    for tool in [Tool.knapsack, .knapsackRun] {
      let process = try start(tool)
      defer { kill(process, SIGKILL) }
      let socket = runtime.path + "/knapsack/\(process).sock"
      var info = stat()
      #expect(lstat(socket, &info) == 0 && info.st_mode & 0o777 == 0o600)
      #expect(lstat(runtime.path + "/knapsack", &info) == 0 && info.st_mode & 0o777 == 0o700)
      let list = try Tool.knapsackRun.run(["top", "--list"], environment: environment)
      #expect(list.text.contains("\(process)  ") && list.text.contains("running"), "\(list.text)")
      // A viewer that is ended does not end the run.
      for viewer in [Tool.knapsack, .knapsackRun] {
        let seen = try viewer.run(["top", "\(process)", "--no-tui"], environment: environment) {
          usleep(1_500_000)
          kill($0, SIGINT)
        }
        #expect(seen.status == -SIGINT)
        #expect(seen.text.contains(" n=") && seen.text.contains("rate="), "\(seen.text)")
      }
      #expect(lives(process))
      end(process)
      #expect(lstat(socket, &info) != 0)
    }
  }

  /// Viewers see the end of a run and end too; sockets of runs that were killed are cleared away.
  @Test func theEndOfARun() throws {
    defer { remove() }
    let process = try start(.knapsackRun)
    defer { kill(process, SIGKILL) }
    // By number: other tests' runs are there too.
    let seen = try Tool.knapsack.run(
      ["top", "\(process)", "--no-tui"], environment: environment
    ) { _ in
      usleep(1_000_000)
      kill(process, SIGTERM)
    }
    #expect(seen.status == 0)
    #expect(seen.text.contains("state=done"), "\(seen.text)")
    let other = try start(.knapsackRun)
    kill(other, SIGKILL)
    for _ in 0..<200 where lives(other) { usleep(10_000) }
    let socket = runtime.path + "/knapsack/\(other).sock"
    #expect(FileManager.default.fileExists(atPath: socket))
    let list = try Tool.knapsack.run(["top", "--list"], environment: environment)
    #expect(list.status == 0 && !list.text.contains("\(other)"))
    #expect(!FileManager.default.fileExists(atPath: socket))
    #expect(try Tool.knapsack.run(["top", "\(other)"], environment: environment).status == 66)
  }

  /// A run that fails before it begins: its starter ends with its code and its line.
  @Test func aRunThatDoesNotStart() throws {
    defer { remove() }
    for tool in [Tool.knapsack, .knapsackRun] {
      let outcome = try tool.run(
        ["run", "/nonexistent.knap", "--loop", "--detach"], environment: environment)
      #expect(outcome.status == 66)
      #expect(outcome.errorLines.count == 1 && outcome.output.isEmpty, "\(outcome.error)")
    }
  }

  /// The end of a terminal ends a run, or not, as it was told.
  @Test func hangups() throws {
    defer { remove() }
    for (words, last) in [([], SIGHUP), (["--on-hangup", "continue"], SIGTERM)]
      as [([String], Int32)]
    {
      let outcome = try Tool.knapsackRun.run(
        ["run", try DigitsBundle.path(), Repository.digitsData, "--loop", "--no-tui"] + words,
        environment: environment
      ) {
        usleep(600_000)
        kill($0, SIGHUP)
        usleep(600_000)
        kill($0, SIGTERM)
      }
      #expect(outcome.status == -last)
      #expect(outcome.text.contains("stopped by signal \(last)"))
    }
  }

  /// A folder that others may enter holds no socket of ours.
  @Test func openFoldersAreNotUsed() throws {
    defer { remove() }
    let folder = runtime.path + "/knapsack"
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
    let process = try start(.knapsackRun)
    defer { kill(process, SIGKILL) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    let fallback = "/tmp/knapsack-\(geteuid())/\(process).sock"
    #expect(FileManager.default.fileExists(atPath: fallback))
    end(process)
    #expect(!FileManager.default.fileExists(atPath: fallback))
  }
}
