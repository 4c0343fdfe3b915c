// knapsack probe: measures the machine it runs on and writes its device profile.
import ArgumentParser
import Bytes
import Fitting
import Foundation
import Loops
import Platform

struct ProbeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract: "Measure this machine and write its device profile.",
    discussion: """
      Takes about 25 seconds, with nothing else running. Predictions for --target host use the result
      from then on.

      EXAMPLES:
        knapsack probe
        knapsack probe --output Targets/my-board.json5 --name my-board
      """)

  @Option(
    name: [.customShort("o"), .long],
    help: ArgumentHelp(
      "Where to write the profile; where --target host finds it by default.", valueName: "file"))
  var output: String?

  @Option(help: "What --target will call it.")
  var name: String = DeviceProfile.hostName

  @Option(help: "Most threads to measure; all cores by default.")
  var threads: Int?

  @Option(help: "What to print: text or json.")
  var format: ReportFormat = .text

  func validate() throws {
    guard (1...RunOptions.maximumThreads).contains(threads ?? 1) else {
      throw ValidationError("--threads takes a number from 1 to \(RunOptions.maximumThreads)")
    }
  }

  func run() throws {
    try reportingFailures {
      let path = output ?? DeviceProfile.hostFile
      // Nobody waits half a minute for a result that has nowhere to go.
      if output == nil { try Folder.createParent(of: path) }
      let file = try AtomicFile(path: path)
      var probe = Probe()
      if let threads { probe.threads = threads }
      let showsProgress = isatty(2) == 1
      if showsProgress {
        probe.progress = { done in
          FileHandle.standardError.write(Data("\rmeasuring \(Int(done * 100)) %".utf8))
        }
      }
      var profile = try probe.profile()
      if showsProgress { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
      profile.name = name
      var json = JSONWriter(isPretty: true)
      profile.write(to: &json)
      json.endDocument()
      // What cannot be read back is no profile: a name, say.
      let written = try DeviceProfile(json5: json.bytes, source: output ?? name)
      try file.write(json.bytes)
      try file.commit()
      try Standard.output.write(
        format == .json ? json.bytes : ProbeReport(profile: written, path: path).text)
    }
  }
}

/// What `probe` prints for people.
struct ProbeReport {
  var profile: DeviceProfile
  var path: String

  var text: [UInt8] {
    var text = TextBuffer()
    guard let measured = profile.measured else { return [] }
    let all = measured.steps.map(\.threads).max() ?? 1
    text.put("\(path)   ")
    text.put(untrusted: Array(profile.description.utf8))
    text.put("\nkernels      \(measured.kernels), \(profile.cpu.coreCount) cores\n")
    for scheme in ["f32", "f16", "int8", "blocks"] {
      text.put("product      \(scheme)")
      text.put(byte: 0x20, count: 8 - scheme.utf8.count)
      put(&text, rate(measured, "MatMul \(scheme)", 1))
      if all > 1 {
        text.put(" on 1 thread, ")
        put(&text, rate(measured, "MatMul \(scheme)", all))
        text.put(" on \(all)")
      }
      text.put("\n")
    }
    for point in measured.memory where point.threads == 1 {
      text.put("read         ")
      text.put(memoryBytes: point.workingSetBytes)
      text.put(" at ")
      text.put(significant: point.readBytesPerSecond / 1e9)
      text.put(" GB/s\n")
    }
    text.put("dispatch     ")
    text.put(significant: measured.dispatchSeconds * 1e9)
    text.put(" ns per step, ")
    text.put(significant: measured.inferenceSeconds * 1e9)
    text.put(" ns per inference; in a model steps of more data than the nearest cache\n")
    text.put("             holds take x")
    text.put(measured.contextFactor, places: 2)
    text.put(" of their time alone, x")
    text.put(measured.wideFactor, places: 2)
    text.put(" where it fills no near cache\nruntime      ")
    text.put(memoryBytes: measured.runtimeBytes)
    text.put(" before a model is open\npower        ")
    if let power = measured.power {
      text.put(power.meter)
      text.put(": idle ")
      text.put(significant: power.idleWatts)
      text.put(" W, each busy core ")
      text.put(significant: power.activeWattsPerCore)
      text.put(" W more\n")
    } else {
      text.put("-  no meter here: energy is not predicted\n")
    }
    let conditions = measured.conditions
    text.put("clock        ")
    if let clock = conditions.clockHertz {
      text.put(significant: clock / 1e9)
      text.put(" GHz, governor \(conditions.governor ?? "unknown")\n")
    } else {
      text.put("-  the kernel does not say\n")
    }
    if let count = conditions.throttleCount, count > 0 {
      text.put("note         the processor was throttled \(count) times while it was measured\n")
    }
    if let share = conditions.disturbedShare, share > 0.2 {
      text.put("note         others slowed the machine ")
      text.put(100 * share, places: 0)
      text.put(" % of the time: what it takes without them was measured\n")
    }
    return text.bytes
  }

  /// Multiply-accumulates per second of the fastest point.
  private func rate(_ measured: MeasuredSpeeds, _ kind: String, _ threads: Int) -> Double {
    measured.steps.filter { $0.kind == kind && $0.threads == threads }.flatMap(\.points)
      .map { Double($0.amount) / $0.seconds }.max() ?? 0
  }

  private func put(_ text: inout TextBuffer, _ perSecond: Double) {
    text.put(significant: perSecond / 1e9)
    text.put(" GMAC/s")
  }
}
