// From the dual's choice to a good one within the budgets: repair, greedy upgrades, pairwise swaps.

/// A choice that is changed one or two items at a time, deterministic: of equal moves the first.
struct AllocationRepair {
  private let table: AllocationTable
  private let prices: SIMD4<Double>
  /// The row of every item.
  private(set) var rows: [Int]
  private(set) var loss: Double
  private(set) var cost: SIMD4<Double>

  /// Every move looks at all rows; near the dual's choice few are needed.
  private let moveLimit: Int

  /// What the choice is worth: see `AllocationTable.value`.
  var value: Double { table.value(loss, cost) }

  init(_ table: AllocationTable, rows: [Int], prices: SIMD4<Double>, moves: Int? = nil) {
    (self.table, self.rows, self.prices) = (table, rows, prices)
    moveLimit = moves ?? max(64, 4_000_000 / max(table.loss.count, 1))
    (loss, cost) = table.totals(rows)
  }

  /// Repairs, then improves.
  mutating func run() {
    reduceExcess()
    upgrade()
  }

  private mutating func take(_ row: Int, for item: Int) {
    loss += table.loss[row] - table.loss[rows[item]]
    cost += table.cost[row] - table.cost[rows[item]]
    rows[item] = row
  }

  /// The sum of excesses, each counted in budgets.
  private func violation(_ cost: SIMD4<Double>) -> Double { table.excess(cost).sum() }

  /// While a budget is exceeded, the move that takes away most of the excess for the loss it adds.
  private mutating func reduceExcess() {
    var over = violation(cost)
    var moves = moveLimit
    while over > 0, moves > 0 {
      moves -= 1
      var best = (score: -Double.infinity, item: -1, row: -1)
      for item in 0..<table.itemCount {
        let old = rows[item]
        for row in table.rows(item) where row != old {
          let less = over - violation(cost + (table.cost[row] - table.cost[old]))
          guard less > 0 else { continue }
          let added = table.loss[row] - table.loss[old]
          let score = added > 0 ? less / added : .infinity
          if score > best.score { best = (score, item, row) }
        }
      }
      guard best.item >= 0 else { return }
      take(best.row, for: best.item)
      over = violation(cost)
    }
  }

  /// While some item can lose less within the budgets: the one that saves most for what it spends.
  private mutating func upgrade() {
    var moves = moveLimit
    while moves > 0 {
      moves -= 1
      let worth = value
      var best = (score: 0.0, saved: 0.0, item: -1, row: -1)
      for item in 0..<table.itemCount {
        let old = rows[item]
        for row in table.rows(item) where row != old {
          let change = table.cost[row] - table.cost[old]
          let saved = worth - table.value(loss + table.loss[row] - table.loss[old], cost + change)
          guard saved > 1e-15 * abs(worth), saved > 0 else { continue }
          let spent = (prices * pointwiseMax(change, .zero)).sum()
          let score = spent > 0 ? saved / spent : .infinity
          if (score, saved) > (best.score, best.saved) { best = (score, saved, item, row) }
        }
      }
      guard best.item >= 0 else { return }
      take(best.row, for: best.item)
    }
  }

  /// One item up and another down, while that helps. Only rows that cost at most `slack` more than
  /// their item's cheapest at the prices can be part of a better choice; of those the cheapest
  /// `breadth` are tried in pairs.
  mutating func swap(slack: Double, breadth: Int) {
    var candidates: [(extra: Double, item: Int, row: Int)] = []
    for item in 0..<table.itemCount {
      let priced = table.rows(item).map { table.loss[$0] + (table.cost[$0] * prices).sum() }
      let least = priced.min() ?? 0
      for (row, value) in zip(table.rows(item), priced) where value - least <= slack {
        candidates.append((value - least, item, row))
      }
    }
    candidates.sort { ($0.extra, $0.row) < ($1.extra, $1.row) }
    candidates = Array(candidates.prefix(breadth))
    for _ in 0..<20 {
      var best = (value: value, a: -1, b: -1)
      for a in candidates.indices {
        let (itemA, rowA) = (candidates[a].item, candidates[a].row)
        guard rows[itemA] != rowA else { continue }
        let lossA = loss + table.loss[rowA] - table.loss[rows[itemA]]
        let costA = cost + (table.cost[rowA] - table.cost[rows[itemA]])
        for b in candidates.indices.dropFirst(a + 1) {
          let (itemB, rowB) = (candidates[b].item, candidates[b].row)
          guard itemB != itemA, rows[itemB] != rowB else { continue }
          let lossB = lossA + table.loss[rowB] - table.loss[rows[itemB]]
          guard lossB < best.value else { continue }
          let pair = table.value(lossB, costA + (table.cost[rowB] - table.cost[rows[itemB]]))
          if pair < best.value { best = (pair, a, b) }
        }
      }
      guard best.a >= 0 else { return }
      take(candidates[best.a].row, for: candidates[best.a].item)
      take(candidates[best.b].row, for: candidates[best.b].item)
      upgrade()
    }
  }
}
