// Numbers as the monitor prints them: three significant digits, no exponent, never NaN.
import Bytes

/// Figures as ASCII bytes. A nil or a value that is not a finite number becomes `-`.
enum Figure {
  static let unknown: [UInt8] = [0x2D]

  /// Three significant digits: 0.481, 4.81, 21.7, 214, 1 204.
  static func three(_ value: Double?) -> [UInt8] {
    guard let value, value.isFinite else { return unknown }
    let size = value.magnitude
    // The bounds lie where rounding would add a digit.
    if size < 0.0005 { return fixed(0, 0) }
    if size < 0.9995 { return fixed(value, 3) }
    if size < 9.995 { return fixed(value, 2) }
    if size < 99.95 { return fixed(value, 1) }
    return fixed(value, 0)
  }

  /// How many times as much: two decimals below ten, three digits from there on.
  static func ratio(_ value: Double?) -> [UInt8] {
    (value ?? 0).magnitude < 9.995 ? fixed(value, 2) : three(value)
  }

  /// A fixed number of decimals, thousands apart.
  static func fixed(_ value: Double?, _ decimals: Int) -> [UInt8] {
    guard let value, value.isFinite, value.magnitude < 1e12 else { return unknown }
    if decimals == 0, value > 0 { return count(UInt64(value.rounded())) }
    var text = TextBuffer()
    text.put(value, places: decimals)
    return text.bytes
  }

  /// A count with thousands apart: 152 380.
  static func count(_ value: UInt64) -> [UInt8] {
    var reversed: [UInt8] = []
    var rest = value
    var digits = 0
    repeat {
      if digits > 0, digits % 3 == 0 { reversed.append(0x20) }
      reversed.append(0x30 + UInt8(rest % 10))
      rest /= 10
      digits += 1
    } while rest > 0
    reversed.reverse()
    return reversed
  }

  static func count(_ value: Int) -> [UInt8] { count(UInt64(max(0, value))) }

  /// A count without any space in it, for lines that a program reads.
  static func plain(_ value: UInt64) -> [UInt8] { count(value).filter { $0 != 0x20 } }

  /// Hours, minutes and seconds: 00:12:41.
  static func clock(_ seconds: Double) -> [UInt8] {
    guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return unknown }
    let total = UInt64(seconds)
    return two(total / 3600) + [0x3A] + two(total / 60 % 60) + [0x3A] + two(total % 60)
  }

  private static func two(_ value: UInt64) -> [UInt8] {
    value < 10 ? [0x30, 0x30 + UInt8(value)] : plain(value)
  }

  /// Bytes in MiB, three digits.
  static func mebibytes(_ bytes: UInt64?) -> [UInt8] { three(bytes.map { Double($0) / 1_048_576 }) }
}

/// The unit that durations of a size are shown in.
struct TimeUnit {
  var nanoseconds: Double
  /// On a screen.
  var name: StaticString
  /// In ASCII.
  var plainName: StaticString

  static let microseconds = TimeUnit(nanoseconds: 1e3, name: "µs", plainName: "us")
  static let milliseconds = TimeUnit(nanoseconds: 1e6, name: "ms", plainName: "ms")
  static let seconds = TimeUnit(nanoseconds: 1e9, name: "s", plainName: "s")

  /// The unit for durations around this one.
  static func fitting(_ nanoseconds: Double?) -> TimeUnit {
    guard let nanoseconds else { return milliseconds }
    return nanoseconds < 1e5 ? microseconds : nanoseconds < 1e10 ? milliseconds : seconds
  }

  func three(_ duration: UInt64?) -> [UInt8] {
    Figure.three(duration.map { Double($0) / nanoseconds })
  }
  func three(_ duration: Double?) -> [UInt8] { Figure.three(duration.map { $0 / nanoseconds }) }
}
