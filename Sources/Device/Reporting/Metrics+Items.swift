// The rows of what happens around inferences: stages of items, and of text that is generated.
import Telemetry

extension Metrics {
  /// Stages that were timed; percentiles of the window in JSON, the whole run among the metrics.
  static func addStages(_ s: Snapshot, _ list: inout MetricList) {
    let help = "How long stages of an item took in the window, of those that were timed."
    for (stem, reason, value) in [
      ("stage_p50", "none in the window", { $0.p50 }),
      ("stage_p95", "needs 20 in the window", { $0.p95 }),
      ("stage_p99", "needs 100 in the window", { $0.p99 }),
    ] as [(String, StaticString, (LatencySummary) -> UInt64?)] {
      for stage in s.stages {
        list.add(
          stem, .microseconds, microseconds(value(stage.latency)), help, why(reason), metric: "",
          labels: label(stage), isListed: true)
      }
    }
    for stage in s.stages {
      list.add(
        "stage_share", .ratio, stage.share, "Share of the mean time of an item.", why(""),
        metric: "", labels: label(stage), isListed: true)
    }
    for stage in s.stages where stage.overall.count > 0 {
      list.histogram(
        "stage_duration", "How long stages of an item took, of those that were timed.",
        stage.overall, bounds: bounds(budgetNanoseconds: nil), labels: label(stage))
    }
  }

  private static func label(_ stage: StageReading) -> [MetricLabel] {
    [MetricLabel("stage", EscapedText(Array(stage.stage.name.utf8)))]
  }

  /// What a model that generates tells beside its inferences: those are its tokens.
  static func addTokens(_ tokens: TokenReading, _ s: Snapshot, _ list: inout MetricList) {
    list.count("requests", tokens.requestCount, "Requests that were answered.")
    for (kind, count) in [
      ("prompt", tokens.promptTokenCount), ("output", tokens.outputTokenCount),
    ] {
      list.count(
        kind + "_tokens", count, "Tokens that were read and written.", metric: "tokens",
        labels: [MetricLabel("kind", EscapedText(Array(kind.utf8)))])
    }
    for (stem, value) in [
      ("decode_tokens", tokens.decodePerSecond), ("prefill_tokens", tokens.prefillPerSecond),
    ] {
      list.add(
        stem, .perSecond, value, "Tokens per second of working on them, in the window.",
        why("none in the window"))
    }
    addPercentiles("time_to_first_token", tokens.firstToken, &list)
    addPercentiles("time_per_token", s.latency, &list)
    addPercentiles("request", tokens.request, &list)
    list.histogram(
      "time_to_first_token", "From a request to its first token.", tokens.overallFirstToken,
      bounds: bounds(budgetNanoseconds: nil), labels: [])
    list.histogram(
      "request_duration", "How long requests took.", tokens.overallRequest,
      bounds: bounds(budgetNanoseconds: nil), labels: [])
    list.add(
      "energy_per_request", .joules, tokens.joulesPerRequest,
      "Energy of the whole device per request in the window.",
      s.power.grade == .unknown ? s.power.source : why("needs 10 s, 10 tokens and a request"),
      metric: "", origin: origin(s.power))
    for (stem, value) in [
      ("context_used", tokens.contextUsed), ("context_limit", tokens.contextLimit),
    ] {
      list.add(
        stem, .count, value.map { Double($0) }, "Tokens of the context.", why("not known yet"),
        metric: stem + "_tokens")
    }
    for (kind, value) in [
      ("used", tokens.keyValueBytes), ("reserved", tokens.keyValueReservedBytes),
    ] {
      list.add(
        "kv_cache_" + kind, .bytes, value.map { Double($0) }, "Memory of the KV cache.",
        why("not known yet"), metric: "kv_cache",
        labels: [MetricLabel("kind", EscapedText(Array(kind.utf8)))])
    }
  }

  private static func addPercentiles(
    _ stem: String, _ latency: LatencySummary, _ list: inout MetricList
  ) {
    for (ending, value, reason) in [
      ("_p50", latency.p50, "none in the window"),
      ("_p95", latency.p95, "needs 20 in the window"),
      ("_p99", latency.p99, "needs 100 in the window"),
    ] as [(String, UInt64?, StaticString)] {
      list.add(
        stem + ending, .microseconds, microseconds(value), "In the window.", why(reason),
        metric: "")
    }
  }
}
