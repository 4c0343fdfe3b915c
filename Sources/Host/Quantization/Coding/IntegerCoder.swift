// Integers to coded pieces: chooses the contexts, fits the frequencies, writes the lanes.
import Bytes
import CKernels
import Dispatch
import Foundation
import WeightCoding

/// Codes the integers of one tensor in as few bytes as its contexts allow.
struct IntegerCoder {
  let integers: IntegerSource
  let rule: ValueRule
  let layout: RunLayout
  /// The coding that was chosen.
  let coding: IntegerCoding
  /// What it takes by the counts and frequencies, heads and levels included.
  let bits: Double
  /// What an ideal code with the same contexts would take for the integers alone.
  let entropyBits: Double
  /// Of every run; empty where none are told apart.
  private let runLevels: [UInt8]

  /// limit: the largest magnitude of a value in the weight's stored form; isThorough: whether the last bits
  /// are looked for too.
  init(
    _ integers: IntegerSource, _ rule: ValueRule, _ layout: RunLayout, _ levels: ScaleLevels,
    limit: Int, isThorough: Bool = true
  ) throws {
    self.integers = integers
    self.rule = rule
    self.layout = layout
    let range = try SymbolRange(integers, largest: limit / rule.largest(1))
    let histogram = try IntegerHistogram(integers, rule, layout, levels, range)
    var best = try ContextSearch(histogram: histogram, rule: rule, levels: levels).best()
    var levels = levels
    if let grouped = levels.grouped(layout) {
      let other = try IntegerHistogram(integers, rule, layout, grouped, range)
      let choice = try ContextSearch(histogram: other, rule: rule, levels: grouped).best()
      if choice.bits < best.bits { (best, levels) = (choice, grouped) }
    }
    let refinement = LevelRefinement(integers, rule, layout, range)
    if isThorough, let refined = try refinement.refined(best, levels) { (best, levels) = refined }
    let chosen = best.levels
    let isTold = best.classes > 1
    let runLevels =
      isTold && chosen.usesRuns ? levels.runs.map { UInt8(chosen.run($0)) } : []
    let levelBits = Int.bitWidth - Int(runLevels.max() ?? 0).leadingZeroBitCount
    var coding = IntegerCoding(
      count: layout.count, rule: rule, lanes: layout.lanes, runLength: layout.runLength,
      runsPerPiece: layout.runsPerPiece, stateContexts: best.states,
      classes: best.classes, runLevelBits: levelBits,
      columnLevels: isTold && chosen.usesColumns
        ? levels.columns.map { UInt8(chosen.column($0)) } : [],
      lowest: isTold ? best.lowest : 0, activity: isTold ? best.activity : nil,
      low: range.low, symbolCount: range.count, shift: range.shift, escapeOrder: range.escapeOrder,
      frequencies: [])
    var tables = TableSearch(coding, best.counts, columns: layout.columns)
    try tables.search(isThorough: isThorough)
    coding = tables.best
    self.coding = coding
    self.runLevels = runLevels
    entropyBits = best.counts.reduce(Double(histogram.extraBits)) {
      $0 + FrequencyFit.entropyBits($1)
    }
    let storedLevels = try IntegerCoder.bytes(ofLevels: runLevels[...], levelBits)
    let laneBits = coding.pieceCount * (coding.lanes * 32 + 16)
    bits = tables.bits + Double(histogram.extraBits + storedLevels.count * 8 + laneBits)
  }

  /// The levels of runs as a piece has them.
  private static func bytes(ofLevels levels: ArraySlice<UInt8>, _ width: Int) throws -> [UInt8] {
    guard width > 0 else { return [] }
    var coder = AdaptiveBitWriter()
    var levels = Array(levels)
    try coder.code(levels: &levels, width: width)
    return coder.finished()
  }

  /// Bits of the coding itself: fields, levels of columns, frequencies.
  func headBits() throws -> Double { try coding.headBits(columns: layout.columns) }

  /// Hands all pieces to `keep`, the first first; what it says of each.
  func pieces<Kept>(_ keep: ([UInt8]) throws -> Kept) throws -> [Kept] {
    try PieceWindow.map(count: coding.pieceCount, keep) { try piece($0) }
  }

  // MARK: One piece

  /// One symbol on its way to the lanes.
  private struct Operation {
    var start: UInt16
    var frequency: UInt16
    var lane: UInt8
  }

  private func piece(_ index: Int) throws -> [UInt8] {
    let runs = coding.runs(ofPiece: index)
    let levels =
      coding.runLevelBits > 0
      ? try IntegerCoder.bytes(ofLevels: runLevels[runs], coding.runLevelBits) : []
    var extra = BitWriter()
    let places =
      runs.lowerBound * coding.runLength..<min(runs.upperBound * coding.runLength, coding.count)
    let operations = try integers.withIntegers(places) {
      self.operations(runs, $0, &extra)
    }
    var states = [UInt32](repeating: KN_RANS_FLOOR, count: coding.lanes)
    var words: [UInt16] = []
    words.reserveCapacity(operations.count / 2)
    // The decoder's last symbol is coded first.
    for operation in operations.reversed() {
      let frequency = UInt32(operation.frequency)
      var x = states[Int(operation.lane)]
      if UInt64(x) >= UInt64(frequency) << 20 {
        words.append(UInt16(truncatingIfNeeded: x))
        x >>= 16
      }
      states[Int(operation.lane)] =
        (x / frequency) << 12 + x % frequency + UInt32(operation.start)
    }
    var writer = ByteWriter()
    writer.reserve(words.count * 2 + extra.bytes.count + 64 + levels.count)
    if coding.runLevelBits > 0 { writer.put(varint: UInt64(levels.count)) }
    writer.put(levels)
    for state in states { writer.put(state) }
    if coding.hasBits { writer.put(varint: UInt64(extra.bytes.count)) }
    for word in words.reversed() { writer.put(word) }
    writer.put(extra.bytes)
    return writer.bytes
  }

  private func level(_ run: Int) -> Int { runLevels.isEmpty ? 0 : Int(runLevels[run]) }

  /// The symbols of a piece in the order in which they are decoded; their other bits go to `extra`.
  private func operations(
    _ runs: Range<Int>, _ integers: UnsafeBufferPointer<Int16>, _ extra: inout BitWriter
  ) -> [Operation] {
    let scale = 12 - coding.precision
    var starts = coding.frequencies.map { [UInt16](repeating: 0, count: $0.count) }
    for (context, frequencies) in coding.frequencies.enumerated() {
      var sum = 0
      for (symbol, f) in frequencies.enumerated() {
        starts[context][symbol] = UInt16(truncatingIfNeeded: sum << scale)
        sum += Int(f)
      }
    }
    let range = SymbolRange(coding)
    let stateShift = coding.stateContexts == 4 ? 0 : coding.stateContexts == 2 ? 1 : 2
    let columns = (0..<coding.runLength).map { j in
      coding.columnLevels.isEmpty ? 0 : Int(coding.columnLevels[j % coding.columnLevels.count])
    }
    var operations: [Operation] = []
    operations.reserveCapacity(runs.count * coding.runLength)
    var states = [Int](repeating: 0, count: coding.lanes)
    var means = [Int](repeating: Int(KN_RANS_USUAL), count: coding.lanes)
    let factors = coding.activity?.factors ?? []
    let moves = coding.activity?.moves ?? []
    for first in stride(from: runs.lowerBound, to: runs.upperBound, by: coding.lanes) {
      let count = min(coding.lanes, runs.upperBound - first)
      let runLevels = (0..<count).map { level(first + $0) }
      let lastLength = coding.length(ofRun: first + count - 1)
      for lane in 0..<count { (states[lane], means[lane]) = (0, Int(KN_RANS_USUAL)) }
      for j in 0..<coding.runLength {
        for lane in 0..<count where lane + 1 < count || j < lastLength {
          let k = Int(integers[(first - runs.lowerBound + lane) * coding.runLength + j])
          let level = runLevels[lane] + columns[j]
          let moved = moves.isEmpty ? level : level + Int(moves[means[lane] >> 7])
          let contextClass = min(max(moved - coding.lowest, 0), coding.classes - 1)
          let context = contextClass * coding.stateContexts + states[lane] >> stateShift
          let symbol = range.symbol(k)
          if symbol == coding.symbolCount { put(escape: k >> coding.shift, to: &extra) }
          if coding.shift > 0 { extra.put(k, coding.shift) }
          operations.append(
            Operation(
              start: starts[context][symbol],
              frequency: coding.frequencies[context][symbol] << scale,
              lane: UInt8(lane)))
          if let activity = coding.activity {
            means[lane] = activity.mean(
              means[lane], after: abs(coding.low + symbol), factor: factors[level])
          }
          if rule.isDependent {
            states[lane] = Int(DependentMachine.next[states[lane] * 2 + k & 1])
          }
        }
      }
    }
    return operations
  }

  private func put(escape place: Int, to bits: inout BitWriter) {
    let isBelow = place < coding.low
    let distance = isBelow ? coding.low - 1 - place : place - coding.low - coding.symbolCount
    // As the kernel reads it: zeros, a one, the rest of the number.
    bits.put(golomb: distance, order: coding.escapeOrder)
    bits.put(isBelow ? 1 : 0, 1)
  }
}
