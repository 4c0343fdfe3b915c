// Operators that give as many elements as the data says, against naive references.
import Operators
import Randomness
import Tensors
import Testing

struct SelectionTests {
  /// Small whole numbers, so that many are 0 and many are equal.
  private func numbers(
    _ random: inout SeededRandom, _ type: ElementType, _ shape: [Int]
  ) -> TestTensor {
    let count = shape.reduce(1, *)
    return TestTensor(type, shape, (0..<count).map { _ in Double(random.int(0...3)) })
  }

  private func places(_ shape: [Int]) -> [[Int]] {
    shape.reduce([[]]) { all, extent in all.flatMap { head in (0..<extent).map { head + [$0] } } }
  }

  @Test(arguments: [ElementType.f32, .i64, .u8, .bool, .f16])
  func nonZero(type: ElementType) throws {
    var random = SeededRandom(state: 60)
    for shape in [[], [0], [7], [3, 4], [2, 0, 3], [2, 3, 1, 4]] {
      let x = numbers(&random, type, shape)
      let found = zip(places(shape), x.values).filter { $1 != 0 }.map { $0.0 }
      let columns = shape.indices.flatMap { axis in found.map { Double($0[axis]) } }
      try check(
        .nonZero(NonZero()), [x], is: [TestTensor(.i64, [shape.count, found.count], columns)])
    }
  }

  @Test func compress() throws {
    var random = SeededRandom(state: 61)
    for shape in [[5], [3, 4], [2, 3, 4], [2, 0, 3]] {
      for axis in [nil] + (-shape.count..<shape.count).map({ Optional($0) }) {
        let x = numbers(&random, .f32, shape)
        let extent = axis.map { shape[$0 < 0 ? $0 + shape.count : $0] } ?? x.values.count
        for length in [0, max(extent - 1, 0), extent, extent + 2] {
          let holds = (0..<length).map { _ in random.bool() }
          func isKept(_ i: Int) -> Bool { i < length && holds[i] }
          var wanted = shape
          var kept: [Double]
          if let axis {
            let a = axis < 0 ? axis + shape.count : axis
            wanted[a] = (0..<extent).filter(isKept).count
            kept = zip(places(shape), x.values).filter { isKept($0.0[a]) }.map { $0.1 }
          } else {
            kept = x.values.indices.filter(isKept).map { x.values[$0] }
            wanted = [kept.count]
          }
          try check(
            .compress(Compress(axis: axis)),
            [x, TestTensor(.bool, [length], holds.map { $0 ? 1 : 0 })],
            is: [TestTensor(.f32, wanted, kept)])
        }
      }
    }
  }

  @Test(arguments: [true, false])
  func uniqueElements(isSorted: Bool) throws {
    var random = SeededRandom(state: 62)
    for type in [ElementType.f32, .i64, .i8, .f64] {
      for shape in [[0], [1], [20], [4, 5]] {
        let x = numbers(&random, type, shape)
        var order: [Double] = []
        for v in x.values where !order.contains(v) { order.append(v) }
        if isSorted { order.sort() }
        let first = order.map { v in Double(x.values.firstIndex(of: v)!) }
        let inverse = x.values.map { v in Double(order.firstIndex(of: v)!) }
        let counts = order.map { v in Double(x.values.filter { $0 == v }.count) }
        try check(
          .unique(Unique(isSorted: isSorted)), [x],
          is: [
            TestTensor(type, [order.count], order), TestTensor(.i64, [order.count], first),
            TestTensor(.i64, [inverse.count], inverse), TestTensor(.i64, [order.count], counts),
          ])
      }
    }
  }

  @Test(arguments: [true, false])
  func uniqueSlices(isSorted: Bool) throws {
    var random = SeededRandom(state: 63)
    for (shape, axis) in [([6, 2], 0), ([2, 6], 1), ([2, 5, 2], 1), ([3, 0], 1)] {
      let x = TestTensor(
        .i64, shape, (0..<shape.reduce(1, *)).map { _ in Double(random.int(0...1)) })
      let slices = (0..<shape[axis]).map { i in
        zip(places(shape), x.values).filter { $0.0[axis] == i }.map { $0.1 }
      }
      var order: [[Double]] = []
      for s in slices where !order.contains(s) { order.append(s) }
      if isSorted { order.sort { $0.lexicographicallyPrecedes($1) } }
      let first = order.map { s in slices.firstIndex(of: s)! }
      var wanted = shape
      wanted[axis] = order.count
      let elements = places(wanted).map { place in
        var source = place
        source[axis] = first[place[axis]]
        return x.values[places(shape).firstIndex(of: source)!]
      }
      try check(
        .unique(Unique(axis: axis, isSorted: isSorted)), [x],
        is: [
          TestTensor(.i64, wanted, elements),
          TestTensor(.i64, [order.count], first.map { Double($0) }),
          TestTensor(
            .i64, [slices.count], slices.map { s in Double(order.firstIndex(of: s)!) }),
          TestTensor(
            .i64, [order.count], order.map { s in Double(slices.filter { $0 == s }.count) }),
        ])
    }
  }

  /// Boxes on a grid of whole numbers: overlaps are exact.
  @Test(arguments: [true, false])
  func nonMaxSuppression(isCentered: Bool) throws {
    var random = SeededRandom(state: 64)
    for _ in 0..<60 {
      let (pictures, classes, count) = (random.int(1...2), random.int(1...3), random.int(0...12))
      var boxes: [Double] = []
      for _ in 0..<pictures * count {
        let (a, b) = (Double(random.int(0...6)), Double(random.int(0...6)))
        let (c, d) = (Double(random.int(0...6)), Double(random.int(0...6)))
        boxes += [a, b, c, d]
      }
      let scores = (0..<pictures * classes * count).map { _ in Double(random.int(0...8)) / 8 }
      let (most, overlap) = (random.int(0...5), [0, 0.25, 0.5][random.int(0...2)])
      let threshold = [nil, 0.25, 0.5][random.int(0...2)]
      func edges(_ i: Int) -> (Double, Double, Double, Double) {
        let b = Array(boxes[4 * i..<4 * i + 4])
        return isCentered
          ? (b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2)
          : (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
      }
      func shared(_ i: Int, _ j: Int) -> Double {
        let (p, q) = (edges(i), edges(j))
        let h = min(p.2, q.2) - max(p.0, q.0)
        let w = min(p.3, q.3) - max(p.1, q.1)
        let areas = ((p.2 - p.0) * (p.3 - p.1), (q.2 - q.0) * (q.3 - q.1))
        guard h > 0, w > 0, areas.0 > 0, areas.1 > 0 else { return 0 }
        return h * w / (areas.0 + areas.1 - h * w)
      }
      var wanted: [Double] = []
      for p in 0..<pictures {
        for c in 0..<classes {
          let s = Array(scores[(p * classes + c) * count..<(p * classes + c + 1) * count])
          var kept: [Int] = []
          for i in s.indices.sorted(by: { s[$0] != s[$1] ? s[$0] > s[$1] : $0 < $1 })
          where kept.count < most && (threshold == nil || s[i] > threshold!) {
            if kept.allSatisfy({ shared(p * count + i, p * count + $0) <= overlap }) {
              kept.append(i)
            }
          }
          for i in kept { wanted += [Double(p), Double(c), Double(i)] }
        }
      }
      try check(
        .nonMaxSuppression(NonMaxSuppression(isCentered: isCentered)),
        [
          TestTensor(.f32, [pictures, count, 4], boxes),
          TestTensor(.f32, [pictures, classes, count], scores),
          TestTensor(.i64, [], [Double(most)]),
          TestTensor(.f32, [1], [overlap]), threshold.map { TestTensor(.f32, [], [$0]) },
        ], is: [TestTensor(.i64, [wanted.count / 3, 3], wanted)])
    }
  }
}
