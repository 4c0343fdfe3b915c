// A forest's trees, breadth first, in the words that the device walks.
import Graphs
import Operators
import Tensors

/// The constants of one `Trees` step, in the order of its inputs behind x.
struct PackedForest {
  var op: Trees
  var constants: [Constant?]
}

extension DecisionForest {
  private static let maximumNodes = 1 << 30

  /// The forest in the narrowest nodes that hold it.
  ///
  /// comparesDoubles: x is f64, and the output too where `isDouble` says so.
  func packed(
    comparesDoubles: Bool, isDouble: Bool = false
  ) throws(DecisionForestError) -> PackedForest {
    var orders: [[Int]] = []
    var isWide = comparesDoubles
    var total = 0
    for (i, tree) in trees.enumerated() {
      let order = try breadthFirst(tree, i)
      isWide = isWide || needsWideNodes(tree, order)
      total += order.count
      guard total <= DecisionForest.maximumNodes else {
        throw DecisionForestError(tree: i, node: 0, message: "the forest has too many nodes")
      }
      orders.append(order)
    }
    let (setWords, offsets) = encodedSets(isWide: isWide)
    var words: [UInt32] = []
    words.reserveCapacity(total * (isWide ? Trees.wideNodeWords : Trees.nodeWords))
    var table: [Int32] = []
    var first = 0
    for (tree, order) in zip(trees, orders) {
      table += [Int32(first), Int32(tree.target)]
      first += order.count
      var child = 1
      for (at, index) in order.enumerated() {
        append(tree.nodes[index], step: child - at, offsets, isWide, to: &words)
        if case .split = tree.nodes[index] { child += 2 }
      }
    }
    let width = isWide ? Trees.wideNodeWords : Trees.nodeWords
    return PackedForest(
      op: Trees(targets: targets, aggregate: aggregate, divisor: divisor, isDouble: isDouble),
      constants: [
        Constant(elementType: .u32, shape: Shape([total, width]), copying: words),
        Constant(elementType: .i32, shape: Shape([trees.count, 2]), copying: table),
        leaves.isEmpty
          ? nil : numbers(leaves, Shape([leaves.count / targets, targets]), isWide: isWide),
        sets.isEmpty
          ? nil : Constant(elementType: .u32, shape: Shape([setWords.count]), copying: setWords),
        base.isEmpty ? nil : numbers(base, Shape([targets]), isWide: isWide),
      ])
  }

  private func numbers(_ values: [Double], _ shape: Shape, isWide: Bool) -> Constant {
    isWide
      ? Constant(elementType: .f64, shape: shape, copying: values)
      : Constant(elementType: .f32, shape: shape, copying: values.map { Float($0) })
  }

  /// The nodes of a tree level by level, siblings side by side; each is met once.
  private func breadthFirst(_ tree: Tree, _ number: Int) throws(DecisionForestError) -> [Int] {
    func refuse(_ node: Int, _ what: String) -> DecisionForestError {
      DecisionForestError(tree: number, node: node, message: what)
    }
    guard tree.nodes.indices.contains(tree.root) else { throw refuse(tree.root, "has no root") }
    var isSeen = [Bool](repeating: false, count: tree.nodes.count)
    isSeen[tree.root] = true
    var order = [tree.root]
    var next = 0
    while next < order.count {
      let index = order[next]
      next += 1
      guard case .split(let split) = tree.nodes[index] else { continue }
      for child in [split.left, split.right] {
        guard tree.nodes.indices.contains(child) else {
          throw refuse(index, "child \(child) does not exist")
        }
        guard !isSeen[child] else { throw refuse(index, "child \(child) has two parents") }
        isSeen[child] = true
        order.append(child)
      }
    }
    return order
  }

  private func needsWideNodes(_ tree: Tree, _ order: [Int]) -> Bool {
    var child = 1
    for (at, index) in order.enumerated() {
      guard case .split(let split) = tree.nodes[index] else { continue }
      if split.zeroIsMissing || split.feature > Trees.maximumNarrowFeature
        || child - at > Trees.maximumNarrowStep
      {
        return true
      }
      child += 2
    }
    return false
  }

  private func encodedSets(isWide: Bool) -> (words: [UInt32], offsets: [Int]) {
    var words: [UInt32] = []
    var offsets: [Int] = []
    for set in sets {
      offsets.append(words.count)
      switch set {
      case .categories(let bits, let takesFractionsBelowZero):
        words.append(UInt32(bits.count * 32) | (takesFractionsBelowZero ? 0 : 1 << 30))
        words += bits
      case .numbers(let values):
        words.append(UInt32(values.count) | 2 << 30)
        for value in values {
          if isWide {
            words += [
              UInt32(truncatingIfNeeded: value.bitPattern), UInt32(value.bitPattern >> 32),
            ]
          } else {
            words.append(Float(value).bitPattern)
          }
        }
      }
    }
    return (words, offsets)
  }

  private func append(
    _ node: Node, step: Int, _ offsets: [Int], _ isWide: Bool, to words: inout [UInt32]
  ) {
    var test = TreeTest.leaf
    var word: UInt32
    var value: UInt64
    var child = 0
    func bits(_ number: Double) -> UInt64 {
      isWide ? number.bitPattern : UInt64(Float(number).bitPattern)
    }
    switch node {
    case .leaf(let number): value = bits(number)
    case .row(let row): value = UInt64(row)
    case .split(let split):
      child = step
      switch split.comparison {
      case .lessOrEqual(let bound):
        test = .lessOrEqual
        value = isWide ? bound.bitPattern : UInt64(DecisionForest.lowered(bound).bitPattern)
      case .equal(let number):
        test = .equal
        let isExact = isWide || Double(Float(number)) == number
        value = bits(isExact ? number : .nan)
      case .member(let set):
        test = .member
        value = UInt64(offsets[set])
      }
    }
    word = test.rawValue
    if case .split(let split) = node {
      word =
        isWide
        ? Trees.wideWord(
          test, feature: split.feature, missingGoesLeft: split.missingGoesLeft,
          zeroIsMissing: split.zeroIsMissing)
        : Trees.narrowWord(
          test, feature: split.feature, missingGoesLeft: split.missingGoesLeft, step: step)
    }
    words.append(word)
    if isWide { words.append(UInt32(child)) }
    words.append(UInt32(truncatingIfNeeded: value))
    if isWide { words.append(UInt32(value >> 32)) }
  }

  /// The largest f32 that is no larger: f32 numbers compare with it as they do with `bound`.
  private static func lowered(_ bound: Double) -> Float {
    let near = Float(bound)
    return Double(near) > bound ? near.nextDown : near
  }
}

extension Constant {
  /// A copy of an array's elements, which are what type and shape take.
  convenience init<T: BitwiseCopyable>(elementType: ElementType, shape: Shape, copying array: [T]) {
    precondition(shape.elementCount * elementType.byteCount == array.count * MemoryLayout<T>.size)
    self.init(elementType: elementType, shape: shape) { out in
      array.withUnsafeBytes { out.copyMemory(from: $0) }
    }
  }
}

extension Graph {
  /// The step that walks the forest with the rows of `x`.
  mutating func add(
    _ forest: DecisionForest, _ x: ValueID, comparesDoubles: Bool, name: String
  ) throws(DecisionForestError) -> ValueID {
    let packed = try forest.packed(comparesDoubles: comparesDoubles)
    let labels = ["nodes", "trees", "leaves", "sets", "base"]
    let constants = zip(packed.constants, labels).map { constant, label in
      constant.map { addConstant("\(name).\(label)", $0) }
    }
    return add(.trees(packed.op), [x] + constants, name: name)
  }
}
