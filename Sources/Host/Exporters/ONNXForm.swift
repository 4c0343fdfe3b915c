// How a node of a graph is said in ONNX: one standard operator, or a few.
import Graphs
import Operators
import Tensors

/// A node in terms of ONNX's standard operators, at fixed extents.
public struct ONNXForm: Sendable {
  /// What an operator reads.
  enum Operand: Sendable {
    /// The node's input of this number.
    case value(Int)
    /// The result of an earlier step.
    case step(Int)
    /// A constant that is quantized symmetrically, with a scale for each index of `axis`.
    case weight(Constant, axis: Int)
    /// One number per channel, at the scale of the product that it is added to.
    case bias(Constant)
    /// A constant that stays as it is.
    case constant(Constant)
    /// An optional input that is left out.
    case omitted

    static func integers(_ list: [Int]) -> Operand {
      .constant(Constant(integers: list, shape: Shape([list.count])))
    }

    static func number(_ value: Float) -> Operand {
      .constant(Constant(floats: [value], shape: Shape()))
    }
  }

  /// What stands between a step's result and whoever reads it, where the node is quantized.
  enum Result: Equatable, Sendable {
    /// A range that calibration found.
    case calibrated
    /// A range that the function itself has.
    case bounded(low: Float, high: Float)
    /// The elements only move: what holds for the first operand holds for them.
    case moved
    /// Nothing: the next step takes it as it is.
    case inner
  }

  struct Step: Sendable {
    /// The operator's name.
    var type: String
    var operands: [Operand]
    var attributes: [ONNXAttributeField] = []
    var result = Result.calibrated
  }

  var steps: [Step]

  /// Names of the operators, in order.
  public var operators: [String] { steps.map(\.type) }

  /// True where the result holds the elements of the first input, maybe not all, in some order.
  public var moves: Bool { steps.allSatisfy { $0.result == .moved } }

  /// The node inputs that are activations and become integers where the node is quantized; others
  /// are constants of their own kind.
  var activations: [Int] {
    var list: [Int] = []
    for step in steps {
      for case .value(let i) in step.operands where !list.contains(i) { list.append(i) }
    }
    return list
  }

  init(_ steps: [Step]) { self.steps = steps }

  init(
    _ type: String, _ operands: [Operand], _ attributes: [ONNXAttributeField] = [],
    _ result: Result = .calibrated
  ) {
    steps = [Step(type: type, operands: operands, attributes: attributes, result: result)]
  }

  /// nil for nodes that cannot be said in ONNX's standard operators, or not yet.
  ///
  /// extents: the graph's shapes at the extents that the file will have.
  public init?(_ node: Node, in graph: Graph, _ extents: Evaluation) {
    let context = ONNXFormContext(node, graph, extents)
    guard node.outputs.count == 1, context.isPlain, let form = context.form else { return nil }
    self = form
  }
}

/// The node while its form is found.
struct ONNXFormContext {
  let node: Node
  let graph: Graph
  let extents: Evaluation

  init(_ node: Node, _ graph: Graph, _ extents: Evaluation) {
    self.node = node
    self.graph = graph
    self.extents = extents
  }

  /// Every input and output has a known shape and an element type that is written.
  var isPlain: Bool {
    (node.inputs.compactMap { $0 } + node.outputs).allSatisfy {
      !extents.isOpen[$0.index] && ONNXFile.number(of: extents.elementType($0)) != nil
    }
  }

  func constant(_ i: Int) -> Constant? {
    guard i < node.inputs.count, let v = node.inputs[i] else { return nil }
    return graph[v].constant
  }

  func has(_ i: Int) -> Bool { i < node.inputs.count && node.inputs[i] != nil }

  func shape(_ i: Int) -> Shape? {
    guard i < node.inputs.count, let v = node.inputs[i] else { return nil }
    return extents.shape(v)
  }

  var outputShape: Shape { extents.shape(node.outputs[0]) }

  /// Whether input `i` and the output hold f32.
  func isReal(_ i: Int) -> Bool {
    guard i < node.inputs.count, let v = node.inputs[i] else { return false }
    return extents.elementType(v) == .f32 && extents.elementType(node.outputs[0]) == .f32
  }

  var form: ONNXForm? {
    switch node.op {
    case .conv(let op): convolution(op)
    case .matMul(let op): product(op)
    case .unary(let op): unary(op)
    case .binary(let op): binary(op)
    case .pool(let op): pool(op)
    case .reduce(let op): reduction(op)
    case .softmax(let op): softmax(op)
    case .layerNorm(let op): normalization(op)
    case .concat(let op):
      ONNXForm(
        "Concat", node.inputs.indices.map { .value($0) },
        [ONNXAttributeField("axis", .integer(op.axis))])
    case .reshape:
      ONNXForm("Reshape", [.value(0), .integers(outputShape.dimensions)], [], .moved)
    case .transpose: transpose
    case .slice(let op): slice(op)
    case .pad(let op): padding(op)
    case .resize(let op): resize(op)
    case .expand:
      ONNXForm("Expand", [.value(0), .integers(outputShape.dimensions)], [], .moved)
    case .gather(let op):
      constant(1).map { indices in
        ONNXForm(
          "Gather", [.value(0), .constant(indices)],
          [ONNXAttributeField("axis", .integer(op.axis))], .moved)
      }
    default: nil
    }
  }

  // MARK: Products

  func window(_ window: Window, kernel: [Int]) -> [ONNXAttributeField] {
    var fields = [ONNXAttributeField("kernel_shape", .integers(kernel))]
    if window.strides.count > 0 {
      fields.append(ONNXAttributeField("strides", .integers(window.strides.array)))
    }
    if window.dilations.count > 0 {
      fields.append(ONNXAttributeField("dilations", .integers(window.dilations.array)))
    }
    switch window.autoPad {
    case .explicit:
      if window.pads.count > 0 {
        fields.append(ONNXAttributeField("pads", .integers(window.pads.array)))
      }
    case .sameUpper: fields.append(ONNXAttributeField("auto_pad", .text("SAME_UPPER")))
    case .sameLower: fields.append(ONNXAttributeField("auto_pad", .text("SAME_LOWER")))
    case .valid: fields.append(ONNXAttributeField("auto_pad", .text("VALID")))
    }
    return fields
  }

  private func convolution(_ op: Conv) -> ONNXForm? {
    guard isReal(0), let weight = constant(1), weight.elementType == .f32,
      weight.shape.elementCount > 0, let activation = activation(op.activation)
    else { return nil }
    var operands: [ONNXForm.Operand] = [.value(0), .weight(weight, axis: 0)]
    if has(2) {
      guard let bias = constant(2), bias.elementType == .f32 else { return nil }
      operands.append(.bias(bias))
    }
    let fields =
      window(op.window, kernel: Array(weight.shape.dimensions[2...]))
      + [ONNXAttributeField("group", .integer(op.groups))]
    return ONNXForm(
      [ONNXForm.Step(type: "Conv", operands: operands, attributes: fields)] + activation
    ).chained
  }

  /// The steps of a fused activation; nil for those that would need a range between.
  private func activation(_ fused: FusedActivation) -> [ONNXForm.Step]? {
    switch fused.kind {
    case .linear: []
    case .relu: [ONNXForm.Step(type: "Relu", operands: [])]
    case .clip:
      [
        ONNXForm.Step(
          type: "Clip", operands: [.omitted, .number(fused.p0), .number(fused.p1)])
      ]
    default: nil
    }
  }

  private func product(_ op: MatMul) -> ONNXForm? {
    guard isReal(0), !op.transposeA, let a = shape(0), a.rank >= 2, let given = constant(1),
      given.elementType == .f32, given.shape.rank == 2, given.shape.elementCount > 0,
      let activation = activation(op.activation)
    else { return nil }
    let bias = constant(2)
    guard !has(2) || bias?.elementType == .f32 && bias?.shape.rank == 1 else { return nil }
    let weight = given.scaled(by: op.alpha)
    if a.rank == 2 {
      // Gemm turns the matrix itself.
      let axis = op.transposeB ? 0 : 1
      var operands: [ONNXForm.Operand] = [.value(0), .weight(weight, axis: axis)]
      if let bias { operands.append(.bias(bias)) }
      let fields = [ONNXAttributeField("transB", .integer(op.transposeB ? 1 : 0))]
      return ONNXForm(
        [ONNXForm.Step(type: "Gemm", operands: operands, attributes: fields)] + activation
      ).chained
    }
    let turned = op.transposeB ? weight.transposed : weight
    var steps = [ONNXForm.Step(type: "MatMul", operands: [.value(0), .weight(turned, axis: 1)])]
    if let bias {
      steps.append(ONNXForm.Step(type: "Add", operands: [.omitted, .constant(bias)]))
    }
    return ONNXForm(steps + activation).chained
  }
}

extension ONNXForm {
  /// Each step reads the one before as its first operand and is all that reads it.
  fileprivate var chained: ONNXForm {
    var form = self
    for i in form.steps.indices.dropFirst() {
      form.steps[i - 1].result = .inner
      if form.steps[i].operands.isEmpty {
        form.steps[i].operands = [.step(i - 1)]
      } else {
        form.steps[i].operands[0] = .step(i - 1)
      }
    }
    return form
  }
}

extension Constant {
  /// Every f32 element times `factor`.
  fileprivate func scaled(by factor: Float) -> Constant {
    guard factor != 1, let floats else { return self }
    return Constant(floats: floats.map { $0 * factor }, shape: shape)
  }

  /// A matrix with rows and columns exchanged.
  fileprivate var transposed: Constant {
    guard let floats, shape.rank == 2 else { return self }
    let (rows, columns) = (shape[0], shape[1])
    return Constant(
      floats: (0..<floats.count).map { floats[$0 % rows * columns + $0 / rows] },
      shape: Shape([columns, rows]))
  }
}
