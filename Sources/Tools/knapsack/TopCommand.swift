// knapsack top: the dashboard of a run in another process.
import ArgumentParser
import Loops

struct TopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top",
    abstract: "Attach the monitor to a run in another process.",
    discussion: """
      On a terminal the run's dashboard, elsewhere a line per second. q detaches and the run goes on;
      P, r and m are passed on to it. Only runs of this user can be attached to.

      EXAMPLES:
        knapsack top
        knapsack top 4711
        knapsack top --list
      """)

  @Argument(
    help: ArgumentHelp(
      "A process, or the path of a socket, where there are several runs.", valueName: "run"))
  var target: String?

  @Flag(help: "List the runs there are: process, bundle, state, time.")
  var list = false

  @Flag(inversion: .prefixedNo, help: "Draw the monitor, or never.")
  var tui: Bool?

  func run() throws {
    try reportingFailures {
      var options = TopOptions()
      options.target = target
      options.lists = list
      options.usesDashboard = tui
      try TopLoop(options).run()
    }
  }
}
