// A part of a graph as an int8 TFLite file, which compilers of Arm's Ethos-U take in.
import Graphs
import Operators
import Tensors

/// A written file and what its inputs and outputs are in the graph.
public struct TFLiteExport: Sendable {
  public private(set) var bytes: [UInt8]
  public private(set) var inputs: [(name: String, value: ValueID)]
  public private(set) var outputs: [(name: String, value: ValueID)]

  /// All nodes of the plan compute with integers; scales follow TFLite's rules, which fix those of some
  /// functions and of everything that only moves or pools.
  ///
  /// hasRealEdges: inputs and outputs are f32, with the steps to and from integers in the file.
  public init(_ plan: ONNXExportPlan, hasRealEdges: Bool) throws(ExportError) {
    var writer = TFLiteExportWriter(plan, hasRealEdges: hasRealEdges)
    try writer.write()
    bytes = writer.file.bytes
    guard bytes.count < 1 << 31 else { throw .tooLarge(bytes: bytes.count) }
    inputs = writer.inputs
    outputs = writer.outputs
  }
}

/// Where a value of the graph is.
struct TFLitePlace {
  var tensor: Int
  /// The graph's [n, c, h, w] stored as [n, h, w, c].
  var isLast: Bool
}

/// The file while it is written.
struct TFLiteExportWriter {
  let plan: ONNXExportPlan
  let hasRealEdges: Bool
  var graph: Graph { plan.graph }
  var file: TFLiteFile
  var inputs: [(name: String, value: ValueID)] = []
  var outputs: [(name: String, value: ValueID)] = []
  private var forms: [Int: ONNXForm] = [:]
  func place(of v: ValueID) -> TFLitePlace? { places[v] }
  private var places: [ValueID: TFLitePlace] = [:]
  private var readers: [ValueID: [Int]] = [:]
  private var isWanted: Set<ValueID> = []
  private var taken: Set<String> = []
  /// Nodes that an earlier one took with it.
  private var isDone: Set<Int> = []

  static let lastOrder = [0, 2, 3, 1]

  init(_ plan: ONNXExportPlan, hasRealEdges: Bool) {
    self.plan = plan
    self.hasRealEdges = hasRealEdges
    file = TFLiteFile(name: plan.graph.name)
  }

  mutating func write() throws(ExportError) {
    let inside = Set(plan.nodes)
    var made: Set<ValueID> = []
    for i in plan.nodes {
      let node = graph.nodes[i]
      guard let form = ONNXForm(node, in: graph, plan.extents) else {
        throw unsupported(node, node.op.name)
      }
      forms[i] = form
      made.formUnion(node.outputs)
      for v in Set(node.inputs.compactMap { $0 }) { readers[v, default: []].append(i) }
    }
    for (i, node) in graph.nodes.enumerated() where !inside.contains(i) {
      isWanted.formUnion(node.inputs.compactMap { $0 })
    }
    isWanted.formUnion(graph.outputs.map(\.value) + graph.states.map(\.next))
    for i in plan.nodes {
      for v in graph.nodes[i].inputs.compactMap({ $0 })
      where !made.contains(v) && graph[v].constant == nil && places[v] == nil {
        try addInput(v)
      }
    }
    for i in plan.nodes where !isDone.contains(i) { try write(i) }
    for i in plan.nodes {
      for v in graph.nodes[i].outputs where isWanted.contains(v) { try addOutput(v) }
    }
  }

  func unsupported(_ node: Node, _ what: String) -> ExportError {
    .unsupported([what: [node.name]])
  }

  // MARK: Edges

  private mutating func uniqueName(_ v: ValueID) -> String {
    let base = graph[v].name.isEmpty ? "value" : graph[v].name
    let name = taken.contains(base) ? "\(base)_\(v.index)" : base
    taken.insert(name)
    return name
  }

  private mutating func addInput(_ v: ValueID) throws(ExportError) {
    let shape = plan.extents.shape(v).dimensions
    let name = uniqueName(v)
    let scale = try calibrated(v)
    let codes = file.add(int8(hasRealEdges ? name + "_int8" : name, shape, scale))
    if hasRealEdges {
      let real = file.add(TFLiteSketch(name: name, type: 0, shape: shape))
      file.add(.quantize, [real], codes)
      file.inputs.append(real)
    } else {
      file.inputs.append(codes)
    }
    places[v] = TFLitePlace(tensor: codes, isLast: false)
    inputs.append((name, v))
  }

  private mutating func addOutput(_ v: ValueID) throws(ExportError) {
    let codes = try read(v, last: false)
    let name = uniqueName(v)
    if hasRealEdges {
      let real = file.add(
        TFLiteSketch(name: name, type: 0, shape: plan.extents.shape(v).dimensions))
      file.add(.dequantize, [codes], real)
      file.outputs.append(real)
    } else {
      file.outputs.append(codes)
    }
    outputs.append((name, v))
  }

  // MARK: Tensors

  func int8(_ name: String, _ shape: [Int], _ scale: ByteScale) -> TFLiteSketch {
    TFLiteSketch(
      name: name, type: 9, shape: shape, scales: [scale.scale], zeroPoints: [scale.zeroPoint])
  }

  func scale(of tensor: Int) -> ByteScale {
    var scale = ByteScale(0...1)
    scale.scale = file.tensors[tensor].scales[0]
    scale.zeroPoint = file.tensors[tensor].zeroPoints[0]
    return scale
  }

  func calibrated(_ v: ValueID) throws(ExportError) -> ByteScale {
    guard let range = plan.ranges[v] else { throw .noRange(value: graph[v].name) }
    return ByteScale(range, isSymmetric: plan.isSymmetric)
  }

  func shape(_ v: ValueID, last: Bool) -> [Int] {
    let logical = plan.extents.shape(v).dimensions
    return last ? Self.lastOrder.map { logical[$0] } : logical
  }

  /// The tensor of a value in one of the two orders; a constant's codes.
  mutating func read(_ v: ValueID, last: Bool) throws(ExportError) -> Int {
    if let constant = graph[v].constant { return try addConstant(v, constant, last: last) }
    guard let place = places[v] else { throw .noRange(value: graph[v].name) }
    if place.isLast == last { return place.tensor }
    let wanted = shape(v, last: last)
    let moved = file.add(
      int8(
        graph[v].name + (last ? "_last" : "_first"), wanted, scale(of: place.tensor)))
    let logical = plan.extents.shape(v)
    if logical[1] == 1 || logical[2] * logical[3] == 1 {
      reshape(place.tensor, to: moved, wanted)
    } else {
      let order = last ? Self.lastOrder : [0, 3, 1, 2]
      file.add(.transpose, [place.tensor, file.add("order", integers: order)], moved)
    }
    return moved
  }

  private mutating func addConstant(
    _ v: ValueID, _ constant: Constant, last: Bool
  ) throws(ExportError) -> Int {
    guard let floats = constant.floats else { throw .noRange(value: graph[v].name) }
    // Broadcasting counts axes from the end: constants of lower rank get theirs in front first.
    var dimensions = constant.shape.dimensions
    if last { dimensions = [Int](repeating: 1, count: 4 - dimensions.count) + dimensions }
    let (low, high) = floats.reduce((Float(0), Float(0))) {
      $1.isFinite ? (min($0.0, $1), max($0.1, $1)) : $0
    }
    let scale = ByteScale(low...high, isSymmetric: plan.isSymmetric)
    var codes = floats.map { UInt8(bitPattern: scale.code(of: $0)) }
    if last {
      codes = Self.moved(codes, dimensions, Self.lastOrder)
      dimensions = Self.lastOrder.map { dimensions[$0] }
    }
    var tensor = int8("c\(v.index)", dimensions, scale)
    tensor.bytes = codes
    return file.add(tensor)
  }

  /// Elements of [d0, d1, d2, d3] with their axes in another order.
  static func moved(_ elements: [UInt8], _ d: [Int], _ order: [Int]) -> [UInt8] {
    let strides = [d[1] * d[2] * d[3], d[2] * d[3], d[3], 1]
    let (e, s) = (order.map { d[$0] }, order.map { strides[$0] })
    var result: [UInt8] = []
    result.reserveCapacity(elements.count)
    for a in 0..<e[0] {
      for b in 0..<e[1] {
        for c in 0..<e[2] {
          for f in 0..<e[3] {
            result.append(elements[a * s[0] + b * s[1] + c * s[2] + f * s[3]])
          }
        }
      }
    }
    return result
  }

  mutating func reshape(_ tensor: Int, to result: Int, _ shape: [Int]) {
    file.add(
      .reshape, [tensor, file.add("shape", integers: shape)], result, [0: .integers(shape)])
  }

  // MARK: Nodes

  /// The function that only cuts what node `i` gives, where the operator can do it itself.
  private func cut(after i: Int) -> (node: Int, code: Int)? {
    let v = graph.nodes[i].outputs[0]
    guard !isWanted.contains(v), let all = readers[v], all.count == 1, let reader = all.first,
      let form = forms[reader], form.steps.count == 1
    else { return nil }
    return Self.activation(form.steps[0]).map { (reader, $0) }
  }

  /// ActivationFunctionType of the schema.
  static func activation(_ step: ONNXForm.Step) -> Int? {
    switch step.type {
    case "Relu": return 1
    case "Clip":
      let bounds = step.operands.dropFirst().map { operand -> Float? in
        if case .constant(let c) = operand { c.uniformFloat } else { nil }
      }
      return bounds == [0, 6] ? 3 : bounds == [-1, 1] ? 2 : nil
    default: return nil
    }
  }

  private mutating func write(_ i: Int) throws(ExportError) {
    let node = graph.nodes[i]
    let form = forms[i]!
    var v = node.outputs[0]
    // A transpose may be nothing but another order of the same codes.
    if case .transpose = node.op, let place = try transpose(node) {
      places[v] = place
      return
    }
    var activation = 0
    var last = form.steps[form.steps.count - 1]
    let takes = ["Conv", "Gemm", "Add", "Mul"].contains(last.type)
    if form.steps.count > 1, let code = Self.activation(last) {
      // A cut within the node: the step before it takes it.
      activation = code
      last = form.steps[form.steps.count - 2]
    } else if takes, let next = cut(after: i) {
      activation = next.code
      isDone.insert(next.node)
      v = graph.nodes[next.node].outputs[0]
    }
    var results: [TFLitePlace] = []
    for (s, step) in form.steps.enumerated() {
      let isEnd = s == form.steps.count - 1 || activation > 0 && s == form.steps.count - 2 && !takes
      results.append(
        try write(step, node, results, isEnd ? v : nil, isEnd ? activation : 0))
      if isEnd { break }
    }
    places[v] = results[results.count - 1]
  }
}
