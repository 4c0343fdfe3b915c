// Text building, UTF-8 checks and the byte cursor, against the standard library and Foundation.

import Bytes
import Foundation
import Randomness
import Testing

@Suite struct TextTests {
  func text(_ body: (inout TextBuffer) -> Void) -> String {
    var buffer = TextBuffer()
    body(&buffer)
    return buffer.text
  }

  @Test func formatsIntegers() {
    for value in [0, 7, -7, 10, 99, 100, -100, Int.max, Int.min] {
      #expect(text { $0.put(value) } == String(value))
      let padded = String(value).count >= 8 ? String(value) : String(format: "%8ld", value)
      #expect(text { $0.put(value, width: 8) } == padded)
    }
    #expect(text { $0.put(UInt64.max) } == String(UInt64.max))
    #expect(text { $0.put(7, width: 3, fill: 0x30) } == "007")
  }

  @Test func formatsDecimalsLikeC() {
    for _ in 0..<5000 {
      // Hardly ever an exact tie, which printf would round to even.
      let value = Double(Int.random(in: -1_000_000...1_000_000)) + Double.random(in: 0.01...0.04)
      for places in 0...6 {
        #expect(text { $0.put(value, places: places) } == String(format: "%.\(places)f", value))
      }
    }
    // Below a half at the fifth place; the product with 1e5, itself rounded, is not.
    let belowTie = 941820.027025
    #expect(text { $0.put(belowTie, places: 5) } == String(format: "%.5f", belowTie))
    for exponent in stride(from: -90.0, through: 29, by: 1) {
      let value = pow(2, exponent) * 1.75
      #expect(text { $0.put(value, places: 9) } == String(format: "%.9f", value))
    }
    #expect(text { $0.put(-0.001, places: 2) } == "0.00")
    #expect(text { $0.put(0.5, places: 0) } == "1")
    #expect(text { $0.put(2.5, places: 1, width: 6) } == "   2.5")
    #expect(text { $0.put(Double.nan, places: 1) } == "nan")
    #expect(text { $0.put(-Double.infinity, places: 1, width: 5) } == " -inf")
    #expect(text { $0.put(1e300, places: 3) } == ">1e18")
    #expect(text { $0.put(999_999_999_999.0, places: 3) } == "999999999999")
  }

  @Test(
    arguments: [
      (0, "0"), (4.814, "4.81"), (48.14, "48.1"), (481.4, "481"), (4814, "4814"), (9.996, "10.0"),
      (99.96, "100"), (0.4814, "0.481"), (0.04814, "0.0481"), (0.9996, "1.00"), (-4.814, "-4.81"),
    ] as [(Double, String)])
  func formatsThreeSignificantDigits(_ value: Double, _ expected: String) {
    #expect(text { $0.put(significant: value) } == expected)
  }

  @Test func formatsSizesAndTimes() {
    #expect(text { $0.put(memoryBytes: 999) } == "999 B")
    #expect(text { $0.put(memoryBytes: 1000) } == "0.977 KiB")
    #expect(text { $0.put(memoryBytes: 22_754_099) } == "21.7 MiB")
    #expect(text { $0.put(memoryBytes: 8 << 30) } == "8.00 GiB")
    #expect(text { $0.put(fileBytes: 90_868_376) } == "90.9 MB")
    #expect(text { $0.put(fileBytes: 1_000) } == "1.00 kB")
    #expect(text { $0.put(fileBytes: 0) } == "0 B")
    #expect(text { $0.put(durationNanoseconds: 481) } == "481 ns")
    #expect(text { $0.put(durationNanoseconds: 4_814_000) } == "4.81 ms")
    #expect(text { $0.put(durationNanoseconds: 90_000_000_000) } == "90.0 s")
  }

  @Test func putsScalarsAndBytes() {
    #expect(text { for scalar in "aé水😀".unicodeScalars { $0.put(scalar: scalar.value) } } == "aé水😀")
    #expect(text { $0.put(scalar: 0xD800) } == "\u{FFFD}")
    #expect(text { $0.put(hexadecimal: 0x0123_4567_89ab_cdef as UInt64) } == "0123456789abcdef")
    #expect(text { $0.put(hexadecimal: [0, 255, 16]) } == "00ff10")
    #expect(
      text { $0.put(untrusted: Array("a\u{1B}[31mé\u{85}".utf8) + [0xFF]) } == "a?[31mé?" + "?")
    var buffer = TextBuffer()
    buffer.put("ab")
    buffer.endLine()
    buffer.put("c")
    buffer.pad(to: 4)
    buffer.put("d")
    #expect(buffer.text == "ab\nc   d")
  }

  @Test func lineHoldsAtMostItsCapacity() {
    var line = TextLine()
    for _ in 0..<600 { line.put("x") }
    #expect(line.count == TextLine.capacity)
    line.clear()
    line.put(4.25, places: 2)
    let span = line.span
    #expect(span.count == 4 && span[0] == 0x34 && span[3] == 0x35)
  }

  @Test func agreesWithTheStandardLibraryOnUTF8() {
    var random = SeededRandom(state: 20_261_121)
    // Bytes that begin, continue and break sequences, often.
    let pool: [UInt8] = [
      0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1,
      0xED, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
    ]
    var valid = 0
    for _ in 0..<100_000 {
      let bytes = (0..<Int.random(in: 0...6, using: &random)).map { _ in
        pool.randomElement(using: &random)!
      }
      let expected = String(validating: bytes, as: UTF8.self) != nil
      valid += expected ? 1 : 0
      #expect(UTF8Text.isValid(bytes) == expected, "\(bytes)")
      #expect(UTF8Text.isValid(UTF8Text.repaired(bytes)))
    }
    #expect(valid > 1000)
    #expect(UTF8Text.firstInvalidOffset(Array("é".utf8) + [0xC3]) == 2)
  }
}

@Suite struct ByteReaderTests {
  @Test func readsWhatTheWriterWrote() throws {
    var writer = ByteWriter()
    writer.put(UInt8(1))
    writer.put(UInt16(0x0203))
    writer.put(Int32(-5))
    writer.put(UInt64.max)
    writer.put(Float(1.5))
    writer.put(-2.25)
    writer.put(varint: 300)
    writer.put(varint: .max)
    writer.align(to: 8)
    #expect(writer.count % 8 == 0)
    #expect(Array(writer.bytes[1...2]) == [3, 2])
    let bytes = writer.bytes
    var reader = ByteReader(bytes.span)
    #expect(try reader.byte() == 1)
    #expect(try reader.integer(UInt16.self) == 0x0203)
    #expect(try reader.integer(Int32.self) == -5)
    #expect(try reader.integer(UInt64.self) == .max)
    #expect(try reader.float() == 1.5)
    #expect(try reader.double() == -2.25)
    #expect(try reader.varint() == 300)
    #expect(try reader.varint() == .max)
    let remaining = reader.remaining
    #expect(remaining < 8)
  }

  @Test func neverReadsPastTheEnd() throws {
    let bytes: [UInt8] = [1, 2, 3]
    var reader = ByteReader(bytes.span, base: 100)
    try reader.skip(1)
    do {
      _ = try reader.integer(UInt32.self)
      Issue.record("read past the end")
    } catch {
      #expect(error == ByteError(offset: 101, reason: .truncated(needed: 4, remaining: 2)))
    }
    let position = reader.position
    #expect(position == 1)
    for count in [-1, 3, Int.max, Int.min] {
      do {
        try reader.skip(count)
        Issue.record("skipped \(count)")
      } catch { #expect(error.offset == 101) }
    }
    try reader.seek(to: 3)
    let isAtEnd = reader.isAtEnd
    #expect(isAtEnd)
    do {
      try reader.seek(to: 4)
      Issue.record("sought past the end")
    } catch { #expect(error.offset == 103) }
  }

  @Test func refusesLongVarintsAndBadText() {
    func varint(_ bytes: [UInt8]) throws(ByteError) -> UInt64 {
      var reader = ByteReader(bytes.span)
      return try reader.varint()
    }
    let tenTimes = [UInt8](repeating: 0xFF, count: 9)
    #expect(throws: Never.self) { try varint(tenTimes + [1]) }
    #expect(throws: ByteError.self) { try varint(tenTimes + [2]) }
    #expect(throws: ByteError.self) { try varint(tenTimes + [0x80, 0]) }
    #expect(throws: ByteError.self) { try varint([0x80]) }
    #expect(throws: ByteError.self) {
      let bytes: [UInt8] = [0x61, 0xFF]
      var reader = ByteReader(bytes.span)
      _ = try reader.text(2)
    }
  }

  @Test func checkedArithmeticNeverWraps() {
    #expect(Checked.product(1 << 32, 1 << 31) == nil)
    #expect(Checked.product(3, 4) == 12)
    #expect(Checked.product(-1, 4) == nil)
    #expect(Checked.product([4_194_305, 4_194_305, 4_194_305]) == nil)
    #expect(Checked.product([1 << 40, 1 << 40, 0]) == 0)
    #expect(Checked.product([-1, 0]) == nil)
    #expect(Checked.product([1 << 20, 1 << 21], limit: 1 << 40) == nil)
    #expect(Checked.product([]) == 1)
    #expect(Checked.sum(.max, 1) == nil)
    #expect(Checked.roundedUp(.max - 3, to: 64) == nil)
    #expect(Checked.roundedUp(65, to: 64) == 128)
    #expect(Checked.roundedUp(64, to: 64) == 64)
    #expect(Checked.roundedUp(1, to: 0) == nil)
    #expect(Checked.fits(offset: 4, count: 4, in: 8))
    #expect(!Checked.fits(offset: 4, count: 5, in: 8))
    #expect(!Checked.fits(offset: .max, count: 1, in: 8))
    #expect(!Checked.fits(offset: -1, count: 1, in: 8))
  }
}
