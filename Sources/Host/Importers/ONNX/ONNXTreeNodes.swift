// The node and leaf lists of TreeEnsembleClassifier and TreeEnsembleRegressor as a forest.
import Operators

/// What a node of ai.onnx.ml asks. Raw values are TreeEnsemble's.
enum ONNXTreeMode: Int {
  case lessOrEqual = 0
  case less, greaterOrEqual, greater, equal, notEqual, member, leaf

  init?(name: String) {
    switch name {
    case "BRANCH_LEQ": self = .lessOrEqual
    case "BRANCH_LT": self = .less
    case "BRANCH_GTE": self = .greaterOrEqual
    case "BRANCH_GT": self = .greater
    case "BRANCH_EQ": self = .equal
    case "BRANCH_NEQ": self = .notEqual
    case "LEAF": self = .leaf
    default: return nil
    }
  }

  /// The split that takes `yes` where the test holds. What is missing takes it too where
  /// `tracksTrue` says so, or where NaN passes the test.
  func split(
    feature: Int, value: Double, set: Int = 0, yes: Int, no: Int, tracksTrue: Bool, isDouble: Bool
  ) -> DecisionForest.Split {
    let below = isDouble ? DecisionForest.Comparison.less(value) : .less(Float(value))
    func plain(_ comparison: DecisionForest.Comparison) -> DecisionForest.Split {
      DecisionForest.Split(
        feature: feature, comparison: comparison, left: yes, right: no,
        missingGoesLeft: tracksTrue)
    }
    // The opposite test, with `yes` and `no` changed over.
    func opposite(
      _ comparison: DecisionForest.Comparison, missingPasses: Bool
    ) -> DecisionForest.Split {
      DecisionForest.Split(
        feature: feature, comparison: comparison, left: no, right: yes,
        missingGoesLeft: !missingPasses)
    }
    switch self {
    case .lessOrEqual, .leaf: return plain(.lessOrEqual(value))
    case .less: return plain(below)
    case .greaterOrEqual: return opposite(below, missingPasses: tracksTrue)
    case .greater: return opposite(.lessOrEqual(value), missingPasses: tracksTrue)
    case .equal: return plain(.equal(value))
    case .notEqual: return opposite(.equal(value), missingPasses: true)
    case .member: return plain(.member(set))
    }
  }
}

/// Attributes of the older tree operators: lists over nodes, and over the weights of leaves.
struct ONNXTreeNodes {
  struct Weight {
    var tree: Int
    var node: Int
    var target: Int
    var value: Double
  }

  private var trees: [Int]
  private var ids: [Int]
  private var features: [Int]
  private var modes: [ONNXTreeMode]
  private var values: [Double]
  private var yes: [Int]
  private var no: [Int]
  private var tracks: [Int]
  private(set) var weights: [Weight] = []

  /// True where no weight is below 0.
  var isPositive: Bool { weights.allSatisfy { $0.value >= 0 } }

  /// role: `class` or `target`, as the weights' attributes begin.
  init(_ b: inout ONNXGraphBuilder, role: String) throws(ImportError) {
    trees = try b.integers("nodes_treeids") ?? []
    let count = trees.count
    guard count > 0 else { throw b.fail("has no nodes") }
    func list(_ name: String) throws(ImportError) -> [Int] {
      let list = try b.integers(name) ?? []
      guard list.count == count else {
        throw b.fail("\(list.count) numbers in '\(name)', expected \(count)")
      }
      return list
    }
    ids = try list("nodes_nodeids")
    features = try list("nodes_featureids")
    yes = try list("nodes_truenodeids")
    no = try list("nodes_falsenodeids")
    tracks = try b.integers("nodes_missing_value_tracks_true") ?? []
    guard tracks.isEmpty || tracks.count == count else {
      throw b.fail("\(tracks.count) numbers in 'nodes_missing_value_tracks_true'")
    }
    values = try b.numbers("nodes_values")
    let names = try b.strings("nodes_modes") ?? []
    guard values.count == count, names.count == count else {
      throw b.fail("lists over nodes of different lengths")
    }
    modes = []
    for name in names {
      guard let mode = ONNXTreeMode(name: name) else { throw b.fail("mode '\(name)' is not known") }
      modes.append(mode)
    }
    let owners = try b.integers("\(role)_treeids") ?? []
    let nodes = try b.integers("\(role)_nodeids") ?? []
    let targets = try b.integers("\(role)_ids") ?? []
    let numbers = try b.numbers("\(role)_weights")
    guard owners.count == nodes.count, owners.count == targets.count,
      owners.count == numbers.count
    else { throw b.fail("lists over weights of different lengths") }
    for i in owners.indices {
      weights.append(
        Weight(tree: owners[i], node: nodes[i], target: targets[i], value: numbers[i]))
    }
  }

  /// The forest, with leaves of one number where each tree has one target, else of rows.
  func forest(
    _ b: ONNXGraphBuilder, targets: Int, aggregate: TreesAggregate = .sum, isDouble: Bool
  ) throws(ImportError) -> DecisionForest {
    var forest = DecisionForest()
    forest.targets = targets
    forest.aggregate = aggregate
    // Trees in the order of their first nodes, which are their roots.
    var treeOf: [Int: Int] = [:]
    var placeOf: [[Int: Int]] = []
    var members: [[Int]] = []
    for i in trees.indices {
      if treeOf[trees[i]] == nil {
        treeOf[trees[i]] = placeOf.count
        placeOf.append([:])
        members.append([])
      }
      let t = treeOf[trees[i]]!
      guard placeOf[t].updateValue(members[t].count, forKey: ids[i]) == nil else {
        throw b.fail("node \(ids[i]) of tree \(trees[i]) is there twice")
      }
      members[t].append(i)
    }
    var leaves = ONNXTreeLeaves(targets: targets)
    for weight in weights {
      guard let t = treeOf[weight.tree], let place = placeOf[t][weight.node] else {
        throw b.fail("a weight of node \(weight.node) of tree \(weight.tree), which is not there")
      }
      guard weight.target >= 0, weight.target < targets else {
        throw b.fail("a weight of target \(weight.target) of \(targets)")
      }
      leaves.add(tree: t, node: place, target: weight.target, value: weight.value)
    }
    for (t, nodes) in members.enumerated() {
      var tree = DecisionForest.Tree(nodes: [])
      for (place, i) in nodes.enumerated() {
        if modes[i] == .leaf {
          tree.nodes.append(leaves.leaf(tree: t, node: place))
          continue
        }
        guard features[i] >= 0, features[i] <= Trees.maximumWideFeature else {
          throw b.fail("node \(ids[i]) of tree \(trees[i]) splits by feature \(features[i])")
        }
        tree.nodes.append(
          .split(
            modes[i].split(
              feature: features[i], value: values[i], yes: placeOf[t][yes[i]] ?? -1,
              no: placeOf[t][no[i]] ?? -1, tracksTrue: tracks.isEmpty ? false : tracks[i] == 1,
              isDouble: isDouble)))
      }
      forest.trees.append(tree)
    }
    try leaves.finish(&forest, b)
    return forest
  }
}
