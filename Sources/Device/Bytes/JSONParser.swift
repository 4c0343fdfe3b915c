// Reads JSON (RFC 8259, strictly) and JSON5, keeping the byte offset of every value.

/// JSON text to values.
public enum JSON {
  /// Which grammar to read.
  public enum Dialect: Sendable {
    /// RFC 8259 as it is written.
    case json
    /// JSON5 1.0: comments, trailing commas, unquoted keys, single quotes, more numbers.
    case json5
  }

  /// The value that `bytes` spell, all of them.
  ///
  /// Refuses keys that appear twice in one object, unpaired surrogates, text that is not UTF-8,
  /// numbers too large for a double, and nesting deeper than `maximumDepth`.
  public static func parse(
    _ bytes: [UInt8], dialect: Dialect = .json, maximumDepth: Int = 64
  ) throws(JSONError) -> JSONValue {
    if let bad = UTF8Text.firstInvalidOffset(bytes) {
      throw JSONError(at: bad, in: bytes, message: "expected UTF-8 text")
    }
    var parser = JSONParser(text: bytes, isJSON5: dialect == .json5, maximumDepth: maximumDepth)
    try parser.skipSpace()
    let value = try parser.value(depth: 0)
    try parser.skipSpace()
    guard parser.position == bytes.count else {
      throw parser.expected("the end of the text")
    }
    return value
  }

  /// As for an array; the bytes are copied.
  public static func parse(
    _ bytes: RawSpan, dialect: Dialect = .json, maximumDepth: Int = 64
  ) throws(JSONError) -> JSONValue {
    try parse([UInt8](copying: bytes), dialect: dialect, maximumDepth: maximumDepth)
  }
}

struct JSONParser {
  let text: [UInt8]
  let isJSON5: Bool
  let maximumDepth: Int
  var position = 0

  init(text: [UInt8], isJSON5: Bool, maximumDepth: Int) {
    self.text = text
    self.isJSON5 = isJSON5
    self.maximumDepth = maximumDepth
  }

  /// The next byte; 0 at the end, which no JSON text holds outside of an error.
  var next: UInt8 { position < text.count ? text[position] : 0 }

  func peek(_ ahead: Int) -> UInt8 {
    position + ahead < text.count ? text[position + ahead] : 0
  }

  func error(_ message: String, at offset: Int) -> JSONError {
    JSONError(at: offset, in: text, message: message)
  }

  /// "expected X, found Y" at the current byte.
  func expected(_ what: String) -> JSONError {
    error("expected \(what), found \(found)", at: position)
  }

  private var found: String {
    guard position < text.count else { return "the end of the text" }
    let byte = text[position]
    if byte >= 0x21, byte < 0x7F { return "'" + String(UnicodeScalar(byte)) + "'" }
    return "byte \(byte)"
  }

  mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    let start = position
    let kind: JSONKind
    switch next {
    case UInt8(ascii: "{"): kind = .object(try object(depth: depth))
    case UInt8(ascii: "["): kind = .array(try array(depth: depth))
    case UInt8(ascii: "\""): kind = .string(try string())
    case UInt8(ascii: "'") where isJSON5: kind = .string(try string())
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): kind = try number()
    case UInt8(ascii: "+") where isJSON5, UInt8(ascii: ".") where isJSON5,
      UInt8(ascii: "I") where isJSON5, UInt8(ascii: "N") where isJSON5:
      kind = try number()
    case UInt8(ascii: "t"):
      try word("true")
      kind = .bool(true)
    case UInt8(ascii: "f"):
      try word("false")
      kind = .bool(false)
    case UInt8(ascii: "n"):
      try word("null")
      kind = .null
    default: throw expected("a value")
    }
    return JSONValue(kind, offset: start)
  }

  private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
    try enter(depth)
    var elements: [JSONValue] = []
    try skipSpace()
    while next != UInt8(ascii: "]") {
      elements.append(try value(depth: depth + 1))
      try skipSpace()
      if next == UInt8(ascii: "]") { break }
      guard next == UInt8(ascii: ",") else { throw expected("',' or ']'") }
      position += 1
      try skipSpace()
      if next == UInt8(ascii: "]"), !isJSON5 { throw expected("a value") }
    }
    position += 1
    return elements
  }

  private mutating func object(depth: Int) throws(JSONError) -> [JSONMember] {
    try enter(depth)
    var members: [JSONMember] = []
    try skipSpace()
    while next != UInt8(ascii: "}") {
      let keyOffset = position
      let key = try self.key()
      try skipSpace()
      guard next == UInt8(ascii: ":") else { throw expected("':'") }
      position += 1
      try skipSpace()
      let value = try value(depth: depth + 1)
      members.append(JSONMember(key: key, keyOffset: keyOffset, value: value))
      try skipSpace()
      if next == UInt8(ascii: "}") { break }
      guard next == UInt8(ascii: ",") else { throw expected("',' or '}'") }
      position += 1
      try skipSpace()
      if next == UInt8(ascii: "}"), !isJSON5 { throw expected("a key in double quotes") }
    }
    position += 1
    try refuseDuplicates(members)
    return members
  }

  private mutating func key() throws(JSONError) -> String {
    if next == UInt8(ascii: "\"") || (isJSON5 && next == UInt8(ascii: "'")) {
      return try string()
    }
    guard isJSON5 else { throw expected("a key in double quotes") }
    let start = position
    while isIdentifierByte(next, isFirst: position == start) { position += 1 }
    guard position > start else { throw expected("a key") }
    return String(decoding: text[start..<position], as: UTF8.self)
  }

  /// ASCII identifiers, and every scalar beyond ASCII: what letters Unicode has is not asked.
  private func isIdentifierByte(_ byte: UInt8, isFirst: Bool) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...:
      true
    case UInt8(ascii: "0")...UInt8(ascii: "9"): !isFirst
    default: false
    }
  }

  private mutating func enter(_ depth: Int) throws(JSONError) {
    guard depth < maximumDepth else {
      throw error("nested deeper than \(maximumDepth) levels", at: position)
    }
    position += 1
  }

  private func refuseDuplicates(_ members: [JSONMember]) throws(JSONError) {
    if members.count < 12 {
      for i in members.indices {
        for k in 0..<i where members[i].key.hasSameBytes(as: members[k].key) {
          throw duplicate(members[i])
        }
      }
      return
    }
    var seen = Set<ByteKey>(minimumCapacity: members.count)
    for member in members where !seen.insert(ByteKey(text: member.key)).inserted {
      throw duplicate(member)
    }
  }

  private func duplicate(_ member: JSONMember) -> JSONError {
    error("the key \"\(member.key)\" appears twice", at: member.keyOffset)
  }

  mutating func word(_ word: String) throws(JSONError) {
    let count = word.utf8.count
    guard count <= text.count - position,
      text[position..<position + count].elementsEqual(word.utf8)
    else { throw expected("a value") }
    position += count
  }
}

/// A key that equals another only byte by byte: `String` also takes canonical equivalents for
/// equal, and a vocabulary may hold both.
private struct ByteKey: Hashable {
  let text: String

  static func == (a: ByteKey, b: ByteKey) -> Bool { a.text.hasSameBytes(as: b.text) }

  func hash(into hasher: inout Hasher) {
    for byte in text.utf8 { hasher.combine(byte) }
  }
}
