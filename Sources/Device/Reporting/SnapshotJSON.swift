// A snapshot as JSON: every metric row, and for whole documents the tables beside them.
import Bytes
import Platform
import Telemetry

/// JSON documents of what is known of a run. Units are in the keys; what is not known is null with a
/// `reason`; every figure that could be an estimate has its `source` and `grade`. Fields may be added
/// within a version, never changed.
public enum SnapshotJSON {
  /// One object in one line, with a line feed: the figures of the window up to now.
  ///
  /// number: counts the lines of a run from 1; where one is missing, it could not be written in time.
  /// events: those since the line before.
  public static func interval(
    _ snapshot: Snapshot, number: UInt64, events: [EventRow]
  ) -> [UInt8] {
    var json = JSONWriter()
    begin("knapsack.interval", snapshot, &json)
    json.field("number", number)
    putWindow(snapshot, &json)
    put(Metrics.rows(snapshot), &json)
    put(events: events, &json)
    json.endObject()
    json.endDocument()
    return json.bytes
  }

  /// Everything that the dashboard shows, for a person who saves it: `knapsack.snapshot`.
  public static func document(_ snapshot: Snapshot) -> [UInt8] {
    var json = JSONWriter(isPretty: true)
    begin("knapsack.snapshot", snapshot, &json)
    putWindow(snapshot, &json)
    put(Metrics.rows(snapshot), &json)
    putTables(snapshot, &json)
    json.key("output")
    json.beginArray()
    for line in snapshot.output {
      json.beginObject()
      json.field("number", line.number)
      json.field("text", line.text)
      json.endObject()
    }
    json.endArray()
    json.endObject()
    json.endDocument()
    return json.bytes
  }

  /// What a run was, once it is over: `knapsack.report`. What the model said is not in it.
  ///
  /// The snapshot's window should be the whole run. stopped: `user`, `signal 15`, a failure's words;
  /// nil for a run that came to its end. more: fields that only the loop knows.
  public static func report(
    _ snapshot: Snapshot, stopped: String?, more: (inout JSONWriter) -> Void
  ) -> [UInt8] {
    var json = JSONWriter(isPretty: true)
    begin("knapsack.report", snapshot, &json)
    if let stopped { json.field("stopped_by", stopped) } else { json.nullField("stopped_by") }
    more(&json)
    putWindow(snapshot, &json)
    put(Metrics.rows(snapshot), &json)
    putTables(snapshot, &json)
    json.endObject()
    json.endDocument()
    return json.bytes
  }

  private static func begin(_ schema: String, _ snapshot: Snapshot, _ json: inout JSONWriter) {
    json.beginObject()
    json.field("schema", schema)
    json.field("version", 1)
    let now = Clock.unixSeconds
    json.field("time", Timestamp(unixSeconds: now).text)
    json.field("unix_s", now)
    json.field("state", snapshot.state.name)
  }

  private static func putWindow(_ snapshot: Snapshot, _ json: inout JSONWriter) {
    // The figures of a window that is the whole run.
    if let window = snapshot.windowSeconds {
      json.field("window_s", window)
    } else {
      json.nullField("window_s")
    }
  }

  // MARK: Rows

  private static func put(_ rows: [MetricRow], _ json: inout JSONWriter) {
    var i = 0
    while i < rows.count {
      let row = rows[i]
      i += 1
      if row.stem.isEmpty { continue }
      if row.kind == .information {
        for label in row.labels { json.field(label.name, label.value) }
      } else if row.isListed {
        json.key(row.key)
        json.beginArray()
        put(element: row, &json)
        while i < rows.count, rows[i].isListed, rows[i].stem == row.stem {
          put(element: rows[i], &json)
          i += 1
        }
        json.endArray()
      } else {
        put(value: row, key: row.key, prefix: row.stem + "_", &json)
      }
    }
  }

  private static func put(element row: MetricRow, _ json: inout JSONWriter) {
    json.beginObject()
    for label in row.labels { json.field(label.name, label.value) }
    put(value: row, key: "value", prefix: "", &json)
    json.endObject()
  }

  /// prefix: of the keys that tell more of the value.
  private static func put(
    value row: MetricRow, key: String, prefix: String, _ json: inout JSONWriter
  ) {
    json.key(key)
    if let value = row.value {
      put(number: value, &json)
    } else {
      json.null()
      json.field(prefix + "reason", row.reason)
    }
    guard let origin = row.origin else { return }
    json.field(prefix + "source", origin.source)
    json.field(prefix + "grade", EscapedText([origin.grade.letter]))
    guard origin.bandPercent > 0 else { return }
    json.key(prefix + "band_percent")
    put(number: origin.bandPercent, &json)
  }

  private static func put(number: Double, _ json: inout JSONWriter) {
    if number.magnitude < 1e15, number == number.rounded() {
      json.value(Int64(number))
    } else {
      json.value(number)
    }
  }

  // MARK: Tables

  private static func putTables(_ s: Snapshot, _ json: inout JSONWriter) {
    json.field("profile_interval", s.profileInterval)
    json.key("steps")
    json.beginArray()
    for row in s.operators {
      json.beginObject()
      json.field("step", row.step)
      json.field("name", row.fact.name)
      json.field("operator", row.fact.kind)
      json.field("scheme", row.fact.scheme)
      json.field("latency_mean_us", row.meanNanoseconds / 1000)
      json.field("share_ratio", row.share)
      put("multiply_accumulates", row.fact.multiplyAccumulates.map { Double($0) }, &json)
      if let bound = row.fact.bound {
        json.field("bound", bound.name)
      } else {
        json.nullField("bound")
      }
      json.endObject()
    }
    json.endArray()
    put(slowest: s.slowest, &json)
    json.key("schemes")
    json.beginArray()
    for share in s.facts.schemeShares {
      json.beginObject()
      json.field("scheme", share.scheme)
      json.field("tensors", share.tensorCount)
      json.field("bytes", share.byteCount)
      json.endObject()
    }
    json.endArray()
    put(predictions: s.drift, &json)
    json.key("throttle_episodes")
    json.beginArray()
    for episode in s.throttle.episodes {
      json.beginObject()
      json.field("cause", episode.cause)
      json.field("begin_s", episode.beginSeconds)
      put("end_s", episode.endSeconds, &json)
      put("max_c", episode.maxCelsius, &json)
      put("slowdown_ratio", episode.slowdown, &json)
      json.endObject()
    }
    json.endArray()
    json.key("power_sources_tried")
    json.beginArray()
    for attempt in s.power.tried {
      json.beginObject()
      json.field("name", attempt.name)
      json.field("outcome", name(attempt.outcome))
      json.field("detail", attempt.detail)
      json.endObject()
    }
    json.endArray()
    put(events: s.events, &json)
  }

  private static func put(predictions rows: [DriftRow], _ json: inout JSONWriter) {
    json.key("predictions")
    json.beginArray()
    for row in rows {
      json.beginObject()
      let ending: String
      switch row.quantity {
      case .p50:
        json.field("metric", "latency_p50")
        ending = "_us"
      case .peakMemory:
        json.field("metric", "peak_memory")
        ending = "_bytes"
      case .energy:
        json.field("metric", "energy_per_inference")
        ending = "_j"
      }
      let scale = row.quantity == .p50 ? 1000.0 : 1
      put("predicted" + ending, row.predicted.map { $0 / scale }, &json)
      put("measured" + ending, row.measured.map { $0 / scale }, &json)
      put("drift_ratio", row.ratio, &json)
      json.field("is_estimate", row.isEstimate)
      json.field("is_off", row.isOff)
      json.endObject()
    }
    json.endArray()
  }

  /// Counts of 0 say that somebody looked; null that nobody did.
  private static func put(slowest rows: [SlowInference], _ json: inout JSONWriter) {
    json.key("slowest")
    json.beginArray()
    for row in rows {
      json.beginObject()
      json.field("elapsed_s", row.elapsedSeconds)
      json.field("latency_us", Double(row.durationNanoseconds) / 1000)
      put("major_faults", row.majorFaults.map { Double($0) }, &json)
      put("involuntary_switches", row.involuntarySwitches.map { Double($0) }, &json)
      json.field("steps_were_timed", row.wereStepsTimed)
      if let isThrottled = row.isThrottled {
        json.field("throttled", isThrottled)
      } else {
        json.nullField("throttled")
      }
      json.endObject()
    }
    json.endArray()
  }

  private static func put(events: [EventRow], _ json: inout JSONWriter) {
    json.key("events")
    json.beginArray()
    for event in events {
      json.beginObject()
      json.field("elapsed_s", event.elapsedSeconds)
      json.field("level", event.level.name)
      json.field("text", event.text)
      json.endObject()
    }
    json.endArray()
  }

  private static func put(_ key: String, _ value: Double?, _ json: inout JSONWriter) {
    json.key(key)
    if let value { put(number: value, &json) } else { json.null() }
  }

  // MARK: Words

  private static func name(_ outcome: PowerAttempt.Outcome) -> String {
    switch outcome {
    case .works: "works"
    case .absent: "absent"
    case .notPermitted: "not permitted"
    case .noFigure: "no figure"
    }
  }
}

extension JSONWriter {
  mutating func field(_ name: String, _ text: EscapedText) {
    key(name)
    value(text: text.utf8)
  }
}
