// Functions of one element: activations, roundings, casts, clips.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  private static func unary(_ name: String, _ kind: UnaryKind) -> ONNXOperator {
    ONNXOperator(name) { b throws(ImportError) in
      [b.add(.unary(Unary(kind)), [try b.input(0)])]
    }
  }

  /// A function that integers have too. The operator knows i64, i32 and u64: narrower ones are computed as
  /// i64.
  private static func whole(_ name: String, _ kind: UnaryKind) -> ONNXOperator {
    ONNXOperator(name) { b throws(ImportError) in
      [widened(&b, try b.input(0)) { b, x in b.add(.unary(Unary(kind)), [x]) }]
    }
  }

  /// `compute` of x, through i64 where x holds integers that operators do not know.
  static func widened(
    _ b: inout ONNXGraphBuilder, _ x: ValueID,
    _ compute: (inout ONNXGraphBuilder, ValueID) -> ValueID
  ) -> ValueID {
    switch b.elementType(x) {
    case .u8, .i8, .u16, .i16, .u32, .u4, .i4, .u2, .i2:
      let type = b.elementType(x)!
      b.note("\(b.node.type) of \(type.name): computed as i64")
      let y = compute(&b, b.add(.cast(Cast(to: .i64)), [x]))
      return b.add(.cast(Cast(to: type)), [y])
    default: return compute(&b, x)
    }
  }

  /// A function with two parameters that attributes give.
  private static func unary(
    _ name: String, _ kind: UnaryKind, _ p0: (String, Float), _ p1: (String, Float)? = nil
  ) -> ONNXOperator {
    ONNXOperator(name) { b throws(ImportError) in
      let first = try b.float(p0.0, p0.1)
      let second = if let p1 { try b.float(p1.0, p1.1) } else { Float(0) }
      return [b.add(.unary(Unary(kind, first, second)), [try b.input(0)])]
    }
  }

  static let elementwise: [ONNXOperator] = [
    whole("Abs", .abs), whole("Neg", .neg), whole("Sign", .sign), whole("Relu", .relu),
    unary("Exp", .exp), unary("Log", .log),
    unary("Sqrt", .sqrt), unary("Reciprocal", .reciprocal), unary("Erf", .erf),
    unary("Tanh", .tanh), unary("Sigmoid", .sigmoid),
    unary("Floor", .floor), unary("Ceil", .ceil), unary("Round", .round),
    unary("Not", .not), unary("Softplus", .softplus), unary("Softsign", .softsign),
    unary("Sin", .sin), unary("Cos", .cos), unary("Tan", .tan),
    unary("Asin", .asin), unary("Acos", .acos), unary("Atan", .atan),
    unary("Sinh", .sinh), unary("Cosh", .cosh),
    unary("Asinh", .asinh), unary("Acosh", .acosh), unary("Atanh", .atanh),
    unary("Mish", .mish), unary("IsNaN", .isNaN),
    unary("HardSwish", .hardSwish),
    unary("Elu", .elu, ("alpha", 1)),
    unary("LeakyRelu", .leakyRelu, ("alpha", 0.01)),
    unary("Selu", .selu, ("alpha", 1.6732632), ("gamma", 1.050701)),
    unary("HardSigmoid", .hardSigmoid, ("alpha", 0.2), ("beta", 0.5)),
    ONNXOperator("Identity") { b throws(ImportError) in [try b.raw(0)] },
    // Inference keeps everything, and the mask says so.
    ONNXOperator("Dropout", 6, dropout),
    ONNXOperator("Clip", 6, clipByAttributes), ONNXOperator("Clip", 11, clipByInputs),
    ONNXOperator("Cast", 6, cast), ONNXOperator("CastLike", 15, castLike),
    ONNXOperator("BitCast", 26, bitCast),
    ONNXOperator("Gelu", 20, gelu), ONNXOperator("Gelu", domain: "com.microsoft", gelu),
    ONNXOperator("QuickGelu", domain: "com.microsoft", swish), ONNXOperator("Swish", 24, swish),
    ONNXOperator("SwiGLU", 28, swiGLU),
    ONNXOperator("Celu", 12, celu), ONNXOperator("ThresholdedRelu", 10, thresholdedRelu),
    ONNXOperator("Shrink", 9, shrink),
    ONNXOperator("IsInf", 10, isInfinite),
  ]

  private static func dropout(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    if b.has(2), b.fixedIntegers(try b.raw(2)) != [0] {
      // Training that drops nothing is inference.
      guard let ratio = try b.optional(1), b.fixedFloats(ratio) == [0] else {
        throw b.fail("a model in training mode is not supported")
      }
    }
    let x = try b.raw(0)
    guard b.node.outputs.count > 1 else { return [x] }
    let all = ConstantOfShape(.bool, value: 0, integer: 1)
    return [x, b.add(.constantOfShape(all), [b.add(.shapeOf(ShapeOf()), [x])])]
  }

  private static func clipByAttributes(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let low = try b.float("min", -Float.infinity)
    let high = try b.float("max", Float.infinity)
    return [b.add(.unary(Unary(.clip, low, high)), [try b.input(0)])]
  }

  /// Bounds that are known and that f32 holds become attributes.
  private static func clipByInputs(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let bounds = [try b.optional(1), try b.optional(2)]
    var known: [Float?] = [-Float.infinity, Float.infinity]
    for (i, bound) in bounds.enumerated() {
      guard let bound else { continue }
      if let list = b.fixedFloats(bound) {
        known[i] = list.count == 1 ? list[0] : nil
      } else if let list = b.fixedIntegers(bound), list.count == 1, list[0].magnitude <= 1 << 24 {
        known[i] = Float(list[0])
      } else {
        known[i] = nil
      }
    }
    if let low = known[0], let high = known[1] {
      return [widened(&b, x) { b, x in b.add(.unary(Unary(.clip, low, high)), [x]) }]
    }
    var y = x
    if let low = bounds[0] { y = combine(&b, .max, y, low) }
    if let high = bounds[1] { y = combine(&b, .min, y, high) }
    return [y]
  }

  private static func cast(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let number = try b.integer("to", 0)
    guard let type = ONNXTensor.elementType(Int64(number)) else {
      throw b.fail("element type \(number) is not supported")
    }
    return [try cast(&b, try b.raw(0), type)]
  }

  private static func castLike(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    guard let type = b.elementType(try b.raw(1)) else {
      throw b.fail("the element type of input 1 cannot be found out")
    }
    return [try cast(&b, try b.raw(0), type)]
  }

  private static func cast(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, _ type: ElementType
  ) throws(ImportError) -> ValueID {
    let rounding: PowerRounding
    switch try b.string("round_mode", "up") {
    case "up": rounding = .up
    case "down": rounding = .down
    case "nearest": rounding = .nearest
    default: throw b.fail("round_mode '\(try b.string("round_mode", ""))' is not supported")
    }
    if b.elementType(x) == type { return x }
    if type == .string { return b.add(.stringFromNumber(StringFromNumber()), [x]) }
    if b.elementType(x) == .string {
      return b.add(.numberFromString(NumberFromString(to: type)), [x])
    }
    let op = Cast(to: type, saturates: try b.bool("saturate", true), rounding: rounding)
    let y = b.add(.cast(op), [x])
    if [.f16, .bf16, .f64].contains(type), let given = b.elementType(x), given.isFloatingPoint,
      given.byteCount > 1
    {
      b.widen(y, as: x)
    }
    return y
  }

  private static func bitCast(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let number = try b.integer("to", 0)
    guard let type = ONNXTensor.elementType(Int64(number)) else {
      throw b.fail("element type \(number) is not supported")
    }
    return [b.add(.bitCast(BitCast(to: type)), [try b.raw(0)])]
  }

  private static func gelu(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let approximation = try b.string("approximate", "none")
    guard approximation == "none" || approximation == "tanh" else {
      throw b.fail("approximation '\(approximation)' is not supported")
    }
    let kind: UnaryKind = approximation == "tanh" ? .geluTanh : .gelu
    return [b.add(.unary(Unary(kind)), [try b.input(0)])]
  }

  /// x · sigmoid(alpha · x).
  private static func swish(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let alpha = try b.float("alpha", b.node.domain.isEmpty ? 1 : 1.702)
    if alpha == 1 { return [b.add(.unary(Unary(.silu)), [x])] }
    b.note("\(b.node.type) → sigmoid, product")
    let scaled = b.add(.unary(Unary(.affine, alpha, 0)), [x])
    let gate = b.add(.unary(Unary(.sigmoid)), [scaled])
    return [b.add(.binary(Binary(.mul)), [x, gate])]
  }

  /// a · sigmoid(alpha · a) · b.
  private static func swiGLU(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    b.note("SwiGLU → swish, product")
    return [b.binary(.mul, try swish(&b)[0], try b.input(1))]
  }

  /// celu(x) = alpha · elu(x / alpha).
  private static func celu(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let alpha = try b.float("alpha", 1)
    guard alpha != 0 else { throw b.fail("alpha is 0") }
    b.note("Celu → scaled elu")
    let scaled = b.add(.unary(Unary(.affine, 1 / alpha, 0)), [try b.input(0)])
    let elu = b.add(.unary(Unary(.elu, 1)), [scaled])
    return [b.add(.unary(Unary(.affine, alpha, 0)), [elu])]
  }

  /// x where x > alpha, else 0.
  private static func thresholdedRelu(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    b.note("ThresholdedRelu → comparison, selection")
    let above = b.add(.binary(Binary(.greater)), [x, b.scalar(try b.float("alpha", 1))])
    return [b.add(.select(Select()), [above, x, b.scalar(Float(0))])]
  }

  /// x + bias below −lambd, x − bias above lambd, else 0.
  private static func shrink(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let lambda = try b.float("lambd", 0.5)
    let bias = try b.float("bias", 0)
    b.note("Shrink → comparisons, selections")
    let zero = b.scalar(Float(0))
    let isHigh = b.add(.binary(Binary(.greater)), [x, b.scalar(lambda)])
    let isLow = b.add(.binary(Binary(.less)), [x, b.scalar(-lambda)])
    let down = b.add(.unary(Unary(.affine, 1, -bias)), [x])
    let up = b.add(.unary(Unary(.affine, 1, bias)), [x])
    let low = b.add(.select(Select()), [isLow, up, zero])
    return [b.add(.select(Select()), [isHigh, down, low])]
  }

  private static func isInfinite(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    var x = try b.input(0)
    let takesNegative = try b.bool("detect_negative", true)
    let takesPositive = try b.bool("detect_positive", true)
    b.note("IsInf → comparison")
    var infinity = Float.infinity
    if takesNegative, takesPositive {
      x = b.add(.unary(Unary(.abs)), [x])
    } else if takesNegative {
      infinity = -infinity
    } else if !takesPositive {
      infinity = .nan
    }
    return [b.add(.binary(Binary(.equal)), [x, b.scalar(infinity)])]
  }
}
