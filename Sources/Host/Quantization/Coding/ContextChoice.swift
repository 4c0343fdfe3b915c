// Which contexts a tensor's integers are coded in: those that take the fewest bits, tables and levels included.
import Foundation
import WeightCoding

/// The contexts of one coding, and what they come to.
struct ContextChoice {
  var levels: LevelChoice
  var activity: Activity?
  /// 1, 2 or 4 contexts of the dependent machine's states.
  var states: Int
  /// The level of class 0.
  var lowest: Int
  var classes: Int
  /// Counts of symbols by context.
  var counts: [[Int]]
  /// The same by level, as they were found.
  var levelCounts: LevelCounts
  /// Bits of an ideal code, of tables and of levels, about.
  var bits: Double
}

/// Finds the contexts of one tensor.
struct ContextSearch {
  let histogram: IntegerHistogram
  let rule: ValueRule
  let levels: ScaleLevels

  /// Levels alone first; then what activity makes of the best of them, and of none.
  func best() throws -> ContextChoice {
    let states = rule.isDependent ? 4 : 1
    var best = choice(histogram.counts(LevelChoice()), LevelChoice(), nil, states)
    for (runs, columns) in [(true, false), (false, true), (true, true)] {
      for shift in 0..<3 {
        let chosen = LevelChoice(usesRuns: runs, usesColumns: columns, shift: shift)
        let top =
          (runs ? (histogram.runLevels - 1) >> shift : 0)
          + (columns ? (histogram.columnLevels - 1) >> shift : 0)
        // Levels that are all alike tell nothing.
        if top == 0 { continue }
        let other = choice(histogram.counts(chosen), chosen, nil, states)
        if other.bits < best.bits { best = other }
      }
    }
    if let moving = try moving(beside: best, states) { best = moving }
    return withFewerStates(best)
  }

  /// These levels, which do not move.
  func choice(_ levels: LevelChoice) -> ContextChoice {
    withFewerStates(choice(histogram.counts(levels), levels, nil, rule.isDependent ? 4 : 1))
  }

  private func withFewerStates(_ choice: ContextChoice) -> ContextChoice {
    var best = choice
    guard rule.isDependent else { return best }
    for states in [2, 1] {
      let other = self.choice(best.levelCounts, best.levels, best.activity, states)
      if other.bits < best.bits { best = other }
    }
    return best
  }

  /// What levels that move may take of the bits of those that do not: a decoder takes longer for them.
  private static let worth = 0.997

  /// The best choice whose levels move; nil where it is not worth it.
  private func moving(beside still: ContextChoice, _ states: Int) throws -> ContextChoice? {
    let most = still.bits * ContextSearch.worth
    let factor = histogram.sampleFactor
    var best: ContextChoice?
    func consider(_ levels: LevelChoice, rate: Int, unit: Int) throws {
      guard Activity.units.contains(unit) else { return }
      let activity = histogram.activity(levels, histogram.counts(levels), rate: rate, unit: unit)
      let other = choice(
        try histogram.counts(levels, activity, sampled: true), levels, activity, states,
        factor: factor)
      if best == nil || other.bits < best!.bits { best = other }
    }
    for unit in [6, 12, 24] { try consider(LevelChoice(), rate: 3, unit: unit) }
    for (runs, columns) in [(true, false), (false, true), (true, true)]
    where (!runs || histogram.runLevels > 1) && (!columns || histogram.columnLevels > 1) {
      for shift in still.levels.shift...min(still.levels.shift + 1, 2) {
        try consider(
          LevelChoice(usesRuns: runs, usesColumns: columns, shift: shift), rate: 3,
          unit: levels.unit << shift)
      }
    }
    guard let first = best, let activity = first.activity else { return nil }
    for rate in [2, 4] { try consider(first.levels, rate: rate, unit: activity.unit) }
    // Samples say whether it is worth to count all.
    guard let found = best, found.bits < most, let activity = found.activity else { return nil }
    let all = try histogram.counts(found.levels, activity, sampled: false)
    let moving = choice(all, found.levels, activity, states)
    return moving.bits < most ? moving : nil
  }

  /// One context for each level between the lowest and the highest; levels at both ends are joined as long as
  /// that takes fewer bits, or there are too many.
  ///
  /// factor: how many times as many integers there are.
  private func choice(
    _ counts: LevelCounts, _ levels: LevelChoice, _ activity: Activity?, _ states: Int,
    factor: Double = 1
  ) -> ContextChoice {
    let range = counts.range
    var classes = range.map { level in
      (0..<states).map { counts.group(level, $0, of: states) }
    }
    func cost(_ groups: [[Int32]]) -> Double {
      groups.reduce(0) { $0 + FrequencyFit.entropyBits($1) * factor + ContextSearch.tableBits($1) }
    }
    func joined(_ a: [[Int32]], _ b: [[Int32]]) -> [[Int32]] {
      zip(a, b).map { zip($0, $1).map { $0 + $1 } }
    }
    let most = IntegerCoding.maximumContexts(
      count: histogram.count, symbols: histogram.symbols - 1)
    var costs = classes.map(cost)
    var lowest = range.lowerBound
    while classes.count > 1 {
      let last = classes.count - 1
      let low = joined(classes[0], classes[1])
      let high = joined(classes[last - 1], classes[last])
      let (lowCost, highCost) = (cost(low), cost(high))
      let lowGain = costs[0] + costs[1] - lowCost
      let highGain = costs[last - 1] + costs[last] - highCost
      guard max(lowGain, highGain) > 0 || classes.count * states > most
      else { break }
      if lowGain >= highGain {
        classes[1] = low
        costs[1] = lowCost
        classes.removeFirst()
        costs.removeFirst()
        lowest += 1
      } else {
        classes[last - 1] = high
        costs[last - 1] = highCost
        classes.removeLast()
        costs.removeLast()
      }
    }
    var bits = costs.reduce(0, +)
    if classes.count > 1 {
      if levels.usesRuns { bits += ContextSearch.levelBits(self.levels.runs, levels.shift) }
      if levels.usesColumns {
        let bitsOfAll = ContextSearch.levelBits(self.levels.columns, levels.shift)
        bits += bitsOfAll / Double(self.levels.columnsOfLevel)
      }
      if activity != nil { bits += 20 }
    }
    return ContextChoice(
      levels: levels, activity: activity, states: states, lowest: lowest, classes: classes.count,
      counts: classes.flatMap { $0.map { $0.map(Int.init) } }, levelCounts: counts, bits: bits)
  }

  /// What a context is to save: its table, about, and the time it takes to set it up. Where a law tells the
  /// table it takes less, but counting that makes more contexts, no fewer bytes.
  private static func tableBits(_ counts: [Int32]) -> Double {
    20 + 4 * Double(counts.reduce(0) { $0 + ($1 > 0 ? 1 : 0) })
  }

  /// Levels as they are stored, about: each after the one before it.
  private static func levelBits(_ levels: [UInt8], _ shift: Int) -> Double {
    var pairs = [[Int32]](repeating: [Int32](repeating: 0, count: 16), count: 16)
    var counts = [Int32](repeating: 0, count: 16)
    var last = 0
    for level in levels {
      let level = Int(level) >> shift
      counts[level] += 1
      pairs[last][level] += 1
      last = level
    }
    let alone = FrequencyFit.entropyBits(counts) + 4 * Double(counts.count { $0 > 0 })
    return min(
      alone,
      pairs.reduce(0) { $0 + FrequencyFit.entropyBits($1) + 4 * Double($1.count { $0 > 0 }) })
  }
}
