// Functions of one and of two tensors, element by element.
import Graphs
import Operators
import Tensors

extension TFLiteOperatorTable {
  /// A function of one f32 tensor, under the same name for quantized ones where there is a table.
  private static func unary(_ code: Int, _ name: String, _ op: Unary) -> Row {
    Row(code, name) { b throws(ImportError) in
      if try b.isQuantized(b.tensor(0)) { return try quantizedUnary(&b, op) }
      try map(&b) { b, x in b.add(.unary(op), [x]) }
    }
  }

  /// Applies `f` to input 0 whichever way its axes stand.
  static func map(
    _ b: inout TFLiteGraphBuilder, _ f: (inout TFLiteGraphBuilder, ValueID) -> ValueID
  ) throws(ImportError) {
    let isTurned = b.isTurned(try b.number(0))
    let x = isTurned ? try b.channelsFirst(0) : try b.input(0)
    try b.set(f(&b, x), channelsFirst: isTurned)
  }

  static let elementwise: [Row] = [
    unary(8, "FLOOR", Unary(.floor)), unary(14, "LOGISTIC", Unary(.sigmoid)),
    unary(19, "RELU", Unary(.relu)), unary(20, "RELU_N1_TO_1", Unary(.clip, -1, 1)),
    unary(21, "RELU6", Unary(.clip, 0, 6)), unary(152, "RELU_0_TO_1", Unary(.clip, 0, 1)),
    unary(28, "TANH", Unary(.tanh)), unary(47, "EXP", Unary(.exp)), unary(59, "NEG", Unary(.neg)),
    unary(66, "SIN", Unary(.sin)), unary(73, "LOG", Unary(.log)), unary(75, "SQRT", Unary(.sqrt)),
    unary(101, "ABS", Unary(.abs)), unary(104, "CEIL", Unary(.ceil)),
    unary(108, "COS", Unary(.cos)), unary(116, "ROUND", Unary(.round)),
    unary(111, "ELU", Unary(.elu, 1)), unary(117, "HARD_SWISH", Unary(.hardSwish)),
    unary(158, "SIGN", Unary(.sign)),
    Row(150, "GELU") { b throws(ImportError) in
      let op = Unary(try b.bool(0) ? .geluTanh : .gelu)
      if try b.isQuantized(b.tensor(0)) { return try quantizedUnary(&b, op) }
      try map(&b) { b, x in b.add(.unary(op), [x]) }
    },
    Row(98, "LEAKY_RELU") { b throws(ImportError) in
      let op = Unary(.leakyRelu, try b.float(0))
      if try b.isQuantized(b.tensor(0)) { return try quantizedLeakyRelu(&b, op) }
      try map(&b) { b, x in b.add(.unary(op), [x]) }
    },
    Row(76, "RSQRT") { b throws(ImportError) in
      if try b.isQuantized(b.tensor(0)) { return try quantizedRsqrt(&b) }
      try map(&b) { b, x in
        b.add(.unary(Unary(.reciprocal)), [b.add(.unary(Unary(.sqrt)), [x])])
      }
    },
    Row(92, "SQUARE") { b throws(ImportError) in
      try map(&b) { b, x in b.add(.binary(Binary(.mul)), [x, x]) }
    },
    Row(87, "LOGICAL_NOT") { b throws(ImportError) in
      try map(&b) { b, x in b.add(.unary(Unary(.not)), [x]) }
    },
    Row(53, "CAST") { b throws(ImportError) in
      guard let type = try b.outputTensor().elementType else { throw b.fail("casts to no number") }
      let to = type.isFloatingPoint ? ElementType.f32 : type
      try map(&b) { b, x in b.add(.cast(Cast(to: to)), [x]) }
    },
    Row(25, "SOFTMAX") { b throws(ImportError) in
      let beta = try b.float(0, 1)
      if try b.isQuantized(b.tensor(0)) { return try quantizedSoftmax(&b, beta) }
      var x = try b.input(0)
      if beta != 1 { x = b.add(.unary(Unary(.affine, beta, 0)), [x]) }
      try b.set(b.add(.softmax(Softmax()), [x]))
    },
    Row(50, "LOG_SOFTMAX") { b throws(ImportError) in
      if try b.isQuantized(b.tensor(0)) {
        return try viaFloat(&b) { b throws(ImportError) in
          b.add(.softmax(Softmax(isLogarithm: true)), [try b.real(0)])
        }
      }
      try b.set(b.add(.softmax(Softmax(isLogarithm: true)), [try b.input(0)]))
    },
    Row(11, "L2_NORMALIZATION") { b throws(ImportError) in
      try viaFloat(&b) { b throws(ImportError) in
        let x = try b.real(0)
        let op = Reduce(.l2, axes: IntegerList([-1]), keepsAxes: true)
        let norm = b.add(.binary(Binary(.max)), [b.add(.reduce(op), [x]), b.scalar(1e-6)])
        return b.add(.binary(Binary(.div)), [x, norm])
      }
    },
    Row(93, "ZEROS_LIKE") { b throws(ImportError) in
      let t = try b.tensor(0)
      guard let type = t.elementType else { throw b.fail("is no tensor of numbers") }
      let zero = type.isFloatingPoint ? b.scalar(0) : b.scalar(0, type)
      let shape = b.add(.shapeOf(ShapeOf()), [try b.input(0)])
      try b.set(b.add(.expand(Expand()), [zero, shape]))
    },
  ]

  // MARK: Two tensors

  /// Both inputs, with channels first where one of them is and the other can be.
  static func pair(
    _ b: inout TFLiteGraphBuilder, _ i: Int = 0, _ j: Int = 1
  ) throws(ImportError) -> (ValueID, ValueID, channelsFirst: Bool) {
    let (s, t) = (try b.number(i), try b.number(j))
    let (p, q) = (b.subgraph.tensors[s].shape.count, b.subgraph.tensors[t].shape.count)
    guard b.isTurned(s) || b.isTurned(t), p == 4 || p == 0, q == 4 || q == 0 else {
      return (try b.input(i), try b.input(j), false)
    }
    return (
      p == 4 ? try b.channelsFirst(i) : try b.input(i),
      q == 4 ? try b.channelsFirst(j) : try b.input(j), true
    )
  }

  /// A function of two tensors whose first option is what is fused behind it, if `fuses`.
  private static func binary(
    _ code: Int, _ name: String, _ kind: BinaryKind, fuses: Bool = false
  ) -> Row {
    Row(code, name) { b throws(ImportError) in
      let activation = fuses ? try b.byte(0) : 0
      if try b.isQuantized(b.tensor(0)) { return try quantizedBinary(&b, kind, activation) }
      let (x, y, isTurned) = try pair(&b)
      let z = b.add(.binary(Binary(kind)), [x, y])
      try b.set(try b.activated(z, activation), channelsFirst: isTurned)
    }
  }

  static let binaries: [Row] = [
    binary(0, "ADD", .add, fuses: true), binary(41, "SUB", .sub, fuses: true),
    binary(18, "MUL", .mul, fuses: true), binary(42, "DIV", .div, fuses: true),
    binary(55, "MAXIMUM", .max), binary(57, "MINIMUM", .min), binary(78, "POW", .pow),
    binary(58, "LESS", .less), binary(61, "GREATER", .greater),
    binary(62, "GREATER_EQUAL", .greaterOrEqual), binary(63, "LESS_EQUAL", .lessOrEqual),
    binary(71, "EQUAL", .equal), binary(84, "LOGICAL_OR", .or), binary(86, "LOGICAL_AND", .and),
    binary(95, "FLOOR_MOD", .mod),
    Row(72, "NOT_EQUAL") { b throws(ImportError) in
      let (x, y) = (try b.plain(0), try b.plain(1))
      try b.set(b.add(.unary(Unary(.not)), [b.add(.binary(Binary(.equal)), [x, y])]))
    },
    Row(54, "PRELU") { b throws(ImportError) in
      if try b.isQuantized(b.tensor(0)) {
        return try viaFloat(&b) { b throws(ImportError) in
          b.add(.binary(Binary(.prelu)), [try b.real(0), try b.real(1)])
        }
      }
      try b.set(b.add(.binary(Binary(.prelu)), [try b.input(0), try b.input(1)]))
    },
    Row(90, "FLOOR_DIV") { b throws(ImportError) in
      let (x, y) = (try b.input(0), try b.input(1))
      guard try b.tensor(0).elementType?.isFloatingPoint != true else {
        let quotient = b.add(.binary(Binary(.div)), [x, y])
        return try b.set(b.add(.unary(Unary(.floor)), [quotient]))
      }
      // (x − x mod y) / y, where the modulus has the divisor's sign.
      let rest = b.add(.binary(Binary(.mod)), [x, y])
      let whole = b.add(.binary(Binary(.sub)), [x, rest])
      try b.set(b.add(.binary(Binary(.div)), [whole, y]))
    },
    Row(99, "SQUARED_DIFFERENCE") { b throws(ImportError) in
      try viaFloat(&b) { b throws(ImportError) in
        let d = b.add(.binary(Binary(.sub)), [try b.real(0), try b.real(1)])
        return b.add(.binary(Binary(.mul)), [d, d])
      }
    },
    Row(106, "ADD_N") { b throws(ImportError) in
      try viaFloat(&b) { b throws(ImportError) in
        var sum = try b.real(0)
        for i in 1..<max(b.inputCount, 1) {
          sum = b.add(.binary(Binary(.add)), [sum, try b.real(i)])
        }
        return sum
      }
    },
    Row(64, "SELECT", select), Row(123, "SELECT_V2", select),
  ]

  /// A condition of one axis picks whole rows in the old operator.
  private static func select(_ b: inout TFLiteGraphBuilder) throws(ImportError) {
    var condition = try b.input(0)
    let rank = try b.tensor(1).shape.count
    if b.node.code == 64, try b.tensor(0).shape.count == 1, rank > 1 {
      let axes = try b.list(Array(1..<rank))
      condition = b.add(.reshape(Reshape(.unsqueeze, axes)), [condition])
    }
    try b.requireSameScale([1, 2])
    try b.set(b.add(.select(Select()), [condition, try b.input(1), try b.input(2)]))
  }
}
