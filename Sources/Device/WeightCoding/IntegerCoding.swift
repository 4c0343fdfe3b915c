// How the integers of one tensor are coded: runs, contexts, frequencies, and what each stands for.

import Bytes
import CKernels

/// What an integer stands for, in units of the stored scale.
public struct ValueRule: Equatable, Sendable {
  /// Whether four states run along: the even multiples of the step in two, the odd ones in the others.
  public var isDependent: Bool
  /// Units to one step, 1 to 255.
  public var subdivision: Int
  /// Units by which the values of 1, 2 and 3 lie nearer to zero; those of states 2 and 3 behind them.
  public var trims: [UInt8]

  public init(isDependent: Bool, subdivision: Int = 1, trims: [UInt8] = [0, 0, 0, 0, 0, 0]) {
    precondition(trims.count == 6 && (1...255).contains(subdivision))
    self.isDependent = isDependent
    self.subdivision = subdivision
    self.trims = trims
  }

  /// The rule as the kernel takes it.
  public var kernelRule: kn_value_rule {
    var rule = kn_value_rule()
    rule.dependent = isDependent ? 1 : 0
    rule.subdivision = Int32(subdivision)
    rule.trim.0 = (0, trims[0], trims[1], trims[2])
    rule.trim.1 = (0, trims[3], trims[4], trims[5])
    return rule
  }

  /// No value of an integer of this magnitude or a smaller one is larger.
  public func largest(_ magnitude: Int) -> Int {
    magnitude * (isDependent ? 2 : 1) * subdivision
  }

  /// The value of integer `k`, |k| up to 2^20, in quantizer 0 or 1.
  public func value(_ k: Int, quantizer: Int) -> Int {
    var rule = kernelRule
    return unsafe Int(kn_rans_value(&rule, Int32(k), Int32(quantizer)))
  }
}

/// The coding of a tensor's integers: `count` of them, in runs of one length, the last one shorter.
public struct IntegerCoding: Equatable, Sendable {
  /// Integers in all.
  public var count: Int
  public var rule: ValueRule
  /// Runs coded side by side: 1, 2 or 8.
  public var lanes: Int
  /// Integers of a run, at most `maximumRun`.
  public var runLength: Int
  /// Runs of a piece, a multiple of the lanes.
  public var runsPerPiece: Int
  /// Contexts that the states of a dependent machine have: 1, 2 or 4.
  public var stateContexts: Int
  /// Classes of contexts by the levels of places.
  public var classes: Int
  /// Bits of each run's level.
  public var runLevelBits: Int
  /// Levels of the places in a run, over and over; empty where there are none.
  public var columnLevels: [UInt8]
  /// The level of class 0: those below it are of that class too, as those above the last are of the last.
  public var lowest: Int
  /// What moves a place's level; nil where nothing does.
  public var activity: Activity?
  /// Symbol 0 stands for it.
  public var low: Int
  /// Symbols without the escape.
  public var symbolCount: Int
  /// Low bits of each integer that are stored as they are.
  public var shift: Int
  /// Order of the escapes' Exp-Golomb bits.
  public var escapeOrder: Int
  /// Frequencies add up to 2 to the power of it, 5 to 12.
  public var precision: Int
  /// One list for each context, the escape's frequency last.
  public var frequencies: [[UInt16]]
  /// The law that each context's frequencies follow; nil of those that follow none.
  public var laws: [FrequencyLaw?]

  public init(
    count: Int, rule: ValueRule, lanes: Int, runLength: Int, runsPerPiece: Int,
    stateContexts: Int = 1, classes: Int = 1, runLevelBits: Int = 0, columnLevels: [UInt8] = [],
    lowest: Int = 0, activity: Activity? = nil, low: Int, symbolCount: Int, shift: Int = 0,
    escapeOrder: Int = 0, precision: Int = 12,
    frequencies: [[UInt16]], laws: [FrequencyLaw?] = []
  ) {
    self.count = count
    self.rule = rule
    self.lanes = lanes
    self.runLength = runLength
    self.runsPerPiece = runsPerPiece
    self.stateContexts = stateContexts
    self.classes = classes
    self.runLevelBits = runLevelBits
    self.columnLevels = columnLevels
    self.lowest = lowest
    self.activity = activity
    self.low = low
    self.symbolCount = symbolCount
    self.shift = shift
    self.escapeOrder = escapeOrder
    self.precision = precision
    self.frequencies = frequencies
    self.laws = laws
  }

  /// Integers of the longest run: a group of runs is the decoder's scratch.
  public static var maximumRun: Int { 4096 }
  /// Integers of one piece.
  public static var maximumPiece: Int { 1 << 20 }
  /// Contexts at most: each has a table of 16 KiB while it is decoded, and few integers cannot fill many.
  public static func maximumContexts(count: Int, symbols: Int) -> Int {
    min(32, (2048 + count) / (symbols + 1))
  }

  /// Lanes of so many integers: each has a state that is stored with every piece.
  public static func usualLanes(count: Int) -> Int {
    count >= 1 << 15 ? Int(KN_RANS_LANES) : count >= 1 << 13 ? 2 : 1
  }

  /// Rows of a run: short ones are joined, since a level for each of them would cost too much.
  public static func usualRows(count: Int, columns: Int, lanes: Int) -> Int {
    columns >= 48
      ? 1 : max(1, min((64 + columns - 1) / max(columns, 1), count / max(columns, 1) / lanes))
  }

  /// Whether pieces have bits behind their words: low ones, or those of escapes.
  public var hasBits: Bool { shift > 0 || frequencies.contains { $0[symbolCount] > 0 } }

  public var contexts: Int { classes * stateContexts }
  public var runCount: Int { (count + runLength - 1) / runLength }
  public var pieceCount: Int { (runCount + runsPerPiece - 1) / runsPerPiece }

  /// The runs of piece `index`.
  public func runs(ofPiece index: Int) -> Range<Int> {
    index * runsPerPiece..<min((index + 1) * runsPerPiece, runCount)
  }

  /// The integers of run `index`.
  public func length(ofRun index: Int) -> Int {
    min(runLength, count - index * runLength)
  }

  /// The context whose frequencies a context's own are told apart from: that of the other state of the
  /// same quantizer.
  public func previous(ofContext context: Int) -> Int? {
    stateContexts == 4 && context % 2 == 1 ? context - 1 : nil
  }

  /// The context whose law a context's own is told apart from: also that of the class before.
  func usual(ofContext context: Int) -> Int? {
    previous(ofContext: context) ?? (context >= stateContexts ? context - stateContexts : nil)
  }

  public var order: FrequencyOrder {
    FrequencyOrder(low: low, count: symbolCount, total: 1 << precision)
  }
}
