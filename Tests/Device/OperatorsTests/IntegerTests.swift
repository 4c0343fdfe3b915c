// Integer convolution, products, sums and pools against sums in whole numbers, element by element.
import Operators
import Randomness
import Tensors
import Testing

/// The parameters of a quantized product, drawn at random.
private struct Parameters {
  var xZero: Int
  var wZeros: [Int]
  var bias: [Int]
  var scales: [Double]
  var yZero: Int
  var xType: ElementType
  var wType: ElementType
  var yType: ElementType

  init(_ random: inout SeededRandom, outputs: Int) {
    func range(_ t: ElementType) -> ClosedRange<Int> { t == .i8 ? -128...127 : 0...255 }
    xType = random.pick([.i8, .u8])
    wType = random.pick([.i8, .u8])
    yType = random.pick([.i8, .u8])
    xZero = random.int(range(xType))
    let type = wType
    wZeros = (0..<random.pick([1, outputs])).map { _ in random.int(range(type)) }
    bias = (0..<outputs).map { _ in random.int(-5000...5000) }
    scales = (0..<random.pick([1, outputs])).map { _ in
      Double(Float.random(in: 0.0005...0.01, using: &random))
    }
    yZero = random.int(range(yType))
  }

  func wZero(_ j: Int) -> Int { wZeros.count == 1 ? wZeros[0] : wZeros[j] }

  /// The optional inputs in their order.
  var inputs: [TestTensor?] {
    [
      TestTensor(xType, [], [Double(xZero)]),
      TestTensor(wType, [wZeros.count], wZeros.map { Double($0) }),
      TestTensor(.i32, [bias.count], bias.map { Double($0) }),
      TestTensor(.f32, [scales.count], scales),
      TestTensor(yType, [], [Double(yZero)]),
    ]
  }

  func output(_ sum: Int, _ j: Int) -> Double {
    let scale = Float(scales.count == 1 ? scales[0] : scales[j])
    let real = (Float(sum + bias[j]) * scale).rounded(.toNearestOrEven)
    let limits: (Double, Double) = yType == .i8 ? (-128, 127) : (0, 255)
    return min(max(Double(real) + Double(yZero), limits.0), limits.1)
  }
}

@Suite struct IntegerTests {
  /// Bytes of the whole range, extremes among them.
  func bytes(_ random: inout SeededRandom, _ type: ElementType, _ shape: [Int]) -> TestTensor {
    let range = type == .i8 ? -128...127 : 0...255
    let values = (0..<shape.reduce(1, *)).map { _ in
      Double(random.pick([random.int(range), range.lowerBound, range.upperBound]))
    }
    return TestTensor(type, shape, values)
  }

  /// What PackRows makes of [matrices, n, k].
  func packed(_ w: TestTensor) throws -> [TestTensor] {
    let variant = Variant(kernels: .scalar, pool: nil)
    return try OperatorHarness(.packRows(PackRows()), [w], outputs: 2, with: variant).run()
  }

  @Test func packingTurnsColumns() throws {
    var random = SeededRandom(state: 1)
    let w = bytes(&random, .u8, [2, 17, 5])
    let turned = tensor([2, 5, 17], .u8) { p in w([p[0], p[2], p[1]]) }
    let a = try packed(w)
    let variant = Variant(kernels: .scalar, pool: nil)
    let b = try OperatorHarness(
      .packRows(PackRows(isTransposed: true)), [turned], outputs: 2, with: variant
    ).run()
    #expect(a == b)
    expectRoundTrip(.packRows(PackRows(isTransposed: true)))
  }

  @Test(arguments: 0..<24) func products(_ seed: Int) throws {
    var random = SeededRandom(state: UInt64(seed) + 10)
    let m = random.pick([1, 2, 5, 13, 30])
    let n = random.pick([1, 3, 16, 17, 33, 50])
    let k = random.pick([1, 3, 4, 8, 21, 64, 100])
    let p = Parameters(&random, outputs: n)
    let x = bytes(&random, p.xType, [m, k])
    let w = bytes(&random, p.wType, [1, n, k])
    let (xs, ws) = (x.values.map { Int($0) }, w.values.map { Int($0) })
    let wanted = tensor([m, n], p.yType) { at in
      var sum = 0
      for q in 0..<k {
        sum += (xs[at[0] * k + q] - p.xZero) * (ws[at[1] * k + q] - p.wZero(at[1]))
      }
      return p.output(sum, at[1])
    }
    let op = Operator.integerProduct(IntegerProduct(IntegerEpilogue(p.yType)))
    try check(op, [x] + (try packed(w)) + p.inputs, is: [wanted], note: "\(m) \(n) \(k)")
  }

  @Test func productsOfManyMatricesWithZerosByRow() throws {
    var random = SeededRandom(state: 77)
    let (b, m, n, k) = (3, 4, 18, 9)
    let x = bytes(&random, .i8, [b, m, k])
    let w = bytes(&random, .u8, [b, n, k])
    let zeros = bytes(&random, .i8, [b * m])
    let wZero = TestTensor(.u8, [], [200])
    let wanted = tensor([b, m, n], .i32) { at in
      (0..<k).reduce(0.0) { sum, q in
        sum + (x([at[0], at[1], q]) - zeros([at[0] * m + at[1]]))
          * (w([at[0], at[2], q]) - 200)
      }
    }
    let op = Operator.integerProduct(IntegerProduct(IntegerEpilogue(.i32)))
    try check(op, [x] + (try packed(w)) + [zeros, wZero], is: [wanted])
  }

  @Test(arguments: 0..<30) func convolutions(_ seed: Int) throws {
    var random = SeededRandom(state: UInt64(seed) + 100)
    let groups = random.pick([1, 1, 2, 3])
    let (c, o) = (random.pick([1, 3, 4, 8]), random.pick([1, 5, 16, 20]))
    let (kh, kw) = (random.int(1...3), random.int(1...3))
    let (h, w) = (random.int(5...9), random.int(5...9))
    let window = Window(
      strides: IntegerList([random.int(1...2), random.int(1...2)]),
      dilations: IntegerList([random.int(1...2), random.int(1...2)]),
      pads: IntegerList((0..<4).map { _ in random.int(0...1) }))
    let p = Parameters(&random, outputs: groups * o)
    let x = bytes(&random, p.xType, [2, h, w, groups * c])
    let filters = bytes(&random, p.wType, [groups, o, kh * kw * c])
    let (sy, sx) = (window.strides[0], window.strides[1])
    let (dy, dx) = (window.dilations[0], window.dilations[1])
    let outH = (h + window.pads[0] + window.pads[2] - dy * (kh - 1) - 1) / sy + 1
    let outW = (w + window.pads[1] + window.pads[3] - dx * (kw - 1) - 1) / sx + 1
    let (xs, ws) = (x.values.map { Int($0) }, filters.values.map { Int($0) })
    func sum(_ at: [Int], channels: Range<Int>, _ weight: (Int, Int) -> Int) -> Int {
      var sum = 0
      for tap in 0..<(kh * kw) {
        let y = at[1] * sy + tap / kw * dy - window.pads[0]
        let z = at[2] * sx + tap % kw * dx - window.pads[1]
        guard y >= 0, y < h, z >= 0, z < w else { continue }
        for q in channels {
          let value = xs[((at[0] * h + y) * w + z) * groups * c + q]
          sum += (value - p.xZero) * weight(tap, q - channels.lowerBound)
        }
      }
      return sum
    }
    let wanted = tensor([2, outH, outW, groups * o], p.yType) { at in
      let (g, j) = (at[3] / o, at[3])
      return p.output(
        sum(at, channels: g * c..<(g + 1) * c) { tap, q in
          ws[j * kh * kw * c + tap * c + q] - p.wZero(j)
        }, j)
    }
    let kernel = IntegerList([kh, kw])
    let op = IntegerConv(
      kernel: kernel, window: window, groups: groups, epilogue: IntegerEpilogue(p.yType))
    try check(.integerConv(op), [x] + (try packed(filters)) + p.inputs, is: [wanted])

    // Depthwise over the same picture.
    let channels = groups * c
    let q = Parameters(&random, outputs: channels)
    var other = q
    other.xType = p.xType
    other.xZero = p.xZero
    let rows = bytes(&random, q.wType, [kh * kw, channels])
    let rs = rows.values.map { Int($0) }
    let deep = tensor([2, outH, outW, channels], q.yType) { at in
      let j = at[3]
      return other.output(
        sum(at, channels: j..<(j + 1)) { tap, _ in rs[tap * channels + j] - q.wZero(j) }, j)
    }
    let depthwise = IntegerDepthwise(
      kernel: kernel, window: window, epilogue: IntegerEpilogue(q.yType))
    try check(.integerDepthwise(depthwise), [x, rows] + other.inputs, is: [deep])
  }

  /// TFLite's fixed point: mantissa and shift, rounded once or twice.
  @Test(arguments: [false, true]) func fixedPoint(_ roundsOnce: Bool) throws {
    var random = SeededRandom(state: 5)
    let (m, n, k) = (7, 21, 40)
    let x = bytes(&random, .i8, [m, k])
    let w = bytes(&random, .i8, [1, n, k])
    let factors = (0..<n).map { _ in FixedMultiplier(Double.random(in: 1e-5...0.02, using: &random))
    }
    let pairs = TestTensor(
      .i32, [n, 2], factors.flatMap { [Double($0.mantissa), Double($0.shift)] })
    let (xs, ws) = (x.values.map { Int($0) }, w.values.map { Int($0) })
    let wanted = tensor([m, n], .i8) { at in
      let sum = (0..<k).reduce(0) { $0 + xs[at[0] * k + $1] * ws[at[1] * k + $1] }
      let f = factors[at[1]]
      // In 128 bits: exact products, then the roundings by their definition.
      let product = Int128(sum) * Int128(f.mantissa)
      let y: Int128
      if roundsOnce {
        let right = Int128(31 - f.shift)
        y = (product + (Int128(1) << (right - 1))) >> right
      } else {
        // Ties of the first go up, of the second away from zero.
        let high = product >= 0 ? (product + (1 << 30)) >> 31 : -((-product + (1 << 30) - 1) >> 31)
        let right = Int128(-f.shift)
        let half = right > 0 ? Int128(1) << (right - 1) : 0
        y = high >= 0 ? (high + half) >> right : -((-high + half) >> right)
      }
      return Double(min(max(y, -128), 127))
    }
    let op = IntegerProduct(IntegerEpilogue(.i8, roundsOnce: roundsOnce))
    try check(
      .integerProduct(op), [x] + (try packed(w)) + [nil, nil, nil, pairs], is: [wanted])
  }

  @Test func sumsAndProductsRound() throws {
    var random = SeededRandom(state: 9)
    for type in [ElementType.i8, .u8] {
      let range = type == .i8 ? (-128, 127) : (0, 255)
      let a = bytes(&random, type, [3, 1, 7])
      let b = bytes(&random, type, [5, 7])
      let (p, q): (Float, Float) = (0.37, -1.21)
      func wanted(_ f: (Int, Int) -> Double) -> TestTensor {
        tensor([3, 5, 7], type) { at in
          let v = f(Int(a([at[0], 0, at[2]])) - 20, Int(b([at[1], at[2]])) - 5) + 11
          return min(max(v, Double(range.0)), Double(range.1))
        }
      }
      func op(_ kind: IntegerBinaryKind) -> Operator {
        .integerBinary(
          IntegerBinary(
            kind, aScale: p, bScale: q, aZero: 20, bZero: 5, yZero: 11, low: range.0,
            high: range.1))
      }
      let sum = wanted { Double((Float($0) * p + Float($1) * q).rounded(.toNearestOrEven)) }
      try check(op(.add), [a, b], is: [sum])
      let product = wanted { Double((Float($0 * $1) * p).rounded(.toNearestOrEven)) }
      try check(op(.multiply), [a, b], is: [product])
      // Fixed-point sums are within one of the exact ones.
      for kind in [IntegerBinaryKind.addShifted, .addFixed] {
        try check(
          op(kind), [a, b], is: [sum], within: Tolerance(absolute: 1, relative: 0))
      }
    }
  }

  @Test(arguments: [ElementType.i8, .u8, .i16]) func pools(_ type: ElementType) throws {
    var random = SeededRandom(state: 21)
    let x = random.integers(type, [2, 6, 7, 5], type == .u8 ? 0...255 : -128...127)
    let limits = type == .u8 ? (0, 255) : (-128, 127)
    let window = Window(strides: IntegerList([2, 2]), pads: IntegerList([1, 1, 1, 1]))
    for kind in IntegerPoolKind.allCases {
      let wanted = tensor([2, 3, 4, 5], type) { at in
        var seen: [Int] = []
        for ky in 0..<3 {
          for kx in 0..<3 {
            let (y, z) = (at[1] * 2 + ky - 1, at[2] * 2 + kx - 1)
            if y >= 0, y < 6, z >= 0, z < 7 { seen.append(Int(x([at[0], y, z, at[3]]))) }
          }
        }
        let sum = seen.reduce(0, +)
        switch kind {
        case .max: return Double(seen.max()!)
        case .average:
          return (Double(sum) / Double(seen.count)).rounded(.toNearestOrAwayFromZero)
        case .scaledAverage:
          let real = Float(sum - 3 * seen.count) * (0.7 / Float(seen.count))
          let v = Double(real.rounded(.toNearestOrEven)) + 4
          return min(max(v, Double(limits.0)), Double(limits.1))
        }
      }
      let op = IntegerPool(
        kind, kernel: IntegerList([3, 3]), window: window, scale: 0.7, xZero: 3, yZero: 4,
        low: limits.0, high: limits.1)
      try check(.integerPool(op), [x], is: [wanted])
    }
  }

  @Test func softmaxOfBytes() throws {
    var random = SeededRandom(state: 31)
    let x = bytes(&random, .i8, [4, 12])
    let table = TestTensor(
      .f32, [256], (0..<256).map { exponential(-0.05 * Double($0)) })
    let wanted = tensor([4, 12], .i8) { at in
      let row = (0..<12).map { x([at[0], $0]) }
      let shares = row.map { exponential(0.05 * ($0 - row.max()!)) }
      let share = shares[at[1]] / shares.reduce(0, +) * 256
      return min((share).rounded() - 128, 127)
    }
    let op = Operator.integerSoftmax(IntegerSoftmax(scale: 1.0 / 256, zeroPoint: -128))
    try check(op, [x, table], is: [wanted], within: Tolerance(absolute: 1, relative: 0))
  }

  /// e^x by its series: an exponential that shares nothing with the operators'.
  func exponential(_ x: Double) -> Double {
    var (sum, term) = (1.0, 1.0)
    for i in 1..<80 {
      term *= x / 64 / Double(i)
      sum += term
    }
    return (0..<6).reduce(sum) { value, _ in value * value }
  }

  @Test func resizingInterpolates() throws {
    var random = SeededRandom(state: 41)
    let x = bytes(&random, .u8, [1, 4, 5, 3])
    let op = IntegerResize(height: 8, width: 10, coordinates: .halfPixel)
    let wanted = tensor([1, 8, 10, 3], .u8) { at in
      func place(_ i: Int, _ n: Int) -> (Int, Int, Double) {
        let p = min(max((Double(i) + 0.5) / 2 - 0.5, 0), Double(n - 1))
        return (Int(p), min(Int(p) + 1, n - 1), p - Double(Int(p)))
      }
      let (t, b, v) = place(at[1], 4)
      let (l, r, u) = place(at[2], 5)
      let top = x([0, t, l, at[3]]) * (1 - u) + x([0, t, r, at[3]]) * u
      let bottom = x([0, b, l, at[3]]) * (1 - u) + x([0, b, r, at[3]]) * u
      return (top * (1 - v) + bottom * v + 0.5).rounded(.down)
    }
    try check(.integerResize(op), [x], is: [wanted])
  }

  @Test func bytesMapByTables() throws {
    var random = SeededRandom(state: 51)
    let x = bytes(&random, .i8, [3, 9])
    let table = random.floats([256])
    let wanted = tensor([3, 9]) { at in
      let v = Int(x(at))
      return table([v < 0 ? v + 256 : v])
    }
    try check(.byteTable(ByteTable()), [x, table], is: [wanted])
  }

  @Test func quantizingSaturates() throws {
    let x = TestTensor(.f32, [8], [0, 0.25, 0.75, 1.25, -0.25, 1e9, -1e9, .nan])
    let wanted = TestTensor(.i8, [8], [3, 3, 5, 5, 3, 127, -128, 3])
    let op = Quantize(to: .i8, multiplier: 2, zeroPoint: 3)
    try check(.quantize(op), [x], is: [wanted])
    let divided = Quantize(to: .i8, multiplier: 0.5, divides: true, zeroPoint: 3)
    try check(.quantize(divided), [x], is: [wanted])
    // Vectors and what is left of them; every code of the type.
    for type in [ElementType.u8, .i8, .i16] {
      let values = (0..<1003).map { Double($0) - 500.5 }
      let low = type == .u8 ? 0 : type == .i8 ? -128.0 : -32768
      let high = type == .u8 ? 255 : type == .i8 ? 127.0 : 32767
      let codes = values.map { min(max(2 * $0 + 9, low), high) }
      let (long, wanted) = (TestTensor(.f32, [1003], values), TestTensor(type, [1003], codes))
      try check(.quantize(Quantize(to: type, multiplier: 2, zeroPoint: 9)), [long], is: [wanted])
    }
  }

  @Test(arguments: RowQuantization.allCases) func rowsKeepTheirNumbers(_ kind: RowQuantization)
    throws
  {
    var random = SeededRandom(state: 61)
    let x = random.floats([6, 33], -3...7)
    let harness = OperatorHarness(
      .quantizeRows(QuantizeRows(kind, rowAxes: 1)), [x], outputs: 3,
      with: Variant(kernels: .scalar, pool: nil))
    let found = try harness.run()
    for row in 0..<6 {
      let (scale, zero) = (found[1]([row]), found[2]([row]))
      #expect(scale > 0 && (kind != .symmetric || zero == 0))
      for i in 0..<33 {
        let real = (found[0]([row, i]) - zero) * scale
        #expect(abs(real - x([row, i])) <= scale * 0.51, "row \(row), \(i)")
      }
    }
    expectRoundTrip(.quantizeRows(QuantizeRows(kind, rowAxes: 1)))
  }

  @Test func refusals() throws {
    var random = SeededRandom(state: 71)
    let x = bytes(&random, .i8, [2, 8])
    let w = try packed(bytes(&random, .i8, [1, 5, 8]))
    let op = Operator.integerProduct(IntegerProduct(IntegerEpilogue(.i8)))
    expectRefusal(op, [x] + w)
    let scale = TestTensor(.f32, [1], [0.1])
    expectRefusal(op, [random.floats([2, 8])] + w + [nil, nil, nil, scale])
    expectRefusal(op, [bytes(&random, .i8, [2, 9])] + w + [nil, nil, nil, scale])
    expectRefusal(op, [x] + w + [nil, nil, TestTensor(.i32, [4], [1, 2, 3, 4]), scale])
    expectRefusal(.byteTable(ByteTable()), [x, random.floats([255])])
    expectRefusal(
      .integerPool(
        IntegerPool(.max, kernel: IntegerList([3, 3]), low: -200, high: 100)),
      [bytes(&random, .i8, [1, 4, 4, 2])])
  }
}
