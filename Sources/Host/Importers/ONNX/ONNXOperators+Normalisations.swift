// Normalisations, softmax among them.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let normalisations: [ONNXOperator] = [
    ONNXOperator("BatchNormalization", 6, batchNorm),
    ONNXOperator("InstanceNormalization", 6, instanceNorm),
    ONNXOperator("GroupNormalization", 18) { b throws(ImportError) in
      try groupNorm(&b, perGroup: true)
    },
    ONNXOperator("GroupNormalization", 21) { b throws(ImportError) in
      try groupNorm(&b, perGroup: false)
    },
    ONNXOperator("LayerNormalization") { b throws(ImportError) in
      let op = LayerNorm(
        axis: try b.axis(try b.integer("axis", -1)), epsilon: try b.float("epsilon", 1e-5))
      let x = try b.input(0)
      let y = b.add(.layerNorm(op), [x, try b.input(1), try b.optional(2)])
      guard b.node.outputs.count > 1 else { return [y] }
      return try [y] + statistics(&b, x, op)
    },
    ONNXOperator("RMSNormalization", 23, rmsNorm),
    ONNXOperator("LRN") { b throws(ImportError) in
      let size = try b.integer("size", 0)
      guard (1...1 << 20).contains(size) else { throw b.fail("size \(size) is out of range") }
      let op = LRN(
        size: size, alpha: try b.float("alpha", 1e-4), beta: try b.float("beta", 0.75),
        bias: try b.float("bias", 1))
      return [b.add(.lrn(op), [try b.input(0)])]
    },
    ONNXOperator("LpNormalization", lpNorm),
    ONNXOperator("MeanVarianceNormalization", 9, meanVariance),
    ONNXOperator("Softmax") { b throws(ImportError) in try flatSoftmax(&b, isLogarithm: false) },
    ONNXOperator("LogSoftmax") { b throws(ImportError) in try flatSoftmax(&b, isLogarithm: true) },
    ONNXOperator("Softmax", 13) { b throws(ImportError) in try softmax(&b, isLogarithm: false) },
    ONNXOperator("LogSoftmax", 13) { b throws(ImportError) in try softmax(&b, isLogarithm: true) },
  ]

  private static func batchNorm(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    if try b.bool("training_mode", false) { return try batchStatistics(&b) }
    guard try b.bool("spatial", true) else {
      throw b.fail("statistics per element are not supported")
    }
    var inputs: [ValueID?] = []
    for i in 0..<5 { inputs.append(try b.input(i)) }
    return [b.add(.batchNorm(BatchNorm(epsilon: try b.float("epsilon", 1e-5))), inputs)]
  }

  /// By the batch's own mean and variance, which the running ones follow.
  private static func batchStatistics(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let rank = try b.rank(x)
    guard rank >= 2 else { throw b.fail("expected batches of channels") }
    b.note("BatchNormalization in training mode → means")
    let axes = [0] + Array(2..<max(rank, 2))
    let mean = b.reduce(.mean, x, axes)
    let centred = b.binary(.sub, x, mean)
    let variance = b.reduce(.mean, b.binary(.mul, centred, centred), axes)
    let share = try b.float("momentum", 0.9)
    func running(_ i: Int, _ value: ValueID, _ b: inout ONNXGraphBuilder) throws(ImportError)
      -> ValueID
    {
      let flat = b.reshape(value, [-1])
      return b.binary(.add, b.affine(try b.input(i), share), b.affine(flat, 1 - share))
    }
    let inputs = [
      x, try b.input(1), try b.input(2), b.reshape(mean, [-1]), b.reshape(variance, [-1]),
    ]
    let y = b.add(.batchNorm(BatchNorm(epsilon: try b.float("epsilon", 1e-5))), inputs)
    return [y, try running(3, mean, &b), try running(4, variance, &b)]
  }

  /// Mean and 1 / √(variance + epsilon) along the normalised axes.
  private static func statistics(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, _ op: LayerNorm
  ) throws(ImportError) -> [ValueID] {
    let axes = try b.axes(Array(op.axis..<max(op.axis, op.axis < 0 ? 0 : try b.rank(x))))
    b.note("statistics of LayerNormalization → means, root")
    let mean = b.add(.reduce(Reduce(.mean, axes: axes, keepsAxes: true)), [x])
    let centred = b.add(.binary(Binary(.sub)), [x, mean])
    let square = b.add(.binary(Binary(.mul)), [centred, centred])
    let variance = b.add(.reduce(Reduce(.mean, axes: axes, keepsAxes: true)), [square])
    let shifted = b.add(.unary(Unary(.affine, 1, op.epsilon)), [variance])
    let root = b.add(.unary(Unary(.sqrt)), [shifted])
    return [mean, b.add(.unary(Unary(.reciprocal)), [root])]
  }

  /// Each channel is a group of its own.
  private static func instanceNorm(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let inputs = [try b.input(0), try b.input(1), try b.input(2)]
    guard let channels = b.facts.extent(inputs[1], 0), channels >= 1 else {
      throw b.fail("the number of channels cannot be found out")
    }
    b.note("InstanceNormalization → group normalisation")
    let op = GroupNorm(groups: channels, epsilon: try b.float("epsilon", 1e-5))
    return [b.add(.groupNorm(op), inputs)]
  }

  /// Opset 18 gives scale and bias per group: they are spread over the group's channels.
  private static func groupNorm(
    _ b: inout ONNXGraphBuilder, perGroup: Bool
  ) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let groups = try b.integer("num_groups", 0)
    guard (1...1 << 24).contains(groups) else { throw b.fail("\(groups) groups are out of range") }
    var affine = [try b.input(1), try b.input(2)]
    if perGroup {
      guard let channels = b.facts.extent(x, 1), channels % groups == 0 else {
        throw b.fail("the number of channels is not fixed or no multiple of \(groups)")
      }
      affine = affine.map {
        let column = b.add(.reshape(Reshape(.unsqueeze, IntegerList([1]))), [$0])
        let wide = b.add(.expand(Expand()), [column, b.constant([1, channels / groups])])
        return b.add(.reshape(Reshape(.target, IntegerList([-1]))), [wide])
      }
    }
    let op = GroupNorm(groups: groups, epsilon: try b.float("epsilon", 1e-5))
    return [b.add(.groupNorm(op), [x] + affine)]
  }

  /// x / √(mean(x²) + epsilon) · scale.
  private static func rmsNorm(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let axis = try b.axis(try b.integer("axis", -1))
    let last = axis < 0 ? 0 : try b.rank(x)
    guard axis < last || axis < 0 else { throw b.fail("axis \(axis) is out of range") }
    b.note("RMSNormalization → square, mean, root, product")
    let square = b.add(.binary(Binary(.mul)), [x, x])
    let op = Reduce(.mean, axes: try b.axes(Array(axis..<last)), keepsAxes: true)
    let mean = b.add(.reduce(op), [square])
    let shifted = b.add(.unary(Unary(.affine, 1, try b.float("epsilon", 1e-5))), [mean])
    let root = b.add(.unary(Unary(.sqrt)), [shifted])
    let unit = b.add(.binary(Binary(.div)), [x, root])
    return [b.add(.binary(Binary(.mul)), [unit, try b.input(1)])]
  }

  private static func lpNorm(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let exponent = try b.integer("p", 2)
    guard exponent == 1 || exponent == 2 else {
      throw b.fail("exponent \(exponent) is not supported")
    }
    b.note("LpNormalization → norm, quotient")
    let axes = try b.axes([try b.integer("axis", -1)])
    let op = Reduce(exponent == 1 ? .l1 : .l2, axes: axes, keepsAxes: true)
    // Zeros stay zeros.
    let least = Unary(.clip, .leastNormalMagnitude, .infinity)
    let norm = b.add(.unary(least), [b.add(.reduce(op), [x])])
    return [b.add(.binary(Binary(.div)), [x, norm])]
  }

  /// (x − mean) / (√variance + 1e-9).
  private static func meanVariance(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let axes = try b.axes(try b.integers("axes") ?? [0, 2, 3])
    b.note("MeanVarianceNormalization → means, root, quotient")
    let mean = b.add(.reduce(Reduce(.mean, axes: axes, keepsAxes: true)), [x])
    let centred = b.add(.binary(Binary(.sub)), [x, mean])
    let square = b.add(.binary(Binary(.mul)), [centred, centred])
    let variance = b.add(.reduce(Reduce(.mean, axes: axes, keepsAxes: true)), [square])
    let deviation = b.add(.unary(Unary(.sqrt)), [variance])
    let divisor = b.add(.unary(Unary(.affine, 1, 1e-9)), [deviation])
    return [b.add(.binary(Binary(.div)), [centred, divisor])]
  }

  private static func softmax(
    _ b: inout ONNXGraphBuilder, isLogarithm: Bool
  ) throws(ImportError) -> [ValueID] {
    let op = Softmax(axis: try b.axis(try b.integer("axis", -1)), isLogarithm: isLogarithm)
    return [b.add(.softmax(op), [try b.input(0)])]
  }

  /// Before opset 13 all axes from `axis` on are one; on the last axis that is the same.
  private static func flatSoftmax(
    _ b: inout ONNXGraphBuilder, isLogarithm: Bool
  ) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let axis = try b.axis(try b.integer("axis", 1))
    let last = Softmax(axis: -1, isLogarithm: isLogarithm)
    if axis == -1 || b.facts.rank(x) == axis + 1 { return [b.add(.softmax(last), [x])] }
    b.note("\(b.node.type) over several axes → flatten, softmax, reshape")
    let flat = b.add(.reshape(Reshape(.flatten, IntegerList([axis]))), [x])
    let y = b.add(.softmax(last), [flat])
    return [b.add(.reshape(Reshape(allowsZero: true)), [y, b.add(.shapeOf(ShapeOf()), [x])])]
  }
}
