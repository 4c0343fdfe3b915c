// The files of a Hugging Face model folder, read with bounds.
import Bytes

/// A folder with `config.json` in it.
struct HuggingFaceFolder {
  let path: String

  init(_ path: String) {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    self.path = path
  }

  func path(of name: String) -> String { path + "/" + name }

  func has(_ name: String) -> Bool { FileKind(at: path(of: name)) == .file }

  /// The bytes of a file of at most `limit` bytes; nil where there is none.
  func bytes(_ name: String, limit: Int = 64 << 20) throws(ImportError) -> [UInt8]? {
    guard has(name) else { return nil }
    let file = try ModelFile(mapping: path(of: name))
    guard file.count <= limit else {
      throw file.malformed(limit, "\(file.count) bytes, at most \(limit) are taken")
    }
    return [UInt8](file.bytes)
  }

  /// A JSON object; nil where the file is not there.
  func json(_ name: String) throws(ImportError) -> HuggingFaceJSON? {
    guard let bytes = try bytes(name, limit: 4 << 20) else { return nil }
    do throws(JSONError) {
      return HuggingFaceJSON(file: path(of: name), value: try JSON.parse(bytes, maximumDepth: 32))
    } catch {
      throw ImportError(file: path(of: name), .malformed(offset: error.offset, error.message))
    }
  }
}

/// A JSON file and how its keys are read.
struct HuggingFaceJSON {
  let file: String
  let value: JSONValue

  func refuse(_ key: String, _ what: String) -> ImportError {
    ImportError(file: file, .key(key, what))
  }

  /// The value under a key that is there and not null.
  private func find(_ key: String) -> JSONValue? {
    guard let found = value[key], !found.isNull else { return nil }
    return found
  }

  /// A whole number in `range`; `fallback` where the key is missing, an error without one.
  func integer(
    _ key: String, in range: ClosedRange<Int>, _ fallback: Int? = nil
  ) throws(ImportError) -> Int {
    guard let found = find(key) else {
      guard let fallback else { throw refuse(key, "expected a whole number, found nothing") }
      return fallback
    }
    guard let number = found.integerValue, range.contains(number) else {
      throw refuse(
        key, "byte \(found.offset): expected a whole number in \(range), found \(found.kind.name)")
    }
    return number
  }

  func number(_ key: String, _ fallback: Double) throws(ImportError) -> Double {
    guard let found = find(key) else { return fallback }
    guard let number = found.numberValue else {
      throw refuse(key, "byte \(found.offset): expected a number, found \(found.kind.name)")
    }
    return number
  }

  func string(_ key: String) throws(ImportError) -> String? {
    guard let found = find(key) else { return nil }
    guard let text = found.stringValue else {
      throw refuse(key, "byte \(found.offset): expected a string, found \(found.kind.name)")
    }
    return text
  }

  func bool(_ key: String, _ fallback: Bool) throws(ImportError) -> Bool {
    guard let found = find(key) else { return fallback }
    guard let flag = found.boolValue else {
      throw refuse(key, "byte \(found.offset): expected a boolean, found \(found.kind.name)")
    }
    return flag
  }

  /// The strings of a list; empty where the key is missing.
  func strings(_ key: String) throws(ImportError) -> [String] {
    guard let found = find(key) else { return [] }
    guard let list = found.arrayValue else {
      throw refuse(key, "byte \(found.offset): expected a list, found \(found.kind.name)")
    }
    return list.compactMap(\.stringValue)
  }

  /// `{"0": "NEGATIVE", "1": "POSITIVE"}` as a list; empty where the key is missing.
  func labels(_ key: String) throws(ImportError) -> [String] {
    guard let members = find(key)?.objectValue else { return [] }
    guard members.count <= 1 << 16 else { throw refuse(key, "more than 65536 labels") }
    var labels = [String?](repeating: nil, count: members.count)
    for member in members {
      guard let id = Int(member.key), labels.indices.contains(id), labels[id] == nil,
        let label = member.value.stringValue
      else {
        throw refuse(
          key, "byte \(member.keyOffset): expected a label for each number from 0 on")
      }
      labels[id] = label
    }
    return labels.compactMap { $0 }
  }
}
