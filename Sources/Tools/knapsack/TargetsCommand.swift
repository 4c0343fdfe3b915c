// knapsack targets: the device profiles.
import ArgumentParser
import Bytes
import Fitting
import Platform

struct TargetsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "targets",
    abstract: "List the device profiles, or show one.",
    discussion: """
      EXAMPLES:
        knapsack targets
        knapsack targets show raspberry-pi-5 --format json
      """,
    subcommands: [List.self, Show.self], defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List all profiles.")

    @Option(help: "What to print: text or json.")
    var format: ReportFormat = .text

    func run() throws {
      try reportingFailures {
        let profiles = [try DeviceProfile.host()] + (try DeviceProfile.all())
        if format == .json {
          var json = JSONWriter(isPretty: true)
          json.beginArray()
          for profile in profiles { profile.write(to: &json) }
          json.endArray()
          json.endDocument()
          return try Standard.output.write(json.bytes)
        }
        var text = TextBuffer()
        for profile in profiles {
          text.put(profile.name)
          text.put(byte: 0x20, count: max(1, 22 - profile.name.utf8.count))
          text.put(profile.cpu.coreCount, width: 2)
          text.put(" cores  ")
          let budget = FitBudget(profile)
          text.put(memoryBytes: budget.ramBytes)
          text.put(" for bundles  ")
          text.put(profile.description)
          text.put("\n")
        }
        try Standard.output.write(text.bytes)
      }
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show one profile.")

    @Argument(help: "A profile's name or file.")
    var name: String

    @Option(help: "What to print: text or json.")
    var format: ReportFormat = .text

    func run() throws {
      try reportingFailures {
        let profile = try DeviceProfile.named(name)
        var json = JSONWriter(isPretty: true)
        profile.write(to: &json)
        json.endDocument()
        try Standard.output.write(json.bytes)
      }
    }
  }
}
