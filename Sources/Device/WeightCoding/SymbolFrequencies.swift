// How often each symbol comes in a context: the tables of the range coder, and how they are stored.
//
// The frequencies add up to a power of two, at most 4096, and are stored as differences from what those
// before them let expect: in the middle of the distribution first, then outwards on both sides, or in the
// places of the context before.

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

  /// The order of the Exp-Golomb bits of a difference from `expectation`.
  public func golombOrder(_ expectation: Int) -> Int {
    expectation == 0 ? 0 : (Int.bitWidth - expectation.leadingZeroBitCount) / 2
  }
}

extension FrequencyOrder {
  /// The frequencies of one context; `previous` are those they are told apart from.
  func read(
    _ bits: inout BitReader, context: Int, previous: [UInt16]?
  ) throws(WeightCodingError) -> [UInt16] {
    var frequencies = [UInt16](repeating: 0, count: count + 1)
    let start = bits.offset
    let listed = try bits.take(9)
    guard listed <= symbols.count else {
      throw WeightCodingError(
        offset: start,
        reason: .field("a number of symbols", found: listed, expected: 0...symbols.count))
    }
    var sum = 0
    for symbol in symbols[..<listed] {
      let expected = expectation(symbol, frequencies, previous: previous)
      let value = expected + (try bits.signedGolomb(order: golombOrder(expected)))
      guard value >= 0, value <= total - sum else {
        throw WeightCodingError(
          offset: bits.offset,
          reason: .frequencies(context: context, sum: sum + value, expected: total))
      }
      frequencies[symbol] = UInt16(value)
      sum += value
    }
    guard sum == total else {
      throw WeightCodingError(
        offset: start, reason: .frequencies(context: context, sum: sum, expected: total))
    }
    return frequencies
  }

  /// Appends the frequencies of one context, which add up to the total.
  public func write(_ frequencies: [UInt16], previous: [UInt16]?, to bits: inout BitWriter) {
    let listed = (symbols.lastIndex { frequencies[$0] > 0 } ?? -1) + 1
    bits.put(listed, 9)
    for symbol in symbols[..<listed] {
      let expected = expectation(symbol, frequencies, previous: previous)
      bits.put(
        signedGolomb: Int(frequencies[symbol]) - expected, order: golombOrder(expected))
    }
  }
}
