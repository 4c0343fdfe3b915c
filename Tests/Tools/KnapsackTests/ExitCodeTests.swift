// Every way to be refused: its exit code, its one line, and nothing left behind.

import Foundation
import Testing

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct ExitCodeTests {
  let folder: Folder
  let bundle: String

  init() throws {
    folder = try Folder()
    bundle = try DigitsBundle.path()
  }

  @Test func usage() throws {
    let knapsack = Tool.knapsack
    #expect(try knapsack.refusal(64, ["pakc"]).contains("did you mean 'pack'?"))
    #expect(try knapsack.refusal(64, ["run", bundle, "--treads", "2"]).contains("--threads"))
    #expect(try knapsack.refusal(64, ["run", bundle, "--format", "xml"]).contains("ndjson"))
    #expect(
      try knapsack.refusal(64, ["pack", Repository.digits, "--scheme", "int9"]).contains("int8"))
    #expect(
      try knapsack.refusal(64, ["pack", Repository.digits, "--limit", "bach=2"])
        .contains("did you mean 'batch'?"))
    for arguments in [
      ["run"], ["run", bundle, "--threads", "0"], ["run", bundle, "--threads", "1025"],
      ["run", bundle, "--threads"], ["run", bundle, "--repeat", "0"],
      ["run", bundle, "--repeat", "99999999999999999999"], ["run", bundle, "--scheme", "int8"],
      ["run", bundle, "a text"], ["bench", bundle, "a text"], ["targets", "lits"],
      ["pack", Repository.digits, "--limit", "batch"],
      ["pack", Repository.digits, "--limit", "batch=0"],
      ["pack", Repository.digits, "--limit", "batch=1e3"],
      ["pack", Repository.digits, "--task", "embeddings"],
      ["pack", Repository.digits, "--output", ""],
    ] {
      try knapsack.refusal(64, arguments)
    }
    for arguments in [
      [], ["pack"], ["run"], ["run", bundle, "--treads", "2"], ["run", bundle, "--threads", "x"],
      ["run", bundle, "--threads", "1025"], ["run", bundle, "--format", "xml"],
      ["run", bundle, "--input"], ["run", bundle, "a text"],
    ] {
      try Tool.knapsackRun.refusal(64, arguments)
    }
  }

  @Test func missingInput() throws {
    let missing = folder.path("missing")
    for arguments in [
      ["run", missing], ["pack", missing], ["inspect", missing], ["verify", missing],
      ["bench", missing], ["run", bundle, missing + ".safetensors"],
      ["run", bundle, "--input", missing], ["bench", bundle, "--input", missing],
      ["run", bundle, "--input", folder.url.path], ["run", "/dev/null"],
      // Names are shown, but obeyed by no terminal.
      ["run", "a\nb\u{1B}[2J"],
      ["run", bundle, "/dev/video-none"], ["run", bundle, missing + ".jpg"],
    ] {
      #expect(try Tool.knapsack.refusal(66, arguments).contains("\u{1B}") == false)
    }
    for arguments in [
      ["run", missing], ["bench", missing], ["run", bundle, missing + ".safetensors"],
    ] {
      try Tool.knapsackRun.refusal(66, arguments)
    }
  }

  @Test func badProfile() throws {
    let text = try String(
      contentsOf: Repository.root.appending(path: "Targets/raspberry-pi-5.json5"), encoding: .utf8)
    let cases = [
      ("unknown key", text.replacing("cpu:", with: "cpus:"), "cpus"),
      ("cut", String(text.prefix(text.count / 2)), "byte"),
      (
        "not a number", text.replacing("ram_total_bytes: ", with: "ram_total_bytes: -"),
        "ram_total_bytes"
      ),
      ("empty", "", "byte"),
    ]
    for (name, content, place) in cases {
      #expect(content != text)
      let path = try folder.write("\(name).json5", content.utf8)
      let error = try Tool.knapsack.refusal(
        78, ["pack", Repository.digits, "--target", path, "--output", folder.path("x.knap")])
      #expect(error.contains(path) && error.contains(place), "\(error)")
    }
    try Tool.knapsack.refusal(78, ["targets", "show", "raspberry-pi-6x"])
    #expect(
      try Tool.knapsack.refusal(78, ["pack", Repository.digits, "--target", "raspbery-pi-5"])
        .contains("did you mean 'raspberry-pi-5'?"))
    #expect(folder.names.count == cases.count)
  }

  @Test func doesNotFit() throws {
    let text = try String(
      contentsOf: Repository.root.appending(path: "Targets/raspberry-pi-zero-2w.json5"),
      encoding: .utf8)
    let small = text.replacing("ram_total_bytes: 536870912", with: "ram_total_bytes: 210763776")
    #expect(small != text)
    let ram = try folder.write("small.json5", small.utf8)
    let full = text.replacing("free_bytes: 12000000000", with: "free_bytes: 4000")
    let storage = try folder.write("full.json5", full.utf8)
    for (profile, limit, has) in [
      (ram, "ram", "has 1.00 MiB"), (storage, "storage", "has 4.00 kB"),
    ] {
      let error = try Tool.knapsack.refusal(
        2, ["pack", Repository.digits, "--target", profile, "--output", folder.path("x.knap")])
      #expect(error.contains("\(limit): needs "))
      #expect(error.contains(has) && error.contains("short by "))
      #expect(error.contains("would do") && error.contains("--best-effort"), "\(error)")
      // A scheme that was asked for is the only one tried.
      let asked = try Tool.knapsack.refusal(
        2, ["pack", Repository.digits, "--target", profile, "--scheme", "f32"])
      #expect(asked.contains("f32") && !asked.contains("nl4"))
    }
    #expect(folder.names == ["full.json5", "small.json5"])
  }

  /// Root may write everywhere, so the places are such as nobody can write to.
  @Test func cannotWrite() throws {
    let file = try folder.write("file", [1, 2, 3])
    for place in [
      file + "/below.knap", folder.path("missing/x.knap"), "/proc/x.knap", folder.url.path,
    ] {
      try Tool.knapsack.refusal(73, ["pack", Repository.digits, "--output", place])
      try Tool.knapsack.refusal(73, ["probe", "--output", place])
      // Answers may be out before the tensors are.
      for tool in [Tool.knapsack, .knapsackRun] {
        let outcome = try tool.run(["run", bundle, Repository.digitsData, "--output", place])
        #expect(outcome.status == 73 && outcome.errorLines.count == 1, "\(outcome.error)")
      }
    }
    #expect(folder.names == ["file"])
    #expect(try Repository.bytes(file) == [1, 2, 3])
  }

  @Test func aFullDiskLeavesNothing() throws {
    let old = Array("older".utf8)
    for (name, content) in [("new", [UInt8]?.none), ("old", old)] {
      let path = folder.path(name)
      if let content { try folder.write(name, content) }
      for arguments in [
        ["pack", Repository.digits, "--output", path],
        ["run", bundle, "--input", Repository.digitsData, "--output", path],
      ] {
        let outcome = try Tool.knapsack.run(arguments, limit: "-f 16")
        #expect(outcome.status == 73, "\(outcome.error)")
        #expect(outcome.errorLines.count == 1 && outcome.error.hasPrefix("knapsack: \(path): "))
      }
    }
    #expect(folder.names == ["old"])
    #expect(try Repository.bytes(folder.path("old")) == old)
  }

  @Test func resultsThatNobodyCanHaveAreAFailure() throws {
    for arguments in [
      ["run", bundle, Repository.digitsData], ["run", bundle, "--input", Repository.digitsData],
      ["run", bundle, Repository.digitsData, "--format", "json"],
      ["run", bundle, Repository.digitsData, "--format", "ndjson"], ["bench", bundle],
      ["inspect", bundle], ["targets"], ["verify", bundle, "--format", "json"],
    ] {
      let outcome = try Tool.knapsack.run(arguments, output: "/dev/full")
      #expect(outcome.status == 73, "\(arguments)")
      #expect(outcome.error.hasSuffix("\n") && outcome.error.contains("standard output"))
    }
  }

  @Test func nothingThatIsReadIsReplaced() throws {
    let model = try folder.write("m.onnx", try Repository.bytes(Repository.digitsModel))
    try Tool.knapsack.refusal(64, ["pack", model, "--output", folder.path("./m.onnx")])
    let data = try folder.write("d.safetensors", try Repository.bytes(Repository.digitsData))
    let link = folder.path("link.safetensors")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: data)
    for tool in [Tool.knapsack, .knapsackRun] {
      try tool.refusal(64, ["run", bundle, "--input", data, "--output", link])
      try tool.refusal(64, ["run", bundle, data, "--output", data])
      try tool.refusal(64, ["run", bundle, "--output", bundle])
    }
    #expect(try Repository.bytes(data) == Repository.bytes(Repository.digitsData))
    #expect(try Repository.bytes(model) == Repository.bytes(Repository.digitsModel))
  }

  @Test func noTerminalNoMonitor() throws {
    for tool in [Tool.knapsack, .knapsackRun] {
      #expect(try tool.refusal(69, ["run", bundle, "--tui"]).contains("terminal"))
      // Not asked for, it is left out.
      let outcome = try tool.run(
        ["run", bundle, Repository.digitsData, "--repeat", "3"], environment: ["TERM": ""])
      #expect(outcome.status == 0 && !outcome.output.contains(0x1B))
    }
  }
}
