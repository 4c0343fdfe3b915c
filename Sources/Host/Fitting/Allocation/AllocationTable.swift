// The options of a problem as the search reads them: flat arrays, scaled, without dominated ones.

/// Rows of options, item after item. Costs are scaled by powers of two, so that sums of bytes stay
/// exact, to budgets between 1 and 2; resources without a budget cost nothing.
struct AllocationTable {
  /// The first row of each item, and the end of the last.
  var first: [Int] = [0]
  var loss: [Double] = []
  var cost: [SIMD4<Double>] = []
  /// The row's option, as its item counts them.
  var option: [Int] = []
  /// What the options may cost together; may be negative where the fixed costs are too much already.
  let budget: SIMD4<Double>
  /// Scaled = amount * scale; 0 for resources without a budget.
  let scale: SIMD4<Double>
  /// What exceeding a budget costs, per scaled unit; infinite where it must not be.
  let penalty: SIMD4<Double>

  var itemCount: Int { first.count - 1 }

  func rows(_ item: Int) -> Range<Int> { first[item]..<first[item + 1] }

  /// What a search minimises beside the budgets.
  enum Objective {
    case loss
    /// Nothing but the excess over the budgets, each as a fraction of its budget.
    case excess
    /// The amount of one resource, whose budget is lifted.
    case cost(FitResource)
  }

  init(_ problem: AllocationProblem, _ objective: Objective) {
    var budgets = problem.budgets.lanes
    if case .cost(let resource) = objective { budgets[resource.rawValue] = .infinity }
    var scale = SIMD4<Double>.zero
    var limit = SIMD4<Double>.zero
    var penalty = SIMD4<Double>(repeating: .infinity)
    for r in 0..<4 where budgets[r] < .infinity {
      let size = budgets[r] > 0 ? budgets[r] : 1
      scale[r] = Double(sign: .plus, exponent: -size.exponent, significand: 1)
      limit[r] = (budgets[r] - problem.fixedCosts.lanes[r]) * scale[r]
      if case .excess = objective { penalty[r] = 1 / (size * scale[r]) }
    }
    (self.scale, budget, self.penalty) = (scale, limit, penalty)
    for item in problem.items {
      let options = item.pinned.map { $0..<($0 + 1) } ?? item.options.indices
      let start = loss.count
      for o in options {
        let costs = item.options[o].costs
        // An infinite budget's scale is 0.
        let row = costs.lanes * scale
        switch objective {
        case .loss: loss.append(item.options[o].loss)
        case .excess: loss.append(0)
        case .cost(let resource): loss.append(costs[resource])
        }
        cost.append(row)
        option.append(o)
      }
      dropDominated(from: start)
      first.append(loss.count)
    }
  }

  /// Of the rows from `start` on, keeps those that no other equals or beats in everything, the least
  /// loss first.
  private mutating func dropDominated(from start: Int) {
    let rows = start..<loss.count
    let survivors = rows.filter { a in
      !rows.contains { b in
        guard b != a, loss[b] <= loss[a], all(cost[b] .<= cost[a]) else { return false }
        // Of equals the first stays.
        return b < a || loss[b] < loss[a] || any(cost[b] .< cost[a])
      }
    }.sorted { (loss[$0], $0) < (loss[$1], $1) }
    let kept = survivors.map { (loss[$0], cost[$0], option[$0]) }
    for (place, row) in zip(start..., kept) { (loss[place], cost[place], option[place]) = row }
    let dropped = rows.count - survivors.count
    loss.removeLast(dropped)
    cost.removeLast(dropped)
    option.removeLast(dropped)
  }

  /// Sums over the chosen rows.
  func totals(_ rows: [Int]) -> (loss: Double, cost: SIMD4<Double>) {
    var sum = (loss: 0.0, cost: SIMD4<Double>.zero)
    for row in rows {
      sum.loss += loss[row]
      sum.cost += cost[row]
    }
    return sum
  }

  /// Rounding of sums of seconds and joules; far below one byte.
  static let tolerance = 1e-13

  /// How far `cost` is above the budgets, scaled; 0 where it is not.
  func excess(_ cost: SIMD4<Double>) -> SIMD4<Double> {
    let over = cost - budget
    return over.replacing(with: 0, where: over .<= Self.tolerance)
  }

  /// What a choice with these sums is worth: its loss and the price of its excess.
  func value(_ loss: Double, _ cost: SIMD4<Double>) -> Double {
    var value = loss
    let excess = excess(cost)
    for r in 0..<4 where excess[r] > 0 { value += excess[r] * penalty[r] }
    return value
  }
}
