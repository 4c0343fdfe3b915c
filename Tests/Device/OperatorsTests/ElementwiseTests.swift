// Unary, Binary, Select and Cast against one formula per element.

import Foundation
import Operators
import Randomness
import Tensors
import Testing

/// The position in an operand that broadcasts to `p`.
private func broadcast(_ p: [Int], _ shape: [Int]) -> [Int] {
  zip(p.suffix(shape.count), shape).map { $1 == 1 ? 0 : $0 }
}

/// Two shapes that broadcast, and what they broadcast to.
private func broadcastShapes(_ random: inout SeededRandom) -> ([Int], [Int], [Int]) {
  let both = random.shape(random.int(0...4), 1...6)
  var (a, b) = (both, both)
  for i in both.indices {
    switch random.int(0...5) {
    case 0: a[i] = 1
    case 1: b[i] = 1
    default: break
    }
  }
  if random.bool() { a.removeFirst(random.int(0...(a.prefix { $0 == 1 }.count))) }
  if random.bool() { b.removeFirst(random.int(0...(b.prefix { $0 == 1 }.count))) }
  let rank = max(a.count, b.count)
  func extent(_ shape: [Int], _ i: Int) -> Int {
    i < rank - shape.count ? 1 : shape[i - (rank - shape.count)]
  }
  return (a, b, (0..<rank).map { max(extent(a, $0), extent(b, $0)) })
}

private func unary(_ x: Double, _ op: Unary) -> Double {
  let (p0, p1) = (Double(op.p0), Double(op.p1))
  func softplus(_ x: Double) -> Double { log1p(exp(-abs(x))) + max(x, 0) }
  switch op.kind {
  case .exp: return exp(x)
  case .erf: return erf(x)
  case .sqrt: return x.squareRoot()
  case .abs: return abs(x)
  case .neg: return -x
  case .reciprocal: return 1 / x
  case .affine: return p0 * x + p1
  case .log: return log(x)
  case .floor: return x.rounded(.down)
  case .ceil: return x.rounded(.up)
  case .round: return x.rounded(.toNearestOrEven)
  case .sign: return x > 0 ? 1 : x < 0 ? -1 : 0
  case .not: return x == 0 ? 1 : 0
  case .elu: return x > 0 ? x : p0 * expm1(x)
  case .selu: return p1 * (x > 0 ? x : p0 * expm1(x))
  case .softplus: return softplus(x)
  case .softsign: return x / (1 + abs(x))
  case .sin: return sin(x)
  case .cos: return cos(x)
  case .mish: return x * tanh(softplus(x))
  case .isNaN: return x.isNaN ? 1 : 0
  case .tan: return tan(x)
  case .asin: return asin(x)
  case .acos: return acos(x)
  case .atan: return atan(x)
  case .sinh: return sinh(x)
  case .cosh: return cosh(x)
  case .asinh: return asinh(x)
  case .acosh: return acosh(x)
  case .atanh: return atanh(x)
  default:
    for kind in Activation.allCases where Activation(op.kind) == kind {
      return activated(x, FusedActivation(kind, op.p0, op.p1))
    }
    return .nan
  }
}

private func binary(_ a: Double, _ b: Double, _ kind: BinaryKind, isInteger: Bool) -> Double {
  switch kind {
  case .add: a + b
  case .sub: a - b
  case .mul: a * b
  case .div: isInteger ? (b == 0 ? 0 : (a / b).rounded(.towardZero)) : a / b
  case .max: max(a, b)
  case .min: min(a, b)
  case .pow: isInteger && b < 0 ? pow(a, b).rounded(.towardZero) : pow(a, b)
  case .mod: isInteger && b == 0 ? 0 : a - b * (a / b).rounded(.down)
  case .fmod: isInteger && b == 0 ? 0 : fmod(a, b)
  case .prelu: a >= 0 ? a : a * b
  case .equal: a == b ? 1 : 0
  case .less: a < b ? 1 : 0
  case .lessOrEqual: a <= b ? 1 : 0
  case .greater: a > b ? 1 : 0
  case .greaterOrEqual: a >= b ? 1 : 0
  case .and: a != 0 && b != 0 ? 1 : 0
  case .or: a != 0 || b != 0 ? 1 : 0
  case .xor: (a != 0) != (b != 0) ? 1 : 0
  case .bitAnd: Double(Int(a) & Int(b))
  case .bitOr: Double(Int(a) | Int(b))
  case .bitXor: Double(Int(a) ^ Int(b))
  case .shiftLeft: b < 0 ? 0 : a * pow(2, b)
  case .shiftRight: b < 0 ? (a < 0 ? -1 : 0) : (a / pow(2, b)).rounded(.down)
  }
}

/// Where a function is defined and its result is not all rounding.
private func domain(_ kind: UnaryKind) -> ClosedRange<Float> {
  switch kind {
  case .sqrt, .log: 0.01...9
  case .tan: -1.2...1.2
  case .asin, .acos, .atanh: -0.99...0.99
  case .acosh: 1.01...9
  default: -6...6
  }
}

struct ElementwiseTests {
  @Test(arguments: UnaryKind.allCases)
  func `unary functions match`(kind: UnaryKind) throws {
    var random = SeededRandom(state: UInt64(30 + kind.rawValue))
    let op = Unary(kind, kind == .clip ? -0.75 : 1.25, 0.5)
    for shape in [[], [1], [0], [7, 3], [2, 100], [40_000]] {
      if kind == .not {
        let x = random.integers(.bool, shape, 0...1)
        try check(
          .unary(op), [x], is: [TestTensor(.bool, shape, x.values.map { unary($0, op) })])
        continue
      }
      var x = random.floats(shape, domain(kind))
      if kind == .isNaN, shape.count > 1 {
        x = TestTensor(.f32, shape, x.values.map { $0 > 2 ? .nan : $0 })
      }
      let wanted = TestTensor(
        kind == .isNaN ? .bool : .f32, shape, x.values.map { unary($0, op) })
      // Relative alone near 0 for functions that lose nothing there; sin and cos of 6 lose an ulp of 6.
      try check(.unary(op), [x], is: [wanted], within: .functions)
    }
  }

  @Test func `whole numbers take the functions that keep them whole`() throws {
    var random = SeededRandom(state: 70)
    for type in [ElementType.i64, .i32] {
      for kind in [UnaryKind.abs, .neg, .sign, .clip, .relu] {
        let op = Unary(kind, -3, 4)
        let x = random.integers(type, [5, 9])
        try check(.unary(op), [x], is: [TestTensor(type, [5, 9], x.values.map { unary($0, op) })])
      }
    }
    let lowest = TestTensor(.i32, [1], [Double(Int32.min)])
    try check(.unary(Unary(.neg)), [lowest], is: [lowest])
    try check(.unary(Unary(.abs)), [lowest], is: [lowest])
  }

  @Test(arguments: BinaryKind.allCases)
  func `binary functions broadcast`(kind: BinaryKind) throws {
    var random = SeededRandom(state: UInt64(80 + kind.rawValue))
    let isPredicate = (BinaryKind.equal.rawValue...BinaryKind.xor.rawValue).contains(kind.rawValue)
    let isLogical = [.and, .or, .xor].contains(kind)
    let isBitwise = kind.rawValue > BinaryKind.xor.rawValue
    for i in 0..<24 {
      var (a, b, shape) = broadcastShapes(&random)
      if i == 0 { (a, b, shape) = ([300, 200], [200], [300, 200]) }
      if i == 1 { (a, b, shape) = ([4, 0, 3], [3], [4, 0, 3]) }
      let type: ElementType =
        isLogical ? .bool : random.pick(isBitwise ? [.i64, .i32] : [.f32, .f32, .i64, .i32])
      let isInteger = type != .f32
      // Few values, so that some are equal; powers of positive numbers only, where they are real.
      let x =
        isLogical
        ? random.integers(.bool, a, 0...1)
        : isInteger ? random.integers(type, a) : random.floats(a, kind == .pow ? 0.1...3 : -5...5)
      let y =
        isLogical
        ? random.integers(.bool, b, 0...1)
        : isInteger
          ? random.integers(type, b, kind == .pow ? -1...4 : -9...9) : random.floats(b, -5...5)
      guard !(isInteger && kind == .pow && x.values.contains(0)) else { continue }
      let (p, q) = (x.values, y.values)
      let wanted = tensor(shape, isPredicate ? .bool : type) {
        binary(
          p[offset(broadcast($0, a), in: a)], q[offset(broadcast($0, b), in: b)], kind,
          isInteger: isInteger)
      }
      // The remainder of a quotient near a whole number may come out as 0 or as the divisor.
      let tolerance = isInteger || isPredicate ? Tolerance.exact : .functions
      try check(
        .binary(Binary(kind)), [x, y], is: [wanted], within: tolerance, note: "\(a) \(b) \(type)")
    }
  }

  @Test func `whole numbers wrap instead of trapping`() throws {
    let low = TestTensor(.i64, [2], bytes: TestTensor.raw(Int64.min) + TestTensor.raw(Int64.max))
    let minus = TestTensor.i64([-1, 2])
    func expect(_ kind: BinaryKind, _ values: Int64...) throws {
      try check(
        .binary(Binary(kind)), [low, minus],
        is: [TestTensor(.i64, [2], bytes: values.flatMap { TestTensor.raw($0) })])
    }
    try expect(.add, .max, .min + 1)
    try expect(.mul, .min, -2)
    try expect(.div, .min, .max / 2)
    try expect(.fmod, 0, 1)
    try expect(.mod, 0, 1)
    try expect(.shiftLeft, 0, -4)
    try expect(.shiftRight, -1, .max / 4)
  }

  @Test func `64 bits without a sign are compared and divided as such`() throws {
    let a = TestTensor(.u64, [2], bytes: TestTensor.raw(UInt64.max) + TestTensor.raw(UInt64(7)))
    let b = TestTensor(.u64, [2], bytes: TestTensor.raw(UInt64(3)) + TestTensor.raw(UInt64.max - 1))
    func expect(_ kind: BinaryKind, _ values: UInt64...) throws {
      try check(
        .binary(Binary(kind)), [a, b],
        is: [TestTensor(.u64, [2], bytes: values.flatMap { TestTensor.raw($0) })])
    }
    try expect(.max, .max, .max - 1)
    try expect(.div, .max / 3, 0)
    try expect(.mod, 0, 7)
    try expect(.shiftRight, .max >> 3, 0)
    try check(.binary(Binary(.less)), [a, b], is: [TestTensor(.bool, [2], [0, 1])])
    let largest = Reduce(.max, axes: IntegerList(), keepsAxes: false)
    try check(.reduce(largest), [a], is: [TestTensor(.u64, [], bytes: TestTensor.raw(UInt64.max))])
    try check(
      .topK(TopK()), [a, .i64([1])],
      is: [TestTensor(.u64, [1], bytes: TestTensor.raw(UInt64.max)), .i64([0])])
  }

  @Test func `select takes a where the condition holds`() throws {
    var random = SeededRandom(state: 110)
    for i in 0..<40 {
      let (a, b, both) = broadcastShapes(&random)
      let c = i % 3 == 0 ? [] : both.map { random.bool() ? $0 : 1 }
      let type = random.pick([ElementType.f32, .i64, .bool, .f16])
      let condition = random.integers(.bool, c, 0...1)
      let x = random.integers(type, a, 0...1)
      let y = random.integers(type, b, 0...1)
      let (p, q, r) = (x.values, y.values, condition.values)
      let wanted = tensor(both, type) {
        r[offset(broadcast($0, c), in: c)] != 0
          ? p[offset(broadcast($0, a), in: a)] : q[offset(broadcast($0, b), in: b)]
      }
      try check(.select(Select()), [condition, x, y], is: [wanted], note: "\(c) \(a) \(b)")
    }
  }

  private func holds100(_ type: ElementType) -> Bool {
    switch type {
    case .bool, .i4, .u4, .i2, .u2: false
    default: !type.isFloatingPoint || type.byteCount > 1
    }
  }

  static let narrow: [ElementType] = [
    .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1,
  ]

  /// Every byte means what the type's definition says, and is what its number becomes.
  @Test(arguments: narrow) func `narrow reals there and back`(type: ElementType) {
    for byte in UInt8.min...(type == .f4e2m1 ? 15 : 255) {
      let number = TestTensor.narrowNumber(byte, type)
      let found = Double(type.number(UInt16(byte)))
      #expect(found == number || found.isNaN && number.isNaN, "\(type) \(byte)")
      guard !number.isNaN else { continue }
      #expect(type.bits(number, rounding: .down) == UInt16(byte), "\(type) \(byte)")
    }
  }

  /// The nearest of all numbers of the type, of two the one whose last bit is 0.
  @Test(arguments: narrow.filter { $0 != .f8e8m0 })
  func `narrow reals round to nearest even`(type: ElementType) {
    var random = SeededRandom(state: 7)
    let all = (UInt8.min...(type == .f4e2m1 ? 15 : 255)).map {
      (bits: $0, number: TestTensor.narrowNumber($0, type))
    }.filter { $0.number.isFinite }
    let sorted = all.map(\.number).sorted()
    for i in 0..<400 {
      var x = Double.random(in: -500...500, using: &random) * pow(2, Double(-random.int(0...20)))
      // Half-way between two neighbours.
      if i % 4 == 0 {
        let at = random.int(0...sorted.count - 2)
        x = (sorted[at] + sorted[at + 1]) / 2
      }
      let best = all.min { a, b in
        let (p, q) = ((a.number - x).magnitude, (b.number - x).magnitude)
        if p != q { return p < q }
        return a.number.magnitude == b.number.magnitude
          ? (a.number.sign == x.sign) && b.number.sign != x.sign
          : a.bits & 1 == 0 && b.bits & 1 == 1
      }!
      let found = type.number(type.bits(x, saturates: true))
      #expect(Double(found) == best.number, "\(type) \(x)")
    }
  }

  @Test func `powers of two round as they are told`() {
    let type = ElementType.f8e8m0
    for (x, up, down, nearest) in [
      (1.0, 127, 127, 127), (1.1, 128, 127, 127), (1.5, 128, 127, 128), (3, 129, 128, 129),
      (0.124, 124, 123, 124), (-4, 129, 129, 129), (.infinity, 255, 255, 255),
    ] as [(Double, UInt16, UInt16, UInt16)] {
      #expect(type.bits(x, rounding: .up) == up)
      #expect(type.bits(x, rounding: .down) == down)
      #expect(type.bits(x, rounding: .nearest) == nearest)
    }
    #expect(type.bits(0x1.8p127, saturates: true) == 254)
    #expect(type.bits(0x1.8p127, saturates: false) == 255)
  }

  @Test func `bits are read as another type`() throws {
    let x = TestTensor(.f32, [2, 2], [1, -2.5, 3.75, -0])
    try check(.bitCast(BitCast(to: .i32)), [x], is: [TestTensor(.i32, [2, 2], bytes: x.bytes)])
    let nibbles = TestTensor(.i4, [3], [-1, 7, -8])
    try check(.bitCast(BitCast(to: .u4)), [nibbles], is: [TestTensor(.u4, [3], [15, 7, 8])])
    let back = TestTensor(.u4, [3], [15, 7, 8])
    try check(.bitCast(BitCast(to: .i4)), [back], is: [nibbles])
    expectRefusal(.bitCast(BitCast(to: .i64)), [x])
  }

  @Test(arguments: ElementType.allCases.filter(\.isNumber))
  func `casts keep what both types hold`(from: ElementType) throws {
    var random = SeededRandom(state: 120)
    for to in ElementType.allCases where to.isNumber {
      let least = from == .f8e8m0 || to == .f8e8m0 ? 1 : 0
      let isNarrow = min(from.byteCount, to.byteCount) == 1 && ![from, to].allSatisfy(holds100)
      let x = random.integers(from, [3, 5], isNarrow ? least...1 : 0...100)
      let wanted = TestTensor(to, [3, 5], x.values.map { to == .bool ? ($0 == 0 ? 0 : 1) : $0 })
      try check(.cast(Cast(to: to)), [x], is: [wanted])
    }
  }

  @Test func `floats saturate, wider integers wrap`() throws {
    func cast(_ x: TestTensor, _ to: ElementType, _ bytes: [UInt8]) throws {
      try check(
        .cast(Cast(to: to)), [x], is: [TestTensor(to, x.shape, bytes: bytes)],
        note: "\(x.values) to \(to)")
    }
    let big = TestTensor(.f32, [6], [1e30, -1e30, .nan, .infinity, -1.9, 300.7])
    func raw<T>(_ v: [T]) -> [UInt8] { v.flatMap { TestTensor.raw($0) } }
    try cast(big, .i64, raw([.max, .min, 0, .max, -1, 300] as [Int64]))
    try cast(big, .i32, raw([.max, .min, 0, .max, -1, 300] as [Int32]))
    try cast(big, .u64, raw([.max, 0, 0, .max, 0, 300] as [UInt64]))
    try cast(big, .i8, raw([127, -128, 0, 127, -1, 127] as [Int8]))
    try cast(big, .u8, raw([255, 0, 0, 255, 0, 255] as [UInt8]))
    try cast(big, .bool, [1, 1, 1, 1, 1, 1])
    let wide = TestTensor(.i64, [3], bytes: raw([0x1_2345_6789, -1, 384] as [Int64]))
    try cast(wide, .i32, raw([0x2345_6789, -1, 384] as [Int32]))
    try cast(wide, .u8, [0x89, 255, 128])
    try cast(wide, .i8, raw([Int8(bitPattern: 0x89), -1, -128]))
    try cast(wide, .u32, raw([0x2345_6789, .max, 384] as [UInt32]))
    let huge = TestTensor(.u64, [1], bytes: raw([UInt64.max]))
    try cast(huge, .f32, raw([Float(0x1p64)]))
    try cast(huge, .i32, raw([Int32(-1)]))
    let half = TestTensor(.f32, [3], [1.00048828125, 70000, 1e-9])
    try cast(half, .f16, raw([Float16(1), .infinity, 0]))
    try cast(half, .bf16, raw([0x3f80, 0x4789, 0x3089] as [UInt16]))
  }

  @Test func `what does not fit is refused`() {
    var random = SeededRandom(state: 130)
    let x = random.floats([2, 3])
    let whole = random.integers(.i64, [2, 3])
    expectRefusal(.unary(Unary(.exp)), [whole])
    expectRefusal(.unary(Unary(.not)), [x])
    expectRefusal(.unary(Unary(.exp)), [x, x])
    expectRefusal(.unary(Unary(.exp)), [nil])
    expectRefusal(.unary(Unary(.exp)), [encoded(x, .f16, .rowMajor).0])
    expectRefusal(.binary(Binary(.add)), [x, whole])
    expectRefusal(.binary(Binary(.add)), [x, random.floats([2])])
    expectRefusal(.binary(Binary(.and)), [x, x])
    expectRefusal(.binary(Binary(.less)), [random.integers(.bool, [1], 0...1), x])
    expectRefusal(.select(Select()), [x, x, x])
    expectRefusal(.select(Select()), [random.integers(.bool, [4], 0...1), x, x])
    expectRefusal(.select(Select()), [random.integers(.bool, [1], 0...1), x, whole])
  }
}
