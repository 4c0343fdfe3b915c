// TFLite's operators for the steps of nodes.
import Graphs
import Operators
import Tensors

extension TFLiteExportWriter {
  /// Writes one step. v: the value that it makes; nil within a node.
  mutating func write(
    _ step: ONNXForm.Step, _ node: Node, _ results: [TFLitePlace], _ v: ValueID?, _ activation: Int
  ) throws(ExportError) -> TFLitePlace {
    let output = v ?? node.outputs[0]
    let name = v.map { graph[$0].name } ?? "\(node.name)_\(step.type)"
    let rank = plan.extents.shape(output).rank
    switch step.type {
    case "Conv": return try convolution(step, node, output, activation)
    case "Gemm": return try product(step, node, output, activation)
    case "MaxPool", "AveragePool": return try pool(step, node, output)
    case "GlobalAveragePool":
      let x = try operand(step.operands[0], node, results, last: true)
      var shape = file.tensors[x].shape
      guard shape.count == 4 else { throw unsupported(node, step.type) }
      (shape[1], shape[2]) = (1, 1)
      let y = file.add(int8(name, shape, try calibrated(output)))
      file.add(.mean, [x, file.add("axes", integers: [1, 2])], y, [0: .byte(1)])
      return TFLitePlace(tensor: y, isLast: true)
    case "Add", "Mul":
      let last = rank == 4 && isAnyLast(step, node, results)
      var inputs: [Int] = []
      for o in step.operands { inputs.append(try operand(o, node, results, last: last)) }
      let y = file.add(int8(name, shape(output, last: last), try calibrated(output)))
      file.add(step.type == "Add" ? .add : .mul, inputs, y, [0: .byte(activation)])
      return TFLitePlace(tensor: y, isLast: last)
    case "Relu", "Clip", "Sigmoid", "Tanh", "LeakyRelu":
      return try function(step, node, results, output, name)
    case "Softmax":
      let axis = step.integer("axis") ?? -1
      let positive = axis < 0 ? axis + rank : axis
      let last = rank == 4 && positive == 1
      guard last || positive == rank - 1 else {
        throw unsupported(node, "Softmax over an inner axis")
      }
      let x = try operand(step.operands[0], node, results, last: last)
      let y = file.add(int8(name, file.tensors[x].shape, Self.scale(1 / 256, -128)))
      file.add(.softmax, [x], y, [0: .float(1)])
      return TFLitePlace(tensor: y, isLast: last)
    case "Concat": return try concat(step, node, output)
    case "Reshape":
      let x = try operand(step.operands[0], node, results, last: false)
      let shape = plan.extents.shape(output).dimensions
      let y = file.add(int8(name, shape, scale(of: x)))
      reshape(x, to: y, shape)
      return TFLitePlace(tensor: y, isLast: false)
    case "Pad":
      guard case .constant(let given) = step.operands[1], let pads = given.integers, rank == 4,
        pads.allSatisfy({ $0 >= 0 }), step.text("mode") == "constant"
      else { throw unsupported(node, step.type) }
      let x = try operand(step.operands[0], node, results, last: true)
      let order = Self.lastOrder
      return TFLitePlace(
        tensor: padded(x, order.map { (pads[$0], pads[$0 + 4]) }, name), isLast: true)
    default: throw unsupported(node, step.type)
    }
  }

  static func scale(_ scale: Float, _ zeroPoint: Int) -> ByteScale {
    var result = ByteScale(0...1)
    (result.scale, result.zeroPoint) = (scale, zeroPoint)
    return result
  }

  private func isAnyLast(_ step: ONNXForm.Step, _ node: Node, _ results: [TFLitePlace]) -> Bool {
    step.operands.contains { operand in
      switch operand {
      case .step(let s): results[s].isLast
      case .value(let n): node.inputs[n].flatMap { place(of: $0) }?.isLast ?? false
      default: false
      }
    }
  }

  private mutating func operand(
    _ operand: ONNXForm.Operand, _ node: Node, _ results: [TFLitePlace], last: Bool
  ) throws(ExportError) -> Int {
    switch operand {
    case .value(let n):
      guard let v = node.inputs[n] else { throw unsupported(node, "a missing input") }
      return try read(v, last: last)
    case .step(let s):
      guard results[s].isLast == last || file.tensors[results[s].tensor].shape.count != 4 else {
        // Within a node results stay in their order but where nothing moves by it.
        let shape = file.tensors[results[s].tensor].shape
        guard shape[1] == 1, shape[2] == 1 else { throw unsupported(node, "an order of axes") }
        let moved = [shape[0], shape[3], 1, 1]
        let y = file.add(int8("\(node.name)_first", moved, scale(of: results[s].tensor)))
        reshape(results[s].tensor, to: y, moved)
        return y
      }
      return results[s].tensor
    default: throw unsupported(node, "a constant of this kind")
    }
  }

  private mutating func function(
    _ step: ONNXForm.Step, _ node: Node, _ results: [TFLitePlace], _ output: ValueID, _ name: String
  ) throws(ExportError) -> TFLitePlace {
    let last = plan.extents.shape(output).rank == 4 && isAnyLast(step, node, results)
    let x = try operand(step.operands[0], node, results, last: last)
    let op: TFLiteOperator
    let scale: ByteScale
    var options: [Int: FlatValue]?
    switch step.type {
    // These two have scales of their own in TFLite's integers.
    case "Sigmoid": (op, scale) = (.logistic, Self.scale(1 / 256, -128))
    case "Tanh": (op, scale) = (.tanh, Self.scale(1 / 128, 0))
    case "LeakyRelu":
      (op, scale) = (.leakyRelu, try calibrated(output))
      options = [0: .float(step.float("alpha") ?? 0.01)]
    default:
      switch Self.activation(step) {
      case 1: (op, scale) = (.relu, try calibrated(output))
      case 3: (op, scale) = (.relu6, try calibrated(output))
      default: throw unsupported(node, "Clip")
      }
    }
    let y = file.add(int8(name, file.tensors[x].shape, scale))
    file.add(op, [x], y, options)
    return TFLitePlace(tensor: y, isLast: last)
  }

  private mutating func concat(
    _ step: ONNXForm.Step, _ node: Node, _ output: ValueID
  ) throws(ExportError) -> TFLitePlace {
    let rank = plan.extents.shape(output).rank
    let last = rank == 4 && isAnyLast(step, node, [])
    let scale = try calibrated(output)
    var inputs: [Int] = []
    for operand in step.operands {
      let x = try self.operand(operand, node, [], last: last)
      if self.scale(of: x) == scale {
        inputs.append(x)
      } else {
        // All parts have the codes of the whole.
        let same = file.add(int8("\(node.name)_part\(inputs.count)", file.tensors[x].shape, scale))
        file.add(.quantize, [x], same)
        inputs.append(same)
      }
    }
    let given = step.integer("axis") ?? 0
    let axis = given < 0 ? given + rank : given
    let y = file.add(int8(graph[output].name, shape(output, last: last), scale))
    let place = last ? Self.lastOrder.firstIndex(of: axis)! : axis
    file.add(.concatenation, inputs, y, [0: .int32(place), 1: .byte(0)])
    return TFLitePlace(tensor: y, isLast: last)
  }

  // MARK: Windows

  /// How TFLite says a window's padding; `pads` where a step of its own has to add it.
  private struct Padding {
    var code: Int
    var pads: [(Int, Int)]?
  }

  private func padding(_ step: ONNXForm.Step, _ node: Node, _ output: ValueID) throws(ExportError)
    -> Padding
  {
    guard let x = node.inputs[0], let kernel = step.integers("kernel_shape"), kernel.count == 2
    else {
      throw unsupported(node, "\(step.type) over one axis")
    }
    let (input, result) = (plan.extents.shape(x), plan.extents.shape(output))
    let strides = step.integers("strides") ?? [1, 1]
    let dilations = step.integers("dilations") ?? [1, 1]
    let named = step.text("auto_pad")
    if named == "VALID" { return Padding(code: 1) }
    var same: [(Int, Int)] = []
    for a in 0..<2 {
      let reach = (kernel[a] - 1) * dilations[a] + 1
      let total = max((result[2 + a] - 1) * strides[a] + reach - input[2 + a], 0)
      same.append((total / 2, total - total / 2))
    }
    let isWhole = (0..<2).allSatisfy {
      result[2 + $0] == (input[2 + $0] + strides[$0] - 1) / strides[$0]
    }
    if named == "SAME_UPPER" { return Padding(code: 0) }
    let list = step.integers("pads") ?? [0, 0, 0, 0]
    let given =
      named == "SAME_LOWER"
      ? same.map { ($0.1, $0.0) } : [(list[0], list[2]), (list[1], list[3])]
    if given.allSatisfy({ $0 == (0, 0) }), step.integer("ceil_mode") ?? 0 == 0 {
      return Padding(code: 1)
    }
    if isWhole, zip(given, same).allSatisfy({ $0 == $1 }) { return Padding(code: 0) }
    guard step.integer("ceil_mode") ?? 0 == 0 else { throw unsupported(node, "ceil_mode") }
    return Padding(code: 1, pads: given)
  }

  private mutating func padded(_ x: Int, _ pads: [(Int, Int)], _ name: String) -> Int {
    var shape = file.tensors[x].shape
    for a in 0..<4 { shape[a] += pads[a].0 + pads[a].1 }
    let y = file.add(int8(name, shape, scale(of: x)))
    let list = file.add("pads", integers: pads.flatMap { [$0.0, $0.1] }, shape: [4, 2])
    file.add(.pad, [x, list], y)
    return y
  }

  private mutating func convolution(
    _ step: ONNXForm.Step, _ node: Node, _ output: ValueID, _ activation: Int
  ) throws(ExportError) -> TFLitePlace {
    guard case .weight(let weight, _) = step.operands[1], weight.shape.rank == 4,
      let given = node.inputs[0]
    else { throw unsupported(node, "Conv over one axis") }
    let groups = step.integer("group") ?? 1
    let channels = plan.extents.shape(given)[1]
    let isDepthwise = groups == channels && weight.shape[1] == 1 && groups > 1
    guard groups == 1 || isDepthwise else { throw unsupported(node, "Conv in groups") }
    let padding = try padding(step, node, output)
    var x = try read(given, last: true)
    if let pads = padding.pads {
      x = padded(x, [(0, 0), pads[0], pads[1], (0, 0)], "\(node.name)_padded")
    }
    let bias = step.biasNumbers ?? [Float](repeating: 0, count: weight.shape[0])
    let activationScale = scale(of: x).scale
    let coded = ByteWeights(weight, axis: 0, bias: bias, activationScale: activationScale)
    // [outputs, h, w, channels], or [1, h, w, outputs] for one channel each.
    let order = isDepthwise ? [1, 2, 3, 0] : Self.lastOrder
    let w = file.add(
      TFLiteSketch(
        name: "\(node.name)_weights", type: 9, shape: order.map { weight.shape[$0] },
        scales: coded.scales, zeroPoints: [Int](repeating: 0, count: coded.scales.count),
        axis: isDepthwise ? 3 : 0,
        bytes: Self.moved(
          coded.codes.map { UInt8(bitPattern: $0) }, weight.shape.dimensions, order)))
    let b = addBias(node, bias, coded, activationScale)
    let y = file.add(int8(graph[output].name, shape(output, last: true), try calibrated(output)))
    let (strides, dilations) = (
      step.integers("strides") ?? [1, 1], step.integers("dilations") ?? [1, 1]
    )
    var options: [Int: FlatValue] = [
      0: .byte(padding.code), 1: .int32(strides[1]), 2: .int32(strides[0]),
    ]
    if isDepthwise {
      options[3] = .int32(weight.shape[0] / channels)
      options[4] = .byte(activation)
      (options[5], options[6]) = (.int32(dilations[1]), .int32(dilations[0]))
    } else {
      options[3] = .byte(activation)
      (options[4], options[5]) = (.int32(dilations[1]), .int32(dilations[0]))
    }
    file.add(isDepthwise ? .depthwiseConv : .conv, [x, w, b], y, options)
    return TFLitePlace(tensor: y, isLast: true)
  }

  private mutating func addBias(
    _ node: Node, _ bias: [Float], _ weights: ByteWeights, _ activationScale: Float
  ) -> Int {
    let codes = weights.bias(bias, activationScale: activationScale)
    let isWhole = weights.scales.count == 1
    return file.add(
      TFLiteSketch(
        name: "\(node.name)_bias", type: 2, shape: [bias.count],
        scales: weights.scales.map { $0 * activationScale },
        zeroPoints: [Int](repeating: 0, count: isWhole ? 1 : bias.count),
        bytes: codes.withUnsafeBytes { [UInt8]($0) }))
  }

  private mutating func product(
    _ step: ONNXForm.Step, _ node: Node, _ output: ValueID, _ activation: Int
  ) throws(ExportError) -> TFLitePlace {
    guard case .weight(let weight, let axis) = step.operands[1], let given = node.inputs[0] else {
      throw unsupported(node, "Gemm of two activations")
    }
    let (n, k) = (weight.shape[axis], weight.shape[1 - axis])
    let x = try read(given, last: false)
    let bias = step.biasNumbers ?? [Float](repeating: 0, count: n)
    let activationScale = scale(of: x).scale
    // One scale for all: fully connected layers of compilers take no more.
    let coded = ByteWeights(weight, bias: bias, activationScale: activationScale)
    let bytes = coded.codes.map { UInt8(bitPattern: $0) }
    let turned =
      axis == 0 ? bytes : (0..<bytes.count).map { bytes[$0 % k * n + $0 / k] }
    let w = file.add(
      TFLiteSketch(
        name: "\(node.name)_weights", type: 9, shape: [n, k], scales: coded.scales,
        zeroPoints: [0], bytes: turned))
    let b = addBias(node, bias, coded, activationScale)
    let y = file.add(int8(graph[output].name, shape(output, last: false), try calibrated(output)))
    file.add(.fullyConnected, [x, w, b], y, [0: .byte(activation)])
    return TFLitePlace(tensor: y, isLast: false)
  }

  private mutating func pool(
    _ step: ONNXForm.Step, _ node: Node, _ output: ValueID
  ) throws(ExportError) -> TFLitePlace {
    let padding = try padding(step, node, output)
    let isMax = step.type == "MaxPool"
    let includes = step.integer("count_include_pad") ?? 0 != 0
    guard (step.integers("dilations") ?? [1, 1]).allSatisfy({ $0 == 1 }),
      let kernel = step.integers("kernel_shape"), let given = node.inputs[0],
      // Zeros around a maximum or an average are numbers like others.
      padding.pads == nil || !isMax && includes, padding.code == 1 || !includes || isMax
    else { throw unsupported(node, "\(step.type) with this padding") }
    var x = try read(given, last: true)
    if let pads = padding.pads {
      x = padded(x, [(0, 0), pads[0], pads[1], (0, 0)], "\(node.name)_padded")
    }
    let y = file.add(int8(graph[output].name, shape(output, last: true), scale(of: x)))
    let strides = step.integers("strides") ?? [1, 1]
    file.add(
      isMax ? .maxPool : .averagePool, [x], y,
      [
        0: .byte(padding.code), 1: .int32(strides[1]), 2: .int32(strides[0]),
        3: .int32(kernel[1]), 4: .int32(kernel[0]), 5: .byte(0),
      ])
    return TFLitePlace(tensor: y, isLast: true)
  }

  /// Another order of axes: none at all where the codes lie as wanted already.
  mutating func transpose(_ node: Node) throws(ExportError) -> TFLitePlace? {
    guard case .transpose(let op) = node.op, let x = node.inputs[0], let from = place(of: x) else {
      return nil
    }
    let rank = plan.extents.shape(x).rank
    let order =
      op.permutation.count > 0 ? op.permutation.array : Array((0..<rank).reversed())
    let inOrder = from.isLast ? Self.lastOrder : Array(0..<rank)
    func physical(last: Bool) -> [Int] {
      (last ? Self.lastOrder : Array(0..<rank)).map { inOrder.firstIndex(of: order[$0])! }
    }
    for last in rank == 4 ? [true, false] : [false] where physical(last: last) == Array(0..<rank) {
      return TFLitePlace(tensor: from.tensor, isLast: last)
    }
    let v = node.outputs[0]
    let y = file.add(int8(graph[v].name, shape(v, last: false), scale(of: from.tensor)))
    let list = file.add("order", integers: physical(last: false))
    file.add(.transpose, [from.tensor, list], y)
    return TFLitePlace(tensor: y, isLast: false)
  }
}

extension ONNXForm.Step {
  private func value(_ name: String) -> ONNXAttributeValue? {
    attributes.first { $0.name == name }?.value
  }

  func integer(_ name: String) -> Int? {
    if case .integer(let value)? = value(name) { value } else { nil }
  }

  func integers(_ name: String) -> [Int]? {
    if case .integers(let value)? = value(name) { value } else { nil }
  }

  func float(_ name: String) -> Float? {
    if case .float(let value)? = value(name) { value } else { nil }
  }

  func text(_ name: String) -> String? {
    if case .text(let value)? = value(name) { value } else { nil }
  }
}
