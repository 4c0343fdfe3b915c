// y = a ∘ b with NumPy broadcasting.
import CKernels
import Tensors

/// A function of two numbers. Raw values are part of the bundle format.
public enum BinaryKind: Int, Sendable, CaseIterable {
  case add = 0
  case sub, mul, div, max, min
  /// From here on there is no micro-kernel.
  case pow, mod, fmod, prelu
  /// From here on the result is bool.
  case equal, less, lessOrEqual, greater, greaterOrEqual, and, or, xor
  /// From here on integers only. Shifts by the width or more, or by negative counts, leave nothing but
  /// the sign.
  case bitAnd, bitOr, bitXor, shiftLeft, shiftRight

  var kernel: Int32? { rawValue <= BinaryKind.min.rawValue ? Int32(rawValue) : nil }
  var isPredicate: Bool { rawValue >= BinaryKind.equal.rawValue && !isBitwise }
  var isLogical: Bool { rawValue >= BinaryKind.and.rawValue && !isBitwise }
  var isBitwise: Bool { rawValue >= BinaryKind.bitAnd.rawValue }

  public var name: StaticString {
    switch self {
    case .add: "add"
    case .sub: "sub"
    case .mul: "mul"
    case .div: "div"
    case .max: "max"
    case .min: "min"
    case .pow: "pow"
    case .mod: "mod"
    case .fmod: "fmod"
    case .prelu: "prelu"
    case .equal: "equal"
    case .less: "less"
    case .lessOrEqual: "less_or_equal"
    case .greater: "greater"
    case .greaterOrEqual: "greater_or_equal"
    case .and: "and"
    case .or: "or"
    case .xor: "xor"
    case .bitAnd: "bit_and"
    case .bitOr: "bit_or"
    case .bitXor: "bit_xor"
    case .shiftLeft: "shift_left"
    case .shiftRight: "shift_right"
    }
  }
}

/// y = a ∘ b.
///
/// inputs: two tensors of one element type (f32, f64, i64, i32, u64; bool for logic and equality) whose shapes
/// broadcast → output: the broadcast shape; bool for comparisons and logic. Integer division
/// truncates; by zero it gives 0. `mod` takes the divisor's sign, `fmod` the dividend's; `prelu` is
/// a where a ≥ 0, else a · b.
public struct Binary: OperatorDefinition {
  public static var code: Int { 2 }
  public static var name: StaticString { "Binary" }

  public var kind: BinaryKind

  public init(_ kind: BinaryKind) { self.kind = kind }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let kind = BinaryKind(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown binary function")
    }
    self.kind = kind
  }

  public func encode(into attributes: inout AttributeWriter) { attributes.put(kind.rawValue) }

  /// A comparison's output is narrower than its operands: it could only replace one that is read over
  /// and over.
  public var aliasing: Aliasing { kind.isPredicate && !kind.isLogical ? .none : .inPlaceOfAny }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...2)
    try step.requirePlain(0)
    try step.requirePlain(1)
    let a = step.input(0)
    let b = step.input(1)
    guard a.elementType == b.elementType else {
      throw ShapeError("element types differ", input: 1)
    }
    if kind.isLogical {
      try step.require(0, is: .bool)
    } else if kind == .equal {
      try step.require(0, is: .f32, .f64, .i64, .i32, .u64, .bool)
    } else if kind.isBitwise {
      try step.require(0, is: .i64, .i32, .u64)
    } else {
      try step.require(0, is: .f32, .f64, .i64, .i32, .u64)
    }
    guard let shape = Shape.broadcast(a.shape, b.shape) else {
      throw ShapeError("shapes do not broadcast", input: 1)
    }
    guard shape.checkedElementCount != nil else { throw ShapeError("output is too large") }
    step.setOutput(0, kind.isPredicate ? .bool : a.elementType, shape)
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? {
    if kind.isPredicate { return .bool }
    return inputs.count == 2 ? inputs[0] ?? inputs[1] : nil
  }

  public func run(_ step: StepContext) {
    let a = step.input(0)
    let b = step.input(1)
    let y = step.output()
    let plan = Broadcast(a.shape, b.shape, to: y.shape)
    switch a.elementType {
    case .f32:
      if let op = kind.kernel {
        kernel(op, a.floats, b.floats, y.floats, plan, step.compute)
      } else if kind.isPredicate {
        compare(a.floats, b.floats, y.elements(UInt8.self), plan)
      } else {
        map(a.floats, b.floats, y.floats, plan) { floats($0, $1) }
      }
    case .f64:
      let (p, q) = (a.elements(Double.self), b.elements(Double.self))
      if kind.isPredicate {
        compare(p, q, y.elements(UInt8.self), plan)
      } else {
        map(p, q, y.elements(Double.self), plan) { doubles($0, $1) }
      }
    case .i64:
      whole(a.elements(Int64.self), b.elements(Int64.self), y, plan)
    case .i32:
      whole(a.elements(Int32.self), b.elements(Int32.self), y, plan)
    case .u64:
      whole(a.elements(UInt64.self), b.elements(UInt64.self), y, plan)
    default:
      let out = y.elements(UInt8.self)
      map(a.elements(UInt8.self), b.elements(UInt8.self), out, plan) { p, q in
        let (p, q) = (p != 0, q != 0)
        return switch kind {
        case .and: p && q ? 1 : 0
        case .or: p || q ? 1 : 0
        case .xor: p != q ? 1 : 0
        default: p == q ? 1 : 0
        }
      }
    }
  }

  private func kernel(
    _ op: Int32, _ a: Elements<Float>, _ b: Elements<Float>, _ y: Elements<Float>,
    _ plan: Broadcast, _ compute: Compute
  ) {
    let n = plan.run
    // Both still over one element is the same as one of them scalar.
    let both = plan.stepA == plan.stepB
    let operands = both ? KN_BOTH : plan.stepA == 0 ? KN_A_SCALAR : KN_B_SCALAR
    plan.forEachRun { i, j, o in
      unsafe compute.kernels.pointee.binary_f32(
        op, Int32(operands.rawValue), a.pointer(i, count: plan.stepA == 0 ? 1 : n),
        b.pointer(j, count: plan.stepB == 0 ? 1 : n), y.pointer(o, count: n), n)
    }
  }

  private func map<A: BitwiseCopyable, R: BitwiseCopyable>(
    _ a: Elements<A>, _ b: Elements<A>, _ y: Elements<R>, _ plan: Broadcast, _ f: (A, A) -> R
  ) {
    plan.forEachRun { i, j, o in
      for k in 0..<plan.run { y[o + k] = f(a[i + k * plan.stepA], b[j + k * plan.stepB]) }
    }
  }

  private func compare<T: Comparable & BitwiseCopyable>(
    _ a: Elements<T>, _ b: Elements<T>, _ y: Elements<UInt8>, _ plan: Broadcast
  ) {
    map(a, b, y, plan) { p, q in
      let holds =
        switch kind {
        case .equal: p == q
        case .less: p < q
        case .lessOrEqual: p <= q
        case .greater: p > q
        default: p >= q
        }
      return holds ? 1 : 0
    }
  }

  private func whole<T: FixedWidthInteger & BitwiseCopyable>(
    _ a: Elements<T>, _ b: Elements<T>, _ y: TensorView, _ plan: Broadcast
  ) {
    if kind.isPredicate { return compare(a, b, y.elements(UInt8.self), plan) }
    map(a, b, y.elements(T.self), plan) { p, q in
      switch kind {
      case .add: p &+ q
      case .sub: p &- q
      case .mul: p &* q
      case .div: q == 0 ? 0 : p.dividedReportingOverflow(by: q).partialValue
      case .max: Swift.max(p, q)
      case .min: Swift.min(p, q)
      case .pow: Binary.power(p, q)
      case .mod: Binary.floorModulo(p, q)
      case .fmod: q == 0 ? 0 : p.remainderReportingOverflow(dividingBy: q).partialValue
      case .bitAnd: p & q
      case .bitOr: p | q
      case .bitXor: p ^ q
      case .shiftLeft: q < 0 ? 0 : p << q
      case .shiftRight: q < 0 ? (p < 0 ? ~0 : 0) : p >> q
      default: p >= 0 ? p : p &* q
      }
    }
  }

  private static func floorModulo<T: FixedWidthInteger>(_ p: T, _ q: T) -> T {
    guard q != 0 else { return 0 }
    let r = p.remainderReportingOverflow(dividingBy: q).partialValue
    return r != 0 && (r < 0) != (q < 0) ? r + q : r
  }

  private static func power<T: FixedWidthInteger>(_ base: T, _ exponent: T) -> T {
    if exponent < 0 {
      if base == 1 { return 1 }
      return base == ~0 ? (exponent & 1 == 0 ? 1 : ~0) : 0
    }
    var result: T = 1
    var square = base
    var e = exponent
    while e > 0 {
      if e & 1 == 1 { result = result &* square }
      square = square &* square
      e >>= 1
    }
    return result
  }

  private func floats(_ p: Float, _ q: Float) -> Float {
    switch kind {
    case .pow: return q == 2 ? p * p : q == 0.5 ? p.squareRoot() : kn_pow(p, q)
    case .mod:
      let r = kn_fmod(p, q)
      return r != 0 && (r < 0) != (q < 0) ? r + q : r
    case .fmod: return kn_fmod(p, q)
    default: return p >= 0 ? p : p * q
    }
  }

  private func doubles(_ p: Double, _ q: Double) -> Double {
    switch kind {
    case .add: return p + q
    case .sub: return p - q
    case .mul: return p * q
    case .div: return p / q
    // NaN wins, as it does in the kernels.
    case .max: return p.isNaN || p > q ? p : q
    case .min: return p.isNaN || p < q ? p : q
    case .pow: return kn_pow_f64(p, q)
    case .mod:
      let r = kn_fmod_f64(p, q)
      return r != 0 && (r < 0) != (q < 0) ? r + q : r
    case .fmod: return kn_fmod_f64(p, q)
    default: return p >= 0 ? p : p * q
    }
  }
}
