// CBOR (RFC 8949) as a value, and what can be wrong with its bytes.

/// One CBOR data item. Tags and simple values other than these are refused when decoding.
public enum CBORValue: Equatable, Sendable {
  /// Major types 0 and 1, within 64 signed bits.
  case integer(Int64)
  case bytes([UInt8])
  case text(String)
  case array([CBORValue])
  /// Pairs in any order here; encoded in the order of their encoded keys.
  case map([CBORPair])
  case bool(Bool)
  case null
  case double(Double)

  /// A map of named values.
  public static func map(_ fields: KeyValuePairs<String, CBORValue>) -> CBORValue {
    .map(fields.map { CBORPair(key: .text($0.key), value: $0.value) })
  }

  /// An integer.
  public static func integer(_ value: Int) -> CBORValue { .integer(Int64(value)) }
}

/// One entry of a CBOR map; keys are texts or integers in everything Knapsack writes.
public struct CBORPair: Equatable, Sendable {
  public var key: CBORValue
  public var value: CBORValue

  public init(key: CBORValue, value: CBORValue) {
    self.key = key
    self.value = value
  }

  public init(_ key: String, _ value: CBORValue) {
    self.key = .text(key)
    self.value = value
  }
}

extension CBORValue {
  /// The value under a text key of a map; nil for an absent key or anything but a map.
  public subscript(key: String) -> CBORValue? {
    guard case .map(let pairs) = self else { return nil }
    for pair in pairs {
      if case .text(let name) = pair.key, name.hasSameBytes(as: key) { return pair.value }
    }
    return nil
  }

  /// The value under an integer key of a map; nil for an absent key or anything but a map.
  public subscript(key: Int) -> CBORValue? {
    guard case .map(let pairs) = self else { return nil }
    for pair in pairs {
      if case .integer(let number) = pair.key, number == Int64(key) { return pair.value }
    }
    return nil
  }

  /// The integer, where this is one and an `Int` holds it.
  public var integerValue: Int? {
    if case .integer(let value) = self { Int(exactly: value) } else { nil }
  }

  /// The number as a double, from either kind of number.
  public var doubleValue: Double? {
    switch self {
    case .double(let value): value
    case .integer(let value): Double(value)
    default: nil
    }
  }

  public var textValue: String? { if case .text(let value) = self { value } else { nil } }
  public var bytesValue: [UInt8]? { if case .bytes(let value) = self { value } else { nil } }
  public var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var arrayValue: [CBORValue]? { if case .array(let value) = self { value } else { nil } }
  public var mapValue: [CBORPair]? { if case .map(let value) = self { value } else { nil } }
  public var isNull: Bool { if case .null = self { true } else { false } }
}

/// Why bytes are not the one deterministic encoding of a CBOR value.
public struct CBORError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was wrong with the item at `offset`.
  public enum Reason: Equatable, Sendable {
    /// The item needs more bytes than are left.
    case truncated(needed: UInt64, remaining: Int)
    case indefiniteLength
    /// A shorter encoding of the same number or length exists.
    case notShortest
    /// An integer outside 64 signed bits.
    case integerRange
    case duplicateKey
    /// A key that sorts before the one ahead of it.
    case unsortedKey
    /// A map key that is neither text nor integer.
    case keyKind
    case invalidUTF8
    /// A tag, a reserved head or a simple value that is not false, true or null.
    case unsupported(head: UInt8)
    case tooDeep(limit: Int)
    case tooManyItems(limit: Int)
    /// Bytes after the item.
    case trailingBytes(Int)
  }

  /// Where the offending item or byte begins.
  public let offset: Int
  public let reason: Reason

  public init(offset: Int, reason: Reason) {
    self.offset = offset
    self.reason = reason
  }

  /// One line, without a full stop.
  public var description: String { "byte \(offset): \(reasonText)" }

  private var reasonText: String {
    switch reason {
    case .truncated(let needed, let remaining):
      "the item claims \(needed) more bytes or items, \(remaining) bytes are left"
    case .indefiniteLength: "expected a definite length"
    case .notShortest: "expected the shortest encoding"
    case .integerRange: "expected an integer of 64 signed bits"
    case .duplicateKey: "a map key appears twice"
    case .unsortedKey: "map keys are not in order"
    case .keyKind: "expected a text or integer map key"
    case .invalidUTF8: "expected UTF-8 text"
    case .unsupported(let head): "a data item of head \(head) is not supported"
    case .tooDeep(let limit): "nested deeper than \(limit) levels"
    case .tooManyItems(let limit): "more than \(limit) items"
    case .trailingBytes(let count): "\(count) bytes follow the value"
    }
  }
}
