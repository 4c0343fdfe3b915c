// Unary, Binary, Select and Cast against one formula per element.

import Foundation
import Operators
import Tensors
import Testing

/// The position in an operand that broadcasts to `p`.
private func broadcast(_ p: [Int], _ shape: [Int]) -> [Int] {
  zip(p.suffix(shape.count), shape).map { $1 == 1 ? 0 : $0 }
}

/// Two shapes that broadcast, and what they broadcast to.
private func broadcastShapes(_ random: inout FixedRandom) -> ([Int], [Int], [Int]) {
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
  }
}

struct ElementwiseTests {
  @Test(arguments: UnaryKind.allCases)
  func `unary functions match`(kind: UnaryKind) throws {
    var random = FixedRandom(UInt64(30 + kind.rawValue))
    let op = Unary(kind, kind == .clip ? -0.75 : 1.25, 0.5)
    for shape in [[], [1], [0], [7, 3], [2, 100], [40_000]] {
      if kind == .not {
        let x = random.integers(.bool, shape, 0...1)
        try check(
          .unary(op), [x], is: [TestTensor(.bool, shape, x.values.map { unary($0, op) })])
        continue
      }
      var x = random.floats(shape, kind == .sqrt || kind == .log ? 0.01...9 : -6...6)
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
    var random = FixedRandom(70)
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
    var random = FixedRandom(UInt64(80 + kind.rawValue))
    let isPredicate = kind.rawValue >= BinaryKind.equal.rawValue
    let isLogical = kind.rawValue >= BinaryKind.and.rawValue
    for i in 0..<24 {
      var (a, b, shape) = broadcastShapes(&random)
      if i == 0 { (a, b, shape) = ([300, 200], [200], [300, 200]) }
      if i == 1 { (a, b, shape) = ([4, 0, 3], [3], [4, 0, 3]) }
      let type: ElementType = isLogical ? .bool : random.pick([.f32, .f32, .i64, .i32])
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
  }

  @Test func `select takes a where the condition holds`() throws {
    var random = FixedRandom(110)
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

  @Test(arguments: ElementType.allCases)
  func `casts keep what both types hold`(from: ElementType) throws {
    var random = FixedRandom(120)
    for to in ElementType.allCases {
      let x = random.integers(from, [3, 5], from == .bool ? 0...1 : 0...100)
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
    var random = FixedRandom(130)
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
