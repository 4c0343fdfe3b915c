// Traces as Chrome's format has them, and what a run writes of its own accord.

import Bytes
import Foundation
import Platform
import Reporting
import Telemetry
import Testing

struct TraceTests {
  private static let second: UInt64 = 1_000_000_000

  private func collector() -> Collector {
    Collector(
      facts: measuredSnapshot().facts, nowNanoseconds: Self.second,
      sampler: SystemSampler(root: "/nonexistent"))
  }

  /// Inferences of 1 ms with three steps each, 2 ms apart, from a moment on; when the last one ended.
  @discardableResult
  private func run(_ collector: Collector, _ count: Int, from start: UInt64) -> UInt64 {
    var now = start
    for i in 0..<count {
      if collector.wantsStepTimes() {
        for step in 0..<3 {
          collector.recordStep(step, durationNanoseconds: UInt64(100_000 * (step + 1) + i))
        }
      }
      collector.recordInference(startNanoseconds: now, durationNanoseconds: 1_000_000)
      if i == 1 { collector.announce(.warning, Array("look \"here\"".utf8)) }
      now += 2_000_000
      collector.poll(nowNanoseconds: now)
    }
    return now
  }

  private struct Event {
    var fields: [String: Any]
    var name: String { fields["name"] as? String ?? "" }
    var phase: String { fields["ph"] as? String ?? "" }
    var start: Double { fields["ts"] as? Double ?? -1 }
    var end: Double { start + (fields["dur"] as? Double ?? -1) }
    var arguments: [String: Any] { fields["args"] as? [String: Any] ?? [:] }
  }

  private func events(_ path: String) throws -> (events: [Event], other: [String: Any]) {
    let data = try Data(contentsOf: URL(filePath: path))
    let value = try JSON.parse(Array(data))
    // Integers are written as such: Perfetto shows nothing for others.
    for event in try #require(value["traceEvents"]?.arrayValue) {
      for key in ["pid", "tid"] {
        guard case .integer? = event[key]?.kind else {
          Issue.record("\(key) is no integer")
          continue
        }
      }
    }
    let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let list = try #require(object["traceEvents"] as? [[String: Any]])
    return (
      list.map { Event(fields: $0) }, try #require(object["otherData"] as? [String: Any])
    )
  }

  @Test func aTraceOfFourInferences() throws {
    let folder = try Folder()
    let path = folder.file("trace.json")
    let collector = collector()
    var options = ReportingOptions()
    options.traceFile = path
    options.traceCount = 4
    let reporting = try RunReporting(options, name: "tool")
    reporting.start(collector, takesTraces: false) { _ in }
    collector.setState(.running)
    let end = run(collector, 6, from: 2 * Self.second)
    reporting.finish(collector.snapshot(nowNanoseconds: end))
    let (events, other) = try events(path)
    #expect(other["inferences"] as? Int == 4 && other["is_cut"] as? Bool == false)
    #expect(other["bundle"] as? String == "mnv2 \"v\\2\"")
    let slices = events.filter { $0.phase == "X" }
    let inferences = slices.filter { $0.name == "inference" }
    #expect(inferences.map { $0.start } == [2e6, 2.002e6, 2.004e6, 2.006e6])
    #expect(inferences.allSatisfy { abs($0.end - $0.start - 1000) < 1e-6 })
    let steps = slices.filter { $0.name != "inference" }
    #expect(steps.count == 12 && steps[0].name == "conv" && steps[2].name == "gemm")
    #expect(steps[4].arguments["name"] as? String == "model.relu")
    // Steps follow each other inside of their inference.
    for (i, step) in steps.enumerated() {
      let inference = inferences[i / 3]
      #expect(step.start >= inference.start && step.end <= inference.end)
      if i % 3 > 0 { #expect(abs(step.start - steps[i - 1].end) < 1e-3) }
    }
    #expect(Set(events.map { $0.fields["pid"] as? Int }) == [Int(getpid())])
    let instants = events.filter { $0.phase == "i" }
    #expect(instants.map { $0.name } == ["look \"here\""])
    #expect(instants.allSatisfy { $0.fields["s"] as? String == "g" })
    #expect(Set(events.map { $0.phase }).isSubset(of: ["M", "X", "C", "i"]))
    // Said among the events, for who looks at the run.
    let said = collector.snapshot(nowNanoseconds: end + 1).events.map { $0.text }
    #expect(said.contains(escaped("trace of 4 inferences: \(path)")))
  }

  /// A key asks for a trace while the run goes on; a run that ends before is traced as far as it came.
  @Test func tracesOnRequest() throws {
    let collector = collector()
    let taken = Shared<[TraceRecording]>([])
    collector.setTraceSink { recording in taken.use { $0.append(recording) } }
    collector.setState(.running)
    var now = run(collector, 3, from: 2 * Self.second)
    #expect(collector.beginTrace(inferenceCount: 100, nowNanoseconds: now))
    now = run(collector, 5, from: now)
    collector.endTrace(nowNanoseconds: now)
    let recording = try #require(taken.use { $0.first })
    #expect(recording.inferences.count == 5)
    let folder = try Folder()
    try TraceJSON.write(recording, process: 42, to: folder.file("t.json"))
    let (events, _) = try events(folder.file("t.json"))
    #expect(events.filter { $0.name == "inference" && $0.phase == "X" }.count == 5)
    #expect(throws: PlatformError.self) {
      try TraceJSON.write(recording, process: 42, to: folder.file("none/t.json"))
    }
  }

  /// Power, temperature and memory are counters with a figure each.
  @Test func counters() throws {
    let folder = try Folder()
    let collector = Collector(
      facts: measuredSnapshot().facts, nowNanoseconds: Self.second, sampler: SystemSampler())
    let taken = Shared<[TraceRecording]>([])
    collector.setTraceSink { recording in taken.use { $0.append(recording) } }
    collector.setState(.running)
    #expect(collector.beginTrace(inferenceCount: 3, nowNanoseconds: 0))
    run(collector, 3, from: 2 * Self.second)
    try TraceJSON.write(
      try #require(taken.use { $0.first }), process: 1, to: folder.file("t.json"))
    let counters = try events(folder.file("t.json")).events.filter { $0.phase == "C" }
    let memory = counters.filter { $0.name == "memory" }
    #expect(memory.count == 3)
    #expect(memory.allSatisfy { ($0.arguments["resident_bytes"] as? Double ?? 0) > 1_048_576 })
    #expect(Set(counters.map { $0.name }).isSubset(of: ["power", "temperature", "memory"]))
  }
}
