// knapsack inspect: what is in a bundle or a model.
import ArgumentParser
import BundleFormat
import Bytes
import Fitting
import Foundation
import Graphs
import Importers
import Loops
import Lowering
import Packing
import Platform
import Programs
import Tensors
import WeightCoding

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what is in a bundle or a model.",
    discussion: """
      A model is shown as it would be packed for this machine.

      EXAMPLES:
        knapsack inspect digits.knap
        knapsack inspect model.onnx --format json
        knapsack inspect model.onnx --explain
        knapsack inspect model.onnx --slack --target raspberry-pi-5
        knapsack inspect --support
      """)

  @Argument(help: "A bundle, a model file, a model folder or a recipe folder.")
  var file: String?

  @OptionGroup var choice: InMemoryOptions

  @Option(help: "What to print: text or json.")
  var format: ReportFormat = .text

  @Option(help: "Threads that the latency of a model is predicted for.")
  var threads: Int = 1

  @Flag(help: "List every step.")
  var steps = false

  @Flag(help: "Tell what became of a model's nodes: decomposed, folded, fused or dropped.")
  var explain = false

  @Flag(help: "List a model's nodes as they are imported, and what importing takes.")
  var nodes = false

  @Flag(help: "Tell what a model could do without: dead channels, duplicates, wide types.")
  var slack = false

  @Option(help: "With --slack: the target whose speeds tell what int8 gains.")
  var target: String?

  @Flag(help: "List the operators that can be imported, and their element types.")
  var support = false

  func validate() throws {
    guard support != (file != nil) else {
      throw ValidationError(
        support ? "--support is about every model: name none." : "Name a bundle or a model.")
    }
    guard target == nil || slack else { throw ValidationError("--target goes with --slack.") }
    guard let file else { return }
    guard explain || nodes || slack, let format = try? ModelFormat.detect(file), format == .bundle
    else { return }
    throw ValidationError(
      "--\(explain ? "explain" : nodes ? "nodes" : "slack") needs the model: a bundle has only the steps it became."
    )
  }

  func run() throws {
    try reportingFailures {
      guard let file else {
        let table = SupportTable()
        return try Standard.output.write(format == .json ? table.json : table.text)
      }
      if nodes {
        let listing = try ImportListing(file)
        return try Standard.output.write(format == .json ? listing.json : listing.text)
      }
      if slack {
        let listing = try SlackListing(file, target ?? DeviceProfile.hostName, choice, threads)
        return try Standard.output.write(format == .json ? listing.json : listing.text)
      }
      let inspection: Inspection
      if try ModelFormat.detect(file) == .bundle {
        let reader = try BundleReader(path: file)
        let program = try Program(decoding: try reader.sectionBytes(.program))
        try program.validate(weightBytes: try reader.weightByteCount())
        let coded = try reader.codedWeights(of: program).entries
        inspection = Inspection(
          manifest: reader.manifest, program: program, sections: reader.sections,
          coded: coded, storedBytes: reader.byteCount, digest: reader.contentDigest.hexadecimal)
      } else {
        var request = try PackRequest(inMemory: file, choice)
        request.threads = threads
        let packed = try Packer.pack(request)
        inspection = Inspection(
          manifest: Manifest.make(packed), program: packed.program, sections: [],
          storedBytes: packed.candidate.storageBytes, digest: nil,
          events: explain ? packed.graph.events : nil, work: packed.candidate.model.work,
          stepLatencies: packed.latency?.steps ?? [])
      }
      try Standard.output.write(
        format == .json ? inspection.json : inspection.text(listsSteps: steps))
    }
  }
}

/// A manifest and a program, printed.
struct Inspection {
  var manifest: CBORValue
  var program: Program
  var sections: [BundleSection]
  /// The weights that are coded.
  var coded: [CodedWeightEntry] = []
  var storedBytes: Int
  var digest: String?
  /// What was done to the model's nodes, where that is asked for.
  var events: [GraphEvent]?
  /// What the cost model knows of each step, and its time: of a model only.
  var work: [StepWork] = []
  var stepLatencies: [CostEstimate] = []

  var json: [UInt8] {
    var json = JSONWriter(isPretty: true)
    json.beginObject()
    json.field("schema", "knapsack.inspect")
    json.field("version", 1)
    json.field("name", manifest["name"]?.textValue ?? "")
    json.field("scheme", manifest["scheme"]?.textValue ?? "")
    put("bits_per_weight", manifest["weights"]?["bits_per_weight"], &json)
    json.field("stored_bytes", storedBytes)
    json.field("arena_bytes", program.plan.arenaBytes)
    json.field("arena_lower_bound_bytes", program.plan.lowerBoundBytes)
    json.field("peak_step", program.plan.peakStep)
    json.field("peak_step_name", Manifest.name(ofStep: program.plan.peakStep, in: program))
    put("predicted_peak_memory_bytes", predicted("peak_memory_bytes"), &json)
    put("predicted_latency_us", predicted("latency_us"), &json)
    put("predicted_energy_j", predicted("energy_j"), &json)
    if let digest { json.field("content_digest", digest) }
    json.key("sections")
    json.beginArray()
    for s in sections {
      json.beginObject()
      json.field("kind", s.name)
      json.field("offset", s.offset)
      json.field("stored_bytes", s.storedByteCount)
      json.field("raw_bytes", s.rawByteCount)
      json.field("mappable", s.isMappable)
      json.endObject()
    }
    json.endArray()
    json.key("manifest")
    Inspection.write(manifest, &json)
    json.key("program")
    json.beginArray()
    for (i, step) in program.steps.enumerated() {
      json.beginObject()
      json.field("step", i)
      json.field("name", step.name)
      json.field("operator", step.op.name)
      json.key("inputs")
      json.beginArray()
      for t in step.inputs { json.value(t) }
      json.endArray()
      json.key("outputs")
      json.beginArray()
      for t in step.outputs { json.value(t) }
      json.endArray()
      json.field("scratch_bytes", program.plan.scratchCapacities[i])
      if work.indices.contains(i) {
        json.field("kind", work[i].kind)
        json.key("extents")
        json.beginArray()
        for extent in work[i].extents { json.value(extent) }
        json.endArray()
      }
      if stepLatencies.indices.contains(i) {
        json.field("predicted_latency_us", stepLatencies[i].value * 1e6)
      }
      json.endObject()
    }
    json.endArray()
    json.key("weights")
    json.beginArray()
    var codings: [Int: CodedWeightEntry] = [:]
    for entry in coded { codings[entry.weight] = entry }
    for (i, w) in program.weights.enumerated() {
      let elements = max(w.shape.elementCount, 1)
      let storedBytes = codings[i]?.byteCount ?? w.byteCount ?? 0
      json.beginObject()
      json.field("name", w.name)
      json.field("scheme", w.encoding?.scheme.name ?? w.elementType.name)
      json.field("shape", w.shape.description)
      json.field("bytes", w.byteCount ?? 0)
      json.field("coding", codings[i]?.coded.kind.name ?? "mapped")
      json.field("stored_bytes", storedBytes)
      json.field("stored_bits_per_weight", Double(storedBytes) * 8 / Double(elements))
      json.endObject()
    }
    json.endArray()
    if let events { Explanation(events).write(&json) }
    json.endObject()
    json.endDocument()
    return json.bytes
  }

  private func predicted(_ key: String) -> CBORValue? { manifest["predicted"]?[key] }

  /// A prediction of the manifest, `unit` being so many seconds or joules.
  private func cost(_ name: String, _ unit: String, _ scale: Double) -> CostLine? {
    guard let value = predicted("\(name)_\(unit)")?.doubleValue,
      let low = predicted("\(name)_low_\(unit)")?.doubleValue,
      let high = predicted("\(name)_high_\(unit)")?.doubleValue
    else { return nil }
    return CostLine(
      value: value * scale, low: low * scale, high: high * scale,
      isLowerBound: predicted("\(name)_is_lower_bound")?.boolValue == true)
  }

  private func put(_ key: String, _ value: CBORValue?, _ json: inout JSONWriter) {
    json.key(key)
    Inspection.write(value ?? .null, &json)
  }

  private static func write(_ value: CBORValue, _ json: inout JSONWriter) {
    switch value {
    case .integer(let n): json.value(n)
    case .double(let d): json.value(d)
    case .bool(let b): json.value(b)
    case .text(let t): json.value(t)
    case .null: json.null()
    case .bytes(let bytes): json.value("\(bytes.count) bytes")
    case .array(let items):
      json.beginArray()
      for item in items { write(item, &json) }
      json.endArray()
    case .map(let pairs):
      json.beginObject()
      for pair in pairs {
        json.key(pair.key.textValue ?? "\(pair.key.integerValue ?? 0)")
        write(pair.value, &json)
      }
      json.endObject()
    }
  }

  func text(listsSteps: Bool) -> [UInt8] {
    var text = TextBuffer()
    func line(_ name: String, _ value: String) {
      text.put(name)
      text.put(byte: 0x20, count: max(1, 13 - name.utf8.count))
      text.put(untrusted: Array(value.utf8))
      text.put("\n")
    }
    line("name", manifest["name"]?.textValue ?? "")
    if let about = manifest["description"]?.textValue, !about.isEmpty { line("about", about) }
    line("task", manifest["task"]?["task"]?.textValue ?? "")
    line("target", manifest["target"]?["name"]?.textValue ?? "")
    let bits = manifest["weights"]?["bits_per_weight"]?.doubleValue ?? 0
    line(
      "scheme",
      "\(manifest["scheme"]?.textValue ?? ""), \((bits * 100).rounded() / 100) bits per weight")
    var sizes = TextBuffer()
    sizes.put(fileBytes: storedBytes)
    line("stored", sizes.text)
    if let weights = manifest["weights"], let stored = weights["stored_bytes"]?.integerValue,
      let codings = weights["codings"]?.mapValue
    {
      var text = TextBuffer()
      text.put(fileBytes: Int(clamping: stored))
      text.put(", ")
      text.put(weights["stored_bits_per_weight"]?.doubleValue ?? 0, places: 2)
      text.put(" bits per weight:")
      for (i, pair) in codings.enumerated() {
        text.put(i == 0 ? " " : ", ")
        text.put("\(pair.key.textValue ?? "") ")
        text.put(fileBytes: Int(clamping: pair.value.integerValue ?? 0))
      }
      line("weights", text.text)
    }
    for i in program.inputs {
      line("input", "\(i.name) \(i.elementType.name)\(program.describe(i.dimensions))")
    }
    for o in program.outputs { line("output", o.name) }
    for s in program.symbols { line("limit", "\(s.name) up to \(s.limit)") }
    var arena = TextBuffer()
    arena.put(memoryBytes: program.plan.arenaBytes)
    arena.put(", peak at step \(program.plan.peakStep) ")
    arena.put(Manifest.name(ofStep: program.plan.peakStep, in: program))
    line("arena", arena.text)
    if let peak = manifest["predicted"]?["peak_memory_bytes"]?.integerValue {
      var memory = TextBuffer()
      memory.put(memoryBytes: peak)
      let isLowerBound = predicted("peak_memory_is_lower_bound")?.boolValue == true
      if let mapped = predicted("peak_memory_mapped_bytes")?.integerValue {
        memory.put(isLowerBound ? " or more predicted peak, " : " predicted peak, ")
        memory.put(memoryBytes: mapped)
        memory.put(" of it mapped")
      } else {
        memory.put(" predicted peak")
      }
      line("memory", memory.text)
    }
    if let latency = cost("latency", "us", 1e-6) {
      let threads = predicted("threads")?.integerValue ?? 1
      line(
        "latency",
        "\(latency.milli("ms")) on \(threads) thread\(threads == 1 ? "" : "s"), from "
          + (predicted("latency_source")?.textValue ?? "unknown figures"))
    }
    if let energy = cost("energy", "j", 1) {
      line(
        "energy",
        "\(energy.milli("mJ")) per inference, from "
          + (predicted("energy_source")?.textValue ?? "unknown figures"))
    }
    for (name, value) in placementLines { line(name, value) }
    var counts: [String: Int] = [:]
    for step in program.steps { counts[step.op.name, default: 0] += 1 }
    let operators = counts.sorted { $0.value != $1.value ? $0.value > $1.value : $0.key < $1.key }
    line(
      "steps",
      "\(program.steps.count): " + operators.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    )
    if let rewrites = manifest["rewrites"]?.mapValue, !rewrites.isEmpty {
      line(
        "rewrites",
        rewrites.map { "\($0.key.textValue ?? "") \($0.value.integerValue ?? 0)" }
          .joined(separator: ", "))
    }
    for s in sections {
      var size = TextBuffer()
      size.put(fileBytes: s.storedByteCount)
      line("section", "\(s.name) \(size.text)\(s.isMappable ? ", mappable" : "")")
    }
    if let digest { line("digest", digest) }
    if let events { Explanation(events).write(&text) }
    guard listsSteps else { return text.bytes }
    for (i, step) in program.steps.enumerated() {
      text.put(i, width: 5)
      text.put("  ")
      text.put(step.op.name)
      text.put(byte: 0x20, count: max(1, 16 - step.op.name.utf8.count))
      text.put(untrusted: Array(step.name.utf8))
      text.put("\n")
    }
    return text.bytes
  }
}
