// Settings: what goes before what, and what is said of those that cannot be meant.

import Foundation
import Testing

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct ConfigTests {
  let folder: Folder

  init() throws { folder = try Folder() }

  /// Writes a settings file below a folder of that name; the folder.
  private func file(_ name: String, _ text: String) throws -> String {
    let path = folder.path(name) + "/knapsack"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(filePath: path + "/config.json5"))
    return folder.path(name)
  }

  private func row(_ text: String, _ key: String) throws -> [Substring] {
    try #require(text.split(separator: "\n").first { $0.hasPrefix(key + " ") })
      .split(separator: " ")
  }

  @Test func theNearerChoiceHolds() throws {
    let machine = try file("etc", "{theme: 'mono', threads: 2, report: false,}")
    let user = try file("home", "// mine\n{theme: 'light', grid_intensity: 56.5}")
    let root = (machine as NSString).deletingLastPathComponent
    let outcome = try Tool.knapsack.run(
      ["config"],
      environment: [
        "KNAPSACK_SYSROOT": root, "XDG_CONFIG_HOME": user, "KNAPSACK_THREADS": "1",
        "KNAPSACK_ON_HANGUP": "",
      ])
    #expect(outcome.status == 0)
    let theme = try row(outcome.text, "theme")
    #expect(theme[1] == "light" && theme.last?.hasPrefix(user) == true)
    #expect(try row(outcome.text, "threads") == ["threads", "1", "KNAPSACK_THREADS"])
    let report = try row(outcome.text, "report")
    #expect(report[1] == "false" && report.last?.hasPrefix(machine) == true)
    #expect(try row(outcome.text, "grid_intensity")[1] == "56.5")
    #expect(try row(outcome.text, "on_hangup") == ["on_hangup", "stop", "default"])
    let long = try Tool.knapsack.run(
      ["config", "--explain"], environment: ["KNAPSACK_SYSROOT": root, "XDG_CONFIG_HOME": user])
    #expect(long.text.contains("--grid-intensity, KNAPSACK_GRID_INTENSITY"))
    #expect(long.text.contains(user + "/knapsack/config.json5\n"))
  }

  @Test func aRunObeys() throws {
    let user = try file("home", "{report: false, threads: 2}")
    let bundle = try DigitsBundle.path()
    let state = folder.path("state")
    let environment = ["XDG_CONFIG_HOME": user, "XDG_STATE_HOME": state]
    let arguments = [
      "run", bundle, Repository.digitsData, "--loop", "--duration", "0.2", "--format", "json",
    ]
    let quiet = try Tool.knapsack.run(arguments, environment: environment)
    #expect(try quiet.object()["threads"] as? Int == 2)
    #expect(try quiet.object()["report_file"] is NSNull)
    // An option goes before.
    let loud = try Tool.knapsack.run(
      arguments + ["--threads", "1", "--report"], environment: environment)
    #expect(try loud.object()["threads"] as? Int == 1)
    #expect((try loud.object()["report_file"] as? String)?.hasPrefix(state) == true)
  }

  @Test(arguments: [
    ("{\n  themes: 'dark'}", ":2: unknown key 'themes'; did you mean 'theme'?"),
    ("{theme: 'dark',\n\n threads: 0}", ":3: threads: expected a number from 1 to 1024"),
    ("{report: 'yes'}", ":1: report: expected true or false"),
    ("{grid_intensity: [1]}", ":1: grid_intensity: expected a number from 0 to 5000"),
    ("[]", ":1: expected an object, found"),
    ("{theme: 'dark'", ":1: "),
  ])
  func whatCannotBeMeantIsNamed(_ text: String, _ message: String) throws {
    let user = try file("home", text)
    let bundle = try DigitsBundle.path()
    for arguments in [["config"], ["run", bundle, Repository.digitsData], ["bench", bundle]] {
      let outcome = try Tool.knapsack.run(arguments, environment: ["XDG_CONFIG_HOME": user])
      #expect(outcome.status == 78 && outcome.text.isEmpty, "\(arguments)")
      #expect(outcome.error.contains("/knapsack/config.json5" + message), "\(outcome.error)")
      #expect(outcome.errorLines.count == 1)
    }
  }

  @Test func aWrongVariableIsNamed() throws {
    let outcome = try Tool.knapsack.run(
      ["config"], environment: ["KNAPSACK_THEME": "pink", "XDG_CONFIG_HOME": folder.path("none")])
    #expect(outcome.status == 78)
    #expect(outcome.error.contains("KNAPSACK_THEME: expected dark, light, high-contrast or mono"))
  }

  @Test func aFileThatCannotBeReadIsNamed() throws {
    let user = folder.path("odd")
    try FileManager.default.createDirectory(
      atPath: user + "/knapsack/config.json5", withIntermediateDirectories: true)
    let outcome = try Tool.knapsack.run(["config"], environment: ["XDG_CONFIG_HOME": user])
    #expect(outcome.status == 78 && outcome.error.contains("config.json5"))
  }

  @Test func theDoctorDescribesTheMachine() throws {
    let outcome = try Tool.knapsack.run(
      ["doctor"], environment: ["KNAPSACK_CACHE": folder.path("none")])
    #expect(outcome.status == 0)
    for subject in [
      "knapsack", "system", "processor", "kernels", "load", "memory", "disk", "probe", "power",
      "thermal", "terminal", "inputs", "reports", "sockets", "settings",
    ] {
      #expect(
        outcome.text.split(separator: "\n").contains {
          $0.dropFirst(2).hasPrefix(subject + " ")
        }, "\(subject)")
    }
    // Nothing was measured in that folder, and what to do is said.
    #expect(outcome.text.contains("! probe"))
    #expect(outcome.text.contains("knapsack probe does that in 30 s"))
  }
}
