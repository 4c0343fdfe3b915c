// The coding of a tensor's integers as bytes: fields, levels of columns, frequencies. One description of
// them serves to read and to write.

import Bytes
import CKernels

extension IntegerCoding {
  /// What `code` makes a coding of `count` integers of.
  init(count: Int) {
    self.init(
      count: count, rule: ValueRule(isDependent: false), lanes: 2, runLength: 1, runsPerPiece: 2,
      low: 0, symbolCount: 1, frequencies: [])
  }

  /// The coding of integers in rows of `columns`. Where low bits are not stored by themselves, no symbol
  /// stands for more than `limit`.
  mutating func code(
    columns: Int, limit: Int, _ coder: inout some BitCoder
  ) throws(WeightCodingError) {
    try codeRule(&coder)
    try codeRuns(columns: columns, &coder)
    try codeSymbols(limit: limit, &coder)
    try codeClasses(&coder)
    try codeFrequencies(&coder)
    let escapes = frequencies.contains { $0[symbolCount] > 0 }
    guard escapes else { return }
    try coder.code(field: "the escape's order", &escapeOrder, in: 0...12, order: 1)
  }

  private mutating func codeRule(_ coder: inout some BitCoder) throws(WeightCodingError) {
    var isDependent = rule.isDependent ? 1 : 0
    try coder.code(&isDependent)
    rule.isDependent = isDependent == 1
    try coder.code(
      field: "the subdivision", &rule.subdivision, in: 1...255, usual: 1, order: 5)
    guard rule.subdivision > 1 else { return }
    for i in 0..<6 {
      // The middles of larger values are moved by less.
      var trim = Int(rule.trims[i])
      let order = max(Int.bitWidth - rule.subdivision.leadingZeroBitCount - 3 - i % 3, 0)
      try coder.code(field: "a trim", &trim, in: 0...rule.subdivision, order: order)
      rule.trims[i] = UInt8(truncatingIfNeeded: trim)
    }
  }

  private mutating func codeRuns(
    columns: Int, _ coder: inout some BitCoder
  ) throws(WeightCodingError) {
    var laneBits = lanes.trailingZeroBitCount
    try coder.code(
      field: "the doublings of lanes", &laneBits, in: 0...3,
      usual: IntegerCoding.usualLanes(count: count).trailingZeroBitCount)
    lanes = 1 << laneBits
    guard [1, 2, Int(KN_RANS_LANES)].contains(lanes) else {
      throw WeightCodingError(offset: coder.offset, reason: .mismatch("\(lanes) lanes"))
    }
    // Whole rows, one or more; or parts of rows.
    let row = min(max(columns, 1), IntegerCoding.maximumRun)
    let most = IntegerCoding.maximumRun / row
    var rows = runLength % row == 0 ? runLength / row : 0
    try coder.code(
      field: "the rows of a run", &rows, in: 0...most,
      usual: IntegerCoding.usualRows(count: count, columns: columns, lanes: lanes), order: 2)
    if rows > 0 {
      runLength = rows * row
    } else {
      try coder.code(
        field: "the run length", &runLength, in: 1...IntegerCoding.maximumRun, order: 8)
    }
    let groups = (runCount + lanes - 1) / lanes
    let largest = max(IntegerCoding.maximumPiece / (runLength * lanes), 1)
    var groupsOfPiece = runsPerPiece / lanes
    try coder.code(
      field: "the groups of a piece", &groupsOfPiece, in: 1...largest,
      usual: min(max(groups, 1), largest), order: 5)
    runsPerPiece = groupsOfPiece * lanes
  }

  private mutating func codeSymbols(
    limit: Int, _ coder: inout some BitCoder
  ) throws(WeightCodingError) {
    var below = -low
    try coder.code(
      field: "the symbols below 0", &below, in: 0...Int(KN_RANS_SYMBOLS), order: 3)
    low = -below
    try coder.code(
      field: "the symbol count", &symbolCount, in: 1...Int(KN_RANS_SYMBOLS) - 1,
      usual: min(2 * below + 1, Int(KN_RANS_SYMBOLS) - 1), order: 4)
    try coder.code(field: "the shift", &shift, in: 0...8, usual: 0)
    try coder.code(field: "the precision", &precision, in: 5...12, usual: 12, order: 2)
    // Symbols become values by a table, without another look at them.
    let largest = rule.largest(max(-low, low + symbolCount - 1))
    guard shift > 0 || largest <= limit else {
      throw WeightCodingError(
        offset: coder.offset,
        reason: .field("the largest value of a symbol", found: largest, expected: 0...limit))
    }
  }

  private mutating func codeClasses(_ coder: inout some BitCoder) throws(WeightCodingError) {
    if rule.isDependent {
      try coder.code(field: "the contexts of states", &stateContexts, in: 1...4, usual: 4)
    }
    guard stateContexts != 3, stateContexts == 1 || rule.isDependent else {
      throw WeightCodingError(
        offset: coder.offset, reason: .mismatch("\(stateContexts) contexts of states"))
    }
    try coder.code(
      field: "the classes", &classes,
      in: 1...IntegerCoding.maximumContexts(count: count, symbols: symbolCount) / stateContexts,
      usual: 1, order: 2)
    guard classes > 1 else {
      (runLevelBits, columnLevels, activity, lowest) = (0, [], nil, 0)
      return
    }
    try coder.code(field: "the bits of a level", &runLevelBits, in: 0...4, order: 1)
    try coder.code(field: "the lowest level", &lowest, in: -31...31, order: 5)
    var isActive = activity == nil ? 0 : 1
    try coder.code(&isActive)
    if isActive == 1 {
      var moving = activity ?? Activity(rate: 1, unit: 1, factor: 0)
      try coder.code(field: "the rate", &moving.rate, in: Activity.rates, order: 1)
      try coder.code(field: "the unit", &moving.unit, in: Activity.units, order: 4)
      try coder.code(field: "the factor", &moving.factor, in: Activity.factors, order: 8)
      activity = moving
    }
    var hasColumns = columnLevels.isEmpty ? 0 : 1
    try coder.code(&hasColumns)
    if hasColumns == 1 { try codeColumnLevels(&coder) }
  }

  private mutating func codeColumnLevels(
    _ coder: inout some BitCoder
  ) throws(WeightCodingError) {
    var period = columnLevels.count
    try coder.code(
      field: "the period of levels", &period, in: 1...min(runLength, max(count, 1)),
      usual: runLength, order: 5)
    var bits = Int.bitWidth - Int(columnLevels.max() ?? 0).leadingZeroBitCount
    try coder.code(field: "the bits of a column's level", &bits, in: 0...4, order: 1)
    // Columns of one input channel may have one level together.
    var stretch = columnLevels.isEmpty ? 1 : IntegerCoding.stretch(columnLevels)
    try coder.code(
      field: "the columns of a level", &stretch, in: 1...IntegerCoding.maximumStretch, usual: 1,
      order: 3)
    var levels: [UInt8] = []
    for i in stride(from: 0, to: period, by: stretch) {
      levels.append(columnLevels.isEmpty ? 0 : columnLevels[i])
    }
    try coder.code(levels: &levels, width: bits)
    columnLevels = (0..<period).map { levels[$0 / stretch] }
  }

  private static var maximumStretch: Int { 256 }

  /// How many columns after another have the same level, all over.
  private static func stretch(_ levels: [UInt8]) -> Int {
    var shortest = min(levels.count, maximumStretch)
    var start = 0
    for i in 1..<max(levels.count, 1) where levels[i] != levels[i - 1] {
      shortest = min(shortest, i - start)
      start = i
    }
    for length in stride(from: shortest, to: 1, by: -1) {
      let isWhole = levels.indices.allSatisfy { $0 % length == 0 || levels[$0] == levels[$0 - 1] }
      if isWhole { return length }
    }
    return 1
  }

  private mutating func codeFrequencies(
    _ coder: inout some BitCoder
  ) throws(WeightCodingError) {
    let order = order
    var models = FrequencyModels()
    // What contexts without a law of their own have others told apart from.
    var usual: [FrequencyLaw] = []
    if frequencies.isEmpty {
      let none = [UInt16](repeating: 0, count: symbolCount + 1)
      frequencies = [[UInt16]](repeating: none, count: contexts)
      laws = []
    }
    if laws.isEmpty { laws = [FrequencyLaw?](repeating: nil, count: contexts) }
    for context in 0..<contexts {
      let before = self.usual(ofContext: context).map { usual[$0] } ?? .usual
      try order.code(
        &frequencies[context], &laws[context], context: context,
        previous: previous(ofContext: context).map { frequencies[$0] }, usual: before, &models,
        &coder)
      usual.append(laws[context] ?? before)
    }
  }
}
