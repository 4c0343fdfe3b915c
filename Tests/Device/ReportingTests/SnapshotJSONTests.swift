// JSON of snapshots, read by Foundation and by our own strict reader, which refuses a key twice.

import Bytes
import Foundation
import Reporting
import Telemetry
import Testing

struct SnapshotJSONTests {
  private func object(_ bytes: [UInt8]) throws -> [String: Any] {
    _ = try JSON.parse(bytes)
    return try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
  }

  @Test func anIntervalIsOneLine() throws {
    let snapshot = measuredSnapshot()
    let bytes = SnapshotJSON.interval(snapshot, number: 7, events: snapshot.events)
    #expect(bytes.filter { $0 == 0x0A }.count == 1 && bytes.last == 0x0A)
    let object = try object(bytes)
    #expect(object["schema"] as? String == "knapsack.interval" && object["version"] as? Int == 1)
    #expect(object["number"] as? Int == 7 && object["window_s"] as? Int == 60)
    #expect(object["bundle"] as? String == "mnv2 \"v\\2\"")
    #expect(object["state"] as? String == "running")
    #expect(object["elapsed_s"] as? Double == 61.5)
    #expect(object["inferences"] as? Int == 3000)
    #expect(object["throughput_per_s"] as? Double == 201.25)
    let p99 = try #require(object["latency_p99_us"] as? Double)
    #expect(p99 == Double(try #require(snapshot.latency.p99)) / 1000)
    // An estimate, with what it is made of.
    #expect(object["power_w"] as? Double == 6.5 && object["power_grade"] as? String == "A")
    #expect(object["power_source"] as? String == "INA3221 VDD_IN")
    #expect(object["energy_j"] as? Double == 399.75 && object["energy_grade"] as? String == "B")
    #expect(object["memory_arena_bytes"] as? Int == 6_396_313)
    #expect(object["memory_growth_bytes_per_h"] as? Double == 20_500)
    // What is not known, and why.
    #expect(object["memory_peak_bytes"] is NSNull && object["memory_peak_reason"] is String)
    #expect(object["memory_peak_source"] == nil)
    let zones = try #require(object["temperature_c"] as? [[String: Any]])
    #expect(zones.map { $0["zone"] as? String } == ["cpu", "acpitz", "acpitz #2", "a\"b\\c\\x1bé"])
    #expect(zones[0]["value"] as? Double == 71.5)
    #expect(zones[2]["value"] is NSNull && zones[2]["reason"] is String)
    let rails = try #require(object["rail_power_w"] as? [[String: Any]])
    #expect(rails.count == 3 && rails[2]["value"] is NSNull && rails[2]["grade"] as? String == "A")
    let drift = try #require(object["drift_ratio"] as? [[String: Any]])
    #expect(drift[0]["metric"] as? String == "latency_p50" && drift[0]["value"] as? Double == 1.1)
    let events = try #require(object["events"] as? [[String: Any]])
    #expect(events.count == 1 && events[0]["level"] as? String == "warning")
    #expect(object["steps"] == nil, "tables are for whole documents")
  }

  @Test func anIntervalOfALanguageModel() throws {
    let snapshot = generatingSnapshot()
    let object = try object(SnapshotJSON.interval(snapshot, number: 1, events: []))
    let p50 = try #require(object["stage_p50_us"] as? [[String: Any]])
    #expect(p50.map { $0["stage"] as? String } == ["prepare", "infer"])
    #expect(
      p50[1]["value"] as? Double == snapshot.latency.p50.map { Double($0) / 1000 })
    let p99 = try #require(object["stage_p99_us"] as? [[String: Any]])
    #expect(p99[0]["value"] is NSNull && p99[0]["reason"] as? String == "needs 100 in the window")
    let shares = try #require(object["stage_share_ratio"] as? [[String: Any]])
    #expect(shares.map { $0["value"] as? Double } == [0.25, 0.75])
    #expect(object["requests"] as? Int == 3 && object["output_tokens"] as? Int == 24)
    #expect(object["decode_tokens_per_s"] as? Double == 38.25)
    #expect(object["prefill_tokens_per_s"] as? Double == 612.5)
    let first = try #require(object["time_to_first_token_p50_us"] as? Double)
    #expect(abs(first - 120_000) <= 120_000 / 128)
    #expect(object["time_to_first_token_p95_us"] is NSNull)
    #expect(
      object["time_per_token_p99_us"] as? Double == snapshot.latency.p99.map { Double($0) / 1000 })
    #expect(object["energy_per_request_j"] as? Double == 62.5)
    #expect(object["energy_per_request_grade"] as? String == "A")
    #expect(object["kv_cache_used_bytes"] as? Int == 61 << 20)
    #expect(object["kv_cache_reserved_bytes"] is NSNull)
    #expect(object["dropped_items"] as? Int == 14)
  }

  /// Every null has its reason, every estimate its source and grade, whatever is known.
  @Test func unknownsHaveReasons() throws {
    var modelled = measuredSnapshot()
    modelled.power = EnergyModel(
      figures: EnergyFigures(idleWatts: 3, wattsPerActiveCore: 1)
    ).reading(busyCores: 2)
    for snapshot in [Snapshot(), measuredSnapshot(), modelled, generatingSnapshot()] {
      let object = try object(SnapshotJSON.interval(snapshot, number: 1, events: []))
      for row in Metrics.rows(snapshot)
      where !row.stem.isEmpty && !row.isListed && row.kind != .information {
        let value = try #require(object[row.key])
        #expect((value is NSNull) == (row.value == nil), "\(row.key)")
        #expect((value is NSNull) == (object[row.stem + "_reason"] != nil), "\(row.key)")
        if row.key.hasSuffix("_w") || row.key.hasSuffix("_j") || row.key.contains("carbon") {
          #expect(object[row.stem + "_grade"] is String, "\(row.key)")
          #expect(object[row.stem + "_source"] is String, "\(row.key)")
        }
      }
    }
    let object = try object(SnapshotJSON.interval(modelled, number: 1, events: []))
    #expect(object["power_grade"] as? String == "D" && object["power_band_percent"] as? Int == 35)
  }

  @Test func documents() throws {
    let snapshot = measuredSnapshot()
    let saved = try object(SnapshotJSON.document(snapshot))
    #expect(saved["schema"] as? String == "knapsack.snapshot")
    let output = try #require(saved["output"] as? [[String: Any]])
    #expect(output[0]["text"] as? String == "tabby \\x1b[2J")
    let steps = try #require(saved["steps"] as? [[String: Any]])
    #expect(steps.map { $0["operator"] as? String } == ["gemm", "conv"])
    #expect(steps[0]["latency_mean_us"] as? Double == 3000)
    #expect(steps[0]["multiply_accumulates"] as? Int == 12_000_000)
    #expect(steps[0]["bound"] as? String == "memory" && steps[1]["bound"] is NSNull)
    let slowest = try #require(saved["slowest"] as? [[String: Any]])
    #expect(slowest[0]["elapsed_s"] as? Double == 12.5)
    #expect(slowest[0]["latency_us"] as? Double == 9000)
    #expect(slowest[0]["major_faults"] as? Int == 1 && slowest[0]["throttled"] as? Bool == true)
    #expect(slowest[0]["involuntary_switches"] as? Int == 0)
    #expect(slowest[1]["major_faults"] is NSNull && slowest[1]["throttled"] is NSNull)
    let predictions = try #require(saved["predictions"] as? [[String: Any]])
    #expect(predictions[0]["predicted_us"] as? Double == 5000)
    #expect(predictions[0]["measured_us"] as? Double == 5500)
    #expect(predictions[1]["predicted_j"] as? Double == 0.03)
    #expect(predictions[1]["measured_j"] is NSNull)

    var last = snapshot
    last.windowSeconds = nil
    let report = try object(
      SnapshotJSON.report(last, stopped: "signal 15") { $0.field("task", "tensor") })
    #expect(report["schema"] as? String == "knapsack.report" && report["version"] as? Int == 1)
    #expect(report["stopped_by"] as? String == "signal 15" && report["task"] as? String == "tensor")
    #expect(report["window_s"] is NSNull && report["output"] == nil)
    let episodes = try #require(report["throttle_episodes"] as? [[String: Any]])
    #expect(episodes[0]["end_s"] as? Double == 24.5 && episodes[0]["max_c"] is NSNull)
    #expect(try object(SnapshotJSON.report(last, stopped: nil) { _ in })["stopped_by"] is NSNull)
  }
}
