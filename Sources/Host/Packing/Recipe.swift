// A bundle recipe: the folder that says what to pack and how it is judged.
import Bytes
import Fitting
import Foundation
import Tasks
import Tensors

/// `bundle.json5` of a recipe folder.
public struct Recipe: Sendable {
  public var folder: String
  public var name: String
  public var summary: String
  public var license: String
  /// Path of the model.
  public var model: String
  public var task: Task
  /// Largest values of symbols.
  public var limits: [String: Int]
  /// The labelled data, where the recipe has some.
  public var evaluationData: String?
  public var metric: String?
  /// Inputs that sensitivities are measured on: calibration data, or else the evaluation's.
  public var calibrationData: String?
  /// Schemes of weights whose names match, the last that matches counts.
  public var pins: [SchemePin] = []

  public static let fileName = "bundle.json5"

  /// True for folders that hold a recipe.
  public static func isRecipe(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: path + "/" + fileName)
  }

  /// Reads `folder/bundle.json5`; unknown keys are refused.
  public init(folder: String) throws {
    let path = folder + "/" + Recipe.fileName
    let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    guard size <= 1 << 20, let data = FileManager.default.contents(atPath: path) else {
      throw RecipeError(path: path, message: "cannot be read, or is larger than 1 MiB")
    }
    let root: JSONValue
    do {
      root = try JSON.parse([UInt8](data), dialect: .json5)
    } catch {
      throw RecipeError(path: path, message: "\(error)")
    }
    let fields = RecipeObject(root, path: path, key: "")
    try fields.allow([
      "name", "description", "license", "model", "task", "labels", "preprocessing",
      "postprocessing", "evaluation", "limits", "calibration", "schemes",
    ])
    self.folder = folder
    name = try fields.text("name")
    // The bundle is called so, wherever it is written.
    guard !name.isEmpty, !name.hasPrefix("."), name.utf8.count <= 128,
      !name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "/") })
    else { throw fields.error("name", "expected a name that a file can have") }
    summary = try fields.optionalText("description") ?? ""
    license = try fields.optionalText("license") ?? ""
    model = try fields.path("model", in: folder)
    task = try Recipe.task(fields)
    limits = [:]
    if let object = try fields.object("limits") {
      for (key, value) in try object.members() {
        guard let n = value.integerValue, n >= 1, n <= 1 << 30 else {
          throw object.error(key, "expected a whole number from 1 on")
        }
        limits[key] = n
      }
    }
    if let evaluation = try fields.object("evaluation") {
      try evaluation.allow(["data", "labels", "metric", "minimum"])
      evaluationData = try evaluation.path("data", in: folder)
      metric = try evaluation.optionalText("metric")
      _ = try evaluation.optionalText("labels")
      _ = try evaluation.numbers("minimum")
    }
    calibrationData = evaluationData
    if let calibration = try fields.object("calibration") {
      try calibration.allow(["data"])
      calibrationData = try calibration.path("data", in: folder)
    }
    if let schemes = try fields.object("schemes") {
      for (pattern, value) in try schemes.members() {
        guard let name = value.stringValue, let scheme = QuantizationScheme(name: name) else {
          let names = QuantizationScheme.allCases.map(\.name).joined(separator: ", ")
          throw schemes.error(pattern, "expected one of \(names)")
        }
        pins.append(SchemePin(pattern: pattern, scheme: scheme))
      }
    }
  }

  private static func task(_ fields: RecipeObject) throws -> Task {
    let name = try fields.optionalText("task") ?? "tensor"
    guard let task = Task(name: name) else {
      let nearest = nearestName(to: name, among: Task.names).map { "; did you mean \($0)?" } ?? ""
      throw fields.error("task", "unknown task '\(name)'\(nearest)")
    }
    let labels = try fields.texts("labels")
    let before = try fields.object("preprocessing")
    let after = try fields.object("postprocessing")
    switch task {
    case .imageClassification(var image):
      image.ranking.labels = labels
      if let before { try Recipe.apply(before, to: &image.picture) }
      try Recipe.apply(after, to: &image.ranking)
      return .imageClassification(image)
    case .objectDetection(var detection):
      detection.labels = labels
      if let before { try Recipe.apply(before, to: &detection.picture) }
      if let after { try Recipe.apply(after, to: &detection) }
      return .objectDetection(detection)
    case .textClassification(var text):
      text.ranking.labels = labels
      try Recipe.refuse(before, "preprocessing", fields, task)
      try Recipe.apply(after, to: &text.ranking)
      return .textClassification(text)
    case .sentenceEmbedding, .tensor:
      try Recipe.refuse(before, "preprocessing", fields, task)
      try Recipe.refuse(after, "postprocessing", fields, task)
      return task
    }
  }

  private static func refuse(
    _ object: RecipeObject?, _ key: String, _ fields: RecipeObject, _ task: Task
  ) throws {
    guard object == nil else { throw fields.error(key, "the task \(task.name) has none") }
  }

  private static func apply(
    _ before: RecipeObject, to image: inout PictureInputs
  ) throws {
    try before.allow([
      "input", "layout", "channels", "height_pixels", "width_pixels", "scale", "shift",
      "letterbox",
    ])
    image.name = try before.optionalText("input") ?? image.name
    if try before.name("layout", among: ["NCHW", "NHWC"]) == "NHWC" { image.layout = .interleaved }
    image.isBlueFirst = try before.name("channels", among: ["gray", "rgb", "bgr"]) == "bgr"
    if let free = try before.integer("letterbox") {
      guard let value = UInt8(exactly: free) else {
        throw before.error("letterbox", "expected 0 to 255")
      }
      image.letterbox = value
    }
    for key in ["height_pixels", "width_pixels"] {
      if let n = try before.integer(key), !(1...(1 << 16)).contains(n) {
        throw before.error(key, "expected 1 to 65536")
      }
    }
    if let scale = try before.numbers("scale") { image.scale = scale }
    if let shift = try before.numbers("shift") { image.shift = shift }
  }

  private static func apply(
    _ after: RecipeObject, to detection: inout ObjectDetection
  ) throws {
    try after.allow([
      "head", "outputs", "threshold", "overlap", "limit", "background", "strides_pixels",
    ])
    let heads = ObjectDetection.headNames
    if let name = try after.name("head", among: heads), let at = heads.firstIndex(of: name) {
      detection.head = ObjectDetection.Head(rawValue: UInt8(at)) ?? detection.head
    }
    detection.outputNames = try after.texts("outputs")
    guard [0, detection.outputCount].contains(detection.outputNames.count) else {
      throw after.error("outputs", "expected \(detection.outputCount) names, or none")
    }
    func share(_ key: String) throws -> Float? {
      guard let numbers = try after.numbers(key) else { return nil }
      guard numbers.count == 1, (0...1).contains(numbers[0]) else {
        throw after.error(key, "expected a number from 0 to 1")
      }
      return numbers[0]
    }
    detection.threshold = try share("threshold") ?? detection.threshold
    detection.overlap = try share("overlap") ?? detection.overlap
    if let limit = try after.integer("limit") {
      detection.limit = min(max(limit, 1), ObjectDetection.resultLimit)
    }
    detection.hasBackground = try after.bool("background") ?? detection.hasBackground
    if let strides = try after.numbers("strides_pixels") {
      detection.strides = try strides.map { stride in
        guard let whole = Int(exactly: stride), (1...4096).contains(whole) else {
          throw after.error("strides_pixels", "expected whole numbers from 1 to 4096")
        }
        return whole
      }
      guard (1...16).contains(detection.strides.count) else {
        throw after.error("strides_pixels", "expected 1 to 16 of them")
      }
    }
  }

  private static func apply(_ after: RecipeObject?, to ranking: inout LabelRanking) throws {
    guard let after else { return }
    try after.allow(["output", "top", "softmax"])
    if let output = try after.optionalText("output") {
      ranking.outputName = output
      // Outputs that are probabilities already say so by their name.
      ranking.appliesSoftmax = !output.hasPrefix("prob")
    }
    if let top = try after.integer("top") { ranking.topCount = min(max(top, 1), 1000) }
    if let softmax = try after.bool("softmax") { ranking.appliesSoftmax = softmax }
  }
}

/// What is wrong with a recipe.
public struct RecipeError: Error, Sendable, CustomStringConvertible {
  public var path: String
  public var message: String

  public var description: String { "\(path): \(message)" }
}
