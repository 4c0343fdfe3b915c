// A part of a recipe, read strictly.
import Bytes
import Fitting
import Foundation

/// A JSON object whose unknown and mistyped keys are errors that name them.
struct RecipeObject {
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
