// How fast a run goes, how long, and what it counts as too late.
import ArgumentParser
import Loops

/// Options of `run` about its pace and its devices.
struct PaceOptions: ParsableArguments {
  @Option(help: ArgumentHelp("At most so many inferences a second.", valueName: "n"))
  var rate: String?

  @Option(help: ArgumentHelp("Count inferences that take longer as missed.", valueName: "ms"))
  var deadline: String?

  @Option(help: ArgumentHelp("End after so many seconds.", valueName: "s"))
  var duration: String?

  @Option(
    help: ArgumentHelp(
      "Bring sound to this many samples a second; a microphone's is 16000.", valueName: "hz"))
  var sampleRate: Int?

  @Flag(help: "End where a camera or microphone is lost, rather than wait for it.")
  var failFast = false

  func validate() throws {
    for (name, text, limit) in [
      ("--rate", rate, 1e6), ("--deadline", deadline, 1e7), ("--duration", duration, 1e8),
    ] {
      guard let text, RunOptions.positive(text, upTo: limit) == nil else { continue }
      throw ValidationError("\(name) takes a number above 0, not '\(text)'")
    }
    if let sampleRate, !(1...RunOptions.maximumSampleRate).contains(sampleRate) {
      throw ValidationError(
        "--sample-rate takes a number from 1 to \(RunOptions.maximumSampleRate)")
    }
  }

  func apply(to options: inout RunOptions) {
    options.ratePerSecond = rate.flatMap { RunOptions.positive($0, upTo: 1e6) }
    options.deadlineNanoseconds = deadline.flatMap { RunOptions.positive($0, upTo: 1e7) }.map {
      UInt64($0 * 1e6)
    }
    options.durationSeconds = duration.flatMap { RunOptions.positive($0, upTo: 1e8) }
    options.sampleRate = sampleRate
    options.failsFast = failFast
  }
}
