// knapsack verify: whether a bundle is whole.
import ArgumentParser
import BundleFormat
import Bytes
import Loops
import Platform

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check every digest, the structure and the program of a bundle.",
    discussion: """
      EXAMPLES:
        knapsack verify digits.knap
        knapsack verify digits.knap --format json
      """)

  @Argument(help: "A bundle.")
  var bundle: String

  @Option(help: "What to print: text or json.")
  var format: ReportFormat = .text

  func run() throws {
    try reportingFailures {
      let reader = try BundleReader(path: bundle)
      try reader.verifyAll()
      let model = try LoadedModel.open(bundle: bundle)
      try model.checkPlan()
      var json = JSONWriter()
      json.beginObject()
      json.field("schema", "knapsack.verify")
      json.field("version", 1)
      json.field("bundle", bundle)
      json.field("ok", true)
      json.field("content_digest", reader.contentDigest.hexadecimal)
      json.field("steps", model.program.steps.count)
      json.endObject()
      json.endDocument()
      let line = "\(bundle): ok   \(reader.contentDigest.hexadecimal)\n"
      try Standard.output.write(format == .json ? json.bytes : Array(line.utf8))
    }
  }
}
