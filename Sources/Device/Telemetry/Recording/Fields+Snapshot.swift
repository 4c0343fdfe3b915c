// The fields of a snapshot, for a viewer in another process. Facts travel apart: they do not change.

extension LatencySummary: Fields {
  static var blank: LatencySummary { LatencySummary() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&count)
    try coder.code(&p50)
    try coder.code(&p95)
    try coder.code(&p99)
    try coder.code(&max)
    try coder.code(&mean)
    // Differences of percentiles are shown.
    guard coder.isReading else { return }
    var least: UInt64 = 0
    for percentile in [p50, p95, p99, max] {
      guard let percentile else { continue }
      guard percentile >= least else {
        throw RecordingError(offset: coder.offset, reason: .outOfRange(percentile))
      }
      least = percentile
    }
  }
}

extension OperatorRow: Fields {
  static var blank: OperatorRow {
    OperatorRow(step: 0, fact: .blank, meanNanoseconds: 0, share: 0)
  }

  /// `fact` is the step's, among the facts.
  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&step)
    try coder.code(&meanNanoseconds)
    try coder.code(&share)
  }
}

extension StageReading: Fields {
  static var blank: StageReading {
    StageReading(stage: .read, latency: .blank, share: 0)
  }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&stage, among: ItemStage.allCases)
    try coder.code(&latency)
    try coder.code(&share)
    try coder.code(&overall)
  }
}

extension SlowInference: Fields {
  static var blank: SlowInference { SlowInference(elapsedSeconds: 0, durationNanoseconds: 0) }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&elapsedSeconds)
    try coder.code(&durationNanoseconds)
    try coder.code(&majorFaults)
    try coder.code(&involuntarySwitches)
    try coder.code(&wereStepsTimed)
    try coder.code(&isThrottled)
  }
}

extension TokenReading: Fields {
  static var blank: TokenReading { TokenReading() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&requestCount)
    try coder.code(&promptTokenCount)
    try coder.code(&outputTokenCount)
    try coder.code(&decodePerSecond)
    try coder.code(&overallDecodePerSecond)
    try coder.code(&prefillPerSecond)
    try coder.code(&overallPrefillPerSecond)
    try coder.code(&firstToken)
    try coder.code(&request)
    try coder.code(&overallFirstToken)
    try coder.code(&overallRequest)
    try coder.code(&joulesPerRequest)
    try coder.code(&contextUsed)
    try coder.code(&contextLimit)
    try coder.code(&keyValueBytes)
    try coder.code(&keyValueReservedBytes)
    try coder.code(&latestPromptTokens)
    try coder.code(&latestOutputTokens)
    try coder.code(&isGenerating)
    try coder.code(&history)
  }
}

extension OutputLine: Fields {
  static var blank: OutputLine { OutputLine(number: 0, text: .blank) }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&number)
    try coder.code(&text)
  }
}

extension EventRow: Fields {
  static var blank: EventRow { EventRow(elapsedSeconds: 0, level: .note, text: .blank) }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&elapsedSeconds)
    try coder.code(&level, among: EventLevel.coded)
    try coder.code(&text)
  }
}

extension DriftRow: Fields {
  static var blank: DriftRow {
    DriftRow(quantity: .p50, predicted: nil, measured: nil, isEstimate: false)
  }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&quantity, among: [.p50, .peakMemory, .energy])
    try coder.code(&predicted)
    try coder.code(&measured)
    try coder.code(&isEstimate)
  }
}

extension Snapshot: Fields {
  static var blank: Snapshot { Snapshot() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&number)
    try coder.code(&state, among: RunState.coded)
    try coder.code(&phase)
    try coder.code(&progress)
    try coder.code(&elapsedSeconds)
    try coder.code(&inferenceCount)
    try coder.code(&warmUpDone)
    try coder.code(&firstNanoseconds)
    try coder.code(&lastNanoseconds)
    try coder.code(&sinceLastSeconds)
    try coder.code(&missedCount)
    try coder.code(&lostSampleCount)
    try coder.code(&droppedCount)
    try coder.code(&windowSeconds)
    try coder.code(&latency)
    try coder.code(&histogram)
    try coder.code(&perSecond)
    try coder.code(&overall)
    try coder.code(&overallPerSecond)
    try coder.code(&overallHistogram)
    try coder.code(&history)
    // A stage has a histogram of 9 kB.
    try coder.code(&stages, limit: ItemStage.allCases.count)
    try coder.code(&slowest, limit: SlowestList.kept)
    try coder.code(&tokens)
    try coder.code(&memory)
    try coder.code(&power)
    try coder.code(&thermal)
    try coder.code(&throttle)
    try coder.code(&accelerators)
    try coder.code(&busyCores)
    try coder.code(&monitorPercent)
    try coder.code(&cpuNanoseconds)
    try coder.code(&monitorNanoseconds)
    try coder.code(&operators)
    try coder.code(&profileInterval)
    try coder.code(&drift)
    try coder.code(&output)
    try coder.code(&events)
    try coder.code(&labelledCount)
    try coder.code(&correctCount)
    try coder.code(&picture)
  }
}

extension Snapshot {
  /// Puts facts that came apart where they belong. Rows of steps that the facts do not have are left
  /// out.
  package mutating func join(_ facts: RunFacts) {
    self.facts = facts
    var rows: [OperatorRow] = []
    for var row in operators where row.step < facts.steps.count {
      row.fact = facts.steps[row.step]
      rows.append(row)
    }
    operators = rows
  }
}
