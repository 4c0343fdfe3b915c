// Forms of the nodes without weights: functions, pools, reductions, moves.
import Graphs
import Operators
import Tensors

extension ONNXFormContext {
  func unary(_ op: Unary) -> ONNXForm? {
    guard isReal(0) else { return nil }
    func plain(
      _ type: String, _ fields: [ONNXAttributeField] = [],
      _ result: ONNXForm.Result = .calibrated
    ) -> ONNXForm { ONNXForm(type, [.value(0)], fields, result) }
    func numbers(_ alpha: Float, _ beta: Float? = nil) -> [ONNXAttributeField] {
      [ONNXAttributeField("alpha", .float(alpha))]
        + (beta.map { [ONNXAttributeField("beta", .float($0))] } ?? [])
    }
    switch op.kind {
    case .relu: return plain("Relu")
    case .clip: return ONNXForm("Clip", [.value(0), .number(op.p0), .number(op.p1)])
    case .sigmoid: return plain("Sigmoid", [], .bounded(low: 0, high: 1))
    case .tanh: return plain("Tanh", [], .bounded(low: -1, high: 1))
    case .leakyRelu: return plain("LeakyRelu", numbers(op.p0))
    case .elu: return plain("Elu", numbers(op.p0))
    case .hardSwish: return plain("HardSwish")
    case .hardSigmoid: return plain("HardSigmoid", numbers(op.p0, op.p1), .bounded(low: 0, high: 1))
    case .softplus: return plain("Softplus")
    case .exp: return plain("Exp")
    case .log: return plain("Log")
    case .sqrt: return plain("Sqrt")
    case .abs: return plain("Abs")
    case .neg: return plain("Neg")
    case .reciprocal: return plain("Reciprocal")
    case .floor: return plain("Floor")
    case .ceil: return plain("Ceil")
    case .erf: return plain("Erf", [], .bounded(low: -1, high: 1))
    case .silu:
      return ONNXForm([
        ONNXForm.Step(
          type: "Sigmoid", operands: [.value(0)], result: .bounded(low: 0, high: 1)),
        ONNXForm.Step(type: "Mul", operands: [.value(0), .step(0)]),
      ])
    case .affine:
      return ONNXForm([
        ONNXForm.Step(type: "Mul", operands: [.value(0), .number(op.p0)], result: .inner),
        ONNXForm.Step(type: "Add", operands: [.step(0), .number(op.p1)]),
      ])
    default: return nil
    }
  }

  func binary(_ op: Binary) -> ONNXForm? {
    guard isReal(0), isReal(1) else { return nil }
    let type: String
    switch op.kind {
    case .add: type = "Add"
    case .sub: type = "Sub"
    case .mul: type = "Mul"
    case .div: type = "Div"
    case .max: type = "Max"
    case .min: type = "Min"
    case .pow: type = "Pow"
    case .prelu: type = "PRelu"
    default: return nil
    }
    return ONNXForm(type, [.value(0), .value(1)])
  }

  func pool(_ op: Pool) -> ONNXForm? {
    let fields =
      window(op.window, kernel: op.kernel.array)
      + [ONNXAttributeField("ceil_mode", .integer(op.roundsUp ? 1 : 0))]
    switch op.kind {
    case .max: return ONNXForm("MaxPool", [.value(0)], fields, .moved)
    case .average:
      // AveragePool has dilations from opset 19 on.
      guard op.window.dilations.array.allSatisfy({ $0 == 1 }) else { return nil }
      let known = fields.filter { $0.name != "dilations" }
      let counts = ONNXAttributeField("count_include_pad", .integer(op.includesPadding ? 1 : 0))
      return ONNXForm("AveragePool", [.value(0)], known + [counts])
    case .lp: return nil
    }
  }

  func reduction(_ op: Reduce) -> ONNXForm? {
    guard isReal(0), !has(1), let x = shape(0) else { return nil }
    var axes = op.axes.array.map { $0 < 0 ? $0 + x.rank : $0 }
    if axes.isEmpty {
      guard !op.keepsAll else { return nil }
      axes = Array(0..<x.rank)
    }
    if op.kind == .mean, x.rank >= 3, axes.sorted() == Array(2..<x.rank) {
      let pool = ONNXForm.Step(type: "GlobalAveragePool", operands: [.value(0)])
      if op.keepsAxes { return ONNXForm([pool]) }
      // The range of the result holds for its only step that computes.
      return ONNXForm([
        pool,
        ONNXForm.Step(
          type: "Reshape", operands: [.step(0), .integers(outputShape.dimensions)],
          result: .moved),
      ])
    }
    let type: String
    switch op.kind {
    case .mean: type = "ReduceMean"
    case .sum: type = "ReduceSum"
    case .max: type = "ReduceMax"
    case .min: type = "ReduceMin"
    default: return nil
    }
    let keeps = ONNXAttributeField("keepdims", .integer(op.keepsAxes ? 1 : 0))
    // Of the reductions ReduceSum is the one that takes axes as an input in this opset.
    if op.kind == .sum { return ONNXForm(type, [.value(0), .integers(axes)], [keeps]) }
    return ONNXForm(type, [.value(0)], [ONNXAttributeField("axes", .integers(axes)), keeps])
  }

  func softmax(_ op: Softmax) -> ONNXForm {
    ONNXForm(
      op.isLogarithm ? "LogSoftmax" : "Softmax", [.value(0)],
      [ONNXAttributeField("axis", .integer(op.axis))],
      op.isLogarithm ? .calibrated : .bounded(low: 0, high: 1))
  }

  func normalization(_ op: LayerNorm) -> ONNXForm? {
    guard isReal(0), let scale = constant(1), !has(3) else { return nil }
    var operands: [ONNXForm.Operand] = [.value(0), .constant(scale)]
    if has(2) {
      guard let bias = constant(2) else { return nil }
      operands.append(.constant(bias))
    }
    return ONNXForm(
      "LayerNormalization", operands,
      [
        ONNXAttributeField("axis", .integer(op.axis)),
        ONNXAttributeField("epsilon", .float(op.epsilon)),
      ])
  }

  // MARK: Moves

  var transpose: ONNXForm? {
    guard case .transpose(let op) = node.op else { return nil }
    let fields =
      op.permutation.count > 0
      ? [ONNXAttributeField("perm", .integers(op.permutation.array))] : []
    return ONNXForm("Transpose", [.value(0)], fields, .moved)
  }

  func slice(_ op: Slice) -> ONNXForm? {
    guard op.isConstant else { return nil }
    let count = op.starts.count
    let axes = op.axes.count > 0 ? op.axes.array : Array(0..<count)
    let steps = op.steps.count > 0 ? op.steps.array : [Int](repeating: 1, count: count)
    return ONNXForm(
      "Slice",
      [
        .value(0), .integers(op.starts.array), .integers(op.ends.array), .integers(axes),
        .integers(steps),
      ], [], .moved)
  }

  func padding(_ op: Pad) -> ONNXForm? {
    guard op.isConstant, let x = shape(0) else { return nil }
    let mode: String
    switch op.mode {
    case .constant: mode = "constant"
    case .reflect: mode = "reflect"
    case .edge: mode = "edge"
    case .wrap: return nil
    }
    // Only zeros are in every range.
    guard !has(2) || constant(2)?.uniformFloat == 0 else { return nil }
    let count = op.axes.count > 0 ? op.axes.count : x.rank
    guard op.pads.count == 2 * count else { return nil }
    var pads = [Int](repeating: 0, count: 2 * x.rank)
    for i in 0..<count {
      guard let axis = x.normalized(axis: op.axes.count > 0 ? op.axes[i] : i) else { return nil }
      pads[axis] = op.pads[i]
      pads[axis + x.rank] = op.pads[i + count]
    }
    return ONNXForm(
      "Pad", [.value(0), .integers(pads)], [ONNXAttributeField("mode", .text(mode))], .moved)
  }

  func resize(_ op: Resize) -> ONNXForm? {
    guard let x = shape(0), let given = constant(1), op.coordinates != .halfPixelSymmetric else {
      return nil
    }
    let axes = op.axes.count > 0 ? op.axes.array : Array(0..<x.rank)
    var operands: [ONNXForm.Operand] = [.value(0), .omitted]
    if let scales = given.floats, scales.count == axes.count {
      var all = [Float](repeating: 1, count: x.rank)
      for (a, scale) in zip(axes, scales) {
        guard let axis = x.normalized(axis: a) else { return nil }
        all[axis] = scale
      }
      operands.append(.constant(Constant(floats: all, shape: Shape([x.rank]))))
    } else {
      operands += [.omitted, .integers(outputShape.dimensions)]
    }
    let coordinates =
      switch op.coordinates {
      case .halfPixel, .halfPixelSymmetric: "half_pixel"
      case .pytorchHalfPixel: "pytorch_half_pixel"
      case .alignCorners: "align_corners"
      case .asymmetric: "asymmetric"
      }
    let rounding =
      switch op.rounding {
      case .preferFloor: "round_prefer_floor"
      case .preferCeil: "round_prefer_ceil"
      case .floor: "floor"
      case .ceil: "ceil"
      }
    return ONNXForm(
      "Resize", operands,
      [
        ONNXAttributeField("mode", .text(op.isLinear ? "linear" : "nearest")),
        ONNXAttributeField("coordinate_transformation_mode", .text(coordinates)),
        ONNXAttributeField("nearest_mode", .text(rounding)),
      ], op.isLinear ? .calibrated : .moved)
  }
}
