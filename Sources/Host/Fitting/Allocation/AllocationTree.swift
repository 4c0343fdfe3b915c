// Branch and bound, the lowest bound first, with prices of its own for every node: raises the bound
// where few large items make the problem hard.

/// A node restricts some items to rows on one side of a cut; rows are in order of loss. The dual of
/// what is left, climbed from the parent's prices, bounds it and gives a choice to repair. The lowest
/// bound among open nodes bounds the problem.
struct AllocationTree {
  private let table: AllocationTable
  /// The best choice known; what the search was given, or better.
  private(set) var rows: [Int]
  private(set) var value: Double
  /// No choice is below this.
  private(set) var bound: Double

  private struct Node {
    var bound: Double
    var prices: SIMD4<Double>
    /// The later cut of an item counts.
    var cuts: [(item: Int, rows: Range<Int>)]
    /// Where to cut next; negative where nothing is left to cut.
    var item: Int
    var cut: Int
  }

  /// Open nodes; the one with the lowest bound last.
  private var open: [Node] = []

  private static let repairMoves = 16

  /// visits: how often a row may be looked at. A difference of a ten-thousandth is near enough.
  init(
    _ table: AllocationTable, prices: SIMD4<Double>, bound: Double, rows: [Int], value: Double,
    visits: Int
  ) {
    (self.table, self.rows, self.value, self.bound) = (table, rows, value, bound)
    let steps = 24
    // A short climb evaluates each price about twelve times; a repair seldom needs all its moves.
    let perNode = table.loss.count * (steps + 12 * 4 + Self.repairMoves)
    var left = visits / max(perNode, 1)
    guard left >= 3 else { return }
    expand(cuts: [], prices, steps, parent: bound)
    while let node = open.popLast() {
      self.bound = max(self.bound, min(node.bound, self.value))
      if isNear(node.bound) || node.item < 0 || left < 2 { return }
      left -= 2
      let all = node.cuts.last { $0.item == node.item }?.rows ?? table.rows(node.item)
      for side in [all.lowerBound..<node.cut, node.cut..<all.upperBound] {
        expand(
          cuts: node.cuts + [(node.item, side)], node.prices, steps, parent: node.bound)
      }
    }
    self.bound = max(self.bound, self.value)
  }

  private func isNear(_ bound: Double) -> Bool {
    value < .infinity && value - bound <= 1e-4 * abs(value)
  }

  private mutating func expand(
    cuts: [(item: Int, rows: Range<Int>)], _ prices: SIMD4<Double>, _ steps: Int, parent: Double
  ) {
    var ranges = (0..<table.itemCount).map(table.rows)
    for cut in cuts { ranges[cut.item] = cut.rows }
    let dual = AllocationDual(table, ranges: ranges, start: prices, best: value, steps: steps)
    if dual.bestValue < value { (rows, value) = (dual.bestRows, dual.bestValue) }
    guard dual.bound < value - 1e-12 * abs(value) || value == .infinity else { return }
    var repair = AllocationRepair(
      table, rows: dual.rows, prices: dual.prices, moves: Self.repairMoves)
    repair.run()
    if repair.value < value { (rows, value) = (repair.rows, repair.value) }
    let (item, cut) = place(ranges, dual)
    let node = Node(
      bound: max(dual.bound, parent), prices: dual.prices, cuts: cuts, item: item, cut: cut)
    let at = open.firstIndex { $0.bound <= node.bound } ?? open.count
    open.insert(node, at: at)
  }

  /// The item whose two best rows differ most in price for what choosing the other would cost, and the
  /// cut between the two.
  private func place(_ ranges: [Range<Int>], _ dual: AllocationDual) -> (item: Int, cut: Int) {
    let prices = dual.prices
    let unit = 0.05 * (value < .infinity ? value - dual.bound : abs(dual.bound)) + 1e-300
    var best = (score: -1.0, item: -1, cut: 0)
    for (item, rows) in ranges.enumerated() where rows.count > 1 {
      let own = dual.rows[item]
      let ownPrice = (table.cost[own] * prices).sum()
      for row in rows where row != own {
        let price = (table.cost[row] * prices).sum()
        let extra = table.loss[row] + price - table.loss[own] - ownPrice
        let score = abs(price - ownPrice) / (extra + unit)
        if score > best.score { best = (score, item, max(own, row)) }
      }
    }
    return (best.item, best.cut)
  }
}
