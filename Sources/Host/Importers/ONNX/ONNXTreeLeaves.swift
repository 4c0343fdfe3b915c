// Weights of leaves, given one by one, as numbers or as rows.
import Operators

/// Collects the weights of a forest's leaves while its trees are put together.
struct ONNXTreeLeaves {
  private struct Place: Hashable {
    var tree: Int
    var node: Int
  }

  let targets: Int
  private var weights: [Place: [(target: Int, value: Double)]] = [:]
  private var count = 0
  /// The target of each tree's weights; −1 where there are several.
  private var targetOf: [Int: Int] = [:]
  private var places: [Place] = []

  init(targets: Int) { self.targets = targets }

  mutating func add(tree: Int, node: Int, target: Int, value: Double) {
    weights[Place(tree: tree, node: node), default: []].append((target, value))
    if let known = targetOf[tree], known != target { targetOf[tree] = -1 }
    if targetOf[tree] == nil { targetOf[tree] = target }
    count += 1
  }

  /// The leaf at this place: a row for now.
  mutating func leaf(tree: Int, node: Int) -> DecisionForest.Node {
    places.append(Place(tree: tree, node: node))
    return .row(places.count - 1)
  }

  /// Gives the leaves of a forest of sums their numbers or rows. Where a leaf has two weights for a
  /// target they add up.
  func finish(_ forest: inout DecisionForest, _ b: ONNXGraphBuilder) throws(ImportError) {
    if !targetOf.values.contains(-1) {
      for t in forest.trees.indices {
        forest.trees[t].target = targetOf[t] ?? 0
        for n in forest.trees[t].nodes.indices {
          guard case .row(let row) = forest.trees[t].nodes[n] else { continue }
          let list = weights[places[row]] ?? []
          forest.trees[t].nodes[n] = .leaf(list.reduce(0) { $0 + $1.value })
        }
      }
      return
    }
    // Rows take a number for every target: a small file must not ask for many.
    let total = places.count.multipliedReportingOverflow(by: targets)
    guard !total.overflow, total.partialValue <= 1 << 20 + 16 * count else {
      throw b.fail("\(places.count) leaves of \(targets) targets hold \(count) weights only")
    }
    // NaN is neither the least nor the greatest of any numbers.
    let absent = forest.aggregate == .sum ? 0 : Double.nan
    forest.leaves = [Double](repeating: absent, count: total.partialValue)
    for (row, place) in places.enumerated() {
      for weight in weights[place] ?? [] {
        let at = row * targets + weight.target
        forest.leaves[at] = (forest.leaves[at].isNaN ? 0 : forest.leaves[at]) + weight.value
      }
    }
  }
}
