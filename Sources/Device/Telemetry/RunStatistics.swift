// The reading half of the collector: everything that is added up about a run.
import Bytes
import Platform

/// Sums, windows and the latest lines of a run. Plain data of one thread.
struct RunStatistics {
  // Tags 0…2 are event levels.
  static let phaseTag: UInt8 = 9
  static let linesKept = 200
  private static let historyKept = 480
  private static let sliceNanoseconds: UInt64 = 500_000_000
  /// As long as the shortest slot of the window.
  private static let batchNanoseconds: UInt64 = 1_000_000_000
  private static let samplingNanoseconds: UInt64 = 500_000_000
  private static let powerNanoseconds: UInt64 = 95_000_000

  struct StepTime {
    var sum: UInt64 = 0
    var count: UInt64 = 0

    mutating func add(_ nanoseconds: UInt64) {
      sum &+= nanoseconds
      count += 1
    }
  }

  var facts: RunFacts
  var isLoaded = false
  let startedAt: UInt64
  var endedAt: UInt64?
  var number: UInt64 = 0

  var seenCount = 0
  var countedSince: UInt64?
  var lastEnd: UInt64?
  var first: UInt64?
  var last: UInt64?
  var missed: UInt64 = 0
  var overall = LatencyHistogram()
  var window = RateWindow()
  var sum = RateWindow.Sum()
  var history: [UInt64] = []
  private var sliceEnd: UInt64 = 0
  private var sliceLongest: UInt64 = 0
  /// Durations of one second that are not yet in the sums.
  private var batch = LatencyHistogram()
  private var batchSlowest = SlowestList()
  private var batchBegin: UInt64 = 0
  /// Stages and the slowest of the window that was looked at last, and of the run.
  var detail = WindowDetail()
  var overallDetail = WindowDetail()
  /// nil for models that do not generate.
  var tokens: TokenTally?
  /// Whether there are `tokens`, which takes longer to see of themselves.
  private var generates = false
  var steps: [StepTime]

  /// What the run said of itself at the last `advance`.
  var status = RunStatus()
  var advancedTo: UInt64
  var activeNanoseconds: UInt64 = 0
  var activeCpuNanoseconds: UInt64 = 0
  var sampledAt: UInt64?
  var powerAt: UInt64?
  var wasPaused = false
  var asleep: UInt64?
  var system = SystemReading()
  var powerTried: [PowerAttempt] = []
  var weightsResident: UInt64?
  var power = PowerTally()
  var growth = GrowthFit()
  var throttle = ThrottleTracker()
  let gridGramsPerKilowattHour: Double?

  var excluded: (from: UInt64, to: UInt64)?

  var phase = EscapedText("")
  var output: [OutputLine] = []
  var events: [EventRow] = []

  init(facts: RunFacts, nowNanoseconds: UInt64, gridGramsPerKilowattHour: Double?) {
    self.facts = facts
    self.gridGramsPerKilowattHour = gridGramsPerKilowattHour
    steps = Array(repeating: StepTime(), count: facts.steps.count)
    tokens = facts.generation.map { _ in TokenTally() }
    generates = facts.generation != nil
    startedAt = nowNanoseconds
    advancedTo = nowNanoseconds
  }

  var isWarmingUp: Bool { overall.count == 0 && seenCount <= facts.warmUpCount && seenCount > 0 }

  mutating func take(_ loaded: RunFacts) {
    guard !isLoaded else { return }
    isLoaded = true
    setFacts(loaded)
  }

  mutating func setFacts(_ facts: RunFacts) {
    self.facts = facts
    steps = Array(repeating: StepTime(), count: facts.steps.count)
    tokens = facts.generation.map { _ in TokenTally() }
    generates = facts.generation != nil
  }

  // MARK: What was recorded

  /// Everything that waits, and how much that is. Fast models give thousands at a time.
  mutating func take(
    _ samples: SampleRing, _ recorder: Recorder?, _ trace: TraceRecorder?
  ) -> Int {
    var count = 0
    while samples.takeSome({ some in
      take(some)
      count += some.count
      guard trace != nil || recorder != nil else { return }
      for i in some.indices {
        trace?.take(some[i])
        recorder?.put(some[i])
      }
    }) {}
    return count
  }

  /// As taking them one by one.
  mutating func take(_ samples: Span<Sample>) {
    var at = 0
    while at < samples.count {
      let begin = at
      at = takeSteps(samples, from: takePlain(samples, from: at))
      guard at == begin else { continue }
      take(samples[at])
      at += 1
    }
  }

  /// Takes steps that follow each other; where they end.
  private mutating func takeSteps(_ samples: Span<Sample>, from begin: Int) -> Int {
    var at = begin
    while at < samples.count, samples[at].step >= 0 {
      takeStep(samples[at])
      at += 1
    }
    return at
  }

  private mutating func takeStep(_ sample: Sample) {
    let step = Int(sample.step)
    // Steps come before their inference: `seenCount` inferences are over.
    guard seenCount >= facts.warmUpCount, step < steps.count else { return }
    steps[step].add(sample.durationNanoseconds)
  }

  /// Takes inferences that follow each other within one second and one slice of the history, the way of
  /// nearly all; where they end.
  private mutating func takePlain(_ samples: Span<Sample>, from begin: Int) -> Int {
    guard countedSince != nil, seenCount >= facts.warmUpCount, !generates,
      !history.isEmpty
    else { return begin }
    // What began before the last gap ended is looked at closely.
    let earliest = excluded?.to ?? 0
    let until = min(sliceEnd, batchBegin &+ Self.batchNanoseconds)
    let budget = facts.latencyBudgetNanoseconds ?? .max
    var floor = batchSlowest.floor
    var longest = sliceLongest
    var end: UInt64 = 0
    var at = begin
    while at < samples.count, samples[at].step == SampleKind.inferenceCode {
      let duration = samples[at].durationNanoseconds
      let thisEnd = samples[at].startNanoseconds &+ duration
      guard thisEnd >= batchBegin, thisEnd < until, samples[at].startNanoseconds >= earliest
      else { break }
      end = thisEnd
      if duration > floor {
        batchSlowest.take(SlowestList.Entry(samples[at]))
        floor = batchSlowest.floor
      }
      longest = max(longest, duration)
      if duration > budget { missed += 1 }
      at += 1
    }
    guard at > begin else { return begin }
    batch.record(samples.extracting(begin..<at))
    if longest > sliceLongest {
      sliceLongest = longest
      history[history.count - 1] = longest
    }
    seenCount += at - begin
    last = samples[at - 1].durationNanoseconds
    lastEnd = end
    return at
  }

  /// Adds the batch to every sum.
  mutating func flush() {
    guard batch.count > 0 else { return }
    overall.merge(batch)
    overallDetail.slowest.merge(batchSlowest)
    throttle.add(batch)
    window.add(batch, batchSlowest, endingAt: batchBegin)
    batch.reset()
    batchSlowest.reset()
  }

  /// One sample; it is in the sums after `advance` or `snapshot`.
  mutating func take(_ sample: Sample) {
    if sample.step >= 0 { return takeStep(sample) }
    guard sample.step == SampleKind.inferenceCode else {
      if let kind = SampleKind(code: sample.step) { takeAround(sample, kind) }
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
    if end < batchBegin || end - batchBegin >= Self.batchNanoseconds {
      flush()
      batchBegin = end / Self.batchNanoseconds * Self.batchNanoseconds
    }
    batch.record(nanoseconds: duration)
    // Fast models give tens of thousands a second, of which few are slow.
    if duration > batchSlowest.floor {
      batchSlowest.take(SlowestList.Entry(sample))
    }
    if generates { tokens?.takeToken(nanoseconds: duration, endingAt: end) }
    if let budget = facts.latencyBudgetNanoseconds, duration > budget { missed += 1 }
    if end < sliceEnd, !history.isEmpty {
      guard duration > sliceLongest else { return }
      sliceLongest = duration
      history[history.count - 1] = duration
    } else {
      if history.count >= Self.historyKept { history.removeFirst(Self.historyKept / 2) }
      history.append(duration)
      sliceLongest = duration
      sliceEnd = end &+ Self.sliceNanoseconds
    }
  }

  /// What happens around inferences.
  private mutating func takeAround(_ sample: Sample, _ kind: SampleKind) {
    let end = sample.startNanoseconds &+ sample.durationNanoseconds
    if let excluded, sample.startNanoseconds < excluded.to, end > excluded.from { return }
    switch kind {
    case .stage(let stage):
      // What comes behind an inference of the warm-up belongs to that.
      let isBehind = stage == .answer || stage == .publish
      guard seenCount >= facts.warmUpCount + (isBehind ? 1 : 0) else { return }
      window.add(stage, nanoseconds: sample.durationNanoseconds, endingAt: end)
      overallDetail.stages[Int(stage.rawValue)].record(nanoseconds: sample.durationNanoseconds)
    case .prompt, .firstToken, .request:
      guard seenCount >= facts.warmUpCount else { return }
      tokens?.take(sample, kind)
    case .inference: break
    }
  }

  mutating func take(text: [UInt8], tag: UInt8, now: UInt64) {
    switch tag {
    case Self.phaseTag: phase = EscapedText(text)
    default: addEvent(EventLevel(rawValue: tag) ?? .note, EscapedText(text), now: now)
    }
  }

  mutating func take(output text: [UInt8], number: UInt64) {
    if output.count >= Self.linesKept { output.removeFirst(Self.linesKept / 2) }
    output.append(OutputLine(number: number, text: EscapedText(text)))
  }

  mutating func addEvent(_ level: EventLevel, _ text: EscapedText, now: UInt64) {
    if events.count >= Self.linesKept { events.removeFirst(Self.linesKept / 2) }
    events.append(EventRow(elapsedSeconds: seconds(startedAt, now), level: level, text: text))
  }

  // MARK: Time

  func seconds(_ from: UInt64, _ to: UInt64) -> Double {
    to > from ? Double(to - from) / 1e9 : 0
  }

  /// Adds the time since the last call, when the run was running in it.
  mutating func advance(to now: UInt64, _ status: RunStatus) {
    flush()
    let state = status.state
    if let countedSince {
      var end = now
      // A run that is over was active until its last inference ended.
      if state == .done || state == .failed { end = min(now, lastEnd ?? now) }
      let from = max(advancedTo, countedSince)
      if state != .paused, state != .inputLost, state != .loading, end > from {
        activeNanoseconds &+= end - from
        window.addActive(from: from, to: end)
      }
    }
    advancedTo = max(advancedTo, now)
    if state == .done || state == .failed { endedAt = endedAt ?? now }
    self.status = status
  }

  private var isCounting: Bool {
    countedSince != nil && status.state != .paused && status.state != .inputLost
  }

  // MARK: What the machine said

  /// Whether the power meter is to be read at this moment, after `advance`.
  func wantsPower(at now: UInt64) -> Bool { isDue(powerAt, Self.powerNanoseconds, now) }

  /// Whether everything else is.
  func wantsReading(at now: UInt64) -> Bool { isDue(sampledAt, Self.samplingNanoseconds, now) }

  private func isDue(_ last: UInt64?, _ interval: UInt64, _ now: UInt64) -> Bool {
    guard endedAt == nil, let last else { return true }
    return now >= last && now - last >= interval
  }

  /// Takes a look at the power meter.
  mutating func take(_ look: PowerLook, at now: UInt64) {
    powerAt = now
    noteSleep(look.asleepNanoseconds, now: now)
    take(look.sample, now: now, isCounting, isPaused: status.state == .paused)
  }

  /// Takes a look at everything else.
  mutating func take(_ look: SystemLook, at now: UInt64) {
    take(look.reading, now: now, isCounting)
    weightsResident = look.weightsResident
  }

  /// A machine that slept took energy that no inference did.
  private mutating func noteSleep(_ total: UInt64, now: UInt64) {
    defer { asleep = total }
    // The two clocks are not read at one moment.
    guard let asleep, total > asleep, total - asleep > 100_000_000 else { return }
    power.dropNext()
    var text = TextBuffer()
    text.put("the machine slept for ")
    text.put(significant: Double(total - asleep) / 1e9)
    text.put(" s: its energy is not counted")
    addEvent(.note, EscapedText(text.bytes), now: now)
  }

  private mutating func take(
    _ sample: PowerSample, now: UInt64, _ isCounting: Bool, isPaused: Bool
  ) {
    let elapsed = seconds(startedAt, now)
    let counted = power.take(
      sample, isCounting: isCounting, isPaused: isPaused, atSeconds: elapsed)
    if let counted {
      window.add(joules: counted.joules, overNanoseconds: counted.nanoseconds, at: now)
    }
    if wasPaused, !isPaused, let idle = power.idleWatts, let measured = power.idleMeasuredSeconds,
      measured > elapsed - 1
    {
      var text = TextBuffer()
      text.put("idle baseline ")
      text.put(significant: idle)
      text.put(" W")
      addEvent(.note, EscapedText(text.bytes), now: now)
    }
    wasPaused = isPaused
  }

  private mutating func take(_ reading: SystemReading, now: UInt64, _ isCounting: Bool) {
    if let cpu = reading.cpuNanoseconds, let before = system.cpuNanoseconds, let sampledAt,
      cpu >= before, now > sampledAt
    {
      if isCounting {
        window.advance(to: now, activeNanoseconds: 0, cpuNanoseconds: cpu - before)
        activeCpuNanoseconds &+= cpu - before
      }
      takeModel(cpuNanoseconds: cpu - before, from: sampledAt, to: now, isCounting)
    }
    system = reading
    sampledAt = now
    let elapsed = seconds(startedAt, now)
    if let anonymous = reading.memory.anonymous, overall.count > 0 {
      growth.add(bytes: anonymous, atSeconds: elapsed)
    }
    let event = throttle.take(reading.thermal, atSeconds: elapsed) {
      window.merge(last: RateWindow.seconds, upTo: now, into: &sum)
      return ThrottleTracker.median(sum.durations)
    }
    if let event { addEvent(event.level, event.text, now: now) }
  }

  /// Without a meter, energy is what the profile makes of processor time.
  private mutating func takeModel(
    cpuNanoseconds: UInt64, from: UInt64, to now: UInt64, _ isCounting: Bool
  ) {
    let model = EnergyModel(figures: facts.energy)
    guard power.sample.grade == .unknown,
      let joules = model.joules(
        seconds: seconds(from, now), cpuSeconds: Double(cpuNanoseconds) / 1e9)
    else { return }
    let span = EnergySpan(joules: joules, nanoseconds: now - from)
    if let counted = power.takeModel(span, isCounting: isCounting) {
      window.add(joules: counted.joules, overNanoseconds: counted.nanoseconds, at: now)
    }
  }

  mutating func exclude(from: UInt64, to: UInt64) {
    guard to > from else { return }
    excluded = (from, to)
    advancedTo = max(advancedTo, to)
    // Idle power flowed on, but not for this run.
    sampledAt = sampledAt.map { max($0, to) }
    power.dropNext()
    addEvent(.note, EscapedText("stopped for a while: that inference is not counted"), now: to)
  }

  mutating func reset() {
    missed = 0
    batch.reset()
    batchSlowest.reset()
    overall.reset()
    overallDetail.reset()
    window.reset()
    tokens = tokens.map { _ in TokenTally() }
    history = []
    steps = Array(repeating: StepTime(), count: facts.steps.count)
    activeNanoseconds = 0
    activeCpuNanoseconds = 0
    countedSince = nil
    power.reset()
    growth = GrowthFit()
  }
}
