// Sequences and optionals against lists of tensors, and bytes that are no sequences.
import Operators
import Randomness
import Tensors
import Testing

struct SequenceTests {
  private func items(_ random: inout SeededRandom, _ count: Int) -> [TestTensor] {
    (0..<count).map { _ in
      random.integers(
        random.pick([.f32, .i64, .u8, .f16]), random.shape(random.int(0...3), 0...4), 0...9)
    }
  }

  private func position(_ p: Int) -> TestTensor { TestTensor(.i64, [], [Double(p)]) }

  @Test func constructInsertEraseAt() throws {
    var random = SeededRandom(state: 66)
    for count in [0, 1, 2, 5] {
      let list = items(&random, count)
      let all = TestTensor(sequence: list)
      try check(.sequenceConstruct(SequenceConstruct()), list, is: [all])
      try check(
        .sequenceLength(SequenceLength()), [all], is: [TestTensor(.i64, [], [Double(count)])])
      let new = random.floats([2, 3])
      try check(
        .sequenceInsert(SequenceInsert()), [all, new], is: [TestTensor(sequence: list + [new])])
      for p in -count...count {
        var longer = list
        longer.insert(new, at: p < 0 ? p + count : p)
        try check(
          .sequenceInsert(SequenceInsert()), [all, new, position(p)],
          is: [TestTensor(sequence: longer)])
      }
      for p in -count..<count {
        let at = p < 0 ? p + count : p
        var shorter = list
        shorter.remove(at: at)
        try check(
          .sequenceErase(SequenceErase()), [all, position(p)], is: [TestTensor(sequence: shorter)])
        try check(.sequenceAt(SequenceAt()), [all, position(p)], is: [list[at]])
      }
      if count > 0 {
        try check(
          .sequenceErase(SequenceErase()), [all], is: [TestTensor(sequence: list.dropLast())])
      }
      for p in [count, -count - 1] {
        expectRefusal(.sequenceAt(SequenceAt()), [all, position(p)])
        expectRefusal(.sequenceErase(SequenceErase()), [all, position(p)])
      }
      expectRefusal(.sequenceInsert(SequenceInsert()), [all, new, position(count + 1)])
    }
  }

  @Test func optionals() throws {
    var random = SeededRandom(state: 67)
    let x = random.floats([3])
    func bool(_ b: Bool) -> TestTensor { TestTensor(.bool, [], [b ? 1 : 0]) }
    let some = TestTensor(sequence: [x], isOptional: true)
    let none = TestTensor(sequence: [], isOptional: true)
    let list = TestTensor(sequence: [])
    try check(.sequenceConstruct(SequenceConstruct(isOptional: true)), [x], is: [some])
    try check(.sequenceConstruct(SequenceConstruct(isOptional: true)), [], is: [none])
    expectRefusal(.sequenceConstruct(SequenceConstruct(isOptional: true)), [x, x])
    for (value, holds) in [(some, true), (none, false), (x, true), (list, true)] {
      try check(.optionalHasElement(OptionalHasElement()), [value], is: [bool(holds)])
    }
    try check(.optionalHasElement(OptionalHasElement()), [], is: [bool(false)])
    for (value, item) in [(some, x), (x, x), (list, list)] {
      try check(.optionalGetElement(OptionalGetElement()), [value], is: [item])
    }
    expectRefusal(.optionalGetElement(OptionalGetElement()), [none])
    // A sequence in an optional comes back whole.
    let inner = TestTensor(sequence: [x, random.floats([2, 2])])
    try check(
      .optionalGetElement(OptionalGetElement()), [TestTensor(sequence: [inner], isOptional: true)],
      is: [inner])
  }

  @Test func splitAndConcat() throws {
    var random = SeededRandom(state: 68)
    for shape in [[6], [2, 5], [2, 4, 3]] {
      for axis in shape.indices {
        let x = random.floats(shape)
        func part(_ range: Range<Int>, dropsAxis: Bool = false) -> TestTensor {
          var extents = shape
          extents[axis] = range.count
          let y = tensor(extents) { p in
            var q = p
            q[axis] += range.lowerBound
            return x(q)
          }
          if dropsAxis { extents.remove(at: axis) }
          return TestTensor(.f32, extents, bytes: y.bytes)
        }
        let n = shape[axis]
        let single = (0..<n).map { part($0..<$0 + 1) }
        let flat = (0..<n).map { part($0..<$0 + 1, dropsAxis: true) }
        try check(
          .splitToSequence(SplitToSequence(axis: axis)), [x], is: [TestTensor(sequence: single)])
        try check(
          .splitToSequence(SplitToSequence(axis: axis - shape.count, keepsAxis: false)), [x],
          is: [TestTensor(sequence: flat)])
        let pairs = stride(from: 0, to: n, by: 2).map { part($0..<min($0 + 2, n)) }
        try check(
          .splitToSequence(SplitToSequence(axis: axis)), [x, position(2)],
          is: [TestTensor(sequence: pairs)])
        let uneven = [part(0..<1), part(1..<1), part(1..<n)]
        try check(
          .splitToSequence(SplitToSequence(axis: axis, keepsAxis: false)),
          [x, TestTensor.i64([1, 0, n - 1])], is: [TestTensor(sequence: uneven)])
        for sizes in [[1], [n, 1], [-1, n + 1]] {
          expectRefusal(
            .splitToSequence(SplitToSequence(axis: axis)), [x, TestTensor.i64(sizes)])
        }
        for list in [single, pairs, uneven] {
          try check(
            .concatFromSequence(ConcatFromSequence(axis: axis)), [TestTensor(sequence: list)],
            is: [x])
        }
        try check(
          .concatFromSequence(ConcatFromSequence(axis: axis - shape.count, addsAxis: true)),
          [TestTensor(sequence: flat)], is: [x])
      }
    }
    expectRefusal(.concatFromSequence(ConcatFromSequence(axis: 0)), [TestTensor(sequence: [])])
    expectRefusal(
      .concatFromSequence(ConcatFromSequence(axis: 0)),
      [TestTensor(sequence: [random.floats([2, 2]), random.floats([2, 3])])])
  }

  @Test func changedBytesNeverTrap() throws {
    var random = SeededRandom(state: 69)
    let sound = TestTensor(sequence: [random.floats([2, 3]), TestTensor.i64([1, 2])])
    for _ in 0..<4000 {
      var bytes = sound.bytes
      for _ in 0..<random.int(1...3) {
        let at = random.int(0...(256 / 8 - 1)) * 8
        let value = random.pick([0, 1, 2, 8, 9, 31, 64, 65, 1 << 20, -1, 1 << 40, .max, .min])
        bytes.replaceSubrange(at..<at + 8, with: TestTensor.raw(Int64(value)))
      }
      if random.bool() { bytes.removeLast(random.int(0...bytes.count)) }
      let changed = TestTensor(.sequence, [bytes.count], bytes: bytes)
      for op in [Operator.sequenceLength(SequenceLength()), .sequenceErase(SequenceErase())] {
        let harness = OperatorHarness(op, [changed], with: Variant(kernels: .scalar, pool: nil))
        guard let cost = try? harness.cost(), cost.outputBytes <= 1 << 20 else { continue }
        _ = try harness.run()
      }
    }
  }
}
