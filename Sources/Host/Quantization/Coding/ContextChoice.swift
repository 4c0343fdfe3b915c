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
    // A moving level takes a decoder longer: it is to be worth that.
    if let moving = try moving(beside: best.levels, states), moving.bits < best.bits * 0.997 {
      best = moving
    }
    guard rule.isDependent else { return best }
    let counts = try counts(best, sampled: false)
    for states in [2, 1] {
      let other = choice(counts, best.levels, best.activity, states)
      if other.bits < best.bits { best = other }
    }
    return best
  }

  private func counts(_ choice: ContextChoice, sampled: Bool) throws -> LevelCounts {
    guard let activity = choice.activity else { return histogram.counts(choice.levels) }
    return try histogram.counts(choice.levels, activity, sampled: sampled)
  }

  /// The best choice whose levels move.
  private func moving(beside still: LevelChoice, _ states: Int) throws -> ContextChoice? {
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
      for shift in still.shift...min(still.shift + 1, 2) {
        try consider(
          LevelChoice(usesRuns: runs, usesColumns: columns, shift: shift), rate: 3,
          unit: levels.unit << shift)
      }
    }
    guard let first = best, let activity = first.activity else { return nil }
    for rate in [2, 4] { try consider(first.levels, rate: rate, unit: activity.unit) }
    guard let found = best else { return nil }
    return choice(
      try counts(found, sampled: false), found.levels, found.activity, states)
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
      counts: classes.flatMap { $0.map { $0.map(Int.init) } }, bits: bits)
  }

  /// A context's table, about.
  private static func tableBits(_ counts: [Int32]) -> Double {
    4 + 3.5 * Double(counts.reduce(0) { $0 + ($1 > 0 ? 1 : 0) })
  }

  /// Levels as they are stored, about.
  private static func levelBits(_ levels: [UInt8], _ shift: Int) -> Double {
    var counts = [Int32](repeating: 0, count: 16)
    for level in levels { counts[Int(level) >> shift] += 1 }
    return FrequencyFit.entropyBits(counts) + 4 * Double(counts.count { $0 > 0 })
  }
}
