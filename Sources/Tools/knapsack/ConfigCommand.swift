// knapsack config: what is chosen once for all runs, and where.
import ArgumentParser
import Bytes
import Platform

struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config",
    abstract: "Show the settings that hold for every run.",
    discussion: """
      An option of a command goes before a variable of the environment, that before the user's file \
      $XDG_CONFIG_HOME/knapsack/config.json5, and that before /etc/knapsack/config.json5.

      EXAMPLES:
        knapsack config
        knapsack config --explain
      """)

  @Flag(help: "Say what each means and may be, and where it was chosen.")
  var explain = false

  func run() throws {
    try reportingFailures {
      let settings = try Settings()
      var text = TextBuffer()
      for setting in Setting.allCases {
        let choice = settings.choices[setting]
        text.put(setting.rawValue)
        text.pad(to: 16)
        text.put(untrusted: Array((choice?.text ?? setting.standard).utf8))
        text.pad(to: 42)
        text.put(" ")
        text.put(untrusted: Array((choice?.origin ?? "default").utf8))
        text.put("\n")
        guard explain else { continue }
        text.put("                \(setting.meaning): \(setting.expectation)\n")
        text.put("                \(setting.option), \(setting.variable)\n")
      }
      if explain {
        text.put("\nfiles, the first before the second\n")
        for path in Settings.files {
          text.put("  ")
          text.put(untrusted: Array(path.utf8))
          text.put((try? File.kind(of: path)) == .regular ? "\n" : "   not there\n")
        }
      }
      try Standard.output.write(text.bytes)
    }
  }
}
