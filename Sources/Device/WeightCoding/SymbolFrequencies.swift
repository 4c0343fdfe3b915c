// How often each symbol comes in a context: the tables of the range coder, and how they are stored.
//
// The frequencies add up to a power of two, at most 4096, and are stored as differences from what those
// before them let expect: in the middle of the distribution first, then outwards on both sides, or in the
// places of the context before. Where a law comes near enough to them, it stands for all.

/// The order in which symbols are stored, and what each is expected to be.
public struct FrequencyOrder: Sendable {
  /// Of the middle, and outwards: the symbols of 0, -1, 1, -2, 2 … The escape symbol is first.
  public let symbols: [Int]
  private let low: Int
  private let count: Int
  private let total: Int

  /// low: the integer of symbol 0; count: symbols without the escape; total: what frequencies add up to.
  public init(low: Int, count: Int, total: Int) {
    self.low = low
    self.count = count
    self.total = total
    var symbols = [count]
    for magnitude in 0...max(-low, low + count - 1, 0) {
      for k in magnitude == 0 ? [0] : [-magnitude, magnitude]
      where k >= low && k < low + count { symbols.append(k - low) }
    }
    self.symbols = symbols
  }

  /// Frequency of the integer `k` and the number of symbols it has: one or none.
  private func known(_ k: Int, _ frequencies: [UInt16]) -> (sum: Int, count: Int) {
    k >= low && k < low + count ? (Int(frequencies[k - low]), 1) : (0, 0)
  }

  /// The mean frequency of the integers of this magnitude; 0 where there are none.
  private func mean(_ magnitude: Int, _ frequencies: [UInt16]) -> Int {
    let (a, m) = known(magnitude, frequencies)
    guard magnitude > 0 else { return a }
    let (b, n) = known(-magnitude, frequencies)
    return m + n == 0 ? 0 : (a + b) / (m + n)
  }

  /// What `symbol` is expected to be, from those of `frequencies` that stand before it in the order.
  public func expectation(_ symbol: Int, _ frequencies: [UInt16], previous: [UInt16]?) -> Int {
    if let previous { return Int(previous[symbol]) }
    if symbol == count { return 0 }
    let k = low + symbol
    let magnitude = abs(k)
    if magnitude == 0 { return total / 4 }
    if k > 0, -k >= low { return Int(frequencies[-k - low]) }
    let inner = mean(magnitude - 1, frequencies)
    if magnitude == 1 { return inner * 7 / 8 }
    let before = max(mean(magnitude - 2, frequencies), 1)
    return min(inner * inner / before, inner)
  }

  /// The order of the Exp-Golomb bits of a difference from an expectation of so many bits.
  static func order(_ size: Int) -> Int { max(size / 2 - 1, 0) }
}

/// What the tables of one tensor have told of how far frequencies are from what is expected.
struct FrequencyModels {
  /// By the size of the expectation, 0 to 13 bits.
  var isOther = [AdaptiveBit](repeating: AdaptiveBit(ones: 2), count: 14)
  var isBelow = [AdaptiveBit](repeating: AdaptiveBit(), count: 14)
  var distance = [AdaptiveNumber](repeating: AdaptiveNumber(), count: 14)
  var listed = AdaptiveNumber()
  var laws = LawModels()
}

extension FrequencyOrder {
  /// The frequencies of one context, which add up to the total; `previous` are those they are told apart from.
  ///
  /// law: what they follow, if they do; coded as the difference from `usual`.
  func code(
    _ frequencies: inout [UInt16], _ law: inout FrequencyLaw?, context: Int, previous: [UInt16]?,
    usual: FrequencyLaw, _ models: inout FrequencyModels, _ coder: inout some BitCoder
  ) throws(WeightCodingError) {
    var missing = 0
    for symbol in symbols.reversed() {
      if frequencies[symbol] > 0 { break }
      missing += 1
    }
    let start = coder.offset
    try coder.code(&missing, &models.listed, order: 0)
    guard missing < symbols.count else {
      throw WeightCodingError(
        offset: start,
        reason: .field(
          "a number of symbols", found: symbols.count - missing, expected: 1...symbols.count))
    }
    let last = symbols.count - missing - 1
    var isLaw = law == nil ? 0 : 1
    try coder.code(&isLaw, &models.laws.isLaw)
    if isLaw == 1 {
      var escape = Int(frequencies[count])
      try code(&escape, 0, &models, &coder)
      var told = law ?? usual
      try told.code(
        from: usual, low: low, symbols: symbols[1..<last + 1], &models.laws, &coder)
      law = told
      guard escape >= 0, escape <= total,
        told.spread(
          total - escape, total: total, low: low, symbols: symbols[1..<last + 1],
          into: &frequencies)
      else {
        throw WeightCodingError(
          offset: coder.offset,
          reason: .frequencies(context: context, sum: escape, expected: total))
      }
      frequencies[count] = UInt16(truncatingIfNeeded: escape)
      return
    }
    var sum = 0
    for symbol in symbols[..<last] {
      let expected = min(expectation(symbol, frequencies, previous: previous), total - sum)
      var value = Int(frequencies[symbol])
      try code(&value, expected, &models, &coder)
      guard value >= 0, value <= total - sum else {
        throw WeightCodingError(
          offset: coder.offset,
          reason: .frequencies(context: context, sum: sum + value, expected: total))
      }
      frequencies[symbol] = UInt16(truncatingIfNeeded: value)
      sum += value
    }
    // What is left is the last one's.
    frequencies[symbols[last]] = UInt16(truncatingIfNeeded: total - sum)
  }

  private func code(
    _ value: inout Int, _ expected: Int, _ models: inout FrequencyModels,
    _ coder: inout some BitCoder
  ) throws(WeightCodingError) {
    let size = min(Int.bitWidth - expected.leadingZeroBitCount, 13)
    var isOther = value == expected ? 0 : 1
    try coder.code(&isOther, &models.isOther[size])
    guard isOther == 1 else {
      value = expected
      return
    }
    var isBelow = value < expected ? 1 : 0
    if expected > 0 { try coder.code(&isBelow, &models.isBelow[size]) } else { isBelow = 0 }
    var distance = (isBelow == 1 ? expected - value : value - expected) - 1
    try coder.code(&distance, &models.distance[size], order: FrequencyOrder.order(size))
    value = isBelow == 1 ? expected - distance - 1 : expected + distance + 1
  }
}
