// Reading numbers out of the kernel's text files, with every bound checked.

enum ProbeText {
  /// Whether `word` stands at `start`.
  static func matches(_ word: StaticString, in text: Span<UInt8>, at start: Int) -> Bool {
    let count = word.utf8CodeUnitCount
    guard start >= 0, start <= text.count - count else { return false }
    return word.withUTF8Buffer { letters in
      for i in 0..<count where unsafe letters[i] != text[start + i] { return false }
      return true
    }
  }

  /// The unsigned number at `at` after blanks, moving `at` behind it; nil when there is none or it
  /// does not fit.
  static func number(in text: Span<UInt8>, at: inout Int) -> UInt64? {
    while at < text.count, text[at] == 0x20 || text[at] == 0x09 { at += 1 }
    var value: UInt64 = 0
    let start = at
    while at < text.count, text[at] >= 0x30, text[at] <= 0x39 {
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = tens.addingReportingOverflow(UInt64(text[at] - 0x30))
      guard !overflow, !carry else { return nil }
      value = sum
      at += 1
    }
    return at > start ? value : nil
  }

  /// As `number`, but a minus sign is passed over and gives 0: such fields are not counters.
  static func signedNumber(in text: Span<UInt8>, at: inout Int) -> UInt64? {
    while at < text.count, text[at] == 0x20 || text[at] == 0x09 { at += 1 }
    guard at < text.count, text[at] == 0x2D else { return number(in: text, at: &at) }
    at += 1
    return number(in: text, at: &at).map { _ in 0 }
  }

  /// A whole file that is one signed number, such as a temperature; nil when it is not.
  static func integer(_ text: Span<UInt8>) -> Int64? {
    var at = 0
    let isNegative = text.count > 0 && text[0] == 0x2D
    if isNegative { at = 1 }
    guard let value = number(in: text, at: &at), value <= UInt64(Int64.max) else { return nil }
    while at < text.count, text[at] == 0x0A || text[at] == 0x20 { at += 1 }
    guard at == text.count else { return nil }
    return isNegative ? -Int64(value) : Int64(value)
  }

  /// The number of the line that begins with `key`, and where it ends.
  static func field(after key: StaticString, in text: Span<UInt8>) -> (value: UInt64, end: Int)? {
    var line = 0
    while line < text.count {
      if matches(key, in: text, at: line) {
        var at = line + key.utf8CodeUnitCount
        guard let value = number(in: text, at: &at) else { return nil }
        return (value, at)
      }
      while line < text.count, text[line] != 0x0A { line += 1 }
      line += 1
    }
    return nil
  }
}
