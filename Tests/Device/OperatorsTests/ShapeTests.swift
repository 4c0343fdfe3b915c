// Operators that move elements or make them from shapes, against index arithmetic.

import Operators
import Randomness
import Tensors
import Testing

/// Any element type whose values 0 and 1 differ.
private let someTypes: [ElementType] = [.f32, .i64, .u8, .f16, .bool, .f64]

struct ShapeTests {
  @Test func `reshapes keep the elements`() throws {
    var random = SeededRandom(state: 400)
    let x = random.floats([2, 3, 4])
    func expect(_ op: Reshape, _ target: [Int]?, _ shape: [Int]) throws {
      try check(
        .reshape(op), [x] + (target.map { [.i64($0)] } ?? []),
        is: [TestTensor(.f32, shape, bytes: x.bytes)])
    }
    func constant(_ kind: ReshapeKind, _ list: Int...) -> Reshape {
      Reshape(kind, IntegerList(list))
    }
    try expect(Reshape(), [4, 6], [4, 6])
    try expect(Reshape(), [0, -1], [2, 12])
    try expect(Reshape(), [-1], [24])
    try expect(Reshape(), [2, 0, 2, -1], [2, 3, 2, 2])
    try expect(constant(.target, 1, -1), nil, [1, 24])
    try expect(constant(.flatten, 2), nil, [6, 4])
    try expect(constant(.flatten, 0), nil, [1, 24])
    try expect(constant(.flatten, -1), nil, [6, 4])
    try expect(constant(.flatten, 3), nil, [24, 1])
    try expect(constant(.unsqueeze, 0, -1), nil, [1, 2, 3, 4, 1])
    try expect(constant(.unsqueeze, 3, 1), nil, [2, 1, 3, 1, 4])
    try expect(constant(.identity), nil, [2, 3, 4])
    let thin = TestTensor(.f32, [1, 24, 1], bytes: x.bytes)
    try check(
      .reshape(Reshape(.squeeze)), [thin], is: [TestTensor(.f32, [24], bytes: x.bytes)])
    try check(
      .reshape(constant(.squeeze, -1)), [thin],
      is: [TestTensor(.f32, [1, 24], bytes: x.bytes)])
    let empty = TestTensor(.f32, [0, 3], [])
    try check(
      .reshape(Reshape(allowsZero: true)), [empty, .i64([3, 0])],
      is: [TestTensor(.f32, [3, 0], [])])
  }

  @Test func `random transpositions match`() throws {
    var random = SeededRandom(state: 401)
    for i in 0..<60 {
      // Every sixth has axes that are walked by tiles.
      let isLong = i % 6 == 5
      var shape = i == 0 ? [2, 0, 3] : random.shape(random.int(0...5), 1...4)
      if isLong { shape = random.shape(2, 1...3) + random.shape(2, 15...40) }
      let permutation = shape.indices.shuffled(using: &random)
      let type = isLong ? random.pick([.f32, .i8]) : random.pick(someTypes)
      let x = random.integers(type, shape, isLong ? -128...127 : 0...1)
      let wanted = tensor(permutation.map { shape[$0] }, x.type) { p in
        var q = p
        for (i, axis) in permutation.enumerated() { q[axis] = p[i] }
        return x(q)
      }
      try check(
        .transpose(Transpose(IntegerList(permutation))), [x], is: [wanted],
        note: "\(shape) \(permutation)")
      // Without a permutation the axes are turned around.
      let reversed = tensor(shape.reversed(), x.type) { x($0.reversed()) }
      try check(.transpose(Transpose(IntegerList())), [x], is: [reversed], note: "\(shape)")
    }
  }

  @Test func `random concatenations match`() throws {
    var random = SeededRandom(state: 402)
    for _ in 0..<40 {
      let shape = random.shape(random.int(1...4), 1...4)
      let axis = random.int(0...(shape.count - 1))
      let type = random.pick(someTypes)
      let parts = (0..<random.int(1...4)).map { _ in
        var part = shape
        part[axis] = random.int(0...3)
        return random.integers(type, part, 0...1)
      }
      var whole = shape
      whole[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
      let wanted = tensor(whole, type) { p in
        var q = p
        for part in parts {
          if q[axis] < part.shape[axis] { return part(q) }
          q[axis] -= part.shape[axis]
        }
        return .nan
      }
      let negative = random.bool() ? axis - shape.count : axis
      try check(.concat(Concat(axis: negative)), parts, is: [wanted])
    }
  }

  /// Python's rule for one axis: the indices that start:end:step takes.
  private func taken(_ n: Int, _ start: Int, _ end: Int, _ step: Int) -> [Int] {
    let from = start < 0 ? start + n : start
    let to = end < 0 ? end + n : end
    if step > 0 { return Array(stride(from: max(from, 0), to: min(to, n), by: step)) }
    return Array(stride(from: min(from, n - 1), to: max(to, -1), by: step))
  }

  @Test func `random slices match`() throws {
    var random = SeededRandom(state: 403)
    for i in 0..<100 {
      let shape = random.shape(random.int(1...4), 1...6)
      let type = random.pick(someTypes)
      let x = random.integers(type, shape, 0...1)
      let axes = shape.indices.filter { _ in random.bool() }.shuffled(using: &random)
      let steps = axes.map { _ in random.pick([1, 1, 2, 3, -1, -2]) }
      let starts = axes.map { random.int(-shape[$0]...(shape[$0] + 2)) }
      let ends = axes.map { random.int((-shape[$0] - 2)...(shape[$0] + 2)) }
      var indices = shape.map { Array(0..<$0) }
      for (j, a) in axes.enumerated() {
        indices[a] = taken(
          shape[a], starts[j], ends[j] < -shape[a] ? -1 - shape[a] : ends[j], steps[j])
      }
      let wanted = tensor(indices.map { $0.count }, type) { p in
        x(p.indices.map { indices[$0][p[$0]] })
      }
      let given = axes.map { random.bool() ? $0 - shape.count : $0 }
      if i % 2 == 0 {
        let op = Slice(
          starts: IntegerList(starts), ends: IntegerList(ends), axes: IntegerList(given),
          steps: IntegerList(steps))
        guard !axes.isEmpty else { continue }
        try check(
          .slice(op), [x], is: [wanted], note: "\(shape) \(axes) \(starts) \(ends) \(steps)")
      } else {
        guard !axes.isEmpty else { continue }
        try check(
          .slice(Slice()), [x, .i64(starts), .i64(ends), .i64(given), .i64(steps)], is: [wanted],
          note: "\(shape) \(axes) \(starts) \(ends) \(steps)")
      }
    }
  }

  @Test func `slices clamp the widest bounds`() throws {
    let x = TestTensor(.i32, [5], [0, 1, 2, 3, 4])
    func expect(_ start: Int, _ end: Int, _ step: Int, _ values: [Double]) throws {
      try check(
        .slice(Slice()), [x, .i64([start]), .i64([end]), .i64([0]), .i64([step])],
        is: [TestTensor(.i32, [values.count], values)], note: "\(start) \(end) \(step)")
    }
    try expect(.min, .max, 1, [0, 1, 2, 3, 4])
    try expect(.max, .min, -1, [4, 3, 2, 1, 0])
    try expect(-1, .min, -1, [4, 3, 2, 1, 0])
    try expect(.min, .max, .max, [0])
    try expect(.max, .min, .min, [4])
    try expect(.max, .max, 1, [])
    try expect(.min, .min, -1, [0])
    try expect(1, .max, 3, [1, 4])
  }

  @Test func `random expansions and tiles match`() throws {
    var random = SeededRandom(state: 404)
    for _ in 0..<40 {
      let target = random.shape(random.int(1...4), 1...4)
      let dropped = random.int(0...target.count)
      let shape = target[dropped...].map { random.bool() ? $0 : 1 }
      let x = random.integers(random.pick(someTypes), shape, 0...1)
      let wanted = tensor(target, x.type) { p in
        x(zip(p.suffix(shape.count), shape).map { $1 == 1 ? 0 : $0 })
      }
      try check(.expand(Expand()), [x, .i64(target)], is: [wanted], note: "\(shape) \(target)")
      let repeats = shape.map { _ in random.int(0...3) }
      let tiled = tensor(zip(shape, repeats).map { $0 * $1 }, x.type) { p in
        x(zip(p, shape).map { $0 % $1 })
      }
      try check(.tile(Tile()), [x, .i64(repeats)], is: [tiled], note: "\(shape) \(repeats)")
    }
  }

  /// One axis of a padded tensor in NumPy's words: the source of every output index, nil for the fill.
  private func padded(_ n: Int, _ begin: Int, _ end: Int, _ mode: PadMode) -> [Int?] {
    let kept = Array(max(-begin, 0)..<(n + min(end, 0)))
    var row = kept.map { Optional($0) }
    func grow(_ front: Bool) {
      let size = kept.count
      let added = front ? row.count - size : row.count - size - max(begin, 0)
      switch mode {
      case .constant: front ? row.insert(nil, at: 0) : row.append(nil)
      case .edge: front ? row.insert(kept[0], at: 0) : row.append(kept[size - 1])
      case .wrap:
        let j = added % size
        front ? row.insert(kept[size - 1 - j], at: 0) : row.append(kept[j])
      case .reflect:
        // Bounce: walk from the border inwards and back again.
        var (place, step) = front ? (0, 1) : (size - 1, -1)
        for _ in 0...added where size > 1 {
          if place + step < 0 || place + step >= size { step = -step }
          place += step
        }
        front ? row.insert(kept[place], at: 0) : row.append(kept[place])
      }
    }
    for _ in 0..<max(begin, 0) { grow(true) }
    for _ in 0..<max(end, 0) { grow(false) }
    return row
  }

  @Test(arguments: PadMode.allCases)
  func `random padding matches`(mode: PadMode) throws {
    var random = SeededRandom(state: UInt64(410 + mode.rawValue))
    for i in 0..<60 {
      let shape = random.shape(random.int(1...4), 2...5)
      let type = random.pick(someTypes)
      let x = random.integers(type, shape, 0...1)
      let axes = i % 3 == 0 ? Array(shape.indices) : shape.indices.filter { _ in random.bool() }
      guard !axes.isEmpty else { continue }
      let begins = axes.map { _ in random.int(-1...6) }
      let ends = axes.map { a in random.int((shape[a] > 2 ? -1 : 0)...6) }
      var sources = shape.map { n in (0..<n).map { Optional($0) } }
      for (j, a) in axes.enumerated() {
        sources[a] = padded(shape[a], begins[j], ends[j], mode)
      }
      let fill = i % 2 == 0 ? TestTensor(type, [], [1]) : nil
      let wanted = tensor(sources.map { $0.count }, type) { p in
        let at = p.indices.map { sources[$0][p[$0]] }
        return at.contains(nil) ? (fill == nil ? 0 : 1) : x(at.map { $0! })
      }
      let note = "\(shape) \(axes) \(begins) \(ends)"
      let isAll = i % 3 == 0
      try check(
        .pad(
          Pad(
            mode, pads: IntegerList(begins + ends),
            axes: isAll ? IntegerList() : IntegerList(axes.map { $0 - shape.count }))),
        fill.map { [x, nil, $0] } ?? [x], is: [wanted], note: note)
      try check(
        .pad(Pad(mode)), [x, .i64(begins + ends), fill, isAll ? nil : .i64(axes)], is: [wanted],
        note: note)
    }
  }

  @Test func `triangles are cut at their diagonal`() throws {
    var random = SeededRandom(state: 420)
    for _ in 0..<40 {
      let shape = random.shape(random.int(0...2), 1...3) + random.shape(2, 1...5)
      let x = random.integers(random.pick(someTypes), shape, 1...1)
      let op = Trilu(isUpper: random.bool(), diagonal: random.int(-6...6))
      let wanted = tensor(shape, x.type) { p in
        let distance = p[p.count - 1] - p[p.count - 2]
        return (op.isUpper ? distance >= op.diagonal : distance <= op.diagonal) ? x(p) : 0
      }
      try check(.trilu(op), [x], is: [wanted])
    }
  }

  @Test func `shapes, constants and ranges`() throws {
    let x = TestTensor(.f32, [2, 3, 4], [Double](repeating: 0, count: 24))
    func shape(_ op: ShapeOf, _ wanted: TestTensor) throws {
      try check(.shapeOf(op), [x], is: [wanted])
    }
    try shape(ShapeOf(), .i64([2, 3, 4]))
    try shape(ShapeOf(start: 1), .i64([3, 4]))
    try shape(ShapeOf(start: -2, end: -1), .i64([3]))
    try shape(ShapeOf(start: 2, end: 1), .i64([]))
    try shape(ShapeOf(start: -99, end: 99), .i64([2, 3, 4]))
    try shape(ShapeOf(isProduct: true), TestTensor(.i64, [], [24]))
    try check(
      .constantOfShape(ConstantOfShape(.f32, value: 1.5, integer: 0)), [.i64([2, 1])],
      is: [TestTensor(.f32, [2, 1], [1.5, 1.5])])
    try check(
      .constantOfShape(ConstantOfShape(.i32, value: 0, integer: -7)), [.i64([])],
      is: [TestTensor(.i32, [], [-7])])
    try check(
      .constantOfShape(ConstantOfShape(.bool, value: 0, integer: 1)), [.i64([0])],
      is: [TestTensor(.bool, [0], [])])
    func range(_ type: ElementType, _ a: Double, _ b: Double, _ d: Double, _ v: [Double]) throws {
      let inputs = [a, b, d].map { TestTensor(type, [], [$0]) }
      try check(.sequence(Sequence()), inputs, is: [TestTensor(type, [v.count], v)])
    }
    try range(.i64, 3, 9, 2, [3, 5, 7])
    try range(.i32, 3, -4, -3, [3, 0, -3])
    try range(.f32, 0, 1, 0.25, [0, 0.25, 0.5, 0.75])
    try range(.i64, 5, 5, 1, [])
    try range(.i64, 5, 2, 1, [])
  }

  @Test func `what does not fit is refused`() {
    var random = SeededRandom(state: 430)
    let x = random.floats([2, 3, 4])
    func reshape(_ target: Int...) { expectRefusal(.reshape(Reshape()), [x, .i64(target)]) }
    reshape(5, 5)
    reshape(-1, -1)
    reshape(-1, 7)
    reshape(-2, 12)
    reshape(1, 2, 3, 0)
    reshape(0, -1, 0, -1)
    reshape(Int.max, Int.max)
    reshape(1, 1, 1, 1, 1, 1, 1, 1, 24)
    expectRefusal(.reshape(Reshape(.squeeze, IntegerList([0]))), [x])
    expectRefusal(.reshape(Reshape(.unsqueeze, IntegerList([0, 0]))), [x])
    expectRefusal(.reshape(Reshape(.unsqueeze, IntegerList([4]))), [x])
    expectRefusal(.reshape(Reshape(.flatten, IntegerList([4]))), [x])
    expectRefusal(.transpose(Transpose(IntegerList([0, 1]))), [x])
    expectRefusal(.transpose(Transpose(IntegerList([0, 1, 1]))), [x])
    expectRefusal(.transpose(Transpose(IntegerList([0, 1, 3]))), [x])
    expectRefusal(.concat(Concat(axis: 3)), [x])
    expectRefusal(.concat(Concat(axis: 0)), [x, random.floats([2, 3, 5])])
    expectRefusal(.concat(Concat(axis: 0)), [x, random.floats([2, 12])])
    expectRefusal(.concat(Concat(axis: 0)), [x, random.integers(.i32, [2, 3, 4])])
    expectRefusal(.concat(Concat(axis: 0)), [x, nil])
    expectRefusal(.slice(Slice()), [x, .i64([0]), .i64([1]), .i64([3])])
    expectRefusal(.slice(Slice()), [x, .i64([0]), .i64([1, 2])])
    expectRefusal(.slice(Slice()), [x, .i64([0]), .i64([1]), .i64([0]), .i64([0])])
    expectRefusal(.slice(Slice()), [x, .i64([0]), .i64([1]), .i64([Int.min])])
    expectRefusal(.slice(Slice()), [x, .i64([0, 0, 0, 0]), .i64([1, 1, 1, 1])])
    expectRefusal(.expand(Expand()), [x, .i64([2, 3, 5])])
    expectRefusal(.expand(Expand()), [x, .i64([-1, 3, 4])])
    expectRefusal(.expand(Expand()), [x, .i64([Int.max, 1, 1, 1])])
    expectRefusal(.tile(Tile()), [x, .i64([1, 1])])
    expectRefusal(.tile(Tile()), [x, .i64([1, -1, 1])])
    expectRefusal(.tile(Tile()), [x, .i64([Int.max, 1, 1])])
    expectRefusal(.pad(Pad(.constant)), [x])
    expectRefusal(.pad(Pad(.constant)), [x, .i64([0, 0, 0])])
    expectRefusal(.pad(Pad(.constant)), [x, .i64([-2, 0, 0, -1, 0, 0])])
    expectRefusal(.pad(Pad(.constant)), [x, .i64([Int.min, 0, 0, 0, 0, 0])])
    expectRefusal(.pad(Pad(.constant)), [x, .i64([Int.max, 0, 0, Int.max, 0, 0])])
    expectRefusal(.pad(Pad(.constant)), [x, .i64([0, 0]), nil, .i64([5])])
    expectRefusal(.pad(Pad(.edge)), [TestTensor(.f32, [0], []), .i64([1, 0])])
    expectRefusal(.pad(Pad(.constant)), [x, .i64([0, 0, 0, 0, 0, 0]), .i64([1])])
    expectRefusal(.trilu(Trilu()), [random.floats([4])])
    expectRefusal(.constantOfShape(ConstantOfShape(.f32, value: 0, integer: 0)), [.i64([-1])])
    expectRefusal(
      .constantOfShape(ConstantOfShape(.f32, value: 0, integer: 0)), [.i64([1 << 40, 1 << 40])])
    expectRefusal(
      .constantOfShape(ConstantOfShape(.f32, value: 0, integer: 0)), [.i64([0, Int.max])])
    let one = TestTensor(.i64, [], [1])
    expectRefusal(.sequence(Sequence()), [one, one, TestTensor(.i64, [], [0])])
    expectRefusal(.sequence(Sequence()), [one, one, .i64([])])
    expectRefusal(.sequence(Sequence()), [one, one, TestTensor(.f32, [], [1])])
    expectRefusal(
      .sequence(Sequence()), [one, TestTensor(.i64, [], [0x1p60]), TestTensor(.i64, [], [1])])
  }
}
