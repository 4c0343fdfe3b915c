// Counts of symbols to frequencies that add up to a power of two, and what they cost.
import Foundation
import WeightCoding

/// The frequencies of one context.
enum FrequencyFit {
  /// Frequencies that add up to `total`, at least 1 where the count is not zero; those that cost
  /// about the fewest bits. All on the first symbol where nothing was counted.
  static func frequencies(_ counts: [Int], total: Int) -> [UInt16] {
    let sum = counts.reduce(0, +)
    var result = [UInt16](repeating: 0, count: counts.count)
    guard sum > 0 else {
      result[0] = UInt16(total)
      return result
    }
    var left = total
    for (i, count) in counts.enumerated() where count > 0 {
      let share = Double(count) * Double(total) / Double(sum)
      result[i] = UInt16(max(1, min(Int(share.rounded()), total)))
      left -= Int(result[i])
    }
    while left != 0 {
      // The change that costs least, or gains most.
      var best = -1
      var bestGain = -Double.infinity
      for (i, count) in counts.enumerated() where count > 0 {
        let f = Double(result[i])
        if left < 0, result[i] == 1 { continue }
        let gain = Double(count) * log2(left > 0 ? (f + 1) / f : (f - 1) / f)
        if gain > bestGain { (best, bestGain) = (i, gain) }
      }
      // More symbols than slots: the caller keeps the total above their number.
      precondition(best >= 0, "a total above the number of symbols")
      result[best] = left > 0 ? result[best] + 1 : result[best] - 1
      left += left > 0 ? -1 : 1
    }
    return result
  }

  /// Bits that counted symbols take with these frequencies.
  static func bits(_ counts: [Int], _ frequencies: [UInt16], total: Int) -> Double {
    var bits = 0.0
    for (count, f) in zip(counts, frequencies) where count > 0 {
      bits += Double(count) * log2(Double(total) / Double(f))
    }
    return bits
  }

  /// n log2 n of small counts.
  private static let products = (0..<1 << 14).map { $0 == 0 ? 0 : Double($0) * log2(Double($0)) }

  private static func product(_ n: Int) -> Double {
    n < products.count ? products[n] : Double(n) * log2(Double(n))
  }

  /// Bits of an ideal code for the counts by themselves.
  static func entropyBits(_ counts: some Sequence<some BinaryInteger>) -> Double {
    var sum = 0
    var bits = 0.0
    for count in counts {
      sum += Int(count)
      bits -= product(Int(count))
    }
    return max(bits + product(sum), 0)
  }
}
