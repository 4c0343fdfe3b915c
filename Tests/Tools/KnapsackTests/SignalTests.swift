// A run that somebody ends: by a signal, or by no longer reading.

import Foundation
import Testing

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct SignalTests {
  /// Waits until a process has been running its loop for a moment, then sends a signal.
  private func send(_ signal: Int32, to child: pid_t) {
    usleep(400_000)
    kill(child, signal)
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
  func aSignalEndsTheLoopWithItsSummary(signal: Int32) throws {
    let bundle = try DigitsBundle.path()
    for tool in [Tool.knapsack, .knapsackRun] {
      let outcome = try tool.run(
        ["run", bundle, Repository.digitsData, "--loop", "--no-tui"], seconds: 20
      ) { send(signal, to: $0) }
      #expect(outcome.status == -signal, "the process ends by the signal itself: \(outcome.status)")
      #expect(outcome.seconds < 0.4 + 2)
      #expect(outcome.text.contains("stopped by signal \(signal)"))
      #expect(outcome.text.contains("latency") && outcome.text.contains("throughput"))
      // Ctrl-C says what it will do; nothing else is said.
      #expect(outcome.errorLines.count == (signal == SIGINT ? 1 : 0), "\(outcome.error)")
    }
  }

  @Test func aSignalEndsWithAWholeDocument() throws {
    let bundle = try DigitsBundle.path()
    let outcome = try Tool.knapsack.run(
      ["run", bundle, Repository.digitsData, "--loop", "--format", "json"], seconds: 20
    ) { send(SIGINT, to: $0) }
    #expect(outcome.status == -SIGINT)
    let object = try outcome.object()
    #expect(try #require(object["inferences"] as? Int) > 450)
    #expect((object["results"] as? [Any])?.count == 450)
  }

  /// A reader that is there but takes nothing does not keep a run from ending.
  @Test(arguments: ["ndjson", "json", "text"])
  func aStalledReaderHoldsNothingUp(format: String) throws {
    let bundle = try DigitsBundle.path()
    let folder = try Folder()
    let pipe = folder.path("pipe")
    #expect(mkfifo(pipe, 0o600) == 0)
    let reader = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    defer { close(reader) }
    let outcome = try Tool.knapsackRun.run(
      ["run", bundle, Repository.digitsData, "--loop", "--no-tui", "--format", format],
      output: pipe, seconds: 20
    ) { send(SIGTERM, to: $0) }
    #expect(outcome.status == -SIGTERM)
    #expect(outcome.seconds < 0.4 + 2.5)
  }

  /// A stream that is closed is not the next file that is opened.
  @Test func closedStreams() throws {
    let bundle = try DigitsBundle.path()
    let folder = try Folder()
    let whole = try folder.write("whole.knap", try Repository.bytes(bundle))
    for (closed, status) in [("<&-", 0), (">&-", 73), ("<&- >&-", 73), ("2>&- <&-", 0)]
      as [(String, Int32)]
    {
      let output = folder.path("out.safetensors")
      let process = Process()
      process.executableURL = URL(filePath: "/bin/sh")
      process.arguments = [
        "-c", "\"$@\" \(closed)", "sh", Tool.knapsackRun.path, "run", whole, "--input",
        Repository.digitsData, "--output", output,
      ]
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      process.waitUntilExit()
      #expect(process.terminationStatus == status, "\(closed)")
      if status == 0 {
        #expect(try TensorTable(path: output).entries["output.probabilities"]?.shape == [450, 10])
      }
      #expect(try Repository.bytes(whole) == Repository.bytes(bundle))
    }
  }

  @Test func aReaderThatWentAwayEndsTheRunQuietly() throws {
    let bundle = try DigitsBundle.path()
    let folder = try Folder()
    let script = """
      "$1" run "$2" "$3" --loop --no-report --format ndjson 2>"$4" | head -n 2
      """
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = [
      "-c", script, "sh", Tool.knapsack.path, bundle, Repository.digitsData, folder.path("err"),
    ]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    #expect(output.split(separator: UInt8(ascii: "\n")).count == 2)
    #expect(try Repository.bytes(folder.path("err")).isEmpty)
  }
}
