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
  let levels: ScaleLevels
  /// The coding that was chosen.
  let coding: IntegerCoding
  /// What it takes by the counts and frequencies, heads and levels included.
  let bits: Double
  /// What an ideal code with the same contexts would take for the integers alone.
  let entropyBits: Double
  private let choice: ContextChoice

  /// limit: the largest magnitude of a value in the weight's stored form.
  init(
    _ integers: IntegerSource, _ rule: ValueRule, _ layout: RunLayout, _ levels: ScaleLevels,
    limit: Int
  ) throws {
    self.integers = integers
    self.rule = rule
    self.layout = layout
    self.levels = levels
    let range = try SymbolRange(integers, largest: limit / rule.largest(1))
    let histogram = try IntegerHistogram(integers, rule, layout, levels, range)
    let best = IntegerCoder.contexts(histogram, rule, layout)
    let levelBits =
      best.choice.usesRuns
      ? Int.bitWidth - ((histogram.runLevels - 1) >> best.choice.levelShift).leadingZeroBitCount : 0
    var coding = IntegerCoding(
      count: layout.count, rule: rule, lanes: layout.lanes, runLength: layout.runLength,
      runsPerPiece: layout.runsPerPiece, stateContexts: best.choice.states,
      classes: best.choice.classes, runLevelBits: levelBits,
      columnLevels: best.choice.usesColumns
        ? levels.columns.map { $0 >> UInt8(best.choice.levelShift) } : [],
      low: range.low, symbolCount: range.count, shift: range.shift, escapeOrder: range.escapeOrder,
      frequencies: [])
    var least = Double.infinity
    for precision in [12, 11, 10, 9, 8] where 1 << precision > range.count + 1 {
      var candidate = coding
      candidate.precision = precision
      let total = 1 << precision
      candidate.frequencies = best.counts.map { FrequencyFit.frequencies($0, total: total) }
      var writer = ByteWriter()
      candidate.write(to: &writer)
      var bits = Double(writer.count * 8)
      for (counts, frequencies) in zip(best.counts, candidate.frequencies) {
        bits += FrequencyFit.bits(counts, frequencies, total: total)
      }
      if bits < least {
        least = bits
        coding = candidate
      }
    }
    self.coding = coding
    entropyBits = best.counts.reduce(Double(histogram.extraBits)) {
      $0 + FrequencyFit.entropyBits($1[...])
    }
    choice = best.choice
    let laneBits = coding.pieceCount * (coding.lanes * 32 + 16)
    bits = least + Double(histogram.extraBits + layout.runCount * levelBits + laneBits)
  }

  /// The contexts that take the fewest bits, tables and levels included, and the counts in each.
  private static func contexts(
    _ histogram: IntegerHistogram, _ rule: ValueRule, _ layout: RunLayout
  ) -> (choice: ContextChoice, counts: [[Int]]) {
    var best: (choice: ContextChoice, counts: [[Int]], bits: Double)?
    func consider(_ choice: ContextChoice) {
      let counts = histogram.merged(choice)
      var bits = 0.0
      for context in counts {
        bits += FrequencyFit.entropyBits(context[...])
        // A table, about.
        bits += 9 + 4.5 * Double(context.reduce(0) { $0 + ($1 > 0 ? 1 : 0) })
      }
      if choice.usesRuns {
        let top = (histogram.runLevels - 1) >> choice.levelShift
        bits += Double(layout.runCount * (Int.bitWidth - top.leadingZeroBitCount))
      }
      if choice.usesColumns { bits += Double(layout.period * 4) }
      if best == nil || bits < best!.bits { best = (choice, counts, bits) }
    }
    for states in rule.isDependent ? [4, 2, 1] : [1] {
      for (runs, columns) in [(false, false), (true, false), (false, true), (true, true)] {
        for shift in runs || columns ? 0..<3 : 0..<1 {
          let top =
            (runs ? (histogram.runLevels - 1) >> shift : 0)
            + (columns ? (histogram.columnLevels - 1) >> shift : 0)
          // Levels that are all alike tell nothing.
          if runs || columns, top == 0 { continue }
          consider(
            ContextChoice(
              usesRuns: runs, usesColumns: columns, levelShift: shift, states: states,
              classes: min(top + 1, IntegerCoding.maximumContexts / states)))
        }
      }
    }
    guard let best else { preconditionFailure("one choice has no contexts") }
    return (best.choice, best.counts)
  }

  /// Bits of the coding itself: fields, levels of columns, frequencies.
  var headBits: Double {
    var writer = ByteWriter()
    coding.write(to: &writer)
    return Double(writer.count * 8)
  }

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
    var levelBits = BitWriter()
    for run in runs { levelBits.put(level(run), coding.runLevelBits) }
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
    writer.reserve(words.count * 2 + extra.bytes.count + 64 + levelBits.bytes.count)
    writer.put(levelBits.bytes)
    for state in states { writer.put(state) }
    writer.put(varint: UInt64(words.count))
    for word in words.reversed() { writer.put(word) }
    writer.put(extra.bytes)
    return writer.bytes
  }

  private func level(_ run: Int) -> Int {
    choice.usesRuns ? Int(levels.runs[run]) >> choice.levelShift : 0
  }

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
    for first in stride(from: runs.lowerBound, to: runs.upperBound, by: coding.lanes) {
      let count = min(coding.lanes, runs.upperBound - first)
      let runLevels = (0..<count).map { level(first + $0) }
      let lastLength = coding.length(ofRun: first + count - 1)
      for lane in 0..<count { states[lane] = 0 }
      for j in 0..<coding.runLength {
        for lane in 0..<count where lane + 1 < count || j < lastLength {
          let k = Int(integers[(first - runs.lowerBound + lane) * coding.runLength + j])
          let contextClass = min(runLevels[lane] + columns[j], coding.classes - 1)
          let context = contextClass * coding.stateContexts + states[lane] >> stateShift
          let symbol = range.symbol(k)
          if symbol == coding.symbolCount { put(escape: k >> coding.shift, to: &extra) }
          if coding.shift > 0 { extra.put(k, coding.shift) }
          operations.append(
            Operation(
              start: starts[context][symbol],
              frequency: coding.frequencies[context][symbol] << scale,
              lane: UInt8(lane)))
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
