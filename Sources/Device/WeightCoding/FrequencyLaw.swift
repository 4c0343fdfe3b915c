// Frequencies that follow a law: three numbers tell the table of a context.

/// How the integers of one context are spread: so many zeros, and the others by a generalized normal
/// distribution (M. T. Subbotin, 1923), the frequency of ±m being in proportion to 2^-3(m / reach)^shape.
///
/// A shape of 1 is Laplace's distribution, one of 2 the normal one. All of it is reckoned in integers, so that
/// every coder comes to the same frequencies.
public struct FrequencyLaw: Equatable, Sendable {
  /// 512ths of the total that zeros have.
  public var zero: Int
  /// The logarithm of where frequencies are an eighth of the highest, in sixteenths of an octave. Laws of
  /// different shapes that fit the same integers have about the same reach.
  public var reach: Int
  /// Of `shapes`.
  public var shape: Int

  public init(zero: Int, reach: Int, shape: Int) {
    self.zero = zero
    self.reach = reach
    self.shape = shape
  }

  /// What the first law of a tensor is told apart from: weights of about four bits.
  public static var usual: FrequencyLaw { FrequencyLaw(zero: 72, reach: 40, shape: 6) }

  public static var zeros: ClosedRange<Int> { 0...512 }
  public static var reaches: ClosedRange<Int> { -48...176 }
  /// Exponents in sixteenths.
  public static let shapes: [Int] = [6, 8, 10, 12, 14, 16, 19, 22, 26, 32, 40]

  /// Gives the symbols their frequencies, which add up to `sum`; each but 0's is at least 1.
  ///
  /// symbols: in the order of `FrequencyOrder`, without the escape; total: what the zeros are a share of.
  /// Nothing is given, and false returned, where `sum` is too little for all of them.
  public func spread(
    _ sum: Int, total: Int, low: Int, symbols: ArraySlice<Int>, into frequencies: inout [UInt16]
  ) -> Bool {
    guard !symbols.isEmpty else { return sum == 0 }
    var others = 0
    var all: UInt64 = 0
    for symbol in symbols where low + symbol != 0 {
      others += 1
      all += weight(magnitude: abs(low + symbol))
    }
    let hasZero = others < symbols.count
    let zeros = others == 0 ? sum : hasZero ? total * zero / 512 : 0
    let left = sum - zeros - others
    guard left >= 0 else { return false }
    var rest = left
    for symbol in symbols {
      if low + symbol == 0 {
        frequencies[symbol] = UInt16(zeros)
        continue
      }
      let share = all == 0 ? 0 : UInt64(left) * weight(magnitude: abs(low + symbol)) / all
      frequencies[symbol] = UInt16(1 + share)
      rest -= Int(share)
    }
    // Divisions leave less than one for each.
    while rest > 0, others > 0 {
      for symbol in symbols where rest > 0 && low + symbol != 0 {
        frequencies[symbol] += 1
        rest -= 1
      }
    }
    return true
  }

  /// The share of zeros to be expected beside these symbols: the law's frequency a quarter from the middle.
  func expectedZero(low: Int, symbols: ArraySlice<Int>) -> Int {
    let middle = weight(-2 << 16)
    var all = middle
    for symbol in symbols where low + symbol != 0 { all += weight(magnitude: abs(low + symbol)) }
    return all == 0 ? 512 : Int(512 * middle / all)
  }

  /// 2^-3(m / reach)^shape in 2^-30ths.
  private func weight(magnitude: Int) -> UInt64 { weight(FrequencyLaw.logarithm(magnitude)) }

  /// The same for log2 m in 65,536ths.
  private func weight(_ logarithm: Int64) -> UInt64 {
    let above = logarithm - Int64(reach) << 12
    let power = (above * Int64(FrequencyLaw.shapes[shape])) >> 4
    // Beyond 2^-31 nothing is left.
    guard power < 4 << 16 else { return 0 }
    return FrequencyLaw.exponential((14 << 16) - 3 * Int64(FrequencyLaw.exponential(power)))
  }

  /// log2 of 1 to 2^16, in 65,536ths, within 0.001.
  private static func logarithm(_ value: Int) -> Int64 {
    let octave = Int.bitWidth - 1 - value.leadingZeroBitCount
    let f = (Int64(value) << 16) >> octave - 65_536
    return Int64(octave) << 16 + f + (((f * (65_536 - f)) >> 16) * 22_288) >> 16
  }

  /// 2 to a number of 65,536ths below 46, in 65,536ths, within 0.3 %.
  private static func exponential(_ value: Int64) -> UInt64 {
    let octave = value >> 16
    guard octave > -17 else { return 0 }
    let f = value & 0xFFFF
    let mantissa = UInt64(65_536 + f - (((f * (65_536 - f)) >> 16) * 22_488) >> 16)
    return octave >= 0 ? mantissa << UInt64(octave) : mantissa >> UInt64(-octave)
  }
}

/// What the laws of one tensor have told of how far they are from one another.
struct LawModels {
  var isLaw = AdaptiveBit()
  fileprivate var zero = SignedModels()
  fileprivate var reach = SignedModels()
  fileprivate var shape = SignedModels()
}

private struct SignedModels {
  var isOther = AdaptiveBit()
  var isBelow = AdaptiveBit()
  var distance = AdaptiveNumber()
}

extension FrequencyLaw {
  /// This law, told apart from `other`; symbols: those that have frequencies.
  mutating func code(
    from other: FrequencyLaw, low: Int, symbols: ArraySlice<Int>, _ models: inout LawModels,
    _ coder: inout some BitCoder
  ) throws(WeightCodingError) {
    try coder.code(&reach, from: other.reach, in: FrequencyLaw.reaches, &models.reach, order: 2)
    let shapes = 0...FrequencyLaw.shapes.count - 1
    try coder.code(&shape, from: other.shape, in: shapes, &models.shape, order: 0)
    let expected = expectedZero(low: low, symbols: symbols)
    try coder.code(&zero, from: expected, in: FrequencyLaw.zeros, &models.zero, order: 3)
  }
}

extension BitCoder {
  /// A number by how far it is from another.
  fileprivate mutating func code(
    _ value: inout Int, from other: Int, in expected: ClosedRange<Int>,
    _ models: inout SignedModels, order: Int
  ) throws(WeightCodingError) {
    let offset = offset
    var isOther = value == other ? 0 : 1
    try code(&isOther, &models.isOther)
    guard isOther == 1 else {
      value = other
      return
    }
    var isBelow = value < other ? 1 : 0
    try code(&isBelow, &models.isBelow)
    var distance = (isBelow == 1 ? other - value : value - other) - 1
    try code(&distance, &models.distance, order: order)
    value = isBelow == 1 ? other - distance - 1 : other + distance + 1
    guard expected.contains(value) else {
      throw WeightCodingError(
        offset: offset, reason: .field("a law", found: value, expected: expected))
    }
  }
}
