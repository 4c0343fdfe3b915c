// How often each integer comes, by level of run, level of column and state of the dependent machine.
import CKernels
import WeightCoding

/// The machine of dependent quantization: the state after an integer's parity.
enum DependentMachine {
  /// Next state by state × 2 + parity: states 0 and 1 go on with even, 2 and 3 with odd multiples.
  static let next: [UInt8] = [0, 2, 2, 0, 1, 3, 3, 1]
}

/// Counts of symbols in all contexts that a coding may tell apart.
struct IntegerHistogram {
  let runLevels: Int
  let columnLevels: Int
  let symbols: Int
  /// [run level][column level][state][symbol]
  private(set) var counts: [Int32]
  /// Bits that no context makes fewer.
  private(set) var extraBits = 0

  init(
    _ integers: IntegerSource, _ rule: ValueRule, _ layout: RunLayout, _ levels: ScaleLevels,
    _ range: SymbolRange
  ) throws {
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

  /// Counts by context, of a choice of contexts.
  func merged(_ contexts: ContextChoice) -> [[Int]] {
    var merged = [[Int]](
      repeating: [Int](repeating: 0, count: symbols), count: contexts.classes * contexts.states)
    let stateShift = contexts.states == 4 ? 0 : contexts.states == 2 ? 1 : 2
    var at = 0
    for run in 0..<runLevels {
      for column in 0..<columnLevels {
        let level =
          (contexts.usesRuns ? run >> contexts.levelShift : 0)
          + (contexts.usesColumns ? column >> contexts.levelShift : 0)
        let contextClass = min(level, contexts.classes - 1)
        for state in 0..<4 {
          let context = contextClass * contexts.states + state >> stateShift
          for symbol in 0..<symbols {
            merged[context][symbol] += Int(counts[at])
            at += 1
          }
        }
      }
    }
    return merged
  }
}

/// Which contexts a coding tells apart.
struct ContextChoice: Equatable {
  var usesRuns: Bool
  var usesColumns: Bool
  /// Bits by which levels are made coarser.
  var levelShift: Int
  /// 1, 2 or 4 contexts of the dependent machine's states.
  var states: Int
  var classes: Int
}
