// A trace as Chrome's trace event format has it, which Perfetto, speedscope and browsers read.
import Bytes
import Platform
import Telemetry

/// Complete events for inferences and their steps, counters for power, temperature and memory, instants
/// for events; times in microseconds of the monotonic clock; process and thread are integers.
///
/// The format: "Trace Event Format", N. Duca and D. Sinclair, JSON object form.
public enum TraceJSON {
  private static let chunkBytes = 1 << 16
  private static let thread = 1

  /// Writes a recording to a file, whole or not at all, a piece at a time.
  ///
  /// process: the number of the process that was traced.
  public static func write(
    _ recording: TraceRecording, process: Int32, to path: String
  ) throws(PlatformError) {
    var writer = Writer(file: try AtomicFile(path: path), process: process)
    try writer.begin(recording)
    for (i, inference) in recording.inferences.enumerated() {
      try writer.put(inference, number: i + 1, recording)
    }
    for reading in recording.machine { try writer.put(reading) }
    try writer.putEvents(recording)
    try writer.end()
  }

  private struct Writer {
    let file: AtomicFile
    let process: Int32
    var pending: [UInt8] = []
    var json = JSONWriter()
    var isFirst = true

    init(file: AtomicFile, process: Int32) {
      self.file = file
      self.process = process
    }

    mutating func begin(_ recording: TraceRecording) throws(PlatformError) {
      let snapshot = recording.snapshot
      json.beginObject()
      json.field("schema", "knapsack.trace")
      json.field("version", 1)
      json.field("tool_version", Release.version)
      json.field("bundle", snapshot.facts.bundleName)
      json.field("device", snapshot.facts.device)
      json.field("inferences", recording.inferences.count)
      json.field("is_cut", recording.isCut)
      json.field("lost_samples", snapshot.lostSampleCount)
      json.field("clock", "monotonic")
      json.field("steps", "laid end to end from the start of their inference")
      json.endObject()
      pending += "{\"displayTimeUnit\":\"ms\",\"otherData\":".utf8
      pending += json.bytes
      pending += ",\"traceEvents\":[\n".utf8
      for (kind, name) in [
        ("process_name", EscapedText(Array("knapsack ".utf8) + snapshot.facts.bundleName.utf8)),
        ("thread_name", EscapedText("inference")),
      ] {
        open(kind, "M", atNanoseconds: 0)
        json.key("args")
        json.beginObject()
        json.field("name", name)
        json.endObject()
        try close()
      }
    }

    mutating func put(
      _ inference: TracedInference, number: Int, _ recording: TraceRecording
    ) throws(PlatformError) {
      open("inference", "X", atNanoseconds: inference.startNanoseconds)
      json.field("cat", "inference")
      json.field("dur", Double(inference.durationNanoseconds) / 1000)
      json.key("args")
      json.beginObject()
      json.field("number", number)
      json.endObject()
      try close()
      let steps = recording.snapshot.facts.steps
      var done: UInt64 = 0
      for step in recording.steps[inference.steps] {
        // Slices of one thread must not reach beyond the one they are in.
        let duration = min(step.durationNanoseconds, inference.durationNanoseconds - done)
        let fact = step.step < steps.count ? steps[step.step] : nil
        open(
          fact?.kind ?? EscapedText("step"), "X",
          atNanoseconds: inference.startNanoseconds &+ done)
        json.field("cat", "step")
        json.field("dur", Double(duration) / 1000)
        json.key("args")
        json.beginObject()
        json.field("step", step.step)
        if let fact {
          json.field("name", fact.name)
          json.field("scheme", fact.scheme)
        }
        json.endObject()
        try close()
        done += duration
      }
    }

    mutating func put(_ reading: TracedMachine) throws(PlatformError) {
      for (name, unit, value) in [
        ("power", "w", reading.watts), ("temperature", "c", reading.celsius),
        ("memory", "resident_bytes", reading.residentBytes.map { Double($0) }),
      ] {
        guard let value, value.isFinite else { continue }
        open(EscapedText(Array(name.utf8)), "C", atNanoseconds: reading.atNanoseconds)
        json.key("args")
        json.beginObject()
        json.field(unit, value)
        json.endObject()
        try close()
      }
    }

    /// What happened between the first inference and the last look at the machine.
    mutating func putEvents(_ recording: TraceRecording) throws(PlatformError) {
      guard let first = recording.inferences.first, let last = recording.inferences.last else {
        return
      }
      let end = max(
        last.startNanoseconds &+ last.durationNanoseconds,
        recording.machine.last?.atNanoseconds ?? 0)
      for event in recording.snapshot.events {
        guard event.elapsedSeconds >= 0, event.elapsedSeconds < 1e9 else { continue }
        let at = recording.startedAtNanoseconds &+ UInt64(event.elapsedSeconds * 1e9)
        guard at >= first.startNanoseconds, at <= end else { continue }
        open(event.text, "i", atNanoseconds: at)
        json.field("cat", event.level.name)
        // Seen across all threads.
        json.field("s", "g")
        try close()
      }
    }

    mutating func end() throws(PlatformError) {
      pending += "\n]}\n".utf8
      try flush()
      try file.commit()
    }

    private mutating func open(_ name: String, _ phase: String, atNanoseconds: UInt64) {
      open(EscapedText(Array(name.utf8)), phase, atNanoseconds: atNanoseconds)
    }

    /// Begins an event, without what belongs to its phase.
    private mutating func open(_ name: EscapedText, _ phase: String, atNanoseconds: UInt64) {
      json.clear()
      json.beginObject()
      json.field("name", name)
      json.field("ph", phase)
      json.field("pid", process)
      json.field("tid", TraceJSON.thread)
      json.field("ts", Double(atNanoseconds) / 1000)
    }

    private mutating func close() throws(PlatformError) {
      json.endObject()
      if !isFirst { pending += ",\n".utf8 }
      isFirst = false
      pending += json.bytes
      if pending.count >= TraceJSON.chunkBytes { try flush() }
    }

    private mutating func flush() throws(PlatformError) {
      try file.write(pending)
      pending.removeAll(keepingCapacity: true)
    }
  }
}
