// The Lagrangian dual of a problem: prices for the resources, and the bound on the loss they prove.

/// The best prices found. With prices fixed every item chooses alone, and the sum of those choices is a
/// lower bound; the dual function is concave, so that its best prices can be climbed to.
///
/// Subgradient steps are Polyak's; between them each price alone is set where its resource is just spent.
struct AllocationDual {
  private let table: AllocationTable
  /// Prices per scaled unit, between 0 and the table's penalty.
  private(set) var prices = SIMD4<Double>.zero
  /// What no choice can be below.
  private(set) var bound = -Double.infinity
  /// The row that every item takes at the best prices.
  private(set) var rows: [Int] = []
  /// The choice of least value that came by.
  private(set) var bestRows: [Int] = []
  private(set) var bestValue = Double.infinity

  /// The rows each item may take: all of them, or those on one side of a cut.
  private let ranges: [Range<Int>]
  private var current: [Int]

  /// Climbs from `start`, at most `steps` subgradient steps.
  init(_ table: AllocationTable, start: SIMD4<Double>, steps: Int) {
    self.init(table, (0..<table.itemCount).map(table.rows), start)
    // Without prices nothing is exceeded: that choice is the best there is.
    if bestValue == bound { return }
    for _ in 0..<2 { setEachAlone(halvings: 24) }
    climb(steps)
    setEachAlone(halvings: 40)
  }

  /// A short climb from the prices of a problem with fewer cuts.
  init(
    _ table: AllocationTable, ranges: [Range<Int>], start: SIMD4<Double>, best: Double, steps: Int
  ) {
    self.init(table, ranges, start)
    goal = best
    if bestValue == bound { return }
    setEachAlone(halvings: 10)
    climb(steps)
  }

  private init(_ table: AllocationTable, _ ranges: [Range<Int>], _ start: SIMD4<Double>) {
    (self.table, self.ranges) = (table, ranges)
    current = ranges.map(\.lowerBound)
    evaluate(.zero)
    if bestValue > bound { evaluate(limited(start)) }
  }

  /// A value that is known to be possible.
  private var goal = Double.infinity

  private func limited(_ prices: SIMD4<Double>) -> SIMD4<Double> {
    var result = prices
    for r in 0..<4 {
      // Not a number and infinity count as no price.
      let isUseful = prices[r] > 0 && prices[r] < .infinity && table.scale[r] > 0
      result[r] = isUseful ? min(prices[r], table.penalty[r]) : 0
    }
    return result
  }

  /// Every item's cheapest row at `prices`: returns the dual's value and its subgradient, keeps both
  /// where they are the best.
  @discardableResult
  private mutating func evaluate(
    _ prices: SIMD4<Double>
  ) -> (value: Double, slope: SIMD4<Double>) {
    var priced = 0.0
    var loss = 0.0
    var cost = SIMD4<Double>.zero
    for item in 0..<table.itemCount {
      var best = ranges[item].lowerBound
      var least = Double.infinity
      for row in ranges[item] {
        let value = table.loss[row] + (table.cost[row] * prices).sum()
        if value < least { (least, best) = (value, row) }
      }
      priced += least
      loss += table.loss[best]
      cost += table.cost[best]
      current[item] = best
    }
    let value = priced - (table.budget * prices).sum()
    if value > bound { (bound, self.prices, rows) = (value, prices, current) }
    let worth = table.value(loss, cost)
    if worth < bestValue { (bestValue, bestRows) = (worth, current) }
    var slope = cost - table.budget
    for r in 0..<4 where table.scale[r] == 0 { slope[r] = 0 }
    return (value, slope)
  }

  /// Each price in turn, the others fixed, by bisection on the sign of its slope.
  private mutating func setEachAlone(halvings: Int) {
    for r in 0..<4 where table.scale[r] > 0 {
      var trial = prices
      func slope(_ price: Double) -> Double {
        trial[r] = price
        return evaluate(trial).slope[r]
      }
      guard slope(0) > 0 else { continue }
      var low = 0.0
      var high = prices[r] > 0 ? prices[r] : max(abs(bound), 1e-12)
      var doublings = 0
      while high < table.penalty[r], doublings < 80, slope(min(high, table.penalty[r])) > 0 {
        low = high
        high *= 4
        doublings += 1
      }
      high = min(high, table.penalty[r])
      for _ in 0..<halvings {
        let middle = 0.5 * (low + high)
        if slope(middle) > 0 { low = middle } else { high = middle }
      }
      // The slope is that of the row just taken: the value is the same on both sides of the edge.
      _ = slope(high)
    }
  }

  private mutating func climb(_ steps: Int) {
    var at = prices
    var (value, slope) = evaluate(at)
    var length = 1.0
    var stale = 0
    for _ in 0..<steps {
      // A price at its end that would go further does not move.
      var move = slope
      for r in 0..<4 {
        if at[r] <= 0, move[r] < 0 { move[r] = 0 }
        if at[r] >= table.penalty[r], move[r] > 0 { move[r] = 0 }
      }
      let square = (move * move).sum()
      guard square > 0 else { return }
      let known = min(bestValue, goal)
      let target = known < .infinity ? known : bound + max(abs(bound), 1e-12) * 0.1
      let gap = max(target - value, 0)
      guard gap > 1e-12 * abs(bound), length > 1e-6 else { return }
      let before = bound
      at = limited(at + move * (length * gap / square))
      (value, slope) = evaluate(at)
      if bound > before + 1e-9 * abs(before) {
        stale = 0
      } else {
        stale += 1
        if stale >= 10 {
          stale = 0
          length *= 0.5
          at = prices
          (value, slope) = evaluate(at)
        }
      }
    }
  }
}
