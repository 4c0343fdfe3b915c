// A run as the tests of its outputs see it, and files and programs they need.

import Foundation
import Platform
import Telemetry

func escaped(_ text: String) -> EscapedText { EscapedText(Array(text.utf8)) }

/// A run of 3,000 inferences on a board with a meter, a hostile zone name and two zones of one name.
func measuredSnapshot() -> Snapshot {
  var snapshot = Snapshot()
  snapshot.facts.bundleName = escaped("mnv2 \"v\\2\"")
  snapshot.facts.scheme = escaped("int8")
  snapshot.facts.device = escaped("pi5")
  snapshot.facts.latencyBudgetNanoseconds = 6_300_000
  snapshot.facts.loadNanoseconds = 91_000_000
  snapshot.facts.steps = ["conv", "relu", "gemm"].map {
    StepFact(name: escaped("model.\($0)"), kind: escaped($0), scheme: escaped("int8"))
  }
  snapshot.state = .running
  snapshot.elapsedSeconds = 61.5
  snapshot.inferenceCount = 3000
  snapshot.warmUpDone = 10
  snapshot.firstNanoseconds = 48_200_000
  for i in 0..<3000 {
    snapshot.histogram.record(nanoseconds: 4_500_000 + UInt64(i * 7919 % 2000) * 1000)
  }
  snapshot.overallHistogram = snapshot.histogram
  snapshot.latency = LatencySummary(snapshot.histogram)
  snapshot.overall = snapshot.latency
  // 6,300,000 is at most 199 thousandths above 4.5 ms + 1.8 ms.
  snapshot.missedCount = UInt64((0..<3000).filter { $0 * 7919 % 2000 > 1800 }.count)
  snapshot.perSecond = 201.25
  snapshot.memory.weights = 3_670_016
  snapshot.memory.arena = 6_396_313
  snapshot.memory.resident = 22_753_280
  snapshot.memory.pressure.memorySome = 12.5
  snapshot.memory.growth.kilobytesPerHour = 20.5
  var power = PowerReading(unknown: escaped("INA3221 VDD_IN"))
  power.grade = .meter
  power.watts = 6.5
  power.joulesPerInference = 0.0325
  power.totalJoules = 399.75
  power.totalGrade = .partialMeter
  power.totalSource = escaped("PMIC 12 rails")
  power.rails = [
    PowerRail(name: escaped("VDD_IN"), watts: 6.5, isTotal: true),
    PowerRail(name: escaped("total"), watts: 2.25, isPart: true),
    PowerRail(name: escaped("VDDQ"), watts: nil, isPart: true),
  ]
  snapshot.power = power
  for (name, celsius) in [
    ("cpu", 71.5), ("acpitz", 40), ("acpitz", nil), ("a\"b\\c\u{1B}é", 20),
  ] as [(String, Double?)] {
    var zone = ZoneReading(name: escaped(name))
    zone.celsius = celsius
    snapshot.thermal.zones.append(zone)
  }
  snapshot.thermal.celsius = 71.5
  snapshot.thermal.clocks = [
    ClockReading(core: 0, megahertz: 2400, maxMegahertz: 2400),
    ClockReading(core: 1, megahertz: nil, maxMegahertz: nil),
  ]
  snapshot.throttle.isThrottled = false
  snapshot.throttle.totalSeconds = 4.5
  snapshot.throttle.causes = [ThrottleCause(cause: escaped("under-voltage"), seconds: 4.5)]
  var episode = ThrottleEpisode(cause: escaped("under-voltage"), beginSeconds: 20)
  episode.endSeconds = 24.5
  snapshot.throttle.episodes = [episode]
  snapshot.drift = [
    DriftRow(quantity: .p50, predicted: 5e6, measured: 5.5e6, isEstimate: false),
    DriftRow(quantity: .energy, predicted: 0.03, measured: nil, isEstimate: false),
  ]
  snapshot.operators = [
    OperatorRow(step: 2, fact: snapshot.facts.steps[2], meanNanoseconds: 3e6, share: 0.75),
    OperatorRow(step: 0, fact: snapshot.facts.steps[0], meanNanoseconds: 1e6, share: 0.25),
  ]
  snapshot.operators[0].fact.multiplyAccumulates = 12_000_000
  snapshot.operators[0].fact.bound = .memory
  snapshot.droppedCount = 14
  var prepare = LatencyHistogram()
  for i in 0..<60 { prepare.record(nanoseconds: 2_000_000 + UInt64(i) * 1000) }
  snapshot.stages = [
    StageReading(
      stage: .prepare, latency: LatencySummary(prepare), share: 0.25, overall: prepare),
    StageReading(stage: .infer, latency: snapshot.latency, share: 0.75),
  ]
  snapshot.slowest = [
    SlowInference(
      elapsedSeconds: 12.5, durationNanoseconds: 9_000_000, majorFaults: 1,
      involuntarySwitches: 0, isThrottled: true),
    SlowInference(elapsedSeconds: 3, durationNanoseconds: 8_000_000),
  ]
  snapshot.output = [OutputLine(number: 3000, text: escaped("tabby \u{1B}[2J"))]
  snapshot.events = [
    EventRow(elapsedSeconds: 20, level: .warning, text: escaped("throttled: under-voltage"))
  ]
  snapshot.monitorNanoseconds = 250_000_000
  snapshot.cpuNanoseconds = 60_000_000_000
  snapshot.labelledCount = 180
  snapshot.correctCount = 177
  return snapshot
}

/// The same as a run that generates text: 3 requests, 24 tokens.
func generatingSnapshot() -> Snapshot {
  var snapshot = measuredSnapshot()
  snapshot.facts.generation = GenerationFacts(contextTokens: 2048, keyValueBytes: 96 << 20)
  var tokens = TokenReading()
  tokens.requestCount = 3
  tokens.promptTokenCount = 600
  tokens.outputTokenCount = 24
  tokens.decodePerSecond = 38.25
  tokens.prefillPerSecond = 612.5
  for duration: UInt64 in [100_000_000, 120_000_000, 140_000_000] {
    tokens.overallFirstToken.record(nanoseconds: duration)
    tokens.overallRequest.record(nanoseconds: duration * 40)
  }
  tokens.firstToken = LatencySummary(tokens.overallFirstToken)
  tokens.request = LatencySummary(tokens.overallRequest)
  tokens.joulesPerRequest = 62.5
  tokens.contextUsed = 1204
  tokens.contextLimit = 2048
  tokens.keyValueBytes = 61 << 20
  snapshot.tokens = tokens
  return snapshot
}

/// A folder that is removed with its last user.
final class Folder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "knapsack-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }
}
