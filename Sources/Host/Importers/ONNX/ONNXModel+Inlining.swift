// Nodes in running order, with calls of the model's own functions replaced by their bodies.

extension ONNXModel {
  /// All nodes of a graph after inlining, and the names of the calls that were inlined.
  ///
  /// A function that the operator table knows keeps its call. Bodies may call other functions to a
  /// depth of 16; in subgraphs of their nodes the names that these capture change too.
  ///
  /// calls: counts the calls of a whole model.
  func inlined(
    _ nodes: [ONNXNode], _ calls: inout Int
  ) throws(ImportError) -> (nodes: [ONNXNode], inlined: [String]) {
    var result: [ONNXNode] = []
    var inlined: [String] = []
    for node in nodes {
      try inline(node, depth: 0, &calls, &result, &inlined)
    }
    return (try sorted(result), inlined)
  }

  func function(_ node: ONNXNode) -> ONNXFunction? {
    guard !functions.isEmpty else { return nil }
    let opset = opsets[node.domain] ?? 1
    guard ONNXOperator.find(domain: node.domain, name: node.type, opset: opset) == nil else {
      return nil
    }
    return functions.first {
      $0.name == node.type && ($0.domain == "ai.onnx" ? "" : $0.domain) == node.domain
        && $0.overload == node.overload
    }
  }

  private func inline(
    _ node: ONNXNode, depth: Int, _ calls: inout Int, _ result: inout [ONNXNode],
    _ inlined: inout [String]
  ) throws(ImportError) {
    guard let body = function(node) else {
      let limit = depth == 0 ? ONNXLimit.nodes : ONNXLimit.inlinedNodes
      guard result.count < limit else {
        throw file.malformed(node.offset, "more than \(limit) nodes")
      }
      return result.append(node)
    }
    guard depth < 16 else {
      throw file.malformed(node.offset, "functions call each other too deep")
    }
    guard node.inputs.count <= body.inputs.count, node.outputs.count <= body.outputs.count else {
      throw ImportError(
        file: file.path,
        .node(name: node.label, operator: node.type, "has more inputs or outputs than its function")
      )
    }
    calls += 1
    guard calls <= ONNXLimit.calls else {
      throw file.malformed(node.offset, "more than \(ONNXLimit.calls) calls of functions")
    }
    inlined.append(node.type)
    var names: [String: String] = [:]
    for (i, name) in body.inputs.enumerated() {
      names[name] = i < node.inputs.count ? node.inputs[i] : ""
    }
    for (i, name) in body.outputs.enumerated() where i < node.outputs.count {
      if !node.outputs[i].isEmpty { names[name] = node.outputs[i] }
    }
    let call = ONNXCall(
      model: self, prefix: "\(node.type).\(calls)", names: names,
      attributes: node.attributes + body.attributes)
    for inner in body.nodes {
      try inline(try call.renamed(inner), depth: depth + 1, &calls, &result, &inlined)
    }
  }

  /// The nodes as they are where each reads only what was written before; else in such an order.
  private func sorted(_ nodes: [ONNXNode]) throws(ImportError) -> [ONNXNode] {
    var writers: [String: Int] = [:]
    for (i, node) in nodes.enumerated() {
      for output in node.outputs where !output.isEmpty { writers[output] = i }
    }
    var waiting = [Int](repeating: 0, count: nodes.count)
    var readers = [[Int]](repeating: [], count: nodes.count)
    var isSorted = true
    for (i, node) in nodes.enumerated() {
      // What a node's graphs capture it reads too.
      var graphs: [ONNXGraph] = []
      for attribute in node.attributes {
        if let graph = try subgraph(attribute) { graphs.append(graph) }
      }
      let captured = graphs.isEmpty ? [] : try freeNames(graphs)
      for input in Set(node.inputs + captured) {
        guard let writer = writers[input] else { continue }
        if writer >= i { isSorted = false }
        waiting[i] += 1
        readers[writer].append(i)
      }
    }
    if isSorted { return nodes }
    var ready = nodes.indices.filter { waiting[$0] == 0 }
    var order: [ONNXNode] = []
    var next = 0
    while next < ready.count {
      order.append(nodes[ready[next]])
      for reader in readers[ready[next]] {
        waiting[reader] -= 1
        if waiting[reader] == 0 { ready.append(reader) }
      }
      next += 1
    }
    guard order.count == nodes.count else {
      let stuck = nodes[waiting.firstIndex { $0 > 0 }!]
      throw ImportError(
        file: file.path,
        .node(name: stuck.label, operator: stuck.type, "waits for its own output"))
    }
    return order
  }
}

/// One call of a function: what the names and attribute references of its body stand for.
private struct ONNXCall {
  let model: ONNXModel
  let prefix: String
  /// The caller's names of inputs and outputs.
  let names: [String: String]
  /// The caller's attributes, then the function's defaults.
  let attributes: [ONNXAttribute]

  private func outer(_ name: String) -> String {
    name.isEmpty ? "" : names[name] ?? "\(prefix)/\(name)"
  }

  /// A node of the body as one of the caller's graph.
  func renamed(_ node: ONNXNode) throws(ImportError) -> ONNXNode {
    try renamed(node, keeping: [], depth: 0)
  }

  /// keeping: names that a subgraph gives itself.
  private func renamed(
    _ node: ONNXNode, keeping local: Set<String>, depth: Int
  ) throws(ImportError) -> ONNXNode {
    var copy = node
    copy.name = "\(prefix)/\(node.label)"
    copy.inputs = node.inputs.map { local.contains($0) ? $0 : outer($0) }
    copy.outputs = node.outputs.map { local.contains($0) ? $0 : outer($0) }
    copy.attributes = []
    for attribute in node.attributes {
      if var graph = try model.subgraph(attribute) {
        try rename(&graph, keeping: local, depth: depth)
        var changed = attribute
        changed.value = .subgraph(graph)
        copy.attributes.append(changed)
      } else if attribute.reference.isEmpty {
        copy.attributes.append(attribute)
      } else if var given = attributes.first(where: { $0.name == attribute.reference }) {
        // Under the name that the inner node knows.
        given.name = attribute.name
        copy.attributes.append(given)
      }
    }
    return copy
  }

  private func rename(
    _ graph: inout ONNXGraph, keeping outer: Set<String>, depth: Int
  ) throws(ImportError) {
    guard depth < 16 else {
      throw model.file.malformed(
        graph.nodes.first?.offset ?? 0, "graphs inside graphs are nested too deep")
    }
    var local = outer.union(graph.inputs.map(\.name)).union(graph.initializers.map(\.name))
    for node in graph.nodes { local.formUnion(node.outputs) }
    local.remove("")
    var nodes: [ONNXNode] = []
    for node in graph.nodes {
      nodes.append(try renamed(node, keeping: local, depth: depth + 1))
    }
    graph.nodes = nodes
    for i in graph.outputs.indices where !local.contains(graph.outputs[i].name) {
      graph.outputs[i].name = self.outer(graph.outputs[i].name)
    }
  }
}
