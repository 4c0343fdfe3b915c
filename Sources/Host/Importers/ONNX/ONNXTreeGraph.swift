// The lists of TreeEnsemble, ai.onnx.ml's opset 5, as a forest.
import Graphs
import Operators
import Tensors

/// Attributes of TreeEnsemble: lists over splits, and over leaves.
struct ONNXTreeGraph {
  private var roots: [Int]
  private var features: [Int]
  private var modes: [Int]
  private var splits: [Double]
  private var yes: [Int]
  private var no: [Int]
  private var yesIsLeaf: [Int]
  private var noIsLeaf: [Int]
  private var tracks: [Int]
  private var leafTargets: [Int]
  private var leafWeights: [Double]
  /// Values that the tests for membership look for, in the order of the nodes.
  private var members: [[Double]] = []
  private var memberOf: [Int: Int] = [:]

  init(_ b: inout ONNXGraphBuilder) throws(ImportError) {
    func reals(_ name: String) throws(ImportError) -> [Double]? {
      guard let tensor = try b.tensor(name) else { return nil }
      guard let numbers = tensor.realNumbers else {
        throw b.fail("expected real numbers as attribute '\(name)'")
      }
      return numbers
    }
    roots = try b.integers("tree_roots") ?? []
    features = try b.integers("nodes_featureids") ?? []
    modes = try b.tensor("nodes_modes")?.integers ?? []
    splits = try reals("nodes_splits") ?? []
    yes = try b.integers("nodes_truenodeids") ?? []
    no = try b.integers("nodes_falsenodeids") ?? []
    yesIsLeaf = try b.integers("nodes_trueleafs") ?? []
    noIsLeaf = try b.integers("nodes_falseleafs") ?? []
    tracks = try b.integers("nodes_missing_value_tracks_true") ?? []
    leafTargets = try b.integers("leaf_targetids") ?? []
    leafWeights = try reals("leaf_weights") ?? []
    let count = features.count
    guard count > 0,
      [modes.count, splits.count, yes.count, no.count, yesIsLeaf.count, noIsLeaf.count]
        .allSatisfy({ $0 == count }), tracks.isEmpty || tracks.count == count,
      leafTargets.count == leafWeights.count
    else { throw b.fail("lists of different lengths") }
    try readMembers(try reals("membership_values") ?? [], b)
  }

  /// NaN ends the list of one node.
  private mutating func readMembers(
    _ values: [Double], _ b: ONNXGraphBuilder
  ) throws(ImportError) {
    var open: [Double] = []
    for value in values {
      if value.isNaN {
        members.append(open)
        open = []
      } else {
        open.append(value)
      }
    }
    if !open.isEmpty { members.append(open) }
    for (i, mode) in modes.enumerated() where mode == ONNXTreeMode.member.rawValue {
      guard memberOf.count < members.count else { throw b.fail("too few membership values") }
      memberOf[i] = memberOf.count
    }
  }

  /// Every node belongs to one tree: a walk from the roots meets it once.
  func forest(
    _ b: ONNXGraphBuilder, targets: Int, aggregate: TreesAggregate, isDouble: Bool
  ) throws(ImportError) -> DecisionForest {
    guard !roots.isEmpty else { throw b.fail("has no trees") }
    var forest = DecisionForest()
    forest.targets = targets
    forest.aggregate = aggregate
    forest.sets = members.map { .numbers($0) }
    var leaves = ONNXTreeLeaves(targets: targets)
    var isSeen = [Bool](repeating: false, count: features.count)
    for (t, root) in roots.enumerated() {
      var tree = DecisionForest.Tree(nodes: [])
      // What becomes of each place of the tree: a node of the lists, or a leaf.
      var open: [(index: Int, isLeaf: Bool)] = [(root, false)]
      var place = 0
      while place < open.count {
        let (index, isLeaf) = open[place]
        defer { place += 1 }
        if isLeaf {
          guard leafTargets.indices.contains(index), (0..<targets).contains(leafTargets[index])
          else { throw b.fail("leaf \(index) of tree \(t) is out of range") }
          leaves.add(
            tree: t, node: place, target: leafTargets[index], value: leafWeights[index])
          tree.nodes.append(leaves.leaf(tree: t, node: place))
          continue
        }
        guard features.indices.contains(index), !isSeen[index] else {
          throw b.fail("node \(index) of tree \(t) is not there, or is in two places")
        }
        isSeen[index] = true
        guard let mode = ONNXTreeMode(rawValue: modes[index]), mode != .leaf,
          (0...Trees.maximumWideFeature).contains(features[index])
        else { throw b.fail("node \(index) has an unknown mode or feature") }
        tree.nodes.append(
          .split(
            mode.split(
              feature: features[index], value: splits[index], set: memberOf[index] ?? 0,
              yes: open.count, no: open.count + 1,
              tracksTrue: tracks.isEmpty ? false : tracks[index] == 1, isDouble: isDouble)))
        open.append((yes[index], yesIsLeaf[index] != 0))
        open.append((no[index], noIsLeaf[index] != 0))
      }
      forest.trees.append(tree)
    }
    try leaves.finish(&forest, b)
    return forest
  }
}
