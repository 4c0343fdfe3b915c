// The device tool: runs and measures bundles, nothing else.
import Loops
import Platform

/// Arguments → command → exit code. Hand-made: the device build has no argument-parsing library.
@main
struct KnapsackRun {
  static let usage = """
    usage: knapsack-run run BUNDLE [INPUT…]   run a bundle over texts, .txt or .safetensors files, or -
           knapsack-run bench BUNDLE          measure latency, memory and every step

      --input FILE.safetensors    tensors NAME or input.NAME
      --output FILE.safetensors   tensors output.NAME
      --value INPUT=VALUE         a text, or numbers with commas; again for more inputs and rows
      --format text|json|ndjson   what to print
      --threads N                 default 1
      --repeat N                  passes over the inputs (run: 1, bench: 50)
      --memory-limit SIZE         refuse a model that takes more, such as 64MiB
      --power-from FILE           a bench meter: a file or pipe with watts per line
      --grid-intensity G          grams of CO2e per kWh (475, the world's average)
      --loop                      until stopped
      --tui, --no-tui             draw the monitor, or never

    examples:
      knapsack-run run digits.knap test.safetensors --format json
      knapsack-run bench digits.knap --threads 2
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
      throw Failure(.usage, "expected a command: run or bench; see knapsack-run --help")
    }
    if command == "--help" || command == "-h" || command == "help" {
      return Standard.output.say(usage)
    }
    guard command == "run" || command == "bench" else {
      throw Failure(.usage, "unknown command '\(command)': expected run or bench")
    }
    let (options, words) = try RunOptions.parse(
      Array(arguments.dropFirst()), name: "knapsack-run", repeatCount: command == "run" ? 1 : 50)
    guard let path = words.first else { throw Failure(.usage, "expected a bundle") }
    var all = options
    all.inputs = Array(words.dropFirst())
    all.modelPath = path
    let limit = options.memoryLimit
    let runner = try ModelRunner(
      try LoadedModel.open(bundle: path, memoryLimit: limit), threads: options.threads,
      memoryLimit: limit)
    if command == "run" {
      try RunLoop(runner, all).run()
    } else {
      try BenchLoop(runner, all).run()
    }
  }
}
