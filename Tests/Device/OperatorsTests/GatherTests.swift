// Elements and rows picked or put by index, against index arithmetic.

import Operators
import Randomness
import Tensors
import Testing

private let someTypes: [ElementType] = [.f32, .i64, .u8, .f16, .i32]

/// An index counted from the front and brought into range.
private func clamped(_ index: Double, _ extent: Int) -> Int {
  let i = Int(index)
  return min(max(i < 0 ? i + extent : i, 0), extent - 1)
}

struct GatherTests {
  @Test func `random gathers match`() throws {
    var random = SeededRandom(state: 500)
    for _ in 0..<60 {
      let shape = random.shape(random.int(1...4), 1...5)
      let axis = random.int(0...(shape.count - 1))
      let x = random.integers(random.pick(someTypes), shape, 0...99)
      let count = random.shape(random.int(0...2), 0...4)
      // Out of range by up to 2 at either end.
      let indices = random.integers(
        random.pick([.i64, .i32]), count, (-shape[axis] - 2)...(shape[axis] + 1))
      let wanted = tensor(Array(shape[..<axis]) + count + Array(shape[(axis + 1)...]), x.type) {
        p in
        let at = Array(p[axis..<(axis + count.count)])
        return x(
          Array(p[..<axis]) + [clamped(indices(at), shape[axis])]
            + Array(p[(axis + count.count)...]))
      }
      try check(
        .gather(Gather(axis: random.bool() ? axis : axis - shape.count)), [x, indices],
        is: [wanted], note: "\(shape) \(axis) \(count)")
    }
  }

  @Test(arguments: QuantizationScheme.allCases)
  func `rows of quantized tables decode exactly`(scheme: QuantizationScheme) throws {
    var random = SeededRandom(state: 501)
    for width in [1, 5, 32, 45, 64] {
      let (table, decoded) = encoded(random.floats([11, width]), scheme, .rowMajor)
      let indices = random.integers(.i64, [2, 3], -11...10)
      let wanted = tensor([2, 3, width]) { p in
        decoded[clamped(indices([p[0], p[1]]), 11) * width + p[2]]
      }
      // Scale times code is one rounding.
      try check(
        .gather(Gather(axis: 0)), [table, indices], is: [wanted],
        within: Tolerance(absolute: 0, relative: 1e-7), note: "\(width)")
    }
  }

  @Test func `random element-wise gathers and scatters match`() throws {
    var random = SeededRandom(state: 502)
    for i in 0..<80 {
      let shape = random.shape(random.int(1...4), 1...5)
      let axis = random.int(0...(shape.count - 1))
      let kind = i % 2 == 0 ? .replace : random.pick(ScatterKind.allCases)
      let type: ElementType =
        kind == .replace ? random.pick(someTypes) : random.pick([.f32, .i64, .i32])
      let x = random.integers(type, shape, 0...9)
      let count = shape.indices.map { random.int(1...($0 == axis ? 6 : shape[$0])) }
      let indices = random.integers(
        random.pick([.i64, .i32]), count, (-shape[axis] - 1)...shape[axis])
      func place(_ p: [Int]) -> [Int] {
        var q = p
        q[axis] = clamped(indices(p), shape[axis])
        return q
      }
      try check(
        .gatherElements(GatherElements(axis: axis)), [x, indices],
        is: [tensor(count, type) { x(place($0)) }], note: "\(shape) \(count)")
      let updates = random.integers(type, count, 0...9)
      var wanted = x.values
      for p in positions(count) {
        let at = offset(place(p), in: shape)
        wanted[at] = combined(wanted[at], updates(p), kind)
      }
      try check(
        .scatterElements(ScatterElements(axis: axis - shape.count, kind: kind)),
        [x, indices, updates], is: [TestTensor(type, shape, wanted)],
        note: "\(shape) \(count) \(kind)")
    }
  }

  private func combined(_ a: Double, _ b: Double, _ kind: ScatterKind) -> Double {
    switch kind {
    case .replace: b
    case .add: a + b
    case .mul: a * b
    case .max: max(a, b)
    case .min: min(a, b)
    }
  }

  @Test func `random gathers and scatters by coordinates match`() throws {
    var random = SeededRandom(state: 503)
    for i in 0..<80 {
      let shape = random.shape(random.int(1...4), 1...4)
      let batch = random.int(0...(shape.count - 1))
      let m = random.int(1...(shape.count - batch))
      let lead = Array(shape[..<batch]) + random.shape(random.int(0...2), 1...4)
      let kind = i % 2 == 0 ? .replace : random.pick(ScatterKind.allCases)
      let type: ElementType =
        kind == .replace ? random.pick(someTypes) : random.pick([.f32, .i64, .i32])
      let x = random.integers(type, shape, 0...9)
      let indices = random.integers(.i64, lead + [m], -5...4)
      /// Where the coordinate at `p` points, behind `batch` axes.
      func place(_ p: [Int], _ batch: Int) -> [Int] {
        Array(p[..<batch]) + (0..<m).map { clamped(indices(p + [$0]), shape[batch + $0]) }
      }
      let tail = Array(shape[(batch + m)...])
      let wanted = tensor(lead + tail, type) { p in
        x(place(Array(p[..<lead.count]), batch) + Array(p[lead.count...]))
      }
      try check(
        .gatherND(GatherND(batchAxes: batch)), [x, indices], is: [wanted],
        note: "\(shape) \(indices.shape) \(batch)")

      let rest = Array(shape[m...])
      let updates = random.integers(type, lead + rest, 0...9)
      var after = x.values
      for p in positions(lead) {
        for q in positions(rest) {
          let at = offset(place(p, 0) + q, in: shape)
          after[at] = combined(after[at], updates(p + q), kind)
        }
      }
      try check(
        .scatterND(ScatterND(kind: kind)), [x, indices, updates],
        is: [TestTensor(type, shape, after)], note: "\(shape) \(indices.shape) \(kind)")
    }
  }

  @Test func `scattering nothing is a copy`() throws {
    var random = SeededRandom(state: 504)
    let x = random.floats([3, 2])
    let none = TestTensor(.i64, [0, 1], [])
    try check(
      .scatterND(ScatterND(kind: .add)), [x, none, TestTensor(.f32, [0, 2], [])], is: [x])
    try check(.gatherND(GatherND()), [x, none], is: [TestTensor(.f32, [0, 2], [])])
  }

  @Test func `one-hot vectors have one element on`() throws {
    var random = SeededRandom(state: 505)
    for _ in 0..<40 {
      let shape = random.shape(random.int(0...3), 1...4)
      let axis = random.int(0...shape.count)
      let depth = random.int(1...5)
      let type = random.pick(someTypes)
      let indices = random.integers(random.pick([.i64, .i32]), shape, -7...7)
      var output = shape
      output.insert(depth, at: axis)
      let wanted = tensor(output, type) { p in
        var q = p
        let i = q.remove(at: axis)
        let index = Int(indices(q))
        return index == i || index + depth == i ? 5 : 2
      }
      try check(
        .oneHot(OneHot(axis: random.bool() ? axis : axis - shape.count - 1)),
        [indices, .i64([depth]), TestTensor(type, [2], [2, 5])], is: [wanted])
    }
  }

  @Test func `what does not fit is refused`() {
    var random = SeededRandom(state: 506)
    let x = random.floats([2, 3])
    let index = TestTensor.i64([0])
    expectRefusal(.gather(Gather(axis: 2)), [x, index])
    expectRefusal(.gather(Gather(axis: 0)), [x, random.floats([1])])
    expectRefusal(.gather(Gather(axis: 0)), [TestTensor(.f32, [0, 3], []), index])
    expectRefusal(.gather(Gather(axis: 0)), [random.floats([]), index])
    expectRefusal(
      .gather(Gather(axis: 0)), [x, random.integers(.i64, [1, 1, 1, 1, 1, 1, 1, 1], 0...1)])
    expectRefusal(.gather(Gather(axis: 1)), [encoded(x, .f16, .rowMajor).0, index])
    expectRefusal(.gather(Gather(axis: 0)), [encoded(x, .f16, .panels).0, index])
    // A quantized vector is one row; picking elements from it would read past the row's end.
    expectRefusal(
      .gather(Gather(axis: 0)), [encoded(random.floats([9]), .int8, .rowMajor).0, index])
    let square = TestTensor(.i64, [1, 1], [0])
    expectRefusal(.gatherElements(GatherElements(axis: 2)), [x, square])
    expectRefusal(.gatherElements(GatherElements(axis: 0)), [x, index])
    expectRefusal(
      .gatherElements(GatherElements(axis: 0)), [x, random.integers(.i64, [1, 4], 0...1)])
    expectRefusal(
      .gatherElements(GatherElements(axis: 0)), [TestTensor(.f32, [0, 3], []), square])
    expectRefusal(.gatherND(GatherND()), [x, random.integers(.i64, [2, 3], 0...1)])
    expectRefusal(.gatherND(GatherND()), [x, TestTensor(.i64, [1, 0], [])])
    expectRefusal(.gatherND(GatherND()), [x, TestTensor(.i64, [], [0])])
    expectRefusal(.gatherND(GatherND(batchAxes: 1)), [x, square])
    expectRefusal(.gatherND(GatherND(batchAxes: 2)), [x, square])
    expectRefusal(.scatterND(ScatterND()), [x, square, random.floats([1, 2])])
    expectRefusal(.scatterND(ScatterND()), [x, square, random.integers(.i32, [1, 3])])
    expectRefusal(
      .scatterND(ScatterND(kind: .add)),
      [random.integers(.u8, [2, 3], 0...1), square, random.integers(.u8, [1, 3], 0...1)])
    expectRefusal(
      .scatterElements(ScatterElements(axis: 0)), [x, square, random.floats([1, 2])])
    let values = random.floats([2])
    expectRefusal(.oneHot(OneHot()), [index, .i64([0]), values])
    expectRefusal(.oneHot(OneHot()), [index, .i64([3]), random.floats([3])])
    expectRefusal(.oneHot(OneHot(axis: 2)), [index, .i64([3]), values])
    expectRefusal(.oneHot(OneHot()), [values, .i64([3]), values])
    expectRefusal(.oneHot(OneHot()), [index, .i64([Int.max]), values])
  }
}
