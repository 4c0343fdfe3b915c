// Whether the nodes of a forest are what running trusts them to be.
import CKernels
import Tensors

extension Trees {
  /// The first word of a narrow node; `step`: how far behind it its left child stands.
  public static func narrowWord(
    _ test: TreeTest, feature: Int, missingGoesLeft: Bool, step: Int
  ) -> UInt32 {
    precondition((0...maximumNarrowFeature).contains(feature))
    precondition((1...maximumNarrowStep).contains(step))
    return test.rawValue | (missingGoesLeft ? 4 : 0)
      | UInt32(feature) << UInt32(KN_TREE_FEATURE_SHIFT)
      | UInt32(step) << UInt32(KN_TREE_CHILD_SHIFT)
  }

  /// The first word of a wide node.
  public static func wideWord(
    _ test: TreeTest, feature: Int, missingGoesLeft: Bool, zeroIsMissing: Bool
  ) -> UInt32 {
    precondition((0...maximumWideFeature).contains(feature))
    return test.rawValue | (missingGoesLeft ? 4 : 0) | (zeroIsMissing ? 8 : 0)
      | UInt32(feature) << UInt32(KN_WIDE_TREE_FEATURE_SHIFT)
  }

  /// The constant inputs of a step, checked to be of the right types and shapes.
  struct Forest {
    let isWide: Bool
    private let nodes: Elements<UInt32>
    private let trees: Elements<Int32>
    private let targets: Int
    /// Rows of leaves; nil where leaves are numbers.
    private let leafRows: Int?
    private let sets: Elements<UInt32>?

    init(_ step: StepContext, targets: Int) throws(ShapeError) {
      self.targets = targets
      let nodes = step.input(1)
      try step.require(1, is: .u32)
      guard nodes.shape.rank == 2, nodes.shape[0] <= 1 << 30,
        nodes.shape[1] == Trees.nodeWords || nodes.shape[1] == Trees.wideNodeWords
      else { throw ShapeError("expected nodes of 2 or 4 words", input: 1) }
      isWide = nodes.shape[1] == Trees.wideNodeWords
      self.nodes = nodes.elements(UInt32.self)
      try step.require(2, is: .i32)
      guard step.input(2).shape.rank == 2, step.input(2).shape[1] == 2 else {
        throw ShapeError("expected a first node and a target per tree", input: 2)
      }
      trees = step.input(2).elements(Int32.self)
      let number = isWide ? ElementType.f64 : .f32
      leafRows = step.has(3) ? step.input(3).shape.elementCount / targets : nil
      if step.has(3) {
        try step.require(3, is: number)
        let shape = step.input(3).shape
        guard shape.rank == 2, shape[1] == targets else {
          throw ShapeError("expected a number per target in each leaf", input: 3, expected: targets)
        }
      }
      if step.has(4) {
        try step.require(4, is: .u32)
        sets = step.input(4).elements(UInt32.self)
      } else {
        sets = nil
      }
      if step.has(5) {
        try step.require(5, is: number)
        guard step.input(5).shape.rank == 1, step.input(5).shape[0] == targets else {
          throw ShapeError("expected a number per target", input: 5, expected: targets)
        }
      }
    }

    private var nodeCount: Int {
      nodes.count / (isWide ? Trees.wideNodeWords : Trees.nodeWords)
    }

    /// Every tree has nodes of its own; every walk through them stays inside and ends.
    func check(features: Int) throws(ShapeError) {
      for tree in 0..<(trees.count / 2) {
        let first = Int(trees[2 * tree])
        let end = 2 * tree + 2 < trees.count ? Int(trees[2 * tree + 2]) : nodeCount
        guard first >= 0, first < end, end <= nodeCount else {
          throw ShapeError(
            "a tree's nodes are out of range", input: 2, expected: tree, found: first)
        }
        guard trees[2 * tree + 1] >= 0, Int(trees[2 * tree + 1]) < targets else {
          throw ShapeError(
            "a tree's target is out of range", input: 2, expected: targets - 1,
            found: Int(trees[2 * tree + 1]))
        }
        for node in first..<end { try check(node, end: end, features: features) }
      }
    }

    private func check(_ node: Int, end: Int, features: Int) throws(ShapeError) {
      func refuse(_ what: StaticString) -> ShapeError {
        ShapeError(what, input: 1, found: node)
      }
      let word: UInt32
      let child: Int
      let value: UInt64
      let feature: Int
      if isWide {
        word = nodes[4 * node]
        child = Int(nodes[4 * node + 1])
        value = UInt64(nodes[4 * node + 2]) | UInt64(nodes[4 * node + 3]) << 32
        feature = Int(word >> UInt32(KN_WIDE_TREE_FEATURE_SHIFT))
      } else {
        word = nodes[2 * node]
        child = Int(word >> UInt32(KN_TREE_CHILD_SHIFT))
        value = UInt64(nodes[2 * node + 1])
        feature = Int(word >> UInt32(KN_TREE_FEATURE_SHIFT)) & Int(KN_TREE_FEATURE_MASK)
      }
      if word & 3 == 3 {
        guard word == 3, child == 0 else { throw refuse("a leaf has a child") }
        if let leafRows {
          guard value < UInt64(leafRows) else { throw refuse("a leaf's row is out of range") }
        }
        return
      }
      guard child >= 1, node + child + 1 < end else { throw refuse("a child is out of range") }
      guard feature < features else { throw refuse("a feature is out of range") }
      guard word & 3 != 2 || isSet(at: value) else { throw refuse("a set is out of range") }
    }

    private func isSet(at offset: UInt64) -> Bool {
      guard let sets, offset < UInt64(sets.count) else { return false }
      let count = Int(sets[Int(offset)] & 0x3fff_ffff)
      let words: Int
      switch sets[Int(offset)] >> 30 {
      case 0, 1: words = (count + 31) / 32
      case 2: words = isWide ? 2 * count : count
      default: return false
      }
      return words < sets.count - Int(offset)
    }
  }
}
