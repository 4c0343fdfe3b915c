// Solves a problem: dual, repair, swaps, branch and bound, and what to say when nothing fits.

extension AllocationProblem {
  /// How long to search. All limits are counts, so that the same problem has the same answer.
  public struct Effort: Equatable, Sendable {
    /// Subgradient steps of the dual.
    public var dualSteps: Int
    /// Rows that are tried in pairs.
    public var swapBreadth: Int
    /// Nodes of branch and bound with the root's prices.
    public var nodes: Int
    /// Rows that branch and bound with prices of its own for every node looks at.
    public var rowVisits: Int

    public init(
      dualSteps: Int = 300, swapBreadth: Int = 400, nodes: Int = 200_000,
      rowVisits: Int = 40_000_000
    ) {
      self.dualSteps = dualSteps
      self.swapBreadth = swapBreadth
      self.nodes = nodes
      self.rowVisits = rowVisits
    }
  }

  /// The choice of least loss within the budgets, with its distance from the bound.
  ///
  /// multipliers: those of a similar problem's solution, to start from.
  public func solve(
    from multipliers: ResourceAmounts = .zero, effort: Effort = Effort()
  ) throws(AllocationInfeasible) -> Allocation {
    checkFigures()
    var search = AllocationSearch(self, .loss, multipliers, effort)
    if let rows = search.rows { return allocation(search, rows) }
    // Nothing found: the smallest excess there can be says whether that is for want of search.
    let nearest = AllocationSearch(self, .excess, .zero, effort)
    guard let rows = nearest.rows else { preconditionFailure("a choice with excess always exists") }
    if nearest.value <= 0 {
      search = AllocationSearch(self, .loss, multipliers, effort, seed: choice(nearest, rows))
      if let rows = search.rows { return allocation(search, rows) }
    }
    throw infeasible(choice(nearest, rows), isProven: nearest.isExceeded, effort)
  }

  private func choice(_ search: AllocationSearch, _ rows: [Int]) -> [Int] {
    rows.map { search.table.option[$0] }
  }

  private func allocation(_ search: AllocationSearch, _ rows: [Int]) -> Allocation {
    let choice = choice(search, rows)
    let (loss, costs) = totals(of: choice)
    return Allocation(
      choice: choice, loss: loss, costs: costs, lowerBound: min(search.bound, loss),
      multipliers: ResourceAmounts(search.prices * search.table.scale))
  }

  /// What to say when `nearest` has the smallest excess that was found.
  private func infeasible(
    _ nearest: [Int], isProven: Bool, _ effort: Effort
  ) -> AllocationInfeasible {
    var least = Allocation(
      choice: nearest, loss: 0, costs: .zero, lowerBound: -.infinity, multipliers: .zero)
    (least.loss, least.costs) = totals(of: nearest)
    // What is exceeded anyway may be filled up: the least loss for that excess.
    var raised = self
    for resource in FitResource.allCases {
      raised.budgets[resource] = max(budgets[resource], least.costs[resource])
    }
    let search = AllocationSearch(raised, .loss, .zero, effort, seed: nearest)
    if let rows = search.rows { least = raised.allocation(search, rows) }

    var error = AllocationInfeasible(
      nearest: least, binding: [], relaxations: [:], isProven: isProven)
    for resource in FitResource.allCases where budgets[resource] < .infinity {
      if least.costs[resource] > budgets[resource] {
        error.binding.append(
          .init(
            resource: resource, needed: least.costs[resource], budget: budgets[resource]))
      }
      error.relaxations[resource] = .some(relaxation(of: resource, effort))
    }
    return error
  }

  /// The least of `resource` that is enough when the other budgets stay; nil where none is.
  private func relaxation(of resource: FitResource, _ effort: Effort) -> Double? {
    var others = self
    others.budgets[resource] = .infinity
    let excess = AllocationSearch(others, .excess, .zero, effort, isDecision: true)
    guard !excess.isExceeded, let rows = excess.rows else { return nil }
    let seed = excess.value <= 0 ? choice(excess, rows) : nil
    let alone = AllocationSearch(self, .cost(resource), .zero, effort, seed: seed)
    return alone.rows.map { totals(of: choice(alone, $0)).costs[resource] }
  }
}

/// One run of all stages over one objective.
struct AllocationSearch {
  let table: AllocationTable
  /// The row of every item of the best choice; nil where none keeps the budgets.
  private(set) var rows: [Int]?
  private(set) var value = Double.infinity
  private(set) var bound: Double
  private(set) var prices: SIMD4<Double>

  /// multipliers: prices per unit of each resource to start from. seed: options of a choice to start
  /// from beside the dual's. isDecision: only whether the value can be 0 is asked.
  init(
    _ problem: AllocationProblem, _ objective: AllocationTable.Objective,
    _ multipliers: ResourceAmounts, _ effort: AllocationProblem.Effort, seed: [Int]? = nil,
    isDecision: Bool = false
  ) {
    table = AllocationTable(problem, objective)
    var start = multipliers.lanes
    for r in 0..<4 { start[r] = table.scale[r] > 0 ? start[r] / table.scale[r] : 0 }
    let dual = AllocationDual(table, start: start, steps: effort.dualSteps)
    (bound, prices) = (dual.bound, dual.prices)
    if dual.bestValue < .infinity { (rows, value) = (dual.bestRows, dual.bestValue) }
    if isOptimal || isDecision && isExceeded { return }
    var starts = [dual.rows]
    if !dual.bestRows.isEmpty { starts.append(dual.bestRows) }
    if let seeded = seed.flatMap({ rows($0, problem) }) { starts.append(seeded) }
    for start in starts {
      var repair = AllocationRepair(table, rows: start, prices: prices)
      repair.run()
      keep(repair)
    }
    if isDecision && value <= 0 { return }
    if let rows, !isOptimal {
      var repair = AllocationRepair(table, rows: rows, prices: prices)
      repair.swap(slack: value - bound, breadth: effort.swapBreadth)
      keep(repair)
    }
    if isOptimal { return }
    let branching = AllocationBranching(
      table, prices: prices, rows: rows ?? [], value: value, nodes: effort.nodes)
    if branching.value < value { (rows, value) = (branching.rows, branching.value) }
    if branching.isComplete {
      bound = max(bound, value)
      return
    }
    let tree = AllocationTree(
      table, prices: prices, bound: bound, rows: rows ?? [], value: value,
      visits: effort.rowVisits)
    if tree.value < value { (rows, value) = (tree.rows, tree.value) }
    bound = max(bound, min(tree.bound, value))
  }

  /// Of a search for the smallest excess: true when no choice is without one, rounding aside.
  var isExceeded: Bool { bound > 1e-12 }

  private var isOptimal: Bool { value < .infinity && value - bound <= 1e-12 * abs(value) }

  private mutating func keep(_ repair: AllocationRepair) {
    let worth = repair.value
    if worth < value { (rows, value) = (repair.rows, worth) }
  }

  /// For every option of a choice a row that costs and loses no more.
  private func rows(_ choice: [Int], _ problem: AllocationProblem) -> [Int]? {
    var rows: [Int] = []
    for (item, option) in choice.enumerated() {
      let wanted = problem.items[item].options[option]
      let row = table.rows(item).first {
        table.option[$0] == option
          || all(table.cost[$0] .<= wanted.costs.lanes * table.scale)
            && table.loss[$0] <= wanted.loss
      }
      guard let row else { return nil }
      rows.append(row)
    }
    return rows
  }
}
