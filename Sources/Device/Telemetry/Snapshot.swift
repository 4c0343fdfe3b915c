// What the monitor shows at one moment: plain values, made by the collector, never changed after.

/// What the run is doing.
public enum RunState: UInt8, Sendable {
  case loading, warmingUp, running, paused, stopping, done, failed
  /// The device that gives items is gone, and is looked for.
  case inputLost

  /// As lines and documents have it.
  public var name: String {
    switch self {
    case .loading: "loading"
    case .warmingUp: "warm-up"
    case .running: "running"
    case .paused: "paused"
    case .inputLost: "input-lost"
    case .stopping: "stopping"
    case .done: "done"
    case .failed: "failed"
    }
  }
}

/// Percentiles in nanoseconds; nil where there are too few durations for one to mean anything.
public struct LatencySummary: Equatable, Sendable {
  public var count: UInt64 = 0
  public var p50: UInt64?
  /// From 20 durations.
  public var p95: UInt64?
  /// From 100 durations.
  public var p99: UInt64?
  public var max: UInt64?
  public var mean: Double?

  public init() {}

  /// The percentiles of a histogram, each only from enough durations.
  public init(_ histogram: borrowing LatencyHistogram) {
    count = histogram.count
    guard count > 0 else { return }
    p50 = histogram.quantile(0.5)
    if count >= 20 { p95 = histogram.quantile(0.95) }
    if count >= 100 { p99 = histogram.quantile(0.99) }
    max = histogram.maxNanoseconds
    mean = histogram.meanNanoseconds
  }
}

/// One row of the operator table.
public struct OperatorRow: Sendable {
  public var step: Int
  public var fact: StepFact
  /// Mean per inference, in nanoseconds.
  public var meanNanoseconds: Double
  /// Of the time of all steps, 0…1.
  public var share: Double

  public init(step: Int, fact: StepFact, meanNanoseconds: Double, share: Double) {
    self.step = step
    self.fact = fact
    self.meanNanoseconds = meanNanoseconds
    self.share = share
  }

  /// Measured over predicted; nil without a prediction.
  public var drift: Double? {
    guard let predicted = fact.predictedNanoseconds, predicted > 0 else { return nil }
    return meanNanoseconds / predicted
  }

  /// Whether it is so far from its prediction, and so long, that it matters: a third more or less, and
  /// a hundredth of the time.
  public var isOff: Bool { share >= 0.01 && drift.map { $0 < 0.75 || $0 > 1.33 } ?? false }

  /// Weights read per second, in 10^9 bytes; nil for a step without weights.
  public var gigabytesPerSecond: Double? {
    guard let bytes = fact.weightBytes, bytes > 0, meanNanoseconds > 0 else { return nil }
    return Double(bytes) / meanNanoseconds
  }
}

/// One line that the run printed, numbered from 1.
public struct OutputLine: Sendable {
  public var number: UInt64
  public var text: EscapedText

  public init(number: UInt64, text: EscapedText) {
    self.number = number
    self.text = text
  }
}

/// How much an event matters.
public enum EventLevel: UInt8, Sendable {
  case note, warning, critical

  /// As documents have it.
  public var name: String {
    switch self {
    case .note: "note"
    case .warning: "warning"
    case .critical: "critical"
    }
  }
}

/// Something that happened, at a moment of the run.
public struct EventRow: Sendable {
  public var elapsedSeconds: Double
  public var level: EventLevel
  public var text: EscapedText

  public init(elapsedSeconds: Double, level: EventLevel, text: EscapedText) {
    self.elapsedSeconds = elapsedSeconds
    self.level = level
    self.text = text
  }
}

/// Predicted against measured.
public struct DriftRow: Sendable {
  public enum Quantity: Sendable { case p50, peakMemory, energy }
  public var quantity: Quantity
  /// Nanoseconds, bytes or joules.
  public var predicted: Double?
  public var measured: Double?
  /// Whether `measured` is itself an estimate.
  public var isEstimate: Bool

  public init(quantity: Quantity, predicted: Double?, measured: Double?, isEstimate: Bool) {
    self.quantity = quantity
    self.predicted = predicted
    self.measured = measured
    self.isEstimate = isEstimate
  }

  /// Measured over predicted; nil when either is unknown.
  public var ratio: Double? {
    guard let predicted, let measured, predicted > 0 else { return nil }
    return measured / predicted
  }
  /// What watching a run adds to its memory, in bytes: the monitor's tables and code. It is measured on
  /// the digits model (3.7 MiB), and no part of the prediction, which is for the model.
  public static let watchingBytes = 6.0 * 1_048_576

  /// Whether the ratio is outside 0.85…1.15, what a probed machine is held to; of memory, also the
  /// difference outside what watching adds.
  public var isOff: Bool {
    guard let ratio, ratio < 0.85 || ratio > 1.15 else { return false }
    guard quantity == .peakMemory, let predicted, let measured else { return true }
    return abs(measured - predicted) > Self.watchingBytes
  }
}

/// Everything the monitor shows at one moment.
public struct Snapshot: Sendable {
  /// Counts snapshots of a run from 1.
  public var number: UInt64 = 0
  public var facts = RunFacts()
  public var state = RunState.loading
  /// What is being done while loading.
  public var phase = EscapedText("")
  /// How much of it is done, 0…1; nil when that is not known.
  public var progress: Double?
  /// Since the start of the process's run.
  public var elapsedSeconds = 0.0

  /// Counted inferences, warm-up apart.
  public var inferenceCount: UInt64 = 0
  /// Inferences of the warm-up so far.
  public var warmUpDone = 0
  /// The very first inference, warm-up or not.
  public var firstNanoseconds: UInt64?
  public var lastNanoseconds: UInt64?
  /// Seconds since the last inference ended; nil before the first.
  public var sinceLastSeconds: Double?
  /// Inferences that took longer than the latency budget.
  public var missedCount: UInt64 = 0
  public var lostSampleCount = 0
  /// Items that came while the model had no time for them.
  public var droppedCount: UInt64 = 0

  /// How many seconds `latency`, `histogram`, `perSecond` and the joules per inference look back;
  /// nil is the whole run.
  public var windowSeconds: Int? = RateWindow.seconds
  public var latency = LatencySummary()
  public var histogram = LatencyHistogram()
  /// Inferences per second of running time in the window.
  public var perSecond: Double?
  /// The same figures over everything that was counted.
  public var overall = LatencySummary()
  public var overallPerSecond: Double?
  public var overallHistogram = LatencyHistogram()
  /// The longest inference of each half second that had any, oldest first, in nanoseconds.
  public var history: [UInt64] = []
  /// The stages of items in their order, over the window; empty where none was timed.
  public var stages: [StageReading] = []
  /// The slowest inferences of the window, at most 20, the slowest first.
  public var slowest: [SlowInference] = []
  /// Requests, prompts and context; nil for models that do not generate.
  public var tokens: TokenReading?

  public var memory = MemoryReading()
  public var power = PowerReading(unknown: EscapedText("not measured yet"))
  public var thermal = ThermalReading()
  public var throttle = ThrottleReading()
  public var accelerators = AcceleratorsReading()
  /// Processor time of the process over wall time, in cores.
  public var busyCores: Double?
  /// Processor time of the process since it began.
  public var cpuNanoseconds: UInt64?
  /// The part of it that the threads of the monitor took.
  public var monitorNanoseconds: UInt64 = 0
  /// Processor time of the monitor's thread, in percent of one core.
  public var monitorPercent: Double?

  /// By time, longest first; empty until a step was timed.
  public var operators: [OperatorRow] = []
  /// One inference in this many has its steps timed.
  public var profileInterval = 1
  public var drift: [DriftRow] = []
  /// The latest lines, oldest first.
  public var output: [OutputLine] = []
  /// The latest events, oldest first.
  public var events: [EventRow] = []
  /// Answers that a label was known for, and how many of them were right.
  public var labelledCount: UInt64 = 0
  public var correctCount: UInt64 = 0
  /// What was asked about last, for a viewer who wants to see it.
  public var picture = PictureReading.awaited

  public init() {}

  /// Share of right answers, 0…1; nil when no label was known.
  public var accuracy: Double? {
    labelledCount == 0 ? nil : Double(correctCount) / Double(labelledCount)
  }
}
