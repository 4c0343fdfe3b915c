// knapsack pack: a model and a device become a bundle.
import ArgumentParser
import BundleFormat
import Bytes
import Fitting
import Foundation
import Loops
import Packing
import Platform
import Tasks
import Tensors

struct PackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack",
    abstract: "Fit a model to a target and write NAME.knap.",
    discussion: """
      EXAMPLES:
        knapsack pack model.onnx --target raspberry-pi-5
        knapsack pack minilm/ --target vps-2gb --scheme int8 --output minilm.knap
        knapsack pack minilm/ --calibration sentences.txt --loss 0.01
        knapsack pack model.onnx --calibration inputs.safetensors --size 500kB --latency 5ms
      """)

  @Argument(help: "An ONNX file, a Hugging Face folder or a recipe folder.")
  var model: String

  @OptionGroup var choice: PackOptions

  @OptionGroup(title: "FIT") var fit: FitOptions

  @Option(
    name: [.customShort("o"), .long],
    help: ArgumentHelp("Where to write; NAME.knap here by default.", valueName: "file"))
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Weights: coded, but for tables; mapped, as they are used; or smallest, all coded.",
      valueName: "storage"))
  var weights: WeightStorage = .coded

  @Option(help: "What to print: text or json.")
  var format: ReportFormat = .text

  @Option(
    help: ArgumentHelp(
      "Write a page with all figures and plots, for a browser.", valueName: "file.html"))
  var report: String?

  @OptionGroup var accelerator: AcceleratorOptions

  func validate() throws {
    guard !accelerator.npu || !fit.asksForSearch && fit.calibration.count <= 1 else {
      throw ValidationError("--npu goes with one --calibration and without limits and pins")
    }
  }

  func run() throws {
    // Arrays of weights come and go.
    Memory.returnFreedBlocks()
    try reportingFailures {
      if output?.isEmpty == true { throw Failure(.usage, "--output needs a file") }
      if let report {
        guard !report.isEmpty else { throw Failure(.usage, "--report needs a file") }
        if try report == output || File.isSame(report, model) {
          throw Failure(.usage, "\(report): the report would replace the bundle or the model")
        }
      }
      // A search takes minutes: what cannot be written is said before it.
      for path in [output, report] {
        if let path { _ = try AtomicFile(path: path) }
      }
      var request = try choice.request(model)
      request.storage = weights
      let progress = PackProgress(isShown: isatty(2) == 1)
      defer { progress.end() }
      if !accelerator.npu { try fit.apply(to: &request, progress) }
      let fitted = try accelerator.apply(
        to: try Packer.pack(request), calibration: fit.calibration.first)
      let path = output ?? fitted.name + ".knap"
      let packed = try Packer.encode(fitted, for: path)
      progress.end()
      let summary = try Packer.write(packed, to: path)
      if let report {
        try AtomicFile.write(ReportPage.bytes(of: packed, summary), to: report)
      }
      let printed = PackReport(packed: packed, path: path, summary: summary)
      try Standard.output.write(format == .json ? printed.json : printed.text)
    }
  }
}

extension WeightStorage: ExpressibleByArgument {}

/// text or json.
enum ReportFormat: String, ExpressibleByArgument, CaseIterable {
  case text
  case json
}

/// The choices that packing and running a model share.
struct PackOptions: ParsableArguments {
  @Option(help: "A profile's name or file; see knapsack targets.")
  var target: String = DeviceProfile.hostName

  @Option(
    help: "One scheme for all tensors: f32, f16, bf16, int8, iq4_nl, nl6, nl5, nl4, nl3 or nl2.")
  var scheme: String?

  @Option(
    name: .customLong("limit"),
    help: ArgumentHelp(
      "Largest value of an open extent, such as batch=1 or sequence=128.", valueName: "name=n"))
  var limits: [String] = []

  @Option(
    name: .customLong("state"),
    help: ArgumentHelp(
      "An output that becomes an input of the next run; the first sees zeros.",
      valueName: "input=output"))
  var states: [String] = []

  @Option(help: "The task, where the model's files do not say it.")
  var task: String?

  @Option(help: "Threads that will run it: memory is planned and latency predicted for them.")
  var threads: Int = 1

  func validate() throws {
    guard (1...RunOptions.maximumThreads).contains(threads) else {
      throw ValidationError("--threads takes a number from 1 to \(RunOptions.maximumThreads)")
    }
  }

  func request(_ model: String) throws -> PackRequest {
    var request = try PackRequest(
      model: model, target: target, scheme: scheme, limits: limits, states: states, task: task)
    request.threads = threads
    return request
  }
}

extension PackRequest {
  /// A request from what a person typed; what cannot be understood is a usage failure.
  init(
    model: String, target: String, scheme: String?, limits: [String], states: [String] = [],
    task: String? = nil
  ) throws {
    self.init(model: model, target: try DeviceProfile.named(target))
    if let scheme {
      guard let known = QuantizationScheme(name: scheme) else {
        let names = QuantizationScheme.allCases.map(\.name)
        throw Failure(
          .usage,
          "unknown scheme '\(scheme)': expected \(names.joined(separator: ", "))"
            + suggestion(for: scheme, among: names))
      }
      self.scheme = known
    }
    for limit in limits {
      let parts = limit.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let n = Int(parts[1]), n >= 1, n <= 1 << 30 else {
        throw Failure(.usage, "--limit takes NAME=N, not '\(limit)'")
      }
      self.limits[String(parts[0])] = n
    }
    for state in states {
      let parts = state.split(separator: "=", maxSplits: 1)
      guard parts.count == 2 else {
        throw Failure(.usage, "--state takes INPUT=OUTPUT, not '\(state)'")
      }
      self.states[String(parts[0])] = String(parts[1])
    }
    if let task {
      guard let known = Task(name: task) else {
        throw Failure(
          .usage, "unknown task '\(task)'" + suggestion(for: task, among: Task.names))
      }
      self.task = known
    }
  }

  /// A request for this machine, f32 unless the options say else.
  init(inMemory model: String, _ choice: InMemoryOptions) throws {
    try self.init(
      model: model, target: DeviceProfile.hostName, scheme: choice.scheme ?? "f32",
      limits: choice.limits, states: choice.states)
  }
}

/// What `pack` prints.
struct PackReport {
  var packed: PackedModel
  var path: String
  var summary: BundleWriter.Summary

  var json: [UInt8] {
    let model = packed.candidate.model
    let plan = model.program.plan
    var json = JSONWriter(isPretty: true)
    json.beginObject()
    json.field("schema", "knapsack.pack")
    json.field("version", 1)
    json.field("bundle", path)
    json.field("model", packed.name)
    json.field("target", packed.request.target.name)
    json.field("task", packed.task.name)
    json.field("scheme", packed.schemeName)
    json.field("bits_per_weight", model.bitsPerWeight)
    json.field("stored_bytes", summary.byteCount)
    json.field("weight_bytes", model.weightBytes)
    json.field("stored_weight_bytes", packed.weights?.storedByteCount ?? model.weightBytes)
    json.field("mapped_weight_bytes", packed.weights?.mappedByteCount ?? model.weightBytes)
    json.field("arena_bytes", plan.arenaBytes)
    json.field("arena_lower_bound_bytes", plan.lowerBoundBytes)
    json.field("peak_step", plan.peakStep)
    json.field("peak_step_name", Manifest.name(ofStep: plan.peakStep, in: model.program))
    json.field("predicted_peak_memory_bytes", packed.candidate.memory.peakBytes)
    json.field("predicted_mapped_memory_bytes", packed.candidate.memory.mappedBytes)
    json.field("predicted_memory_is_lower_bound", packed.candidate.memory.isLowerBound)
    json.field("ram_budget_bytes", packed.budget.ramBytes)
    json.field("storage_budget_bytes", packed.budget.storageBytes)
    if let latency = packed.latency {
      json.field("predicted_latency_us", latency.seconds.value * 1e6)
      json.field("predicted_latency_low_us", latency.seconds.low * 1e6)
      json.field("predicted_latency_high_us", latency.seconds.high * 1e6)
      json.field("predicted_latency_source", latency.origin.rawValue)
      json.field("predicted_latency_is_lower_bound", latency.isLowerBound)
      json.field("threads", latency.threads)
    } else {
      json.nullField("predicted_latency_us")
    }
    if let energy = packed.energy {
      json.field("predicted_energy_j", energy.joules.value)
      json.field("predicted_energy_low_j", energy.joules.low)
      json.field("predicted_energy_high_j", energy.joules.high)
      json.field("predicted_energy_source", energy.grade.rawValue)
    } else {
      json.nullField("predicted_energy_j")
    }
    json.field("steps", model.program.steps.count)
    if let placement = packed.placed?.placement {
      json.field("accelerator", placement.accelerator.name)
      json.field("accelerator_parts", placement.parts.count)
      json.field("accelerator_nodes", placement.parts.reduce(0) { $0 + $1.nodes.count })
      json.field("predicted_accelerator_latency_us", placement.seconds * 1e6)
      if let joules = placement.joules {
        json.field("predicted_accelerator_energy_j", joules)
      } else {
        json.nullField("predicted_accelerator_energy_j")
      }
    }
    if let fit = packed.fit { FitLines(fit: fit).write(to: &json) }
    json.endObject()
    json.endDocument()
    return json.bytes
  }

  var text: [UInt8] {
    let model = packed.candidate.model
    let plan = model.program.plan
    var text = TextBuffer()
    text.put("\(path)   \(packed.name) for \(packed.request.target.name)\n")
    text.put("scheme       \(packed.placed == nil ? "" : "static int8 and ")")
    text.put("\(packed.schemeName), ")
    text.put(model.bitsPerWeight, places: 2)
    text.put(" bits per weight\n")
    text.put("stored       ")
    text.put(fileBytes: summary.byteCount)
    text.put(" of ")
    text.put(fileBytes: packed.budget.storageBytes)
    text.put(" free\n")
    if let weights = packed.weights {
      text.put("weights      ")
      text.put(fileBytes: weights.storedByteCount)
      text.put(" for ")
      text.put(fileBytes: model.weightBytes)
      text.put(", of which ")
      text.put(fileBytes: weights.mappedByteCount)
      text.put(" are used as they are\n")
    }
    text.put("memory       ")
    text.put(memoryBytes: packed.candidate.memory.peakBytes)
    text.put(packed.candidate.memory.isLowerBound ? " or more" : "")
    text.put(" predicted peak of ")
    text.put(memoryBytes: packed.budget.ramBytes)
    text.put(", ")
    text.put(memoryBytes: packed.candidate.memory.mappedBytes)
    text.put(" of it mapped\n")
    text.put("arena        ")
    text.put(memoryBytes: plan.arenaBytes)
    text.put(", x")
    text.put(Double(plan.arenaBytes) / Double(max(plan.lowerBoundBytes, 1)), places: 2)
    text.put(" of its lower bound; peak at step \(plan.peakStep) ")
    text.put(untrusted: Array(Manifest.name(ofStep: plan.peakStep, in: model.program).utf8))
    text.put("\n")
    text.put("latency      ")
    if let latency = packed.latency {
      text.put(
        CostLine(
          value: latency.seconds.value, low: latency.seconds.low, high: latency.seconds.high,
          isLowerBound: latency.isLowerBound
        ).milli("ms"))
      text.put(" on \(latency.threads) thread\(latency.threads == 1 ? "" : "s"), ")
      text.put("from \(latency.origin.rawValue)\n")
    } else {
      text.put("-  the profile has no speed figures; knapsack probe measures this machine\n")
    }
    text.put("energy       ")
    if let energy = packed.energy {
      text.put(
        CostLine(value: energy.joules.value, low: energy.joules.low, high: energy.joules.high)
          .milli("mJ"))
      text.put(" per inference, from \(energy.grade.rawValue)\n")
    } else {
      text.put("-  the profile has no power figures\n")
    }
    packed.placed?.write(to: &text)
    text.put("steps        \(model.program.steps.count)\n")
    if let fit = packed.fit { FitLines(fit: fit).write(to: &text) }
    return text.bytes
  }
}

/// A predicted figure with its interval, for people.
struct CostLine {
  var value: Double
  var low: Double
  var high: Double
  var isLowerBound = false

  /// `~1.25 ms (1.1 to 1.4)`, in thousandths.
  func milli(_ unit: String) -> String {
    var text = TextBuffer()
    text.put(isLowerBound ? "at least ~" : "~")
    text.put(significant: value * 1e3)
    text.put(" \(unit) (")
    text.put(significant: low * 1e3)
    text.put(" to ")
    text.put(significant: high * 1e3)
    text.put(")")
    return text.text
  }
}
