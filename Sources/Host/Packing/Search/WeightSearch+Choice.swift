// Choosing among the options: the allocation problem of a search.
import Fitting
import Foundation
import Quantization
import Tensors

extension WeightSearch {
  /// Weights of one constant, which agree; most groups have one member.
  var groups: [[Int]] {
    var groups: [[Int]] = []
    var place: [ObjectIdentifier: Int] = [:]
    for (i, w) in weights.enumerated() {
      if let g = place[w.constant], weights[groups[g][0]].options.count == w.options.count {
        groups[g].append(i)
      } else {
        place[w.constant] = groups.count
        groups.append([i])
      }
    }
    return groups
  }

  /// The least that options may store of a weight where the model loses more than `allowance`: below 2
  /// bits errors stop adding up.
  private static let leastBits = 2.0
  private static let allowance = 0.05

  private func isAllowed(_ option: WeightOption, _ weight: WeightOptions, coarse: Bool) -> Bool {
    coarse || option.storedBytes * 8 >= WeightSearch.leastBits * Double(weight.elementCount)
  }

  /// The problem within `budgets`, and the options its rows stand for: of each group's members alike.
  private func problem(
    _ budgets: ResourceAmounts, coarse: Bool
  ) -> (AllocationProblem, groups: [[Int]], rows: [[Int]]) {
    let groups = groups
    var rows: [[Int]] = []
    var items: [AllocationItem] = []
    // Among equals the faster wins, then the one that takes less memory.
    let seconds = max(costs.first?.seconds.values.reduce(0, +) ?? 0, 1e-9)
    for group in groups {
      let first = weights[group[0]]
      var kept = first.options.indices.filter {
        isAllowed(first.options[$0], first, coarse: coarse)
      }
      if kept.isEmpty { kept = Array(first.options.indices) }
      rows.append(kept)
      let parts = group.map { i in
        AllocationItem(
          name: weights[i].name,
          options: kept.map { o in
            let option = weights[i].options[o]
            return AllocationOption(
              loss: option.loss
                + 1e-9 * (option.seconds / seconds + Double(option.ramBytes) * 1e-12),
              costs: ResourceAmounts(
                storageBytes: option.storedBytes, ramBytes: Double(option.ramBytes),
                latencySeconds: option.seconds, energyJoules: option.joules))
          })
      }
      items.append(AllocationItem(tied: parts))
    }
    let other = costs.map(\.otherBytes).max() ?? 0
    let rest = costs.map(\.otherSeconds).max() ?? 0
    let problem = AllocationProblem(
      items: items, budgets: budgets,
      fixedCosts: ResourceAmounts(
        storageBytes: fixedBytes, ramBytes: Double(other), latencySeconds: rest,
        energyJoules: rest * (costs.map(\.watts).max() ?? 0)))
    return (problem, groups, rows)
  }

  /// One option per weight, in the order of `weights`.
  struct Choice {
    var picked: [WeightOption]
    var allocation: Allocation
  }

  private func choice(
    _ allocation: Allocation, _ groups: [[Int]], _ rows: [[Int]]
  ) -> Choice {
    var picked = weights.map { $0.options[0] }
    for (g, group) in groups.enumerated() {
      for i in group { picked[i] = weights[i].options[rows[g][allocation.choice[g]]] }
    }
    return Choice(picked: picked, allocation: allocation)
  }

  /// The least loss within the budgets.
  func choose(within budgets: ResourceAmounts) throws -> Choice {
    let (fine, groups, rows) = problem(budgets, coarse: false)
    // Few bits are allowed where they cost little, and where nothing else fits.
    var found: Allocation?
    do throws(AllocationInfeasible) { found = try fine.solve() } catch { found = nil }
    let (all, _, allRows) = problem(budgets, coarse: true)
    do throws(AllocationInfeasible) {
      let other = try all.solve()
      if let found, other.loss >= WeightSearch.allowance { return choice(found, groups, rows) }
      return choice(other, groups, allRows)
    } catch {
      throw Infeasible(choice: choice(error.nearest, groups, allRows), reason: error)
    }
  }

  /// The budgets cannot be kept: the nearest choice, and what the solver says.
  struct Infeasible: Error {
    var choice: Choice
    var reason: AllocationInfeasible
  }

  /// The fewest bytes for which the losses add up to at most `loss`, within the budgets; the most precise
  /// choice where they never do.
  ///
  /// Loss falls as bytes grow: the budget of storage is halved in on.
  func choose(loss: Double, within budgets: ResourceAmounts) throws -> Choice {
    let best = try choose(within: budgets)
    guard best.allocation.loss <= loss else { return best }
    let (base, groups, rows) = problem(budgets, coarse: loss < WeightSearch.allowance)
    var found: Allocation
    do throws(AllocationInfeasible) { found = try base.solve() } catch { return best }
    guard found.loss <= loss else { return best }
    var low = fixedBytes
    var high = found.costs.storageBytes
    var effort = AllocationProblem.Effort()
    effort.nodes = 2000
    effort.rowVisits = 200_000
    for _ in 0..<24 where high - low > 0.0003 * high {
      var tried = base
      tried.budgets.storageBytes = (low + high) / 2
      do throws(AllocationInfeasible) {
        let next = try tried.solve(from: found.multipliers, effort: effort)
        if next.loss <= loss {
          found = next
          high = next.costs.storageBytes
        } else {
          low = tried.budgets.storageBytes
        }
      } catch {
        low = tried.budgets.storageBytes
      }
    }
    return choice(found, groups, rows)
  }

  /// Sizes from the smallest to the most precise, with the loss that is predicted for each.
  func curve() -> [FittedWeights.CurvePoint] {
    let (base, _, _) = problem(.unlimited, coarse: true)
    let totals = base.items.map { item in
      (
        item.options.map(\.costs.storageBytes).min() ?? 0,
        item.options.map(\.costs.storageBytes).max() ?? 0
      )
    }
    let least = totals.reduce(0) { $0 + $1.0 } + fixedBytes
    let most = totals.reduce(0) { $0 + $1.1 } + fixedBytes
    var effort = AllocationProblem.Effort()
    effort.nodes = 500
    effort.rowVisits = 50_000
    var points: [FittedWeights.CurvePoint] = []
    for i in 0...15 {
      var tried = base
      tried.budgets.storageBytes = least * pow(most / max(least, 1), Double(i) / 15) + 1
      if let found = try? tried.solve(effort: effort) {
        points.append(.init(storedBytes: found.costs.storageBytes - fixedBytes, loss: found.loss))
      }
    }
    return points
  }
}
