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
      if let before { try Recipe.apply(before, to: &image) }
      try Recipe.apply(after, to: &image.ranking)
      return .imageClassification(image)
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
    _ before: RecipeObject, to image: inout ImageClassification
  ) throws {
    try before.allow([
      "input", "layout", "channels", "height_pixels", "width_pixels", "scale", "shift",
    ])
    image.inputName = try before.optionalText("input") ?? image.inputName
    if try before.name("layout", among: ["NCHW", "NHWC"]) == "NHWC" { image.layout = .interleaved }
    _ = try before.name("channels", among: ["gray", "rgb"])
    for key in ["height_pixels", "width_pixels"] {
      if let n = try before.integer(key), !(1...(1 << 16)).contains(n) {
        throw before.error(key, "expected 1 to 65536")
      }
    }
    if let scale = try before.numbers("scale") { image.scale = scale }
    if let shift = try before.numbers("shift") { image.shift = shift }
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

/// A JSON object whose unknown and mistyped keys are errors that name them.
private struct RecipeObject {
  private let value: JSONValue
  private let path: String
  private let key: String

  init(_ value: JSONValue, path: String, key: String) {
    self.value = value
    self.path = path
    self.key = key
  }

  func error(_ name: String, _ message: String) -> RecipeError {
    let offset = value[name]?.offset ?? value.offset
    let full = key.isEmpty ? name : "\(key).\(name)"
    return RecipeError(path: path, message: "key '\(full)', byte \(offset): \(message)")
  }

  func members() throws -> [(String, JSONValue)] {
    guard let members = value.objectValue else {
      throw RecipeError(path: path, message: "byte \(value.offset): expected an object")
    }
    return members.map { ($0.key, $0.value) }
  }

  func allow(_ names: [String]) throws {
    for (name, _) in try members() where !names.contains(name) {
      let nearest = nearestName(to: name, among: names).map { "; did you mean '\($0)'?" } ?? ""
      throw error(name, "unknown key\(nearest)")
    }
  }

  func optionalText(_ name: String) throws -> String? {
    guard let v = value[name] else { return nil }
    guard let text = v.stringValue else { throw error(name, "expected text, found \(v.kind.name)") }
    return text
  }

  func text(_ name: String) throws -> String {
    guard let text = try optionalText(name) else { throw error(name, "is missing") }
    return text
  }

  /// One of a few names.
  func name(_ key: String, among names: [String]) throws -> String? {
    guard let name = try optionalText(key) else { return nil }
    guard names.contains(name) else {
      throw error(key, "expected " + names.joined(separator: " or ") + ", found '\(name)'")
    }
    return name
  }

  /// A path inside the recipe's folder.
  func path(_ name: String, in folder: String) throws -> String {
    let text = try text(name)
    guard !text.hasPrefix("/"), !text.split(separator: "/").contains("..") else {
      throw error(name, "expected a path inside the folder")
    }
    return folder + "/" + text
  }

  func object(_ name: String) throws -> RecipeObject? {
    guard let v = value[name] else { return nil }
    guard v.objectValue != nil else { throw error(name, "expected an object") }
    return RecipeObject(v, path: path, key: key.isEmpty ? name : "\(key).\(name)")
  }

  func integer(_ name: String) throws -> Int? {
    guard let v = value[name] else { return nil }
    guard let n = v.integerValue else { throw error(name, "expected a whole number") }
    return n
  }

  func bool(_ name: String) throws -> Bool? {
    guard let v = value[name] else { return nil }
    guard let b = v.boolValue else { throw error(name, "expected true or false") }
    return b
  }

  func texts(_ name: String) throws -> [String] {
    guard let v = value[name] else { return [] }
    guard let list = v.arrayValue else { throw error(name, "expected a list of texts") }
    return try list.map { item in
      guard let text = item.stringValue else { throw error(name, "expected a list of texts") }
      return text
    }
  }

  /// One number or a list of them.
  func numbers(_ name: String) throws -> [Float]? {
    guard let v = value[name] else { return nil }
    if let n = v.numberValue { return [Float(n)] }
    let list = v.arrayValue?.compactMap(\.numberValue) ?? []
    guard let count = v.arrayValue?.count, count == list.count, count > 0 else {
      throw error(name, "expected numbers")
    }
    return list.map { Float($0) }
  }
}
