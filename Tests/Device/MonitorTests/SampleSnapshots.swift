// Snapshots of every state, the same on every machine.
import Telemetry

/// States that the golden frames show.
enum SampleState: String, CaseIterable, Sendable {
  case loading, warmUp, running, noMeter, frozen, paused, overBudget
}

enum Samples {
  static func text(_ string: String) -> EscapedText { EscapedText(Array(string.utf8)) }

  static func facts() -> RunFacts {
    var facts = RunFacts()
    facts.bundleName = text("mnv2")
    facts.bundleVersion = text("1.2.0")
    facts.scheme = text("int8")
    facts.device = text("pi5 4 threads")
    facts.warmUpCount = 10
    facts.latencyBudgetNanoseconds = 12_000_000
    facts.memoryBudgetBytes = 64 << 20
    facts.weightBytes = 3_670_016
    facts.arenaBytes = 6_396_313
    facts.bitsPerWeight = 8.2
    facts.schemeShares = [
      SchemeShare(scheme: text("int8"), letter: 0x38, tensorCount: 52, byteCount: 3_300_000),
      SchemeShare(scheme: text("f32"), letter: 0x66, tensorCount: 53, byteCount: 370_016),
    ]
    facts.schemeMap = (0..<105).map { $0 % 2 == 0 ? 0x38 : 0x66 }
    return facts
  }

  /// A run of 152 380 inferences, seen at 12 min 41 s.
  static func running() -> Snapshot {
    var snapshot = Snapshot()
    snapshot.number = 3000
    snapshot.facts = facts()
    snapshot.state = .running
    snapshot.elapsedSeconds = 761
    snapshot.inferenceCount = 152_380
    snapshot.warmUpDone = 10
    snapshot.firstNanoseconds = 48_200_000
    snapshot.lastNanoseconds = 4_790_000
    snapshot.sinceLastSeconds = 0.002
    snapshot.missedCount = 3
    for i in 0..<12_430 {
      let spread = UInt64(i * 7919 % 1000)
      let tail: UInt64 = i % 97 == 0 ? 2_000_000 : i == 5000 ? 14_000_000 : 0
      snapshot.histogram.record(nanoseconds: 4_500_000 + spread * 800 + tail)
    }
    snapshot.latency = LatencySummary(snapshot.histogram)
    snapshot.overall = snapshot.latency
    snapshot.perSecond = 207.2
    snapshot.overallPerSecond = 200.1
    snapshot.history = (0..<90).map { 5_000_000 + UInt64($0 * 37 % 11) * 100_000 }
    snapshot.memory.weights = snapshot.facts.weightBytes
    snapshot.memory.arena = snapshot.facts.arenaBytes
    snapshot.memory.resident = 22_753_280
    snapshot.memory.anonymous = 9_646_899
    snapshot.memory.file = 13_106_381
    snapshot.memory.peak = 23_488_102
    snapshot.memory.budget = snapshot.facts.memoryBudgetBytes
    snapshot.power = EnergyModel(
      figures: EnergyFigures(idleWatts: 3.1, wattsPerActiveCore: 1.2)
    ).reading(busyCores: 3.1)
    snapshot.power.joulesPerInference = 0.0329
    snapshot.power.totalJoules = 5190
    snapshot.thermal.celsius = 71.3
    snapshot.thermal.zone = text("cpu-thermal")
    snapshot.thermal.criticalCelsius = 85
    snapshot.thermal.clockMegahertz = 2400
    snapshot.thermal.maxClockMegahertz = 2400
    snapshot.busyCores = 3.1
    snapshot.monitorPercent = 0.8
    snapshot.profileInterval = 16
    let kinds = ["conv2d 1x1", "dwconv 3x3", "relu6"]
    var rows: [OperatorRow] = []
    for i in 0..<24 {
      let fact = StepFact(
        name: text("features.\(i).conv"), kind: text(kinds[i % 3]),
        scheme: text(i % 3 == 2 ? "f32" : "int8"))
      rows.append(
        OperatorRow(
          step: i, fact: fact, meanNanoseconds: Double(24 - i) * 16_000, share: Double(24 - i) / 300
        ))
    }
    snapshot.operators = rows
    snapshot.drift = [
      DriftRow(quantity: .p50, predicted: 4.6e6, measured: 4.9e6, isEstimate: false),
      DriftRow(
        quantity: .peakMemory, predicted: 23_000_000, measured: 23_488_102, isEstimate: false),
      DriftRow(quantity: .energy, predicted: 0.028, measured: 0.0329, isEstimate: true),
    ]
    snapshot.output = [
      "tabby cat 0.911", "tiger cat 0.544?", "evil \u{1B}[2J \u{202E}text", "日本語のラベル 0.88",
      "cafe\u{301} 🙂 0.71", "tabby cat 0.913",
    ].enumerated().map { OutputLine(number: UInt64(152_375 + $0.offset), text: text($0.element)) }
    snapshot.events = [
      EventRow(elapsedSeconds: 1, level: .note, text: text("loaded in 91 ms")),
      EventRow(elapsedSeconds: 700, level: .warning, text: text("input queue was empty for 1.2 s")),
    ]
    snapshot.labelledCount = 180
    snapshot.correctCount = 177
    return snapshot
  }

  static func snapshot(_ state: SampleState) -> Snapshot {
    var snapshot = running()
    switch state {
    case .running, .frozen: break
    case .loading:
      snapshot = Snapshot()
      snapshot.facts.bundleName = text("mnv2")
      snapshot.phase = text("verifying chunks")
      snapshot.progress = 0.42
      snapshot.elapsedSeconds = 0.2
    case .warmUp:
      snapshot = Snapshot()
      snapshot.facts = facts()
      snapshot.state = .warmingUp
      snapshot.elapsedSeconds = 0.4
      snapshot.warmUpDone = 7
      snapshot.firstNanoseconds = 48_200_000
      snapshot.lastNanoseconds = 5_900_000
      snapshot.memory = running().memory
    case .noMeter:
      snapshot.power = EnergyModel(figures: nil).reading(busyCores: 3.1)
      snapshot.thermal = ThermalReading()
      snapshot.thermal.reason = text("no thermal zones")
      snapshot.drift = []
    case .paused: snapshot.state = .paused
    case .overBudget:
      snapshot.memory.peak = 70 << 20
      snapshot.lostSampleCount = 12
    }
    return snapshot
  }
}
