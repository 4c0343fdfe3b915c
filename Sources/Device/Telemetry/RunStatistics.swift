// The reading half of the collector: everything that is added up about a run.

/// Sums, windows and the latest lines of a run. Plain data of one thread.
struct RunStatistics {
  // Tags 0…2 are event levels.
  static let outputTag: UInt8 = 8
  static let phaseTag: UInt8 = 9
  private static let linesKept = 200
  private static let historyKept = 480
  private static let sliceNanoseconds: UInt64 = 500_000_000
  private static let samplingNanoseconds: UInt64 = 500_000_000

  private struct StepTime {
    var sum: UInt64 = 0
    var count: UInt64 = 0
  }

  private var facts: RunFacts
  private var isLoaded = false
  private let startedAt: UInt64
  private var endedAt: UInt64?
  private var number: UInt64 = 0

  private var seenCount = 0
  private var countedSince: UInt64?
  private var lastEnd: UInt64?
  private var first: UInt64?
  private var last: UInt64?
  private var missed: UInt64 = 0
  private var overall = LatencyHistogram()
  private var window = RateWindow()
  private var sum = RateWindow.Sum()
  private var history: [UInt64] = []
  private var sliceEnd: UInt64 = 0
  private var steps: [StepTime]

  private var advancedTo: UInt64
  private var activeNanoseconds: UInt64 = 0
  private var sampledAt: UInt64?
  private var cpuNanoseconds: UInt64?
  private var totalJoules = 0.0
  private var memory = MemoryReading()
  private var thermal = ThermalReading()

  private var excluded: (from: UInt64, to: UInt64)?

  private var phase = EscapedText("")
  private var output: [OutputLine] = []
  private var outputNumber: UInt64 = 0
  private var events: [EventRow] = []

  init(facts: RunFacts, nowNanoseconds: UInt64) {
    self.facts = facts
    steps = Array(repeating: StepTime(), count: facts.steps.count)
    startedAt = nowNanoseconds
    advancedTo = nowNanoseconds
  }

  var isWarmingUp: Bool { overall.count == 0 && seenCount <= facts.warmUpCount && seenCount > 0 }

  mutating func take(_ loaded: RunFacts) {
    guard !isLoaded else { return }
    isLoaded = true
    facts = loaded
    steps = Array(repeating: StepTime(), count: loaded.steps.count)
  }

  // MARK: What was recorded

  mutating func take(_ sample: Sample) {
    guard sample.step < 0 else {
      let step = Int(sample.step)
      // Steps come before their inference: `seenCount` inferences are over.
      guard seenCount >= facts.warmUpCount, step < steps.count else { return }
      steps[step].sum &+= sample.durationNanoseconds
      steps[step].count += 1
      return
    }
    let duration = sample.durationNanoseconds
    let end = sample.startNanoseconds &+ duration
    seenCount += 1
    if first == nil { first = duration }
    last = duration
    lastEnd = end
    guard seenCount > facts.warmUpCount else { return }
    if let excluded, sample.startNanoseconds < excluded.to, end > excluded.from { return }
    if countedSince == nil { countedSince = sample.startNanoseconds }
    overall.record(nanoseconds: duration)
    window.record(nanoseconds: duration, endingAt: end)
    if let budget = facts.latencyBudgetNanoseconds, duration > budget { missed += 1 }
    if end < sliceEnd, !history.isEmpty {
      history[history.count - 1] = max(history[history.count - 1], duration)
    } else {
      if history.count >= Self.historyKept { history.removeFirst(Self.historyKept / 2) }
      history.append(duration)
      sliceEnd = end &+ Self.sliceNanoseconds
    }
  }

  mutating func take(text: [UInt8], tag: UInt8, now: UInt64) {
    switch tag {
    case Self.outputTag:
      outputNumber += 1
      if output.count >= Self.linesKept { output.removeFirst(Self.linesKept / 2) }
      output.append(OutputLine(number: outputNumber, text: EscapedText(text)))
    case Self.phaseTag: phase = EscapedText(text)
    default: addEvent(EventLevel(rawValue: tag) ?? .note, EscapedText(text), now: now)
    }
  }

  mutating func addEvent(_ level: EventLevel, _ text: EscapedText, now: UInt64) {
    if events.count >= Self.linesKept { events.removeFirst(Self.linesKept / 2) }
    events.append(EventRow(elapsedSeconds: seconds(startedAt, now), level: level, text: text))
  }

  // MARK: Time

  private func seconds(_ from: UInt64, _ to: UInt64) -> Double {
    to > from ? Double(to - from) / 1e9 : 0
  }

  /// Adds the time since the last call, when the run was running in it, and samples the system.
  mutating func advance(to now: UInt64, state: RunState, sampler: SystemSampler) {
    if let countedSince {
      var end = now
      // A run that is over was active until its last inference ended.
      if state == .done || state == .failed { end = min(now, lastEnd ?? now) }
      let from = max(advancedTo, countedSince)
      if state != .paused, state != .loading, end > from {
        activeNanoseconds += end - from
        window.advance(to: end, activeNanoseconds: end - from, cpuNanoseconds: 0)
      }
    }
    advancedTo = max(advancedTo, now)
    if state == .done || state == .failed { endedAt = endedAt ?? now }
    if let sampledAt, now < sampledAt + Self.samplingNanoseconds, endedAt == nil { return }
    sample(sampler, now: now, isCounting: countedSince != nil && state != .paused)
  }

  private mutating func sample(_ sampler: SystemSampler, now: UInt64, isCounting: Bool) {
    memory = sampler.memory()
    thermal = sampler.thermal()
    if let cpu = sampler.cpuNanoseconds() {
      if let before = cpuNanoseconds, let sampledAt, cpu >= before, isCounting {
        window.advance(to: now, activeNanoseconds: 0, cpuNanoseconds: cpu - before)
        let model = EnergyModel(figures: facts.energy)
        totalJoules +=
          model.joules(
            seconds: seconds(sampledAt, now), cpuSeconds: Double(cpu - before) / 1e9) ?? 0
      }
      cpuNanoseconds = cpu
    }
    sampledAt = now
  }

  mutating func exclude(from: UInt64, to: UInt64) {
    guard to > from else { return }
    excluded = (from, to)
    advancedTo = max(advancedTo, to)
    // Idle power flowed on, but not for this run.
    sampledAt = sampledAt.map { max($0, to) }
    addEvent(.note, EscapedText("stopped for a while: that inference is not counted"), now: to)
  }

  mutating func reset() {
    missed = 0
    overall.reset()
    window.reset()
    history = []
    steps = Array(repeating: StepTime(), count: facts.steps.count)
    activeNanoseconds = 0
    countedSince = nil
    totalJoules = 0
  }

  // MARK: Snapshot

  /// One inference in this many has its steps timed, so that timing costs below 0.5 % of it: a
  /// timing takes 0.2 µs where clocks are slow.
  var profileInterval: Int {
    guard let p50 = overall.quantile(0.5), p50 > 0, !facts.steps.isEmpty else { return 1 }
    let interval = (Double(facts.steps.count) * 200 / (0.005 * Double(p50))).rounded(.up)
    return max(1, Int(min(interval, 1e6)))
  }

  mutating func snapshot(now: UInt64, windowSeconds: Int) -> Snapshot {
    window.merge(last: windowSeconds, upTo: endedAt ?? now, into: &sum)
    number += 1
    var snapshot = Snapshot()
    snapshot.number = number
    snapshot.facts = facts
    snapshot.phase = phase
    snapshot.elapsedSeconds = seconds(startedAt, endedAt ?? now)
    snapshot.inferenceCount = overall.count
    snapshot.warmUpDone = min(seenCount, facts.warmUpCount)
    snapshot.firstNanoseconds = first
    snapshot.lastNanoseconds = last
    snapshot.sinceLastSeconds = lastEnd.map { seconds($0, now) }
    snapshot.missedCount = missed
    snapshot.windowSeconds = min(max(windowSeconds, 1), RateWindow.seconds)
    snapshot.latency = LatencySummary(sum.durations)
    snapshot.histogram = sum.durations
    snapshot.perSecond = sum.perSecond
    snapshot.overall = LatencySummary(overall)
    if activeNanoseconds > 0, overall.count > 0 {
      snapshot.overallPerSecond = Double(overall.count) / (Double(activeNanoseconds) / 1e9)
    }
    snapshot.history = history
    snapshot.memory = memory
    snapshot.memory.weights = facts.weightBytes
    snapshot.memory.arena = facts.arenaBytes
    snapshot.memory.budget = facts.memoryBudgetBytes
    snapshot.thermal = thermal
    snapshot.busyCores = sum.cpuNanoseconds > 0 ? sum.busyCores : nil
    snapshot.power = power(snapshot.busyCores)
    snapshot.operators = operatorRows()
    snapshot.profileInterval = profileInterval
    snapshot.drift = drift(snapshot)
    snapshot.output = output
    snapshot.events = events
    return snapshot
  }

  private func power(_ busyCores: Double?) -> PowerReading {
    var reading = EnergyModel(figures: facts.energy).reading(busyCores: busyCores)
    guard let watts = reading.watts else { return reading }
    if totalJoules > 0 { reading.totalJoules = totalJoules }
    if sum.activeNanoseconds >= 10_000_000_000, sum.durations.count >= 10 {
      let joules = watts * Double(sum.activeNanoseconds) / 1e9
      reading.joulesPerInference = joules / Double(sum.durations.count)
    }
    return reading
  }

  private func operatorRows() -> [OperatorRow] {
    var rows: [OperatorRow] = []
    var total = 0.0
    for (i, step) in steps.enumerated() where step.count > 0 {
      let mean = Double(step.sum) / Double(step.count)
      total += mean
      rows.append(OperatorRow(step: i, fact: facts.steps[i], meanNanoseconds: mean, share: 0))
    }
    if total > 0 { for i in rows.indices { rows[i].share = rows[i].meanNanoseconds / total } }
    rows.sort {
      $0.meanNanoseconds != $1.meanNanoseconds
        ? $0.meanNanoseconds > $1.meanNanoseconds : $0.step < $1.step
    }
    return rows
  }

  private func drift(_ snapshot: Snapshot) -> [DriftRow] {
    var rows: [DriftRow] = []
    if let predicted = facts.predictedP50Nanoseconds {
      // Below 20 inferences a median says little.
      let measured = snapshot.latency.count >= 20 ? snapshot.latency.p50 : nil
      rows.append(
        DriftRow(
          quantity: .p50, predicted: predicted, measured: measured.map { Double($0) },
          isEstimate: false))
    }
    if let predicted = facts.predictedPeakBytes {
      let measured = overall.count > 0 ? snapshot.memory.peak.map { Double($0) } : nil
      rows.append(
        DriftRow(
          quantity: .peakMemory, predicted: Double(predicted), measured: measured,
          isEstimate: false))
    }
    if let predicted = facts.predictedJoulesPerInference {
      rows.append(
        DriftRow(
          quantity: .energy, predicted: predicted,
          measured: snapshot.power.joulesPerInference,
          isEstimate: snapshot.power.grade == .model))
    }
    return rows
  }
}
