// Applies rewrite rules until none fires, checking the graph after each.
import Operators
import Tensors

/// A graph with the indices that rules ask for. Rules see it and propose edits; they never change it.
public struct GraphIndex {
  public let graph: Graph
  public let inference: ShapeInference?
  private var producers: [Int]
  private var readers: [[Int]]
  private var isOutput: [Bool]

  init(_ graph: Graph, _ inference: ShapeInference?) {
    self.graph = graph
    self.inference = inference
    producers = [Int](repeating: -1, count: graph.values.count)
    readers = [[Int]](repeating: [], count: graph.values.count)
    isOutput = [Bool](repeating: false, count: graph.values.count)
    for (i, node) in graph.nodes.enumerated() {
      for o in node.outputs { producers[o.index] = i }
      for v in node.inputs.compactMap({ $0 }) where readers[v.index].last != i {
        readers[v.index].append(i)
      }
    }
    for o in graph.outputs { isOutput[o.value.index] = true }
    for s in graph.states { isOutput[s.next.index] = true }
  }

  /// The node that writes a value; nil for inputs and constants.
  public func producer(_ id: ValueID?) -> Int? {
    guard let id, producers[id.index] >= 0 else { return nil }
    return producers[id.index]
  }

  /// The node that writes a value that only one node reads and that is no output: such a node can go
  /// when its reader does.
  public func soleProducer(_ id: ValueID?) -> Int? {
    guard let id, let p = producer(id), readers[id.index].count == 1, !isOutput[id.index],
      graph.nodes[p].outputs.count == 1
    else { return nil }
    return p
  }

  public func readers(_ id: ValueID) -> [Int] { readers[id.index] }
  public func isGraphOutput(_ id: ValueID) -> Bool { isOutput[id.index] }

  public func constant(_ id: ValueID?) -> Constant? { id.flatMap { graph[$0].constant } }

  /// The number in a constant whose elements are all that one number.
  public func scalar(_ id: ValueID?) -> Float? { constant(id)?.uniformFloat }

  /// The shape inference where it knows the value: values made by edits since are not in it, nor are
  /// those whose shapes follow from data.
  public func shapes(_ id: ValueID) -> ShapeInference? {
    guard let inference, id.index < inference.base.tensors.count, !inference.isOpen(id) else {
      return nil
    }
    return inference
  }
}

/// What a rule wants done.
public struct GraphEdit {
  /// Nodes, by index, that go.
  public var removed: [Int]
  /// Nodes that come, in order, at the place of the last removed one.
  public var added: [Node] = []
  /// Values that come; the first has the number `firstValue`.
  public private(set) var values: [Value] = []
  /// Readers of the key read the value from now on.
  public var replaced: [ValueID: ValueID] = [:]
  private let firstValue: Int

  public init(_ index: GraphIndex, removing removed: [Int]) {
    self.removed = removed
    firstValue = index.graph.values.count
  }

  public mutating func addConstant(_ name: String, _ constant: Constant) -> ValueID {
    values.append(Value(name: name, constant: constant))
    return ValueID(firstValue + values.count - 1)
  }

  /// A new value for a node's output.
  public mutating func addValue(_ name: String) -> ValueID {
    values.append(Value(name: name))
    return ValueID(firstValue + values.count - 1)
  }
}

/// A named, local improvement: looks at one node and proposes an edit, or nothing.
public struct RewriteRule: Sendable {
  public let name: String
  public let apply: @Sendable (GraphIndex, Int) -> GraphEdit?

  public init(_ name: String, _ apply: @escaping @Sendable (GraphIndex, Int) -> GraphEdit?) {
    self.name = name
    self.apply = apply
  }
}

/// The passes that every imported graph goes through.
public enum Rewriter {
  /// All rules, in the order in which they are tried.
  public static let rules: [RewriteRule] = [
    .dropIdentity, .constantSlice, .constantReshape, .mergeReshapes, .moveTransposes,
    .mergeTransposes, .keepAxes,
    .mergeDuplicates,
    .clipOfExtremes, .mergeClips, .leakyRelu, .gelu, .geluTanh, .silu, .hardSigmoid, .hardSwish,
    .softmax, .layerNorm, .layerNormScale, .layerNormBias,
    .scaleIntoProduct, .attention, .transposeIntoProduct,
    .fuseBatchNorm, .fuseBias, .fuseScale, .residualIntoLayerNorm, .fuseActivation,
    .mergeAffines,
  ]

  /// Folds constants, fixes symbols that only work at one value, applies all rules until none fires and
  /// drops what nothing reads.
  ///
  /// limits: the largest values of symbols, as for `ShapeInference`.
  public static func rewrite(
    _ graph: Graph, limits: [String: Int] = [:], rules: [RewriteRule] = Rewriter.rules
  ) throws(GraphError) -> Graph {
    var graph = graph
    try graph.verify(after: "import")
    for i in graph.bodies.indices {
      graph.bodies[i] = try rewrite(graph.bodies[i], rules: rules)
      graph.history.merge(graph.bodies[i].history, uniquingKeysWith: +)
      graph.bodies[i].history = [:]
    }
    // For all passes together: what one makes of nothing must not be what the next may multiply.
    var room = SharedValues.room(for: graph)
    for _ in 0..<8 {
      let inference = try ShapeInference(graph, limits: limits, room: room)
      var changed = false
      // Readers that are of no use would keep rules from firing.
      graph = withoutDeadNodes(fold(pin(graph, inference), inference, &room, &changed))
      try graph.verify(after: "fold-constants")
      for rule in rules {
        graph = try apply(rule, graph, inference, &changed)
      }
      graph = withoutDeadNodes(graph)
      try graph.verify(after: "drop-dead-nodes")
      if !changed { break }
    }
    return graph
  }

  /// Symbols that accept no other value become that value.
  private static func pin(_ graph: Graph, _ inference: ShapeInference) -> Graph {
    var graph = graph
    for i in graph.inputs.indices {
      graph.inputs[i].dimensions = graph.inputs[i].dimensions.map { d in
        guard case .symbol(let name) = d, inference.pinned.contains(name) else { return d }
        graph.history["pin-symbol \(name)", default: 0] += 1
        return .constant(inference.bindings[0][name] ?? 1)
      }
    }
    return graph
  }

  /// Values that are the same whatever the symbols are become constants. Steps that only look at
  /// shapes are folded up to 1 MiB; constants of constants as large as they are.
  private static func fold(
    _ graph: Graph, _ inference: ShapeInference, _ room: inout Int, _ changed: inout Bool
  ) -> Graph {
    var graph = graph
    var kept: [Node] = []
    for node in graph.nodes {
      let fromConstants =
        !node.op.dependsOnShapesOnly
        && node.inputs.allSatisfy { $0.map { graph[$0].constant != nil } ?? true }
      let limit = fromConstants ? Int.max : 1 << 20
      let folded = node.outputs.map { inference.knownValue($0, maximumBytes: limit) }
      guard folded.allSatisfy({ $0 != nil }) else {
        kept.append(node)
        continue
      }
      let bytes = folded.reduce(0) { $0 + ($1?.bytes.count ?? 0) }
      guard bytes <= room else {
        kept.append(node)
        continue
      }
      room -= bytes
      for (output, constant) in zip(node.outputs, folded) { graph[output].constant = constant }
      graph.record("fold-constants", before: [node.label])
      changed = true
    }
    graph.nodes = kept
    return graph
  }

  private static func apply(
    _ rule: RewriteRule, _ start: Graph, _ inference: ShapeInference, _ changed: inout Bool
  ) throws(GraphError) -> Graph {
    var graph = start
    var index = GraphIndex(graph, inference)
    var i = 0
    while i < graph.nodes.count {
      guard let edit = rule.apply(index, i) else {
        i += 1
        continue
      }
      let removed = edit.removed.sorted().map { graph.nodes[$0].label }
      graph = apply(edit, to: graph)
      graph.record(rule.name, before: removed, after: edit.added.map(\.label))
      try graph.verify(after: rule.name)
      changed = true
      index = GraphIndex(graph, inference)
      i = max(0, (edit.removed.min() ?? i) - 1)
    }
    return graph
  }

  private static func apply(_ edit: GraphEdit, to start: Graph) -> Graph {
    var graph = start
    graph.values += edit.values
    let place = edit.removed.max() ?? 0
    var nodes: [Node] = []
    nodes.reserveCapacity(graph.nodes.count)
    for (i, node) in graph.nodes.enumerated() {
      if i == place { nodes += edit.added }
      if !edit.removed.contains(i) { nodes.append(node) }
    }
    guard !edit.replaced.isEmpty else {
      graph.nodes = nodes
      return graph
    }
    graph.nodes = nodes.map { node in
      var node = node
      node.inputs = node.inputs.map { $0.map { edit.replaced[$0] ?? $0 } }
      return node
    }
    for o in graph.outputs.indices {
      let v = graph.outputs[o].value
      graph.outputs[o].value = edit.replaced[v] ?? v
    }
    for s in graph.states.indices {
      let v = graph.states[s].next
      graph.states[s].next = edit.replaced[v] ?? v
    }
    return graph
  }

  /// Drops nodes whose outputs nothing reads.
  private static func withoutDeadNodes(_ start: Graph) -> Graph {
    var graph = start
    var needed = [Bool](repeating: false, count: graph.values.count)
    for o in graph.outputs { needed[o.value.index] = true }
    for s in graph.states { needed[s.next.index] = true }
    var kept: [Node] = []
    var dropped: [Node] = []
    for node in graph.nodes.reversed() {
      guard node.outputs.contains(where: { needed[$0.index] }) else {
        dropped.append(node)
        continue
      }
      for v in node.inputs.compactMap({ $0 }) { needed[v.index] = true }
      kept.append(node)
    }
    for node in dropped.reversed() { graph.record("drop-dead-nodes", before: [node.label]) }
    graph.nodes = kept.reversed()
    return graph
  }
}
