// One tree of an XGBoost model: arrays over its nodes.

/// The arrays of a tree, checked to be of one length.
struct XGBoostTree {
  private let value: XGBoostValue
  private let features: Int
  private let left: [Int]
  private let right: [Int]
  private let feature: [Int]
  /// Bounds of splits and weights of leaves.
  private let conditions: [Double]
  private let goesLeft: [Int]
  /// 1 for splits by category; empty where there are none.
  private let splitTypes: [Int]
  /// Numbers of each leaf, where there are several.
  private let leafWidth: Int
  private let leafWeights: [Double]
  /// The first of a node's numbers in `leafWeights`, where they are stored node by node.
  private let isByNode: Bool
  /// Nodes that split by category and where their categories stand.
  private let categories: [Int: [Int]]

  init(_ value: XGBoostValue, features: Int, groups: Int) throws(ImportError) {
    self.value = value
    self.features = features
    left = try value["left_children"].integers()
    let count = left.count
    guard count >= 1 else { throw value.refuse("has no nodes") }
    func integers(_ key: String) throws(ImportError) -> [Int] {
      let list = try value[key]
      let result = try list.integers()
      guard result.count == count else {
        throw list.refuse("expected \(count) numbers, found \(result.count)")
      }
      return result
    }
    right = try integers("right_children")
    feature = try integers("split_indices")
    goesLeft = try integers("default_left")
    conditions = try value["split_conditions"].numbers()
    guard conditions.count == count else {
      throw value.refuse("expected \(count) conditions, found \(conditions.count)")
    }
    splitTypes = value.optional("split_type") == nil ? [] : try integers("split_type")
    leafWidth =
      try value.optional("tree_param")?.optional("size_leaf_vector")?.integer(in: 0...1 << 20) ?? 1
    if leafWidth > 1 {
      guard leafWidth == groups else {
        throw value.refuse("leaves of \(leafWidth) numbers, expected \(groups)")
      }
      let leaves = try value.optional("leaf_weights")?.numbers() ?? []
      isByNode = leaves.isEmpty
      leafWeights = isByNode ? try value["base_weights"].numbers() : leaves
    } else {
      isByNode = true
      leafWeights = []
    }
    categories = splitTypes.contains(1) ? try XGBoostTree.categories(value) : [:]
  }

  /// The categories of each node that splits by them.
  private static func categories(_ value: XGBoostValue) throws(ImportError) -> [Int: [Int]] {
    let all = try value["categories"].integers()
    let nodes = try value["categories_nodes"].integers()
    let starts = try value["categories_segments"].integers()
    let counts = try value["categories_sizes"].integers()
    guard nodes.count == starts.count, nodes.count == counts.count else {
      throw value.refuse("lists of categories of different lengths")
    }
    guard all.allSatisfy({ (0..<(1 << 24)).contains($0) }) else {
      throw value.refuse("a category is out of range")
    }
    var result: [Int: [Int]] = [:]
    for (i, node) in nodes.enumerated() {
      guard starts[i] >= 0, counts[i] >= 0, starts[i] <= all.count,
        counts[i] <= all.count - starts[i], result[node] == nil
      else { throw value.refuse("the categories of node \(node) are out of range") }
      result[node] = Array(all[starts[i]..<starts[i] + counts[i]])
    }
    return result
  }

  /// The tree; its categories and rows of leaves go into `forest`.
  func tree(
    target: Int, scale: Double, into forest: inout DecisionForest
  ) throws(ImportError) -> DecisionForest.Tree {
    var nodes: [DecisionForest.Node] = []
    nodes.reserveCapacity(left.count)
    for i in left.indices {
      nodes.append(
        left[i] == -1 ? try leaf(i, scale, &forest) : .split(try split(i, &forest)))
    }
    return DecisionForest.Tree(nodes: nodes, target: target)
  }

  private func leaf(
    _ i: Int, _ scale: Double, _ forest: inout DecisionForest
  ) throws(ImportError) -> DecisionForest.Node {
    guard leafWidth > 1 else { return .leaf(Double(Float(scale) * Float(conditions[i]))) }
    let place = isByNode ? i : right[i]
    guard place >= 0, place < leafWeights.count / leafWidth else {
      // Places that deleted nodes hold are never reached.
      return .row(0)
    }
    forest.leaves += leafWeights[place * leafWidth..<(place + 1) * leafWidth].map {
      Double(Float(scale) * Float($0))
    }
    return .row(forest.leaves.count / leafWidth - 1)
  }

  private func split(
    _ i: Int, _ forest: inout DecisionForest
  ) throws(ImportError) -> DecisionForest.Split {
    // The upper bits of old files say which child missing values take.
    guard feature[i] >= 0, feature[i] < features else {
      throw value.refuse("node \(i) splits by feature \(feature[i]) of \(features)")
    }
    var split = DecisionForest.Split(
      feature: feature[i], comparison: .less(Float(conditions[i])), left: left[i], right: right[i],
      missingGoesLeft: goesLeft[i] != 0)
    guard splitTypes.indices.contains(i), splitTypes[i] != 0 else { return split }
    guard splitTypes[i] == 1, let members = categories[i] else {
      throw value.refuse("node \(i) splits by categories that are not there")
    }
    forest.sets.append(
      .categories(DecisionForest.words(of: members), takesFractionsBelowZero: false))
    split.comparison = .member(forest.sets.count - 1)
    // The categories listed go right.
    return split.swapped
  }
}
