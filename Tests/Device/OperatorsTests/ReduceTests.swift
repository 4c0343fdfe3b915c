// Reductions, running sums and orderings against loops over every row.

import Foundation
import Operators
import Randomness
import Tensors
import Testing

/// The elements that fall to each output position when `axes` are reduced, in order.
private func folds(_ x: TestTensor, _ axes: Set<Int>) -> [[Double]] {
  var result = [[Double]]()
  var places: [[Int]: Int] = [:]
  let kept = x.shape.indices.filter { !axes.contains($0) }
  for p in positions(kept.map { x.shape[$0] }) {
    places[p] = result.count
    result.append([])
  }
  for (p, v) in zip(positions(x.shape), x.values) { result[places[kept.map { p[$0] }]!].append(v) }
  return result
}

private func reduced(_ v: [Double], _ kind: ReduceKind) -> Double {
  switch kind {
  case .sum: v.reduce(0, +)
  case .mean: v.reduce(0, +) / Double(v.count)
  case .max: v.max() ?? -.infinity
  case .min: v.min() ?? .infinity
  case .prod: v.reduce(1, *)
  case .l1: v.reduce(0) { $0 + abs($1) }
  case .l2: v.reduce(0) { $0 + $1 * $1 }.squareRoot()
  case .sumSquare: v.reduce(0) { $0 + $1 * $1 }
  case .logSum: log(v.reduce(0, +))
  case .logSumExp: log(v.reduce(0) { $0 + exp($1) })
  }
}

struct ReduceTests {
  @Test(arguments: ReduceKind.allCases)
  func `random reductions match`(kind: ReduceKind) throws {
    var random = SeededRandom(state: UInt64(300 + kind.rawValue))
    let takesIntegers = kind.rawValue <= ReduceKind.prod.rawValue
    for i in 0..<40 {
      let rank = random.int(0...5)
      let shape = i == 0 ? [20, 3, 100] : i == 1 ? [7, 37] : random.shape(rank, 1...4)
      let axes = i == 1 ? [1] : shape.indices.filter { _ in random.bool() }
      let isNegative = random.bool()
      let op = Reduce(
        kind, axes: IntegerList(axes.map { isNegative ? $0 - shape.count : $0 }),
        keepsAxes: random.bool())
      let all = Set(axes.isEmpty ? Array(shape.indices) : axes)
      let type: ElementType = takesIntegers ? random.pick([.f32, .f32, .i64, .i32]) : .f32
      let x =
        type == .f32
        ? random.floats(shape, kind == .logSum ? 0.1...2 : -2...2)
        : random.integers(type, shape, kind == .prod ? -1...2 : -9...9)
      let rows = folds(x, all).map { row in
        let v = reduced(row, kind)
        return type != .f32 && kind == .mean ? v.rounded(.towardZero) : v
      }
      let output = shape.indices.compactMap { a in
        all.contains(a) ? (op.keepsAxes ? 1 : nil) : shape[a]
      }
      try check(
        .reduce(op), [x], is: [TestTensor(type, output, rows)],
        within: type == .f32 ? .sums : .exact, note: "\(shape) \(axes)")
    }
  }

  @Test func `reducing nothing gives the neutral element`() throws {
    let empty = TestTensor(.f32, [2, 0], [])
    for (kind, value) in [(ReduceKind.sum, 0.0), (.prod, 1), (.max, -.infinity), (.min, .infinity)]
    {
      try check(
        .reduce(Reduce(kind, axes: IntegerList([1]), keepsAxes: false)), [empty],
        is: [TestTensor(.f32, [2], [value, value])])
    }
  }

  @Test func `large exponents do not overflow, NaN stays`() throws {
    let x = TestTensor(.f32, [2, 2], [100, 100, -.infinity, -.infinity])
    try check(
      .reduce(Reduce(.logSumExp, axes: IntegerList([1]), keepsAxes: false)), [x],
      is: [TestTensor(.f32, [2], [100 + log(2), -.infinity])], within: .functions)
    let y = TestTensor(.f32, [3], [1, .nan, 2])
    for kind in [ReduceKind.max, .min, .sum, .logSumExp] {
      try check(
        .reduce(Reduce(kind, axes: IntegerList(), keepsAxes: false)), [y],
        is: [TestTensor(.f32, [], [.nan])])
    }
  }

  @Test func `random arguments of extremes match`() throws {
    var random = SeededRandom(state: 320)
    for _ in 0..<60 {
      let shape = random.shape(random.int(1...4), 1...5)
      let axis = random.int(0...(shape.count - 1))
      let op = ArgReduce(
        isMinimum: random.bool(), axis: random.bool() ? axis : axis - shape.count,
        keepsAxis: random.bool(), selectsLast: random.bool())
      // Few values: ties matter.
      let x = random.integers(random.pick([.f32, .i64, .i32]), shape, 0...3)
      let rows = folds(x, [axis]).map { row -> Double in
        let best = op.isMinimum ? row.min()! : row.max()!
        return Double(op.selectsLast ? row.lastIndex(of: best)! : row.firstIndex(of: best)!)
      }
      var output = shape
      if op.keepsAxis { output[axis] = 1 } else { output.remove(at: axis) }
      try check(.argReduce(op), [x], is: [TestTensor(.i64, output, rows)])
    }
  }

  @Test func `random running sums match`() throws {
    var random = SeededRandom(state: 321)
    for _ in 0..<40 {
      let shape = random.shape(random.int(1...4), 1...5)
      let axis = random.int(0...(shape.count - 1))
      let op = CumSum(axis: axis, isExclusive: random.bool(), isReverse: random.bool())
      let x = random.integers(random.pick([.f32, .i64, .i32]), shape)
      let wanted = tensor(shape, x.type) { p in
        (0..<shape[axis]).reduce(0) { sum, j in
          let counts = op.isReverse ? j > p[axis] : j < p[axis]
          var q = p
          q[axis] = j
          return counts || j == p[axis] && !op.isExclusive ? sum + x(q) : sum
        }
      }
      try check(.cumSum(op), [x], is: [wanted])
    }
  }

  @Test func `the best k come in order, ties by place`() throws {
    var random = SeededRandom(state: 322)
    for i in 0..<60 {
      var shape = random.shape(random.int(1...3), 1...7)
      let axis = random.int(0...(shape.count - 1))
      if i == 0 { shape[axis] = 500 }
      let x = random.integers(random.pick([.f32, .i64, .i32]), shape, 0...(i == 0 ? 300 : 5))
      let k = random.int(0...shape[axis])
      let op = TopK(axis: axis, isSmallest: random.bool())
      var output = shape
      output[axis] = k
      let sorted = folds(x, [axis]).map { row in
        row.enumerated().sorted {
          $0.element == $1.element
            ? $0.offset < $1.offset
            : op.isSmallest ? $0.element < $1.element : $0.element > $1.element
        }
      }
      let rest = shape.indices.filter { $0 != axis }.map { shape[$0] }
      func pick(_ p: [Int]) -> (offset: Int, element: Double) {
        var q = p
        let j = q.remove(at: axis)
        return sorted[offset(q, in: rest)][j]
      }
      try check(
        .topK(op), [x, .i64([k])],
        is: [
          tensor(output, x.type) { pick($0).element },
          tensor(output, .i64) { Double(pick($0).offset) },
        ], note: "\(shape) axis \(axis) k \(k)")
    }
    let x = TestTensor(.f32, [4], [1, .nan, 3, .nan])
    try check(
      .topK(TopK()), [x, .i64([3])],
      is: [TestTensor(.f32, [3], [.nan, .nan, 3]), .i64([1, 3, 2])])
  }

  @Test func `what does not fit is refused`() {
    var random = SeededRandom(state: 323)
    let x = random.floats([2, 3])
    let axes = IntegerList([2])
    expectRefusal(.reduce(Reduce(.sum, axes: axes, keepsAxes: true)), [x])
    expectRefusal(
      .reduce(Reduce(.l2, axes: IntegerList(), keepsAxes: true)), [random.integers(.i64, [2])])
    expectRefusal(.argReduce(ArgReduce(axis: 2)), [x])
    expectRefusal(.argReduce(ArgReduce(axis: 1)), [TestTensor(.f32, [2, 0], [])])
    expectRefusal(.argReduce(ArgReduce(axis: 0)), [random.floats([])])
    expectRefusal(.cumSum(CumSum(axis: -3)), [x])
    expectRefusal(.topK(TopK(axis: 1)), [x, .i64([4])], outputs: 2)
    expectRefusal(.topK(TopK(axis: 1)), [x, .i64([-1])], outputs: 2)
    expectRefusal(.topK(TopK(axis: 1)), [x, .i64([1, 1])], outputs: 2)
    expectRefusal(.topK(TopK(axis: 1)), [x, .i64([1])], outputs: 1)
    expectRefusal(.topK(TopK(axis: 2)), [x, .i64([1])], outputs: 2)
  }
}
