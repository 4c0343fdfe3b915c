// Runs recorded by one tool and shown by both.

import Foundation
import Testing

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct ReplayTests {
  let folder: Folder

  init() throws { folder = try Folder() }

  private func record(_ tool: Tool, _ name: String) throws -> String {
    let path = folder.path(name)
    let outcome = try tool.run(
      [
        "run", try DigitsBundle.path(), Repository.digitsData, "--no-tui", "--repeat", "3",
        "--record", path,
      ])
    #expect(outcome.status == 0, "\(outcome.error)")
    return path
  }

  @Test func bothToolsShowTheSameFrames() throws {
    for recorder in [Tool.knapsack, .knapsackRun] {
      let recording = try record(recorder, recorder.name + ".rec")
      for words in [
        [], ["--at", "0.05"], ["--size", "40x10"], ["--size", "120x40", "--keys", "5"],
        ["--size", "200x60", "--format", "styles"], ["--keys", "?", "--clock", "virtual"],
      ] {
        let one = try Tool.knapsack.run(["replay", recording] + words)
        let other = try Tool.knapsackRun.run(
          ["replay", recording] + words, environment: ["TZ": "Asia/Tokyo", "LC_ALL": "C"])
        #expect(one.status == 0 && other.status == 0, "\(one.error)\(other.error)")
        #expect(one.output == other.output && !one.output.isEmpty, "\(words)")
      }
      let end = try Tool.knapsack.run(["replay", recording]).text
      #expect(end.contains("DONE") && end.contains("n 1 350"), "\(end)")
      #expect(end.split(separator: "\n").count == 24)
    }
  }

  @Test func whatCannotBeShownIsRefused() throws {
    let recording = try record(.knapsackRun, "a.rec")
    var bytes = try Repository.bytes(recording)
    bytes[7] = 9
    let newer = try folder.write("newer.rec", bytes)
    bytes[0] = 0
    let none = try folder.write("none.rec", bytes)
    for tool in [Tool.knapsack, .knapsackRun] {
      #expect(try tool.refusal(65, ["replay", newer]).contains("byte 7: version 9"))
      #expect(try tool.refusal(65, ["replay", none]).contains("byte 0: expected a recording"))
      try tool.refusal(66, ["replay", folder.path("missing.rec")])
      try tool.refusal(64, ["replay", recording, "--size", "0x10"])
      try tool.refusal(64, ["replay", recording, "--at", "-1"])
      try tool.refusal(64, ["replay", recording, "--clock", "broken"])
      try tool.refusal(69, ["replay", recording, "--clock", "real"])
      let data = Repository.digitsData
      let copy = try folder.write("copy.safetensors", try Repository.bytes(data))
      try tool.refusal(64, ["run", try DigitsBundle.path(), copy, "--record", copy])
      #expect(try Repository.bytes(copy) == Repository.bytes(data))
    }
  }

  /// A recording that is cut ends where it is cut, and says so.
  @Test func aCutRecordingIsShown() throws {
    let bytes = try Repository.bytes(try record(.knapsackRun, "b.rec"))
    let cut = try folder.write("cut.rec", bytes.prefix(bytes.count - 3))
    let outcome = try Tool.knapsack.run(["replay", cut])
    #expect(outcome.status == 0 && outcome.text.contains("digits"))
    #expect(outcome.error.contains("ends in the middle of an entry"))
  }

  /// A recording that cannot be written is said once, and the run goes on.
  @Test func aRunDoesNotFailForItsRecording() throws {
    for path in ["/dev/full", folder.path("no/such/folder/a.rec")] {
      let outcome = try Tool.knapsackRun.run(
        ["run", try DigitsBundle.path(), Repository.digitsData, "--no-tui", "--record", path])
      #expect(outcome.status == 0, "\(outcome.error)")
      #expect(outcome.text.contains("latency"))
    }
  }
}
