// The one place where sizes that a file claims are multiplied, added and rounded up.

/// Arithmetic on counts read from outside: nil instead of a trap or a wrap.
public enum Checked {
  /// `a + b` of two counts; nil when either is negative or the sum is no `Int`.
  public static func sum(_ a: Int, _ b: Int) -> Int? {
    guard a >= 0, b >= 0 else { return nil }
    let (value, overflow) = a.addingReportingOverflow(b)
    return overflow ? nil : value
  }

  /// `a × b` of two counts; nil when either is negative or the product is no `Int`.
  public static func product(_ a: Int, _ b: Int) -> Int? {
    guard a >= 0, b >= 0 else { return nil }
    let (value, overflow) = a.multipliedReportingOverflow(by: b)
    return overflow ? nil : value
  }

  /// The product of all `factors`, 1 for none; nil as for two, or when it passes `limit`.
  public static func product(_ factors: [Int], limit: Int = .max) -> Int? {
    var value = 1
    // A zero anywhere makes the product zero: no later overflow may hide it.
    for factor in factors where factor < 1 {
      if factor < 0 { return nil }
      value = 0
    }
    for factor in factors {
      guard let next = product(value, factor), next <= limit else { return nil }
      value = next
    }
    return value
  }

  /// The next multiple of `alignment` at or above `value`; nil when there is none or
  /// `alignment` is below 1.
  public static func roundedUp(_ value: Int, to alignment: Int) -> Int? {
    guard value >= 0, alignment >= 1 else { return nil }
    let tail = value % alignment
    return tail == 0 ? value : sum(value, alignment - tail)
  }

  /// Whether `offset ..< offset + count` lies within `total` bytes.
  public static func fits(offset: Int, count: Int, in total: Int) -> Bool {
    offset >= 0 && count >= 0 && offset <= total && count <= total - offset
  }
}
