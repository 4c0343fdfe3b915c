// Packing for limits: what is promised is kept, and what cannot be kept is said.

import Foundation
import Testing

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct FitTests {
  private let folder: Folder

  init() throws { folder = try Folder() }

  private func pack(
    _ options: [String], name: String = "a.knap", status: Int32 = 0
  ) throws -> [String: Any] {
    let outcome = try Tool.knapsack.run(
      ["pack", Repository.digits, "--target", "raspberry-pi-5", "--format", "json", "--output"]
        + [folder.path(name)] + options, environment: ["KNAPSACK_CACHE": folder.path("cache")])
    try #require(outcome.status == status, "\(options): \(outcome.error)")
    return status == 0 ? try outcome.object() : [:]
  }

  private func size(_ name: String = "a.knap") throws -> Int {
    try Repository.bytes(folder.path(name)).count
  }

  @Test(arguments: [12_000, 16_000, 24_000]) func aSizeIsMetFromBelow(limit: Int) throws {
    _ = try pack(["--size", "\(limit)B"])
    let found = try size()
    #expect(found <= limit && Double(found) >= 0.995 * Double(limit), "\(found)")
  }

  @Test(arguments: [0.0001, 0.01]) func aLossIsKept(limit: Double) throws {
    let fit = try #require(try pack(["--loss", "\(limit)"])["fit"] as? [String: Any])
    let loss = try #require(fit["measured_loss"] as? Double)
    #expect(loss <= limit && loss > limit / 2, "\(loss)")
    // The bundle is the smaller for it, and answers as it should.
    #expect(try size() < 20_000)
    let outcome = try Tool.knapsack.run(
      ["run", folder.path("a.knap"), Repository.digitsData, "--format", "json"])
    let accuracy = try #require(try outcome.object()["accuracy"] as? Double)
    #expect(accuracy >= 0.97)
  }

  @Test func moreRoomLosesLess() throws {
    let losses = try ["9kB", "12kB", "18kB", "27kB"].map { size in
      let fit = try #require(try pack(["--size", size])["fit"] as? [String: Any])
      return try #require(fit["measured_loss"] as? Double)
    }
    #expect(losses == losses.sorted(by: >), "\(losses)")
    // Never worse than one step for all weights in as many bytes.
    let fit = try #require(try pack(["--size", "10kB"])["fit"] as? [String: Any])
    let loss = try #require(fit["measured_loss"] as? Double)
    #expect(loss <= (try #require(fit["uniform_loss"] as? Double)))
  }

  @Test func theSameCommandGivesTheSameBytes() throws {
    _ = try pack(["--size", "14kB"], name: "a.knap")
    // The second time sensitivities come from the cache; the third from nothing again.
    _ = try pack(["--size", "14kB"], name: "b.knap")
    #expect(
      !(try FileManager.default.contentsOfDirectory(atPath: folder.path("cache/fits"))).isEmpty)
    try FileManager.default.removeItem(atPath: folder.path("cache"))
    _ = try pack(["--size", "14kB"], name: "c.knap")
    let bytes = try ["a", "b", "c"].map { try Repository.bytes(folder.path($0 + ".knap")) }
    #expect(bytes[0] == bytes[1] && bytes[1] == bytes[2])
  }

  @Test func damagedCheckpointsCountAsNone() throws {
    _ = try pack(["--size", "14kB"], name: "a.knap")
    let cache = folder.path("cache/fits")
    for name in try FileManager.default.contentsOfDirectory(atPath: cache) {
      try Data([0x81, 0xA1, 0x61]).write(to: URL(filePath: cache + "/" + name))
    }
    _ = try pack(["--size", "14kB"], name: "b.knap")
    #expect(
      try Repository.bytes(folder.path("a.knap")) == Repository.bytes(folder.path("b.knap")))
  }

  @Test func whatCannotFitIsSaid() throws {
    let arguments = [
      "pack", Repository.digits, "--target", "raspberry-pi-5", "--output", folder.path("a.knap"),
    ]
    let line = try Tool.knapsack.refusal(2, arguments + ["--size", "4kB"])
    #expect(line.contains("storage: needs") && line.contains("would do"), "\(line)")
    let slow = try Tool.knapsack.refusal(2, arguments + ["--latency", "1us"])
    #expect(slow.contains("latency: needs"), "\(slow)")
    let tight = try Tool.knapsack.refusal(2, arguments + ["--memory", "1MiB"])
    #expect(tight.contains("ram: needs"), "\(tight)")
    #expect(!folder.names.contains("a.knap"))
    let outcome = try Tool.knapsack.run(arguments + ["--size", "4kB", "--best-effort"])
    #expect(outcome.status == 0 && outcome.text.contains("missed       storage"))
    #expect(folder.names.contains("a.knap"))
  }

  @Test func pinsAreKept() throws {
    let fit = try #require(
      try pack(["--size", "40kB", "--pin", "conv*=int8", "--pin", "conv2*=f16"])["fit"]
        as? [String: Any])
    var schemes: [String: String] = [:]
    for tensor in try #require(fit["tensors"] as? [[String: Any]]) {
      schemes[tensor["name"] as? String ?? ""] = tensor["scheme"] as? String
    }
    #expect(schemes["conv2.weight"] == "f16" && schemes["conv3.weight"] == "int8", "\(schemes)")
  }

  /// The fewer bits, the more is lost, and the smaller it is.
  @Test func blocksOfEveryWidthArePinned() throws {
    var losses: [Double] = []
    var sizes: [Int] = []
    for scheme in ["nl6", "nl5", "nl4", "nl3", "nl2"] {
      let fit = try #require(try pack(["--pin", "*=\(scheme)"])["fit"] as? [String: Any])
      let tensors = try #require(fit["tensors"] as? [[String: Any]])
      #expect(tensors.count == 3 && tensors.allSatisfy { $0["scheme"] as? String == scheme })
      losses.append(try #require(fit["measured_loss"] as? Double))
      sizes.append(try size())
    }
    #expect(losses == losses.sorted() && losses[0] < 1e-3, "\(losses)")
    #expect(sizes == sizes.sorted(by: >), "\(sizes)")
  }

  @Test func madeUpInputsAreSaid() throws {
    let outcome = try Tool.knapsack.run([
      "pack", Repository.digits + "/digits.onnx", "--target", "raspberry-pi-5", "--size", "20kB",
      "--output", folder.path("a.knap"),
    ])
    #expect(outcome.status == 0, "\(outcome.error)")
    #expect(outcome.error.contains("no calibration inputs") && outcome.errorLines.count == 1)
    #expect(outcome.text.contains("made-up inputs"))
  }

  @Test func inputsThatAreNone() throws {
    let arguments = [
      "pack", Repository.digits, "--target", "raspberry-pi-5", "--size", "20kB", "--output",
      folder.path("a.knap"), "--calibration",
    ]
    let text = try folder.write("a.txt", "a text".utf8)
    for path in [text, "/dev/null", folder.url.path] {
      let line = try Tool.knapsack.refusal(64, arguments + [path])
      #expect(line.contains("--calibration") && line.contains(".safetensors"), "\(line)")
    }
    try Tool.knapsack.refusal(66, arguments + [folder.path("missing.safetensors")])
    // Data sets of no items, and of items for which the model has no answer.
    func dataSet(_ count: Int, _ value: Float) throws -> String {
      let size = count * 64 * 4
      let header =
        "{\"image\":{\"dtype\":\"F32\",\"shape\":[\(count),1,8,8],\"data_offsets\":[0,\(size)]}}"
      var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
      bytes += Array(header.utf8)
      for _ in 0..<count * 64 {
        bytes += withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
      }
      return try folder.write("\(count).safetensors", bytes)
    }
    let none = try Tool.knapsack.refusal(65, arguments + [try dataSet(0, 0)])
    #expect(none.contains("no inputs"), "\(none)")
    let broken = try Tool.knapsack.refusal(65, arguments + [try dataSet(3, .nan)])
    #expect(broken.contains("not a number"), "\(broken)")
    #expect(!folder.names.contains("a.knap"))
  }

  @Test func aTimeLimitTakesWhatThereIs() throws {
    let fit = try #require(
      try pack(["--size", "14kB", "--time-limit", "1us"])["fit"] as? [String: Any])
    #expect(fit["unmeasured_tensors"] as? Int == 3)
    #expect(try size() <= 14_000)
  }

  @Test func figuresThatAreNone() throws {
    for options in [
      ["--size", "x"], ["--size", "0"], ["--size", "-4kB"], ["--latency", "5"],
      ["--energy", "5kJ"],
      ["--loss", "0"], ["--loss", "nan"], ["--pin", "a"], ["--pin", "a=int9"],
      ["--calibration-items", "0"], ["--scheme", "int8", "--loss", "0.1"],
    ] {
      let outcome = try Tool.knapsack.run(["pack", Repository.digits] + options)
      #expect(outcome.status == 64, "\(options): \(outcome.error)")
    }
  }
}
