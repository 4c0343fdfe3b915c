// Names with asterisks.
import Packing
import Testing

@Suite struct SchemePinTests {
  @Test(arguments: [
    ("*", "anything", true), ("a", "a", true), ("a", "ab", false), ("a*", "ab", true),
    ("*b", "ab", true), ("*b", "ba", false), ("a*c", "abc", true), ("a*c", "ac", true),
    ("a*c", "acb", false), ("*.weight", "conv2.weight", true), ("a*b*c", "a1b2c", true),
    ("a*b*c", "a1c2b", false), ("aa*a", "aa", false), ("", "", true), ("", "a", false),
    ("**", "x", true),
  ]) func matches(pattern: String, name: String, isMatch: Bool) {
    #expect(SchemePin(pattern: pattern, scheme: .f16).matches(name) == isMatch)
  }
}
