// Fixed-point functions of 16 bits as gemmlowp defines them, which TFLite's integer LSTM is made of.

/// Numbers of 16 bits with some bits in front of the point: raw / 2^(15 − integerBits).
enum TFLiteFixedPoint {
  /// σ(x) of all raw values from −32768 on: x with `integerBits`, results with none.
  static func sigmoid(integerBits: Int) -> [Int] {
    (-32768...32767).map { raw in
      guard raw != 0 else { return 1 << 14 }
      // −32768 has no counterpart: it stays what it is.
      let magnitude = raw > 0 ? -raw : raw
      let positive = oneOverOnePlus(exponential(magnitude, integerBits))
      return raw > 0 ? positive : wrapped(32767 - positive)
    }
  }

  /// tanh(x) likewise.
  static func tanh(integerBits: Int) -> [Int] {
    (-32768...32767).map { raw in
      guard raw != 0 else { return 0 }
      let magnitude = raw > 0 ? -raw : raw
      // The double of x is x with one more bit in front of the point.
      let t = oneMinusOverOnePlus(exponential(magnitude, integerBits + 1))
      return raw < 0 ? wrapped(-t) : t
    }
  }

  private static func wrapped(_ v: Int) -> Int { Int(Int16(truncatingIfNeeded: v)) }
  private static func clamped(_ v: Int) -> Int { min(max(v, -32768), 32767) }

  /// The high half of 2ab, ties up.
  private static func product(_ a: Int, _ b: Int) -> Int {
    a == -32768 && b == -32768 ? 32767 : (a * b + (1 << 14)) >> 15
  }

  /// x / 2^exponent, ties away from zero.
  static func divided(_ x: Int, _ exponent: Int) -> Int {
    guard exponent > 0 else { return x }
    let half = 1 << (exponent - 1)
    return x >= 0 ? (x + half) >> exponent : -((-x + half) >> exponent)
  }

  /// A constant that is given with 32 bits.
  private static func constant(_ v: Int) -> Int { divided(v, 16) }

  /// eˣ for −1/4 ≤ x < 0, no integer bits: a Taylor series around −1/8.
  private static func exponentialNearZero(_ a: Int) -> Int {
    let atMiddle = constant(1_895_147_668)
    let x = wrapped(a + (1 << 12))
    let x2 = product(x, x)
    let x3 = product(x2, x)
    let x4 = product(x2, x2)
    let third = product(wrapped(divided(x4, 2) + x3), constant(715_827_883))
    let rest = divided(wrapped(third + x2), 1)
    return clamped(atMiddle + product(atMiddle, wrapped(x + rest)))
  }

  /// eˣ for x ≤ 0 of `bits` integer bits; no integer bits in the result.
  private static func exponential(_ a: Int, _ bits: Int) -> Int {
    guard a != 0 else { return 32767 }
    let fraction = 15 - bits
    // −1/4 in this format; with more than 13 bits in front there would be none.
    let quarter = 1 << (fraction - 2)
    let part = (a & (quarter - 1)) - quarter
    var result = exponentialNearZero(clamped(part << bits))
    let remainder = wrapped(part - a)
    let factors = [
      (-2, 1_672_461_947), (-1, 1_302_514_674), (0, 790_015_084), (1, 290_630_308),
      (2, 39_332_535), (3, 720_401), (4, 242),
    ]
    for (exponent, factor) in factors where bits > exponent {
      if remainder & (1 << (fraction + exponent)) != 0 {
        result = product(result, constant(factor))
      }
    }
    if bits > 5, a < -(1 << (20 - bits)) { return 0 }
    return result
  }

  /// 1 / ((1 + a) / 2) for 0 ≤ a ≤ 1 by Newton's method, two integer bits.
  private static func reciprocalOfHalf(_ a: Int) -> Int {
    let sum = a + 32767
    let half = (sum + 1) / 2
    var x = wrapped(constant(1_515_870_810) + product(half, constant(-1_010_580_540)))
    for _ in 0..<3 {
      let error = wrapped((1 << 13) - product(half, x))
      x = wrapped(x + clamped(product(x, error) << 2))
    }
    return x
  }

  private static func oneOverOnePlus(_ a: Int) -> Int {
    // Half of x is x with one bit less in front of the point.
    clamped(reciprocalOfHalf(a) << 1)
  }

  private static func oneMinusOverOnePlus(_ a: Int) -> Int {
    clamped(wrapped(reciprocalOfHalf(a) - (1 << 13)) << 2)
  }

  /// A real factor as a mantissa of 31 bits and a power of two.
  static func multiplier(_ real: Double) -> (mantissa: Int, shift: Int) {
    guard real > 0, real.isFinite else { return (0, 0) }
    var shift = Int(real.exponent) + 1
    var mantissa = Int((real.significand / 2 * 0x1p31).rounded(.toNearestOrAwayFromZero))
    if mantissa == 1 << 31 { (mantissa, shift) = (1 << 30, shift + 1) }
    if shift < -31 { return (0, 0) }
    return shift > 30 ? ((1 << 31) - 1, 30) : (mantissa, shift)
  }
}
