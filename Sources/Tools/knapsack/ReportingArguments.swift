// What a run tells other programs, as options of the command line.
import ArgumentParser
import Reporting

struct ReportingArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Write an object of figures among the results every so often; needs --format ndjson.",
      valueName: "seconds"))
  var metricsInterval: String?

  @Option(
    help: ArgumentHelp(
      "Write Prometheus metrics every 5 s, the whole file anew.", valueName: "file"))
  var metricsFile: String?

  @Option(
    help: ArgumentHelp(
      "Serve Prometheus metrics, to this machine alone where no address is given.",
      valueName: "[address:]port"))
  var metricsListen: String?

  @Option(
    help: ArgumentHelp(
      "Write the report of the run here. Else runs that loop or take over 10 s write one below "
        + "$XDG_STATE_HOME/knapsack/runs.",
      valueName: "file"))
  var reportFile: String?

  @Flag(inversion: .prefixedNo, help: "Write a report, of a short run too; or none.")
  var report: Bool?

  @Option(
    help: ArgumentHelp(
      "Write the first inferences and their steps as Chrome trace events, which Perfetto reads.",
      valueName: "file"))
  var trace: String?

  @Option(help: ArgumentHelp("How many inferences a trace has.", valueName: "n"))
  var traceCount = 100

  func validate() throws {
    if let metricsInterval, ReportingOptions.seconds(metricsInterval) == nil {
      throw ValidationError(
        "--metrics-interval takes seconds from 0.1 to 86400, not '\(metricsInterval)'")
    }
    if let metricsListen, ListenAddress(metricsListen) == nil {
      throw ValidationError("--metrics-listen takes [ADDRESS:]PORT, not '\(metricsListen)'")
    }
    guard ReportingOptions.traceCounts.contains(traceCount) else {
      throw ValidationError(
        "--trace-count takes a number from 1 to \(ReportingOptions.traceCounts.upperBound)")
    }
  }

  func options(_ settings: Settings) -> ReportingOptions {
    var options = ReportingOptions()
    options.metricsIntervalSeconds = metricsInterval.flatMap(ReportingOptions.seconds)
    options.metricsFile = metricsFile
    options.metricsListen = metricsListen.flatMap(ListenAddress.init)
    options.reportFile = reportFile
    options.writesReport = report ?? (reportFile != nil || settings[.report] != "false")
    options.isReportAsked = report == true
    options.traceFile = trace
    options.traceCount = traceCount
    return options
  }
}
