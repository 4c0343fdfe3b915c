// What is known of a run, out of everything that was added up.

extension RunStatistics {
  /// One inference in this many has its steps timed, so that timing costs below 0.5 % of it: a
  /// timing takes 0.2 µs where clocks are slow.
  var profileInterval: Int {
    guard let p50 = overall.quantile(0.5), p50 > 0, !facts.steps.isEmpty else { return 1 }
    let interval = (Double(facts.steps.count) * 200 / (0.005 * Double(p50))).rounded(.up)
    return max(1, Int(min(interval, 1e6)))
  }

  /// Above how many nanoseconds an inference is worth looking into: twice the median, from 20 on; 0 before.
  var slowNanoseconds: UInt64 { ThrottleTracker.median(overall).map { $0 &* 2 } ?? 0 }

  /// `windowSeconds`: 1…600; nil is the whole run.
  mutating func snapshot(now: UInt64, windowSeconds: Int?) -> Snapshot {
    flush()
    let windowSeconds = windowSeconds.map { min(max($0, 1), RateWindow.longestSeconds) }
    if let windowSeconds {
      window.merge(last: windowSeconds, upTo: endedAt ?? now, into: &sum, &detail)
    } else {
      sumUp()
    }
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
    snapshot.windowSeconds = windowSeconds
    snapshot.latency = LatencySummary(sum.durations)
    snapshot.histogram = sum.durations
    snapshot.perSecond = sum.perSecond
    snapshot.overall = LatencySummary(overall)
    snapshot.overallHistogram = overall
    if activeNanoseconds > 0, overall.count > 0 {
      snapshot.overallPerSecond = Double(overall.count) / (Double(activeNanoseconds) / 1e9)
    }
    snapshot.history = history
    let isWhole = windowSeconds == nil
    snapshot.stages = stageReadings(isWhole ? overallDetail : detail, snapshot.latency)
    snapshot.memory = system.memory
    snapshot.memory.weights = facts.weightBytes
    snapshot.memory.weightsResident = weightsResident
    snapshot.memory.arena = facts.arenaBytes
    snapshot.memory.budget = facts.memoryBudgetBytes
    snapshot.memory.growth = growth.reading
    snapshot.thermal = system.thermal
    snapshot.throttle = throttle.reading(atSeconds: snapshot.elapsedSeconds)
    snapshot.slowest = slowRows(isWhole ? overallDetail : detail, snapshot.throttle)
    snapshot.accelerators = system.accelerators
    snapshot.cpuNanoseconds = system.cpuNanoseconds
    snapshot.busyCores = sum.cpuNanoseconds > 0 ? sum.busyCores : nil
    snapshot.power = powerReading(snapshot.busyCores)
    snapshot.tokens = tokenReading(windowSeconds, endedAt ?? now, snapshot.power)
    snapshot.operators = operatorRows()
    snapshot.profileInterval = profileInterval
    snapshot.drift = drift(snapshot)
    snapshot.output = output
    snapshot.events = events
    snapshot.state = status.state == .running && isWarmingUp ? .warmingUp : status.state
    snapshot.progress = status.progress
    snapshot.labelledCount = status.labelledCount
    snapshot.correctCount = min(status.correctCount, status.labelledCount)
    snapshot.lostSampleCount = status.lostSampleCount
    snapshot.droppedCount = status.droppedCount
    return snapshot
  }

  /// The whole run as one window.
  private mutating func sumUp() {
    sum.reset()
    sum.durations.merge(overall)
    sum.activeNanoseconds = activeNanoseconds
    sum.cpuNanoseconds = activeCpuNanoseconds
    sum.energy = power.total
  }

  private func powerReading(_ busyCores: Double?) -> PowerReading {
    var reading: PowerReading
    if power.sample.grade == .unknown {
      reading = EnergyModel(figures: facts.energy).reading(busyCores: busyCores)
      // Where there is no model either, the meter's reason is the one to mend.
      if reading.grade == .unknown, facts.energy == nil { reading.source = power.sample.source }
    } else {
      reading = PowerReading(unknown: power.sample.source)
      reading.grade = power.sample.grade
      reading.watts = power.watts
      reading.rails = power.sample.rails
      reading.idleWatts = power.idleWatts
      reading.idleMeasuredSeconds = power.idleMeasuredSeconds
    }
    if let energy = sum.joulesPerInference(idleWatts: reading.idleWatts) {
      reading.joulesPerInference = energy.gross
      reading.joulesPerInferenceAboveIdle = energy.aboveIdle
    }
    if power.total.nanoseconds > 0 {
      reading.totalJoules = power.total.joules
      reading.totalGrade = power.totalGrade
      reading.totalSource = power.totalSource
    }
    reading.tried = powerTried
    reading.battery = power.sample.battery
    reading.history = power.history
    reading.carbon = CarbonReading(
      gridGramsPerKilowattHour: gridGramsPerKilowattHour, watts: reading.watts,
      joulesPerInference: reading.joulesPerInference)
    return reading
  }

  /// The stages that were timed, with the inference among them; none where only that is known.
  private func stageReadings(
    _ detail: borrowing WindowDetail, _ inference: LatencySummary
  ) -> [StageReading] {
    var readings: [StageReading] = []
    for stage in ItemStage.allCases {
      let at = Int(stage.rawValue)
      let latency = stage == .infer ? inference : LatencySummary(detail.stages[at])
      guard latency.count > 0 else { continue }
      readings.append(
        StageReading(
          stage: stage, latency: latency, share: 0, overall: overallDetail.stages[at]))
    }
    guard readings.contains(where: { $0.stage != .infer }) else { return [] }
    let total = readings.reduce(0) { $0 + ($1.latency.mean ?? 0) }
    guard total > 0 else { return readings }
    for i in readings.indices { readings[i].share = (readings[i].latency.mean ?? 0) / total }
    return readings
  }

  private func slowRows(
    _ detail: borrowing WindowDetail, _ throttle: ThrottleReading
  ) -> [SlowInference] {
    detail.slowest.sorted.map { entry in
      let begin = seconds(startedAt, entry.startNanoseconds)
      let end = begin + Double(entry.durationNanoseconds) / 1e9
      return SlowInference(
        elapsedSeconds: begin, durationNanoseconds: entry.durationNanoseconds,
        majorFaults: entry.mark.majorFaults, involuntarySwitches: entry.mark.involuntarySwitches,
        wereStepsTimed: entry.mark.wereStepsTimed,
        isThrottled: throttle.isThrottled.map { _ in throttle.lasted(from: begin, to: end) })
    }
  }

  private func tokenReading(
    _ windowSeconds: Int?, _ now: UInt64, _ power: PowerReading
  ) -> TokenReading? {
    var reading = tokens?.reading(
      windowSeconds: windowSeconds, upTo: now, tokens: sum.durations, overall: overall,
      joulesPerToken: power.joulesPerInference)
    reading?.contextUsed = status.contextUsed
    reading?.contextLimit = facts.generation?.contextTokens
    reading?.keyValueBytes = status.keyValueBytes
    reading?.keyValueReservedBytes = facts.generation?.keyValueBytes
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
