// Snapshots of every state, the same on every machine.
import Telemetry

/// States that the golden frames show.
enum SampleState: String, CaseIterable, Sendable {
  case loading, warmUp, running, noMeter, frozen, paused, overBudget, metered, throttled
  case notPermitted, inputLost, languageModel
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
    facts.tensors = (0..<105).map { i in
      TensorFact(
        name: text("features.\(i / 2).\(i % 2 == 0 ? "weight" : "bias")"),
        shape: text(i % 2 == 0 ? "24x96x1x1" : "24"), scheme: text(i % 2 == 0 ? "int8" : "f32"),
        elementCount: i % 2 == 0 ? 2304 : 24, byteCount: i % 2 == 0 ? 2400 : 96,
        storedBytes: i % 2 == 0 ? 1733 : nil, predictedLoss: i % 2 == 0 ? 2.5e-5 : nil)
    }
    facts.predictedLoss = 0.0013
    facts.predictionNotes = [
      text("p50     4600 us, nine times in ten 4210 to 5010 us, threads 4"),
      text("        from the profile's figures"),
      text("peak    weights 3.50 + arena 6.10 + runtime 12.3 MiB"),
    ]
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
    snapshot.stages = SampleItems.stages(inference: snapshot.latency)
    snapshot.slowest = SampleItems.slowest
    snapshot.memory.weights = snapshot.facts.weightBytes
    snapshot.memory.arena = snapshot.facts.arenaBytes
    snapshot.memory.resident = 22_753_280
    snapshot.memory.anonymous = 9_646_899
    snapshot.memory.file = 13_106_381
    snapshot.memory.weightsResident = 3_560_000
    snapshot.memory.peak = 23_488_102
    snapshot.memory.majorFaultsPerSecond = 0
    snapshot.memory.involuntarySwitchesPerSecond = 12.5
    snapshot.memory.growth.kilobytesPerHour = 20.5
    snapshot.memory.growth.correlation = 0.12
    snapshot.memory.growth.overSeconds = 750
    snapshot.memory.pressure.memorySome = 0
    snapshot.memory.pressure.memoryFull = 0
    snapshot.memory.pressure.cpuSome = 12.5
    snapshot.memory.pressure.ioSome = 0.4
    snapshot.memory.pressure.ioFull = 0.1
    snapshot.memory.limits.version = 2
    snapshot.memory.limits.memoryLimit = 134_217_728
    snapshot.memory.limits.memoryUsage = 31_457_280
    snapshot.memory.budget = snapshot.facts.memoryBudgetBytes
    snapshot.power = EnergyModel(
      figures: EnergyFigures(idleWatts: 3.1, wattsPerActiveCore: 1.2)
    ).reading(busyCores: 3.1)
    snapshot.power.joulesPerInference = 0.0329
    snapshot.power.joulesPerInferenceAboveIdle = 0.0182
    snapshot.power.totalJoules = 5190
    snapshot.power.tried = tried(rapl: .absent)
    snapshot.power.battery.reason = text("none")
    snapshot.power.carbon = CarbonReading(
      gridGramsPerKilowattHour: nil, watts: snapshot.power.watts, joulesPerInference: 0.0329)
    snapshot.power.history = (0..<90).map { 6500 + UInt64($0 * 53 % 17) * 40 }
    snapshot.thermal.celsius = 71.3
    snapshot.thermal.zone = text("cpu-thermal")
    snapshot.thermal.criticalCelsius = 85
    snapshot.thermal.zones = [
      zone("cpu-thermal", 71.3, 74.5, 80, 85), zone("npu-thermal", nil, nil, 80, 95),
      zone("pmic", 58, 58.5, nil, nil),
    ]
    snapshot.thermal.clocks = (0..<4).map {
      ClockReading(core: $0, megahertz: $0 < 3 ? 2400 : 1500, maxMegahertz: 2400)
    }
    snapshot.thermal.cooling = [CoolingReading(name: text("pwm-fan"), state: 2, maxState: 4)]
    snapshot.throttle.isThrottled = false
    snapshot.throttle.reason = text("firmware flags")
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
        scheme: text(i % 3 == 2 ? "f32" : "int8"), weightBytes: i % 3 == 2 ? 0 : 240_000,
        predictedNanoseconds: i == 7 ? nil : Double(24 - i) * (i == 4 ? 11_000 : 15_500),
        multiplyAccumulates: i == 7 ? nil : i % 3 == 2 ? 0 : UInt64(30 - i) * 401_408,
        bound: i == 7 ? nil : i % 3 == 2 ? .launch : i % 3 == 1 ? .memory : .compute)
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

  private static func zone(
    _ name: String, _ now: Double?, _ most: Double?, _ passive: Double?, _ critical: Double?
  ) -> ZoneReading {
    var zone = ZoneReading(name: text(name))
    zone.celsius = now
    zone.maxCelsius = most
    zone.passiveCelsius = passive
    zone.criticalCelsius = critical
    return zone
  }

  private static func tried(rapl: PowerAttempt.Outcome) -> [PowerAttempt] {
    ["bench meter", "INA3221", "INA3221 (iio)", "INA2xx", "RAPL", "Pi PMIC", "battery"].map {
      PowerAttempt(name: text($0), outcome: $0 == "RAPL" ? rapl : .absent, detail: text(""))
    }
  }

  /// A board with a meter on every rail, on battery, with its idle power known.
  private static func metered() -> Snapshot {
    var snapshot = running()
    var power = PowerReading(unknown: text("INA3221 VDD_IN"))
    power.grade = .meter
    power.watts = 6.42
    power.idleWatts = 3.05
    power.idleMeasuredSeconds = 610
    power.joulesPerInference = 0.214
    power.joulesPerInferenceAboveIdle = 0.112
    power.totalJoules = 27_800
    power.rails = [
      PowerRail(name: text("VDD_IN"), watts: 6.42, isTotal: true),
      PowerRail(name: text("VDD_CPU_GPU_CV"), watts: 2.91, isPart: true),
      PowerRail(name: text("VDD_SOC"), watts: 0.74, isPart: true),
      PowerRail(name: text("VDDQ"), watts: nil, isPart: true),
    ]
    power.history = snapshot.power.history
    power.battery.wattHours = 35.4
    power.battery.percent = 64
    power.battery.watts = 6.5
    power.battery.isDischarging = true
    power.battery.hoursLeft = 5.45
    power.battery.reason = text("")
    power.carbon = CarbonReading(
      gridGramsPerKilowattHour: 56, watts: power.watts,
      joulesPerInference: power.joulesPerInference)
    snapshot.power = power
    var gpu = AcceleratorReading(name: text("17000000.gpu"))
    gpu.loadPercent = 43.7
    gpu.megahertz = 612
    gpu.maxMegahertz = 918
    snapshot.accelerators.list = [gpu]
    return snapshot
  }

  private static func throttled() -> Snapshot {
    var snapshot = metered()
    snapshot.thermal.celsius = 82
    snapshot.thermal.passiveCelsius = 80
    snapshot.thermal.clockMegahertz = 1800
    snapshot.thermal.zones[0] = zone("cpu-thermal", 82, 82.5, 80, 95)
    for i in snapshot.thermal.clocks.indices { snapshot.thermal.clocks[i].megahertz = 1800 }
    var past = ThrottleEpisode(cause: text("under-voltage"), beginSeconds: 200)
    past.endSeconds = 204.5
    past.slowdown = 0.06
    past.maxCelsius = 70
    var now = ThrottleEpisode(cause: text("thermal: cpu-thermal over its trip"), beginSeconds: 723)
    now.slowdown = 0.24
    now.maxCelsius = 82.5
    snapshot.throttle.isThrottled = true
    snapshot.throttle.episodes = [past, now]
    snapshot.throttle.count = 2
    snapshot.throttle.totalSeconds = 42.5
    snapshot.throttle.reason = text("clocks over trips")
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
      snapshot.power.tried = tried(rapl: .absent)
      snapshot.power.battery.reason = text("none")
      snapshot.thermal = ThermalReading()
      snapshot.thermal.reason = text("no thermal zones")
      snapshot.throttle = ThrottleReading()
      snapshot.throttle.reason = text("nothing here tells of throttling")
      snapshot.drift = []
    case .metered: snapshot = metered()
    case .languageModel: SampleItems.generate(&snapshot)
    case .throttled: snapshot = throttled()
    case .notPermitted:
      snapshot.power = PowerReading(
        unknown: text(
          "not permitted: /sys/class/powercap/intel-rapl:0/energy_uj is readable by root only"))
      snapshot.power.tried = tried(rapl: .notPermitted)
      snapshot.memory.pressure = PressureReading()
      snapshot.memory.pressure.reason = text("no /proc/pressure")
      snapshot.memory.limits = LimitReading()
      snapshot.memory.limits.reason = text("no control groups")
      snapshot.memory.growth = GrowthReading()
      snapshot.throttle = ThrottleReading()
      snapshot.throttle.reason = text("nothing here tells of throttling")
    case .paused: snapshot.state = .paused
    case .overBudget:
      snapshot.memory.peak = 70 << 20
      snapshot.lostSampleCount = 12
    case .inputLost:
      snapshot.state = .inputLost
      snapshot.droppedCount = 14
      snapshot.sinceLastSeconds = 25
      snapshot.phase = text("/dev/video0: No such device: looked for again until it is back")
      snapshot.events.append(
        EventRow(elapsedSeconds: 736, level: .critical, text: snapshot.phase))
    }
    return snapshot
  }
}
