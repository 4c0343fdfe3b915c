// Bits that adapt: what is written comes back, in about as many bytes as it has information.

import Foundation
import Randomness
import Testing
import WeightCoding

@Suite struct AdaptiveBitsTests {
  /// Numbers of all sizes, levels and bits of which nothing is known.
  @Test func whatIsWrittenComesBack() throws {
    var random = SeededRandom(state: 5)
    for length in [0, 1, 2, 7, 60, 3000] {
      for order in [0, 1, 5] {
        let numbers = (0..<length).map { _ in
          Int.random(in: 0..<1 << Int.random(in: 0...12, using: &random), using: &random)
        }
        var levels = (0..<length).map { _ in UInt8.random(in: 0...9, using: &random) }
        var writer = AdaptiveBitWriter()
        var models = AdaptiveNumber()
        for var number in numbers { try writer.code(&number, &models, order: order) }
        let kept = levels
        try writer.code(levels: &levels, width: 4)
        #expect(levels == kept)
        var mark = 0x2B
        try writer.code(bits: 6, &mark)
        let bytes = writer.finished()

        var reader = try AdaptiveBitReader(bytes)
        models = AdaptiveNumber()
        for number in numbers {
          // What was in its place does not matter.
          var found = -1
          try reader.code(&found, &models, order: order)
          #expect(found == number)
        }
        var back = [UInt8](repeating: 15, count: length)
        try reader.code(levels: &back, width: 4)
        #expect(back == kept)
        mark = 0
        try reader.code(bits: 6, &mark)
        #expect(mark == 0x2B)
        #expect(reader.isAtEnd)
        if length > 0 {
          #expect(throws: WeightCodingError.self) {
            var reader = try AdaptiveBitReader(Array(bytes.dropLast(4)))
            for _ in 0..<bytes.count * 8 + 32 {
              var bit = 0
              try reader.code(&bit)
            }
          }
        }
      }
    }
  }

  /// A bit that is 1 in one of twenty: the entropy, and what learning it costs.
  @Test func bytesAreNearTheEntropy() throws {
    var random = SeededRandom(state: 12)
    var writer = AdaptiveBitWriter()
    var model = AdaptiveBit()
    let count = 20_000
    var ones = 0
    for _ in 0..<count {
      var bit = Int.random(in: 0..<20, using: &random) == 0 ? 1 : 0
      ones += bit
      try writer.code(&bit, &model)
    }
    let p = Double(ones) / Double(count)
    let entropy = -Double(count) * (p * log2(p) + (1 - p) * log2(1 - p)) / 8
    let bytes = Double(writer.finished().count)
    #expect(bytes > entropy * 0.999)
    #expect(bytes < entropy * 1.04)
  }

  /// Carries run through bytes of 255: bits that are all as unlikely as can be keep the range at its top.
  @Test func carriesReachEveryByte() throws {
    for seed in 0..<200 as Range<UInt64> {
      var random = SeededRandom(state: seed)
      var writer = AdaptiveBitWriter()
      let bits = (0..<400).map { _ in Int.random(in: 0..<40, using: &random) == 0 ? 0 : 1 }
      for bit in bits {
        var bit = bit
        try writer.code(&bit, zero: 1 << 15)
      }
      var reader = try AdaptiveBitReader(writer.finished())
      for bit in bits {
        var found = 0
        try reader.code(&found, zero: 1 << 15)
        #expect(found == bit)
      }
      #expect(reader.isAtEnd)
    }
  }

  @Test func fieldsOutOfBoundsAreNamed() throws {
    var writer = AdaptiveBitWriter()
    var value = 40
    try writer.code(field: "a field", &value, in: 1...50, usual: 3, order: 2)
    var reader = try AdaptiveBitReader(writer.finished(), base: 100)
    let error = #expect(throws: WeightCodingError.self) {
      try reader.code(field: "a field", &value, in: 1...30, usual: 3, order: 2)
    }
    #expect(error?.description == "byte 102: a field is 40, expected 1 to 30")
  }
}
