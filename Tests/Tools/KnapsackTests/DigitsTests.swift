// The first bundle from file to answer: packed, looked at, run by both tools.

import Foundation
import Testing

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct DigitsTests {
  private func run(_ bundle: String, tool: Tool = .knapsack) throws -> [String: Any] {
    let outcome = try tool.run(["run", bundle, Repository.digitsData, "--format", "json"])
    #expect(outcome.status == 0, "\(outcome.error)")
    #expect(outcome.error.isEmpty)
    return try outcome.object()
  }

  @Test func accuracyOfEveryScheme() throws {
    var accuracy: [String: Double] = [:]
    for scheme in ["f32", "f16", "bf16", "int8", "nl6", "nl5", "nl4", "iq4_nl", "nl3", "nl2"] {
      let document = try run(try DigitsBundle.pack(scheme))
      #expect(document["schema"] as? String == "knapsack.run")
      #expect(document["version"] as? Int == 1)
      #expect(document["scheme"] as? String == scheme)
      #expect(document["inferences"] as? Int == 450)
      #expect(document["labelled"] as? Int == 450)
      let results = try #require(document["results"] as? [[String: Any]])
      #expect(results.count == 450)
      let right = results.filter { result in
        let labels = result["labels"] as? [[String: Any]]
        return labels?.first?["label"] as? String == "\(result["expected"] as? Int ?? -1)"
      }
      let found = try #require(document["accuracy"] as? Double)
      #expect(abs(found - Double(right.count) / 450) < 1e-9)
      accuracy[scheme] = found
    }
    let exact = try #require(accuracy["f32"])
    #expect(exact >= 0.98)
    let few = ["nl4": 0.01, "iq4_nl": 0.02, "nl3": 0.03, "nl2": 0.15]
    for (scheme, found) in accuracy {
      #expect(abs(found - exact) <= (few[scheme] ?? 0.005), "\(scheme): \(found)")
    }
  }

  @Test(arguments: ["f32", "int8"]) func packingTwiceGivesTheSameBytes(scheme: String) throws {
    let folder = try Folder()
    var bundles: [[UInt8]] = []
    for name in ["a.knap", "b.knap"] {
      let outcome = try Tool.knapsack.run([
        "pack", Repository.digits, "--scheme", scheme, "--target", "raspberry-pi-5", "--output",
        folder.path(name),
      ])
      #expect(outcome.status == 0)
      bundles.append(try Repository.bytes(folder.path(name)))
    }
    #expect(bundles[0] == bundles[1])
    #expect(folder.names == ["a.knap", "b.knap"])
  }

  @Test func bothToolsGiveTheSameOutputs() throws {
    let folder = try Folder()
    let bundle = try DigitsBundle.path()
    let expected = try TensorTable(path: Repository.digitsData)
    var files: [TensorTable] = []
    for (tool, threads) in [(Tool.knapsack, "1"), (.knapsackRun, "1"), (.knapsack, "2")] {
      let output = folder.path("\(files.count).safetensors")
      let outcome = try tool.run([
        "run", bundle, "--input", Repository.digitsData, "--output", output, "--threads", threads,
      ])
      #expect(outcome.status == 0, "\(outcome.error)")
      files.append(try TensorTable(path: output))
    }
    let name = "output.probabilities"
    for file in files {
      #expect(Array(file.entries.keys) == [name])
      #expect(file.entries[name]?.shape == [450, 10])
      #expect(file.entries[name]?.bytes == files[0].entries[name]?.bytes)
    }
    // The rows are probabilities, and the labels of the data set are where they are largest.
    let rows = try files[0].floats(name)
    let labels = try #require(expected.entries["labels"]).bytes
    var right = 0
    for i in 0..<450 {
      let row = rows[i * 10..<i * 10 + 10]
      #expect(abs(row.reduce(0, +) - 1) < 1e-5)
      let best = row.firstIndex(of: row.max()!)! - row.startIndex
      if Int(labels[i * 8]) == best { right += 1 }
    }
    #expect(Double(right) / 450 >= 0.98)
  }

  @Test func aModelRunsAsItsBundleDoes() throws {
    let packed = try run(try DigitsBundle.path())
    for source in [Repository.digits, Repository.digitsModel] {
      let outcome = try Tool.knapsack.run(
        ["run", source, "--input", Repository.digitsData, "--format", "json"])
      #expect(outcome.status == 0, "\(outcome.error)")
      #expect(try outcome.object()["model"] as? String == packed["model"] as? String)
    }
    // A recipe brings its evaluation data.
    let recipe = try Tool.knapsack.run(["run", Repository.digits, "--format", "json"])
    #expect(try recipe.object()["accuracy"] as? Double == packed["accuracy"] as? Double)
  }

  @Test func linesOfResults() throws {
    let bundle = try DigitsBundle.path()
    for tool in [Tool.knapsack, .knapsackRun] {
      let outcome = try tool.run(["run", bundle, Repository.digitsData, "--format", "ndjson"])
      #expect(outcome.status == 0)
      let lines = outcome.text.split(separator: "\n")
      #expect(lines.count == 451)
      for (i, line) in lines.enumerated() {
        let value = try JSONSerialization.jsonObject(with: Data(line.utf8))
        let object = try #require(value as? [String: Any])
        #expect(object["schema"] as? String == (i < 450 ? "knapsack.result" : "knapsack.run"))
        #expect(object["version"] as? Int == 1)
        if i < 450 { #expect(object["item"] as? Int == i) }
      }
    }
  }

  @Test func reportsSayWhatWasPacked() throws {
    let folder = try Folder()
    let path = folder.path("d.knap")
    let pack = try Tool.knapsack.run([
      "pack", Repository.digits, "--target", "raspberry-pi-zero-2w", "--scheme", "int8",
      "--output", path, "--format", "json",
    ])
    #expect(pack.status == 0)
    let inspect = try Tool.knapsack.run(["inspect", path, "--format", "json"])
    let size = try Repository.bytes(path).count
    for (outcome, schema) in [(pack, "knapsack.pack"), (inspect, "knapsack.inspect")] {
      let object = try outcome.object()
      #expect(object["schema"] as? String == schema)
      #expect(object["version"] as? Int == 1)
      #expect(object["scheme"] as? String == "int8")
      let bits = try #require(object["bits_per_weight"] as? Double)
      #expect(bits > 8 && bits < 14)
      #expect(object["stored_bytes"] as? Int == size)
      let arena = try #require(object["arena_bytes"] as? Int)
      let bound = try #require(object["arena_lower_bound_bytes"] as? Int)
      #expect(arena > 0 && arena >= bound)
      let peak = try #require(object["predicted_peak_memory_bytes"] as? Int)
      #expect(peak > arena)
      #expect(object["peak_step_name"] as? String == "conv2")
    }
    let inspected = try inspect.object()
    let steps = try #require(inspected["program"] as? [[String: Any]])
    let packed = try pack.object()
    #expect(packed["steps"] as? Int == steps.count)
    #expect(packed["ram_budget_bytes"] as? Int == 536_870_912 - 209_715_200)
    #expect(try #require(packed["predicted_latency_us"] as? Double) > 0)
    let sections = try #require(inspected["sections"] as? [[String: Any]])
    #expect(
      sections.compactMap { $0["kind"] as? String } == [
        "manifest", "program", "weights", "coding", "codes",
      ])
    let weights = try #require(inspected["weights"] as? [[String: Any]])
    let coded = weights.filter { $0["coding"] as? String == "codes" }
    #expect(!coded.isEmpty)
    for weight in coded {
      let bytes = try #require(weight["bytes"] as? Int)
      #expect(try #require(weight["stored_bytes"] as? Int) < bytes)
      #expect(try #require(weight["stored_bits_per_weight"] as? Double) < 8)
    }
    let manifest = try #require(inspected["manifest"] as? [String: Any])
    #expect(manifest["schema"] as? String == "knapsack.bundle")
    #expect((manifest["target"] as? [String: Any])?["name"] as? String == "raspberry-pi-zero-2w")
    // What is shown of a model is what its bundle would be.
    let model = try Tool.knapsack.run(
      ["inspect", Repository.digits, "--scheme", "int8", "--format", "json"])
    #expect(
      try model.object()["bits_per_weight"] as? Double == packed["bits_per_weight"] as? Double)
  }

  @Test func verifyAndBench() throws {
    let bundle = try DigitsBundle.path()
    let verified = try Tool.knapsack.run(["verify", bundle, "--format", "json"]).object()
    #expect(verified["ok"] as? Bool == true)
    #expect((verified["content_digest"] as? String)?.count == 64)
    for tool in [Tool.knapsack, .knapsackRun] {
      let outcome = try tool.run(["bench", bundle, "--repeat", "40", "--format", "json"])
      let object = try outcome.object()
      #expect(object["schema"] as? String == "knapsack.bench")
      #expect(object["runs"] as? Int == 40)
      let figures = ["min", "p50", "p95", "p99", "max"].compactMap {
        object["latency_\($0)_us"] as? Double
      }
      #expect(figures.count == 5 && figures == figures.sorted() && figures[0] > 0)
      #expect(try #require(object["load_us"] as? Double) > 0)
      let peak = try #require(object["peak_memory_bytes"] as? Int)
      #expect(peak > 1 << 20 && peak < 100 << 20)
      let steps = try #require(object["steps"] as? [[String: Any]])
      #expect(abs(steps.reduce(0) { $0 + ($1["share"] as? Double ?? 0) } - 1) < 1e-6)
    }
  }

  @Test func targetsAreListedAndShown() throws {
    let list = try Tool.knapsack.run(["targets", "--format", "json"])
    let profiles = try #require(
      JSONSerialization.jsonObject(with: list.output) as? [[String: Any]])
    let names = profiles.compactMap { $0["name"] as? String }
    #expect(names.first == "host")
    #expect(names.contains("raspberry-pi-5") && names.count >= 10)
    let shown = try Tool.knapsack.run(["targets", "show", "raspberry-pi-5"]).object()
    #expect(shown["name"] as? String == "raspberry-pi-5")
  }

  @Test func explainsWhatBecameOfTheNodes() throws {
    let model = Repository.digits + "/digits.onnx"
    let text = try Tool.knapsack.run(["inspect", model, "--explain"])
    #expect(text.status == 0)
    let json = try Tool.knapsack.run(["inspect", model, "--explain", "--format", "json"])
    let events = try #require(try json.object()["events"] as? [[String: Any]])
    #expect(!events.isEmpty)
    for event in events {
      let before = try #require(event["before"] as? [String])
      #expect(!before.isEmpty)
      for name in before { #expect(text.text.contains(name)) }
    }
    let bundle = try Tool.knapsack.run(["inspect", "--explain", try DigitsBundle.path()])
    #expect(bundle.status == 64)
  }

  @Test func textForPeople() throws {
    let bundle = try DigitsBundle.path()
    for arguments in [
      ["inspect", bundle, "--steps"], ["verify", bundle], ["targets"], ["--help"],
      ["run", "--help"],
      ["run", bundle, Repository.digitsData], ["bench", bundle, "--repeat", "3"], ["--version"],
    ] {
      let outcome = try Tool.knapsack.run(arguments)
      #expect(outcome.status == 0, "\(arguments)")
      #expect(outcome.error.isEmpty, "\(arguments): \(outcome.error)")
      #expect(!outcome.output.isEmpty && !outcome.output.contains(0x1B), "\(arguments)")
    }
    let summary = try Tool.knapsack.run(["run", bundle, Repository.digitsData]).text
    #expect(summary.contains("accuracy") && summary.contains(" of 450 right"))
  }
}
