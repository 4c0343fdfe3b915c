// What happens around the inferences of the samples: stages, slow ones, requests and tokens.
import Telemetry

enum SampleItems {
  /// A summary of `count` durations between two bounds, a few of them ten times as long.
  private static func summary(_ low: UInt64, _ high: UInt64, count: Int) -> LatencyHistogram {
    var histogram = LatencyHistogram()
    for i in 0..<count {
      let duration = low + UInt64(i * 7919 % 1000) * (high - low) / 1000
      histogram.record(nanoseconds: i % 80 == 79 ? duration * 3 : duration)
    }
    return histogram
  }

  /// A camera's item: it is read, resized, run, answered, written.
  static func stages(inference: LatencySummary) -> [StageReading] {
    var readings = [
      (ItemStage.read, summary(1_050_000, 1_310_000, count: 1900)),
      (.prepare, summary(2_590_000, 2_850_000, count: 1900)), (.infer, LatencyHistogram()),
      (.answer, summary(1_600_000, 2_700_000, count: 1900)),
      // Too few for every percentile.
      (.publish, summary(11_000, 19_000, count: 60)),
    ].map { stage, histogram in
      StageReading(
        stage: stage, latency: stage == .infer ? inference : LatencySummary(histogram), share: 0,
        overall: histogram)
    }
    let total = readings.reduce(0) { $0 + ($1.latency.mean ?? 0) }
    for i in readings.indices { readings[i].share = (readings[i].latency.mean ?? 0) / total }
    return readings
  }

  /// One of every cause, and of every reason that there is none.
  static let slowest: [SlowInference] = {
    var list = [
      SlowInference(
        elapsedSeconds: 744.2, durationNanoseconds: 18_500_000, majorFaults: 2,
        involuntarySwitches: 1, isThrottled: false),
      SlowInference(
        elapsedSeconds: 731.8, durationNanoseconds: 14_200_000, majorFaults: 0,
        involuntarySwitches: 3, isThrottled: true),
      SlowInference(
        elapsedSeconds: 702, durationNanoseconds: 11_100_000, majorFaults: 0,
        involuntarySwitches: 0, wereStepsTimed: true, isThrottled: false),
      SlowInference(
        elapsedSeconds: 705.5, durationNanoseconds: 10_400_000, majorFaults: 0,
        involuntarySwitches: 0, isThrottled: false),
      SlowInference(
        elapsedSeconds: 701.1, durationNanoseconds: 10_100_000, isThrottled: false),
    ]
    for i in 0..<15 {
      list.append(
        SlowInference(
          elapsedSeconds: 703 + Double(i * 17 % 50),
          durationNanoseconds: 9_200_000 - UInt64(i) * 130_000, isThrottled: false))
    }
    return list
  }()

  /// Makes a run of a language model of it.
  static func generate(_ snapshot: inout Snapshot) {
    snapshot.facts.bundleName = Samples.text("smollm-360m")
    snapshot.facts.bundleVersion = Samples.text("0.9.1")
    snapshot.facts.scheme = Samples.text("q4_0")
    snapshot.facts.latencyBudgetNanoseconds = nil
    snapshot.facts.memoryBudgetBytes = 1 << 30
    snapshot.facts.generation = GenerationFacts(contextTokens: 2048, keyValueBytes: 96 << 20)
    snapshot.memory.budget = 1 << 30
    snapshot.missedCount = 0
    snapshot.histogram = summary(24_000_000, 32_000_000, count: 2290)
    snapshot.latency = LatencySummary(snapshot.histogram)
    snapshot.overall = snapshot.latency
    snapshot.overallHistogram = snapshot.histogram
    snapshot.inferenceCount = 5236
    snapshot.perSecond = 36.9
    snapshot.overallPerSecond = 35.8
    snapshot.lastNanoseconds = 26_200_000
    snapshot.firstNanoseconds = 31_000_000
    for i in snapshot.slowest.indices { snapshot.slowest[i].durationNanoseconds *= 4 }
    snapshot.stages = []
    snapshot.power.joulesPerInference = 0.258
    snapshot.power.joulesPerInferenceAboveIdle = 0.148
    snapshot.drift[0].predicted = 24.0e6
    snapshot.drift[0].measured = snapshot.latency.p50.map { Double($0) }
    snapshot.drift[2].predicted = 0.19
    snapshot.drift[2].measured = 0.258
    snapshot.labelledCount = 0
    snapshot.correctCount = 0
    var tokens = TokenReading()
    tokens.requestCount = 28
    tokens.promptTokenCount = 6020
    tokens.outputTokenCount = 5264
    tokens.decodePerSecond = 38.2
    tokens.overallDecodePerSecond = 41.7
    tokens.prefillPerSecond = 612
    tokens.overallPrefillPerSecond = 640
    tokens.overallFirstToken = summary(95_000_000, 142_000_000, count: 28)
    tokens.overallRequest = summary(3_900_000_000, 5_500_000_000, count: 28)
    tokens.firstToken = LatencySummary(summary(95_000_000, 142_000_000, count: 24))
    tokens.request = LatencySummary(summary(3_900_000_000, 5_500_000_000, count: 12))
    tokens.joulesPerRequest = 62.6
    tokens.contextUsed = 1204
    tokens.contextLimit = 2048
    tokens.keyValueBytes = 64_277_709
    tokens.keyValueReservedBytes = 96 << 20
    tokens.latestPromptTokens = 212
    tokens.latestOutputTokens = 188
    tokens.isGenerating = true
    tokens.history = (0..<90).map { 43_000 - UInt64($0) * 40 - UInt64($0 * 37 % 11) * 300 }
    snapshot.tokens = tokens
  }
}
