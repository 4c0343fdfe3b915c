// Measures a model: exact percentiles of many runs, then where the time goes.
import Bytes
import Kernels
import Operators
import Platform
import Programs
import Runtime
import Tensors

/// The `bench` command of both tools.
public struct BenchLoop {
  private let runner: ModelRunner
  private let options: RunOptions

  public init(_ runner: ModelRunner, _ options: RunOptions) {
    self.runner = runner
    self.options = options
  }

  /// Runs and prints.
  public func run() throws(Failure) {
    if let path = options.inputFile {
      let file = try TensorFile(path: path)
      try runner.fill(from: file, first: try runner.itemCount(in: file) == nil ? nil : 0)
    } else if !options.values.isEmpty {
      try runner.fill(values: options.values)
    } else if let text = options.inputs.first {
      try runner.fill(text: text)
    } else {
      try runner.fillWithSamples()
    }
    let count = max(1, options.repeatCount)
    let warmUp = try warmUp(runs: max(2, min(20, count / 10)))
    var times: [UInt64] = []
    times.reserveCapacity(min(count, 1 << 16))
    for _ in 0..<count {
      let begin = Clock.monotonicNanoseconds
      try runner.run()
      times.append(Clock.monotonicNanoseconds &- begin)
    }
    let steps = try profile(runs: max(3, min(count, 50)))
    let report = Report(
      runner: runner, warmUp: warmUp, times: times.sorted(), steps: steps,
      peakBytes: ProcessMemory.current?.peakBytes)
    do throws(PlatformError) {
      try Standard.output.write(options.format == .text ? report.text : report.json + [0x0A])
    } catch {
      if !error.isBrokenPipe { throw Failure(writing: error) }
    }
  }

  private static var warmUpNanoseconds: UInt64 { 250_000_000 }

  /// Runs that are not counted, so many at least: a processor that has rested takes tens of milliseconds
  /// to come back to its clock. How many they were.
  private func warmUp(runs: Int) throws(Failure) -> Int {
    let begin = Clock.monotonicNanoseconds
    var done = 0
    while done < runs || Clock.monotonicNanoseconds &- begin < BenchLoop.warmUpNanoseconds {
      try runner.run()
      done += 1
    }
    return done
  }

  /// Median nanoseconds of each runnable step.
  private func profile(runs: Int) throws(Failure) -> [UInt64] {
    let session = runner.session
    let n = session.runnableSteps.count
    var all = [[UInt64]](repeating: [], count: n)
    var times = [UInt64](repeating: 0, count: n)
    for _ in 0..<runs {
      try runner.run(nanoseconds: &times)
      for i in 0..<n { all[i].append(times[i]) }
    }
    return all.map { $0.sorted()[$0.count / 2] }
  }
}

/// The figures of one measurement.
private struct Report {
  let runner: ModelRunner
  let warmUp: Int
  /// Sorted nanoseconds.
  let times: [UInt64]
  let steps: [UInt64]
  let peakBytes: Int?

  /// Nearest-rank percentile in microseconds.
  private func percentile(_ p: Double) -> Double {
    let rank = Int((p * Double(times.count)).rounded(.up))
    return Double(times[min(max(rank, 1), times.count) - 1]) / 1000
  }

  private var mean: Double {
    times.reduce(0.0) { $0 + Double($1) } / Double(times.count) / 1000
  }

  var json: [UInt8] {
    var json = JSONWriter()
    let program = runner.model.program
    json.beginObject()
    json.field("schema", "knapsack.bench")
    json.field("version", 1)
    json.field("model", runner.model.name)
    json.field("scheme", runner.model.scheme)
    json.field("kernels", KernelSet.best.name)
    json.field("threads", runner.session.threadCount)
    json.field("warm_up_runs", warmUp)
    json.field("runs", times.count)
    json.field("latency_min_us", Double(times[0]) / 1000)
    json.field("latency_mean_us", mean)
    json.field("latency_p50_us", percentile(0.5))
    json.field("latency_p95_us", percentile(0.95))
    json.field("latency_p99_us", percentile(0.99))
    json.field("latency_max_us", percentile(1))
    json.field("throughput_per_s", 1e6 / mean)
    if let peakBytes {
      json.field("peak_memory_bytes", peakBytes)
    } else {
      json.nullField("peak_memory_bytes")
    }
    RunReport.put("predicted_peak_memory_bytes", runner.model.predicted("peak_memory_bytes"), &json)
    json.field("arena_bytes", runner.session.arenaBytes)
    json.field("load_us", Double(runner.model.loadNanoseconds) / 1000)
    let total = steps.reduce(0.0) { $0 + Double($1) }
    json.key("steps")
    json.beginArray()
    for (n, i) in runner.session.runnableSteps.enumerated() {
      let step = program.steps[i]
      json.beginObject()
      json.field("step", i)
      json.field("name", step.name)
      json.field("operator", step.op.name)
      json.field("scheme", RunReport.scheme(of: step, program))
      json.key("output_shape")
      json.beginArray()
      for d in runner.session.shape(of: step.outputs[0]).dimensions { json.value(d) }
      json.endArray()
      json.field("latency_p50_us", Double(steps[n]) / 1000)
      json.field("share", total > 0 ? Double(steps[n]) / total : 0)
      json.field("multiply_accumulates", runner.session.multiplyAccumulates[i])
      json.endObject()
    }
    json.endArray()
    json.endObject()
    return json.bytes
  }

  var text: [UInt8] {
    var text = TextBuffer()
    let program = runner.model.program
    text.put(untrusted: Array(runner.model.name.utf8))
    text.put(
      "  \(runner.model.scheme)  \(KernelSet.best.name)  threads \(runner.session.threadCount)")
    text.put("  runs \(times.count)\n")
    text.put("latency ms   p50 ")
    text.put(percentile(0.5) / 1000, places: 3)
    text.put("  p95 ")
    text.put(percentile(0.95) / 1000, places: 3)
    text.put("  p99 ")
    text.put(percentile(0.99) / 1000, places: 3)
    text.put("  min ")
    text.put(Double(times[0]) / 1e6, places: 3)
    text.put("  max ")
    text.put(percentile(1) / 1000, places: 3)
    text.put("\nmemory       peak ")
    if let peakBytes { text.put(memoryBytes: peakBytes) } else { text.put("-") }
    text.put("  arena ")
    text.put(memoryBytes: runner.session.arenaBytes)
    text.put("\nload ms      ")
    text.put(Double(runner.model.loadNanoseconds) / 1e6, places: 2)
    text.put("\n\n")
    text.put("  step       ms       %  GMAC/s  operator       scheme  output\n")
    let total = max(1, steps.reduce(0.0) { $0 + Double($1) })
    let slowest = steps.indices.sorted { steps[$0] > steps[$1] }.prefix(20)
    for n in slowest {
      let i = runner.session.runnableSteps[n]
      let step = program.steps[i]
      text.put(i, width: 6)
      text.put(Double(steps[n]) / 1e6, places: 3, width: 9)
      text.put(Double(steps[n]) * 100 / total, places: 1, width: 8)
      let work = Double(runner.session.multiplyAccumulates[i])
      if work > 0 {
        text.put(work / Double(max(1, steps[n])), places: 1, width: 8)
      } else {
        text.put("       -")
      }
      text.put("  ")
      let column = text.count
      text.put(step.op.name)
      pad(&text, from: column, to: 15)
      let next = text.count
      text.put(RunReport.scheme(of: step, program))
      pad(&text, from: next, to: 8)
      text.put(runner.session.shape(of: step.outputs[0]).description)
      text.put("\n")
    }
    return text.bytes
  }

  private func pad(_ text: inout TextBuffer, from start: Int, to width: Int) {
    while text.count - start < width { text.put(" ") }
  }
}
