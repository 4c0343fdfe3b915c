// The time of the allocation solver: 2,000 tensors, 12 options each, four budgets; slower than a second
// fails. Compiled together with the solver's files, see run.sh.
import Foundation

/// SplitMix64.
struct Random {
  var state: UInt64
  mutating func unit() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
  }
}

func problem(tensors: Int, seed: UInt64, fractions: [Double]) -> AllocationProblem {
  var random = Random(state: seed)
  let bits = [32, 16, 16, 8.5, 6.56, 5.5, 4.5, 4.25, 3.44, 2.56, 8, 4]
  let items = (0..<tensors).map { n in
    let weights = 1000 * exp(random.unit() * 7)
    let sensitivity = 1e-6 * exp(random.unit() * 5)
    let work = weights * (1 + 10 * random.unit())
    let options = bits.enumerated().map { kind, bits in
      let speed = kind == 10 ? 0.35 : kind == 11 ? 0.8 : 1 + 0.1 * random.unit()
      let resident = bits < 8 && kind != 11 ? 8 : bits
      return AllocationOption(
        loss: kind == 0 ? 0 : sensitivity * weights * exp2(-2 * bits),
        costs: ResourceAmounts(
          storageBytes: (weights * bits / 8).rounded(),
          ramBytes: (weights * resident / 8).rounded(),
          latencySeconds: work * speed * 1e-10,
          energyJoules: work * speed * 3e-10 + weights * bits * 1e-11))
    }
    return AllocationItem(name: "t\(n)", options: options)
  }
  var budgets = ResourceAmounts.unlimited
  for (resource, fraction) in zip(FitResource.allCases, fractions) {
    let costs = items.map { item in item.options.map { $0.costs[resource] } }
    let low = costs.reduce(0) { $0 + $1.min()! }
    let high = costs.reduce(0) { $0 + $1.max()! }
    budgets[resource] = low + (high - low) * fraction
  }
  return AllocationProblem(items: items, budgets: budgets)
}

/// Processor seconds of this process: other work on the machine does not count.
func processorSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

var slowest = 0.0
for (name, fractions) in [
  ("one budget", [0.2]), ("two budgets", [0.2, 0.3]), ("four budgets", [0.2, 0.3, 0.4, 0.4]),
  ("four, tight", [0.15, 0.15, 0.15, 0.15]), ("four, none fits", [0.05, 0.05, 0.05, 0.05]),
] {
  for tensors in [50, 300, 2000] {
    let problem = problem(tensors: tensors, seed: 42, fractions: fractions)
    var times: [Double] = []
    var outcome = ""
    for _ in 0..<5 {
      let start = processorSeconds()
      do {
        let found = try problem.solve()
        outcome = "gap \((found.optimalityGap * 1e7).rounded() / 1e5) %"
      } catch {
        outcome = "does not fit\(error.isProven ? ", proven" : "")"
      }
      times.append(processorSeconds() - start)
    }
    let median = times.sorted()[2]
    slowest = max(slowest, median)
    let milliseconds = (median * 1e4).rounded() / 10
    print("\(tensors) tensors x 12 options, \(name): \(milliseconds) ms, \(outcome)")
  }
}
exit(slowest < 1 ? 0 : 1)
