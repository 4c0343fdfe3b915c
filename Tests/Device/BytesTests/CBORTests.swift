// CBOR against the examples of RFC 8949 appendix A, and everything the decoder must refuse.

import Bytes
import Randomness
import Testing

/// The bytes that hexadecimal text spells.
func hex(_ text: String) -> [UInt8] {
  let digits = Array(text.utf8).map { $0 < 0x3A ? $0 - 0x30 : $0 - 0x57 }
  return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

@Suite struct CBORTests {
  /// RFC 8949 appendix A, all rows within what Knapsack supports.
  static let examples: [(CBORValue, String)] = [
    (.integer(0 as Int64), "00"), (.integer(1 as Int64), "01"), (.integer(10 as Int64), "0a"),
    (.integer(23 as Int64), "17"), (.integer(24 as Int64), "1818"),
    (.integer(25 as Int64), "1819"), (.integer(100 as Int64), "1864"),
    (.integer(1000 as Int64), "1903e8"), (.integer(1_000_000 as Int64), "1a000f4240"),
    (.integer(1_000_000_000_000 as Int64), "1b000000e8d4a51000"),
    (.integer(-1 as Int64), "20"), (.integer(-10 as Int64), "29"),
    (.integer(-100 as Int64), "3863"), (.integer(-1000 as Int64), "3903e7"),
    (.double(0.0), "f90000"), (.double(-0.0), "f98000"), (.double(1.0), "f93c00"),
    (.double(1.1), "fb3ff199999999999a"), (.double(1.5), "f93e00"),
    (.double(65504.0), "f97bff"), (.double(100000.0), "fa47c35000"),
    (.double(3.4028234663852886e+38), "fa7f7fffff"),
    (.double(1.0e+300), "fb7e37e43c8800759c"), (.double(5.960464477539063e-8), "f90001"),
    (.double(0.00006103515625), "f90400"), (.double(-4.0), "f9c400"),
    (.double(-4.1), "fbc010666666666666"), (.double(.infinity), "f97c00"),
    (.double(-.infinity), "f9fc00"), (.bool(false), "f4"), (.bool(true), "f5"), (.null, "f6"),
    (.bytes([]), "40"), (.bytes([1, 2, 3, 4]), "4401020304"), (.text(""), "60"),
    (.text("a"), "6161"), (.text("IETF"), "6449455446"), (.text("\"\\"), "62225c"),
    (.text("\u{fc}"), "62c3bc"), (.text("\u{6c34}"), "63e6b0b4"),
    (.text("\u{10151}"), "64f0908591"), (.array([]), "80"),
    (.array([.integer(1), .integer(2), .integer(3)]), "83010203"),
    (
      .array([
        .integer(1), .array([.integer(2), .integer(3)]), .array([.integer(4), .integer(5)]),
      ]), "8301820203820405"
    ),
    (
      .array((1...25).map { CBORValue.integer($0) }),
      "98190102030405060708090a0b0c0d0e0f101112131415161718181819"
    ),
    (.map([CBORPair]()), "a0"),
    (
      .map([
        CBORPair(key: .integer(1), value: .integer(2)),
        CBORPair(key: .integer(3), value: .integer(4)),
      ]), "a201020304"
    ),
    (
      .map([CBORPair("a", .integer(1)), CBORPair("b", .array([.integer(2), .integer(3)]))]),
      "a26161016162820203"
    ),
    (.array([.text("a"), .map([CBORPair("b", .text("c"))])]), "826161a161626163"),
    (
      .map(["a": .text("A"), "b": .text("B"), "c": .text("C"), "d": .text("D"), "e": .text("E")]),
      "a56161614161626142616361436164614461656145"
    ),
  ]

  @Test func encodesTheExamplesOfTheRFC() {
    for (value, text) in Self.examples { #expect(CBOR.encode(value) == hex(text), "\(value)") }
    #expect(CBOR.encode(.double(.nan)) == hex("f97e00"))
    #expect(CBOR.encode(.integer(Int64.max)) == hex("1b7fffffffffffffff"))
    #expect(CBOR.encode(.integer(Int64.min)) == hex("3b7fffffffffffffff"))
  }

  @Test func decodesTheExamplesOfTheRFC() throws {
    for (value, text) in Self.examples { #expect(try CBOR.decode(hex(text)) == value, "\(text)") }
    #expect(try CBOR.decode(hex("f97e00")).doubleValue?.isNaN == true)
    #expect(try CBOR.decode(hex("1b7fffffffffffffff")) == .integer(Int64.max))
    #expect(try CBOR.decode(hex("3b7fffffffffffffff")) == .integer(Int64.min))
    // Negative zero keeps its sign.
    #expect(try CBOR.decode(hex("f98000")).doubleValue?.sign == .minus)
  }

  @Test func sortsMapKeysByTheirEncoding() throws {
    // The order of RFC 8949 section 4.2.1: 10, 100, -1, "z", "aa".
    let map = CBORValue.map([
      CBORPair("aa", .null), CBORPair(key: .integer(-1), value: .null), CBORPair("z", .null),
      CBORPair(key: .integer(100), value: .null), CBORPair(key: .integer(10), value: .null),
    ])
    #expect(CBOR.encode(map) == hex("a50af61864f620f6617af6626161f6"))
  }

  @Test(arguments: [
    ("", 0, "needs a byte"), ("18", 0, "cut head"), ("1903", 0, "cut head"),
    ("1817", 0, "23 in two bytes"), ("1900ff", 0, "255 in three"), ("1a0000ffff", 0, "in five"),
    ("1b00000000ffffffff", 0, "in nine"), ("5f4101ff", 0, "indefinite bytes"),
    ("7f6161ff", 0, "indefinite text"), ("9fff", 0, "indefinite array"),
    ("bfff", 0, "indefinite map"), ("ff", 0, "break"), ("a2616101616102", 4, "duplicate key"),
    ("a2616201616102", 4, "unsorted keys"), ("a1f601", 1, "null as key"),
    ("a1800101", 1, "array as key"), ("0000", 1, "trailing byte"), ("c001", 0, "tag"),
    ("e0", 0, "simple value 0"), ("f7", 0, "undefined"), ("f818", 0, "simple value 24"),
    ("1c", 0, "reserved head"), ("fa3f800000", 0, "1.0 in four bytes"),
    ("fb3ff0000000000000", 0, "1.0 in eight"), ("fb47c35000ffffffff", -1, "allowed"),
    ("f97e01", 0, "NaN with payload"), ("fa7fc00000", 0, "NaN in four bytes"),
    ("fb7ff8000000000001", 0, "NaN in eight"), ("1bffffffffffffffff", 0, "beyond Int64"),
    ("3b8000000000000000", 0, "below Int64"), ("61ff", 1, "not UTF-8"), ("62c3", 0, "cut text"),
    ("62c328", 1, "not UTF-8"), ("5bffffffffffffffff00", 0, "2^64 bytes"),
    ("7b7fffffffffffffff61", 0, "2^63 text"), ("9b00000000ffffffff00", 0, "2^32 items"),
    ("bb7fffffffffffffff00", 0, "2^63 pairs"), ("8201", 0, "cut array"), ("a1", 0, "cut map"),
    ("a16161", 3, "key without value"),
  ])
  func refuses(_ text: String, _ offset: Int, _ why: String) {
    if offset < 0 {
      #expect(throws: Never.self) { try CBOR.decode(hex(text)) }
      return
    }
    let error = #expect(throws: CBORError.self, "\(why)") { try CBOR.decode(hex(text)) }
    #expect(error?.offset == offset, "\(why): \(error?.description ?? "")")
  }

  @Test func boundsDepthAndItems() throws {
    let deep = [UInt8](repeating: 0x81, count: 64) + [0x00]
    #expect(throws: Never.self) { try CBOR.decode(deep) }
    let tooDeep = [UInt8](repeating: 0x81, count: 65) + [0x00]
    let error = #expect(throws: CBORError.self) { try CBOR.decode(tooDeep) }
    #expect(error?.reason == .tooDeep(limit: 64))
    let hostile = [UInt8](repeating: 0x81, count: 1_000_000)
    #expect(throws: CBORError.self) { try CBOR.decode(hostile) }
    let many = [0x98, 200] + [UInt8](repeating: 0, count: 200)
    #expect(throws: CBORError.self) {
      try CBOR.decode(many, limits: CBORLimits(maximumItems: 200))
    }
    #expect(throws: Never.self) { try CBOR.decode(many, limits: CBORLimits(maximumItems: 201)) }
  }

  @Test func whatDecodesEncodesToTheSameBytes() {
    // Any accepted input is the deterministic encoding of its value: mutate examples and look.
    var random = SeededRandom(state: 20_261_121)
    var accepted = 0
    for (_, text) in Self.examples {
      for _ in 0..<200 {
        var bytes = hex(text)
        let index = Int.random(in: 0..<bytes.count, using: &random)
        bytes[index] = UInt8.random(in: 0...255, using: &random)
        guard let value = try? CBOR.decode(bytes) else { continue }
        accepted += 1
        #expect(CBOR.encode(value) == bytes)
      }
    }
    #expect(accepted > 100)
  }

  @Test func shortestFloatsKeepTheValue() throws {
    for bits in 0...UInt16.max {
      let value = Double(Float16(bitPattern: bits))
      let bytes = CBOR.encode(.double(value))
      #expect(bytes.count == 3)
      let back = try CBOR.decode(bytes).doubleValue!
      #expect(back.bitPattern == value.bitPattern || (back.isNaN && value.isNaN))
    }
    for _ in 0..<2000 {
      let value = Double(bitPattern: .random(in: 0...UInt64.max))
      let single = Double(Float(bitPattern: .random(in: 0...UInt32.max)))
      for value in [value, single] where !value.isNaN {
        let bytes = CBOR.encode(.double(value))
        let width =
          Double(Float16(value)) == value ? 3 : Double(Float(value)) == value ? 5 : 9
        #expect(bytes.count == width)
        #expect(try CBOR.decode(bytes).doubleValue == value)
      }
    }
  }

  @Test func findsFieldsByKey() throws {
    let value = try CBOR.decode(
      CBOR.encode(
        .map([
          "count": .integer(3), "name": .text("digits"), "scale": .double(0.5),
          "data": .bytes([7]), "on": .bool(true), "list": .array([.null]),
        ])))
    #expect(value["count"]?.integerValue == 3)
    #expect(value["name"]?.textValue == "digits")
    #expect(value["scale"]?.doubleValue == 0.5)
    #expect(value["data"]?.bytesValue == [7])
    #expect(value["on"]?.boolValue == true)
    #expect(value["list"]?.arrayValue?[0].isNull == true)
    #expect(value["absent"] == nil)
    #expect(value["name"]?.integerValue == nil)
    #expect(value["name"]?["x"] == nil)
  }
}
