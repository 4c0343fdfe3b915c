// Golden frames of runs that were recorded: through the collector, the recording and the view.
//
// They are made anew as those of `GoldenFrames` are.
import Foundation
import Monitor
import Randomness
import RecordedMachines
import Telemetry
import Testing

/// Runs in virtual time on a board of files, each recorded up to the moment that is looked at.
enum RecordedState: String, CaseIterable, Sendable {
  case loading, warmUp, classifier, languageModel, throttled, noMeter, overBudget, frozen, paused,
    inputLost

  /// What is typed before the frame is drawn.
  var keys: String { self == .frozen ? " " : "" }

  private var machine: [String: String] {
    var files = Machine.pi5
    if self == .noMeter { files = [:] }
    files.merge(Self.process(peakMebibytes: self == .overBudget ? 70 : 22)) { $1 }
    if self == .throttled {
      let zone = "sys/class/thermal/thermal_zone0/"
      files[zone + "trip_point_1_type"] = "passive\n"
      files[zone + "trip_point_1_temp"] = "80000\n"
    }
    for core in 0..<4 {
      let clock = "sys/devices/system/cpu/cpu\(core)/cpufreq/"
      files[clock + "scaling_cur_freq"] = "2400000\n"
      files[clock + "cpuinfo_max_freq"] = "2400000\n"
    }
    return files
  }

  private static func process(peakMebibytes: Int) -> [String: String] {
    [
      "proc/self/status": """
      VmHWM:\t\(peakMebibytes * 1024) kB
      VmRSS:\t22220 kB
      RssAnon:\t9420 kB
      RssFile:\t12800 kB
      nonvoluntary_ctxt_switches:\t17

      """,
      "proc/self/stat": "1 (k) S 1 1 1 0 -1 0 10 0 3 0 500 100 0 0 20 0 5 0 1 1\n",
    ]
  }

  private var facts: RunFacts {
    var facts = RunFacts()
    let isText = self == .languageModel
    facts.bundleName = Samples.text(isText ? "smollm-360m" : "mnv2")
    facts.bundleVersion = Samples.text(isText ? "0.9.1" : "1.2.0")
    facts.scheme = Samples.text(isText ? "q4_0" : "int8")
    facts.device = Samples.text("pi5 4 threads")
    facts.warmUpCount = 10
    facts.latencyBudgetNanoseconds = isText ? nil : 12_000_000
    facts.generation =
      isText ? GenerationFacts(contextTokens: 512, keyValueBytes: 12 << 20) : nil
    facts.memoryBudgetBytes = 64 << 20
    facts.weightBytes = isText ? 40_000_000 : 3_670_016
    facts.arenaBytes = 6_396_313
    facts.bitsPerWeight = isText ? 5.3 : 8.2
    facts.energy =
      self == .noMeter ? nil : EnergyFigures(idleWatts: 3.1, wattsPerActiveCore: 1.2)
    facts.predictedP50Nanoseconds = isText ? 48_000_000 : 4_600_000
    facts.predictedPeakBytes = 23_000_000
    let kinds =
      isText ? ["matmul", "attention", "rmsnorm"] : ["conv2d 1x1", "dwconv 3x3", "relu6"]
    facts.steps = (0..<12).map {
      StepFact(
        name: Samples.text(isText ? "layers.\($0)" : "features.\($0).conv"),
        kind: Samples.text(kinds[$0 % 3]),
        scheme: Samples.text($0 % 3 == 2 ? "f32" : isText ? "q4_0" : "int8"))
    }
    facts.schemeShares = [
      SchemeShare(
        scheme: facts.scheme, letter: isText ? 0x34 : 0x38, tensorCount: 8, byteCount: 3_300_000),
      SchemeShare(scheme: Samples.text("f32"), letter: 0x66, tensorCount: 4, byteCount: 370_016),
    ]
    facts.schemeMap = (0..<12).map { $0 % 3 == 2 ? 0x66 : isText ? 0x34 : 0x38 }
    return facts
  }

  /// The recording of 20 s of it, less where the state begins earlier.
  func record() -> [UInt8] {
    let recorder = Recorder()
    let tree = RecordedTree(machine)
    let start: UInt64 = 7_000_000_000
    var name = RunFacts()
    name.bundleName = facts.bundleName
    let collector = Collector(facts: name, nowNanoseconds: start, sampler: tree.sampler)
    collector.record(into: recorder, secondOfDay: 43_380)
    collector.recordPhase(Array("verifying chunks".utf8))
    collector.setProgress(0.42)
    collector.poll(nowNanoseconds: start + 200_000_000)
    guard self != .loading else { return finish(recorder) }
    collector.setLoaded(facts)
    collector.setState(.running)
    collector.recordEvent(.note, Array("loaded in 91 ms".utf8))
    var now = start + 300_000_000
    let count = self == .warmUp ? 7 : self == .languageModel ? 420 : 4000
    for i in 0..<count {
      if i == count * 3 / 4, self == .throttled {
        tree.write("sys/class/thermal/thermal_zone0/temp", "82000\n")
        for core in 0..<4 {
          tree.write("sys/devices/system/cpu/cpu\(core)/cpufreq/scaling_cur_freq", "1800000\n")
        }
      }
      now = infer(i, of: count, collector, at: now)
      if i % 16 == 0 {
        // The process works three quarters of a core.
        let ticks = Int((now - start) / 13_000_000)
        tree.write(
          "proc/self/stat", "1 (k) S 1 1 1 0 -1 0 10 0 3 0 \(ticks) 0 0 0 20 0 5 0 1 1\n")
        collector.poll(nowNanoseconds: now)
      }
    }
    if self == .paused || self == .inputLost {
      if self == .paused {
        collector.setPaused(true)
      } else {
        let text = Array("/dev/video0: no such device: looked for again until it is back".utf8)
        collector.recordPhase(text)
        collector.recordEvent(.critical, text)
        collector.setState(.inputLost)
      }
      for _ in 0..<50 {
        now += 100_000_000
        collector.poll(nowNanoseconds: now)
      }
    }
    collector.poll(nowNanoseconds: now)
    return finish(recorder)
  }

  private func finish(_ recorder: Recorder) -> [UInt8] {
    recorder.flush()
    return recorder.bytes
  }

  private func infer(_ i: Int, of count: Int, _ collector: Collector, at now: UInt64) -> UInt64 {
    var duration: UInt64 = 4_500_000 + UInt64(i * 7919 % 1000) * 800
    if i % 97 == 96 { duration += 2_000_000 }
    var now = now
    if self == .languageModel {
      if i % 60 == 10 { now = readPrompt(of: i, collector, at: now) }
      collector.setContext(
        usedTokens: 24 + (i + 50) % 60, keyValueBytes: UInt64(24 + (i + 50) % 60) << 14)
    }
    if self == .languageModel { duration = 44_000_000 + UInt64(i * 7919 % 1000) * 9000 }
    if self == .throttled, i >= count * 3 / 4 { duration += duration / 4 }
    if i == 0 { duration = 48_200_000 }
    if collector.wantsStepTimes() {
      for step in 0..<12 {
        collector.recordStep(step, durationNanoseconds: duration / 80 * UInt64(12 - step))
      }
    }
    collector.recordInference(startNanoseconds: now, durationNanoseconds: duration)
    if self == .languageModel {
      let words = ["the", "harbour", "was", "quiet", "when", "the", "first", "boat", "came", "in,"]
      let said = (0..<10).map { words[(i + $0) % words.count] }.joined(separator: " ")
      collector.recordOutput(Array(said.utf8))
      if i % 60 == 9 {
        let start = now - 59 * 48_000_000
        collector.recordRequest(
          tokenCount: 61, startNanoseconds: start, durationNanoseconds: now + duration - start)
      }
    } else {
      collector.recordStage(
        .prepare, startNanoseconds: now - 300_000,
        durationNanoseconds: 200_000 + UInt64(i * 37 % 100) * 1000)
      collector.recordStage(
        .publish, startNanoseconds: now + duration,
        durationNanoseconds: 20_000 + UInt64(i * 53 % 100) * 100)
      let line = i % 7 == 3 ? "tiger cat 0.544?" : "tabby cat 0.91\(i % 10)"
      collector.recordOutput(Array(line.utf8))
      collector.recordAnswer(isCorrect: i % 7 != 3)
    }
    return now + duration
  }
}

extension RecordedState {
  /// A request comes, and its prompt is read.
  private func readPrompt(of i: Int, _ collector: Collector, at now: UInt64) -> UInt64 {
    let prefill: UInt64 = 180_000_000 + UInt64(i) * 100_000
    collector.recordPrompt(
      tokenCount: 24, startNanoseconds: now, durationNanoseconds: prefill)
    collector.recordFirstToken(
      startNanoseconds: now, durationNanoseconds: prefill + 400_000)
    return now + prefill + 400_000
  }
}

struct ReplayedFrames {
  static let sizes = [
    Size(columns: 40, rows: 10), Size(columns: 80, rows: 24), Size(columns: 120, rows: 40),
    Size(columns: 200, rows: 60),
  ]

  @Test(arguments: RecordedState.allCases) func matches(state: RecordedState) throws {
    let run = try RecordedRun(bytes: state.record())
    try run.advance(toSeconds: .infinity)
    for size in Self.sizes {
      let frame = MonitorView.frame(run, size: size, keys: Array(state.keys.utf8))
      try GoldenFrames.compare(
        frame.text, with: "replay-\(state.rawValue)-\(size.columns)x\(size.rows).txt")
    }
  }

  /// A recorded run has no picture to show, and says so.
  @Test func recordedRunsSayWhyThereIsNoPicture() throws {
    let run = try RecordedRun(bytes: RecordedState.classifier.record())
    try run.advance(toSeconds: .infinity)
    let frame = MonitorView.frame(run, size: Size(columns: 80, rows: 24), keys: Array("i".utf8))
    #expect(frame.row(3).contains("picture -  recordings hold no pictures"))
    #expect(frame.text.contains("tabby cat"))
  }

  /// What each state is about is there to be read, at every size.
  @Test(arguments: [
    (RecordedState.loading, "LOADING"), (.warmUp, "WARM-UP"), (.languageModel, "smollm"),
    (.throttled, "! "), (.noMeter, "no meter"), (.overBudget, "!! over"), (.frozen, "FROZEN"),
    (.paused, "PAUSED"),
  ])
  func saysWhatItIs(state: RecordedState, word: String) throws {
    let run = try RecordedRun(bytes: state.record())
    try run.advance(toSeconds: .infinity)
    for size in Self.sizes {
      let frame = MonitorView.frame(run, size: size, keys: Array(state.keys.utf8))
      #expect(frame.text.contains(word), "\(state) at \(size)")
    }
  }

  /// Damaged recordings at every size: a frame, or an error that names a byte.
  @Test func damagedRecordingsAreDrawn() throws {
    var random = SeededRandom(state: 6)
    let good = RecordedState.throttled.record()
    var drawn = 0
    for round in 0..<300 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] =
          UInt8.random(in: 0...255, using: &random)
      }
      guard let run = try? RecordedRun(bytes: bytes) else { continue }
      try? run.advance(toSeconds: .infinity)
      for size in Self.sizes {
        let frame = MonitorView.frame(
          run, size: size, keys: Array(["", "2", "4", "5", "9"][round % 5].utf8))
        #expect(frame.size == size)
        drawn += 1
      }
    }
    #expect(drawn > 600)
  }

  /// A replay on a clock stands where the clock stands, and rests when it is told to.
  @Test func playsAtItsPace() throws {
    let bytes = RecordedState.classifier.record()
    let run = try RecordedRun(bytes: bytes)
    let source = try ReplaySource(run, fromSeconds: 2)
    let second: UInt64 = 1_000_000_000
    _ = source.snapshot(nowNanoseconds: 50 * second, windowSeconds: 60)
    let later = source.snapshot(nowNanoseconds: 53 * second, windowSeconds: 60)
    #expect(abs(later.elapsedSeconds - 5) < 1e-6)
    source.setPaused(true)
    let resting = source.snapshot(nowNanoseconds: 60 * second, windowSeconds: 60)
    #expect(resting.state == .paused && resting.elapsedSeconds == later.elapsedSeconds)
    source.setPaused(false)
    _ = source.snapshot(nowNanoseconds: 61 * second, windowSeconds: 60)
    let expected = try RecordedRun(bytes: bytes)
    try expected.advance(toSeconds: 6)
    var seen = source.snapshot(nowNanoseconds: 61 * second, windowSeconds: 60)
    var wanted = expected.snapshot()
    #expect(seen.inferenceCount == wanted.inferenceCount && seen.inferenceCount > 900)
    seen.number = 0
    wanted.number = 0
    var texts = ["", ""]
    dump(seen, to: &texts[0], maxItems: .max)
    dump(wanted, to: &texts[1], maxItems: .max)
    #expect(texts[0] == texts[1])
    let end = source.snapshot(nowNanoseconds: 500 * second, windowSeconds: 60)
    #expect(end.events.last?.text == EscapedText("the recording ends here"))
  }
}
