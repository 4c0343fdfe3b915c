// One reading of XGBoost's two forms, JSON and UBJSON: values by key, with errors that name the key.
import Bytes

/// A value of a model file and the way to it.
struct XGBoostValue {
  private enum Kind {
    case json(JSONValue)
    case ubjson(UBJSONValue)
  }

  let file: ModelFile
  /// `learner.objective.name`, as errors say it.
  let path: String
  private let kind: Kind

  /// The whole of a file, which is UBJSON where its second byte is no JSON.
  init(_ file: ModelFile) throws(ImportError) {
    self.file = file
    path = ""
    if XGBoostValue.isUBJSON(file) {
      kind = .ubjson(try UBJSONReader.read(file))
      return
    }
    // A number of the file becomes 32 bytes here.
    guard file.count <= 1 << 29 else {
      throw file.malformed(1 << 29, "a JSON model of \(file.count) bytes: save it as .ubj")
    }
    do throws(JSONError) {
      // XGBoost writes NaN and Infinity, which are JSON5.
      kind = .json(try JSON.parse([UInt8](file.bytes), dialect: .json5, maximumDepth: 32))
    } catch {
      throw file.malformed(error.offset, error.message)
    }
  }

  private init(_ file: ModelFile, _ path: String, _ kind: Kind) {
    self.file = file
    self.path = path
    self.kind = kind
  }

  /// True for files that begin as an object of UBJSON does.
  static func isUBJSON(_ file: ModelFile) -> Bool {
    file.count > 2 && file.bytes[0] == UInt8(ascii: "{")
      && [UInt8]("LlIiU#$".utf8).contains(file.bytes[1])
  }

  func refuse(_ what: String) -> ImportError {
    ImportError(file: file.path, .key(path, what))
  }

  // MARK: Objects

  /// The value under `key`; nil where there is none, or null.
  func optional(_ key: String) -> XGBoostValue? {
    let inner = path.isEmpty ? key : path + "." + key
    switch kind {
    case .json(let value):
      guard let found = value[key], !found.isNull else { return nil }
      return XGBoostValue(file, inner, .json(found))
    case .ubjson(.object(let members)):
      guard let found = members.first(where: { $0.key == key })?.value else { return nil }
      if case .null = found { return nil }
      return XGBoostValue(file, inner, .ubjson(found))
    default: return nil
    }
  }

  subscript(key: String) -> XGBoostValue {
    get throws(ImportError) {
      guard let found = optional(key) else {
        throw ImportError(
          file: file.path, .key(path.isEmpty ? key : path + "." + key, "is missing"))
      }
      return found
    }
  }

  // MARK: Single values

  var text: String? {
    switch kind {
    case .json(let value): value.stringValue
    case .ubjson(.string(let text)): text
    default: nil
    }
  }

  private var single: Double? {
    switch kind {
    case .json(let value): value.numberValue
    case .ubjson(.integer(let value)): Double(value)
    case .ubjson(.number(let value)): value
    default: nil
    }
  }

  func string() throws(ImportError) -> String {
    guard let text else { throw refuse("expected text") }
    return text
  }

  /// A whole number in `range`, or text that spells one.
  func integer(in range: ClosedRange<Int>) throws(ImportError) -> Int {
    let value = text.map { NumberText.integer([UInt8]($0.utf8)).map { Double($0) } } ?? single
    guard let value, let number = Int(exactly: value), range.contains(number) else {
      throw refuse("expected a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// Numbers in text, as base scores are: `5E-1`, or `[1E0,2E0]`.
  func numbersInText() throws(ImportError) -> [Double] {
    if let single { return [single] }
    var text = try string()
    guard text.utf8.count <= 1 << 24 else { throw refuse("the text is too long") }
    if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
    var numbers: [Double] = []
    for part in text.utf8.split(separator: UInt8(ascii: ",")) {
      guard let number = NumberText.double([UInt8](part)), number.isFinite else {
        throw refuse("expected numbers")
      }
      numbers.append(number)
    }
    return numbers
  }

  // MARK: Arrays

  /// The elements of an array of objects.
  func elements() throws(ImportError) -> [XGBoostValue] {
    switch kind {
    case .json(let value):
      guard let list = value.arrayValue else { break }
      return list.enumerated().map { XGBoostValue(file, "\(path)[\($0)]", .json($1)) }
    case .ubjson(.array(let list)):
      return list.enumerated().map { XGBoostValue(file, "\(path)[\($0)]", .ubjson($1)) }
    case .ubjson(.numbers(let list)) where list.count == 0: return []
    default: break
    }
    throw refuse("expected an array")
  }

  /// Whole numbers; true and false count as 1 and 0.
  func integers() throws(ImportError) -> [Int] {
    if case .ubjson(.numbers(let list)) = kind {
      var result = [Int](repeating: 0, count: list.count)
      for i in 0..<list.count {
        guard let value = list.integer(i).flatMap({ Int(exactly: $0) }) else {
          throw refuse("expected whole numbers")
        }
        result[i] = value
      }
      return result
    }
    var result: [Int] = []
    for element in try elements() {
      if case .json(let value) = element.kind, let flag = value.boolValue {
        result.append(flag ? 1 : 0)
      } else if case .ubjson(.bool(let flag)) = element.kind {
        result.append(flag ? 1 : 0)
      } else {
        result.append(try element.integer(in: Int.min...Int.max))
      }
    }
    return result
  }

  /// Real numbers.
  func numbers() throws(ImportError) -> [Double] {
    if case .ubjson(.numbers(let list)) = kind { return (0..<list.count).map { list.number($0) } }
    var result: [Double] = []
    for element in try elements() {
      guard let number = element.single else { throw element.refuse("expected a number") }
      result.append(number)
    }
    return result
  }

  /// Texts, such as the names of features.
  func strings() throws(ImportError) -> [String] {
    var result: [String] = []
    for element in try elements() { result.append(try element.string()) }
    return result
  }
}
