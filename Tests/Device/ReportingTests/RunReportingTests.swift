// What a run writes while it goes on and at its end, in virtual time.

import Bytes
import Foundation
import Platform
import Reporting
import Telemetry
import Testing

struct RunReportingTests {
  private static let second: UInt64 = 1_000_000_000

  private func run(
    _ options: ReportingOptions, seconds: Int,
    writeLine: @escaping @Sendable ([UInt8]) -> Void = { _ in },
    atSecond: (Int) -> Void = { _ in }
  ) throws -> Snapshot {
    let collector = Collector(
      facts: measuredSnapshot().facts, nowNanoseconds: Self.second,
      sampler: SystemSampler(root: "/nonexistent"))
    let reporting = try RunReporting(options, name: "tool")
    reporting.start(collector, takesTraces: false, writeLine: writeLine)
    collector.setState(.running)
    for tick in 0..<seconds * 10 {
      let now = Self.second + UInt64(tick) * 100_000_000
      collector.recordInference(startNanoseconds: now - 5_000_000, durationNanoseconds: 4_000_000)
      if tick == 15 { collector.announce(.note, Array("half way".utf8)) }
      collector.poll(nowNanoseconds: now)
      if tick % 10 == 9 { atSecond(tick / 10 + 1) }
    }
    let end = Self.second * UInt64(seconds + 1)
    collector.setState(.done)
    let last = collector.snapshot(nowNanoseconds: end, windowSeconds: nil)
    reporting.finish(last)
    return last
  }

  @Test func intervals() throws {
    let lines = Shared<[[UInt8]]>([])
    var options = ReportingOptions()
    options.metricsIntervalSeconds = 2
    // The reader keeps up: what is put aside is written before the next one comes.
    let follow: (Int) -> Void = { second in
      for _ in 0..<20_000 where lines.use({ $0.count }) < (second - 1) / 2 { usleep(1000) }
    }
    _ = try run(
      options, seconds: 9, writeLine: { line in lines.use { $0.append(line) } }, atSecond: follow)
    let objects = try lines.use { $0 }.map {
      try #require(try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])
    }
    #expect(objects.map { $0["number"] as? Int } == [1, 2, 3, 4])
    #expect(objects.map { $0["elapsed_s"] as? Double } == [2, 4, 6, 8])
    #expect(objects.map { $0["inferences"] as? Int } == [21, 41, 61, 81])
    #expect(objects.allSatisfy { $0["window_s"] as? Int == 2 })
    let events = objects.map { ($0["events"] as? [[String: Any]])?.count }
    #expect(events == [1, 0, 0, 0], "each event once")
  }

  /// A reader that takes nothing costs intervals, whose numbers tell; never the run.
  @Test func aStalledReader() throws {
    let gate = Shared(false)
    let lines = Shared<[[UInt8]]>([])
    var options = ReportingOptions()
    options.metricsIntervalSeconds = 0.1
    _ = try run(
      options, seconds: 10,
      writeLine: { line in
        while !gate.use({ $0 }) { usleep(1000) }
        lines.use { $0.append(line) }
      }, atSecond: { if $0 == 10 { gate.use { $0 = true } } })
    let numbers = try lines.use { $0 }.map {
      try #require(
        (try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])?["number"] as? Int)
    }
    #expect(numbers.count <= 10 && numbers.last == 100 && numbers == numbers.sorted())
  }

  @Test func metricsFile() throws {
    let folder = try Folder()
    let path = folder.file("knapsack.prom")
    var options = ReportingOptions()
    options.metricsFile = path
    let texts = Shared<[String]>([])
    let look: (Int) -> Void = { second in
      guard second == 1 || second == 6 else { return }
      // At once, and again after five seconds, on another thread.
      for _ in 0..<20_000 {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        if !text.isEmpty, text != texts.use({ $0.last }) {
          #expect(text.hasSuffix("\n"), "no reader sees half a file")
          texts.use { $0.append(text) }
          return
        }
        usleep(1000)
      }
    }
    let last = try run(options, seconds: 7, atSecond: look)
    #expect(texts.use { $0.count } == 2)
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(
      text.contains("knapsack_inferences_total{outcome=\"success\"} \(last.inferenceCount)\n"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["knapsack.prom"])
    options.metricsFile = folder.file("none/knapsack.prom")
    #expect(throws: PlatformError.self) { try RunReporting(options, name: "tool") }
    options.metricsFile = folder.path
    #expect(throws: PlatformError.self) { try RunReporting(options, name: "tool") }
  }

  @Test func reports() throws {
    let folder = try Folder()
    var options = ReportingOptions()
    let snapshot = measuredSnapshot()
    func write(isLasting: Bool) throws -> String? {
      try RunReporting(options, name: "tool").writeReport(
        snapshot, isLasting: isLasting, stopped: "user"
      ) { $0.field("task", "tensor") }
    }
    #expect(try write(isLasting: false) == nil, "short runs leave nothing behind")
    options.reportFile = folder.file("r.json")
    #expect(try write(isLasting: false) == folder.file("r.json"))
    let bytes = Array(try Data(contentsOf: URL(filePath: folder.file("r.json"))))
    #expect(try JSON.parse(bytes)["schema"]?.stringValue == "knapsack.report")
    options.writesReport = false
    #expect(try write(isLasting: true) == nil)
    options.writesReport = true
    options.reportFile = folder.file("none/r.json")
    #expect(throws: PlatformError.self) { try write(isLasting: true) }
    // A place that is gone at the end is no failure.
    let place = folder.file("place")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
    options.reportFile = place + "/r.json"
    let reporting = try RunReporting(options, name: "tool")
    try FileManager.default.removeItem(atPath: place)
    #expect(
      reporting.writeReport(snapshot, isLasting: true, stopped: "user") {
        $0.field("task", "tensor")
      } == nil)
  }
}
