// What the bits of the narrow real-number types mean, in both directions.

/// A binary floating-point format of at most sixteen bits.
public struct RealFormat: Sendable {
  /// What the largest exponents and the negative zero stand for.
  enum Specials: Sendable {
    /// Infinities and NaNs, as IEEE 754 has them.
    case ieee
    /// All ones are NaN; there are no infinities.
    case allOnes
    /// The negative zero is the only NaN; there are no infinities.
    case negativeZero
    /// Numbers only.
    case none
  }

  let exponentBits: Int
  let fractionBits: Int
  let bias: Int
  let specials: Specials

  static let f16 = RealFormat(exponentBits: 5, fractionBits: 10, bias: 15, specials: .ieee)
  static let bf16 = RealFormat(exponentBits: 8, fractionBits: 7, bias: 127, specials: .ieee)
  static let f8e4m3fn = RealFormat(exponentBits: 4, fractionBits: 3, bias: 7, specials: .allOnes)
  static let f8e4m3fnuz = RealFormat(
    exponentBits: 4, fractionBits: 3, bias: 8, specials: .negativeZero)
  static let f8e5m2 = RealFormat(exponentBits: 5, fractionBits: 2, bias: 15, specials: .ieee)
  static let f8e5m2fnuz = RealFormat(
    exponentBits: 5, fractionBits: 2, bias: 16, specials: .negativeZero)
  static let f4e2m1 = RealFormat(exponentBits: 2, fractionBits: 1, bias: 1, specials: .none)

  private var signBit: UInt32 { 1 << UInt32(exponentBits + fractionBits) }

  /// Bits of the largest finite number.
  private var largest: UInt32 {
    switch specials {
    case .ieee: signBit - (1 << UInt32(fractionBits)) - 1
    case .allOnes: signBit - 2
    case .negativeZero, .none: signBit - 1
    }
  }

  private var nan: UInt32 {
    switch specials {
    case .ieee: signBit - (1 << UInt32(fractionBits - 1))
    case .allOnes: signBit - 1
    case .negativeZero, .none: signBit
    }
  }

  /// The number that `bits` stands for; every one of them is an f32 number.
  func number(_ bits: UInt32) -> Float {
    let rest = bits & (signBit - 1)
    let isNegative = bits & signBit != 0
    switch specials {
    case .ieee where rest > largest:
      guard rest == largest + 1 else { return .nan }
      return isNegative ? -.infinity : .infinity
    case .allOnes where rest > largest: return .nan
    case .negativeZero where isNegative && rest == 0: return .nan
    default: break
    }
    let exponent = Int(rest >> UInt32(fractionBits))
    let fraction = rest & (1 << UInt32(fractionBits) - 1)
    // Numbers with an exponent of 0 lack the leading one and share the next exponent.
    let significand = exponent == 0 ? fraction : fraction | 1 << UInt32(fractionBits)
    let power = max(exponent, 1) - bias - fractionBits
    let value = Double(significand) * RealFormat.powerOfTwo(power)
    return Float(isNegative ? -value : value)
  }

  /// The bits of the number nearest to `x`, of two the even one. What is too large becomes the
  /// largest finite number with `saturates`, else infinity or NaN, whichever the format has.
  func bits(_ x: Double, saturates: Bool) -> UInt32 {
    let sign = x.sign == .minus ? signBit : 0
    if x.isNaN { return specials == .allOnes ? nan | sign : nan }
    var rest = largest + 1
    if x.magnitude < RealFormat.powerOfTwo(1 << (exponentBits - 1) + 2) {
      let exponent = max(x == 0 ? 1 - bias : Int(x.exponent), 1 - bias)
      let steps = (x.magnitude * RealFormat.powerOfTwo(fractionBits - exponent))
        .rounded(.toNearestOrEven)
      // A carry out of the fraction counts the exponent up, as it should.
      rest =
        UInt32(exponent + bias) << UInt32(fractionBits) + UInt32(steps) - 1
        << UInt32(fractionBits)
    }
    if rest > largest {
      if saturates || specials == .none {
        rest = largest
      } else if specials != .ieee {
        return specials == .allOnes ? nan | sign : nan
      } else {
        rest = largest + 1
      }
    }
    return specials == .negativeZero && rest == 0 ? 0 : sign | rest
  }

  private static func powerOfTwo(_ exponent: Int) -> Double {
    Double(bitPattern: UInt64(1023 + exponent) << 52)
  }
}

/// How a real number becomes a power of two.
public enum PowerRounding: Int, Sendable, CaseIterable {
  case up = 0
  case down
  case nearest
}

extension ElementType {
  private var realFormat: RealFormat? {
    switch self {
    case .f16: .f16
    case .bf16: .bf16
    case .f8e4m3fn: .f8e4m3fn
    case .f8e4m3fnuz: .f8e4m3fnuz
    case .f8e5m2: .f8e5m2
    case .f8e5m2fnuz: .f8e5m2fnuz
    case .f4e2m1: .f4e2m1
    default: nil
    }
  }

  /// The number that the low bits of `bits` stand for in a real-number type of at most 16 bits.
  public func number(_ bits: UInt16) -> Float {
    if self == .bf16 { return Float(bitPattern: UInt32(bits) << 16) }
    if let format = realFormat { return format.number(UInt32(bits)) }
    precondition(self == .f8e8m0)
    // A power of two without sign; f32 has the smallest as a subnormal number.
    let exponent = UInt32(bits & 0xFF)
    return exponent == 255 ? .nan : exponent == 0 ? 0x1p-127 : Float(bitPattern: exponent << 23)
  }

  /// The bits of the number of this type, at most 16 bits wide, that is nearest to `x`. Of two the
  /// even one; `f8e8m0` rounds as `rounding` says and drops the sign.
  public func bits(
    _ x: Double, saturates: Bool = false, rounding: PowerRounding = .up
  ) -> UInt16 {
    if let format = realFormat { return UInt16(format.bits(x, saturates: saturates)) }
    precondition(self == .f8e8m0)
    let single = Float(x).bitPattern & 0x7FFF_FFFF
    var exponent = single >> 23
    guard exponent < 255 else { return 255 }
    let fraction = single & 0x7F_FFFF
    let isUp =
      switch rounding {
      case .up: fraction > 0
      case .down: false
      case .nearest: fraction > 0x40_0000 || (fraction == 0x40_0000 && exponent > 0)
      }
    if isUp, !(saturates && exponent == 254) { exponent += 1 }
    return UInt16(exponent)
  }
}
