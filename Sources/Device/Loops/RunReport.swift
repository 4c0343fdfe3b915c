// What a run was, as facts for the monitor and as the JSON document at its end.
import Bytes
import Kernels
import Monitor
import Operators
import Platform
import Programs
import Reporting
import Runtime
import Tasks
import Telemetry
import Tensors

/// Figures of a run in the forms the tools print.
enum RunReport {
  /// What is known of a model before its first inference.
  static func facts(_ runner: ModelRunner, _ options: RunOptions) -> RunFacts {
    let model = runner.model
    let program = model.program
    var facts = RunFacts()
    facts.bundleName = EscapedText(Array(model.name.utf8))
    facts.scheme = EscapedText(Array(model.scheme.utf8))
    facts.device = EscapedText(Array((model.manifest["target"]?["name"]?.textValue ?? "host").utf8))
    let weightBytes = program.weights.reduce(0) { $0 + ($1.byteCount ?? 0) }
    facts.weightBytes = UInt64(weightBytes)
    facts.weightRanges = MemoryRange.merged(
      model.weights.map {
        unsafe MemoryRange(address: UInt(bitPattern: $0.base), byteCount: $0.byteCount)
      })
    facts.arenaBytes = UInt64(runner.session.arenaBytes)
    facts.loadNanoseconds = model.loadNanoseconds
    facts.memoryBudgetBytes = model.manifest["target"]?["ram_budget_bytes"]?.integerValue.map {
      UInt64(max($0, 0))
    }
    facts.latencyBudgetNanoseconds = options.deadlineNanoseconds
    facts.steps = MonitorFacts.steps(model)
    facts.schemeShares = schemeShares(program)
    facts.schemeMap = program.weights.map { letter(of: schemeName(of: $0)) }
    facts.tensors = MonitorFacts.tensors(model)
    facts.predictedLoss = model.manifest["fit"]?["predicted_loss"]?.doubleValue
    facts.predictionNotes = MonitorFacts.predictionNotes(model)
    facts.bitsPerWeight = model.manifest["weights"]?["bits_per_weight"]?.doubleValue
    facts.predictedP50Nanoseconds = model.predicted("latency_us").map { $0 * 1000 }
    // What packing took is in this process's peak too, and no part of the prediction.
    if !model.isPackedHere {
      facts.predictedPeakBytes = model.predicted("peak_memory_bytes").map { UInt64(max($0, 0)) }
    }
    facts.predictedJoulesPerInference = model.predicted("energy_j")
    if let idle = model.manifest["target"]?["idle_watts"]?.doubleValue,
      let active = model.manifest["target"]?["core_active_watts"]?.doubleValue
    {
      facts.energy = EnergyFigures(idleWatts: idle, wattsPerActiveCore: active)
    }
    return facts
  }

  /// How a weight is stored, by name.
  static func schemeName(of weight: ProgramWeight) -> String {
    weight.encoding?.scheme.name ?? weight.elementType.name
  }

  /// The letter that stands for a scheme on the map of weights.
  private static func letter(of scheme: String) -> UInt8 {
    switch scheme {
    case "f32": UInt8(ascii: "f")
    case "f16": UInt8(ascii: "h")
    case "bf16": UInt8(ascii: "b")
    case "int8": UInt8(ascii: "8")
    case "iq4_nl": UInt8(ascii: "q")
    case "nl2": UInt8(ascii: "2")
    case "nl3": UInt8(ascii: "3")
    case "nl4": UInt8(ascii: "4")
    case "nl5": UInt8(ascii: "5")
    case "nl6": UInt8(ascii: "6")
    default: UInt8(ascii: "i")
    }
  }

  /// Tensors and bytes by scheme, the largest share first.
  private static func schemeShares(_ program: Program) -> [SchemeShare] {
    var names: [String] = []
    var shares: [SchemeShare] = []
    for weight in program.weights {
      let name = schemeName(of: weight)
      var at = 0
      while at < names.count, names[at] != name { at += 1 }
      if at == names.count {
        names.append(name)
        shares.append(
          SchemeShare(
            scheme: EscapedText(Array(name.utf8)), letter: letter(of: name), tensorCount: 0,
            byteCount: 0))
      }
      shares[at].tensorCount += 1
      shares[at].byteCount += UInt64(weight.byteCount ?? 0)
    }
    return shares.sorted { $0.byteCount > $1.byteCount }
  }

  /// The scheme of the weight a step reads; f32 where it reads none.
  static func scheme(of step: Step, _ program: Program) -> String {
    for t in step.inputs where t >= 0 && !program.isSlot(t) {
      if let encoding = program.weights[t].encoding { return encoding.scheme.name }
    }
    return "f32"
  }

  /// The document of `--format json`; `results` is a finished JSON array.
  static func json(
    _ runner: ModelRunner, _ snapshot: Snapshot, results: [UInt8]?, report: String?
  ) -> [UInt8] {
    var json = JSONWriter()
    json.beginObject()
    json.field("schema", "knapsack.run")
    json.field("version", 1)
    json.field("model", runner.model.name)
    json.field("scheme", runner.model.scheme)
    json.field("task", runner.model.task.name)
    json.field("threads", runner.session.threadCount)
    json.field("inferences", snapshot.inferenceCount)
    json.field("load_us", Double(runner.model.loadNanoseconds) / 1000)
    put("latency_p50_us", snapshot.overall.p50.map { Double($0) / 1000 }, &json)
    put("latency_p95_us", snapshot.overall.p95.map { Double($0) / 1000 }, &json)
    put("latency_p99_us", snapshot.overall.p99.map { Double($0) / 1000 }, &json)
    put("latency_max_us", snapshot.overall.max.map { Double($0) / 1000 }, &json)
    put("throughput_per_s", snapshot.overallPerSecond, &json)
    json.field("arena_bytes", runner.session.arenaBytes)
    if let memory = ProcessMemory.current {
      json.field("peak_memory_bytes", memory.peakBytes)
    } else {
      json.nullField("peak_memory_bytes")
    }
    if snapshot.droppedCount > 0 { json.field("dropped", snapshot.droppedCount) }
    if snapshot.labelledCount > 0 {
      json.field("labelled", snapshot.labelledCount)
      json.field("correct", snapshot.correctCount)
      json.field("accuracy", Double(snapshot.correctCount) / Double(snapshot.labelledCount))
    }
    json.key("energy_per_inference")
    json.beginObject()
    put("energy_j", snapshot.power.joulesPerInference, &json)
    json.field("grade", String(decoding: [snapshot.power.grade.letter], as: UTF8.self))
    json.field("source", String(decoding: snapshot.power.source.utf8, as: UTF8.self))
    json.endObject()
    if let report { json.field("report_file", report) } else { json.nullField("report_file") }
    guard let results else {
      json.endObject()
      return json.bytes
    }
    // The results were written as they came: their text goes in behind the last field.
    json.endObject()
    return Array(json.bytes.dropLast()) + Array(",\"results\":".utf8) + results + [0x7D]
  }

  static func put(_ key: String, _ value: Double?, _ json: inout JSONWriter) {
    if let value { json.field(key, value) } else { json.nullField(key) }
  }
}

extension RunReport {
  /// What a report says beside the figures.
  struct Subject: Sendable {
    var task: String
    var threads: Int
    var kernels: String

    init(_ runner: ModelRunner) {
      task = runner.model.task.name
      threads = runner.session.threadCount
      kernels = KernelSet.best.name
    }
  }

  /// Runs this long are reported unasked.
  private static let lastingSeconds = 10.0

  /// Writes the report of a run, where one is wanted. Its path.
  static func write(
    _ snapshot: Snapshot, _ reporting: RunReporting, _ options: RunOptions, stopped: String?,
    _ subject: Subject
  ) -> String? {
    reporting.writeReport(
      snapshot, isLasting: options.loops || snapshot.elapsedSeconds > lastingSeconds,
      stopped: stopped
    ) { json in
      json.field("tool", options.name)
      json.field("task", subject.task)
      json.field("threads", subject.threads)
      json.field("kernels", subject.kernels)
    }
  }
}

extension StopReason {
  /// As a report has it.
  var words: String {
    switch self {
    case .user: "user"
    case .signal(let number): "signal \(number)"
    }
  }
}
