// Sums and products of two tensors of 8- or 16-bit integers, each with a scale of its own.
import Tensors

/// What is made of two integers, and how it is rounded. Raw values are part of the bundle format.
public enum IntegerBinaryKind: Int, Sendable, CaseIterable {
  /// round((a − a zero) · a scale + (b − b zero) · b scale), in f32, ties to even: ONNX Runtime.
  case add = 0
  /// The same in integers: scales as multipliers of up to 21 bits, one shift, ties up: XNNPACK.
  case addShifted
  /// The same as TFLite's own kernels do it, each term and the sum rounded by fixed-point multipliers.
  case addFixed
  /// round((a − a zero) (b − b zero) · a scale), in f32, ties to even. `bScale` is not read.
  case multiply
}

/// y = clamp(kind(a, b) + y zero) with NumPy broadcasting. A difference has a negative b scale.
///
/// inputs: a and b, i8, u8 or i16, of one type → output: the same type. Scales are those of the inputs
/// over that of the output.
public struct IntegerBinary: OperatorDefinition {
  public static var code: Int { 105 }
  public static var name: StaticString { "IntegerBinary" }

  public var kind: IntegerBinaryKind
  public var aScale: Float
  public var bScale: Float
  public var aZero: Int
  public var bZero: Int
  public var yZero: Int
  public var low: Int
  public var high: Int

  public init(
    _ kind: IntegerBinaryKind, aScale: Float, bScale: Float = 1, aZero: Int, bZero: Int, yZero: Int,
    low: Int, high: Int
  ) {
    self.kind = kind
    self.aScale = aScale
    self.bScale = bScale
    self.aZero = aZero
    self.bZero = bZero
    self.yZero = yZero
    self.low = low
    self.high = high
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let kind = IntegerBinaryKind(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown function")
    }
    self.kind = kind
    aScale = try attributes.float()
    bScale = try attributes.float()
    let range = -32768...32767
    aZero = try attributes.integer(in: range)
    bZero = try attributes.integer(in: range)
    yZero = try attributes.integer(in: range)
    low = try attributes.integer(in: range)
    high = try attributes.integer(in: low...32767)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(kind.rawValue)
    attributes.put(aScale)
    attributes.put(bScale)
    attributes.put(aZero)
    attributes.put(bZero)
    attributes.put(yZero)
    attributes.put(low)
    attributes.put(high)
  }

  public var aliasing: Aliasing { .inPlaceOfAny }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...2)
    try step.requirePlain(0)
    try step.requirePlain(1)
    try step.require(0, is: .i8, .u8, .i16)
    let (a, b) = (step.input(0), step.input(1))
    guard a.elementType == b.elementType else {
      throw ShapeError("element types differ", input: 1)
    }
    let range = IntegerEpilogue.range(a.elementType)
    guard range.contains(low), range.contains(high) else {
      throw ShapeError("bounds are out of the type's range")
    }
    guard aScale.isFinite, bScale.isFinite else { throw ShapeError("a scale is not finite") }
    guard let shape = Shape.broadcast(a.shape, b.shape) else {
      throw ShapeError("shapes do not broadcast", input: 1)
    }
    guard shape.checkedElementCount != nil else { throw ShapeError("output is too large") }
    step.setOutput(0, a.elementType, shape)
  }

  public func run(_ step: StepContext) {
    switch step.output().elementType {
    case .i8: run(step, Int8.self)
    case .u8: run(step, UInt8.self)
    default: run(step, Int16.self)
    }
  }

  private func run<T: FixedWidthInteger & BitwiseCopyable>(_ step: StepContext, _: T.Type) {
    let (a, b, y) = (step.input(0), step.input(1), step.output())
    let plan = Broadcast(a.shape, b.shape, to: y.shape)
    let (x, z, out) = (a.elements(T.self), b.elements(T.self), y.elements(T.self))
    guard out.count > 0 else { return }
    let (zeroA, zeroB) = (Int32(aZero), Int32(bZero))
    switch kind {
    case .add:
      map(x, z, out, plan) { p, q in
        nearest(Float(p &- zeroA) * aScale + Float(q &- zeroB) * bScale)
      }
    case .multiply:
      map(x, z, out, plan) { p, q in nearest(Float((p &- zeroA) &* (q &- zeroB)) * aScale) }
    case .addShifted:
      let s = ShiftedSum(aScale, bScale, aZero, bZero)
      map(x, z, out, plan) { p, q in
        (s.bias &+ Int64(p) &* s.a &+ Int64(q) &* s.b) >> s.shift
      }
    case .addFixed:
      let f = FixedSum(aScale, bScale)
      map(x, z, out, plan) { p, q in
        let u = f.a.scaled((p &- zeroA) << FixedSum.leftShift)
        let v = f.b.scaled((q &- zeroB) << FixedSum.leftShift)
        return Int64(f.sum.scaled(u &+ v))
      }
    }
  }

  /// Rounded, and kept so near the bounds that adding the zero point cannot overflow.
  private func nearest(_ x: Float) -> Int64 {
    let bounded = x > -1e6 ? (x < 1e6 ? x : 1e6) : x <= -1e6 ? -1e6 : 0
    return Int64(bounded.rounded(.toNearestOrEven))
  }

  private func map<T: FixedWidthInteger & BitwiseCopyable>(
    _ a: Elements<T>, _ b: Elements<T>, _ y: Elements<T>, _ plan: Broadcast,
    _ f: (Int32, Int32) -> Int64
  ) {
    let (zero, low, high) = (Int64(yZero), Int64(low), Int64(high))
    let n = plan.run
    plan.forEachRun { i, j, o in
      let p = unsafe a.pointer(i, count: plan.stepA == 0 ? 1 : n)
      let q = unsafe b.pointer(j, count: plan.stepB == 0 ? 1 : n)
      let out = unsafe y.pointer(o, count: n)
      for k in 0..<n {
        let v = unsafe f(Int32(p[k * plan.stepA]), Int32(q[k * plan.stepB])) &+ zero
        unsafe out[k] = T(truncatingIfNeeded: v < low ? low : v > high ? high : v)
      }
    }
  }
}

/// A sum of two scaled integers by whole multipliers and one shift.
struct ShiftedSum {
  var a: Int64
  var b: Int64
  var bias: Int64
  var shift: Int64

  /// The larger multiplier has 21 bits.
  init(_ aScale: Float, _ bScale: Float, _ aZero: Int, _ bZero: Int) {
    let most = max(aScale.magnitude, bScale.magnitude, 0x1p-10)
    let exponent = min(max(Int(most.exponent), -10), 8)
    shift = Int64(20 - exponent)
    let factor = Float(sign: .plus, exponent: Int(shift), significand: 1)
    func multiplier(_ scale: Float) -> Int64 {
      Int64(min(max((scale * factor).rounded(.toNearestOrEven), -0x1p40), 0x1p40))
    }
    a = multiplier(aScale)
    b = multiplier(bScale)
    bias = (Int64(1) << (shift - 1)) &- a &* Int64(aZero) &- b &* Int64(bZero)
  }
}

/// TFLite's sum: both sides brought to twice the larger scale, 2^20 times finer, and back.
struct FixedSum {
  static var leftShift: Int32 { 20 }
  var a: FixedMultiplier
  var b: FixedMultiplier
  var sum: FixedMultiplier

  init(_ aScale: Float, _ bScale: Float) {
    let twice = 2 * max(Double(aScale.magnitude), Double(bScale.magnitude), 1e-30)
    a = FixedMultiplier(Double(aScale) / twice)
    b = FixedMultiplier(Double(bScale) / twice)
    sum = FixedMultiplier(twice / Double(1 << 20))
  }
}

/// A real factor as TFLite holds it: mantissa / 2^31 · 2^shift.
public struct FixedMultiplier: Sendable, Equatable {
  public var mantissa: Int32
  /// From −31 to 30.
  public var shift: Int32

  /// The nearest to `factor`; 0 for factors below 2^−32.
  public init(_ factor: Double) {
    guard factor != 0, factor.isFinite else {
      (mantissa, shift) = (0, 0)
      return
    }
    // factor = fraction · 2^power with |fraction| in [½, 1).
    var power = Int(factor.exponent) + 1
    var whole = (factor * Double(sign: .plus, exponent: 31 - power, significand: 1))
      .rounded(.toNearestOrAwayFromZero)
    if whole.magnitude == 0x1p31 {
      whole /= 2
      power += 1
    }
    if power < -31 {
      (mantissa, shift) = (0, 0)
    } else if power > 30 {
      (mantissa, shift) = (factor < 0 ? -Int32.max : Int32.max, 30)
    } else {
      (mantissa, shift) = (Int32(whole), Int32(power))
    }
  }

  /// value · factor, rounded to 31 bits with ties up and after a right shift with ties away from zero.
  func scaled(_ value: Int32) -> Int32 {
    let wide = shift > 0 ? Int64(value) << Int64(shift) : Int64(value)
    let x = Int64(Int32(clamping: wide))
    let product = x &* Int64(mantissa)
    let nudge: Int64 = product >= 0 ? 1 << 30 : 1 - (1 << 30)
    let high = (product &+ nudge) / (1 << 31)
    guard shift < 0 else { return Int32(clamping: high) }
    let right = Int64(-shift)
    let mask = (Int64(1) << right) &- 1
    let threshold = (mask >> 1) + (high < 0 ? 1 : 0)
    return Int32(clamping: (high >> right) + (high & mask > threshold ? 1 : 0))
  }
}
