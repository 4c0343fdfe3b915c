// No byte of a model's output reaches a terminal as a command.
import Randomness
import Telemetry
import Testing

struct EscapedTextTests {
  private func escaped(_ bytes: [UInt8]) -> String {
    String(decoding: EscapedText(bytes).utf8, as: UTF8.self)
  }

  @Test(arguments: [
    ("plain", "plain"), ("naïve café 日本 🙂", "naïve café 日本 🙂"), ("a\nb\tc\r", "a\\nb\\tc\\r"),
    ("\u{1B}[2J", "\\x1b[2J"), ("\u{9B}31m", "\\x9b31m"), ("\u{7F}", "\\x7f"),
    ("\u{0}", "\\x00"), ("a\u{202E}b", "a\\u202eb"), ("\u{2066}x\u{2069}", "\\u2066x\\u2069"),
    ("\u{200F}", "\\u200f"), ("\u{FEFF}", "\\ufeff"), ("\u{E0041}", "\\u0e0041"),
    ("\u{2028}", "\\u2028"), ("👩\u{200D}🔬", "👩\u{200D}🔬"),
  ])
  func spelled(text: String, expected: String) {
    #expect(escaped(Array(text.utf8)) == expected)
  }

  @Test func brokenUTF8IsSpelledByteByByte() {
    #expect(escaped([0x61, 0xFF, 0x62]) == "a\\xffb")
    #expect(escaped([0xC3]) == "\\xc3")
    #expect(escaped([0xE2, 0x82]) == "\\xe2\\x82")
    // Overlong, surrogate, above U+10FFFF.
    #expect(escaped([0xC0, 0x80]) == "\\xc0\\x80")
    #expect(escaped([0xED, 0xA0, 0x80]) == "\\xed\\xa0\\x80")
    #expect(escaped([0xF4, 0x90, 0x80, 0x80]) == "\\xf4\\x90\\x80\\x80")
  }

  /// Random bytes: the result is valid UTF-8 and holds no control character of any kind.
  @Test func randomBytesComeOutHarmless() {
    var generator = SeededRandom(state: 99)
    for _ in 0..<2000 {
      let bytes = (0..<Int.random(in: 0..<40, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      let text = EscapedText(bytes).utf8
      let string = String(validating: text, as: UTF8.self)
      #expect(string != nil)
      for scalar in (string ?? "").unicodeScalars {
        #expect(scalar.properties.generalCategory != .control)
        #expect(!scalar.properties.isBidiControl)
      }
    }
  }
}
