// Decimal text to the nearest double, without libc.

/// A decimal number as text gives it: digits and a power of ten.
struct DecimalNumber {
  /// Significant digits, 0 to 9, without leading zeros.
  private(set) var digits: [UInt8] = []
  /// The value is digits × 10^exponent.
  private(set) var exponent = 0
  var isNegative = false

  /// No double and no point halfway between two has more significant digits than this.
  private static var digitLimit: Int { 800 }
  /// A digit that was dropped was not zero.
  private var lostDigits = false

  init() {}

  /// Adds the next digit of the significand; `isFraction` after the decimal point.
  mutating func append(_ digit: UInt8, isFraction: Bool) {
    if digits.count < Self.digitLimit {
      if digit != 0 || !digits.isEmpty { digits.append(digit) }
      if isFraction { exponent -= 1 }
    } else {
      if digit != 0 { lostDigits = true }
      if !isFraction { exponent += 1 }
    }
  }

  /// Adds the exponent that was written; `magnitude` may be clamped to a million by the caller.
  mutating func scale(byTenTo power: Int) { exponent += power }

  /// The nearest double, ties to even; infinite where the number is too large for one.
  var doubleValue: Double {
    let magnitude = self.magnitude
    return isNegative ? -magnitude : magnitude
  }

  private var magnitude: Double {
    guard !digits.isEmpty else { return 0 }
    if digits.count + exponent > 310 { return .infinity }
    if digits.count + exponent < -330 { return 0 }
    if digits.count <= 15, exponent.magnitude <= 22 {
      // Both factors are exact doubles, so the one operation rounds correctly.
      var significand = 0.0
      for digit in digits { significand = significand * 10 + Double(digit) }
      var power = 1.0
      for _ in 0..<exponent.magnitude { power *= 10 }
      return exponent < 0 ? significand / power : significand * power
    }
    return exactMagnitude
  }

  /// By long division of two natural numbers, bit by bit.
  private var exactMagnitude: Double {
    var numerator = Natural()
    for digit in digits { numerator.multiply(by: 10, adding: UInt32(digit)) }
    var power = exponent
    if lostDigits {
      // Any digit behind the last kept one tells the sum from a halfway point.
      numerator.multiply(by: 10, adding: 1)
      power -= 1
    }
    var denominator = Natural(1)
    for _ in 0..<power.magnitude {
      if power > 0 {
        numerator.multiply(by: 10, adding: 0)
      } else {
        denominator.multiply(by: 10, adding: 0)
      }
    }
    // Now 1 <= numerator / denominator < 2, times 2^binary.
    var binary = numerator.bitCount - denominator.bitCount
    if binary >= 0 { denominator.shiftLeft(binary) } else { numerator.shiftLeft(-binary) }
    if numerator < denominator {
      numerator.shiftLeft(1)
      binary -= 1
    }
    // The bits a double has at this size: 53, fewer where it is subnormal.
    let kept = min(53, binary + 1075)
    guard kept >= 0 else { return 0 }
    var quotient: UInt64 = 0
    for _ in 0...kept {
      quotient <<= 1
      if numerator >= denominator {
        numerator.subtract(denominator)
        quotient |= 1
      }
      numerator.shiftLeft(1)
    }
    // The last of the kept + 1 bits decides, with what remains as a tie-breaker.
    let half = quotient & 1
    var significand = quotient >> 1
    if half == 1, !numerator.isZero || significand & 1 == 1 { significand += 1 }
    // A subnormal's significand is its bit pattern; a carry moves it into the normals by itself.
    if kept < 53 { return Double(bitPattern: significand) }
    if significand == 1 << 53 {
      significand >>= 1
      binary += 1
    }
    guard binary <= 1023 else { return .infinity }
    return Double(bitPattern: UInt64(binary + 1023) << 52 | (significand & ((1 << 52) - 1)))
  }
}

extension DecimalNumber {
  /// The number that all of `bytes` spell: sign, digits, fraction, exponent. Nil for anything
  /// else.
  init?(_ bytes: Span<UInt8>) {
    var i = 0
    if i < bytes.count, bytes[i] == UInt8(ascii: "-") || bytes[i] == UInt8(ascii: "+") {
      isNegative = bytes[i] == UInt8(ascii: "-")
      i += 1
    }
    var sawDigit = false
    var inFraction = false
    while i < bytes.count {
      let byte = bytes[i]
      if byte == UInt8(ascii: "."), !inFraction {
        inFraction = true
      } else if byte >= 0x30, byte <= 0x39 {
        append(byte - 0x30, isFraction: inFraction)
        sawDigit = true
      } else {
        break
      }
      i += 1
    }
    guard sawDigit else { return nil }
    if i < bytes.count {
      guard bytes[i] | 0x20 == UInt8(ascii: "e") else { return nil }
      i += 1
      var isDown = false
      if i < bytes.count, bytes[i] == UInt8(ascii: "-") || bytes[i] == UInt8(ascii: "+") {
        isDown = bytes[i] == UInt8(ascii: "-")
        i += 1
      }
      guard i < bytes.count else { return nil }
      var power = 0
      while i < bytes.count {
        guard bytes[i] >= 0x30, bytes[i] <= 0x39 else { return nil }
        // An exponent this large decides alone: no text is long enough to balance it.
        power = min(power * 10 + Int(bytes[i] - 0x30), 1 << 40)
        i += 1
      }
      scale(byTenTo: isDown ? -power : power)
    }
  }
}

/// A natural number of any size, as the decimal conversion needs it.
struct Natural {
  /// Least significant first, the last one not zero.
  private var words: [UInt32] = []

  init(_ value: UInt32 = 0) { if value != 0 { words = [value] } }

  var isZero: Bool { words.isEmpty }

  var bitCount: Int {
    words.isEmpty ? 0 : words.count * 32 - words[words.count - 1].leadingZeroBitCount
  }

  mutating func multiply(by factor: UInt32, adding addend: UInt32) {
    var carry = UInt64(addend)
    for i in words.indices {
      carry += UInt64(words[i]) * UInt64(factor)
      words[i] = UInt32(truncatingIfNeeded: carry)
      carry >>= 32
    }
    if carry != 0 { words.append(UInt32(carry)) }
  }

  mutating func shiftLeft(_ bits: Int) {
    guard !words.isEmpty, bits > 0 else { return }
    let small = UInt64(bits % 32)
    var carry: UInt64 = 0
    for i in words.indices {
      carry |= UInt64(words[i]) << small
      words[i] = UInt32(truncatingIfNeeded: carry)
      carry >>= 32
    }
    if carry != 0 { words.append(UInt32(carry)) }
    if bits >= 32 { words.insert(contentsOf: repeatElement(0, count: bits / 32), at: 0) }
  }

  /// Takes away `other`, which is not larger.
  mutating func subtract(_ other: Natural) {
    var borrow: Int64 = 0
    for i in words.indices {
      let right = i < other.words.count ? Int64(other.words[i]) : 0
      var difference = Int64(words[i]) - right - borrow
      borrow = difference < 0 ? 1 : 0
      if difference < 0 { difference += 1 << 32 }
      words[i] = UInt32(difference)
    }
    while let last = words.last, last == 0 { words.removeLast() }
  }

  static func >= (a: Natural, b: Natural) -> Bool { !(a < b) }

  static func < (a: Natural, b: Natural) -> Bool {
    if a.words.count != b.words.count { return a.words.count < b.words.count }
    var i = a.words.count
    while i > 0 {
      i -= 1
      if a.words[i] != b.words[i] { return a.words[i] < b.words[i] }
    }
    return false
  }
}

/// Numbers from text.
public enum NumberText {
  /// The nearest double to a decimal such as `-12.5e-3`; nil for anything else, spaces included.
  /// Infinite where the number is too large.
  public static func double(_ bytes: [UInt8]) -> Double? { double(bytes.span) }

  /// As for an array.
  public static func double(_ bytes: Span<UInt8>) -> Double? { DecimalNumber(bytes)?.doubleValue }

  /// The integer that all of `bytes` spell in decimal, with an optional minus sign; nil for
  /// anything else and for what does not fit.
  public static func integer(_ bytes: Span<UInt8>) -> Int64? {
    let isNegative = bytes.count > 0 && bytes[0] == UInt8(ascii: "-")
    var i = isNegative ? 1 : 0
    guard i < bytes.count else { return nil }
    // Counts downwards: the most negative value has no positive twin.
    var value: Int64 = 0
    while i < bytes.count {
      guard bytes[i] >= 0x30, bytes[i] <= 0x39 else { return nil }
      let (tenfold, tooMany) = value.multipliedReportingOverflow(by: 10)
      let (next, overflow) = tenfold.subtractingReportingOverflow(Int64(bytes[i] - 0x30))
      if tooMany || overflow { return nil }
      value = next
      i += 1
    }
    if isNegative { return value }
    return value == .min ? nil : -value
  }

  /// As for a span.
  public static func integer(_ bytes: [UInt8]) -> Int64? { integer(bytes.span) }
}
