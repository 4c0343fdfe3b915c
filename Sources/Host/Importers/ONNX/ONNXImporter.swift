// From an ONNX model to a graph.
import Graphs
import Operators
import Tensors

/// Imports ONNX files of opsets 6 to 28.
public enum ONNXImporter {
  /// The graph of the model in `file`. Value names are those of the file.
  ///
  /// Before any work is done all operators that are not supported are found and reported together.
  public static func importGraph(_ file: ModelFile) throws(ImportError) -> Graph {
    let model = try ONNXModel(reading: file)
    let context = ONNXContext(model)
    let (given, inlined) = try model.inlined(model.graph.nodes, &context.calls)
    let (nodes, quantized) = model.withIntegerOperators(given)
    let opset = model.opsets[""] ?? 0
    // A model of other domains only may leave the standard one out.
    guard ONNXOperator.supportedOpsets.contains(opset) || !nodes.contains(where: \.isStandard)
    else {
      throw ImportError(
        file: file.path,
        .unsupportedFormat("ONNX opset \(opset), \(ONNXOperator.supportedOpsets) are supported"))
    }
    let rows = try model.findOperators(nodes)

    var name = model.graph.name
    if name.isEmpty { name = "model" }
    var builder = ONNXGraphBuilder(context, name: name)
    for info in model.graph.valueInfo + model.graph.outputs {
      builder.facts.declarations[info.name] = info
    }
    for group in quantized { builder.note(group) }
    for function in inlined { builder.note("function \(function) inlined") }
    try addConstants(model, to: &builder)
    try findUnusedConstants(model, in: &builder)
    try addInputs(model, to: &builder)
    for (node, row) in zip(nodes, rows) {
      try builder.add(node, opset: model.opset(of: node), row.build)
    }
    try addOutputs(model, to: &builder)
    var graph = builder.graph
    graph.removeUnusedNodes()
    graph.joinRows()
    do throws(GraphError) {
      try graph.verify()
    } catch {
      throw ImportError(file: file.path, .node(name: error.node, operator: "", error.message))
    }
    return graph
  }

  private static func addConstants(
    _ model: ONNXModel, to builder: inout ONNXGraphBuilder
  ) throws(ImportError) {
    for tensor in model.graph.initializers {
      let constant = try tensor.constant(&builder.files)
      try builder.bind(
        tensor.name, builder.addConstant(constant, name: tensor.name), offset: tensor.offset)
    }
  }

  /// Notes the initializers that no node reads, not even one of a subgraph.
  private static func findUnusedConstants(
    _ model: ONNXModel, in builder: inout ONNXGraphBuilder
  ) throws(ImportError) {
    // All names that anything reads are free where nothing gives them.
    var open = model.graph
    open.initializers = []
    open.inputs = []
    let read = Set(try model.freeNames([open]))
    for tensor in model.graph.initializers where !read.contains(tensor.name) {
      guard let constant = builder.values[tensor.name].flatMap({ builder.graph[$0].constant })
      else {
        continue
      }
      builder.graph.unusedTensors.append(
        UnusedTensor(name: tensor.name, byteCount: constant.bytes.count))
    }
  }

  /// Inputs that also have an initializer are constants.
  private static func addInputs(
    _ model: ONNXModel, to builder: inout ONNXGraphBuilder
  ) throws(ImportError) {
    let constants = Set(model.graph.initializers.map(\.name))
    for info in model.graph.inputs where !constants.contains(info.name) {
      func refuse(_ what: String) -> ImportError {
        ImportError(file: model.file.path, .key(info.name, what))
      }
      guard !info.name.isEmpty else { throw model.file.malformed(info.offset, "a nameless input") }
      guard info.kind == .tensor else {
        let value = builder.graph.addOpenInput(info.name, .sequence)
        try builder.bind(info.name, value, offset: info.offset)
        builder.facts.declarations[info.name] = info
        builder.facts.declare(value, info.name)
        continue
      }
      guard let number = info.elementType, let type = ONNXTensor.elementType(number) else {
        throw refuse(
          "expected a tensor input of numbers, found element type \(info.elementType ?? 0)")
      }
      guard let declared = info.dimensions else {
        // Not even the number of axes is said.
        let computed = type.isFloatingPoint ? ElementType.f32 : type
        let value = builder.graph.addOpenInput(info.name, computed)
        try builder.bind(info.name, value, offset: info.offset)
        builder.facts.setType(value, computed)
        continue
      }
      guard declared.count <= Shape.maximumRank else {
        throw refuse("\(declared.count) axes, at most \(Shape.maximumRank) are supported")
      }
      var dimensions: [GraphDimension] = []
      for (axis, dimension) in declared.enumerated() {
        switch dimension {
        case .value(let extent) where extent > 0:
          guard extent <= 1 << 31 else { throw refuse("an axis of \(extent) elements") }
          dimensions.append(.constant(Int(extent)))
        case .parameter(let name): dimensions.append(.symbol(name))
        // Some writers say 0 or −1 where they mean any extent.
        default: dimensions.append(.symbol("dim_\(info.name)_\(axis)"))
        }
      }
      if type.isFloatingPoint, type != .f32 {
        builder.note("input of \(type.name): computed as f32")
      }
      let value = builder.graph.addInput(info.name, type, dimensions)
      try builder.bind(info.name, value, offset: info.offset)
      builder.facts.set(builder.graph.inputs[builder.graph.inputs.count - 1])
    }
  }

  /// An output is written by a node of its own, even where the model passes an input or a constant
  /// through or gives one value two names.
  private static func addOutputs(
    _ model: ONNXModel, to builder: inout ONNXGraphBuilder
  ) throws(ImportError) {
    guard !model.graph.outputs.isEmpty else {
      throw model.file.malformed(0, "expected a model with outputs")
    }
    var taken = Set(builder.graph.inputs.map(\.value))
    var names = Set<String>()
    for info in model.graph.outputs {
      guard names.insert(info.name).inserted else {
        throw model.file.malformed(info.offset, "output '\(info.name)' is there twice")
      }
      guard var value = builder.values[info.name] else {
        throw ImportError(
          file: model.file.path, .key(info.name, "no supported node writes this output"))
      }
      // Real numbers are computed as f32, and given in the type that the model declares.
      if let type = info.elementType.flatMap(ONNXTensor.elementType), type.isFloatingPoint,
        let found = builder.elementType(value), found.isFloatingPoint, found != type
      {
        value = builder.add(.cast(Cast(to: type)), [value])
        builder.graph[value].name = info.name
      }
      if builder.graph[value].constant != nil || !taken.insert(value).inserted {
        value = builder.add(.reshape(Reshape(.identity)), [value])
        builder.graph[value].name = info.name
      }
      builder.graph.addOutput(info.name, value)
    }
  }
}

extension ONNXNode {
  fileprivate var isStandard: Bool { domain.isEmpty }
}

extension ONNXModel {
  /// The table row of each node, or all operators that have none, those in subgraphs too.
  func findOperators(_ nodes: [ONNXNode]) throws(ImportError) -> [ONNXOperator] {
    var rows: [ONNXOperator] = []
    var lacking = LackingOperators()
    for node in nodes {
      if let row = row(node) { rows.append(row) }
      try add(node, to: &lacking, depth: 0)
    }
    guard lacking.list.isEmpty else {
      throw ImportError(file: file.path, .unsupportedOperators(lacking.list))
    }
    return rows
  }

  private func row(_ node: ONNXNode) -> ONNXOperator? {
    ONNXOperator.find(domain: node.domain, name: node.type, opset: opset(of: node))
  }

  private func add(
    _ node: ONNXNode, to lacking: inout LackingOperators, depth: Int
  ) throws(ImportError) {
    if row(node) == nil, function(node) == nil { lacking.add(node, opset: opset(of: node)) }
    for attribute in node.attributes {
      guard let graph = try subgraph(attribute) else { continue }
      guard depth < 16 else {
        throw file.malformed(attribute.offset, "graphs inside graphs are nested too deep")
      }
      for inner in graph.nodes { try add(inner, to: &lacking, depth: depth + 1) }
    }
  }
}

/// Operators without a row, each once with all nodes that use it.
private struct LackingOperators {
  var list: [UnsupportedOperator] = []
  private var places: [String: Int] = [:]

  mutating func add(_ node: ONNXNode, opset: Int) {
    let key = "\(node.domain)::\(node.type)"
    if let place = places[key] {
      list[place].nodes.append(node.label)
    } else {
      places[key] = list.count
      list.append(
        UnsupportedOperator(
          domain: node.domain, name: node.type, opset: opset, nodes: [node.label]))
    }
  }
}

extension Graph {
  /// Gives the first axes of several inputs one name where the file names none and the model only takes
  /// them all alike: the rows of a table that comes column by column.
  fileprivate mutating func joinRows() {
    let loose = inputs.compactMap { input -> String? in
      guard case .symbol(let name)? = input.dimensions.first,
        name == "dim_\(self[input.value].name)_0"
      else { return nil }
      return name
    }
    func accepts(_ names: [String]) -> Bool {
      let bindings = Dictionary(uniqueKeysWithValues: names.map { ($0, 2) })
      return (try? Evaluation(self, bindings: bindings)) != nil
    }
    guard loose.count > 1, accepts([]), !accepts([loose[0]]), accepts(loose) else { return }
    record("unnamed first axes joined", before: loose)
    for i in inputs.indices {
      guard case .symbol(let name)? = inputs[i].dimensions.first, loose.contains(name) else {
        continue
      }
      inputs[i].dimensions[0] = .symbol(loose[0])
    }
  }

  /// Takes out nodes whose outputs nothing reads: what a fixed shape made needless, unused branches.
  mutating func removeUnusedNodes() {
    var isRead = [Bool](repeating: false, count: values.count)
    for output in outputs { isRead[output.value.index] = true }
    for state in states { isRead[state.next.index] = true }
    var kept: [Node] = []
    var dropped: [Node] = []
    for node in nodes.reversed() {
      guard node.outputs.contains(where: { isRead[$0.index] }) else {
        dropped.append(node)
        continue
      }
      for input in node.inputs { if let input { isRead[input.index] = true } }
      kept.append(node)
    }
    for node in dropped.reversed() { record("drop-dead-nodes", before: [node.label]) }
    nodes = kept.reversed()
  }
}
