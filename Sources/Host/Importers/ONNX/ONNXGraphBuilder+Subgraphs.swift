// Graphs inside of nodes: imported as bodies of their own, or in place where nothing has to be decided.
import Graphs
import Operators
import Tensors

/// What all builders of one model share.
final class ONNXContext {
  let model: ONNXModel
  /// Calls of functions and bodies so far: a small file must not ask for more and more.
  var calls = 0
  var bodies = 0

  init(_ model: ONNXModel) { self.model = model }
}

/// A graph that became a body of the one being built.
struct ONNXBody {
  /// Its number in `Graph.bodies`.
  var number: Int
  /// What it reads besides what it is given: inputs of its node, behind the others.
  var captured: [ValueID]
  /// What is known of its outputs.
  var types: [ElementType?]
  var ranks: [Int?]
  var itemTypes: [ElementType?]
}

/// An input that a body is given under a name of its graph.
struct ONNXBodyInput {
  var type: ElementType?
  var itemType: ElementType?
  /// A value of the outer graph that it always is, as far as types and shapes go.
  var like: ValueID?
}

extension ONNXGraphBuilder {
  static let maximumDepth = 8
  static let maximumBodies = 1 << 10

  /// The graph in attribute `name`.
  func subgraph(_ name: String) throws(ImportError) -> ONNXGraph {
    switch attribute(name) {
    case .graph(let range): return try ONNXGraph(file, range)
    case .subgraph(let graph): return graph
    default: throw fail("expected a graph as attribute '\(name)'")
    }
  }

  /// Adds the nodes of `graph` here, its inputs being `given`, and returns its outputs. Names that it
  /// gives are forgotten afterwards.
  mutating func insert(
    _ graph: ONNXGraph, _ given: [ValueID]
  ) throws(ImportError) -> [ValueID] {
    guard given.count == graph.inputs.count else {
      throw fail("its graph takes \(graph.inputs.count) values, \(given.count) are given")
    }
    let (oldValues, oldMissing, oldNode, oldOpset) = (values, missing, node, opset)
    for info in graph.valueInfo + graph.outputs { facts.declarations[info.name] = info }
    for (info, value) in zip(graph.inputs, given) {
      values[info.name] = value
      guard facts.elementType(value) == nil || info.kind != .tensor else { continue }
      facts.declarations[info.name] = info
      facts.declare(value, info.name)
    }
    for tensor in graph.initializers {
      let constant = try tensor.constant(&files)
      values[tensor.name] = addConstant(constant, name: tensor.name)
    }
    let model = context.model
    let (nodes, inlined) = try model.inlined(graph.nodes, &context.calls)
    for function in inlined { note("function \(function) inlined") }
    for (node, row) in zip(nodes, try model.findOperators(nodes)) {
      // A graph that is inserted twice gives its names twice.
      for name in node.outputs { values[name] = nil }
      try add(node, opset: model.opset(of: node), row.build)
    }
    var outputs: [ValueID] = []
    for info in graph.outputs { outputs.append(try value(named: info.name)) }
    (values, missing) = (oldValues, oldMissing)
    restore(oldNode, oldOpset)
    return outputs
  }

  /// Builds a body: `build` gets its builder and the values of `given`, and returns its outputs.
  ///
  /// capturing: the graphs whose names may stand for values of this graph. Constants among these
  /// become constants of the body; the others are inputs behind `given`, in one order for one list.
  mutating func body(
    _ given: [ONNXBodyInput], capturing graphs: [ONNXGraph],
    _ build: (inout ONNXGraphBuilder, [ValueID]) throws(ImportError) -> [ValueID]
  ) throws(ImportError) -> ONNXBody {
    guard depth < ONNXGraphBuilder.maximumDepth else {
      throw fail("graphs inside graphs are nested deeper than \(ONNXGraphBuilder.maximumDepth)")
    }
    context.bodies += 1
    guard context.bodies <= ONNXGraphBuilder.maximumBodies else {
      throw fail("more than \(ONNXGraphBuilder.maximumBodies) graphs inside graphs")
    }
    var inner = ONNXGraphBuilder(context, name: node.label, depth: depth + 1)
    inner.files = files
    inner.facts.takeBudget(of: facts)
    inner.restore(node, opset)
    let inputs = given.enumerated().map { i, input in
      inner.addOpenInput("\(node.label).\(i)", input, from: facts)
    }
    var captured: [ValueID] = []
    for name in try context.model.freeNames(graphs) {
      // What nobody writes is reported where it is read.
      guard let value = values[name] else {
        if let op = missing[name] { inner.missing[name] = op }
        continue
      }
      if let constant = graph[value].constant ?? facts.fixedValue(value) {
        inner.values[name] = inner.addConstant(constant, name: graph[value].name)
        continue
      }
      captured.append(value)
      inner.values[name] = inner.addOpenInput(
        name, ONNXBodyInput(type: facts.elementType(value), like: value), from: facts)
    }
    // What one branch or run of a loop gives another one must not give in another width.
    let outputs = try build(&inner, inputs).map { inner.wide($0) }
    for (i, output) in outputs.enumerated() {
      inner.graph.addOutput("\(i)", output)
    }
    files = inner.files
    facts.takeBudget(of: inner.facts)
    graph.history.merge(inner.graph.history, uniquingKeysWith: +)
    inner.graph.history = [:]
    inner.graph.removeUnusedNodes()
    graph.bodies.append(inner.graph)
    return ONNXBody(
      number: graph.bodies.count - 1, captured: captured,
      types: outputs.map { inner.facts.elementType($0) },
      ranks: outputs.map { inner.facts.rank($0) },
      itemTypes: outputs.map { inner.facts.itemType($0) })
  }

  private mutating func addOpenInput(
    _ name: String, _ input: ONNXBodyInput, from outer: ValueFacts
  ) -> ValueID {
    let value = graph.addOpenInput(name, input.type ?? .f32)
    if let like = input.like {
      facts.copy(like, of: outer, to: value)
    } else if let type = input.type {
      facts.setType(value, type)
      facts.setItemType(value, input.itemType)
    }
    return value
  }
}

extension ONNXModel {
  /// The opset that a node's operator is one of.
  func opset(of node: ONNXNode) -> Int { opsets[node.domain] ?? opsets[""] ?? 1 }

  /// Names that graphs read and do not give, those in their subgraphs too, each once and in order.
  func freeNames(_ graphs: [ONNXGraph]) throws(ImportError) -> [String] {
    var names: [String] = []
    var seen = Set<String>()
    for graph in graphs { try collect(graph, bound: [], &names, &seen, depth: 0) }
    return names
  }

  private func collect(
    _ graph: ONNXGraph, bound outer: Set<String>, _ names: inout [String],
    _ seen: inout Set<String>, depth: Int
  ) throws(ImportError) {
    guard depth <= 2 * ONNXGraphBuilder.maximumDepth else {
      throw file.malformed(graph.nodes.first?.offset ?? 0, "graphs are nested too deep")
    }
    var bound = outer.union(graph.inputs.map(\.name)).union(graph.initializers.map(\.name))
    for node in graph.nodes { bound.formUnion(node.outputs) }
    func read(_ name: String) {
      if !name.isEmpty, !bound.contains(name), seen.insert(name).inserted { names.append(name) }
    }
    for node in graph.nodes {
      for name in node.inputs { read(name) }
      for attribute in node.attributes {
        guard let inner = try subgraph(attribute) else { continue }
        try collect(inner, bound: bound, &names, &seen, depth: depth + 1)
      }
    }
    for info in graph.outputs { read(info.name) }
  }

  /// The graph that an attribute holds, if it holds one.
  func subgraph(_ attribute: ONNXAttribute) throws(ImportError) -> ONNXGraph? {
    switch attribute.value {
    case .graph(let range): try ONNXGraph(file, range)
    case .subgraph(let graph): graph
    default: nil
    }
  }
}
