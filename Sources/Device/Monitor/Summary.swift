// What is printed when a run is over: the same figures whether there was a dashboard or not.
import Bytes
import CPlatform
import Telemetry

/// The block of lines after a run, and the line per interval during one. No escapes, ASCII but for
/// what names and outputs hold.
public enum Summary {
  /// The block: name and count, then latency, throughput, memory, energy, thermal, drift, accuracy.
  /// Each line ends with a line feed. report: where the run's report is, the last line.
  public static func block(
    _ snapshot: Snapshot, stopped: StopReason?, report: String? = nil
  ) -> [UInt8] {
    var text = TextBuffer()
    text.put(bytes: Header.name(snapshot.facts))
    text.put("   ")
    if let tokens = snapshot.tokens {
      text.put(bytes: Figure.count(tokens.requestCount))
      text.put(tokens.requestCount == 1 ? " request, " : " requests, ")
      text.put(bytes: Figure.count(tokens.outputTokenCount))
      text.put(tokens.outputTokenCount == 1 ? " token in " : " tokens in ")
    } else {
      text.put(bytes: Figure.count(snapshot.inferenceCount))
      text.put(snapshot.inferenceCount == 1 ? " inference in " : " inferences in ")
    }
    putDuration(snapshot.elapsedSeconds, into: &text)
    switch stopped {
    case .user: text.put("   stopped by user")
    case .signal(let number):
      text.put("   stopped by signal ")
      text.put(number)
    case nil: break
    }
    text.endLine()
    var lines = lines(snapshot)
    if let report {
      var text = TextBuffer()
      text.put(bytes: EscapedText(Array(report.utf8)).utf8)
      lines.append(("report", text))
    }
    for (name, line) in lines {
      text.put(name)
      text.put(byte: 0x20, count: 18 - name.utf8.count)
      text.put(bytes: line.bytes)
      text.endLine()
    }
    return text.bytes
  }

  /// Prints the block on standard output. A terminal that takes nothing for 5 s, or for half a
  /// second when a signal ended the run, goes without it.
  public static func print(
    _ snapshot: Snapshot, stopped: StopReason?, report: String? = nil
  ) {
    var patience: CInt = 5000
    if case .signal = stopped { patience = 500 }
    let bytes = block(snapshot, stopped: stopped, report: report)
    unsafe bytes.withUnsafeBufferPointer {
      _ = unsafe kp_write_in_time(1, $0.baseAddress, $0.count, patience)
    }
  }

  private static func lines(_ snapshot: Snapshot) -> [(String, TextBuffer)] {
    var lines: [(String, TextBuffer)] = []
    if let tokens = snapshot.tokens { lines += self.tokens(tokens) }
    lines.append(latency(snapshot))
    if let rate = snapshot.overallPerSecond {
      var text = TextBuffer()
      text.put(bytes: Figure.three(rate))
      text.put(" /s")
      lines.append(("throughput", text))
    }
    lines.append(("memory", memory(snapshot.memory)))
    lines.append(("energy", energy(snapshot)))
    if let grams = snapshot.power.carbon.gramsPerThousandInferences {
      lines.append(("carbon", carbon(snapshot.power, grams)))
    }
    if let celsius = snapshot.thermal.celsius {
      var text = TextBuffer()
      text.put(celsius, places: 1)
      text.put(" C now (")
      text.put(bytes: snapshot.thermal.zone.utf8)
      text.put(")")
      if snapshot.throttle.isThrottled != nil {
        text.put(", throttled ")
        text.put(bytes: Figure.three(snapshot.throttle.totalSeconds))
        text.put(" s")
      }
      lines.append(("thermal", text))
    }
    let known = snapshot.drift.filter { $0.ratio != nil }
    if !known.isEmpty { lines.append(("drift", drift(known))) }
    if let accuracy = snapshot.accuracy {
      var text = TextBuffer()
      text.put(accuracy * 100, places: 2)
      text.put(" % (")
      text.put(snapshot.correctCount)
      text.put(" of ")
      text.put(snapshot.labelledCount)
      text.put(" right)")
      lines.append(("accuracy", text))
    }
    if snapshot.droppedCount > 0 {
      var text = TextBuffer()
      text.put(snapshot.droppedCount)
      text.put(" items came while the model had no time for them")
      lines.append(("dropped", text))
    }
    if snapshot.lostSampleCount > 0 {
      var text = TextBuffer()
      text.put(snapshot.lostSampleCount)
      text.put(" samples: the figures above miss them")
      lines.append(("lost", text))
    }
    return lines
  }

  /// How fast text came, over the whole run.
  private static func tokens(_ tokens: TokenReading) -> [(String, TextBuffer)] {
    var speed = TextBuffer()
    speed.put("decode ")
    speed.put(bytes: Figure.three(tokens.overallDecodePerSecond))
    speed.put(" /s  prefill ")
    speed.put(bytes: Figure.three(tokens.overallPrefillPerSecond))
    speed.put(" /s   ")
    speed.put(bytes: Figure.count(tokens.promptTokenCount))
    speed.put(" read, ")
    speed.put(bytes: Figure.count(tokens.outputTokenCount))
    speed.put(" written")
    let first = LatencySummary(tokens.overallFirstToken)
    let unit = TimeUnit.fitting(first.p50.map { Double($0) })
    var wait = TextBuffer()
    put(first, unit, into: &wait)
    return [
      ("tokens", speed), ("first token \(EscapedText(unit.plainName).string)", wait),
    ]
  }

  /// `p50 4.81  p95 5.02  p99 6.10  max 18.2`.
  private static func put(_ latency: LatencySummary, _ unit: TimeUnit, into text: inout TextBuffer)
  {
    for (name, value) in [
      ("p50 ", latency.p50), ("  p95 ", latency.p95), ("  p99 ", latency.p99),
      ("  max ", latency.max),
    ] {
      text.put(name)
      text.put(bytes: unit.three(value))
    }
  }

  private static func latency(_ snapshot: Snapshot) -> (String, TextBuffer) {
    let overall = snapshot.overall
    let unit = TimeUnit.fitting((overall.p50 ?? snapshot.lastNanoseconds).map { Double($0) })
    var text = TextBuffer()
    put(overall, unit, into: &text)
    if let first = snapshot.firstNanoseconds {
      text.put("  first ")
      text.put(bytes: unit.three(first))
    }
    if let budget = snapshot.facts.latencyBudgetNanoseconds {
      text.put("   missed ")
      text.put(bytes: Figure.count(snapshot.missedCount))
      text.put(" of budget ")
      text.put(bytes: TimeUnit.milliseconds.three(budget))
      text.put(" ms")
    }
    let name = snapshot.tokens == nil ? "latency" : "token"
    return ("\(name) \(EscapedText(unit.plainName).string)", text)
  }

  private static func memory(_ memory: MemoryReading) -> TextBuffer {
    var text = TextBuffer()
    text.put("peak ")
    text.put(bytes: Figure.mebibytes(memory.peak))
    if memory.budget != nil {
      text.put(" of ")
      text.put(bytes: Figure.mebibytes(memory.budget))
    }
    text.put(" MiB (arena ")
    text.put(bytes: Figure.mebibytes(memory.arena))
    text.put(", weights ")
    text.put(bytes: Figure.mebibytes(memory.weights))
    text.put(")")
    return text
  }

  private static func energy(_ snapshot: Snapshot) -> TextBuffer {
    let power = snapshot.power
    var text = TextBuffer()
    guard power.watts != nil else {
      text.put("-  ")
      text.put(bytes: power.source.utf8)
      return text
    }
    let mark = power.grade == .model ? "~" : ""
    if power.joulesPerInference != nil {
      let (figure, unit) = Panel.energy(power.joulesPerInference)
      text.put(mark)
      text.put(bytes: figure)
      text.put(bytes: Panel.ascii(unit))
      text.put(snapshot.tokens == nil ? " per inference, " : " per token, ")
      if power.joulesPerInferenceAboveIdle != nil {
        let (above, unit) = Panel.energy(power.joulesPerInferenceAboveIdle)
        text.put(mark)
        text.put(bytes: above)
        text.put(bytes: Panel.ascii(unit))
        text.put(" of them above idle, ")
      }
    }
    if power.totalJoules != nil {
      let (figure, unit) = Panel.energy(power.totalJoules)
      text.put("total ")
      text.put(mark)
      text.put(bytes: figure)
      text.put(bytes: Panel.ascii(unit))
      text.put(", ")
    }
    text.put(mark)
    text.put(bytes: Figure.three(power.watts))
    text.put(" W   ")
    text.put(bytes: Panel.gradeText(power))
    text.put(" ")
    text.put(bytes: power.source.utf8)
    if power.bandPercent > 0 {
      text.put(", +-")
      text.put(power.bandPercent, places: 0)
      text.put(" %")
    }
    return text
  }

  /// Grams with the factor that made them.
  private static func carbon(_ power: PowerReading, _ grams: Double) -> TextBuffer {
    var text = TextBuffer()
    text.put(power.grade == .model ? "~" : "")
    text.put(significant: grams)
    text.put(" g CO2e per 1 000 inferences, at ")
    text.put(significant: power.carbon.gridGramsPerKilowattHour)
    text.put(power.carbon.isWorldAverage ? " g/kWh (world average)" : " g/kWh")
    return text
  }

  private static func drift(_ rows: [DriftRow]) -> TextBuffer {
    var text = TextBuffer()
    for (i, row) in rows.enumerated() {
      if i > 0 { text.put("   ") }
      switch row.quantity {
      case .p50: text.put("p50 x")
      case .peakMemory: text.put("peak memory x")
      case .energy: text.put("energy x")
      }
      text.put(row.ratio ?? 0, places: 2)
      text.put(!row.isOff ? " ok" : (row.ratio ?? 0) > 1 ? " ! high" : " ! low")
    }
    return text
  }

  private static func putDuration(_ seconds: Double, into text: inout TextBuffer) {
    guard seconds.isFinite, seconds < 1e9 else { return text.put("-") }
    if seconds < 60 {
      text.put(bytes: Figure.three(seconds))
      return text.put(" s")
    }
    let total = UInt64(seconds)
    if total >= 3600 {
      text.put(total / 3600)
      text.put(" h ")
    }
    text.put(total / 60 % 60)
    text.put(" min ")
    if total < 3600 {
      text.put(total % 60)
      text.put(" s")
    } else {
      text.put("")
    }
  }
}

extension EscapedText {
  var string: String { String(decoding: utf8, as: UTF8.self) }
}
