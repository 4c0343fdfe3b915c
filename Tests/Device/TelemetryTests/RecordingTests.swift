// A run recorded and taken in again says the same at every moment; what is no recording is refused.
import Platform
import Randomness
import RecordedMachines
import Telemetry
import Testing

/// Everything a snapshot holds, as text: its number apart, which counts looks and not what is seen.
func described(_ snapshot: Snapshot) -> String {
  var copy = snapshot
  copy.number = 0
  // Recordings have none, and say so.
  copy.picture = .awaited
  var text = ""
  dump(copy, to: &text, maxItems: .max)
  return text
}

/// A run in virtual time on a board with a meter that heats up, is paused, reset and suspended.
struct RecordedScenario {
  let recorder: Recorder
  /// Seconds of the run, and what was said then.
  var looks: [(seconds: Double, text: String)] = []

  init(seed: UInt64, seconds: Int = 40, limit: Int = Recorder.byteLimit) {
    var random = SeededRandom(state: seed)
    recorder = Recorder(limit: limit)
    let tree = RecordedTree(Machine.orinNX)
    tree.write(Self.heat(50_000))
    let start: UInt64 = 123_456_789_012
    let collector = Collector(
      facts: RunFacts(), nowNanoseconds: start, sampler: tree.sampler, ringCapacity: 1 << 12)
    collector.record(into: recorder, secondOfDay: 43_380)
    var switches: UInt64 = 0
    collector.interruptions = { _ in (switches / 4, switches) }
    collector.recordPhase(Array("verifying".utf8))
    collector.setProgress(0.25)
    collector.poll(nowNanoseconds: start + 1000)
    collector.setLoaded(Self.facts())
    collector.setState(.running)
    var now = start + 50_000_000
    while now < start + UInt64(seconds) * 1_000_000_000 {
      let second = Int((now - start) / 1_000_000_000)
      if second == 12 { tree.write(Self.heat(91_000)) }
      if second == 24 { tree.write(Self.heat(60_000)) }
      collector.setPaused((30..<35).contains(second))
      for _ in 0..<Int.random(in: 0...9, using: &random) {
        let duration = UInt64.random(in: 900_000...6_000_000, using: &random)
        if Int.random(in: 0..<4, using: &random) == 0 {
          collector.recordStage(
            .prepare, startNanoseconds: now, durationNanoseconds: duration / 7)
          now += duration / 7
        }
        if collector.wantsStepTimes() {
          for step in 0..<3 { collector.recordStep(step, durationNanoseconds: duration / 4) }
        }
        collector.beginInference()
        if duration % 3 == 0 { switches += duration % 5 }
        let isSlow = Int.random(in: 0..<10, using: &random) == 0
        collector.recordInference(
          startNanoseconds: now, durationNanoseconds: isSlow ? duration * 4 : duration)
        if duration % 9 == 0 {
          collector.recordPrompt(
            tokenCount: Int(duration % 400), startNanoseconds: now,
            durationNanoseconds: duration / 2)
          collector.recordFirstToken(startNanoseconds: now, durationNanoseconds: duration)
          collector.recordRequest(
            tokenCount: 7, startNanoseconds: now, durationNanoseconds: duration * 2)
          collector.setContext(usedTokens: Int(duration % 2000), keyValueBytes: duration)
        }
        collector.recordOutput(Array("line \u{1B}[2J \(duration)".utf8))
        collector.recordAnswer(isCorrect: duration % 3 == 0)
        now += duration
      }
      now += UInt64.random(in: 10_000_000...90_000_000, using: &random)
      if Int.random(in: 0..<40, using: &random) == 0 {
        collector.recordEvent(.warning, Array("something happened".utf8))
      }
      if Int.random(in: 0..<60, using: &random) == 0 {
        collector.addEvent(.note, "mark", nowNanoseconds: now)
      }
      if Int.random(in: 0..<200, using: &random) == 0 {
        collector.exclude(fromNanoseconds: now, toNanoseconds: now + 300_000_000)
        now += 300_000_001
      }
      if Int.random(in: 0..<200, using: &random) == 0 { collector.reset(nowNanoseconds: now) }
      if Int.random(in: 0..<15, using: &random) == 0 {
        let snapshot = collector.snapshot(nowNanoseconds: now)
        looks.append((Double(now - start) / 1e9, described(snapshot)))
      } else {
        collector.poll(nowNanoseconds: now)
      }
    }
    collector.setState(.done)
    now += 1_000_000
    let last = collector.snapshot(nowNanoseconds: now, windowSeconds: nil)
    looks.append((Double(now - start) / 1e9, described(last)))
    recorder.flush()
  }

  private static func heat(_ millidegrees: Int) -> [String: String] {
    let zone = "sys/class/thermal/thermal_zone0/"
    return [
      zone + "type": "cpu-thermal\n", zone + "temp": "\(millidegrees)\n",
      zone + "trip_point_0_type": "passive\n", zone + "trip_point_0_temp": "80000\n",
    ]
  }

  private static func facts() -> RunFacts {
    var facts = RunFacts()
    facts.bundleName = EscapedText("digits")
    facts.scheme = EscapedText("int8")
    facts.warmUpCount = 10
    facts.latencyBudgetNanoseconds = 5_000_000
    facts.memoryBudgetBytes = 64 << 20
    facts.weightBytes = 3_670_016
    facts.arenaBytes = 6_396_313
    facts.energy = EnergyFigures(idleWatts: 2, wattsPerActiveCore: 1)
    facts.predictedP50Nanoseconds = 4_000_000
    facts.generation = GenerationFacts(contextTokens: 2048, keyValueBytes: 1 << 20)
    facts.schemeMap = Array("88f8".utf8)
    facts.schemeShares = [
      SchemeShare(scheme: EscapedText("int8"), letter: 0x38, tensorCount: 3, byteCount: 3_000_000)
    ]
    facts.steps = (0..<4).map { _ in
      StepFact(
        name: EscapedText("s"), kind: EscapedText("conv"), scheme: EscapedText("int8"),
        multiplyAccumulates: 12_000_000, bound: .memory)
    }
    return facts
  }
}

struct RecordingTests {
  @Test(arguments: [1, 2]) func saysTheSameAtEveryMoment(seed: UInt64) throws {
    let scenario = RecordedScenario(seed: seed)
    #expect(scenario.looks.count > 20)
    // Everything that goes into the figures is in them.
    for part in ["stage: Telemetry.ItemStage.prepare", "wereStepsTimed: true", "p99: Optional"] {
      #expect(scenario.looks.contains { $0.text.contains(part) }, "\(part)")
    }
    let run = try RecordedRun(bytes: scenario.recorder.bytes)
    for (i, look) in scenario.looks.enumerated() {
      try run.advance(toSeconds: look.seconds)
      let isLast = i == scenario.looks.count - 1
      let again = run.snapshot(windowSeconds: isLast ? nil : RateWindow.seconds)
      #expect(described(again) == look.text, "at \(look.seconds) s")
    }
    try run.advance(toSeconds: .infinity)
    #expect(run.isAtEnd && !run.isCut)
    #expect(run.runState == .done)
  }

  /// The same recording, looked at in other steps, ends in the same figures.
  @Test func stepsDoNotMatter() throws {
    let bytes = RecordedScenario(seed: 9).recorder.bytes
    let whole = try RecordedRun(bytes: bytes)
    try whole.advance(toSeconds: 25)
    let fine = try RecordedRun(bytes: bytes)
    for i in 0...2500 {
      try fine.advance(toSeconds: Double(i) / 100)
      _ = fine.snapshot(windowSeconds: 10)
    }
    #expect(described(whole.snapshot()) == described(fine.snapshot()))
    #expect(whole.secondOfDay == 43_405)
  }

  @Test func filesAndMemoryAreTheSame() throws {
    let bytes = RecordedScenario(seed: 4).recorder.bytes
    let tree = RecordedTree()
    let file = try GrowingFile(path: tree.root + "/run.rec")
    for start in stride(from: 0, to: bytes.count, by: 1000) {
      try file.write(Array(bytes[start..<min(start + 1000, bytes.count)]))
    }
    let run = try RecordedRun(path: file.path)
    let memory = try RecordedRun(bytes: bytes)
    for seconds in [0.0, 0.1, 3, 17, 33, 100] {
      try run.advance(toSeconds: seconds)
      try memory.advance(toSeconds: seconds)
      #expect(described(run.snapshot()) == described(memory.snapshot()))
    }
  }

  /// A recording that is full ends; the run is told once.
  @Test func aFullRecordingEnds() throws {
    let recorder = RecordedScenario(seed: 5, seconds: 20, limit: 20_000).recorder
    #expect(recorder.bytes.count < 40_000)
    let run = try RecordedRun(bytes: recorder.bytes)
    try run.advance(toSeconds: .infinity)
    #expect(run.elapsedSeconds > 1 && run.elapsedSeconds < 19)
  }

  @Test func aDiskThatIsFullIsOneEvent() throws {
    guard let recorder = try? Recorder(path: "/dev/full") else { return }
    let collector = Collector(
      facts: RunFacts(), nowNanoseconds: 0, sampler: SystemSampler(root: "/nonexistent"))
    collector.record(into: recorder, secondOfDay: 0)
    for i in 1...50 { collector.poll(nowNanoseconds: UInt64(i) * 100_000_000) }
    let events = collector.snapshot(nowNanoseconds: 6_000_000_000).events
    #expect(events.count == 1)
    #expect(events.first?.text.string.contains("recording off: ") == true)
    #expect(events.first?.level == .warning)
  }

  @Test func whatIsNoRecordingIsRefused() throws {
    func refusal(_ bytes: [UInt8]) -> RecordingError? {
      do throws(RecordingError) {
        let run = try RecordedRun(bytes: bytes)
        try run.advance(toSeconds: .infinity)
        return nil
      } catch {
        return error
      }
    }
    let good = RecordedScenario(seed: 6, seconds: 5).recorder.bytes
    #expect(refusal(good) == nil)
    #expect(refusal([]) == RecordingError(offset: 0, reason: .notARecording))
    #expect(refusal(Array("NOTAREC".utf8)) == RecordingError(offset: 0, reason: .notARecording))
    var newer = good
    newer[7] = 3
    #expect(refusal(newer) == RecordingError(offset: 7, reason: .version(found: 3, known: 2)))
    // Start at 5 ns, noon, no grid intensity.
    let head = Array(good.prefix(8)) + [5, 0xC0, 0xD1, 2, 0]
    #expect(refusal(head) == nil)
    #expect(refusal(head + [99]) == RecordingError(offset: 13, reason: .unknown(99)))
    // A sample of nothing that is known.
    #expect(refusal(head + [5, 2, 0, 9, 9]) == nil)
    #expect(refusal(head + [5, 9, 0, 9, 9]) == RecordingError(offset: 13, reason: .unknown(9)))
    // The same as an entry that never was.
    #expect(refusal(head + [128 + 18]) == RecordingError(offset: 13, reason: .unknown(146)))
    // Five bytes of a text of which four are fields: number 1, two letters, one too many.
    #expect(
      refusal(head + [18, 5, 1, 2, 0x61, 0x62, 0])
        == RecordingError(offset: 19, reason: .leftOver(1)))
    // A list of a million, of which there is nothing.
    #expect(refusal(head + [21, 3, 0xC0, 0x84, 0x3D])?.offset == 15)
    // Longer than any entry, and longer than the file: the one is refused, the other is cut.
    #expect(
      refusal(head + [16, 0x81, 0x80, 0x80, 0x02])
        == RecordingError(offset: 14, reason: .outOfRange((4 << 20) + 1)))
    let cut = try RecordedRun(bytes: head + [16, 0x80, 0x80, 0x04])
    try cut.advance(toSeconds: .infinity)
    #expect(cut.isCut && cut.isAtEnd)
    // A moment that no clock reaches.
    let far: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]
    #expect(refusal(head + [1] + far)?.offset == 14)
  }

  /// Whatever is changed or cut: an error that names a byte of the file, or a snapshot.
  @Test func damagedRecordings() throws {
    var random = SeededRandom(state: 77)
    let good = RecordedScenario(seed: 8, seconds: 6).recorder.bytes
    var refused = 0
    for round in 0..<600 {
      var bytes = good
      if round % 3 == 0 { bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random)) }
      for _ in 0..<Int.random(in: 0...4, using: &random) where !bytes.isEmpty {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        bytes[at] = UInt8.random(in: 0...255, using: &random)
      }
      do throws(RecordingError) {
        let run = try RecordedRun(bytes: bytes)
        try run.advance(toSeconds: Double.random(in: 0...8, using: &random))
        _ = run.snapshot(windowSeconds: round % 2 == 0 ? nil : 60)
        try run.advance(toSeconds: .infinity)
        _ = run.snapshot()
      } catch {
        refused += 1
        #expect(error.offset >= 0 && error.offset <= bytes.count)
        #expect(error.description.hasPrefix("byte \(error.offset): "))
      }
    }
    #expect(refused > 100)
  }
}
