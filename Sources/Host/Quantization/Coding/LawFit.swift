// The law that counted symbols follow best.
import Foundation
import WeightCoding

/// Finds laws for counts.
enum LawFit {
  /// The law in whose frequencies these counts take about the fewest bits; nil where only escapes were counted.
  ///
  /// counts: the escapes last; low: the integer of the first.
  ///
  /// For one shape the likelihood has its maximum where the mean of (m / reach)^shape is that of the law (the
  /// law is of an exponential family), which is found by halving.
  static func law(_ counts: [Int], low: Int) -> FrequencyLaw? {
    let escape = counts.count - 1
    let largest = max(-low, low + escape - 1, 1)
    var sizes = [Double](repeating: 0, count: largest + 1)
    var numbers = sizes
    for (symbol, count) in counts[..<escape].enumerated() where count > 0 {
      let magnitude = abs(low + symbol)
      sizes[magnitude] += Double(count)
      numbers[magnitude] += 1
    }
    let all = sizes.reduce(0, +)
    guard all > 0 else { return nil }
    let share = (512 * sizes[0] / (all + Double(counts[escape]))).rounded()
    let zero = min(max(Int(share), sizes[0] > 0 ? 1 : 0), 512)
    let others = all - sizes[0]
    guard others > 0 else {
      return FrequencyLaw(
        zero: zero, reach: FrequencyLaw.usual.reach, shape: FrequencyLaw.usual.shape)
    }
    // Only what was met has a frequency.
    let magnitudes = (1...largest).filter { numbers[$0] > 0 }
    let logarithms = magnitudes.map { log2(Double($0)) }
    let wanted = magnitudes.map { sizes[$0] / others }
    let given = magnitudes.map { numbers[$0] }
    /// The best reach for a shape, and bits for each integer.
    func fit(_ index: Int) -> (bits: Double, reach: Int) {
      let shape = Double(FrequencyLaw.shapes[index]) / 16
      let powers = logarithms.map { exp2(shape * $0) }
      let moment = zip(wanted, powers).reduce(0) { $0 + $1.0 * $1.1 }
      /// Mean of the law's powers, and bits.
      func law(_ reach: Int) -> (mean: Double, bits: Double) {
        let factor = 3 * exp2(-shape * Double(reach) / 16)
        var sum = 0.0
        var mean = 0.0
        for i in powers.indices {
          let weight = given[i] * exp2((powers[0] - powers[i]) * factor)
          sum += weight
          mean += weight * powers[i]
        }
        return (mean / sum, (moment - powers[0]) * factor + log2(sum))
      }
      var (least, most) = (FrequencyLaw.reaches.lowerBound, FrequencyLaw.reaches.upperBound)
      while least < most {
        let middle = least + (most - least) / 2
        if law(middle).mean < moment { least = middle + 1 } else { most = middle }
      }
      let before = max(least - 1, FrequencyLaw.reaches.lowerBound)
      let bits = (law(before).bits, law(least).bits)
      return bits.0 < bits.1 ? (bits.0, before) : (bits.1, least)
    }
    // From the usual shape as long as it gets better.
    var shape = FrequencyLaw.usual.shape
    var best = fit(shape)
    for way in [-1, 1] {
      while FrequencyLaw.shapes.indices.contains(shape + way) {
        let other = fit(shape + way)
        guard other.bits < best.bits else { break }
        (best, shape) = (other, shape + way)
      }
    }
    return FrequencyLaw(zero: zero, reach: best.reach, shape: shape)
  }

  /// The frequencies that a law gives the counted symbols and those between them; nil where the total is too
  /// little.
  static func frequencies(_ law: FrequencyLaw, _ counts: [Int], low: Int, total: Int) -> [UInt16]? {
    let escape = counts.count - 1
    let order = FrequencyOrder(low: low, count: escape, total: total).symbols
    guard let last = order.lastIndex(where: { counts[$0] > 0 }) else { return nil }
    var frequencies = [UInt16](repeating: 0, count: counts.count)
    let all = counts.reduce(0, +)
    if counts[escape] > 0 {
      frequencies[escape] = UInt16(max(1, counts[escape] * total / all))
    }
    let isWhole = law.spread(
      total - Int(frequencies[escape]), total: total, low: low, symbols: order[1..<last + 1],
      into: &frequencies)
    guard isWhole, zip(counts, frequencies).allSatisfy({ $0 == 0 || $1 > 0 }) else { return nil }
    return frequencies
  }
}
