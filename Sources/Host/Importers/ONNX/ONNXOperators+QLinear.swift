// Products and convolutions of integers: QLinear…, …Integer and their relatives of com.microsoft.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let microsoft = "com.microsoft"

  static let qLinear: [ONNXOperator] = [
    ONNXOperator("QLinearConv", 10, qLinearConv),
    ONNXOperator("ConvInteger", 10) { b throws(ImportError) in
      let x = try b.input(0)
      let zeros = (try b.zero(2, like: x), try b.zero(3, like: try b.input(1)))
      return [
        try b.integerConv(x, try b.input(1), zeros.0, zeros.1, IntegerEpilogue(.i32), [])
      ]
    },
    ONNXOperator("QLinearMatMul", 10) { b throws(ImportError) in
      let (x, w) = (try b.input(0), try b.input(3))
      let yZero = try b.input(7)
      let scale = try b.ratio(1, 4, 6)
      let type = try b.integerType(yZero)
      let rest = [nil, scale, b.reshaped(yZero, [])]
      let zeros = (b.flat(try b.input(2)), b.flat(try b.input(5)))
      return [try b.integerProduct(x, w, zeros.0, zeros.1, IntegerEpilogue(type), rest)]
    },
    ONNXOperator("MatMulInteger", 10) { b throws(ImportError) in
      let (x, w) = (try b.input(0), try b.input(1))
      let zeros = (try b.zero(2, like: x), try b.zero(3, like: w))
      return [try b.integerProduct(x, w, zeros.0, zeros.1, IntegerEpilogue(.i32), [])]
    },
    ONNXOperator("DynamicQuantizeLinear", 11) { b throws(ImportError) in
      let (codes, scale, zero) = b.dynamicallyQuantized(try b.input(0))
      return [codes, scale, zero]
    },
    ONNXOperator("MatMulIntegerToFloat", domain: microsoft) { b throws(ImportError) in
      let (x, w) = (try b.input(0), try b.input(1))
      let zeros = (try b.zero(4, like: x), try b.zero(5, like: w))
      let sums = try b.integerProduct(x, w, zeros.0, zeros.1, IntegerEpilogue(.i32), [])
      return [try b.real(sums, try b.input(2), try b.input(3), bias: 6)]
    },
    ONNXOperator("DynamicQuantizeMatMul", domain: microsoft) { b throws(ImportError) in
      let w = try b.input(1)
      let (codes, scale, zero) = b.dynamicallyQuantized(try b.input(0))
      let sums = try b.integerProduct(
        codes, w, zero, try b.zero(3, like: w), IntegerEpilogue(.i32), [])
      return [try b.real(sums, scale, try b.input(2), bias: 4)]
    },
    ONNXOperator("QGemm", domain: microsoft, qGemm),
  ]

  private static func qLinearConv(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let (x, w) = (try b.input(0), try b.input(3))
    let yZero = try b.input(7)
    let type = try b.integerType(yZero)
    let rest = [try b.optional(8), try b.ratio(1, 4, 6), b.reshaped(yZero, [])]
    // Set where an activation was found between the convolution and what quantizes it.
    let range = IntegerEpilogue(type)
    let epilogue = IntegerEpilogue(
      type, low: try b.integer("knapsack_low", range.low),
      high: try b.integer("knapsack_high", range.high))
    guard epilogue.low <= epilogue.high else { throw b.fail("bounds that leave nothing") }
    let zeros = (b.flat(try b.input(2)), b.flat(try b.input(5)))
    return [try b.integerConv(x, w, zeros.0, zeros.1, epilogue, rest)]
  }

  /// alpha · A B + C; C holds integers of the product's scale.
  private static func qGemm(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    var (x, w) = (try b.input(0), try b.input(3))
    let turned = Transpose(IntegerList([1, 0]))
    if try b.bool("transA", false) { x = b.add(.transpose(turned), [x]) }
    if try b.bool("transB", false) { w = b.add(.transpose(turned), [w]) }
    let alpha = try b.float("alpha", 1)
    var bias = try b.optional(6)
    if let given = bias {
      let width = b.facts.extent(w, 1)
      guard b.elementType(given) == .i32, let width,
        b.facts.shape(given)?.elementCount == width
      else { throw b.fail("a bias that is not one number per column is not supported") }
      bias = b.reshaped(given, [width])
    }
    let zeros = (try b.zero(2, like: x), try b.zero(5, like: w))
    guard b.has(7) else {
      let sums = try b.integerProduct(x, w, zeros.0, zeros.1, IntegerEpilogue(.i32), [bias])
      let y = try b.real(sums, try b.input(1), try b.input(4), bias: nil)
      return [alpha == 1 ? y : b.add(.unary(Unary(.affine, alpha, 0)), [y])]
    }
    var scale = try b.ratio(1, 4, 7)
    if alpha != 1 { scale = b.add(.unary(Unary(.affine, alpha, 0)), [scale]) }
    let yZero = try b.input(8)
    let epilogue = IntegerEpilogue(try b.integerType(yZero))
    let rest = [bias, scale, b.reshaped(yZero, [])]
    return [try b.integerProduct(x, w, zeros.0, zeros.1, epilogue, rest)]
  }
}

extension ONNXGraphBuilder {
  mutating func reshaped(_ x: ValueID, _ target: [Int]) -> ValueID {
    add(.reshape(Reshape(.target, IntegerList(target))), [x])
  }

  /// All elements behind one another.
  mutating func flat(_ x: ValueID) -> ValueID {
    facts.rank(x) == 1 ? x : reshaped(x, [-1])
  }

  /// The 8-bit type of a zero point, which is that of what it belongs to.
  func integerType(_ value: ValueID) throws(ImportError) -> ElementType {
    guard let type = elementType(value), type == .i8 || type == .u8 else {
      throw fail("quantizes to an element type that is not supported")
    }
    return type
  }

  /// Input `i` as a list of zero points; zeros of `like`'s type where it is left out.
  mutating func zero(_ i: Int, like: ValueID) throws(ImportError) -> ValueID {
    if let value = try optional(i) { return flat(value) }
    return addConstant(Constant(try integerType(like), [0], Shape([1])))
  }

  /// x scale · w scale / y scale, inputs by their numbers.
  mutating func ratio(_ x: Int, _ w: Int, _ y: Int) throws(ImportError) -> ValueID {
    let product = add(.binary(Binary(.mul)), [flat(try input(x)), flat(try input(w))])
    return add(.binary(Binary(.div)), [product, flat(try input(y))])
  }

  /// Sums as real numbers: by both scales, plus a bias.
  mutating func real(
    _ sums: ValueID, _ xScale: ValueID, _ wScale: ValueID, bias: Int?
  ) throws(ImportError) -> ValueID {
    let scale = add(.binary(Binary(.mul)), [xScale, wScale])
    let whole = add(.cast(Cast(to: .f32)), [sums])
    let y = add(.binary(Binary(.mul)), [whole, scale])
    guard let bias, let value = try optional(bias) else { return y }
    return add(.binary(Binary(.add)), [y, value])
  }

  /// Codes u8, scale and zero point of x by its own range, which takes 0 in.
  mutating func dynamicallyQuantized(
    _ x: ValueID
  ) -> (codes: ValueID, scale: ValueID, zero: ValueID) {
    func extreme(_ b: inout ONNXGraphBuilder, _ kind: ReduceKind, _ with: BinaryKind) -> ValueID {
      let all = b.add(.reduce(Reduce(kind, axes: IntegerList(), keepsAxes: false)), [x])
      return b.add(.binary(Binary(with)), [all, b.scalar(0)])
    }
    note("DynamicQuantizeLinear → range, quotient, rounding, cast")
    let high = extreme(&self, .max, .max)
    let low = extreme(&self, .min, .min)
    let range = add(.binary(Binary(.sub)), [high, low])
    let quotient = add(.binary(Binary(.div)), [range, scalar(255)])
    // A tensor of zeros has no range: any scale serves.
    let isEmpty = add(.binary(Binary(.equal)), [quotient, scalar(0)])
    let scale = add(.select(Select()), [isEmpty, scalar(1), quotient])
    let start = add(.unary(Unary(.neg)), [add(.binary(Binary(.div)), [low, scale])])
    let bounded = add(.unary(Unary(.clip, 0, 255)), [start])
    let zero = add(.unary(Unary(.round)), [bounded])
    let steps = add(.unary(Unary(.round)), [add(.binary(Binary(.div)), [x, scale])])
    let codes = add(
      .unary(Unary(.clip, 0, 255)), [add(.binary(Binary(.add)), [steps, zero])])
    let narrow = Operator.cast(Cast(to: .u8))
    return (add(narrow, [codes]), scale, add(narrow, [zero]))
  }

  /// x [..., m, k] times w [..., k, n] in integers; zeros are lists, `rest` the epilogue's inputs from
  /// the bias on.
  mutating func integerProduct(
    _ x: ValueID, _ w: ValueID, _ xZeros: ValueID, _ wZeros: ValueID,
    _ epilogue: IntegerEpilogue, _ rest: [ValueID?]
  ) throws(ImportError) -> ValueID {
    let (p, q) = (try rank(x), try rank(w))
    guard p >= 1, q >= 1 else { throw fail("a scalar has no matrix product") }
    var (x, w) = (x, w)
    if p == 1 { x = add(.reshape(Reshape(.unsqueeze, IntegerList([0]))), [x]) }
    if q == 1 { w = add(.reshape(Reshape(.unsqueeze, IntegerList([1]))), [w]) }
    if q > 2 {
      guard p == q, let a = facts.shape(x), let c = facts.shape(w),
        (0..<(q - 2)).allSatisfy({ a[$0] == c[$0] })
      else { throw fail("leading axes that differ are not supported for integers") }
      w = reshaped(w, [-1, c[q - 2], c[q - 1]])
    } else {
      w = add(.reshape(Reshape(.unsqueeze, IntegerList([0]))), [w])
    }
    // Tables have a column for each matrix, zero points often one for all.
    let packed = add(.packRows(PackRows(isTransposed: true)), [w], outputs: 2)
    let op = IntegerProduct(epilogue)
    var y = add(.integerProduct(op), [x] + packed + [xZeros, wZeros] + rest)
    if q == 1 { y = add(.reshape(Reshape(.squeeze, IntegerList([-1]))), [y]) }
    if p == 1 { y = add(.reshape(Reshape(.squeeze, IntegerList([q == 1 ? 0 : -2]))), [y]) }
    return y
  }

  /// x [n, c, spatial…] convolved with w [o, c / groups, taps…] in integers.
  mutating func integerConv(
    _ x: ValueID, _ w: ValueID, _ xZeros: ValueID, _ wZeros: ValueID,
    _ epilogue: IntegerEpilogue, _ rest: [ValueID?]
  ) throws(ImportError) -> ValueID {
    guard let shape = facts.shape(w), shape.rank == 3 || shape.rank == 4,
      shape.elementCount > 0
    else { throw fail("expected filters of known extents over one or two axes") }
    let window = try ONNXOperator.window(self)
    let groups = try ONNXOperator.groups(self)
    guard shape[0] % groups == 0 else { throw fail("\(shape[0]) filters in \(groups) groups") }
    let isWide = shape.rank == 4
    let last = Transpose(IntegerList(isWide ? [0, 2, 3, 1] : [0, 2, 1]))
    let first = Transpose(IntegerList(isWide ? [0, 3, 1, 2] : [0, 2, 1]))
    let pixels = add(.transpose(last), [x])
    let kernel = IntegerList(Array(shape.dimensions[2...]))
    let taps = shape.elementCount(of: 2..<shape.rank)
    let y: ValueID
    if shape[1] == 1, groups == shape[0], taps <= IntegerDepthwise.maximumTaps, groups > 1,
      facts.extent(xZeros, 0) == 1
    {
      let rows = add(
        .transpose(Transpose(IntegerList([1, 0]))), [reshaped(w, [groups, taps])])
      let op = IntegerDepthwise(kernel: kernel, window: window, epilogue: epilogue)
      y = add(.integerDepthwise(op), [pixels, rows, xZeros, wZeros] + rest)
    } else {
      let rows = reshaped(
        add(.transpose(last), [w]), [groups, shape[0] / groups, taps * shape[1]])
      let packed = add(.packRows(PackRows()), [rows], outputs: 2)
      let op = IntegerConv(
        kernel: kernel, window: window, groups: groups, epilogue: epilogue)
      y = add(.integerConv(op), [pixels] + packed + [xZeros, wZeros] + rest)
    }
    return add(.transpose(first), [y])
  }
}
