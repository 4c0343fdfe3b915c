// JSON as a value that remembers where it stood, and what can be wrong with its text.

/// A JSON value and the byte offset of its first character.
public struct JSONValue: Sendable {
  public var kind: JSONKind
  public var offset: Int

  public init(_ kind: JSONKind, offset: Int = 0) {
    self.kind = kind
    self.offset = offset
  }
}

/// What a JSON value is.
public enum JSONKind: Sendable {
  case null
  case bool(Bool)
  /// A number written without fraction and exponent that 64 signed bits hold. `-0` is a `number`.
  case integer(Int64)
  /// Any other number, to the nearest double; finite in plain JSON.
  case number(Double)
  case string(String)
  case array([JSONValue])
  /// In the order of the text; no key appears twice.
  case object([JSONMember])

  /// What a person calls it, with its article.
  public var name: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .integer: "an integer"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

/// One member of a JSON object.
public struct JSONMember: Sendable {
  public var key: String
  /// Where the key begins.
  public var keyOffset: Int
  public var value: JSONValue

  public init(key: String, keyOffset: Int, value: JSONValue) {
    self.key = key
    self.keyOffset = keyOffset
    self.value = value
  }
}

extension JSONValue {
  /// The value under `key` of an object, compared byte by byte; nil where there is none.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = kind else { return nil }
    for member in members where member.key.hasSameBytes(as: key) { return member.value }
    return nil
  }

  /// The element at `index` of an array; nil where there is none.
  public subscript(index: Int) -> JSONValue? {
    guard case .array(let elements) = kind, elements.indices.contains(index) else { return nil }
    return elements[index]
  }

  public var isNull: Bool { if case .null = kind { true } else { false } }
  public var boolValue: Bool? { if case .bool(let value) = kind { value } else { nil } }

  /// The integer, where this is one and an `Int` holds it.
  public var integerValue: Int? {
    if case .integer(let value) = kind { Int(exactly: value) } else { nil }
  }

  /// Either kind of number as a double.
  public var numberValue: Double? {
    switch kind {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  public var stringValue: String? { if case .string(let value) = kind { value } else { nil } }
  public var arrayValue: [JSONValue]? { if case .array(let value) = kind { value } else { nil } }
  public var objectValue: [JSONMember]? { if case .object(let value) = kind { value } else { nil } }
}

/// Why text is not JSON, and where.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Bytes from the start of the text.
  public let offset: Int
  /// Counted from 1; columns count bytes.
  public let line: Int
  public let column: Int
  /// What should have stood there, or what is wrong with what does.
  public let message: String

  public init(offset: Int, line: Int, column: Int, message: String) {
    self.offset = offset
    self.line = line
    self.column = column
    self.message = message
  }

  /// An error at `offset` of `text`, which gives line and column.
  public init(at offset: Int, in text: [UInt8], message: String) {
    let offset = min(max(offset, 0), text.count)
    var line = 1
    var lineStart = 0
    for i in 0..<offset where text[i] == 0x0A {
      line += 1
      lineStart = i + 1
    }
    self.init(offset: offset, line: line, column: offset - lineStart + 1, message: message)
  }

  /// One line, without a full stop.
  public var description: String {
    "line \(line), column \(column) (byte \(offset)): \(message)"
  }
}
