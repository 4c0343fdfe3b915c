// A model that finds things, from a picture's file to boxes on the screen.

import Foundation
import Testing
import VirtualTerminal

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct DetectionTests {
  private let folder: Folder

  init() throws { folder = try Folder() }

  /// The fixture's detector of red and blue squares as a bundle; words: what its recipe says beside that.
  private func bundle(
    _ preprocessing: String = "", _ postprocessing: String = #"head: "grid", strides_pixels: [4]"#
  ) throws -> String {
    let model = Repository.root.appending(path: "Tests/Support/Tasks/detector.onnx")
    let recipe = folder.url.appending(path: "recipe-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: recipe, withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: model, to: recipe.appending(path: "detector.onnx"))
    let text = """
      {
        name: "squares", model: "detector.onnx", task: "object-detection", labels: ["red", "blue"],
        preprocessing: {scale: 0.00392156862745098\(preprocessing)},
        postprocessing: {\(postprocessing)},
      }
      """
    try Data(text.utf8).write(to: recipe.appending(path: "bundle.json5"))
    let path = recipe.path + ".knap"
    let packed = try Tool.knapsack.run(
      ["pack", recipe.path, "--scheme", "f32", "--output", path])
    try #require(packed.status == 0, "\(packed.error)")
    return path
  }

  /// A picture with a red and a blue square on black.
  private func picture(_ width: Int, _ height: Int, red: (Int, Int), blue: (Int, Int)) throws
    -> String
  {
    var bytes = Array("P6 \(width) \(height) 255\n".utf8)
    for y in 0..<height {
      for x in 0..<width {
        func isIn(_ corner: (Int, Int)) -> Bool {
          x >= corner.0 && x < corner.0 + 8 && y >= corner.1 && y < corner.1 + 8
        }
        bytes += isIn(red) ? [255, 0, 0] : isIn(blue) ? [0, 0, 255] : [0, 0, 0]
      }
    }
    return try folder.write("squares-\(width)x\(height).ppm", bytes)
  }

  private struct Line: Decodable {
    struct Object: Decodable {
      var label: String
      var score: Double
      var boxPixels: [Double]
    }
    var schema: String
    var widthPixels: Int?
    var heightPixels: Int?
    var objects: [Object]?
  }

  private func objects(_ tool: Tool, _ bundle: String, _ picture: String) throws -> Line {
    let outcome = try tool.run(["run", bundle, picture, "--format", "ndjson", "--no-tui"])
    try #require(outcome.status == 0, "\(outcome.error)")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let lines = try outcome.text.split(separator: "\n").map {
      try decoder.decode(Line.self, from: Data($0.utf8))
    }
    return try #require(lines.first { $0.schema == "knapsack.result" })
  }

  private func isNear(_ found: Line.Object, _ label: String, _ box: [Double]) -> Bool {
    found.label == label && found.score > 0.8
      && zip(found.boxPixels, box).allSatisfy { abs($0 - $1) < 0.01 }
  }

  @Test(arguments: [Tool.knapsack, .knapsackRun]) func boxesAreOnThePicture(tool: Tool) throws {
    // Twice as large as the model's 12x8.
    let picture = try picture(24, 16, red: (8, 0), blue: (16, 8))
    let line = try objects(tool, try bundle(), picture)
    #expect(line.widthPixels == 24 && line.heightPixels == 16)
    let found = (line.objects ?? []).sorted { $0.label > $1.label }
    try #require(found.count == 2)
    #expect(isNear(found[0], "red", [8, 0, 16, 8]))
    #expect(isNear(found[1], "blue", [16, 8, 24, 16]))
  }

  /// A square picture in the model's upper left corner, and colours the other way round.
  @Test func letterboxAndOrder() throws {
    let picture = try picture(16, 16, red: (8, 0), blue: (0, 8))
    let line = try objects(
      .knapsackRun,
      try bundle(
        #", letterbox: 0, channels: "bgr""#,
        #"head: "grid", strides_pixels: [4], threshold: 0.6"#), picture)
    #expect(line.widthPixels == 16)
    let found = (line.objects ?? []).sorted { $0.label > $1.label }
    try #require(found.count == 2)
    #expect(isNear(found[0], "red", [0, 8, 8, 16]))
    #expect(isNear(found[1], "blue", [8, 0, 16, 8]))
  }

  /// What is seen in the part of the input that the picture leaves free is on no picture.
  @Test func nothingIsBesideThePicture() throws {
    // A white rest is red and blue all over.
    let picture = try picture(16, 16, red: (0, 0), blue: (99, 99))
    let line = try objects(
      .knapsackRun,
      try bundle(", letterbox: 255", #"head: "grid", strides_pixels: [4], threshold: 0.6"#), picture
    )
    #expect(line.objects?.map(\.label) == ["red"], "\(line)")
  }

  /// TFLite's detection operator needs no recipe.
  @Test(.enabled(if: models != nil, "KNAPSACK_MODELS is not set")) func tfliteNeedsNoRecipe() throws
  {
    let model =
      try #require(Self.models) + "/det-ssd-mobilenet-v1-uint8/ssd_mobilenet_v1_uint8.tflite"
    let out = folder.path("ssd.knap")
    let packed = try Tool.knapsack.run(
      ["pack", model, "--scheme", "f32", "--output", out, "--format", "json"])
    #expect(packed.status == 0 && packed.text.contains(#""task": "object-detection""#))
    let picture = try picture(24, 16, red: (8, 0), blue: (16, 8))
    let line = try objects(.knapsackRun, out, picture)
    #expect(line.widthPixels == 24 && line.objects != nil)
  }

  static let models = ProcessInfo.processInfo.environment["KNAPSACK_MODELS"]

  @Test func nothingIsFoundOnBlack() throws {
    let picture = try picture(24, 16, red: (99, 99), blue: (99, 99))
    let outcome = try Tool.knapsackRun.run(["run", try bundle(), picture, "--no-tui"])
    #expect(outcome.status == 0 && outcome.text.contains("nothing found"), "\(outcome.text)")
  }

  /// A head that the model does not have, by name.
  @Test func wrongHeadsAreRefused() throws {
    let picture = try picture(24, 16, red: (8, 0), blue: (16, 8))
    for words in [
      #"head: "scored""#, #"head: "grid", strides_pixels: [4, 8]"#, #"head: "ranked""#,
      #"head: "grid", strides_pixels: [4], outputs: ["boxes"]"#,
    ] {
      let error = try Tool.knapsackRun.refusal(
        65, ["run", try bundle("", words), picture, "--no-tui"])
      #expect(error.contains("head of the task: expected"), "\(error)")
    }
  }

  /// The picture on the screen has its boxes, and the answer is text beside it.
  @Test func boxesAreDrawn() throws {
    let runtime = URL(filePath: "/tmp/kd-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(
      at: runtime, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(at: runtime) }
    let picture = try picture(24, 16, red: (8, 0), blue: (16, 8))
    let terminal = try PseudoTerminal(
      .knapsackRun, ["run", try bundle(), picture, "--loop", "--tui", "--rate", "20"],
      environment: ["XDG_RUNTIME_DIR": runtime.path, "XDG_STATE_HOME": folder.path("state")])
    #expect(terminal.waits(forRowWith: "RUNNING"))
    terminal.type("i")
    #expect(terminal.waits(forRowWith: "24x16"))
    #expect(terminal.waits(forRowWith: "red 0.8"))
    terminal.type("q")
    #expect(terminal.waitForEnd() == 0 && terminal.isCooked)
    #expect(terminal.screen.unknown.isEmpty)
  }
}
