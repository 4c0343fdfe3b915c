// The device tool: runs and measures bundles, nothing else.
import BundleFormat
import Loops
import Platform

/// Arguments → command → exit code. Hand-made: the device build has no argument-parsing library.
@main
struct KnapsackRun {
  static let usage = """
    usage: knapsack-run run BUNDLE [INPUT…]   run a bundle over texts, files, folders, devices, or -
           knapsack-run bench BUNDLE          measure latency, memory and every step
           knapsack-run replay RECORDING      show a recorded run again, or one moment of it as text
           knapsack-run top [PROCESS]         attach the monitor to a run; --list names those there are

      --input FILE.safetensors    tensors NAME or input.NAME
      --output FILE.safetensors   tensors output.NAME
      --value INPUT=VALUE         a text, or numbers with commas; again for more inputs and rows
      --format text|json|ndjson   what to print
      --threads N                 default 1
      --repeat N                  passes over the inputs (run: 1, bench: 50)
      --memory-limit SIZE         refuse a model that takes more, such as 64MiB
      --power-from FILE           a bench meter: a file or pipe with watts per line
      --grid-intensity G          grams of CO2e per kWh (475, the world's average)
      --metrics-interval S        a line of figures every S seconds, with --format ndjson
      --metrics-file FILE         Prometheus metrics, written again every 5 s
      --metrics-listen [ADDR:]PORT  Prometheus metrics, served; for this machine alone without ADDR
      --report-file FILE          the report of the run; else one in the state folder for runs that
                                  loop or take over 10 s
      --no-report                 no report
      --trace FILE                the first inferences and their steps, for Perfetto or a browser
      --trace-count N             how many of them (100)
      --loop                      until stopped
      --duration S                end after S seconds
      --rate N                    at most N inferences a second
      --deadline MS               count inferences that take longer as missed
      --sample-rate HZ            bring sound to this rate (a microphone: 16000)
      --fail-fast                 end where a camera or microphone is lost
      --record FILE               everything the monitor is fed, for replay
      --detach                    go on without a terminal, and print the process
      --on-hangup stop|continue   when the terminal is gone (stop)
      --tui, --no-tui             draw the monitor, or never
      --theme NAME                its colours: dark, light, high-contrast or mono

    replay:
      --clock real|virtual        the dashboard at the run's pace, or one frame as text
      --at SECONDS                of the run; a frame shows its end where this is not given
      --size CxR                  of the frame (80x24)
      --keys KEYS                 typed before the frame is drawn
      --format text|styles        the frame's characters, or what each means

    examples:
      knapsack-run run digits.knap test.safetensors --format json
      knapsack-run run digits.knap test.safetensors --loop --metrics-listen 9464
      knapsack-run bench digits.knap --threads 2
      knapsack-run replay run.rec --at 12.5 --size 120x40
    """

  static func main() {
    var arguments: [String] = []
    for argument in Arguments() { arguments.append(argument) }
    do throws(Failure) {
      try run(arguments)
    } catch {
      error.report(tool: "knapsack-run")
      endProcess(error.code)
    }
  }

  static func run(_ arguments: [String]) throws(Failure) {
    guard let command = arguments.first else {
      throw Failure(
        .usage, "expected a command: run, bench, replay or top; see knapsack-run --help")
    }
    if command == "--help" || command == "-h" || command == "help" {
      return Standard.output.say(usage)
    }
    if command == "replay" {
      return try ReplayLoop(try ReplayOptions.parse(Array(arguments.dropFirst()))).run()
    }
    if command == "top" {
      return try TopLoop(try TopOptions.parse(Array(arguments.dropFirst()))).run()
    }
    guard command == "run" || command == "bench" else {
      throw Failure(.usage, "unknown command '\(command)': expected run, bench, replay or top")
    }
    let (options, words) = try RunOptions.parse(
      Array(arguments.dropFirst()), name: "knapsack-run", repeatCount: command == "run" ? 1 : 50)
    guard let path = words.first else { throw Failure(.usage, "expected a bundle") }
    if command == "run", options.isDetached { try RunOptions.detach(name: "knapsack-run") }
    var all = options
    all.inputs = Array(words.dropFirst())
    all.modelPath = path
    if command == "bench" { return try BenchLoop(try open(all), all).run() }
    let view = try RunView(all)
    try view.loading { () throws(Failure) in
      try RunLoop(try open(all, view.progress), all, view)
    }.run()
  }

  private static func open(
    _ options: RunOptions, _ progress: LoadProgress? = nil
  ) throws(Failure) -> ModelRunner {
    try ModelRunner(
      try LoadedModel.open(
        bundle: options.modelPath, memoryLimit: options.memoryLimit, progress: progress),
      threads: options.threads, memoryLimit: options.memoryLimit)
  }
}
