// The workstation tool: one row per command.
import ArgumentParser
import Foundation
import Loops
import Packing
import Platform

@main
struct Knapsack: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "knapsack",
    abstract: "Fits a trained model to a device, packs it, and runs it under a live monitor.",
    discussion: """
      EXAMPLES:
        knapsack pack Bundles/digits --target raspberry-pi-5 --output digits.knap
        knapsack run digits.knap test.safetensors

      EXIT CODES:
        0 done, 1 failure, 2 does not fit the target, 64 usage, 65 bad bundle, model or input,
        66 missing input, 69 unavailable, 73 cannot write, 77 not permitted, 78 bad profile or setting
      """,
    version: Manifest.toolVersion,
    subcommands: [
      PackCommand.self, RunCommand.self, BenchCommand.self, ReplayCommand.self,
      TopCommand.self, InspectCommand.self,
      VerifyCommand.self, TargetsCommand.self, ProbeCommand.self, ExportCommand.self,
      DoctorCommand.self, ConfigCommand.self,
    ])

  static func main() {
    suggestCommand()
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let code as ArgumentParser.ExitCode {
      // The line is out already.
      Foundation.exit(code.rawValue)
    } catch {
      guard exitCode(for: error) != .success else { exit(withError: error) }
      Failure(.usage, usageMessage(error)).report(tool: "knapsack")
      endProcess(.usage)
    }
  }

  /// What the argument parser found wrong, and where help is.
  private static func usageMessage(_ error: any Error) -> String {
    var arguments = Arguments()
    let command = arguments.next().flatMap { word in
      configuration.subcommands.first { $0._commandName == word }?._commandName
    }
    var what = message(for: error)
    if what.hasSuffix(".") { what.removeLast() }
    return what + "; see knapsack \(command.map { $0 + " " } ?? "")--help"
  }

  /// A mistyped command gets a suggestion; the argument parser only knows how to do that for options.
  private static func suggestCommand() {
    var arguments = Arguments()
    guard let word = arguments.next(), !word.hasPrefix("-"), word != "help" else { return }
    let names = configuration.subcommands.map { $0._commandName }
    guard !names.contains(word) else { return }
    let hint = suggestion(for: word, among: names)
    Failure(.usage, "unknown command '\(word)'\(hint); see knapsack --help")
      .report(tool: "knapsack")
    endProcess(.usage)
  }
}
