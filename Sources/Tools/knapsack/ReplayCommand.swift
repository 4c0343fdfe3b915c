// knapsack replay: a recorded run shown again.
import ArgumentParser
import Loops

struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Show a recorded run again, or one moment of it as text.",
    discussion: """
      On a terminal the dashboard plays the recording at its own pace; anywhere else, and with --at
      or --clock virtual, one frame is printed, the same on every machine. A recording is what to
      send with a report of something odd.

      EXAMPLES:
        knapsack replay run.rec
        knapsack replay run.rec --at 12.5 --size 120x40
        knapsack replay run.rec --clock virtual --keys 2 --format styles
      """)

  @Argument(help: "A file written by run --record.")
  var recording: String

  @Option(help: "The dashboard at the recording's pace (real), or one frame as text (virtual).")
  var clock: ReplayOptions.Clock?

  @Option(
    help: ArgumentHelp(
      "The moment of the run; a frame shows its end where this is not given.", valueName: "seconds")
  )
  var at: String?

  @Option(help: ArgumentHelp("Columns and rows of the frame.", valueName: "CxR"))
  var size: String = "80x24"

  @Option(help: "Keys typed before the frame is drawn.")
  var keys: String = ""

  @Option(help: "The frame's characters (text), or a letter for what each means (styles).")
  var format: ReplayOptions.Picture = .text

  func validate() throws {
    if ReplayOptions.size(size) == nil {
      throw ValidationError("--size takes a size such as 80x24, not '\(size)'")
    }
    if let at, ReplayOptions.seconds(at) == nil {
      throw ValidationError("--at takes seconds of the run, not '\(at)'")
    }
  }

  func run() throws {
    try reportingFailures {
      var options = ReplayOptions(path: recording)
      options.clock = clock
      options.atSeconds = at.flatMap(ReplayOptions.seconds)
      options.size = ReplayOptions.size(size) ?? options.size
      options.keys = keys
      options.picture = format
      try ReplayLoop(options).run()
    }
  }
}

extension ReplayOptions.Clock: ExpressibleByArgument {}
extension ReplayOptions.Picture: ExpressibleByArgument {}
