// Space, comments, strings and numbers of JSON and JSON5.

extension JSONParser {
  /// Steps over space, and over comments in JSON5.
  mutating func skipSpace() throws(JSONError) {
    while position < text.count {
      switch text[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      case 0x0B where isJSON5, 0x0C where isJSON5: position += 1
      case UInt8(ascii: "/") where isJSON5: try skipComment()
      case 0x80... where isJSON5:
        let length = unicodeSpaceLength()
        if length == 0 { return }
        position += length
      default: return
      }
    }
  }

  private mutating func skipComment() throws(JSONError) {
    let start = position
    switch peek(1) {
    case UInt8(ascii: "/"):
      while position < text.count, text[position] != 0x0A, text[position] != 0x0D,
        lineSeparatorLength() == 0
      {
        position += 1
      }
    case UInt8(ascii: "*"):
      position += 2
      while !(next == UInt8(ascii: "*") && peek(1) == UInt8(ascii: "/")) {
        guard position < text.count else { throw error("the comment does not end", at: start) }
        position += 1
      }
      position += 2
    default: throw expected("a value or a comment")
    }
  }

  /// 3 at U+2028 and U+2029, which end lines in JSON5, else 0.
  private func lineSeparatorLength() -> Int {
    next == 0xE2 && peek(1) == 0x80 && (peek(2) == 0xA8 || peek(2) == 0xA9) ? 3 : 0
  }

  /// The bytes of the space beyond ASCII that stands here, 0 for none.
  private func unicodeSpaceLength() -> Int {
    switch (next, peek(1), peek(2)) {
    case (0xC2, 0xA0, _): 2
    case (0xEF, 0xBB, 0xBF), (0xE1, 0x9A, 0x80), (0xE2, 0x80, 0x80...0x8A), (0xE2, 0x80, 0xA8),
      (0xE2, 0x80, 0xA9), (0xE2, 0x80, 0xAF), (0xE2, 0x81, 0x9F), (0xE3, 0x80, 0x80):
      3
    default: 0
    }
  }

  /// The string that begins at the quote here.
  mutating func string() throws(JSONError) -> String {
    let start = position
    let quote = next
    position += 1
    var run = position
    var decoded: [UInt8] = []
    while true {
      guard position < text.count else { throw error("the string does not end", at: start) }
      let byte = text[position]
      if byte == quote { break }
      if byte == UInt8(ascii: "\\") {
        decoded.append(contentsOf: text[run..<position])
        try escape(into: &decoded)
        run = position
      } else if byte < 0x20, !isJSON5 || byte == 0x0A || byte == 0x0D {
        throw error("expected an escape for control byte \(byte) in a string", at: position)
      } else {
        position += 1
      }
    }
    let end = position
    position += 1
    // Most strings have no escape: they are one run.
    if decoded.isEmpty { return String(decoding: text[run..<end], as: UTF8.self) }
    decoded.append(contentsOf: text[run..<end])
    return String(decoding: decoded, as: UTF8.self)
  }

  private mutating func escape(into bytes: inout [UInt8]) throws(JSONError) {
    let start = position
    let letter = peek(1)
    position += min(2, text.count - position)
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(letter)
    case UInt8(ascii: "b"): bytes.append(0x08)
    case UInt8(ascii: "f"): bytes.append(0x0C)
    case UInt8(ascii: "n"): bytes.append(0x0A)
    case UInt8(ascii: "r"): bytes.append(0x0D)
    case UInt8(ascii: "t"): bytes.append(0x09)
    case UInt8(ascii: "u"):
      UTF8Text.append(scalar: try unicodeEscape(from: start), to: &bytes)
    default:
      guard isJSON5, position < text.count else {
        throw error("expected one of \"\\/bfnrtu after a backslash", at: start)
      }
      try escape5(letter, from: start, into: &bytes)
    }
  }

  private mutating func escape5(
    _ letter: UInt8, from start: Int, into bytes: inout [UInt8]
  ) throws(JSONError) {
    switch letter {
    case UInt8(ascii: "v"): bytes.append(0x0B)
    case UInt8(ascii: "x"): UTF8Text.append(scalar: try hexadecimal(2, from: start), to: &bytes)
    case UInt8(ascii: "0"):
      guard next < 0x30 || next > 0x39 else {
        throw error("octal escapes are not JSON5", at: start)
      }
      bytes.append(0)
    case UInt8(ascii: "1")...UInt8(ascii: "9"):
      throw error("octal escapes are not JSON5", at: start)
    case 0x0D: if next == 0x0A { position += 1 }  // a line continued
    case 0x0A: break
    default:
      position = start + 1
      let separator = lineSeparatorLength()
      if separator > 0 {
        position += separator
      } else {
        // Anything else stands for itself; what follows of a longer scalar is copied as text.
        bytes.append(letter)
        position += 1
      }
    }
  }

  /// The scalar of `\uXXXX`, or of a surrogate pair of them; stands behind the `u`.
  private mutating func unicodeEscape(from start: Int) throws(JSONError) -> UInt32 {
    let first = try hexadecimal(4, from: start)
    guard first & 0xF800 == 0xD800 else { return first }
    guard first < 0xDC00, next == UInt8(ascii: "\\"), peek(1) == UInt8(ascii: "u") else {
      throw error("unpaired surrogate in a string", at: start)
    }
    position += 2
    let second = try hexadecimal(4, from: start)
    guard second & 0xFC00 == 0xDC00 else {
      throw error("unpaired surrogate in a string", at: start)
    }
    return 0x1_0000 + (first & 0x3FF) << 10 + second & 0x3FF
  }

  private mutating func hexadecimal(_ count: Int, from start: Int) throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<count {
      guard let digit = Self.hexadecimalDigit(next) else {
        throw error("expected \(count) hexadecimal digits in an escape", at: start)
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  private static func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
  }

  /// The number that begins here.
  mutating func number() throws(JSONError) -> JSONKind {
    let start = position
    let isNegative = next == UInt8(ascii: "-")
    if isNegative || next == UInt8(ascii: "+") { position += 1 }
    if isJSON5 {
      if next == UInt8(ascii: "I") { return try special("Infinity", .infinity, isNegative) }
      if next == UInt8(ascii: "N") { return try special("NaN", .nan, isNegative) }
      if next == UInt8(ascii: "0"), peek(1) | 0x20 == UInt8(ascii: "x") {
        return try hexadecimalNumber(isNegative, from: start)
      }
    }
    let body = position
    var decimal = DecimalNumber()
    decimal.isNegative = isNegative
    let whole = digits(into: &decimal, isFraction: false)
    if whole == 0, !(isJSON5 && next == UInt8(ascii: ".")) { throw expected("a digit") }
    if whole > 1, text[body] == UInt8(ascii: "0") {
      throw error("a number must not begin with 0", at: body)
    }
    var isInteger = true
    if next == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      let fraction = digits(into: &decimal, isFraction: true)
      if fraction == 0, !isJSON5 || whole == 0 { throw expected("a digit") }
    }
    let end = position
    if next | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      try exponent(into: &decimal)
    }
    if isInteger, !(isNegative && decimal.digits.isEmpty) {
      let value = NumberText.integer([UInt8](text[body..<end]))
      if let value { return .integer(isNegative ? -value : value) }
      // -2^63 is the one integer whose magnitude does not fit.
      if isNegative, let value = NumberText.integer([UInt8](text[start..<end])) {
        return .integer(value)
      }
    }
    let value = decimal.doubleValue
    guard value.isFinite else { throw error("the number is too large", at: start) }
    return .number(value)
  }

  /// Reads digits into `decimal`; how many there were.
  private mutating func digits(into decimal: inout DecimalNumber, isFraction: Bool) -> Int {
    let start = position
    while next >= 0x30, next <= 0x39 {
      decimal.append(next - 0x30, isFraction: isFraction)
      position += 1
    }
    return position - start
  }

  private mutating func exponent(into decimal: inout DecimalNumber) throws(JSONError) {
    position += 1
    let isDown = next == UInt8(ascii: "-")
    if isDown || next == UInt8(ascii: "+") { position += 1 }
    guard next >= 0x30, next <= 0x39 else { throw expected("a digit of the exponent") }
    var power = 0
    while next >= 0x30, next <= 0x39 {
      power = min(power * 10 + Int(next - 0x30), 1 << 40)
      position += 1
    }
    decimal.scale(byTenTo: isDown ? -power : power)
  }

  private mutating func special(
    _ word: String, _ value: Double, _ isNegative: Bool
  ) throws(JSONError) -> JSONKind {
    try self.word(word)
    return .number(isNegative ? -value : value)
  }

  private mutating func hexadecimalNumber(
    _ isNegative: Bool, from start: Int
  ) throws(JSONError) -> JSONKind {
    position += 2
    var value: Int64 = 0
    let first = position
    while let digit = Self.hexadecimalDigit(next) {
      guard value >> 59 == 0 else { throw error("the number is too large", at: start) }
      value = value << 4 | Int64(digit)
      position += 1
    }
    guard position > first else { throw expected("a hexadecimal digit") }
    return .integer(isNegative ? -value : value)
  }
}
