// QDQ models: operators between DequantizeLinear and QuantizeLinear become integer operators, as ONNX
// Runtime's own transformer makes them.

extension ONNXModel {
  /// The nodes with every such group as one node, and which were found. Nodes that nothing reads any
  /// more stay: unused nodes go later.
  func withIntegerOperators(_ nodes: [ONNXNode]) -> (nodes: [ONNXNode], found: [String]) {
    var search = QuantizedGroups(self, nodes)
    return search.run()
  }
}

/// Finds the groups and replaces them, node by node.
private struct QuantizedGroups {
  private var nodes: [ONNXNode]
  /// Node by the value it writes, and how many read each value.
  private var writers: [String: Int] = [:]
  private var readers: [String: Int] = [:]
  private var lastReader: [String: Int] = [:]
  private var initializers: [String: ONNXTensor] = [:]
  private var outputs: Set<String>
  private var found: [String] = []
  private let opset: Int
  private let file: ModelFile

  init(_ model: ONNXModel, _ nodes: [ONNXNode]) {
    self.nodes = nodes
    file = model.file
    opset = model.opsets[""] ?? 0
    outputs = Set(model.graph.outputs.map(\.name))
    for (i, node) in nodes.enumerated() {
      for output in node.outputs where !output.isEmpty { writers[output] = i }
      for input in node.inputs where !input.isEmpty {
        readers[input, default: 0] += 1
        lastReader[input] = i
      }
    }
    for tensor in model.graph.initializers { initializers[tensor.name] = tensor }
  }

  mutating func run() -> (nodes: [ONNXNode], found: [String]) {
    // Without a single QuantizeLinear or DequantizeLinear there is nothing to find.
    guard nodes.contains(where: { $0.domain.isEmpty && $0.type == "DequantizeLinear" }) else {
      return (nodes, [])
    }
    for i in nodes.indices where nodes[i].domain.isEmpty {
      switch nodes[i].type {
      case "Conv": conv(i)
      case "MatMul": product(i)
      case "Gemm": gemm(i)
      case "Add": binary(i, "QLinearAdd")
      case "Mul": binary(i, "QLinearMul")
      case "Sigmoid": unary(i, "QLinearSigmoid")
      case "LeakyRelu": unary(i, "QLinearLeakyRelu")
      case "Softmax" where opset >= 13: unary(i, "QLinearSoftmax")
      case "GlobalAveragePool": unary(i, "QLinearGlobalAveragePool")
      case "AveragePool": pool(i)
      case "Concat": concat(i)
      case "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Gather",
        "MaxPool":
        moved(i)
      default: continue
      }
    }
    return (nodes, found)
  }

  // MARK: What stands around a node

  /// A tensor of 8 bits with its scale and zero point, by name.
  private struct Quantized {
    var x: String
    var scale: String
    var zero: String
    var type: Int64?
    /// The scale has one element; else `axis` says what it goes along.
    var isWhole: Bool
    var axis: Int
  }

  private func elementType(_ name: String) -> Int64? { initializers[name]?.elementType }

  private func isScalar(_ name: String) -> Bool {
    guard let tensor = initializers[name] else { return false }
    return tensor.dimensions.allSatisfy { $0 == 1 }
  }

  private func integer(_ node: ONNXNode, _ name: String, _ fallback: Int) -> Int {
    for a in node.attributes where a.name == name {
      if case .integer(let value) = a.value { return Int(clamping: value) }
    }
    return fallback
  }

  /// Scale and zero point of a Q or DQ node where both are constants; blocks are not taken.
  private func parameters(_ node: ONNXNode, _ x: String) -> Quantized? {
    guard node.inputs.count >= 2, initializers[node.inputs[1]] != nil,
      integer(node, "block_size", 0) == 0, integer(node, "output_dtype", 0) == 0
    else { return nil }
    let zero = node.inputs.count > 2 ? node.inputs[2] : ""
    // Without a zero point the element type is not told here.
    guard !zero.isEmpty, initializers[zero] != nil,
      initializers[node.inputs[1]]?.elementType == 1
    else { return nil }
    return Quantized(
      x: x, scale: node.inputs[1], zero: zero, type: elementType(zero),
      isWhole: isScalar(node.inputs[1]) && isScalar(zero), axis: integer(node, "axis", 1))
  }

  /// What `name` is dequantized from.
  private func source(_ name: String) -> Quantized? {
    guard let w = writers[name], nodes[w].domain.isEmpty, nodes[w].type == "DequantizeLinear",
      let first = nodes[w].inputs.first
    else { return nil }
    return parameters(nodes[w], first)
  }

  private func isByte(_ q: Quantized) -> Bool { q.type == 2 || q.type == 3 }

  /// An activation of one scale and 8 bits.
  private func activation(_ name: String) -> Quantized? {
    guard let q = source(name), q.isWhole, isByte(q) else { return nil }
    return q
  }

  /// The one node that reads what node `i` writes.
  private func reader(of i: Int) -> Int? {
    guard nodes[i].outputs.count == 1, let name = nodes[i].outputs.first, readers[name] == 1,
      !outputs.contains(name), let next = lastReader[name], next > i
    else { return nil }
    return next
  }

  private struct Target {
    var node: Int
    var to: Quantized
    /// Bounds that a Relu or Clip between leaves, as real numbers.
    var low: Float = -.infinity
    var high: Float = .infinity
  }

  /// The QuantizeLinear behind node `i`, through one Relu or Clip where `activations` are taken, or where
  /// the codes end where it cuts: then there is nothing left for it to do.
  private func target(of i: Int, activations: Bool = false) -> Target? {
    guard let next = reader(of: i), nodes[next].domain.isEmpty else { return nil }
    if nodes[next].type == "QuantizeLinear", nodes[next].inputs[0] == nodes[i].outputs[0],
      let q = parameters(nodes[next], nodes[next].outputs[0]), q.isWhole, isByte(q)
    {
      return Target(node: next, to: q)
    }
    guard nodes[next].inputs[0] == nodes[i].outputs[0] else { return nil }
    let cut: (low: Float, high: Float)
    switch nodes[next].type {
    case "Relu": cut = (0, .infinity)
    case "Clip":
      guard let low = bound(nodes[next], 1, "min", -.infinity),
        let high = bound(nodes[next], 2, "max", .infinity)
      else { return nil }
      cut = (low, high)
    default: return nil
    }
    guard var t = target(of: next) else { return nil }
    if activations {
      (t.low, t.high) = cut
      return t
    }
    return holds(t.to, cut.low, cut.high) ? t : nil
  }

  /// Whether no code stands for a number outside of the bounds, rounding apart.
  private func holds(_ q: Quantized, _ low: Float, _ high: Float) -> Bool {
    guard let scale = number(q.scale), let zero = whole(q.zero), scale > 0 else { return false }
    let range = q.type == 3 ? -128...127 : 0...255
    let margin = scale / 1000
    return Float(range.lowerBound - zero) * scale >= low - margin
      && Float(range.upperBound - zero) * scale <= high + margin
  }

  private func bound(_ node: ONNXNode, _ i: Int, _ name: String, _ fallback: Float) -> Float? {
    for a in node.attributes where a.name == name {
      if case .float(let value) = a.value { return value }
    }
    guard i < node.inputs.count, !node.inputs[i].isEmpty else { return fallback }
    return number(node.inputs[i])
  }

  /// The one f32 number of a constant.
  private func number(_ name: String) -> Float? {
    guard let tensor = initializers[name], tensor.elementType == 1, isScalar(name) else {
      return nil
    }
    var files = ONNXTensorFiles(file)
    return try? tensor.constant(&files).floats?.first
  }

  private func whole(_ name: String) -> Int? {
    guard let tensor = initializers[name] else { return nil }
    var files = ONNXTensorFiles(file)
    return try? tensor.constant(&files).integers?.first
  }

  // MARK: Groups

  /// Puts an integer operator where the group ended.
  private mutating func replace(
    _ at: Int, _ type: String, domain: String = "com.microsoft", _ inputs: [String],
    from node: ONNXNode, attributes: [ONNXAttribute] = []
  ) {
    var made = node
    made.type = type
    made.domain = domain
    made.inputs = inputs
    made.outputs = nodes[at].outputs
    made.attributes = node.attributes + attributes
    nodes[at] = made
    found.append("QDQ \(node.type) → \(type)")
  }

  private func attribute(_ name: String, _ value: Int) -> ONNXAttribute {
    var a = ONNXAttribute()
    a.name = name
    a.value = .integer(Int64(value))
    return a
  }

  /// The codes of the bounds, as attributes of QLinearConv.
  private func clamps(_ t: Target) -> [ONNXAttribute]? {
    guard t.low.isFinite || t.high.isFinite else { return [] }
    guard let scale = number(t.to.scale), let zero = whole(t.to.zero), scale > 0 else { return nil }
    let range = t.to.type == 3 ? -128...127 : 0...255
    func code(_ real: Float) -> Int {
      let v = (real / scale).rounded(.toNearestOrEven) + Float(zero)
      return Int(min(max(v, Float(range.lowerBound)), Float(range.upperBound)))
    }
    return [
      attribute("knapsack_low", t.low.isFinite ? code(t.low) : range.lowerBound),
      attribute("knapsack_high", t.high.isFinite ? code(t.high) : range.upperBound),
    ]
  }

  /// The i32 constant that a bias is dequantized from; empty without bias, nil where it is something
  /// else.
  private func bias(_ node: ONNXNode) -> String? {
    guard node.inputs.count > 2, !node.inputs[2].isEmpty else { return "" }
    guard let w = writers[node.inputs[2]], nodes[w].type == "DequantizeLinear",
      nodes[w].domain.isEmpty, let x = nodes[w].inputs.first, elementType(x) == 6
    else { return nil }
    return x
  }

  private mutating func conv(_ i: Int) {
    let node = nodes[i]
    guard node.inputs.count >= 2, let x = activation(node.inputs[0]),
      let w = source(node.inputs[1]), isByte(w), w.isWhole || w.axis == 0, let bias = bias(node),
      let t = target(of: i, activations: true), let clamps = clamps(t)
    else { return }
    var inputs = [x.x, x.scale, x.zero, w.x, w.scale, w.zero, t.to.scale, t.to.zero]
    if !bias.isEmpty { inputs.append(bias) }
    replace(t.node, "QLinearConv", domain: "", inputs, from: node, attributes: clamps)
  }

  private mutating func product(_ i: Int) {
    let node = nodes[i]
    guard node.inputs.count == 2, let x = activation(node.inputs[0]),
      let w = source(node.inputs[1]), isByte(w), w.isWhole || isColumn(w)
    else { return }
    if let t = target(of: i) {
      replace(
        t.node, "QLinearMatMul", domain: "",
        [x.x, x.scale, x.zero, w.x, w.scale, w.zero, t.to.scale, t.to.zero], from: node)
    } else {
      replace(
        i, "MatMulIntegerToFloat", [x.x, w.x, x.scale, w.scale, x.zero, w.zero], from: node)
    }
  }

  /// Scales along the last axis of a matrix.
  private func isColumn(_ w: Quantized) -> Bool {
    initializers[w.x]?.dimensions.count == 2 && (w.axis == 1 || w.axis == -1)
  }

  private mutating func gemm(_ i: Int) {
    let node = nodes[i]
    let isTurned = integer(node, "transB", 0) != 0
    guard node.inputs.count >= 2, let x = activation(node.inputs[0]),
      let w = source(node.inputs[1]), isByte(w), initializers[w.x]?.dimensions.count == 2,
      w.isWhole || w.axis == (isTurned ? 0 : 1), let bias = bias(node),
      !node.attributes.contains(where: { $0.name == "beta" && !isOne($0) }) || bias.isEmpty
    else { return }
    var made = node
    made.attributes.removeAll { $0.name == "beta" }
    var inputs = [x.x, x.scale, x.zero, w.x, w.scale, w.zero, bias]
    if let t = target(of: i) {
      inputs += [t.to.scale, t.to.zero]
      replace(t.node, "QGemm", inputs, from: made)
    } else {
      replace(i, "QGemm", inputs, from: made)
    }
  }

  private func isOne(_ a: ONNXAttribute) -> Bool {
    if case .float(let value) = a.value { value == 1 } else { false }
  }

  private mutating func binary(_ i: Int, _ type: String) {
    let node = nodes[i]
    guard node.inputs.count == 2, let x = activation(node.inputs[0]),
      let z = activation(node.inputs[1]), let t = target(of: i), x.type == z.type,
      x.type == t.to.type
    else { return }
    replace(
      t.node, type,
      [x.x, x.scale, x.zero, z.x, z.scale, z.zero, t.to.scale, t.to.zero], from: node)
  }

  private mutating func unary(_ i: Int, _ type: String) {
    let node = nodes[i]
    guard node.inputs.count == 1, let x = activation(node.inputs[0]), let t = target(of: i),
      x.type == t.to.type
    else { return }
    replace(
      t.node, type, [x.x, x.scale, x.zero, t.to.scale, t.to.zero], from: node,
      attributes: type == "QLinearSoftmax" ? [attribute("opset", opset)] : [])
  }

  private mutating func pool(_ i: Int) {
    guard integer(nodes[i], "count_include_pad", 0) == 0 else { return }
    unary(i, "QLinearAveragePool")
  }

  private mutating func concat(_ i: Int) {
    let node = nodes[i]
    guard let t = target(of: i), !node.inputs.isEmpty else { return }
    var inputs = [t.to.scale, t.to.zero]
    for input in node.inputs {
      guard let x = activation(input), x.type == t.to.type else { return }
      inputs += [x.x, x.scale, x.zero]
    }
    replace(t.node, "QLinearConcat", inputs, from: node)
  }

  /// Elements that only move do so as integers where both sides mean the same by them.
  private mutating func moved(_ i: Int) {
    let node = nodes[i]
    guard let first = node.inputs.first, let x = activation(first), let t = target(of: i),
      x.type == t.to.type,
      x.scale == t.to.scale || number(x.scale) != nil && number(x.scale) == number(t.to.scale),
      x.zero == t.to.zero || whole(x.zero) != nil && whole(x.zero) == whole(t.to.zero)
    else { return }
    replace(t.node, node.type, domain: "", [x.x] + node.inputs.dropFirst(), from: node)
  }
}
