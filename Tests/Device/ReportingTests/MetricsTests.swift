// The list of metric rows, and the two texts that are written from it.

import Bytes
import DebianPrograms
import Foundation
import Reporting
import Telemetry
import Testing

struct MetricsTests {
  /// A sample of a Prometheus page.
  private struct Sample: Equatable {
    var name: String
    var labels: [String: String]
    var value: Double
  }

  /// Reads a page strictly: every line is a comment of a known kind or a sample, every metric has its
  /// help and type once, before its samples, which stand together and differ.
  private func read(_ page: [UInt8]) throws -> (types: [String: String], samples: [Sample]) {
    let text = String(decoding: page, as: UTF8.self)
    #expect(text.isEmpty || text.hasSuffix("\n"))
    var types: [String: String] = [:]
    var samples: [Sample] = []
    var helped = ""
    var current = ""
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      if line.hasPrefix("# HELP ") {
        let words = line.dropFirst(7).split(separator: " ", maxSplits: 1)
        try #require(words.count == 2 && !words[1].isEmpty, "\(line)")
        helped = String(words[0])
      } else if line.hasPrefix("# TYPE ") {
        let words = line.dropFirst(7).split(separator: " ")
        try #require(words.count == 2 && words[0] == helped, "\(line)")
        try #require(types[helped] == nil, "twice: \(line)")
        try #require(["counter", "gauge", "histogram"].contains(words[1]))
        types[helped] = String(words[1])
        current = helped
      } else {
        let sample = try read(sample: String(line))
        let isOfHistogram = ["_bucket", "_sum", "_count"].contains { sample.name == current + $0 }
        try #require(
          types[current] == "histogram" ? isOfHistogram : sample.name == current, "\(line)")
        try #require(
          !samples.contains { $0.name == sample.name && $0.labels == sample.labels }, "\(line)")
        samples.append(sample)
      }
    }
    return (types, samples)
  }

  private func read(sample line: String) throws -> Sample {
    var rest = Substring(line)
    let name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    rest = rest.dropFirst(name.count)
    var labels: [String: String] = [:]
    if rest.first == "{" {
      rest.removeFirst()
      while rest.first != "}" {
        let label = rest.prefix { $0.isASCII && ($0.isLetter || $0 == "_") }
        try #require(!label.isEmpty, "\(line)")
        rest = rest.dropFirst(label.count)
        try #require(rest.hasPrefix("=\""), "\(line)")
        rest = rest.dropFirst(2)
        var value = ""
        while let next = rest.popFirst(), next != "\"" {
          guard next == "\\" else {
            value.append(next)
            continue
          }
          let escape = rest.popFirst() ?? " "
          try #require(escape == "\\" || escape == "\"", "\(line)")
          value.append(escape)
        }
        try #require(labels[String(label)] == nil, "\(line)")
        labels[String(label)] = value
        if rest.first == "," { rest.removeFirst() }
      }
      rest.removeFirst()
    }
    try #require(rest.first == " ", "\(line)")
    let value = try #require(Double(rest.dropFirst()), "\(line)")
    return Sample(name: String(name), labels: labels, value: value)
  }

  private func value(
    _ name: String, _ labels: [String: String] = [:], in samples: [Sample]
  ) -> Double? {
    let found = samples.filter { sample in
      sample.name == name && labels.allSatisfy { sample.labels[$0.key] == $0.value }
    }
    return found.count == 1 ? found[0].value : nil
  }

  @Test func namesKeepTheRules() throws {
    for snapshot in [Snapshot(), measuredSnapshot(), generatingSnapshot()] {
      let rows = Metrics.rows(snapshot)
      var keys: Set<String> = []
      var listed = ""
      var names: [String] = []
      for row in rows {
        if let name = row.name {
          if names.last != name { names.append(name) }
          #expect(
            name.wholeMatch(of: /knapsack_[a-z]+(_[a-z0-9]+)*/) != nil && !name.contains("__"))
          #expect((row.kind == .counter) == name.hasSuffix("_total"), "\(name)")
          #expect(row.help.hasSuffix(".") && !row.help.contains("\n"))
        }
        if row.value == nil, row.kind != .histogram {
          #expect(!row.reason.isEmpty, "\(row.key) is unknown for no reason")
        }
        guard !row.stem.isEmpty, row.kind != .information else { continue }
        #expect(row.key.hasSuffix(row.unit.keyEnding))
        if row.isListed, listed == row.key { continue }
        listed = row.isListed ? row.key : ""
        // A value's reason and origin have the stem before them.
        #expect(keys.insert(row.stem).inserted, "\(row.stem) stands twice")
      }
      #expect(Set(names).count == names.count, "samples of one metric stand together: \(names)")
    }
    // Prometheus knows base units only.
    for unit in MetricUnit.allCases {
      #expect(unit.nameEnding.map { !$0.contains("micro") && !$0.contains("milli") } ?? true)
    }
  }

  @Test func aPageOfAMeasuredRun() throws {
    let snapshot = measuredSnapshot()
    let (types, samples) = try read(PrometheusText.page(Metrics.rows(snapshot)))
    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
      self.value("knapsack_" + name, labels, in: samples)
    }
    #expect(types["knapsack_inferences_total"] == "counter")
    #expect(value("inferences_total", ["outcome": "success"]) == 3000)
    #expect(value("inferences_total", ["outcome": "warm_up"]) == 10)
    #expect(value("bundle_info", ["bundle": "mnv2 \"v\\2\"", "scheme": "int8"]) == 1)
    #expect(value("deadline_missed_total") == Double(snapshot.missedCount))
    #expect(value("latency_budget_seconds") == 0.0063)
    #expect(value("load_seconds") == 0.091)
    #expect(value("first_inference_duration_seconds") == 0.0482)
    #expect(value("memory_bytes", ["kind": "arena"]) == 6_396_313)
    #expect(value("memory_bytes", ["kind": "peak"]) == nil, "what is unknown is left out")
    #expect(value("pressure_ratio", ["resource": "memory", "kind": "some"]) == 0.125)
    let origin = ["source": "INA3221 VDD_IN", "grade": "A"]
    for (rail, watts) in [("total", 6.5), ("VDD_IN", 6.5), ("total #2", 2.25)] {
      let labels = origin.merging(["rail": rail]) { $1 }
      #expect(value("power_watts", labels) == watts, "\(rail)")
    }
    #expect(
      value("energy_joules_total", ["source": "PMIC 12 rails", "grade": "B"]) == 399.75)
    #expect(value("temperature_celsius", ["zone": "cpu"]) == 71.5)
    #expect(value("temperature_celsius", ["zone": "acpitz"]) == 40)
    #expect(value("temperature_celsius", ["zone": "a\"b\\c\\x1bé"]) == 20)
    #expect(value("cpu_frequency_hertz", ["cpu": "0"]) == 2.4e9)
    #expect(value("throttled_seconds_total", ["cause": "under-voltage"]) == 4.5)
    #expect(value("drift_ratio", ["metric": "latency_p50"]) == 1.1)
    #expect(value("monitor_cpu_seconds_total") == 0.25)
    #expect(value("process_cpu_seconds_total") == 60)
    #expect(value("labelled_answers_total", ["result": "wrong"]) == 3)
    #expect(types.keys.allSatisfy { !$0.contains("latency_p") }, "no averages in gauges")
  }

  @Test func theHistogramHasTheBudgetAmongItsBounds() throws {
    let snapshot = measuredSnapshot()
    let (types, samples) = try read(PrometheusText.page(Metrics.rows(snapshot)))
    let name = "knapsack_inference_duration_seconds"
    #expect(types[name] == "histogram")
    let buckets = samples.filter { $0.name == name + "_bucket" }
    #expect(buckets.allSatisfy { $0.labels["stage"] == "infer" })
    let bounds = buckets.map { Double($0.labels["le"] ?? "") ?? .nan }
    #expect(bounds == bounds.sorted() && bounds.last == .infinity && bounds[0] == 1e-5)
    #expect(buckets.map { $0.value } == buckets.map { $0.value }.sorted())
    #expect(buckets.last?.value == 3000)
    #expect(value(name + "_count", in: samples) == 3000)
    var sum = 0.0
    for i in 0..<3000 { sum += 4.5e-3 + Double(i * 7919 % 2000) * 1e-6 }
    #expect(abs(try #require(value(name + "_sum", in: samples)) - sum) < 1e-9)
    let inTime = try #require(value(name + "_bucket", ["le": "0.0063"], in: samples))
    let missed = try #require(value("knapsack_deadline_missed_total", in: samples))
    // A bucket of the histogram is 1.6 % wide, of which the bound cuts one.
    #expect(abs(inTime - (3000 - missed)) <= 3000 * 100_000 / 2_000_000.0)
    // A budget that is a bound already is not one twice.
    var plain = snapshot
    plain.facts.latencyBudgetNanoseconds = 5_000_000
    let page = try read(PrometheusText.page(Metrics.rows(plain))).samples
    #expect(page.filter { $0.name == name + "_bucket" && $0.labels["le"] == "0.005" }.count == 1)
    plain.facts.latencyBudgetNanoseconds = .max
    #expect(try read(PrometheusText.page(Metrics.rows(plain))).samples.count == page.count + 1)
  }

  @Test func whatHappensAroundInferences() throws {
    let (types, samples) = try read(PrometheusText.page(Metrics.rows(generatingSnapshot())))
    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
      self.value("knapsack_" + name, labels, in: samples)
    }
    #expect(value("dropped_items_total") == 14)
    #expect(types["knapsack_stage_duration_seconds"] == "histogram")
    #expect(value("stage_duration_seconds_count", ["stage": "prepare"]) == 60)
    #expect(
      value("stage_duration_seconds_bucket", ["stage": "prepare", "le": "0.0025"]) == 60)
    #expect(value("stage_duration_seconds_count", ["stage": "infer"]) == nil)
    #expect(value("requests_total") == 3)
    #expect(value("tokens_total", ["kind": "prompt"]) == 600)
    #expect(value("tokens_total", ["kind": "output"]) == 24)
    #expect(value("time_to_first_token_seconds_count") == 3)
    #expect(abs(try #require(value("request_duration_seconds_sum")) - 14.4) < 1e-9)
    #expect(value("kv_cache_bytes", ["kind": "used"]) == Double(61 << 20))
    #expect(value("kv_cache_bytes", ["kind": "reserved"]) == nil, "what is unknown is left out")
    #expect(value("context_used_tokens") == 1204 && value("context_limit_tokens") == 2048)
    let others = try read(PrometheusText.page(Metrics.rows(measuredSnapshot()))).types
    #expect(!others.keys.contains { $0.contains("token") || $0.contains("request") })
  }

  @Test func nothingKnownIsAPageToo() throws {
    let (types, samples) = try read(PrometheusText.page(Metrics.rows(Snapshot())))
    #expect(types["knapsack_build_info"] == "gauge")
    #expect(!types.keys.contains { $0.contains("power") || $0.contains("temperature") })
    #expect(value("knapsack_inferences_total", ["outcome": "success"], in: samples) == 0)
  }

  @Test(.enabled(if: Debian.program("promtool") != nil, "no promtool: scripts/setup.sh test"))
  func promtoolAcceptsThePage() throws {
    for snapshot in [Snapshot(), measuredSnapshot(), generatingSnapshot()] {
      let page = Data(PrometheusText.page(Metrics.rows(snapshot)))
      #expect(try Debian.promtool(page).isEmpty)
    }
  }
}
