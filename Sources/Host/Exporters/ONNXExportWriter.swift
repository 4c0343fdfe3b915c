// Writes a plan: operators in their order, integers where the plan has them.
import Graphs
import Operators
import Tensors

/// The file while it is written.
struct ONNXExportWriter {
  let plan: ONNXExportPlan
  private var graph: Graph { plan.graph }
  var file: ONNXFile
  var inputs: [(name: String, value: ValueID)] = []
  var outputs: [(name: String, value: ValueID)] = []
  private var forms: [Int: ONNXForm] = [:]
  private var names: [ValueID: String] = [:]
  private var taken: Set<String> = []
  /// Which written node makes a value, and which read it.
  private var maker: [ValueID: Int] = [:]
  private var readers: [ValueID: [Int]] = [:]
  private var isBoundary: Set<ValueID> = []
  /// The scale of each value that has one, and the name of the tensors that hold it.
  private var scales: [ValueID: (scale: ByteScale, name: String)] = [:]
  /// Names of constants that were written as codes.
  private var codedConstants: [ValueID: String] = [:]

  init(_ plan: ONNXExportPlan) {
    self.plan = plan
    file = ONNXFile(name: plan.graph.name)
  }

  mutating func write() throws(ExportError) {
    try findForms()
    findBoundary()
    for input in inputs {
      file.addInput(
        input.name, plan.extents.elementType(input.value),
        plan.extents.shape(input.value).dimensions)
    }
    for input in inputs where isReadAsIntegers(input.value) {
      try quantize(input.value, from: input.name, to: input.name + "_dq")
    }
    for i in plan.nodes { try write(i) }
    for output in outputs {
      file.addOutput(
        output.name, plan.extents.elementType(output.value),
        plan.extents.shape(output.value).dimensions)
    }
  }

  // MARK: What is where

  private mutating func findForms() throws(ExportError) {
    var lacking: [String: [String]] = [:]
    for i in plan.nodes {
      let node = graph.nodes[i]
      if let form = ONNXForm(node, in: graph, plan.extents) {
        forms[i] = form
      } else {
        lacking[node.op.name, default: []].append(node.name)
      }
      for output in node.outputs { maker[output] = i }
      for v in node.inputs.compactMap({ $0 }) where readers[v]?.last != i {
        readers[v, default: []].append(i)
      }
    }
    guard lacking.isEmpty else { throw .unsupported(lacking) }
  }

  /// Inputs are what somebody else makes, outputs what somebody else reads.
  private mutating func findBoundary() {
    let inside = Set(plan.nodes)
    var wanted: Set<ValueID> = []
    for (i, node) in graph.nodes.enumerated() where !inside.contains(i) {
      wanted.formUnion(node.inputs.compactMap { $0 })
    }
    wanted.formUnion(graph.states.map(\.next))
    // The model's own outputs keep their names.
    for output in graph.outputs where maker[output.value] != nil {
      guard names[output.value] == nil else { continue }
      name(output.value, output.name)
      outputs.append((names[output.value]!, output.value))
      isBoundary.insert(output.value)
    }
    let isInput = Set(graph.inputs.map(\.value))
    for i in plan.nodes {
      for v in graph.nodes[i].inputs.compactMap({ $0 })
      where maker[v] == nil && graph[v].constant == nil && names[v] == nil {
        name(v, graph[v].name)
        inputs.append((names[v]!, v))
      }
      for v in graph.nodes[i].outputs where wanted.contains(v) && names[v] == nil {
        name(v, graph[v].name)
        outputs.append((names[v]!, v))
        isBoundary.insert(v)
      }
    }
    // In the model's own order where they are its inputs.
    let order = Dictionary(
      uniqueKeysWithValues: graph.inputs.enumerated().map { ($0.element.value, $0.offset) })
    if inputs.allSatisfy({ isInput.contains($0.value) }) {
      inputs.sort { order[$0.value, default: 0] < order[$1.value, default: 0] }
    }
    for i in plan.nodes {
      for v in graph.nodes[i].outputs where names[v] == nil { name(v, graph[v].name) }
    }
  }

  /// Gives a value its name, made different where another has it.
  private mutating func name(_ v: ValueID, _ wanted: String) {
    let base = wanted.isEmpty ? "value" : wanted
    let unique = taken.contains(base) ? "\(base)_\(v.index)" : base
    taken.insert(unique)
    names[v] = unique
  }

  private func isQuantized(_ i: Int) -> Bool { plan.quantized.contains(i) }

  private func isReadAsIntegers(_ v: ValueID) -> Bool {
    (readers[v] ?? []).contains { i in
      isQuantized(i) && forms[i]!.activations.contains { graph.nodes[i].inputs[$0] == v }
    }
  }

  /// A function that only cuts what a product or a sum gives is taken together with that: no integers
  /// between the two.
  private func isInner(_ i: Int) -> Bool {
    let v = graph.nodes[i].outputs[0]
    guard isQuantized(i), !isBoundary.contains(v), let all = readers[v], all.count == 1,
      let reader = all.first, isQuantized(reader), let form = forms[reader]
    else { return false }
    let isProduct = ["Conv", "Gemm", "MatMul"].contains(forms[i]!.steps[0].type)
    switch form.operators {
    // What starts at 0 needs no cut at all where the zero point is the lowest code.
    case ["Relu"]: return isProduct || !plan.isSymmetric && !forms[i]!.moves
    case ["Clip"]: return isProduct
    default: return false
    }
  }

  // MARK: Nodes

  private mutating func write(_ i: Int) throws(ExportError) {
    let node = graph.nodes[i]
    let form = forms[i]!
    let v = node.outputs[0]
    let label = names[v]!
    /// What later steps read of earlier ones.
    var results: [String] = []
    /// Scales of the steps' results, where they have some.
    var resultScales: [(scale: ByteScale, name: String)?] = []
    let leavesReal = !isQuantized(i) || isInner(i)
    if isQuantized(i), !leavesReal, form.moves, let x = node.inputs[form.activations[0]] {
      scales[v] = scales[x]
    }
    for (s, step) in form.steps.enumerated() {
      let isLast = s == form.steps.count - 1
      var operands: [String] = []
      /// The scale of the activation that a weight is multiplied with.
      var activation: ByteScale?
      var weights: ByteWeights?
      for (o, operand) in step.operands.enumerated() {
        let place = "\(label)_\(step.type)\(s)_\(o)"
        switch operand {
        case .omitted: operands.append("")
        case .step(let earlier):
          operands.append(results[earlier])
          activation = activation ?? resultScales[earlier]?.scale
        case .value(let n):
          guard let x = node.inputs[n] else {
            operands.append("")
            continue
          }
          operands.append(try read(x, asIntegers: isQuantized(i)))
          activation = activation ?? scales[x]?.scale
        case .constant(let constant):
          file.addTensor(place, constant)
          operands.append(place)
        case .weight(let constant, let axis):
          guard isQuantized(i), let activation else {
            file.addTensor(place, constant)
            operands.append(place)
            continue
          }
          let coded = ByteWeights(
            constant, axis: axis, bias: step.biasNumbers, activationScale: activation.scale)
          weights = coded
          addWeights(place, coded, constant.shape.dimensions, axis: axis)
          operands.append(place)
        case .bias(let constant):
          guard let weights, let activation, let floats = constant.floats else {
            file.addTensor(place, constant)
            operands.append(place)
            continue
          }
          addBias(place, floats, weights, activation)
          operands.append(place)
        }
      }
      while operands.last == "" { operands.removeLast() }
      let stepName = form.steps.count == 1 ? label : "\(label)_\(step.type)\(s)"
      let result: String
      if leavesReal || step.result == .inner {
        result = isLast ? label : stepName + "_f"
        file.add(step.type, operands, [result], name: stepName, step.attributes)
        resultScales.append(nil)
      } else {
        result = isLast ? label : stepName + "_dq"
        let scale = try self.scale(of: step, isLast ? v : nil, node, stepName)
        file.add(step.type, operands, [stepName + "_f"], name: stepName, step.attributes)
        addPair(stepName, from: stepName + "_f", to: result, scale.name)
        resultScales.append(scale)
      }
      results.append(result)
    }
    // Read as integers although nobody quantized it: what a real node leaves, a quantized one takes.
    if !isQuantized(i), isReadAsIntegers(v) { try quantize(v, from: label, to: label + "_dq") }
  }

  /// The name under which a node reads a value.
  private mutating func read(_ x: ValueID, asIntegers: Bool) throws(ExportError) -> String {
    if let constant = graph[x].constant {
      guard asIntegers, constant.elementType == .f32 else { return plainConstant(x, constant) }
      if let known = codedConstants[x] { return known }
      let name = "c\(x.index)_dq"
      let floats = constant.floats ?? []
      let (low, high) = floats.reduce((Float(0), Float(0))) {
        $1.isFinite ? (min($0.0, $1), max($0.1, $1)) : $0
      }
      let scale = ByteScale(low...high, isSymmetric: plan.isSymmetric)
      addScale("c\(x.index)", scale)
      file.addTensor(
        "c\(x.index)_q", type: activationType, constant.shape.dimensions,
        bytes: floats.map { byte(scale.code(of: $0)) })
      file.add(
        "DequantizeLinear", ["c\(x.index)_q", "c\(x.index)_scale", "c\(x.index)_zero"], [name],
        name: name)
      scales[x] = (scale, "c\(x.index)")
      codedConstants[x] = name
      return name
    }
    let name = names[x]!
    guard asIntegers, scales[x] != nil else { return name }
    // Values of quantized nodes go by their own names behind their pair.
    return maker[x].map(isQuantized) ?? false ? name : name + "_dq"
  }

  private var plainConstants: [ValueID: String] = [:]

  private mutating func plainConstant(_ x: ValueID, _ constant: Constant) -> String {
    if let known = plainConstants[x] { return known }
    let name = "c\(x.index)"
    file.addTensor(name, constant)
    plainConstants[x] = name
    return name
  }

  // MARK: Scales

  private func range(of v: ValueID) throws(ExportError) -> ClosedRange<Float> {
    guard let range = plan.ranges[v] else { throw .noRange(value: graph[v].name) }
    return range
  }

  private mutating func scale(
    of step: ONNXForm.Step, _ v: ValueID?, _ node: Node, _ name: String
  ) throws(ExportError) -> (scale: ByteScale, name: String) {
    if let v, let known = scales[v] { return known }
    let scale: ByteScale
    if case .bounded(let low, let high) = step.result {
      scale = ByteScale(low...high, isSymmetric: plan.isSymmetric)
    } else {
      scale = ByteScale(try range(of: node.outputs[0]), isSymmetric: plan.isSymmetric)
    }
    addScale(name, scale)
    if let v { scales[v] = (scale, name) }
    return (scale, name)
  }

  /// A pair for a value that is there as real numbers.
  private mutating func quantize(
    _ v: ValueID, from: String, to: String
  ) throws(ExportError) {
    let name = names[v]!
    let scale = ByteScale(try range(of: v), isSymmetric: plan.isSymmetric)
    addScale(name, scale)
    scales[v] = (scale, name)
    addPair(name, from: from, to: to, name)
  }

  private mutating func addPair(_ name: String, from: String, to: String, _ scale: String) {
    let parameters = [scale + "_scale", scale + "_zero"]
    file.add("QuantizeLinear", [from] + parameters, [name + "_q"], name: name + "_quantize")
    file.add("DequantizeLinear", [name + "_q"] + parameters, [to], name: name + "_dequantize")
  }

  private mutating func addScale(_ name: String, _ scale: ByteScale) {
    file.addTensor(name + "_scale", Constant(floats: [scale.scale], shape: Shape()))
    file.addTensor(
      name + "_zero", type: activationType, [], bytes: [byte(Int8(scale.zeroPoint))])
  }

  private var activationType: ElementType { plan.isUnsigned ? .u8 : .i8 }

  private func byte(_ code: Int8) -> UInt8 {
    UInt8(bitPattern: code) ^ (plan.isUnsigned ? 0x80 : 0)
  }

  private mutating func addWeights(
    _ name: String, _ weights: ByteWeights, _ dimensions: [Int], axis: Int
  ) {
    let count = weights.scales.count
    file.addTensor(
      name + "_q", type: .i8, dimensions, bytes: weights.codes.map { UInt8(bitPattern: $0) })
    file.addTensor(
      name + "_scale", Constant(floats: weights.scales, shape: Shape([count])))
    file.addTensor(
      name + "_zero", type: .i8, [count], bytes: [UInt8](repeating: 0, count: count))
    file.add(
      "DequantizeLinear", [name + "_q", name + "_scale", name + "_zero"], [name], name: name,
      [ONNXAttributeField("axis", .integer(axis))])
  }

  private mutating func addBias(
    _ name: String, _ bias: [Float], _ weights: ByteWeights, _ activation: ByteScale
  ) {
    let count = bias.count
    let codes = weights.bias(bias, activationScale: activation.scale)
    file.addTensor(
      name + "_q", type: .i32, [count], bytes: codes.withUnsafeBytes { [UInt8]($0) })
    file.addTensor(
      name + "_scale",
      Constant(floats: weights.scales.map { $0 * activation.scale }, shape: Shape([count])))
    file.addTensor(
      name + "_zero", type: .i32, [count], bytes: [UInt8](repeating: 0, count: 4 * count))
    file.add(
      "DequantizeLinear", [name + "_q", name + "_scale", name + "_zero"], [name], name: name,
      [ONNXAttributeField("axis", .integer(0))])
  }
}

extension ONNXForm.Step {
  /// The numbers of a bias among the operands.
  var biasNumbers: [Float]? {
    for case .bias(let constant) in operands { return constant.floats }
    return nil
  }
}

extension ByteScale {
  /// The nearest code, ties to even.
  public func code(of x: Float) -> Int8 {
    let steps = (x / scale).rounded(.toNearestOrEven) + Float(zeroPoint)
    return steps.isNaN ? Int8(zeroPoint) : Int8(min(max(steps, -128), 127))
  }
}
