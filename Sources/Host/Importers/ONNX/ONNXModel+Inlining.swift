// Nodes in running order, with calls of the model's own functions replaced by their bodies.

extension ONNXModel {
  /// All nodes of the graph after inlining, and the names of the calls that were inlined.
  ///
  /// A function that the operator table knows keeps its call. Bodies may call other functions to a
  /// depth of 16; subgraphs inside of bodies are not renamed, so such functions stay calls.
  func inlinedNodes() throws(ImportError) -> (nodes: [ONNXNode], inlined: [String]) {
    var result: [ONNXNode] = []
    var inlined: [String] = []
    var calls = 0
    for node in graph.nodes {
      try inline(node, depth: 0, &calls, &result, &inlined)
    }
    return (try sorted(result), inlined)
  }

  private func function(_ node: ONNXNode) -> ONNXFunction? {
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
    guard let body = function(node),
      !body.nodes.contains(where: { $0.attributes.contains { $0.isGraph } })
    else {
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
    let prefix = "\(node.type).\(calls)"
    for inner in body.nodes {
      var copy = inner
      copy.name = "\(prefix)/\(inner.label)"
      copy.inputs = inner.inputs.map { $0.isEmpty ? "" : names[$0] ?? "\(prefix)/\($0)" }
      copy.outputs = inner.outputs.map { $0.isEmpty ? "" : names[$0] ?? "\(prefix)/\($0)" }
      copy.attributes = inner.attributes.compactMap { attribute in
        guard !attribute.reference.isEmpty else { return attribute }
        // The caller's attribute under the name that the inner node knows; its default else.
        let given =
          node.attributes.first { $0.name == attribute.reference }
          ?? body.attributes.first { $0.name == attribute.reference }
        guard var given else { return nil }
        given.name = attribute.name
        return given
      }
      try inline(copy, depth: depth + 1, &calls, &result, &inlined)
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
      for input in Set(node.inputs) {
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

extension ONNXAttribute {
  fileprivate var isGraph: Bool {
    if case .graph = value { true } else { false }
  }
}
