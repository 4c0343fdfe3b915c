// One tree of a LightGBM model: splits and leaves counted apart.

/// The arrays of a tree. A child of −1 − n is leaf n.
struct LightGBMTree {
  private let section: LightGBMSection
  private let leaves: [Double]
  private let feature: [Int]
  private let bounds: [Double]
  /// Bit 0: by category; bit 1: missing values go left; bits 2 and 3: what counts as missing.
  private let decisions: [Int]
  private let left: [Int]
  private let right: [Int]
  private let categoryStarts: [Int]
  private let categoryWords: [UInt32]

  /// What LightGBM takes for missing, by its number.
  private enum Missing: Int {
    case none = 0
    case zero, nan
  }

  init(_ section: LightGBMSection, features: Int) throws(ImportError) {
    self.section = section
    let count = try section.integer("num_leaves", in: 1...1 << 29)
    guard try section.integer("is_linear", in: 0...1, 0) == 0 else {
      throw section.refuse("is_linear", "linear functions in leaves are not supported")
    }
    leaves = try section.numbers("leaf_value", count: count)
    let splits = count - 1
    feature = splits == 0 ? [] : try section.integers("split_feature", count: splits)
    bounds = splits == 0 ? [] : try section.numbers("threshold", count: splits)
    // The first versions had no missing values.
    decisions =
      splits == 0 || !section.has("decision_type")
      ? [Int](repeating: 0, count: splits)
      : try section.integers("decision_type", count: splits)
    left = splits == 0 ? [] : try section.integers("left_child", count: splits)
    right = splits == 0 ? [] : try section.integers("right_child", count: splits)
    let sets = try section.integer("num_cat", in: 0...max(splits, 0), 0)
    categoryStarts = sets == 0 ? [0] : try section.integers("cat_boundaries", count: sets + 1)
    guard zip(categoryStarts, categoryStarts.dropFirst()).allSatisfy({ $0 <= $1 }),
      categoryStarts[0] == 0, categoryStarts[sets] <= 1 << 28
    else { throw section.refuse("cat_boundaries", "do not ascend") }
    let words =
      sets == 0 ? [] : try section.integers("cat_threshold", count: categoryStarts[sets])
    guard words.allSatisfy({ UInt32(exactly: $0) != nil }) else {
      throw section.refuse("cat_threshold", "a number has more than 32 bits")
    }
    categoryWords = words.map { UInt32($0) }
    if let i = feature.firstIndex(where: { $0 < 0 || $0 >= features }) {
      throw section.refuse("split_feature", "feature \(feature[i]) of \(features)")
    }
  }

  /// The tree; its categories go into `forest`.
  func tree(
    target: Int, into forest: inout DecisionForest
  ) throws(ImportError) -> DecisionForest.Tree {
    var nodes: [DecisionForest.Node] = []
    nodes.reserveCapacity(left.count + leaves.count)
    for i in left.indices { nodes.append(.split(try split(i, &forest))) }
    for leaf in leaves { nodes.append(.leaf(leaf)) }
    return DecisionForest.Tree(nodes: nodes, target: target)
  }

  /// Splits first, leaves behind them; out of range for numbers that are out of range.
  private func place(_ child: Int) -> Int {
    guard child < 0 else { return child < left.count ? child : -1 }
    return child >= -leaves.count ? left.count - 1 - child : -1
  }

  private func split(
    _ i: Int, _ forest: inout DecisionForest
  ) throws(ImportError) -> DecisionForest.Split {
    var split = DecisionForest.Split(
      feature: feature[i], comparison: .lessOrEqual(bounds[i]), left: place(left[i]),
      right: place(right[i]))
    if decisions[i] & 1 == 1 {
      // Missing values are in no set, and so go right.
      guard let set = Int(exactly: bounds[i]), set >= 0, set < categoryStarts.count - 1 else {
        throw section.refuse("threshold", "split \(i) has no set of categories")
      }
      let words = categoryWords[categoryStarts[set]..<categoryStarts[set + 1]]
      forest.sets.append(.categories(Array(words), takesFractionsBelowZero: true))
      split.comparison = .member(forest.sets.count - 1)
      return split
    }
    guard let missing = Missing(rawValue: decisions[i] >> 2 & 3) else {
      throw section.refuse("decision_type", "split \(i) has \(decisions[i])")
    }
    switch missing {
    case .none: split.missingGoesLeft = 0 <= bounds[i]
    case .zero:
      split.missingGoesLeft = decisions[i] & 2 != 0
      split.zeroIsMissing = true
    case .nan: split.missingGoesLeft = decisions[i] & 2 != 0
    }
    return split
  }
}
