// Forests against a walk down each tree, one row at a time, in Double.

import Operators
import Randomness
import Tensors
import Testing

/// A random tree in the order of the device, and its meaning.
private struct TreeSketch {
  enum Test {
    case lessOrEqual, equal
    case categories(Set<Int>, fromZero: Bool)
    case numbers([Double])
  }

  struct Node {
    var test: Test?
    var feature = 0
    var value = 0.0
    var row = 0
    var missingGoesLeft = false
    var zeroIsMissing = false
    var left = 0
  }

  var nodes: [Node] = []
  var target = 0

  init(depth: Int, features: Int, targets: Int, rows: Int, wide: Bool, _ random: inout SeededRandom)
  {
    target = random.int(0...(targets - 1))
    var open = [(0, 0)]
    nodes = [Node()]
    while !open.isEmpty {
      let (at, level) = open.removeFirst()
      var node = Node()
      node.value = Double(Float.random(in: -2...2, using: &random))
      if random.int(0...3) == 0 { node.value = Double(random.int(-2...2)) }
      if level < depth, at == 0 || random.int(0...4) != 0 {
        node.feature = random.int(0...(features - 1))
        node.missingGoesLeft = random.bool()
        node.zeroIsMissing = wide && random.int(0...3) == 0
        let picks = Set((0..<random.int(0...5)).map { _ in random.int(0...40) })
        switch random.int(0...9) {
        case 0: node.test = .equal
        case 1: node.test = .categories(picks, fromZero: random.bool())
        case 2: node.test = .numbers([0, 1, -1, 0.5].filter { _ in random.bool() })
        default: node.test = .lessOrEqual
        }
        node.left = nodes.count
        open += [(nodes.count, level + 1), (nodes.count + 1, level + 1)]
        nodes += [Node(), Node()]
      } else {
        node.row = random.int(0...(rows - 1))
      }
      nodes[at] = node
    }
  }

  func leaf(_ x: [Double]) -> Node {
    var node = nodes[0]
    while let test = node.test {
      let v = x[node.feature]
      var goesLeft =
        switch test {
        case .lessOrEqual: v <= node.value
        case .equal: v == node.value
        case .categories(let set, let fromZero):
          !v.isNaN && (fromZero ? v >= 0 : v > -1) && v < 1e6 && set.contains(Int(v))
        case .numbers(let list): list.contains(v)
        }
      if v.isNaN || (node.zeroIsMissing && v.magnitude <= 1e-35) {
        goesLeft = node.missingGoesLeft
      }
      node = nodes[node.left + (goesLeft ? 0 : 1)]
    }
    return node
  }
}

/// Trees as constants of a step.
private struct ForestSketch {
  var trees: [TreeSketch]
  var wide: Bool
  var targets: Int
  var leaves: [Double]?
  private var sets: [UInt32] = []

  init(
    trees count: Int, depth: Int, features: Int, targets: Int, rows: Int?, wide: Bool,
    _ random: inout SeededRandom
  ) {
    self.wide = wide
    self.targets = targets
    leaves = rows.map { n in
      (0..<n * targets).map { _ in Double(Float.random(in: -1...1, using: &random)) }
    }
    trees = (0..<count).map { _ in
      TreeSketch(
        depth: depth, features: features, targets: targets, rows: rows ?? 1, wide: wide, &random)
    }
  }

  private func raw(_ value: Double) -> [UInt32] {
    wide
      ? [UInt32(truncatingIfNeeded: value.bitPattern), UInt32(value.bitPattern >> 32)]
      : [Float(value).bitPattern]
  }

  mutating func inputs() -> [TestTensor?] {
    var words: [UInt32] = []
    var table: [Int32] = []
    var count = 0
    for tree in trees {
      table += [Int32(count), Int32(tree.target)]
      count += tree.nodes.count
      for (at, node) in tree.nodes.enumerated() {
        var value = leaves == nil || node.test != nil ? raw(node.value) : [UInt32(node.row)]
        var kind = TreeTest.leaf
        switch node.test {
        case nil: break
        case .lessOrEqual: kind = .lessOrEqual
        case .equal: kind = .equal
        case .categories(let set, let fromZero):
          kind = .member
          value = [UInt32(sets.count)]
          sets += [64 | (fromZero ? 1 << 30 : 0), 0, 0]
          for c in set { sets[sets.count - 2 + c / 32] |= 1 << UInt32(c % 32) }
        case .numbers(let list):
          kind = .member
          value = [UInt32(sets.count)]
          sets += [UInt32(list.count) | 2 << 30] + list.flatMap(raw)
        }
        let step = node.left - at
        let test = kind
        if wide {
          words += [
            test == .leaf
              ? 3
              : Trees.wideWord(
                test, feature: node.feature, missingGoesLeft: node.missingGoesLeft,
                zeroIsMissing: node.zeroIsMissing), test == .leaf ? 0 : UInt32(step),
          ]
          words += value.count == 2 ? value : value + [0]
        } else {
          words.append(
            test == .leaf
              ? 3
              : Trees.narrowWord(
                test, feature: node.feature, missingGoesLeft: node.missingGoesLeft, step: step))
          words += value
        }
      }
    }
    let number = wide ? ElementType.f64 : .f32
    return [
      TestTensor(.u32, [count, wide ? 4 : 2], bytes: words.flatMap { TestTensor.raw($0) }),
      TestTensor(.i32, [trees.count, 2], bytes: table.flatMap { TestTensor.raw($0) }),
      leaves.map { TestTensor(number, [$0.count / targets, targets], $0) },
      sets.isEmpty
        ? nil : TestTensor(.u32, [sets.count], bytes: sets.flatMap { TestTensor.raw($0) }),
    ]
  }

  func expected(_ op: Trees, _ x: TestTensor, base: TestTensor?) -> TestTensor {
    let width = x.shape[1]
    let all = x.values
    return TestTensor(
      op.isDouble ? .f64 : .f32, [x.shape[0], targets],
      (0..<x.shape[0]).flatMap { r -> [Double] in
        let row = Array(all[r * width..<(r + 1) * width])
        var seen = [[Double]](repeating: [], count: targets)
        for tree in trees {
          let leaf = tree.leaf(row)
          if let leaves {
            for t in 0..<targets { seen[t].append(leaves[leaf.row * targets + t]) }
          } else {
            seen[tree.target].append(leaf.value)
          }
        }
        return (0..<targets).map { t in
          let value =
            switch op.aggregate {
            case .sum: seen[t].reduce(0, +)
            case .min: seen[t].min() ?? 0
            case .max: seen[t].max() ?? 0
            }
          return value / Double(op.divisor) + (base?.values[t] ?? 0)
        }
      })
  }
}

struct TreesTests {
  @Test func `random forests match a walk down each tree`() throws {
    var random = SeededRandom(state: 1200)
    for round in 0..<60 {
      let wide = round % 2 == 1
      let targets = random.int(1...4)
      let features = random.int(1...6)
      let op = Trees(
        targets: targets, aggregate: random.pick(TreesAggregate.allCases),
        divisor: random.int(1...3), isDouble: wide && random.bool())
      var forest = ForestSketch(
        trees: random.int(1...9), depth: random.int(0...6), features: features, targets: targets,
        rows: random.bool() ? 5 : nil, wide: wide, &random)
      let count = random.pick([1, 3, 4, 70, 600])
      let x = tensor([count, features], wide && random.bool() ? .f64 : .f32) { _ in
        switch random.int(0...5) {
        case 0: .nan
        case 1: 0
        case 2: Double(random.int(-2...70))
        default: Double(Float.random(in: -2...2, using: &random))
        }
      }
      let base =
        random.bool()
        ? TestTensor(wide ? .f64 : .f32, [targets], (0..<targets).map { Double($0) - 0.5 }) : nil
      let constants = forest.inputs()
      try check(
        .trees(op), [x] + constants + [base], is: [forest.expected(op, x, base: base)],
        within: Tolerance(absolute: 1e-6, relative: 1e-6), note: "round \(round)")
    }
  }

  /// A split whose left child is `step` behind it, and two leaves.
  private func refused(_ words: [UInt32], trees: [Int32] = [0, 0], features: Int = 1) {
    expectRefusal(
      .trees(Trees(targets: 1)),
      [
        tensor([1, features]) { _ in 0 },
        TestTensor(.u32, [words.count / 2, 2], bytes: words.flatMap { TestTensor.raw($0) }),
        TestTensor(.i32, [trees.count / 2, 2], bytes: trees.flatMap { TestTensor.raw($0) }),
      ])
  }

  @Test func `walks that would not end or would leave the nodes are refused`() throws {
    let split = Trees.narrowWord(.lessOrEqual, feature: 0, missingGoesLeft: false, step: 1)
    refused([split, 0])
    refused([split, 0, 3, 0])
    refused([split & 0xFFFF, 0, 3, 0, 3, 0])
    refused([split, 0, split, 0, 3, 0])
    refused([split | 1 << 3, 0, 3, 0, 3, 0])
    refused([3 | 1 << 16, 0])
    refused([3 | 4, 0])
    refused([split | 2, 0, 3, 0, 3, 0])
    refused([3, 0], trees: [0, 1])
    refused([3, 0], trees: [0, -1])
    refused([3, 0], trees: [-1, 0])
    refused([3, 0], trees: [1, 0])
    refused([3, 0, 3, 0], trees: [1, 0, 0, 0])
    refused([3, 0, 3, 0], trees: [0, 0, 0, 0])
    // A tree that reaches into the next one.
    refused([split, 0, 3, 0, 3, 0], trees: [0, 0, 2, 0])
  }

  @Test func `sets that end behind their words are refused`() throws {
    let split = Trees.narrowWord(.member, feature: 0, missingGoesLeft: false, step: 1)
    func prepare(_ sets: [UInt32]) throws {
      let words: [UInt32] = [split, 0, 3, 0, 3, 0]
      try OperatorHarness(
        .trees(Trees(targets: 1)),
        [
          tensor([1, 1]) { _ in 0 },
          TestTensor(.u32, [3, 2], bytes: words.flatMap { TestTensor.raw($0) }),
          TestTensor(.i32, [1, 2], bytes: [Int32(0), 0].flatMap { TestTensor.raw($0) }), nil,
          TestTensor(.u32, [sets.count], bytes: sets.flatMap { TestTensor.raw($0) }),
        ], with: Variant(kernels: .scalar, pool: nil)
      ).prepare()
    }
    try prepare([0])
    try prepare([32, 5])
    try prepare([2 << 30 | 2, 0, 0])
    for sets: [UInt32] in [[], [1], [33, 0], [2 << 30 | 1], [3 << 30, 0], [.max, 0]] {
      #expect(throws: ShapeError.self, "\(sets)") { try prepare(sets) }
    }
  }
}

struct PairCouplingTests {
  /// Where all pairs agree with one set of probabilities, those are found.
  @Test func `pairs that agree give back the probabilities`() throws {
    var random = SeededRandom(state: 1210)
    for classes in [2, 3, 7] {
      let rows = 5
      let p = (0..<rows).map { _ in
        let raw = (0..<classes).map { _ in Double.random(in: 0.2...1, using: &random) }
        return raw.map { $0 / raw.reduce(0, +) }
      }
      var pairs: [Double] = []
      for row in p {
        for i in 0..<classes - 1 {
          for j in i + 1..<classes { pairs.append(row[i] / (row[i] + row[j])) }
        }
      }
      let count = classes * (classes - 1) / 2
      try check(
        .pairCoupling(PairCoupling(classes: classes)), [TestTensor(.f32, [rows, count], pairs)],
        is: [TestTensor(.f32, [rows, classes], p.flatMap { $0 })],
        within: Tolerance(absolute: 0.01, relative: 0.01))
    }
  }

  @Test func `a wrong number of pairs is refused`() {
    for shape in [[2, 2], [2], [1, 3, 1]] {
      expectRefusal(.pairCoupling(PairCoupling(classes: 3)), [tensor(shape) { _ in 0.5 }])
    }
  }
}
