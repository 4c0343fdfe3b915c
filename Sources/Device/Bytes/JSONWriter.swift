// JSON text, field by field, in the order written.

/// Writes JSON into bytes. Commas, colons and indentation are its work; nesting is the caller's.
///
///     var json = JSONWriter(isPretty: true)
///     json.beginObject()
///     json.field("latency_p50_us", 481)
///     json.key("steps")
///     json.beginArray()
///     json.endArray()
///     json.endObject()
public struct JSONWriter: Sendable {
  /// The text so far, UTF-8.
  public private(set) var bytes: [UInt8] = []
  /// Whether each member stands on a line of its own, indented by two spaces per level.
  public let isPretty: Bool

  private var depth = 0
  private var needsComma = false
  private var isAfterKey = false

  public init(isPretty: Bool = false) { self.isPretty = isPretty }

  /// The text so far.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  public mutating func beginObject() { begin(UInt8(ascii: "{")) }
  public mutating func endObject() { end(UInt8(ascii: "}")) }
  public mutating func beginArray() { begin(UInt8(ascii: "[")) }
  public mutating func endArray() { end(UInt8(ascii: "]")) }

  /// The key of the value that is written next.
  public mutating func key(_ name: String) {
    separate()
    putString(name.utf8)
    bytes.append(UInt8(ascii: ":"))
    if isPretty { bytes.append(0x20) }
    isAfterKey = true
  }

  /// A string; control characters, quotes and backslashes are escaped.
  public mutating func value(_ text: String) {
    separate()
    putString(text.utf8)
  }

  /// A string of bytes; each byte that is not part of well-formed UTF-8 becomes U+FFFD.
  public mutating func value(text: [UInt8]) {
    separate()
    putString(UTF8Text.repaired(text))
  }

  public mutating func value(_ flag: Bool) { raw(flag ? "true" : "false") }

  public mutating func value<T: FixedWidthInteger>(_ number: T) { raw(number.description) }

  /// The shortest text that reads back as the same number; null for NaN and infinities.
  public mutating func value(_ number: Double) {
    raw(number.isFinite ? number.description : "null")
  }

  /// As for a double.
  public mutating func value(_ number: Float) {
    raw(number.isFinite ? number.description : "null")
  }

  public mutating func null() { raw("null") }

  /// A value read elsewhere, its members in their order.
  public mutating func value(_ value: JSONValue) {
    switch value.kind {
    case .null: null()
    case .bool(let flag): self.value(flag)
    case .integer(let number): self.value(number)
    case .number(let number): self.value(number)
    case .string(let text): self.value(text)
    case .array(let elements):
      beginArray()
      for element in elements { self.value(element) }
      endArray()
    case .object(let members):
      beginObject()
      for member in members {
        key(member.key)
        self.value(member.value)
      }
      endObject()
    }
  }

  public mutating func field(_ name: String, _ text: String) {
    key(name)
    value(text)
  }

  public mutating func field(_ name: String, _ flag: Bool) {
    key(name)
    value(flag)
  }

  public mutating func field<T: FixedWidthInteger>(_ name: String, _ number: T) {
    key(name)
    value(number)
  }

  public mutating func field(_ name: String, _ number: Double) {
    key(name)
    value(number)
  }

  public mutating func field(_ name: String, _ number: Float) {
    key(name)
    value(number)
  }

  public mutating func nullField(_ name: String) {
    key(name)
    null()
  }

  /// A line feed after a document, as files and streams of documents end.
  public mutating func endDocument() {
    bytes.append(0x0A)
    needsComma = false
  }

  /// Forgets what was written and keeps the memory.
  public mutating func clear() {
    bytes.removeAll(keepingCapacity: true)
    depth = 0
    needsComma = false
    isAfterKey = false
  }

  private mutating func begin(_ bracket: UInt8) {
    separate()
    bytes.append(bracket)
    depth += 1
    needsComma = false
  }

  private mutating func end(_ bracket: UInt8) {
    depth -= 1
    // Nothing was written inside when no comma is due.
    if needsComma { breakLine() }
    bytes.append(bracket)
    needsComma = true
  }

  /// What stands between the last value and the next.
  private mutating func separate() {
    if isAfterKey {
      isAfterKey = false
    } else {
      if needsComma { bytes.append(UInt8(ascii: ",")) }
      if depth > 0 { breakLine() }
    }
    needsComma = true
  }

  private mutating func breakLine() {
    guard isPretty else { return }
    bytes.append(0x0A)
    for _ in 0..<depth * 2 { bytes.append(0x20) }
  }

  private mutating func raw(_ text: String) {
    separate()
    bytes.append(contentsOf: text.utf8)
  }

  private mutating func putString(_ text: some Sequence<UInt8>) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): putEscape(byte)
      case 0x0A: putEscape(UInt8(ascii: "n"))
      case 0x0D: putEscape(UInt8(ascii: "r"))
      case 0x09: putEscape(UInt8(ascii: "t"))
      case 0..<0x20, 0x7F:
        bytes.append(contentsOf: "\\u00".utf8)
        for nibble in [byte >> 4, byte & 15] {
          bytes.append(nibble < 10 ? 0x30 + nibble : 0x57 + nibble)
        }
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func putEscape(_ letter: UInt8) {
    bytes.append(UInt8(ascii: "\\"))
    bytes.append(letter)
  }
}
