// A histogram cut into a few rows with round bounds, as a dashboard prints it.

/// One printed row of a histogram.
public struct HistogramBar: Equatable, Sendable {
  /// The shortest duration counted here, in nanoseconds.
  public var lowerNanoseconds: UInt64
  /// How many durations fell here.
  public var count: UInt64
  /// Whether longer durations than the row's width are counted here too: the last row of a long
  /// tail.
  public var isOpen: Bool
}

extension LatencyHistogram {
  /// At most `limit` rows of equal width with bounds of the form 1, 2, 3 or 5 times a power of ten.
  ///
  /// They start at the shortest duration and end near the 95th percentile, or the 98th where there
  /// are rows for it; what is longer is counted in the last row, which is then open. Empty when
  /// nothing was recorded. A bucket that straddles a bound is shared out by how much of it lies on
  /// either side.
  public func bars(limit: Int) -> [HistogramBar] {
    guard count > 0, limit > 0, let high = quantile(limit < 6 ? 0.95 : 0.98) else { return [] }
    let low = minNanoseconds
    let span = high >= low ? high - low : 0
    // Rows narrower than a bucket would show the buckets, not the durations.
    var step = Self.roundStep(atLeast: max(1, span / UInt64(limit), high >> 6))
    var first = low / step * step
    // Rounding the first bound down can cost a row.
    while (high - first) / step >= UInt64(limit) {
      step = Self.roundStep(atLeast: step + 1)
      first = low / step * step
    }
    let rows = Int((high - first) / step) + 1
    var bars: [HistogramBar] = []
    bars.reserveCapacity(rows)
    for row in 0..<rows {
      bars.append(
        HistogramBar(lowerNanoseconds: first + UInt64(row) * step, count: 0, isOpen: false))
    }
    occupied { lower, upper, count in
      let row = lower < first ? 0 : Int(min((lower - first) / step, UInt64(rows - 1)))
      let bound = first + UInt64(row + 1) * step
      var above: UInt64 = 0
      if row < rows - 1, upper > bound {
        let share = Double(upper - bound) / Double(upper - lower)
        above = min(count, UInt64((Double(count) * share).rounded()))
      }
      bars[row].count += count - above
      if above > 0 { bars[row + 1].count += above }
    }
    bars[rows - 1].isOpen = maxNanoseconds >= first + UInt64(rows) * step
    return bars
  }

  /// The smallest of 1, 2, 3, 5, 10, 20, 30 … that is not below `value`.
  private static func roundStep(atLeast value: UInt64) -> UInt64 {
    var power: UInt64 = 1
    while power < 1 << 50 {
      for digit: UInt64 in [1, 2, 3, 5] where digit * power >= value { return digit * power }
      power *= 10
    }
    return power
  }
}
