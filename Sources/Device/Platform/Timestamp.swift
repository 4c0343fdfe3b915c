// A moment of the calendar as text, in UTC, without the C library's time zones.

/// A second of the Gregorian calendar.
public struct Timestamp: Equatable, Sendable {
  public let year: Int
  public let month: Int
  public let day: Int
  /// Of the day.
  public let second: Int

  /// Days since 1970 become a date by counting years from March on, in cycles of 400 years
  /// (H. Hinnant, chrono-compatible low-level date algorithms). Moments 10,000 years away and more are
  /// taken for the last one before.
  public init(unixSeconds: Int64) {
    let limited = min(max(unixSeconds, -377_705_116_800), 253_402_300_799)
    var days = Int(limited / 86_400)
    var second = Int(limited % 86_400)
    if second < 0 {
      second += 86_400
      days -= 1
    }
    self.second = second
    // From the first of March of the year 0.
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// `2026-01-20T12:03:55Z`.
  public var text: String {
    "\(Self.padded(year, 4))-\(Self.padded(month))-\(Self.padded(day))T\(clock(":"))Z"
  }

  /// For the name of a file: `20260120T120355Z`.
  public var compact: String {
    "\(Self.padded(year, 4))\(Self.padded(month))\(Self.padded(day))T\(clock(""))Z"
  }

  private func clock(_ between: String) -> String {
    Self.padded(second / 3600) + between + Self.padded(second / 60 % 60) + between
      + Self.padded(second % 60)
  }

  private static func padded(_ number: Int, _ digits: Int = 2) -> String {
    var text = number.magnitude.description
    while text.utf8.count < digits { text = "0" + text }
    return number < 0 ? "-" + text : text
  }
}
