// Between the loop that infers and the thread that shows: timings go in without locks, snapshots
// come out.
import Platform
import Synchronization

/// Collects what a run does.
///
/// Three kinds of members, each with its thread: *recording* ones belong to the loop's thread and
/// neither allocate nor lock; *reading* ones belong to the monitor's thread, or to the loop's once
/// the monitor has been joined; the others may be called anywhere.
public final class Collector: @unchecked Sendable {
  private final class LoadedFacts: Sendable {
    let facts: RunFacts
    init(_ facts: RunFacts) { self.facts = facts }
  }

  let samples: SampleRing
  private let texts: TextRing
  /// What the model says, apart: a fast model says more than anyone reads, and must not push events out.
  private let outputs: TextRing
  private let loaded = AtomicLazyReference<LoadedFacts>()
  private let isLoaded = Atomic<Bool>(false)
  private let state = Atomic<UInt8>(RunState.loading.rawValue)
  private let progress = Atomic<UInt64>(UInt64.max)
  private let labelled = Atomic<UInt64>(0)
  private let correct = Atomic<UInt64>(0)
  private let dropped = Atomic<UInt64>(0)
  /// One inference in so many has its steps timed; 0 before the first poll.
  let interval = Atomic<Int>(0)
  private let paused = Atomic<Bool>(false)
  private let monitorNanoseconds = Atomic<UInt64>(0)
  let isTracing = Atomic<Bool>(false)
  /// Above how many nanoseconds an inference is worth looking into; 0 before that is known.
  let slowNanoseconds = Atomic<UInt64>(0)
  /// `UInt64.max` is unknown.
  let contextUsed = Atomic<UInt64>(UInt64.max)
  let keyValueBytes = Atomic<UInt64>(UInt64.max)
  let pictures = PictureExchange()
  private let announced = Shared<[(level: EventLevel, text: [UInt8])]>([])

  // Recording thread only.
  var untilProfiled = 0
  var areStepsTimed = false
  var items = ItemClock()
  var before: Interruptions?
  /// Whether several threads compute: interruptions are then counted of the whole process. To be set
  /// before the first inference.
  public var hasSeveralThreads = false
  /// What has been counted of the thread that infers, or of all.
  package var interruptions: (_ ofAllThreads: Bool) -> (faults: UInt64, switches: UInt64) = {
    let now = Interruptions.now(ofAllThreads: $0)
    return (now.majorFaults, now.involuntarySwitches)
  }
  private(set) var outputCount: UInt64 = 0

  // Reading thread only.
  private var polledAt: UInt64?
  private var halfFullNanoseconds = Collector.soonNanoseconds
  private var statistics: RunStatistics
  private let sampler: SystemSampler
  private var recorder: Recorder?
  private var weightsResident: UInt64?
  private var residenceAt: UInt64?
  private static let residenceNanoseconds: UInt64 = 5_000_000_000
  private var sinks: [SnapshotSink] = []
  private var trace: TraceRecorder?
  private var takeTrace: ((TraceRecording) -> Void)?

  /// A collector for a run that begins at `nowNanoseconds` of the monotonic clock. `facts` says
  /// what is known before the bundle is loaded, at least its name.
  ///
  /// `ringCapacity`: timings that can wait for the reader; 24 bytes each.
  public init(
    facts: RunFacts, nowNanoseconds: UInt64, sampler: SystemSampler = SystemSampler(),
    ringCapacity: Int = 8192
  ) {
    samples = SampleRing(capacity: ringCapacity)
    texts = TextRing(byteCount: 1 << 14)
    outputs = TextRing(byteCount: 1 << 16)
    statistics = RunStatistics(
      facts: facts, nowNanoseconds: nowNanoseconds,
      gridGramsPerKilowattHour: sampler.settings.gridGramsPerKilowattHour)
    self.sampler = sampler
  }

  // MARK: Any thread

  /// What the run is doing.
  public var runState: RunState {
    let said = RunState(rawValue: state.load(ordering: .relaxed)) ?? .failed
    return said == .running && paused.load(ordering: .relaxed) ? .paused : said
  }

  /// Says whether the run rests: a running one is then `.paused`. The dashboard says it as asked.
  public func setPaused(_ isPaused: Bool) { paused.store(isPaused, ordering: .relaxed) }

  /// Says what the run is doing now.
  public func setState(_ newState: RunState) {
    state.store(newState.rawValue, ordering: .releasing)
  }

  /// Says how much of the loading is done, 0…1.
  public func setProgress(_ share: Double) {
    progress.store(share.bitPattern, ordering: .relaxed)
  }

  /// Gives all facts, once the bundle is loaded. Only the first call counts.
  public func setLoaded(_ facts: RunFacts) {
    _ = loaded.storeIfNil(LoadedFacts(facts))
    isLoaded.store(true, ordering: .releasing)
  }

  /// Says that a thread of the monitor took so much processor time more.
  public func addMonitorCost(nanoseconds: UInt64) {
    monitorNanoseconds.wrappingAdd(nanoseconds, ordering: .relaxed)
  }

  /// Has something that happened beside the run written among the events. It takes a lock: for threads
  /// other than the loop's.
  public func announce(_ level: EventLevel, _ text: [UInt8]) {
    announced.use { $0.append((level, text)) }
  }

  // MARK: Recording

  /// Records a line of what the model says. Any bytes will do: they are escaped before they are
  /// shown. At most `TextRing.longestText` of them are kept. Lines that come faster than they are read
  /// are left out; the others keep their numbers.
  public func recordOutput(_ text: Span<UInt8>) {
    outputCount &+= 1
    outputs.push(tag: 0, number: outputCount, text)
  }

  /// Records something that happened.
  public func recordEvent(_ level: EventLevel, _ text: Span<UInt8>) {
    texts.push(tag: level.rawValue, text)
  }

  /// As `recordOutput` and `recordEvent` with a span.
  public func recordOutput(_ text: [UInt8]) { recordOutput(text.span) }
  public func recordEvent(_ level: EventLevel, _ text: [UInt8]) { recordEvent(level, text.span) }

  /// Says what is being done while loading, or why the run failed.
  public func recordPhase(_ text: [UInt8]) {
    texts.push(tag: RunStatistics.phaseTag, text.span)
  }

  /// Records whether an answer was the labelled one.
  public func recordAnswer(isCorrect: Bool) {
    labelled.wrappingAdd(1, ordering: .relaxed)
    if isCorrect { correct.wrappingAdd(1, ordering: .relaxed) }
  }

  /// Says how many items came in all while the model had no time for them.
  public func setDropped(_ count: UInt64) { dropped.store(count, ordering: .relaxed) }

  // MARK: Reading

  private static let soonNanoseconds: UInt64 = 100_000_000
  /// In a quarter of a second the fastest models fill no ring, even where they begin in it.
  private static let restNanoseconds: UInt64 = 250_000_000

  /// How long the reader may rest after a poll, in nanoseconds: until half of the ring is full at the
  /// pace of late, and a tenth of a second at most where a meter, a sink, a recording or a trace wants
  /// more than timings.
  public var pollNanoseconds: UInt64 {
    let isAsked = recorder != nil || trace != nil || !sinks.isEmpty || sampler.metersPower
    let longest = isAsked ? Self.soonNanoseconds : Self.restNanoseconds
    return min(max(halfFullNanoseconds, Self.soonNanoseconds / 10), longest)
  }

  /// Takes in what was recorded and samples the system where it is time to. Call it again within
  /// `pollNanoseconds`: a full ring drops timings.
  public func poll(nowNanoseconds now: UInt64) {
    recorder?.put(moment: now)
    if !statistics.isLoaded, isLoaded.load(ordering: .acquiring), let loaded = loaded.load() {
      statistics.take(loaded.facts)
      recorder?.put(loaded.facts)
    }
    for (level, text) in announced.use({ takeAll(&$0) }) {
      statistics.take(text: text, tag: level.rawValue, now: now)
      recorder?.put(text: text, tag: level.rawValue)
    }
    takeSamples(now)
    while let (tag, _, text) = texts.pop() {
      statistics.take(text: text, tag: tag, now: now)
      recorder?.put(text: text, tag: tag)
    }
    outputs.dropOldest(keeping: RunStatistics.linesKept)
    if recorder != nil { takeOutputs() }
    advance(to: now)
    lookAround(now)
    followRecorder(now)
    interval.store(statistics.profileInterval, ordering: .relaxed)
    slowNanoseconds.store(statistics.slowNanoseconds, ordering: .relaxed)
    followTrace(nowNanoseconds: now)
    for i in sinks.indices where now >= sinks[i].dueAt {
      sinks[i].step(past: now)
      sinks[i].take(make(nowNanoseconds: now, windowSeconds: sinks[i].windowSeconds))
    }
  }

  private func takeSamples(_ now: UInt64) {
    let count = statistics.take(samples, recorder, trace)
    // Two polls at one moment say nothing of the pace.
    guard let last = polledAt, now > last + Self.soonNanoseconds / 100 else {
      polledAt = polledAt ?? now
      return
    }
    polledAt = now
    let gap = min(now - last, 1 << 40)
    halfFullNanoseconds = gap * UInt64(samples.capacity / 2) / UInt64(max(count, 1))
  }

  private func takeAll<T>(_ list: inout [T]) -> [T] {
    let all = list
    if !all.isEmpty { list = [] }
    return all
  }

  /// Without a recorder only when somebody looks: most of a fast model's lines are gone before.
  private func takeOutputs() {
    while let (_, number, text) = outputs.pop() {
      statistics.take(output: text, number: number)
      recorder?.put(output: text, number: number)
    }
  }

  private func advance(to now: UInt64) {
    let status = status
    statistics.advance(to: now, status)
    recorder?.put(status)
    recorder?.putAdvance(now)
  }

  /// A recording that cannot go on ends; the run does not.
  private func followRecorder(_ now: UInt64) {
    guard let failure = recorder?.takeFailure() else { return }
    recorder = nil
    statistics.addEvent(.warning, failure, now: now)
  }

  /// Begins to record everything that goes into the statistics. Call once, before the monitor's thread
  /// begins. `secondOfDay`: the local time of day when the run began.
  public func record(into recorder: Recorder, secondOfDay: Int) {
    var header = RecordingHeader()
    header.startNanoseconds = statistics.startedAt
    header.secondOfDay = min(max(secondOfDay, 0), 86_399)
    header.gridGramsPerKilowattHour = statistics.gridGramsPerKilowattHour
    recorder.begin(header, statistics.facts)
    self.recorder = recorder
  }

  private func known(_ value: borrowing Atomic<UInt64>) -> UInt64? {
    let value = value.load(ordering: .relaxed)
    return value == .max ? nil : value
  }

  private var status: RunStatus {
    var status = RunStatus()
    status.state = runState
    let share = Double(bitPattern: progress.load(ordering: .relaxed))
    status.progress = share.isFinite ? share : nil
    status.labelledCount = labelled.load(ordering: .relaxed)
    status.correctCount = correct.load(ordering: .relaxed)
    status.lostSampleCount = samples.lostCount + texts.lostCount
    status.droppedCount = dropped.load(ordering: .relaxed)
    status.contextUsed = known(contextUsed)
    status.keyValueBytes = known(keyValueBytes)
    return status
  }

  /// Samples the system where it is time to.
  private func lookAround(_ now: UInt64) {
    let wantsReading = statistics.wantsReading(at: now)
    // Without a meter there is only the machine's sleep to ask for.
    if statistics.wantsPower(at: now), wantsReading || sampler.metersPower {
      var look = PowerLook()
      look.asleepNanoseconds = sampler.asleep()
      look.sample = sampler.power(nowNanoseconds: now)
      statistics.take(look, at: now)
      recorder?.put(look)
    }
    guard wantsReading else { return }
    if statistics.endedAt != nil
      || residenceAt.map({ now &- $0 >= Self.residenceNanoseconds }) ?? true
    {
      residenceAt = now
      weightsResident = statistics.facts.residentWeightBytes
    }
    var look = SystemLook()
    look.reading = sampler.reading(nowNanoseconds: now)
    look.weightsResident = weightsResident
    statistics.take(look, at: now)
    recorder?.put(look)
    statistics.powerTried = sampler.powerTried
    recorder?.put(sampler.powerTried)
  }

  /// What is known now, after a `poll`. `windowSeconds`: 1…600; nil is the whole run.
  public func snapshot(
    nowNanoseconds now: UInt64, windowSeconds: Int? = RateWindow.seconds
  ) -> Snapshot {
    poll(nowNanoseconds: now)
    return make(nowNanoseconds: now, windowSeconds: windowSeconds)
  }

  private func make(nowNanoseconds now: UInt64, windowSeconds: Int?) -> Snapshot {
    takeOutputs()
    var snapshot = statistics.snapshot(now: now, windowSeconds: windowSeconds)
    snapshot.monitorNanoseconds = monitorNanoseconds.load(ordering: .relaxed)
    snapshot.picture = pictures.look()
    return snapshot
  }

  /// Has `take` called by `poll` with a fresh snapshot every so many seconds (0.1 and more), at once too
  /// where it asks for that. It is on the monitor's way: it must neither wait nor write files. Add sinks
  /// before the monitor's thread begins.
  public func addSink(
    everySeconds seconds: Double, windowSeconds: Int? = RateWindow.seconds, isAtOnce: Bool = true,
    _ take: @escaping (Snapshot) -> Void
  ) {
    sinks.append(
      SnapshotSink(
        everySeconds: seconds, windowSeconds: windowSeconds,
        firstAt: isAtOnce ? 0 : statistics.startedAt, take: take))
  }

  /// Has finished traces given to `take`, on the monitor's thread, where it must not wait either.
  public func setTraceSink(_ take: @escaping (TraceRecording) -> Void) { takeTrace = take }

  /// Begins to trace the next `inferenceCount` inferences, each with all its steps. False where a trace
  /// is being recorded already, or nobody would take it.
  @discardableResult
  public func beginTrace(inferenceCount: Int, nowNanoseconds now: UInt64) -> Bool {
    guard trace == nil, takeTrace != nil else { return false }
    trace = TraceRecorder(inferenceCount: inferenceCount, fromNanoseconds: now)
    isTracing.store(true, ordering: .relaxed)
    return true
  }

  /// Ends the trace that is being recorded, with what it has; nothing where there is none.
  public func endTrace(nowNanoseconds now: UInt64) {
    guard let recorder = trace else { return }
    trace = nil
    isTracing.store(false, ordering: .relaxed)
    let last = make(nowNanoseconds: now, windowSeconds: nil)
    takeTrace?(recorder.finish(last, startedAt: statistics.startedAt))
  }

  private func followTrace(nowNanoseconds now: UInt64) {
    guard let recorder = trace else { return }
    recorder.take(system: statistics.system, watts: statistics.power.watts, atNanoseconds: now)
    if recorder.isComplete { endTrace(nowNanoseconds: now) }
  }

  /// Says that the process was stopped in this stretch of the monotonic clock: the inference it
  /// falls into is not counted, nor is the time.
  public func exclude(fromNanoseconds from: UInt64, toNanoseconds to: UInt64) {
    statistics.exclude(from: from, to: to)
    recorder?.put(moment: to)
    recorder?.put(gapFrom: from, to: to)
  }

  /// Adds an event of the monitor's own.
  public func addEvent(_ level: EventLevel, _ text: StaticString, nowNanoseconds now: UInt64) {
    add(EscapedText(text), level, now)
  }

  private func add(_ text: EscapedText, _ level: EventLevel, _ now: UInt64) {
    statistics.addEvent(level, text, now: now)
    recorder?.put(moment: now)
    recorder?.put(event: text, level)
  }

  /// Forgets all statistics so far, and writes an event. Warm-up is not repeated.
  public func reset(nowNanoseconds now: UInt64) {
    poll(nowNanoseconds: now)
    statistics.reset()
    recorder?.put(moment: now)
    recorder?.putReset()
    labelled.store(0, ordering: .relaxed)
    correct.store(0, ordering: .relaxed)
    add(EscapedText("statistics reset"), .note, now)
  }
}
