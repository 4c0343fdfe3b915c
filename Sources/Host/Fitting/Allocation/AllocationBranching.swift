// Branch and bound over what the dual leaves open: proves a choice the best, or finds a better one.

/// Depth-first over the items. Every price vector gives a bound for what is below a node: what was
/// chosen and every open item's cheapest row, priced, less the priced budgets (Sinha and Zoltners, "The
/// Multiple-Choice Knapsack Problem", 1979, with one price). The dual's prices are the best at the root
/// only, so sixteen vectors around them are summed side by side. Rows that none of them lets below the
/// best value are out from the start.
struct AllocationBranching {
  private typealias Priced = SIMD16<Double>

  private let table: AllocationTable
  /// The best choice known; what the search was given, or better.
  private(set) var rows: [Int]
  private(set) var value: Double
  /// True when nothing better is left: the choice is the best.
  private(set) var isComplete = true

  /// Open items, the dearest second row first; their rows by price.
  private var open: [[Entry]] = []
  private var items: [Int] = []
  /// The least that the items from each depth on can have: priced, loss and costs.
  private var leastPriced: [Priced] = []
  private var leastLoss: [Double] = []
  private var leastCost: [SIMD4<Double>] = []
  private var nodesLeft: Int

  private struct Entry {
    var row: Int
    var priced: Priced
    /// Above the item's cheapest, at the dual's prices.
    var extra: Double
  }

  /// rows, value: a choice to beat; `value` infinite where there is none.
  init(
    _ table: AllocationTable, prices: SIMD4<Double>, rows: [Int], value: Double, nodes: Int
  ) {
    (self.table, self.rows, self.value) = (table, rows, value)
    nodesLeft = nodes
    let around = AllocationBranching.around(prices, table)
    var chosen = [Int](repeating: 0, count: table.itemCount)
    var fixed = (loss: 0.0, cost: SIMD4<Double>.zero, priced: Priced.zero)
    var left: [(item: Int, entries: [Entry])] = []
    var bound = Priced.zero
    var all: [(entries: [Entry], least: Priced)] = []
    for lane in 0..<16 { bound[lane] = -(around[lane] * table.budget).sum() }
    fixed.priced = bound
    for item in 0..<table.itemCount {
      var least = Priced(repeating: .infinity)
      var entries = table.rows(item).map { row in
        var priced = Priced.zero
        for lane in 0..<16 {
          priced[lane] = table.loss[row] + (around[lane] * table.cost[row]).sum()
        }
        least = pointwiseMin(least, priced)
        return Entry(row: row, priced: priced, extra: 0)
      }
      for i in entries.indices { entries[i].extra = entries[i].priced[0] - least[0] }
      bound += least
      all.append((entries, least))
    }
    for item in 0..<table.itemCount {
      let (each, least) = all[item]
      var entries = each.filter { isWorth((bound + ($0.priced - least)).max()) }
      entries.sort { ($0.extra, $0.row) < ($1.extra, $1.row) }
      // No row is worth it: nothing is better than what there is.
      guard let first = entries.first else { return }
      if entries.count == 1 {
        chosen[item] = first.row
        fixed.loss += table.loss[first.row]
        fixed.cost += table.cost[first.row]
        fixed.priced += first.priced
      } else {
        left.append((item, entries))
      }
    }
    left.sort { a, b in
      a.entries[1].extra != b.entries[1].extra
        ? a.entries[1].extra > b.entries[1].extra : a.item < b.item
    }
    (items, open) = (left.map(\.item), left.map(\.entries))
    sumLeasts()
    descend(0, fixed.priced, fixed.loss, fixed.cost, &chosen)
  }

  private mutating func sumLeasts() {
    leastPriced = [Priced.zero]
    leastLoss = [0]
    leastCost = [SIMD4<Double>.zero]
    for (i, entries) in open.reversed().enumerated() {
      var least = (
        priced: entries[0].priced, loss: table.loss[entries[0].row],
        cost: table.cost[entries[0].row]
      )
      for entry in entries.dropFirst() {
        least.priced = pointwiseMin(least.priced, entry.priced)
        least.loss = min(least.loss, table.loss[entry.row])
        least.cost = pointwiseMin(least.cost, table.cost[entry.row])
      }
      leastPriced.append(leastPriced[i] + least.priced)
      leastLoss.append(leastLoss[i] + least.loss)
      leastCost.append(leastCost[i] + least.cost)
    }
    leastPriced.reverse()
    leastLoss.reverse()
    leastCost.reverse()
  }

  /// The dual's prices, all of them cheaper and dearer, and each alone.
  private static func around(
    _ prices: SIMD4<Double>, _ table: AllocationTable
  ) -> [SIMD4<Double>] {
    var list = [prices]
    let priced = (0..<4).filter { prices[$0] > 0 }
    if priced.count > 1 {
      for r in priced {
        for factor in [0.5, 2.0] {
          var other = prices
          other[r] = min(prices[r] * factor, table.penalty[r])
          list.append(other)
        }
      }
    }
    var exponent = 0.5
    while list.count < 16 {
      list.append(pointwiseMin(prices * exp2(exponent), table.penalty))
      exponent = exponent > 0 ? -exponent : 0.5 - exponent
    }
    return list
  }

  private static func exp2(_ halves: Double) -> Double {
    let whole = halves.rounded(.down)
    let power = Double(sign: .plus, exponent: Int(whole), significand: 1)
    return halves == whole ? power : power * 2.0.squareRoot()
  }

  /// False for bounds that are not below the best value, rounding aside.
  private func isWorth(_ bound: Double) -> Bool {
    bound < value - 1e-12 * abs(value) || value == .infinity
  }

  private mutating func descend(
    _ depth: Int, _ priced: Priced, _ loss: Double, _ cost: SIMD4<Double>, _ chosen: inout [Int]
  ) {
    if depth == open.count {
      let worth = table.value(loss, cost)
      if worth < value { (value, rows) = (worth, chosen) }
      return
    }
    for i in open[depth].indices {
      guard nodesLeft > 0 else {
        isComplete = false
        return
      }
      nodesLeft -= 1
      let entry = open[depth][i]
      let pricedHere = priced + entry.priced
      guard isWorth((pricedHere + leastPriced[depth + 1]).max()) else { continue }
      let lossHere = loss + table.loss[entry.row]
      let costHere = cost + table.cost[entry.row]
      let best = table.value(lossHere + leastLoss[depth + 1], costHere + leastCost[depth + 1])
      guard best < value else { continue }
      chosen[items[depth]] = entry.row
      descend(depth + 1, pricedHere, lossHere, costHere, &chosen)
    }
  }
}
