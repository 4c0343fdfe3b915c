// The allocation solver beside exhaustive search, and what it must keep on problems too large for that.

import Fitting
import GraphRunning
import Testing

/// Every choice tried: what the solver is compared with.
private struct Exhaustive {
  let problem: AllocationProblem

  /// Calls `body` with loss and costs of every choice that keeps the pins.
  func forEachChoice(_ body: (Double, ResourceAmounts) -> Void) {
    func choose(_ item: Int, _ loss: Double, _ costs: ResourceAmounts) {
      guard item < problem.items.count else { return body(loss, costs) }
      for (index, option) in problem.items[item].options.enumerated() {
        if let pin = problem.items[item].pinned, pin != index { continue }
        choose(item + 1, loss + option.loss, costs + option.costs)
      }
    }
    choose(0, 0, problem.fixedCosts)
  }

  func fits(_ costs: ResourceAmounts, _ budgets: ResourceAmounts) -> Bool {
    FitResource.allCases.allSatisfy { costs[$0] <= budgets[$0] * (1 + 1e-14) }
  }

  /// The least loss within the budgets; nil where there is none.
  var leastLoss: Double? {
    var least: Double?
    forEachChoice { loss, costs in
      if fits(costs, problem.budgets), loss < least ?? .infinity { least = loss }
    }
    return least
  }

  /// The least of one resource that is enough while the other budgets stay.
  func relaxation(of resource: FitResource) -> Double? {
    var lifted = problem.budgets
    lifted[resource] = .infinity
    var least: Double?
    forEachChoice { _, costs in
      if fits(costs, lifted), costs[resource] < least ?? .infinity { least = costs[resource] }
    }
    return least
  }

  /// The sum of excesses as fractions of their budgets.
  func excess(_ costs: ResourceAmounts) -> Double {
    FitResource.allCases.reduce(0) { sum, resource in
      let budget = problem.budgets[resource]
      guard budget < .infinity else { return sum }
      return sum + max(0, costs[resource] / budget - 1)
    }
  }

  var leastExcess: Double {
    var least = Double.infinity
    forEachChoice { _, costs in least = min(least, excess(costs)) }
    return least
  }
}

extension RandomSource {
  fileprivate mutating func unit() -> Double { Double.random(in: 0..<1, using: &self) }
  fileprivate mutating func index(_ count: Int) -> Int { Int.random(in: 0..<count, using: &self) }

  /// Up to seven items with up to five options, up to four budgets, some too small, some pins.
  fileprivate mutating func smallProblem() -> AllocationProblem {
    let items = (0..<1 + index(7)).map { n in
      let options = (0..<1 + index(5)).map { _ in
        AllocationOption(
          loss: unit(),
          costs: ResourceAmounts(
            storageBytes: Double(index(1000)), ramBytes: Double(index(1000)),
            latencySeconds: unit(), energyJoules: unit() * unit()))
      }
      let pin = index(8) == 0 ? index(options.count) : nil
      return AllocationItem(name: "t\(n)", options: options, pinned: pin)
    }
    var problem = AllocationProblem(items: items, budgets: .unlimited)
    if index(2) == 0 {
      problem.fixedCosts = ResourceAmounts(storageBytes: Double(index(300)), latencySeconds: unit())
    }
    for resource in FitResource.allCases where index(3) > 0 {
      var low = problem.fixedCosts[resource]
      var high = low
      for item in items {
        let costs = item.options.map { $0.costs[resource] }
        low += costs.min() ?? 0
        high += costs.max() ?? 0
      }
      let budget = low + (high - low) * (unit() - 0.03)
      // Whole bytes, now and then exactly what a choice takes.
      problem.budgets[resource] = max(
        resource == .storage || resource == .ram ? budget.rounded() : budget, 1e-3)
    }
    return problem
  }

  /// Tensors as models have them: sizes over three orders of magnitude, sensitivities over two, twelve
  /// schemes of falling precision and cost. Each budget is a fraction of the way from the least to
  /// the most that the tensors can take.
  fileprivate mutating func modelProblem(
    tensors: Int, _ fractions: [FitResource: Double]
  ) -> AllocationProblem {
    let bits = [32, 16, 16, 8.5, 6.56, 5.5, 4.5, 4.25, 3.44, 2.56, 8, 4]
    let items = (0..<tensors).map { n in
      var weights = 1000.0
      var sensitivity = 1e-6
      for _ in 0..<10 {
        weights *= 1 + unit()
        sensitivity *= 1 + 0.6 * unit()
      }
      let work = weights * (1 + 10 * unit())
      let options = bits.enumerated().map { kind, bits in
        var error = 1.0
        for _ in 0..<Int(bits * 2) { error *= 0.5 }
        let speed = kind == 10 ? 0.35 : kind == 11 ? 0.8 : 1 + 0.1 * unit()
        let resident = bits < 8 && kind != 11 ? 8 : bits
        return AllocationOption(
          loss: kind == 0 ? 0 : sensitivity * weights * error,
          costs: ResourceAmounts(
            storageBytes: (weights * bits / 8).rounded(),
            ramBytes: (weights * resident / 8).rounded(),
            latencySeconds: work * speed * 1e-10,
            energyJoules: work * speed * 3e-10 + weights * bits * 1e-11))
      }
      return AllocationItem(name: "t\(n)", options: options)
    }
    var budgets = ResourceAmounts.unlimited
    for (resource, fraction) in fractions {
      var low = 0.0
      var high = 0.0
      for item in items {
        let costs = item.options.map { $0.costs[resource] }
        low += costs.min() ?? 0
        high += costs.max() ?? 0
      }
      budgets[resource] = low + (high - low) * fraction
    }
    return AllocationProblem(items: items, budgets: budgets)
  }
}

@Suite struct AllocationTests {
  /// The best choice, the verdict, the nearest choice and every relaxation are those of trying all.
  @Test(arguments: 0..<10) func equalsExhaustiveSearch(batch: Int) throws {
    var random = RandomSource(UInt64(7000 + batch))
    var feasible = 0
    for n in 0..<200 {
      let problem = random.smallProblem()
      let all = Exhaustive(problem: problem)
      let least = all.leastLoss
      do {
        let found = try problem.solve()
        let expected = try #require(least, "\(n): found a choice where there is none")
        let (loss, costs) = problem.totals(of: found.choice)
        #expect(abs(loss - expected) <= 1e-12, "\(n)")
        #expect(found.loss == loss && found.costs == costs, "\(n)")
        #expect(all.fits(costs, problem.budgets), "\(n)")
        #expect(found.optimalityGap <= 1e-9 && found.lowerBound <= loss, "\(n)")
        feasible += 1
      } catch let error as AllocationInfeasible {
        #expect(least == nil, "\(n): there is a choice")
        #expect(error.isProven, "\(n)")
        let excess = all.leastExcess
        #expect(abs(all.excess(error.nearest.costs) - excess) <= 2e-4 * (1 + excess), "\(n)")
        #expect(!error.binding.isEmpty && error.binding.allSatisfy { $0.shortfall > 0 }, "\(n)")
        for resource in FitResource.allCases {
          guard let found = error.relaxations[resource] else {
            #expect(problem.budgets[resource] == .infinity, "\(n)")
            continue
          }
          let expected = all.relaxation(of: resource)
          #expect((found == nil) == (expected == nil), "\(n): \(resource)")
          if let found, let expected { #expect(abs(found - expected) <= 1e-9, "\(n): \(resource)") }
        }
      }
    }
    #expect((60...180).contains(feasible), "the instances are of both kinds")
  }

  /// The choice keeps its budgets and is within a hundredth of the bound: models of few and of many
  /// tensors, one budget and four, tight ones and wide ones.
  @Test(arguments: [5, 12, 40, 120, 2000], [0.08, 0.2, 0.5])
  func gapIsSmall(tensors: Int, fraction: Double) throws {
    var random = RandomSource(UInt64(tensors * 100) + UInt64(fraction * 100))
    let budgets: [[FitResource: Double]] = [
      [.storage: fraction], [.storage: fraction, .latency: 0.4],
      [.storage: fraction, .ram: fraction + 0.2, .latency: 0.5, .energy: 0.5],
    ]
    for fractions in budgets {
      let problem = random.modelProblem(tensors: tensors, fractions)
      let found = try problem.solve()
      for resource in FitResource.allCases {
        #expect(found.costs[resource] <= problem.budgets[resource] * (1 + 1e-12))
      }
      #expect(found.optimalityGap <= 0.01)
      // The bound is one: the least loss without budgets is not above it.
      let free = problem.items.reduce(0) { $0 + ($1.options.map(\.loss).min() ?? 0) }
      #expect(found.lowerBound >= free - 1e-12)
    }
  }

  /// The same problem gives the same answer, from whichever prices it starts.
  @Test func isDeterministicAndStartsWarm() throws {
    var random = RandomSource(5)
    let problem = random.modelProblem(tensors: 60, [.storage: 0.3, .latency: 0.4])
    let first = try problem.solve()
    #expect(try problem.solve() == first)
    let warm = try problem.solve(from: first.multipliers)
    #expect(abs(warm.loss - first.loss) <= 2e-4 * first.loss)
    let odd = try problem.solve(
      from: ResourceAmounts(storageBytes: .nan, ramBytes: 1e300, latencySeconds: .infinity))
    #expect(abs(odd.loss - first.loss) <= 2e-4 * first.loss)
  }

  /// More of a resource is worth about what its multiplier says.
  @Test func multipliersAreThePriceOfABudget() throws {
    var random = RandomSource(11)
    var problem = random.modelProblem(tensors: 2000, [.storage: 0.2])
    let before = try problem.solve()
    let more = problem.budgets.storageBytes * 0.003
    problem.budgets.storageBytes += more
    let after = try problem.solve()
    let ratio = (before.loss - after.loss) / (before.multipliers.storageBytes * more)
    #expect((0.7...1.3).contains(ratio))
    #expect(before.multipliers.ramBytes == 0 && before.multipliers.energyJoules == 0)
  }

  /// Pins hold, and pins that take too much are told as what they are.
  @Test func pinsHold() throws {
    var random = RandomSource(3)
    var problem = random.modelProblem(tensors: 30, [.storage: 0.3])
    let free = try problem.solve()
    problem.items[4].pinned = 0
    problem.items[9].pinned = 9
    let pinned = try problem.solve()
    #expect(pinned.choice[4] == 0 && pinned.choice[9] == 9)
    #expect(pinned.loss >= free.lowerBound)
    for i in problem.items.indices { problem.items[i].pinned = 0 }
    let error = try #require(throws: AllocationInfeasible.self) { try problem.solve() }
    #expect(error.binding.map(\.resource) == [.storage])
    let needed = problem.totals(of: error.nearest.choice).costs.storageBytes
    #expect(error.relaxations == [.storage: needed])
  }

  /// Tied tensors are one item: what each would take, together.
  @Test func tiedTensorsAreOneItem() throws {
    func option(_ loss: Double, _ bytes: Double) -> AllocationOption {
      AllocationOption(loss: loss, costs: ResourceAmounts(storageBytes: bytes))
    }
    let embedding = AllocationItem(name: "embedding", options: [option(0, 100), option(1, 25)])
    let head = AllocationItem(name: "head", options: [option(0, 0), option(5, 0)], pinned: nil)
    let tied = AllocationItem(tied: [embedding, head])
    #expect(tied.options == [option(0, 100), option(6, 25)])
    let found = try AllocationProblem(
      items: [tied], budgets: ResourceAmounts(.storage, 30)
    ).solve()
    #expect(found.choice == [1] && found.loss == 6)
  }

  /// Fixed costs alone above a budget, and nothing to choose from.
  @Test func fixedCostsCount() throws {
    let item = AllocationItem(
      name: "t", options: [AllocationOption(loss: 0, costs: ResourceAmounts(ramBytes: 10))])
    var problem = AllocationProblem(
      items: [item], budgets: ResourceAmounts(.ram, 100),
      fixedCosts: ResourceAmounts(ramBytes: 120))
    let error = try #require(throws: AllocationInfeasible.self) { try problem.solve() }
    #expect(error.binding == [.init(resource: .ram, needed: 130, budget: 100)])
    #expect(error.relaxations == [.ram: 130])
    problem.budgets.ramBytes = 130
    #expect(try problem.solve().choice == [0])
    problem.items = []
    #expect(try problem.solve().choice == [])
    problem.budgets.ramBytes = 0
    #expect(throws: AllocationInfeasible.self) { try problem.solve() }
  }
}

extension ResourceAmounts {
  /// A budget of one resource alone.
  fileprivate init(_ resource: FitResource, _ amount: Double) {
    self = .unlimited
    self[resource] = amount
  }
}
