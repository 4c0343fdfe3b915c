// A recipe is taken word by word: what is unknown, mistyped or points elsewhere is refused by name.

import Foundation
import Packing
import Tasks
import Testing

@Suite struct RecipeTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// The recipe of this text.
  private func recipe(_ text: String) throws -> Recipe {
    let folder = NSTemporaryDirectory() + "knapsack-recipe-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try Data(text.utf8).write(to: URL(filePath: folder + "/bundle.json5"))
    #expect(Recipe.isRecipe(folder))
    let recipe = try Recipe(folder: folder)
    #expect(recipe.folder == folder)
    return recipe
  }

  /// Every recipe of the repository, read and packed for nothing.
  @Test func everyRecipeDecodes() throws {
    let folders = try FileManager.default.contentsOfDirectory(
      atPath: Self.root.appending(path: "Bundles").path)
    #expect(folders.contains("digits"))
    for name in folders where !name.hasPrefix(".") {
      let path = Self.root.appending(path: "Bundles/\(name)").path
      let recipe = try Recipe(folder: path)
      #expect(recipe.name == name)
      #expect(FileManager.default.fileExists(atPath: recipe.model))
      #expect(!recipe.summary.isEmpty && !recipe.license.isEmpty)
      if let data = recipe.evaluationData {
        #expect(FileManager.default.fileExists(atPath: data))
        #expect(recipe.metric != nil)
      }
    }
  }

  @Test func digits() throws {
    let recipe = try Recipe(folder: Self.root.appending(path: "Bundles/digits").path)
    #expect(recipe.limits == ["batch": 1] && recipe.metric == "accuracy")
    guard case .imageClassification(let image) = recipe.task else {
      Issue.record("\(recipe.task)")
      return
    }
    #expect(image.ranking.labels == (0...9).map { "\($0)" })
    #expect(image.ranking.topCount == 3 && image.ranking.outputName == "probabilities")
    #expect(!image.ranking.appliesSoftmax, "the output holds probabilities")
    #expect(image.picture.name == "image" && image.picture.layout == .planar)
    #expect(image.picture.scale == [0.062745098])
  }

  @Test func objectDetection() throws {
    let recipe = try recipe(
      """
      {
        name: "x", model: "m", task: "object-detection", labels: ["a", "b"],
        preprocessing: {channels: "bgr", letterbox: 114, layout: "NHWC"},
        postprocessing: {
          head: "scored", outputs: ["boxes", "scores"], threshold: 0.7, overlap: 0.3, limit: 9,
          background: true, strides_pixels: [8, 16],
        },
      }
      """)
    var expected = ObjectDetection()
    expected.labels = ["a", "b"]
    expected.picture.isBlueFirst = true
    expected.picture.letterbox = 114
    expected.picture.layout = .interleaved
    expected.head = .scored
    expected.outputNames = ["boxes", "scores"]
    expected.threshold = 0.7
    expected.overlap = 0.3
    expected.limit = 9
    expected.hasBackground = true
    expected.strides = [8, 16]
    #expect(recipe.task == .objectDetection(expected))
  }

  @Test func whatMayBeLeftOut() throws {
    let recipe = try recipe(#"{name: "x", model: "a/m.onnx"}"#)
    #expect(recipe.model == recipe.folder + "/a/m.onnx")
    #expect(recipe.task == .tensor && recipe.limits.isEmpty && recipe.evaluationData == nil)
    #expect(recipe.summary.isEmpty && recipe.license.isEmpty && recipe.metric == nil)
  }

  /// Text, and what the message has to name.
  static let bad: [(String, [String])] = [
    ("", ["byte"]), ("{", ["byte"]), ("3", ["object"]), ("[]", ["object"]),
    (#"{model: "m"}"#, ["name"]), (#"{name: "x"}"#, ["model"]),
    (#"{name: 1, model: "m"}"#, ["'name'", "byte 7", "text"]),
    (#"{name: "x", model: ["m"]}"#, ["'model'", "text"]),
    (#"{name: "x", model: "/m"}"#, ["'model'", "inside"]),
    (#"{name: "x", model: "../m"}"#, ["'model'", "inside"]),
    (#"{name: "x", model: "a/../../m"}"#, ["'model'", "inside"]),
    (#"{name: "x", model: "m", modle: 1}"#, ["'modle'", "did you mean 'model'?"]),
    (#"{name: "x", model: "m", evaluation: {data: "../d"}}"#, ["'evaluation.data'", "inside"]),
    (#"{name: "x", model: "m", evaluation: {dta: "d"}}"#, ["'evaluation.dta'", "'data'"]),
    (#"{name: "x", model: "m", evaluation: 3}"#, ["'evaluation'", "object"]),
    (#"{name: "x", model: "m", limits: {batch: 0}}"#, ["'limits.batch'"]),
    (#"{name: "x", model: "m", limits: {batch: 1.5}}"#, ["'limits.batch'"]),
    (#"{name: "x", model: "m", limits: {batch: 1e300}}"#, ["'limits.batch'"]),
    (#"{name: "x", model: "m", limits: [1]}"#, ["'limits'"]),
    (#"{name: "x", model: "m", task: "sentence-embeding"}"#, ["'task'", "sentence-embedding"]),
    (#"{name: "x", model: "m", task: 1}"#, ["'task'"]),
    (#"{name: "x", model: "m", labels: "a"}"#, ["'labels'"]),
    (#"{name: "x", model: "m", labels: [1]}"#, ["'labels'"]),
    (
      #"{name: "x", model: "m", task: "image-classification", postprocessing: {top: "3"}}"#,
      ["'postprocessing.top'"]
    ),
    (
      #"{name: "x", model: "m", task: "image-classification", postprocessing: {softmax: 1}}"#,
      ["'postprocessing.softmax'"]
    ),
    (
      #"{name: "x", model: "m", task: "image-classification", preprocessing: {scale: "1"}}"#,
      ["'preprocessing.scale'"]
    ),
    (
      #"{name: "x", model: "m", task: "image-classification", preprocessing: {scael: 1}}"#,
      ["'preprocessing.scael'", "'scale'"]
    ),
    (
      #"{name: "x", model: "m", task: "image-classification", preprocessing: {layout: "HWNC"}}"#,
      ["'preprocessing.layout'"]
    ),
    (
      #"{name: "x", model: "m", task: "image-classification", preprocessing: {channels: "grey"}}"#,
      ["'preprocessing.channels'"]
    ),
    (
      #"{name: "x", model: "m", task: "object-detection", postprocessing: {head: "boxes"}}"#,
      ["'postprocessing.head'", "ranked or scored or grid"]
    ),
    (
      #"{name: "x", model: "m", task: "object-detection", postprocessing: {outputs: ["a"]}}"#,
      ["'postprocessing.outputs'", "4 names"]
    ),
    (
      #"{name: "x", model: "m", task: "object-detection", postprocessing: {threshold: 2}}"#,
      ["'postprocessing.threshold'"]
    ),
    (
      #"{name: "x", model: "m", task: "object-detection", postprocessing: {strides_pixels: [0]}}"#,
      ["'postprocessing.strides_pixels'"]
    ),
    (
      #"{name: "x", model: "m", task: "object-detection", preprocessing: {letterbox: 256}}"#,
      ["'preprocessing.letterbox'", "0 to 255"]
    ),
    (#"{name: "x", name: "y", model: "m"}"#, ["name"]),
    (#"{name: "x", model: "m", preprocessing: {input: "i"}}"#, ["'preprocessing'"]),
    (#"{name: "", model: "m"}"#, ["'name'"]), (#"{name: "a/b", model: "m"}"#, ["'name'"]),
    (#"{name: "..", model: "m"}"#, ["'name'"]),
  ]

  @Test(arguments: bad.indices) func refused(index: Int) throws {
    let (text, words) = Self.bad[index]
    let error = #expect(throws: RecipeError.self, "\(text)") { try recipe(text) }
    let line = error?.description ?? ""
    #expect(line.contains("/bundle.json5: ") && !line.contains("\n"))
    for word in words { #expect(line.contains(word), "\(text): \(line)") }
  }

  @Test func hugeOnes() throws {
    #expect(throws: RecipeError.self) {
      try recipe("{name: \"x\", model: \"m\"} //" + String(repeating: "x", count: 1 << 20))
    }
    #expect(throws: RecipeError.self) {
      try recipe("{name: " + String(repeating: "[", count: 100_000))
    }
    #expect(throws: RecipeError.self) { try Recipe(folder: "/nonexistent") }
  }
}
