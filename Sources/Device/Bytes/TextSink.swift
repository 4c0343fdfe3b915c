// Text put together byte by byte: the same bytes on host and device, without Foundation.

/// Something that takes UTF-8 text byte by byte; numbers and units are formatted for it here.
public protocol TextSink: ~Copyable {
  /// Takes one byte; one that is full drops it.
  mutating func put(byte: UInt8)
}

extension TextSink where Self: ~Copyable {
  /// Puts UTF-8 text.
  public mutating func put(_ text: String) {
    for byte in text.utf8 { put(byte: byte) }
  }

  /// Puts bytes of UTF-8 text.
  public mutating func put(_ text: Span<UInt8>) {
    for i in text.indices { put(byte: text[i]) }
  }

  /// Puts bytes of UTF-8 text.
  public mutating func put(bytes: [UInt8]) {
    for byte in bytes { put(byte: byte) }
  }

  /// Puts one Unicode scalar, such as a braille cell.
  public mutating func put(scalar: UInt32) {
    switch scalar {
    case 0..<0x80: put(byte: UInt8(scalar))
    case 0x80..<0x800: put(byte: UInt8(0xC0 | scalar >> 6))
    case 0xD800..<0xE000, 0x11_0000...: return put(scalar: 0xFFFD)
    case 0x800..<0x1_0000:
      put(byte: UInt8(0xE0 | scalar >> 12))
      put(byte: UInt8(0x80 | (scalar >> 6) & 0x3F))
    default:
      put(byte: UInt8(0xF0 | scalar >> 18))
      put(byte: UInt8(0x80 | (scalar >> 12) & 0x3F))
      put(byte: UInt8(0x80 | (scalar >> 6) & 0x3F))
    }
    if scalar >= 0x80 { put(byte: UInt8(0x80 | scalar & 0x3F)) }
  }

  /// Puts `count` times the same ASCII byte; nothing for a negative count.
  public mutating func put(byte: UInt8, count: Int) {
    var rest = count
    while rest > 0 {
      put(byte: byte)
      rest -= 1
    }
  }

  /// Puts an integer in decimal, right-aligned in `width` columns.
  public mutating func put<T: FixedWidthInteger>(
    _ value: T, width: Int = 0, fill: UInt8 = 0x20
  ) {
    let magnitude = UInt64(truncatingIfNeeded: value.magnitude)
    put(byte: fill, count: width - Digits.count(magnitude) - (value < 0 ? 1 : 0))
    if value < 0 { put(byte: UInt8(ascii: "-")) }
    putDigits(magnitude, count: Digits.count(magnitude))
  }

  /// Puts `value` rounded to `places` decimals (0 to 9), half away from zero, right-aligned in
  /// `width` columns. Magnitudes from 1e9 on have no decimals; from 1e18 on they read `>1e18`.
  public mutating func put(_ value: Double, places: Int, width: Int = 0) {
    guard value.magnitude < 1e18 else {
      let word = value.isNaN ? "nan" : value.isInfinite ? "inf" : ">1e18"
      put(byte: 0x20, count: width - word.utf8.count - (value < 0 ? 1 : 0))
      if value < 0 { put(byte: UInt8(ascii: "-")) }
      return put(word)
    }
    let places = value.magnitude < 1e9 ? min(max(places, 0), 9) : 0
    let unit = Digits.powerOfTen(places)
    let scaled = Digits.scaled(value.magnitude, by: unit)
    let isNegative = value < 0 && scaled != 0
    let whole = scaled / unit
    let columns = Digits.count(whole) + (isNegative ? 1 : 0) + (places > 0 ? places + 1 : 0)
    put(byte: 0x20, count: width - columns)
    if isNegative { put(byte: UInt8(ascii: "-")) }
    putDigits(whole, count: Digits.count(whole))
    if places > 0 {
      put(byte: UInt8(ascii: "."))
      putDigits(scaled % unit, count: places)
    }
  }

  /// Puts `value` with three significant digits: `4.81`, `48.1`, `481`, `0.0481`. Larger ones are
  /// whole numbers; below 0.001 the digits that three decimals more than zeros need are shown.
  public mutating func put(significant value: Double, width: Int = 0) {
    put(value, places: Digits.placesForThree(value), width: width)
  }

  /// Puts a memory size in binary units with three significant digits: `21.7 MiB`.
  public mutating func put(memoryBytes count: Int) {
    putScaled(Double(count), step: 1024, small: " B", " KiB", " MiB", " GiB")
  }

  /// Puts a file size in decimal units with three significant digits: `90.9 MB`.
  public mutating func put(fileBytes count: Int) {
    putScaled(Double(count), step: 1000, small: " B", " kB", " MB", " GB")
  }

  /// Puts a duration with the unit that fits it: `481 µs`, `4.81 ms`, `12.5 s`.
  public mutating func put(durationNanoseconds nanoseconds: UInt64) {
    putScaled(Double(nanoseconds), step: 1000, small: " ns", " µs", " ms", " s")
  }

  /// Puts all sixteen hexadecimal digits.
  public mutating func put(hexadecimal value: UInt64) {
    var shift: UInt64 = 64
    while shift > 0 {
      shift -= 4
      let digit = UInt8(truncatingIfNeeded: value >> shift) & 15
      put(byte: digit < 10 ? 0x30 + digit : 0x57 + digit)
    }
  }

  /// Puts bytes in hexadecimal, two digits each.
  public mutating func put(hexadecimal bytes: [UInt8]) {
    for byte in bytes {
      for digit in [byte >> 4, byte & 15] { put(byte: digit < 10 ? 0x30 + digit : 0x57 + digit) }
    }
  }

  /// Puts text from outside so that no terminal obeys it: control bytes and malformed UTF-8
  /// become `?`, U+0080 to U+009F too.
  public mutating func put(untrusted bytes: [UInt8]) {
    let span = bytes.span
    var i = 0
    while i < span.count {
      let length = UTF8Text.sequenceLength(span, at: i)
      let isControl =
        span[i] < 0x20 || span[i] == 0x7F || (span[i] == 0xC2 && length == 2 && span[i + 1] < 0xA0)
      if length == 0 || isControl {
        put(byte: UInt8(ascii: "?"))
      } else {
        put(span.extracting(i..<i + length))
      }
      i += max(length, 1)
    }
  }

  private mutating func putScaled(
    _ value: Double, step: Double, small: String, _ second: String, _ third: String,
    _ fourth: String
  ) {
    // 999.5 of one unit would round up to 1000 of it.
    let limit = 999.5
    if value < limit {
      put(value, places: 0)
      return put(small)
    }
    var scaled = value / step
    var unit = second
    if scaled >= limit {
      scaled /= step
      unit = third
    }
    if scaled >= limit {
      scaled /= step
      unit = fourth
    }
    put(significant: scaled)
    put(unit)
  }

  /// Puts the `count` lowest decimal digits, leading zeros included.
  private mutating func putDigits(_ value: UInt64, count: Int) {
    var place = Digits.powerOfTen(count - 1)
    var rest = count
    while rest > 0 {
      put(byte: 0x30 + UInt8(value / place % 10))
      place /= 10
      rest -= 1
    }
  }
}

/// How many digits a number takes.
enum Digits {
  static func count(_ value: UInt64) -> Int {
    var count = 1
    var rest = value
    while rest >= 10 {
      rest /= 10
      count += 1
    }
    return count
  }

  /// 10 to the power, 0 to 19.
  static func powerOfTen(_ power: Int) -> UInt64 {
    var value: UInt64 = 1
    for _ in 0..<power { value *= 10 }
    return value
  }

  /// `magnitude` · `unit`, rounded half away from zero. In integers: the product of the two as
  /// doubles is itself rounded, and would turn 0.499…9 into a half. `magnitude` is below 1e9, or
  /// below 1e18 where `unit` is 1; `unit` is at most 1e9.
  static func scaled(_ magnitude: Double, by unit: UInt64) -> UInt64 {
    let mantissa = magnitude.significandBitPattern | 1 << 52
    let shift = 1075 - Int(magnitude.exponentBitPattern)
    guard shift > 0 else { return mantissa << UInt64(-shift) }
    let product = mantissa.multipliedFullWidth(by: unit)
    // The product is below 2^83: shifted further, not even a half is left.
    guard shift <= 84 else { return 0 }
    if shift > 64 {
      return (product.high >> UInt64(shift - 64)) + (product.high >> UInt64(shift - 65) & 1)
    }
    let half = product.low >> UInt64(shift - 1) & 1
    return (shift == 64 ? 0 : product.low >> UInt64(shift))
      + (product.high << UInt64(64 - shift)) + half
  }

  /// Decimals that leave three significant digits of `value` after rounding.
  static func placesForThree(_ value: Double) -> Int {
    let magnitude = value.magnitude
    if magnitude >= 99.95 || magnitude == 0 || !magnitude.isFinite { return 0 }
    if magnitude >= 9.995 { return 1 }
    var places = 2
    var limit = 0.9995
    while magnitude < limit, places < 9 {
      places += 1
      limit /= 10
    }
    return places
  }
}
