// Levels that take the fewest bits: those of the integers in their contexts, and their own.
import Foundation
import WeightCoding

/// Chooses the levels of runs and columns anew where nothing moves them.
///
/// Mean magnitudes give the first levels. A level next to it may suit the integers of its column as well and be
/// nearer to what the levels before it let expect: with the tables of the moment, a shortest path through the
/// levels of all columns weighs both (A. J. Viterbi, 1967), and the same for runs. New levels make new tables.
struct LevelRefinement {
  private let integers: IntegerSource
  private let rule: ValueRule
  private let layout: RunLayout
  private let range: SymbolRange

  init(_ integers: IntegerSource, _ rule: ValueRule, _ layout: RunLayout, _ range: SymbolRange) {
    self.integers = integers
    self.rule = rule
    self.layout = layout
    self.range = range
  }

  /// Integers beyond which levels are too few to matter, and reading all once more takes long.
  private static let most = 1 << 20
  /// Levels of a run or a column.
  private static let count = 16

  /// A choice in fewer bits and its levels; nil where there is none. `levels` are those of `choice`.
  func refined(
    _ choice: ContextChoice, _ levels: ScaleLevels
  ) throws -> (ContextChoice, ScaleLevels)? {
    guard choice.classes > 1, choice.activity == nil, layout.count <= LevelRefinement.most else {
      return nil
    }
    let used = choice.levels
    var levels = levels
    levels.runs = levels.runs.map { UInt8(used.run($0)) }
    levels.columns = levels.columns.map { UInt8(used.column($0)) }
    levels.unit <<= used.shift
    let plain = LevelChoice(usesRuns: used.usesRuns, usesColumns: used.usesColumns)
    var best: (ContextChoice, ScaleLevels)?
    var current = choice
    for _ in 0..<2 {
      let bits = bits(current)
      if used.usesColumns {
        let costs = try costs(bits, levels, ofRuns: false)
        let size = levels.columnsOfLevel
        let found = LevelRefinement.path(
          costs,
          from: stride(from: 0, to: levels.columns.count, by: size).map { levels.columns[$0] })
        levels.columns = levels.columns.indices.map { found[$0 / size] }
      }
      if used.usesRuns {
        levels.runs = LevelRefinement.path(
          try costs(bits, levels, ofRuns: true), from: levels.runs)
      }
      let histogram = try IntegerHistogram(integers, rule, layout, levels, range)
      current = ContextSearch(histogram: histogram, rule: rule, levels: levels).choice(plain)
      guard current.bits < best?.0.bits ?? choice.bits, current.classes > 1 else { break }
      best = (current, levels)
    }
    return best
  }

  /// Bits of every symbol in every state by the sum of its levels: [state][symbol][sum].
  private func bits(_ choice: ContextChoice) -> [Float] {
    let width = 2 * LevelRefinement.count
    let symbols = range.count + 1
    var bits = [Float](repeating: 0, count: 4 * symbols * width)
    let group = 4 / choice.states
    for sum in 0..<width {
      let contextClass = min(max(sum - choice.lowest, 0), choice.classes - 1)
      for state in 0..<4 {
        let context = contextClass * choice.states + (choice.states == 1 ? 0 : state / group)
        let counts = choice.counts[context]
        // What never came in a context might.
        let all = Double(counts.reduce(0, +)) + 0.05 * Double(symbols)
        for symbol in 0..<symbols {
          let share = (Double(counts[symbol]) + 0.05) / all
          bits[(state * symbols + symbol) * width + sum] = Float(-log2(share))
        }
      }
    }
    return bits
  }

  /// Bits of the integers of each run, or of each group of columns, at each of its levels.
  private func costs(
    _ bits: [Float], _ levels: ScaleLevels, ofRuns: Bool
  ) throws -> [Float] {
    let count = LevelRefinement.count
    let symbols = range.count + 1
    let columns = (0..<layout.runLength).map { j in
      levels.columns.isEmpty ? 0 : Int(levels.columns[j % layout.period])
    }
    let group = levels.columnsOfLevel
    let places = (0..<layout.runLength).map { j in
      levels.columns.isEmpty ? 0 : j % layout.period / group
    }
    let units = ofRuns ? levels.runs.count : levels.columns.count / group
    var costs = [Float](repeating: 0, count: units * count)
    try integers.forEachPart(unit: layout.runLength) { part, integers in
      costs.withUnsafeMutableBufferPointer { costs in
        bits.withUnsafeBufferPointer { bits in
          for start in stride(from: 0, to: part.count, by: layout.runLength) {
            let run = (part.lowerBound + start) / layout.runLength
            let runLevel = Int(levels.runs[run])
            var state = 0
            for j in 0..<min(layout.runLength, part.count - start) {
              let k = Int(integers[start + j])
              let other = ofRuns ? columns[j] : runLevel
              let from = (state * symbols + range.symbol(k)) * 2 * count + other
              let to = (ofRuns ? run : places[j]) * count
              for level in 0..<count { costs[to + level] += bits[from + level] }
              if rule.isDependent {
                state = Int(DependentMachine.next[state * 2 + k & 1])
              }
            }
          }
        }
      }
    }
    return costs
  }

  /// The levels of least bits together, what each tells beyond the one before it as `levels` have it.
  private static func path(_ costs: [Float], from levels: [UInt8]) -> [UInt8] {
    guard !levels.isEmpty else { return [] }
    let all = 0...Int(levels.max() ?? 0)
    var pairs = [Float](repeating: 0, count: count * count)
    var singles = [Float](repeating: 0.5, count: count)
    var before = [Float](repeating: 0, count: count)
    for (last, level) in zip([0] + levels, levels) {
      pairs[Int(last) * count + Int(level)] += 1
      singles[Int(level)] += 1
      before[Int(last)] += 1
    }
    // As the coder has it: what followed on a level, and what came at all.
    let sum = singles[all].reduce(0, +)
    for last in all {
      for level in all {
        let share = (pairs[last * count + level] + 4 * singles[level] / sum) / (before[last] + 4)
        pairs[last * count + level] = Float(-log2(Double(share)))
      }
    }
    var totals = [Float](repeating: .infinity, count: count)
    totals[0] = 0
    var ways: [UInt8] = []
    ways.reserveCapacity(levels.count * count)
    for unit in levels.indices {
      var next = [Float](repeating: .infinity, count: count)
      for level in 0..<count {
        var way = 0
        if all.contains(level) {
          for last in all where totals[last] + pairs[last * count + level] < next[level] {
            next[level] = totals[last] + pairs[last * count + level]
            way = last
          }
          next[level] += costs[unit * count + level]
        }
        ways.append(UInt8(way))
      }
      totals = next
    }
    var level = all.min { totals[$0] < totals[$1] } ?? 0
    var path = levels
    for unit in levels.indices.reversed() {
      path[unit] = UInt8(level)
      level = Int(ways[unit * count + level])
    }
    return path
  }

}
