// The inference loop: item after item, watched by the monitor, answered on standard output.
import Bytes
import Monitor
import Platform
import Programs
import Reporting
import Runtime
import Tasks
import Telemetry
import Tensors

/// Runs a model over its items until they are done or somebody says stop.
public final class RunLoop {
  private let runner: ModelRunner
  private let options: RunOptions
  private let items: RunItems
  private let view: RunView
  private let collector: Collector
  private let control: RunControl
  private let recorder: Recorder?
  /// What the monitor watches: the run, and who is attached to it.
  private let served: ServedRun
  private let stream: ResultStream
  private let reporting: RunReporting
  private var stepTimes: [UInt64]
  private var outputs = OutputCollector()
  private var results = JSONWriter()
  private var resultCount = 0
  private var ranked: [RankedLabel] = []
  private var pacer: Pacer

  /// Results kept for the one JSON document; later ones only count.
  private static let maximumResults = 10_000

  /// Call it inside of `view.loading`.
  public init(
    _ runner: ModelRunner, _ options: RunOptions, _ view: RunView
  ) throws(Failure) {
    self.runner = runner
    self.options = options
    self.view = view
    items = try RunItems(options, runner)
    try options.check()
    do throws(PlatformError) {
      reporting = try RunReporting(options.reporting, name: options.name)
    } catch {
      throw error.operation == "listen" && !error.isNotPermitted
        ? Failure(.unavailable, error.description) : Failure(writing: error)
    }
    let sampler = SystemSampler(settings: options.power)
    // Nobody who names a meter wants another one's figures.
    if options.power.meterPath != nil, let refusal = sampler.meterRefusal {
      throw Failure(reading: refusal)
    }
    pacer = Pacer(
      perSecond: options.ratePerSecond, from: Clock.monotonicNanoseconds,
      durationSeconds: options.durationSeconds)
    // Room for a quarter of a second of the fastest models: 100,000 inferences each second.
    collector = Collector(
      facts: RunReport.facts(runner, options), nowNanoseconds: view.begin,
      sampler: sampler, ringCapacity: 1 << 15)
    collector.hasSeveralThreads = runner.session.threadCount > 1
    control = view.control
    stream = ResultStream(control, continuesOnHangup: options.continuesOnHangup)
    // From here on there is what a signal must not leave behind.
    control.catchSignals()
    recorder = try RunLoop.beginRecording(options, collector)
    served = ServedRun(collector, control)
    if let refusal = served.refusal {
      collector.recordEvent(.note, Array("nobody can attach: \(refusal)".utf8))
    }
    stepTimes = [UInt64](repeating: 0, count: runner.session.runnableSteps.count)
    results.beginArray()
    let control = control
    runner.session.shouldStop = { control.isStopRequested }
  }

  /// Runs to the end. Prints results and summary; ends the process by signal where one stopped the run.
  public func run() throws(Failure) {
    var failure: Failure?
    if let url = reporting.metricsURL { Standard.error.say("\(options.name): metrics at \(url)") }
    try view.open(itemCount: items.items.count, isLive: items.live != nil)
    let isDrawn = view.isDrawn
    if !isDrawn, case .sample? = items.items.first, items.items.count == 1 {
      Standard.error.say("\(options.name): no input given: running on made-up values")
    }
    reporting.start(collector, takesTraces: isDrawn) { [stream] in stream.write($0) }
    let reporter = PlainReporter(prints: options.format == .text)
    collector.setState(.running)
    view.watch(served, leave: leave())
    // Without a thread there is no dashboard after all.
    let prints = !view.isDrawn
    if prints { reporter.start(source: served, control: control) }
    Background.announceStart()
    do throws(Failure) {
      try loop(prints: prints)
    } catch {
      failure = error
    }
    collector.setState(failure == nil ? .done : .failed)
    view.stop()
    reporter.stop()
    let now = Clock.monotonicNanoseconds
    collector.poll(nowNanoseconds: now)
    collector.endTrace(nowNanoseconds: now)
    let last = collector.snapshot(nowNanoseconds: now, windowSeconds: nil)
    reporting.finish(last)
    failure = failure ?? stream.failure
    let report = writeReport(last, failure?.message ?? control.stopReason?.words)
    if let failure { throw failure }
    if let path = options.outputFile { try outputs.write(to: path) }
    results.endArray()
    try finish(stopped: control.stopReason, report: report)
  }

  private func writeReport(_ snapshot: Snapshot, _ stopped: String?) -> String? {
    RunReport.write(
      snapshot, reporting, options, stopped: stopped, RunReport.Subject(runner))
  }

  /// What the dashboard calls when the process ends at once, on its own thread.
  private func leave() -> @Sendable (Snapshot, StopReason) -> Void {
    let (collector, reporting, options) = (collector, reporting, options)
    let subject = RunReport.Subject(runner)
    return { snapshot, reason in
      let last = collector.snapshot(
        nowNanoseconds: Clock.monotonicNanoseconds, windowSeconds: nil)
      let path = RunReport.write(last, reporting, options, stopped: reason.words, subject)
      Summary.print(snapshot, stopped: reason, report: path)
    }
  }

  /// A recording that cannot be made is an event, and no reason not to run.
  private static func beginRecording(
    _ options: RunOptions, _ collector: Collector
  ) throws(Failure) -> Recorder? {
    guard let path = options.recordFile else { return nil }
    try options.refuseOverwriting(path, "--record")
    do throws(PlatformError) {
      let recorder = try Recorder(path: path)
      collector.record(into: recorder, secondOfDay: Clock.localSecondOfDay)
      return recorder
    } catch {
      Standard.error.say("\(options.name): recording off: \(error)")
      collector.recordEvent(.warning, Array("recording off: \(error)".utf8))
      return nil
    }
  }

  private func loop(prints: Bool) throws(Failure) {
    var pass = 0
    let isEndless = options.loops || options.durationSeconds != nil && items.live == nil
    while !items.items.isEmpty, isEndless || pass < options.repeatCount {
      // Every pass begins as the first did.
      runner.session.resetStates()
      for (i, item) in items.items.enumerated() {
        guard mayGoOn() else { return }
        collector.beginItem()
        try run(item, i, isFirstPass: pass == 0, prints: prints)
      }
      pass += 1
    }
    if let live = items.live { try follow(live, prints: prints) }
  }

  /// Waits for the next turn. False where the run is over.
  private func mayGoOn() -> Bool {
    if control.waitWhilePaused() { pacer.rest() }
    let isTurn = pacer.wait { control.isStopRequested }
    if pacer.skippedCount > 0 { collector.setDropped(pacer.skippedCount) }
    return isTurn && !control.isStopRequested
  }

  /// Takes what comes until it ends.
  private func follow(_ live: LiveSource, prints: Bool) throws(Failure) {
    var index = items.items.count
    var lost = false
    while mayGoOn() {
      let look = try live.next()
      collector.setDropped(live.droppedCount + pacer.skippedCount)
      if let loss = live.loss {
        if !lost {
          lost = true
          try notice(loss)
        }
        continue
      }
      if lost {
        lost = false
        collector.setState(.running)
        collector.recordEvent(.note, Array("\(live.path) is back".utf8))
      }
      switch look {
      case .item(let item):
        collector.beginItem(readyNanoseconds: live.readyNanoseconds)
        collector.endStage(.read)
        try run(item, index, isFirstPass: true, prints: prints)
        index += 1
      case .nothing: pacer.rest()
      case .end: return
      }
    }
    if let loss = live.loss { throw Failure(.missingInput, "\(loss)") }
  }

  /// Says that a device is gone.
  private func notice(_ loss: PlatformError) throws(Failure) {
    if options.failsFast { throw Failure(.missingInput, "\(loss)") }
    let text = Array("\(loss): looked for again until it is back".utf8)
    collector.recordPhase(text)
    collector.recordEvent(.critical, text)
    collector.setState(.inputLost)
  }

  private func run(
    _ item: RunItem, _ index: Int, isFirstPass: Bool, prints: Bool
  ) throws(Failure) {
    let opened = try item.opened()
    if opened != nil { collector.endStage(.read) }
    runner.keepsPicture = collector.wantsPicture()
    let label = try runner.fill(opened ?? item)
    let picture = runner.takePicture()
    collector.endStage(.prepare)
    let isProfiled = collector.wantsStepTimes()
    collector.beginInference()
    let begin = Clock.monotonicNanoseconds
    if isProfiled {
      try runner.run(nanoseconds: &stepTimes)
    } else {
      try runner.run()
    }
    // A loop inside of the model was left: there is no answer.
    if control.isStopRequested, runner.wasInterrupted { return }
    let duration = Clock.monotonicNanoseconds &- begin
    if isProfiled {
      for (n, step) in runner.session.runnableSteps.enumerated() {
        collector.recordStep(step, durationNanoseconds: stepTimes[n])
      }
    }
    collector.recordInference(startNanoseconds: begin, durationNanoseconds: duration)
    let answer = try Answer(runner, &ranked)
    let line = named(answer.line, item)
    collector.endStage(.answer)
    defer { collector.endStage(.publish) }
    collector.recordOutput(line.span)
    if var picture {
      picture.boxes = answer.boxes
      collector.recordPicture(picture, caption: answer.line)
    }
    if let label { collector.recordAnswer(isCorrect: answer.classIndex == label) }
    guard isFirstPass else { return }
    if options.outputFile != nil, items.isBatch || index == 0 { try outputs.add(runner) }
    try report(answer, line, item, index, duration, label, prints: prints)
  }

  /// The line with what it is about, where there is more than one such thing.
  private func named(_ line: [UInt8], _ item: RunItem) -> [UInt8] {
    guard items.items.count > 1, let name = item.name else { return line }
    var text = TextBuffer()
    text.put(untrusted: Array(name.utf8))
    text.put("   ")
    return text.bytes + line
  }

  private func report(
    _ answer: Answer, _ line: [UInt8], _ item: RunItem, _ index: Int, _ duration: UInt64,
    _ label: Int?, prints: Bool
  ) throws(Failure) {
    switch options.format {
    case .text:
      if prints, items.printsAnswers { try write(line + [0x0A]) }
    case .ndjson:
      var json = JSONWriter()
      json.beginObject()
      json.field("schema", "knapsack.result")
      json.field("version", 1)
      write(answer, item, index, duration, label, &json)
      json.endObject()
      try write(json.bytes + [0x0A])
    case .json:
      guard resultCount < RunLoop.maximumResults else { return }
      resultCount += 1
      results.beginObject()
      write(answer, item, index, duration, label, &results)
      results.endObject()
    }
  }

  private func write(
    _ answer: Answer, _ item: RunItem, _ index: Int, _ duration: UInt64, _ label: Int?,
    _ json: inout JSONWriter
  ) {
    json.field("item", index)
    if case .text(let text) = item { json.field("text", text) }
    if let name = item.name { json.field("source", name) }
    json.field("latency_us", Double(duration) / 1000)
    answer.write(to: &json)
    if let label { json.field("expected", label) }
  }

  private func write(_ bytes: [UInt8]) throws(Failure) {
    stream.write(bytes)
    if let failure = stream.failure { throw failure }
  }

  private func finish(stopped: StopReason?, report: String?) throws(Failure) {
    let snapshot = collector.snapshot(nowNanoseconds: Clock.monotonicNanoseconds)
    recorder?.flush()
    served.end(snapshot)
    var failure: Failure?
    do throws(Failure) {
      if options.format != .text {
        let document = RunReport.json(
          runner, snapshot, results: options.format == .json ? results.bytes : nil, report: report)
        try write(document + [0x0A])
      } else if Standard.output.isTerminal {
        Summary.print(snapshot, stopped: stopped, report: report)
      } else {
        try write(Summary.block(snapshot, stopped: stopped, report: report))
      }
    } catch {
      failure = error
    }
    if case .signal(let number)? = stopped { RunControl.die(bySignal: number) }
    if let failure { throw failure }
  }
}
