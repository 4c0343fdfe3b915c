// Words to options, options to items, items to inputs.

import Foundation
import Loops
import Platform
import Runtime
import Tensors
import Testing

@Suite struct RunOptionsTests {
  private func parse(_ words: [String]) throws(Failure) -> (RunOptions, [String]) {
    try RunOptions.parse(words, name: "tool", repeatCount: 7)
  }

  @Test func allOptions() throws {
    let (options, words) = try parse([
      "b.knap", "--input", "i", "--output", "o", "--format", "ndjson", "--threads", "3", "-",
      "--repeat", "9", "--loop", "--no-tui", "--", "--tui", "-x",
    ])
    #expect(words == ["b.knap", "-", "--tui", "-x"])
    #expect(options.inputFile == "i" && options.outputFile == "o")
    #expect(options.format == .ndjson && options.isFormatGiven)
    #expect(options.threads == 3 && options.repeatCount == 9)
    #expect(options.loops && options.usesDashboard == false && options.name == "tool")
    let (telling, _) = try parse([
      "--metrics-interval", "2.5", "--metrics-file", "m", "--metrics-listen", "[::1]:9464",
      "--report-file", "r", "--no-report", "--trace", "t", "--trace-count", "7",
    ])
    let reporting = telling.reporting
    #expect(reporting.metricsIntervalSeconds == 2.5 && reporting.metricsFile == "m")
    #expect(reporting.metricsListen?.host == "::1" && reporting.metricsListen?.port == 9464)
    #expect(reporting.reportFile == "r" && !reporting.writesReport)
    #expect(reporting.traceFile == "t" && reporting.traceCount == 7)
    let (none, nothing) = try parse([])
    #expect(nothing.isEmpty && none.repeatCount == 7 && none.usesDashboard == nil)
    #expect(none.format == .text && !none.isFormatGiven && !none.loops && none.threads == 1)
  }

  @Test(arguments: [
    ["--input"], ["--threads", "0"], ["--threads", "-1"], ["--threads", "1025"],
    ["--threads", "x"],
    ["--repeat", "99999999999999999999"], ["--format", "yaml"], ["--fromat", "json"], ["-t"],
    ["--metrics-interval", "0"], ["--metrics-interval", "1e9"], ["--metrics-interval", "nan"],
    ["--metrics-listen", "70000"], ["--trace-count", "0"], ["--trace-count", "10001"], ["--trace"],
  ])
  func refusals(words: [String]) throws {
    do throws(Failure) {
      _ = try parse(words)
      Issue.record("accepted: \(words)")
    } catch {
      #expect(error.code == .usage)
      #expect(error.message.contains(words[0]))
    }
  }

  @Test func itemsOfADataSet() throws {
    let model = try loaded()
    let runner = try ModelRunner(model, threads: 1)
    var options = RunOptions()
    options.inputs = [Digits.data]
    let items = try RunItems(options, runner)
    #expect(items.items.count == 450 && !items.printsAnswers && !items.isBatch)
    #expect(try RunItems(RunOptions(), runner).items.count == 1)
    for (input, code) in [
      ("a text", ExitCode.usage), ("-", .usage), ("x.txt", .usage),
      ("/missing/x.safetensors", .missingInput), (Digits.model + "/x.safetensors", .missingInput),
    ] {
      options.inputs = [Digits.data, input]
      do throws(Failure) {
        _ = try RunItems(options, runner)
        Issue.record("accepted: \(input)")
      } catch {
        #expect(error.code == code, "\(input): \(error.message)")
      }
    }
  }

  /// The 450 images one by one give what they give in one batch, larger than the plan was made for.
  @Test func rowsAndBatchesAgree() throws {
    let model = try loaded()
    let one = try Digits.answers(model, images: 450)
    let runner = try ModelRunner(model, threads: 1)
    let planned = runner.session.arenaBytes
    try runner.fill(from: try TensorFile(path: Digits.data))
    try runner.run()
    #expect(runner.session.output(0).shape == Shape([450, 10]))
    let floats = runner.session.output(0).floats
    #expect(floats.count == one.count)
    for (i, x) in one.enumerated() { #expect((x - floats[i]).magnitude <= 1e-6) }
    #expect(runner.session.arenaBytes > planned)
    // Back to what the bundle was planned for.
    try runner.fill(from: try TensorFile(path: Digits.data), first: 3)
    try runner.run()
    #expect(runner.session.output(0).shape == Shape([1, 10]))
    #expect((0..<10).map { runner.session.output(0).floats[$0] } == Array(one[30..<40]))
  }

  private func loaded() throws -> LoadedModel {
    let file = TemporaryFile(".knap")
    try file.write(try Digits.bundle(.f32))
    return try LoadedModel.open(bundle: file.path)
  }
}
