// JSON and JSON5 reading and writing, against Foundation and by hand-made hostile text.

import Bytes
import Foundation
import Testing

@Suite struct JSONTests {
  func parse(_ text: String, _ dialect: JSON.Dialect = .json) throws -> JSONValue {
    try JSON.parse(Array(text.utf8), dialect: dialect)
  }

  @Test func readsEveryKindWithItsOffset() throws {
    let text = #" {"a": [1, -2.5, true, false, null, "x\n\u00e9\ud83d\ude00"], "b": {}} "#
    let value = try parse(text)
    #expect(value.offset == 1)
    let list = try #require(value["a"]?.arrayValue)
    #expect(list[0].integerValue == 1)
    #expect(list[0].offset == 8)
    #expect(list[1].numberValue == -2.5)
    #expect(list[2].boolValue == true)
    #expect(list[3].boolValue == false)
    #expect(list[4].isNull)
    #expect(list[5].stringValue == "x\né😀")
    #expect(value["b"]?.objectValue?.isEmpty == true)
    #expect(value.objectValue?[1].keyOffset == Array(text.utf8).lastIndex(of: 0x62)! - 1)
    #expect(value["c"] == nil)
  }

  @Test func keepsTheRangeOfIntegers() throws {
    #expect(try parse("9223372036854775807").integerValue == Int.max)
    #expect(try parse("-9223372036854775808").integerValue == Int.min)
    #expect(try parse("9223372036854775808").numberValue == 9223372036854775808.0)
    #expect(try parse("-9223372036854775809").integerValue == nil)
    #expect(try parse("-0").integerValue == nil)
    #expect(try parse("-0").numberValue?.sign == .minus)
    #expect(try parse("1.0").integerValue == nil)
  }

  @Test(arguments: [
    ("", 0), (" ", 1), ("{", 1), ("[1,]", 3), ("{\"a\":1,}", 7), ("[1 2]", 3), ("{a:1}", 1),
    ("{'a':1}", 1), ("{\"a\" 1}", 5), ("{\"a\":}", 5), ("01", 0), ("-", 1), ("+1", 0), (".5", 0),
    ("1.", 2), ("1e", 2), ("1e+", 3), ("0x10", 1), ("tru", 0), ("nul", 0), ("Infinity", 0),
    ("NaN", 0), ("\"abc", 0), ("\"a\nb\"", 2), ("\"\\x41\"", 1), ("\"\\u12g4\"", 1),
    ("\"\\ud800\"", 1), ("\"\\udc00\"", 1), ("\"\\ud800\\u0041\"", 1), ("// c\n1", 0), ("1 2", 2),
    ("{\"a\":1,\"a\":2}", 7), ("1e400", 0), ("-1e999999999999999999999", 0), ("[1}", 2),
    ("\"\\", 1), ("\u{FEFF}1", 0), ("[,1]", 1), ("truee", 4),
  ])
  func refuses(_ text: String, _ offset: Int) {
    let error = #expect(throws: JSONError.self) { try parse(text) }
    #expect(error?.offset == offset, "\(error?.description ?? "")")
  }

  @Test func saysLineColumnAndWhatWasExpected() {
    let error = #expect(throws: JSONError.self) { try parse("{\n  \"a\": 1\n  \"b\": 2\n}") }
    #expect(error?.line == 3)
    #expect(error?.column == 3)
    #expect(
      error?.description == "line 3, column 3 (byte 13): expected ',' or '}', found '\"'")
  }

  @Test func refusesWhatIsNotUTF8() {
    let error = #expect(throws: JSONError.self) { try JSON.parse([0x22, 0x61, 0xC0, 0x80, 0x22]) }
    #expect(error?.offset == 2)
  }

  @Test func boundsDepth() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(throws: Never.self) { try parse(nested(64)) }
    #expect(throws: JSONError.self) { try parse(nested(65)) }
    #expect(throws: JSONError.self) { try parse(String(repeating: "[", count: 1_000_000)) }
    #expect(throws: JSONError.self) { try parse(String(repeating: "{\"a\":", count: 200_000)) }
  }

  @Test func tellsCanonicalEquivalentsApart() throws {
    // A vocabulary may hold both forms of é: different keys.
    let composed = "\u{E9}"
    let decomposed = "e\u{301}"
    let value = try parse("{\"\(composed)\":1,\"\(decomposed)\":2}")
    #expect(value[composed]?.integerValue == 1)
    #expect(value[decomposed]?.integerValue == 2)
    let many = (0..<50).map { "\"k\($0)\":\($0)" }.joined(separator: ",")
    #expect(try parse("{\(many),\"\(composed)\":1,\"\(decomposed)\":2}").objectValue?.count == 52)
    #expect(throws: JSONError.self) { try parse("{\(many),\"k7\":1}") }
  }

  @Test func readsJSON5() throws {
    let text = """
      // a profile
      {
        /* keys need no quotes */ name: 'it\\'s', $x_1: +1, "hex": 0xFF, neg: -0x10,
        half: .5, whole: 2., inf: -Infinity, nan: NaN, größe: 1,
        long: 'a\\
      b', escapes: '\\x41\\v\\0\\q', list: [1, 2,],
      }
      """
    let value = try parse(text, .json5)
    #expect(value["name"]?.stringValue == "it's")
    #expect(value["$x_1"]?.integerValue == 1)
    #expect(value["hex"]?.integerValue == 255)
    #expect(value["neg"]?.integerValue == -16)
    #expect(value["half"]?.numberValue == 0.5)
    #expect(value["whole"]?.numberValue == 2)
    #expect(value["inf"]?.numberValue == -.infinity)
    #expect(value["nan"]?.numberValue?.isNaN == true)
    #expect(value["größe"]?.integerValue == 1)
    #expect(value["long"]?.stringValue == "ab")
    #expect(value["escapes"]?.stringValue == "A\u{0B}\0q")
    #expect(value["list"]?.arrayValue?.count == 2)
  }

  @Test(arguments: [
    "{,}", "[,]", "[1,,2]", "{a}", "{1a: 2}", "/* open", "/", "0x", "0xFFFFFFFFFFFFFFFFF", "'a\nb'",
    "'\\01'", "'\\1'", "010", ".", "+", "{a:1 b:2}", "-+1", "Infinit", "--1", "1.e", "'\\",
  ])
  func refusesBadJSON5(_ text: String) {
    #expect(throws: JSONError.self) { try parse(text, .json5) }
  }

  @Test func everyCutOfGoodTextIsRefused() throws {
    let text = Array(#"{"a": [1, -2.5e3, true, null, "x\n\u00e9"], "b": {"c": "d"}}"#.utf8)
    for count in 0..<text.count {
      #expect(throws: JSONError.self) { try JSON.parse(Array(text[..<count])) }
      #expect(throws: JSONError.self) { try JSON.parse(Array(text[..<count]), dialect: .json5) }
    }
  }

  @Test func readsNumbersLikeTheStandardLibrary() throws {
    for _ in 0..<20_000 {
      let value = Double(bitPattern: .random(in: 0...UInt64.max))
      guard value.isFinite else { continue }
      #expect(NumberText.double(Array(value.description.utf8)) == value)
    }
    for _ in 0..<20_000 {
      // Any digits, any exponent: longer than a double needs, and in the subnormal range.
      let count = Int.random(in: 1...40)
      var text = (0..<count).map { _ in String(Int.random(in: 0...9)) }.joined()
      if Bool.random() { text += "." + String(Int.random(in: 0...Int.max)) }
      text += "e\(Int.random(in: -350...320))"
      let expected = Double(text)!
      #expect(NumberText.double(Array(text.utf8)) == expected, "\(text)")
    }
  }

  @Test(arguments: [
    "9007199254740993", "9007199254740992.5", "9007199254740993.0000000000000000000000001",
    "2.2250738585072011e-308", "2.2250738585072014e-308", "4.9406564584124654e-324",
    "2.4703282292062327e-324", "2.4703282292062328e-324", "1.7976931348623157e308",
    "1.7976931348623158e308", "1.7976931348623159e308", "0.1", "1e23", "8.5e22", "0.000",
    "123456789012345678901234567890", "0e999999999", "1e-999999999999", "1e22", "1e-22", "5e-324",
    "7.2057594037927933e16", "179769313486231580793e289",
  ])
  func readsHardNumbers(_ text: String) {
    #expect(NumberText.double(Array(text.utf8)) == Double(text)!)
  }

  @Test func roundsByDigitsFarBehind() {
    // 2^53 + 1 lies halfway; only the last of 2,000 digits decides.
    let half = "9007199254740993."
    let zeros = String(repeating: "0", count: 2000)
    #expect(NumberText.double(Array((half + zeros).utf8)) == 9_007_199_254_740_992)
    #expect(NumberText.double(Array((half + zeros + "1").utf8)) == 9_007_199_254_740_994)
    let long = "1" + String(repeating: "0", count: 1500) + "e-1500"
    #expect(NumberText.double(Array(long.utf8)) == 1)
  }

  @Test(arguments: ["", "-", ".", "e5", "1e", "1x", " 1", "1 ", "1.2.3", "0x10", "inf", "nan"])
  func refusesWhatIsNoNumber(_ text: String) {
    #expect(NumberText.double(Array(text.utf8)) == nil)
    #expect(NumberText.integer(Array(text.utf8)) == nil)
  }

  @Test func writesWhatFoundationReads() throws {
    var json = JSONWriter(isPretty: true)
    json.beginObject()
    json.field("text", "q\"\\\n\r\t\u{1}\u{7f}é😀")
    json.field("integer", Int64.min)
    json.field("double", 0.1)
    json.field("nan", Double.nan)
    json.field("flag", true)
    json.nullField("none")
    json.key("empty")
    json.beginArray()
    json.endArray()
    json.key("list")
    json.beginArray()
    json.value(1)
    json.beginObject()
    json.field("single", Float(0.1))
    json.endObject()
    json.value(text: [0x61, 0xFF, 0x62])
    json.endArray()
    json.endObject()
    json.endDocument()
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(json.bytes)) as? [String: Any])
    #expect(object["text"] as? String == "q\"\\\n\r\t\u{1}\u{7f}é😀")
    #expect(object["integer"] as? Int64 == Int64.min)
    #expect(object["double"] as? Double == 0.1)
    #expect(object["nan"] is NSNull)
    #expect(object["flag"] as? Bool == true)
    #expect(object["none"] is NSNull)
    #expect((object["empty"] as? [Any])?.isEmpty == true)
    let list = try #require(object["list"] as? [Any])
    #expect(list[0] as? Int == 1)
    #expect((list[1] as? [String: Double])?["single"] == 0.1)
    #expect(list[2] as? String == "a\u{FFFD}b")
    // Our own reader agrees, and writing what it read gives the same text.
    var again = JSONWriter(isPretty: true)
    again.value(try JSON.parse(json.bytes))
    again.endDocument()
    #expect(again.text == json.text)
  }

  @Test func laysTextOutAsAsked() {
    func write(_ json: inout JSONWriter) {
      json.beginObject()
      json.field("a", 1)
      json.key("b")
      json.beginArray()
      json.value(true)
      json.null()
      json.endArray()
      json.endObject()
    }
    var compact = JSONWriter()
    write(&compact)
    #expect(compact.text == #"{"a":1,"b":[true,null]}"#)
    var pretty = JSONWriter(isPretty: true)
    write(&pretty)
    #expect(pretty.text == "{\n  \"a\": 1,\n  \"b\": [\n    true,\n    null\n  ]\n}")
  }
}
