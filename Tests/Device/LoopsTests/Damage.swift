// Ways to damage a section: its bytes, or the numbers and lists they stand for.

import Bytes
import Randomness

enum Damage {
  /// A few bytes changed, put in or taken out.
  static func bytes(_ good: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
    var bytes = good
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let at = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0..<7, using: &random) {
      case 0: bytes[at] ^= 1 << UInt8.random(in: 0...7, using: &random)
      case 1: bytes[at] = UInt8.random(in: 0...255, using: &random)
      case 2: bytes[at] = bytes[at] &+ 1
      case 3: bytes[at] = bytes[at] &- 1
      case 4: bytes[at] = [0x00, 0x17, 0x18, 0x20, 0x37, 0x80, 0xF6][at % 7]
      case 5: bytes.remove(at: at)
      default: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &random)], at: at)
      }
    }
    return bytes
  }

  /// A few numbers or lists of a CBOR item changed: the bytes stay well-formed, so that what is
  /// behind the parser meets them.
  static func items(_ good: CBORValue, _ random: inout SeededRandom) -> CBORValue {
    var value = good
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      var left = Int.random(in: 0..<size(value), using: &random)
      value = changed(value, &left, &random)
    }
    return value
  }

  private static func size(_ value: CBORValue) -> Int {
    switch value {
    case .array(let items): items.reduce(1) { $0 + size($1) }
    case .map(let pairs): pairs.reduce(1) { $0 + size($1.value) }
    default: 1
    }
  }

  /// The item, changed where counting `left` down over its parts, itself first, ends.
  private static func changed(
    _ value: CBORValue, _ left: inout Int, _ random: inout SeededRandom
  ) -> CBORValue {
    left -= 1
    if left == -1 { return other(value, &random) }
    switch value {
    case .array(let items): return .array(items.map { changed($0, &left, &random) })
    case .map(let pairs):
      return .map(
        pairs.map { CBORPair(key: $0.key, value: changed($0.value, &left, &random)) })
    default: return value
    }
  }

  private static func other(_ value: CBORValue, _ random: inout SeededRandom) -> CBORValue {
    switch value {
    case .integer(let n):
      let near = [n &+ 1, n &- 1, n &* 2, 0 &- n, n / 2, 0, 1, -1, 2, 3, 16, 64]
      let far: [Int64] = [255, 4096, 1 << 20, 1 << 31, 1 << 32, 1 << 40, 1 << 62, .max, .min]
      switch Int.random(in: 0..<8, using: &random) {
      case 0: return .integer(far.randomElement(using: &random) ?? 0)
      case 1, 2: return .integer(Int64.random(in: 0...60, using: &random))
      default: return .integer(near.randomElement(using: &random) ?? 0)
      }
    case .double:
      let all: [Double] = [0, -1, 1e-30, 1e30, .infinity, .nan, 3.5, 1e300]
      return .double(all.randomElement(using: &random) ?? 0)
    case .array(var items):
      guard !items.isEmpty else { return .array([.integer(0)]) }
      let i = Int.random(in: items.indices, using: &random)
      let k = Int.random(in: items.indices, using: &random)
      switch Int.random(in: 0..<4, using: &random) {
      case 0: items.remove(at: i)
      case 1: items.insert(items[i], at: k)
      case 2: items.swapAt(i, k)
      default: items[i] = items[k]
      }
      return .array(items)
    case .text(let text): return .text(text + "x")
    case .map, .bytes, .bool, .null: return .integer(Int64.random(in: -2...9, using: &random))
    }
  }
}
