// How often each integer comes, by level of run, level of column and state of the dependent machine.
import CKernels
import WeightCoding

/// The machine of dependent quantization: the state after an integer's parity.
enum DependentMachine {
  /// Next state by state × 2 + parity: states 0 and 1 go on with even, 2 and 3 with odd multiples.
  static let next: [UInt8] = [0, 2, 2, 0, 1, 3, 3, 1]
}

/// Which levels a coding tells apart.
struct LevelChoice: Equatable {
  var usesRuns = false
  var usesColumns = false
  /// Bits by which levels are made coarser.
  var shift = 0

  func run(_ level: UInt8) -> Int { usesRuns ? Int(level) >> shift : 0 }
  func column(_ level: UInt8) -> Int { usesColumns ? Int(level) >> shift : 0 }
}

/// Counts of symbols by moved level and state of the dependent machine.
struct LevelCounts {
  /// Level of the first counts: activity moves places below 0.
  static let lowest = -20
  static let levels = 66
  let symbols: Int
  /// [level - lowest][state][symbol]
  fileprivate(set) var counts: [Int32]

  init(symbols: Int) {
    self.symbols = symbols
    counts = [Int32](repeating: 0, count: LevelCounts.levels * 4 * symbols)
  }

  /// Counts of a level in the states of a group, `states` groups in all.
  func group(_ level: Int, _ group: Int, of states: Int) -> [Int32] {
    let width = 4 / states
    var sum = [Int32](repeating: 0, count: symbols)
    for state in group * width..<(group + 1) * width {
      let base = ((level - LevelCounts.lowest) * 4 + state) * symbols
      for i in 0..<symbols { sum[i] += counts[base + i] }
    }
    return sum
  }

  /// Levels that were met.
  var range: ClosedRange<Int> {
    let each = 4 * symbols
    func isEmpty(_ i: Int) -> Bool { counts[i * each..<(i + 1) * each].allSatisfy { $0 == 0 } }
    let first = (0..<LevelCounts.levels).first { !isEmpty($0) } ?? -LevelCounts.lowest
    let last = (0..<LevelCounts.levels).last { !isEmpty($0) } ?? -LevelCounts.lowest
    return first + LevelCounts.lowest...last + LevelCounts.lowest
  }
}

/// Counts of symbols in all contexts that a coding may tell apart.
struct IntegerHistogram {
  private let integers: IntegerSource
  private let rule: ValueRule
  private let layout: RunLayout
  private let levels: ScaleLevels
  private let symbolRange: SymbolRange
  let runLevels: Int
  let columnLevels: Int
  let symbols: Int
  /// [run level][column level][state][symbol]
  private var counts: [Int32]
  /// Bits that no context makes fewer.
  private(set) var extraBits = 0

  init(
    _ integers: IntegerSource, _ rule: ValueRule, _ layout: RunLayout, _ levels: ScaleLevels,
    _ range: SymbolRange
  ) throws {
    self.integers = integers
    self.rule = rule
    self.layout = layout
    self.levels = levels
    symbolRange = range
    runLevels = Int(levels.runs.max() ?? 0) + 1
    columnLevels = Int(levels.columns.max() ?? 0) + 1
    symbols = range.count + 1
    counts = [Int32](repeating: 0, count: runLevels * columnLevels * 4 * symbols)
    let columns =
      levels.columns.isEmpty
      ? [UInt8](repeating: 0, count: layout.runLength)
      : (0..<layout.runLength).map { levels.columns[$0 % layout.period] }
    var extra = 0
    let symbols = symbols
    let columnLevels = columnLevels
    try integers.forEachPart(unit: layout.runLength) { part, integers in
      counts.withUnsafeMutableBufferPointer { counts in
        DependentMachine.next.withUnsafeBufferPointer { next in
          columns.withUnsafeBufferPointer { columns in
            for run in part.lowerBound / layout.runLength..<layout.runCount {
              let start = run * layout.runLength - part.lowerBound
              guard start < part.count else { return }
              let length = min(layout.runLength, part.count - start)
              let base = Int(levels.runs[run]) * columnLevels
              var state = 0
              for j in 0..<length {
                let k = Int(integers[start + j])
                let symbol = range.symbol(k)
                if symbol == range.count { extra += range.extraBits(k) - range.shift }
                counts[((base + Int(columns[j])) * 4 + state) * symbols + symbol] += 1
                if rule.isDependent { state = Int(next[state * 2 + (k & 1)]) }
              }
            }
          }
        }
      }
    }
    extraBits = extra + layout.count * range.shift
  }

  /// Counts by the levels of a choice.
  func counts(_ choice: LevelChoice) -> LevelCounts {
    var sums = LevelCounts(symbols: symbols)
    var at = 0
    let each = 4 * symbols
    for run in 0..<runLevels {
      for column in 0..<columnLevels {
        let level = choice.run(UInt8(run)) + choice.column(UInt8(column))
        let base = (level - LevelCounts.lowest) * each
        for i in 0..<each { sums.counts[base + i] += counts[at + i] }
        at += each
      }
    }
    return sums
  }

  /// Integers in all.
  var count: Int { layout.count }

  /// Integers that tell how well an activity does.
  private static let sample = 1 << 16

  /// How many times as many integers there are as `counts(_:_:sampled:)` looks at.
  var sampleFactor: Double {
    let runs = sampledRuns
    let count = runs.reduce(0) { $0 + length($1) }
    return Double(layout.count) / Double(max(count, 1))
  }

  private var sampledRuns: [Int] {
    let wanted = max(1, IntegerHistogram.sample / layout.runLength)
    guard layout.runCount > wanted * 2 else { return Array(0..<layout.runCount) }
    return (0..<wanted).map { $0 * layout.runCount / wanted }
  }

  private func length(_ run: Int) -> Int {
    min(layout.runLength, layout.count - run * layout.runLength)
  }

  /// The activity of these levels: its factor is such that the running mean is the usual one on average.
  func activity(_ choice: LevelChoice, _ counts: LevelCounts, rate: Int, unit: Int) -> Activity {
    var sum = 0.0
    var count = 0.0
    for level in 0..<Int(KN_RANS_LEVELS) {
      let numbers = counts.group(level, 0, of: 1)
      let size = exp2Sixteenths(-unit * level)
      for (symbol, number) in numbers.enumerated() where number > 0 {
        sum += Double(number) * Double(abs(symbolRange.low + symbol)) * size
        count += Double(number)
      }
    }
    let mean = max(sum, 1) / max(count, 1)
    var factor = 0
    // The place whose factor is nearest to 2^16 over the mean.
    let wanted = 65_536 / mean
    while factor < Activity.factors.upperBound, exp2Sixteenths(factor) < wanted { factor += 1 }
    return Activity(rate: rate, unit: unit, factor: factor)
  }

  /// 2 to so many sixteenths, straight between powers of two as the coders have it.
  private func exp2Sixteenths(_ sixteenths: Int) -> Double {
    let octave = sixteenths >> 4
    let factor = 1 + Double(sixteenths & 15) / 16
    return octave >= 0 ? factor * Double(1 << octave) : factor / Double(1 << -octave)
  }

  /// Counts by the levels of a choice as an activity moves them, of all integers or of some.
  func counts(_ choice: LevelChoice, _ activity: Activity, sampled: Bool) throws -> LevelCounts {
    var sums = LevelCounts(symbols: symbols)
    let columns = (0..<layout.runLength).map {
      levels.columns.isEmpty ? 0 : choice.column(levels.columns[$0 % layout.period])
    }
    let (factors, moves) = (activity.factors, activity.moves)
    let range = symbolRange
    let isDependent = rule.isDependent
    let symbols = symbols
    func count(_ run: Int, _ integers: UnsafeBufferPointer<Int16>, from start: Int, _ length: Int) {
      let runLevel = choice.run(levels.runs[run])
      sums.counts.withUnsafeMutableBufferPointer { counts in
        columns.withUnsafeBufferPointer { columns in
          factors.withUnsafeBufferPointer { factors in
            moves.withUnsafeBufferPointer { moves in
              DependentMachine.next.withUnsafeBufferPointer { next in
                var mean = Int(KN_RANS_USUAL)
                var state = 0
                for j in 0..<length {
                  let k = Int(integers[start + j])
                  let symbol = range.symbol(k)
                  let level = runLevel + columns[j]
                  let moved = level + Int(moves[mean >> 7]) - LevelCounts.lowest
                  counts[(moved * 4 + state) * symbols + symbol] += 1
                  mean = activity.mean(
                    mean, after: abs(range.low + symbol), factor: factors[level])
                  if isDependent { state = Int(next[state * 2 + (k & 1)]) }
                }
              }
            }
          }
        }
      }
    }
    if sampled {
      for run in sampledRuns {
        let start = run * layout.runLength
        try integers.withIntegers(start..<start + length(run)) { count(run, $0, from: 0, $0.count) }
      }
    } else {
      try integers.forEachPart(unit: layout.runLength) { part, integers in
        var start = 0
        var run = part.lowerBound / layout.runLength
        while start < part.count {
          let length = min(layout.runLength, part.count - start)
          count(run, integers, from: start, length)
          (start, run) = (start + length, run + 1)
        }
      }
    }
    return sums
  }
}
