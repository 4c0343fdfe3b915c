// What is added up of a run that generates text: prompts, first tokens, requests, speed.

/// Durations of events that are rare enough to be kept one by one.
struct EventLog {
  /// The latest that windows see: more come only where requests take less than 0.3 s for ten minutes.
  static let kept = 4096

  private var entries: [(end: UInt64, nanoseconds: UInt64, amount: UInt64)] = []
  private var areDropped = false
  /// All of them.
  private(set) var overall = LatencyHistogram()
  private(set) var nanoseconds: UInt64 = 0
  private(set) var amount: UInt64 = 0

  mutating func take(_ sample: Sample) {
    if entries.count >= Self.kept {
      entries.removeFirst(Self.kept / 2)
      areDropped = true
    }
    let duration = sample.durationNanoseconds
    entries.append((sample.startNanoseconds &+ duration, duration, UInt64(sample.detail)))
    overall.record(nanoseconds: duration)
    nanoseconds &+= duration
    amount &+= UInt64(sample.detail)
  }

  /// Whether all of those from a moment on are kept.
  func isWhole(since moment: UInt64) -> Bool {
    !areDropped || entries.first.map { $0.end < moment } ?? true
  }

  /// Those from a moment on: their durations, all of them together, and what they amount to.
  func since(_ moment: UInt64) -> (durations: LatencyHistogram, amount: UInt64) {
    var durations = LatencyHistogram()
    var amount: UInt64 = 0
    for entry in entries where entry.end >= moment {
      durations.record(nanoseconds: entry.nanoseconds)
      amount &+= entry.amount
    }
    return (durations, amount)
  }
}

/// Sums of a run that generates. Plain data of one thread.
struct TokenTally {
  private static let historyKept = 480
  private static let sliceNanoseconds: UInt64 = 500_000_000

  private var prompts = EventLog()
  private var firstTokens = EventLog()
  private var requests = EventLog()
  private var latestPrompt: UInt64?
  private var latestOutput: UInt64 = 0
  private var isGenerating = false
  private var history: [UInt64] = []
  private var sliceEnd: UInt64 = 0
  private var sliceNanoseconds: UInt64 = 0
  private var sliceCount: UInt64 = 0

  /// A sample of a prompt, a first token or a request.
  mutating func take(_ sample: Sample, _ kind: SampleKind) {
    switch kind {
    case .prompt:
      prompts.take(sample)
      latestPrompt = UInt64(sample.detail)
      latestOutput = 0
      isGenerating = true
    case .firstToken:
      firstTokens.take(sample)
      latestOutput &+= 1
    case .request:
      requests.take(sample)
      isGenerating = false
    case .inference, .stage: break
    }
  }

  /// An inference that counts made a token.
  mutating func takeToken(nanoseconds: UInt64, endingAt end: UInt64) {
    latestOutput &+= 1
    if end >= sliceEnd || history.isEmpty {
      if history.count >= Self.historyKept { history.removeFirst(Self.historyKept / 2) }
      history.append(0)
      sliceEnd = end &+ Self.sliceNanoseconds
      sliceNanoseconds = 0
      sliceCount = 0
    }
    sliceNanoseconds &+= nanoseconds
    sliceCount += 1
    history[history.count - 1] = Self.thousandths(sliceCount, sliceNanoseconds)
  }

  private static func thousandths(_ count: UInt64, _ nanoseconds: UInt64) -> UInt64 {
    UInt64(min((rate(count, nanoseconds) ?? 0) * 1000, 1e12))
  }

  private static func rate(_ count: UInt64, _ nanoseconds: UInt64) -> Double? {
    guard count > 0, nanoseconds > 0 else { return nil }
    return Double(count) / (Double(nanoseconds) / 1e9)
  }

  /// What is known at a moment. windowSeconds: nil is the whole run. tokens: the inferences of the
  /// window; overall: of the run.
  func reading(
    windowSeconds: Int?, upTo now: UInt64, tokens: borrowing LatencyHistogram,
    overall: borrowing LatencyHistogram, joulesPerToken: Double?
  ) -> TokenReading {
    var reading = TokenReading()
    reading.requestCount = requests.overall.count
    reading.promptTokenCount = prompts.amount
    reading.outputTokenCount = firstTokens.overall.count &+ overall.count
    reading.decodePerSecond = Self.rate(tokens.count, tokens.sumNanoseconds)
    reading.overallDecodePerSecond = Self.rate(overall.count, overall.sumNanoseconds)
    let from = windowSeconds.map { RateWindow.beginning(ofLast: $0, upTo: now) }
    let prompt =
      from.map { prompts.since($0) } ?? (durations: prompts.overall, amount: prompts.amount)
    reading.prefillPerSecond = Self.rate(prompt.amount, prompt.durations.sumNanoseconds)
    reading.overallPrefillPerSecond = Self.rate(prompts.amount, prompts.nanoseconds)
    let first = from.map { firstTokens.since($0).durations } ?? firstTokens.overall
    reading.firstToken = LatencySummary(first)
    let request = from.map { requests.since($0).durations } ?? requests.overall
    reading.request = LatencySummary(request)
    reading.overallFirstToken = firstTokens.overall
    reading.overallRequest = requests.overall
    if let joulesPerToken, request.count > 0, from.map({ requests.isWhole(since: $0) }) ?? true {
      reading.joulesPerRequest = joulesPerToken * Double(tokens.count) / Double(request.count)
    }
    reading.latestPromptTokens = latestPrompt
    reading.latestOutputTokens = latestOutput
    reading.isGenerating = isGenerating
    reading.history = history
    return reading
  }
}
