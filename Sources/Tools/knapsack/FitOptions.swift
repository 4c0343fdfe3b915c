// What a person may ask of a bundle: limits, wishes, and the inputs that loss is measured on.
import ArgumentParser
import Fitting
import Foundation
import Loops
import Monitor
import Packing
import Tensors

struct FitOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The most that outputs may lose against the float model, such as 0.01, in the task's metric.",
      valueName: "loss"))
  var loss: Double?

  @Option(
    help: ArgumentHelp("The most that the bundle may take, such as 7.5MB.", valueName: "size"))
  var size: String?

  @Option(help: ArgumentHelp("The most that a run may take of memory.", valueName: "size"))
  var memory: String?

  @Option(help: ArgumentHelp("The longest an inference may take, such as 20ms.", valueName: "time"))
  var latency: String?

  @Option(
    help: ArgumentHelp("The most that an inference may use, such as 5mJ.", valueName: "energy"))
  var energy: String?

  @Option(
    help: ArgumentHelp(
      "Inputs to measure loss on, as run takes them: .txt or .safetensors. Again for more.",
      valueName: "file"))
  var calibration: [String] = []

  @Option(help: ArgumentHelp("The most of them that are taken.", valueName: "n"))
  var calibrationItems: Int?

  @Option(
    help: ArgumentHelp(
      "The scheme of weights whose names match, with * for anything. Again for more.",
      valueName: "name=scheme"))
  var pin: [String] = []

  @Flag(help: "Pack the nearest where nothing keeps all limits, and say so.")
  var bestEffort = false

  @Option(
    help: ArgumentHelp("Take the best that was found by then, such as 30s.", valueName: "time"))
  var timeLimit: String?

  private static let sizes: [(String, Double)] = [
    ("", 1), ("B", 1), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("KiB", 0x1p10), ("MiB", 0x1p20),
    ("GiB", 0x1p30),
  ]
  private static let times: [(String, Double)] = [
    ("s", 1), ("ms", 1e-3), ("us", 1e-6), ("min", 60),
  ]
  private static let energies: [(String, Double)] = [("J", 1), ("mJ", 1e-3), ("uJ", 1e-6)]

  /// A positive number and a unit.
  private static func amount(
    _ text: String?, _ units: [(String, Double)], _ option: String, _ example: String
  ) throws -> Double {
    guard let text else { return .infinity }
    let digits = text.prefix { $0.isNumber || $0 == "." }
    let unit = text.dropFirst(digits.count)
    guard let number = Double(digits), number > 0, number < 1e15,
      let factor = units.first(where: { $0.0 == unit })?.1
    else { throw ValidationError("--\(option) takes a figure such as \(example), not '\(text)'") }
    return number * factor
  }

  private func goals() throws -> FitGoals {
    FitGoals(
      loss: loss,
      budgets: ResourceAmounts(
        storageBytes: try Self.amount(size, Self.sizes, "size", "7.5MB"),
        ramBytes: try Self.amount(memory, Self.sizes, "memory", "64MiB"),
        latencySeconds: try Self.amount(latency, Self.times, "latency", "20ms"),
        energyJoules: try Self.amount(energy, Self.energies, "energy", "5mJ")))
  }

  private func pins() throws -> [SchemePin] {
    try pin.map { text in
      let split = text.lastIndex(of: "=")
      let name = split.map { text[text.index(after: $0)...] } ?? ""
      guard let split, let scheme = QuantizationScheme(name: String(name)) else {
        throw ValidationError(
          "--pin takes NAME=SCHEME with \(QuantizationScheme.allCases.map(\.name).joined(separator: ", "))"
            + ", not '\(text)'")
      }
      return SchemePin(pattern: String(text[..<split]), scheme: scheme)
    }
  }

  func validate() throws {
    _ = try goals()
    _ = try pins()
    if let loss, !(loss > 0 && loss.isFinite) {
      throw ValidationError("--loss takes a positive number, not '\(loss)'")
    }
    guard (1...100_000).contains(calibrationItems ?? 1) else {
      throw ValidationError("--calibration-items takes a number from 1 to 100000")
    }
    _ = try Self.amount(timeLimit, Self.times, "time-limit", "30s")
  }

  /// Whether weights of many precisions are needed.
  var asksForSearch: Bool {
    !pin.isEmpty || [size, memory, latency, energy].contains { $0 != nil } || loss != nil
  }

  /// Adds all that to a request.
  func apply(to request: inout PackRequest, _ progress: PackProgress) throws {
    if request.scheme != nil, loss != nil || !pin.isEmpty {
      throw Failure(.usage, "--scheme is one for all weights: it goes without --loss and --pin")
    }
    request.goals = try goals()
    request.search.pins = try pins()
    request.search.isBestEffort = bestEffort
    request.search.hasInputs = !calibration.isEmpty
    request.search.threads = min(max(ProcessInfo.processInfo.activeProcessorCount, 1), 16)
    let (files, count) = (calibration, calibrationItems)
    let stop = StopRequest()
    request.search.calibrate = { packed in
      stop.watch()
      return try LossInputs.made(for: packed, files, atMost: count)
    }
    let seconds = try Self.amount(timeLimit, Self.times, "time-limit", "30s")
    let end = Date(timeIntervalSinceNow: min(seconds, 1e9))
    request.search.watch = SearchWatch(
      checkpoints: (DeviceProfile.hostFile as NSString).deletingLastPathComponent + "/fits",
      isStopped: { stop.isAsked || Date() > end },
      progress: { progress.show($0, $1) })
  }
}

/// A signal during a search ends the search, not the process; before and after it ends the process.
private final class StopRequest: @unchecked Sendable {
  private let lock = NSLock()
  private var control: RunControl?

  func watch() { lock.withLock { control = control ?? RunControl() } }

  var isAsked: Bool { lock.withLock { control?.isStopRequested ?? false } }
}
