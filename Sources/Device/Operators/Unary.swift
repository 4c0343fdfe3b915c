// y = f(x), element by element.
import CKernels
import Tensors

/// A function of one number. Raw values are part of the bundle format.
public enum UnaryKind: Int, Sendable, CaseIterable {
  case exp = 0
  case erf, tanh, sigmoid, gelu, geluTanh, silu, relu, clip, leakyRelu, hardSwish, hardSigmoid
  case sqrt, abs, neg, reciprocal, affine, log, floor, ceil, round
  /// From here on there is no micro-kernel: seldom hot, computed element by element.
  case sign, not, elu, selu, softplus, softsign, sin, cos, mish, isNaN
  case tan, asin, acos, atan, sinh, cosh, asinh, acosh, atanh

  var kernel: Int32? { rawValue <= UnaryKind.round.rawValue ? Int32(rawValue) : nil }

  public var name: StaticString {
    switch self {
    case .exp: "exp"
    case .erf: "erf"
    case .tanh: "tanh"
    case .sigmoid: "sigmoid"
    case .gelu: "gelu"
    case .geluTanh: "gelu_tanh"
    case .silu: "silu"
    case .relu: "relu"
    case .clip: "clip"
    case .leakyRelu: "leaky_relu"
    case .hardSwish: "hard_swish"
    case .hardSigmoid: "hard_sigmoid"
    case .sqrt: "sqrt"
    case .abs: "abs"
    case .neg: "neg"
    case .reciprocal: "reciprocal"
    case .affine: "affine"
    case .log: "log"
    case .floor: "floor"
    case .ceil: "ceil"
    case .round: "round"
    case .sign: "sign"
    case .not: "not"
    case .elu: "elu"
    case .selu: "selu"
    case .softplus: "softplus"
    case .softsign: "softsign"
    case .sin: "sin"
    case .cos: "cos"
    case .mish: "mish"
    case .isNaN: "is_nan"
    case .tan: "tan"
    case .asin: "asin"
    case .acos: "acos"
    case .atan: "atan"
    case .sinh: "sinh"
    case .cosh: "cosh"
    case .asinh: "asinh"
    case .acosh: "acosh"
    case .atanh: "atanh"
    }
  }
}

/// y = kind(x; p0, p1).
///
/// input: any shape, f32 (integers for abs, neg, sign, clip and relu; bool for not) → output: the
/// same shape; bool for `isNaN`. p0, p1: slope of leakyRelu and alpha of elu; bounds of clip; scale
/// and offset of affine and hardSigmoid; alpha and gamma of selu.
public struct Unary: OperatorDefinition {
  public static var code: Int { 1 }
  public static var name: StaticString { "Unary" }

  public var kind: UnaryKind
  public var p0: Float
  public var p1: Float

  public init(_ kind: UnaryKind, _ p0: Float = 0, _ p1: Float = 0) {
    self.kind = kind
    self.p0 = p0
    self.p1 = p1
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let kind = UnaryKind(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown unary function")
    }
    self.kind = kind
    p0 = try attributes.float()
    p1 = try attributes.float()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(kind.rawValue)
    attributes.put(p0)
    attributes.put(p1)
  }

  public var aliasing: Aliasing { .inPlace }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.requirePlain(0)
    let x = step.input(0)
    switch kind {
    case .not: try step.require(0, is: .bool)
    case .abs, .neg, .sign, .clip, .relu: try step.require(0, is: .f32, .i64, .i32, .u64)
    default: try step.require(0, is: .f32)
    }
    step.setOutput(0, kind == .isNaN ? .bool : x.elementType, x.shape)
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? {
    kind == .isNaN ? .bool : inputs.first ?? nil
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output()
    let n = x.shape.elementCount
    switch x.elementType {
    case .bool:
      let a = x.elements(UInt8.self)
      let b = y.elements(UInt8.self)
      for i in 0..<n { b[i] = a[i] == 0 ? 1 : 0 }
    case .i64: integers(x.elements(Int64.self), y.elements(Int64.self))
    case .i32: integers(x.elements(Int32.self), y.elements(Int32.self))
    case .u64: integers(x.elements(UInt64.self), y.elements(UInt64.self))
    default:
      let a = x.floats
      if let op = kind.kernel {
        var job = unsafe kn_map(
          kernels: step.compute.kernels, x: UnsafePointer(a.pointer(0, count: n)),
          y: y.floats.pointer(0, count: n), count: n, op: op, p0: p0, p1: p1)
        unsafe step.compute.run(
          kn_unary_job, &job, parts: n < 1 << 15 ? 1 : step.compute.threads)
      } else if kind == .isNaN {
        let b = y.elements(UInt8.self)
        for i in 0..<n { b[i] = a[i].isNaN ? 1 : 0 }
      } else {
        let b = y.floats
        for i in 0..<n { b[i] = scalar(a[i]) }
      }
    }
  }

  private func integers<T: FixedWidthInteger & BitwiseCopyable>(
    _ a: Elements<T>, _ b: Elements<T>
  ) {
    let (low, high) = (Self.integer(p0) as T, Self.integer(p1) as T)
    for i in 0..<a.count {
      let v = a[i]
      switch kind {
      case .abs: b[i] = v < 0 ? 0 &- v : v
      case .neg: b[i] = 0 &- v
      case .sign: b[i] = v.signum()
      case .relu: b[i] = max(v, 0)
      default: b[i] = min(max(v, low), high)
      }
    }
  }

  /// A clip bound as an integer; infinities and NaN become the widest bound of their sign.
  private static func integer<T: FixedWidthInteger>(_ bound: Float) -> T {
    if bound >= 0x1p62 { return T.max }
    if bound <= -0x1p62 || bound.isNaN { return T.min }
    return T(clamping: Int(bound))
  }

  private func scalar(_ x: Float) -> Float {
    switch kind {
    case .sign: x > 0 ? 1 : (x < 0 ? -1 : x)
    case .elu: x > 0 ? x : p0 * kn_expm1(x)
    case .selu: p1 * (x > 0 ? x : p0 * kn_expm1(x))
    case .softplus: kn_softplus(x)
    case .softsign: x / (1 + x.magnitude)
    case .sin: kn_sin(x)
    case .cos: kn_cos(x)
    case .mish: x * kn_tanh(kn_softplus(x))
    case .tan: kn_tan(x)
    case .asin: kn_asin(x)
    case .acos: kn_acos(x)
    case .atan: kn_atan(x)
    case .sinh: kn_sinh(x)
    case .cosh: kn_cosh(x)
    case .asinh: kn_asinh(x)
    case .acosh: kn_acosh(x)
    case .atanh: kn_atanh(x)
    default: x
    }
  }
}
