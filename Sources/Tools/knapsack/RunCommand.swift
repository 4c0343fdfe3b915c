// knapsack run and bench: the inference loop, and its measurement.
import ArgumentParser
import BundleFormat
import Fitting
import Importers
import Loops
import Monitor
import Packing
import Platform
import Reporting

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a bundle or a model: the loop, with live latency, memory and power.",
    discussion: """
      A model file or folder is packed in memory for this machine, f32 unless --scheme says else.

      EXAMPLES:
        knapsack run minilm.knap "two dogs play"
        knapsack run model.onnx --input in.safetensors --output out.safetensors
        knapsack run pipeline.onnx --value job=clerk --value age=39
        knapsack run minilm.knap texts.txt --loop --detach --record run.rec
        knapsack run digits.knap test.safetensors --loop --metrics-listen 9464
        knapsack run digits.knap test.safetensors --trace trace.json --trace-count 20
      """)

  @Argument(help: "A bundle, a model file, a model folder or a recipe folder.")
  var model: String

  @Argument(
    help: ArgumentHelp(
      "Texts; .txt, .safetensors, .wav, .ppm files or folders of them; /dev/video0; /dev/snd/pcmC0D0c; or - for lines of standard input."
    ))
  var inputs: [String] = []

  @OptionGroup var loop: LoopOptions
  @OptionGroup var choice: InMemoryOptions
  @OptionGroup var power: PowerOptions
  @OptionGroup var reporting: ReportingArguments

  @Option(
    help: ArgumentHelp(
      "Record everything the monitor is fed, for knapsack replay.", valueName: "file"))
  var record: String?

  @Flag(name: .customLong("loop"), help: "Run until stopped.")
  var loopForever = false

  @OptionGroup var pace: PaceOptions

  @Flag(inversion: .prefixedNo, help: "Draw the monitor, or never.")
  var tui: Bool?

  @Flag(help: "Go on without a terminal and print the process, for knapsack top.")
  var detach = false

  @Option(help: "What to do when the terminal is gone: stop, or continue unseen.")
  var onHangup: HangupAction?

  @Option(help: "The monitor's colours: dark, light, high-contrast or mono.")
  var theme: String?

  func validate() throws {
    if let theme, Theme(name: Array(theme.utf8)) == nil {
      throw ValidationError("--theme takes dark, light, high-contrast or mono, not '\(theme)'")
    }
  }

  func run() throws {
    try reportingFailures {
      if detach { try RunOptions.detach(name: "knapsack") }
      let settings = try Settings()
      var options = loop.options(repeatCount: 1, settings)
      options.inputs = inputs
      options.modelPath = model
      options.recordFile = record
      options.loops = loopForever
      pace.apply(to: &options)
      options.theme = (theme ?? settings[.theme]).flatMap { Theme(name: Array($0.utf8)) }
      options.usesDashboard = detach ? false : tui
      let onHangup = onHangup ?? settings[.onHangup].flatMap(HangupAction.init) ?? .stop
      options.continuesOnHangup = onHangup == .continue
      options.power = power.settings(settings)
      options.reporting = reporting.options(settings)
      let view = try RunView(options)
      try view.loading { try runLoop(&options, view) }.run()
    }
  }

  private func runLoop(_ options: inout RunOptions, _ view: RunView) throws -> RunLoop {
    let source = try ModelSource(
      model, choice, memoryLimit: loop.memoryBytes, progress: view.progress)
    if inputs.isEmpty, loop.input == nil, loop.values.isEmpty, let data = source.evaluationData {
      options.inputs = [data]
    }
    let runner = try ModelRunner(
      source.model, threads: options.threads, memoryLimit: options.memoryLimit)
    return try RunLoop(runner, options, view)
  }
}

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure a bundle or a model: latency percentiles, memory, time per step.",
    discussion: """
      EXAMPLES:
        knapsack bench digits.knap
        knapsack bench minilm.knap --threads 2 --repeat 200 --format json
      """)

  @Argument(help: "A bundle, a model file, a model folder or a recipe folder.")
  var model: String

  @Argument(help: "A text to measure on, for models that take text.")
  var text: String?

  @OptionGroup var loop: LoopOptions
  @OptionGroup var choice: InMemoryOptions

  func run() throws {
    try reportingFailures {
      let source = try ModelSource(model, choice, memoryLimit: loop.memoryBytes)
      var options = loop.options(repeatCount: 50, try Settings())
      if let text { options.inputs = [text] }
      let runner = try ModelRunner(
        source.model, threads: options.threads, memoryLimit: options.memoryLimit)
      try BenchLoop(runner, options).run()
    }
  }
}

extension OutputFormat: ExpressibleByArgument {}
extension HangupAction: ExpressibleByArgument {}

/// What `run` and `bench` share.
struct LoopOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Tensors NAME or input.NAME.", valueName: "file.safetensors"))
  var input: String?

  @Option(
    name: .customLong("value"),
    help: ArgumentHelp(
      "A value for an input: a text, or numbers with commas. Again for more inputs, and for more rows.",
      valueName: "input=value"))
  var values: [String] = []

  @Option(help: ArgumentHelp("Write tensors output.NAME.", valueName: "file.safetensors"))
  var output: String?

  @Option(help: "What to print: text, json or ndjson.")
  var format: OutputFormat?

  @Option(help: "Threads that compute; 1 unless a setting says more.")
  var threads: Int?

  @Option(
    help: ArgumentHelp(
      "Refuse a model whose weights and working memory take more.", valueName: "size"))
  var memoryLimit: String?

  @Option(name: .customLong("repeat"), help: "Passes over the inputs; measured runs of bench.")
  var repeatCount: Int?

  func validate() throws {
    for value in values where TypedValue(value) == nil {
      throw ValidationError("--value takes INPUT=VALUE, not '\(value)'")
    }
    guard (1...RunOptions.maximumThreads).contains(threads ?? 1) else {
      throw ValidationError("--threads takes a number from 1 to \(RunOptions.maximumThreads)")
    }
    guard (1...RunOptions.maximumRepeats).contains(repeatCount ?? 1) else {
      throw ValidationError("--repeat takes a number from 1 to \(RunOptions.maximumRepeats)")
    }
    if let memoryLimit, memoryBytes == nil {
      throw ValidationError("--memory-limit takes a size such as 64MiB, not '\(memoryLimit)'")
    }
  }

  var memoryBytes: Int? { memoryLimit.flatMap(RunOptions.byteCount) }

  func options(repeatCount standard: Int, _ settings: Settings) -> RunOptions {
    var options = RunOptions()
    options.inputFile = input
    options.values = values.compactMap { TypedValue($0) }
    options.outputFile = output
    options.format = format ?? .text
    options.isFormatGiven = format != nil
    options.threads = threads ?? settings[.threads].flatMap { Int($0) } ?? 1
    options.repeatCount = repeatCount ?? standard
    options.memoryLimit = memoryBytes
    return options
  }
}

/// Choices for models that are packed in memory.
struct InMemoryOptions: ParsableArguments {
  @Option(help: "Scheme of a model that is packed in memory.")
  var scheme: String?

  @Option(
    name: .customLong("limit"),
    help: ArgumentHelp("Largest value of an open extent of such a model.", valueName: "name=n"))
  var limits: [String] = []

  @Option(
    name: .customLong("state"),
    help: ArgumentHelp(
      "An output of such a model that becomes an input of the next item.",
      valueName: "input=output"))
  var states: [String] = []
}

/// A bundle opened, or a model packed in memory.
struct ModelSource {
  var model: LoadedModel
  /// The labelled data of a recipe.
  var evaluationData: String?

  /// memoryLimit: bytes that weights and working memory may take; a model that needs more is refused
  /// before it gets them.
  init(
    _ path: String, _ choice: InMemoryOptions, memoryLimit: Int? = nil,
    progress: LoadProgress? = nil
  ) throws {
    if try ModelFormat.detect(path) == .bundle {
      guard choice.scheme == nil else {
        throw Failure(.usage, "--scheme is for models; \(path) is packed already")
      }
      model = try LoadedModel.open(bundle: path, memoryLimit: memoryLimit, progress: progress)
      return
    }
    let begin = Clock.monotonicNanoseconds
    let packed = try Packer.pack(try PackRequest(inMemory: path, choice))
    let lowered = packed.candidate.model
    try Failure.check(
      path, needs: lowered.weightBytes + lowered.staticBytes + lowered.program.plan.arenaBytes,
      limit: memoryLimit)
    model = try packed.loaded()
    model.setLoadTime(Clock.monotonicNanoseconds &- begin)
    evaluationData = packed.recipe?.evaluationData
  }
}

extension PackedModel {
  /// The model in memory, as if its bundle had been written and opened.
  func loaded() throws -> LoadedModel {
    let memory = try AnonymousMemory(count: max(candidate.model.weightBytes, 1))
    Packer.encodeWeights(candidate.model, into: memory.buffer)
    return try LoadedModel(
      name: name, manifest: Manifest.make(self), program: program, memory: .anonymous(memory),
      tokenizerAsset: tokenizerAsset)
  }
}
