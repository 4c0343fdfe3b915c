// Which integers have a symbol of their own, and how the others are written.
import CKernels
import Foundation
import WeightCoding

/// Symbols of integers: a range of them, of which low bits may be left out, and an escape for the others.
struct SymbolRange: Equatable {
  var low: Int
  /// Without the escape.
  var count: Int
  var shift: Int
  var escapeOrder: Int

  /// The range that takes the fewest bits, about: without contexts, the table of each context counted.
  ///
  /// largest: no symbol may stand for an integer of a larger magnitude, unless low bits are left out.
  init(_ integers: IntegerSource, largest: Int) throws {
    let middle = -Int(Int16.min)
    var all = [Int](repeating: 0, count: 2 * middle)
    try integers.forEachPart(unit: 1) { _, part in
      all.withUnsafeMutableBufferPointer { all in
        for k in part { all[Int(k) + middle] += 1 }
      }
    }
    let first = min((all.firstIndex { $0 > 0 } ?? middle) - middle, 0)
    let last = max((all.lastIndex { $0 > 0 } ?? middle) - middle, 0)
    let counts = Array(all[first + middle...last + middle])
    // Large tensors have more contexts, each with a table.
    let tables = Double(max(1, min(16, integers.count >> 14)))
    var best = (
      range: SymbolRange(low: 0, count: 1, shift: 0, escapeOrder: 0), bits: Double.infinity
    )
    for shift in 0...8 {
      // Counts of coarse integers.
      let bottom = first >> shift
      var coarse = [Int](repeating: 0, count: last >> shift - bottom + 1)
      for (i, count) in counts.enumerated() { coarse[(first + i) >> shift - bottom] += count }
      var rare = 0
      while rare <= max(1, integers.count / 512) {
        let range = SymbolRange.trimmed(
          coarse, bottom: bottom, shift: shift, rare: rare, largest: shift == 0 ? largest : .max)
        let bits =
          range.bits(coarse, bottom: bottom, total: integers.count)
          + Double(integers.count * shift) + tables * 5 * Double(range.count)
        if bits < best.bits { best = (range, bits) }
        rare = rare == 0 ? 1 : rare * 2
      }
      if coarse.count <= 16 { break }
    }
    self = best.range
  }

  private init(low: Int, count: Int, shift: Int, escapeOrder: Int) {
    self.low = low
    self.count = count
    self.shift = shift
    self.escapeOrder = escapeOrder
  }

  /// The range without the outermost integers on both sides, at most `rare` of them on each.
  private static func trimmed(
    _ coarse: [Int], bottom: Int, shift: Int, rare: Int, largest: Int
  ) -> SymbolRange {
    var first = 0
    var last = coarse.count - 1
    var tail = coarse[first]
    while first < -bottom, tail <= rare || bottom + first < -largest {
      first += 1
      tail += coarse[first]
    }
    tail = coarse[last]
    while last > -bottom, tail <= rare || bottom + last > largest {
      last -= 1
      tail += coarse[last]
    }
    // A table has so many symbols, the escape among them.
    let most = Int(KN_RANS_SYMBOLS) - 1
    first = max(first, -bottom - most / 2)
    last = min(last, first + most - 1)
    var escapes = 0
    var excess = 0
    for (i, count) in coarse.enumerated() where i < first || i > last {
      escapes += count
      excess += count * (i < first ? first - i : i - last)
    }
    let order = escapes == 0 ? 0 : Int(log2(Double(excess) / Double(escapes)))
    return SymbolRange(
      low: bottom + first, count: last - first + 1, shift: shift, escapeOrder: min(order, 12))
  }

  /// Bits of an ideal code for coarse integers, the escapes' own among them.
  private func bits(_ coarse: [Int], bottom: Int, total: Int) -> Double {
    var bits = 0.0
    var escapes = 0
    for (i, count) in coarse.enumerated() where count > 0 {
      let place = bottom + i - low
      if place >= 0 && place < self.count {
        bits += Double(count) * log2(Double(total) / Double(count))
      } else {
        escapes += count
        bits += Double(count * escapeBits(place))
      }
    }
    return escapes == 0 ? bits : bits + Double(escapes) * log2(Double(total) / Double(escapes))
  }

  /// Bits behind the symbol of an escape, whose place is outside of 0 ..< count.
  private func escapeBits(_ place: Int) -> Int {
    let distance = place < 0 ? -1 - place : place - count
    let prefix = Int.bitWidth - 1 - ((distance >> escapeOrder) + 1).leadingZeroBitCount
    return 2 * prefix + 1 + escapeOrder + 1
  }

  /// The symbol of an integer; `count` for those that escape.
  @inline(__always)
  func symbol(_ k: Int) -> Int {
    let place = (k >> shift) - low
    return place >= 0 && place < count ? place : count
  }

  /// Bits behind the symbol of an integer: the escape's and the low ones.
  func extraBits(_ k: Int) -> Int {
    let place = (k >> shift) - low
    return shift + (place >= 0 && place < count ? 0 : escapeBits(place))
  }
}

extension SymbolRange {
  init(_ coding: IntegerCoding) {
    low = coding.low
    count = coding.symbolCount
    shift = coding.shift
    escapeOrder = coding.escapeOrder
  }
}
