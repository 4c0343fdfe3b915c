// Subgraphs of a TFLite model: imported in place, or as bodies of their own that the device runs.
import Graphs
import Operators
import Tensors

/// What all builders of one model share.
final class TFLiteContext {
  let model: TFLiteModel
  /// Operators imported so far: a small file must not ask for more and more.
  var operators = 0
  /// How many subgraphs lie in one another where the import is.
  var depth = 0
  var bodies = 0
  /// Tables that several operators look up, by what they hold.
  var tables: [String: Constant] = [:]

  init(_ model: TFLiteModel) { self.model = model }
}

/// A subgraph that became a body of the graph being built.
struct TFLiteBody {
  /// Its number in `Graph.bodies`.
  var number: Int
  /// How many values it gives.
  var outputs: Int
}

extension TFLiteGraphBuilder {
  static let maximumDepth = 8
  static let maximumOperators = 1 << 17
  static let maximumBodies = 1 << 10

  /// The numbers of the subgraphs that a node of IF or WHILE runs.
  static func subgraphs(of node: TFLiteOperator) throws(ImportError) -> [Int] {
    guard node.code == 118 || node.code == 119, let options = node.options else { return [] }
    return [try options.integer(0), try options.integer(1)]
  }

  /// Subgraph `number`, which takes `inputs` values.
  func subgraph(_ number: Int, inputs: Int) throws(ImportError) -> TFLiteSubgraph {
    guard model.subgraphs.indices.contains(number), number != 0 else {
      throw fail("subgraph \(number) of \(model.subgraphs.count)")
    }
    let graph = model.subgraphs[number]
    guard graph.inputs.count == inputs else {
      throw fail("subgraph \(number) takes \(graph.inputs.count) values, \(inputs) are given")
    }
    return graph
  }

  /// Adds the operators of the current subgraph.
  mutating func addOperators() throws(ImportError) {
    for node in subgraph.operators {
      context.operators += 1
      guard context.operators <= TFLiteGraphBuilder.maximumOperators else {
        throw fail("more than \(TFLiteGraphBuilder.maximumOperators) operators in all subgraphs")
      }
      guard let row = TFLiteOperatorTable.find(node) else { throw fail("is not supported") }
      start(node, row.name)
      let first = graph.nodes.count
      try row.build(&self)
      if graph.nodes.count != first + 1 {
        graph.events.append(
          GraphEvent(
            "import", before: ["\(label) (\(row.name))"],
            after: graph.nodes[first...].map(\.op.name)))
      }
    }
  }

  /// Adds the operators of subgraph `number` here, its inputs being `given`, and returns its outputs.
  mutating func insert(_ number: Int, _ given: [ValueID]) throws(ImportError) -> [ValueID] {
    let inner = try subgraph(number, inputs: given.count)
    // In place or not, a subgraph that leads to itself has no end.
    context.depth += 1
    guard context.depth <= TFLiteGraphBuilder.maximumDepth else {
      throw fail("subgraphs are nested deeper than \(TFLiteGraphBuilder.maximumDepth)")
    }
    let (outer, outerNode, outerLabel) = (scope, node, label)
    scope = TFLiteScope(subgraph: inner)
    for (t, value) in zip(inner.inputs, given) { scope.values[t] = value }
    try addOperators()
    var outputs: [ValueID] = []
    for t in inner.outputs { outputs.append(try value(of: t)) }
    (scope, node, label) = (outer, outerNode, outerLabel)
    context.depth -= 1
    return outputs
  }

  /// Builds a body: `build` gets its builder and its inputs, of types `given`, and returns its outputs.
  mutating func body(
    _ given: [ElementType],
    _ build: (inout TFLiteGraphBuilder, [ValueID]) throws(ImportError) -> [ValueID]
  ) throws(ImportError) -> TFLiteBody {
    guard depth < TFLiteGraphBuilder.maximumDepth else {
      throw fail("subgraphs are nested deeper than \(TFLiteGraphBuilder.maximumDepth)")
    }
    context.bodies += 1
    guard context.bodies <= TFLiteGraphBuilder.maximumBodies else {
      throw fail("more than \(TFLiteGraphBuilder.maximumBodies) branches and loops")
    }
    var inner = TFLiteGraphBuilder(context, subgraph, depth: depth + 1)
    (inner.node, inner.label) = (node, label)
    let inputs = given.enumerated().map { i, type in
      inner.graph.addOpenInput("\(label).given.\(i)", type)
    }
    let outputs = try build(&inner, inputs)
    guard inner.states.isEmpty else {
      throw fail("variables inside of branches and loops are not supported")
    }
    var taken = Set(inputs)
    for (i, output) in outputs.enumerated() {
      var output = output
      // Every output is written by a node of its own.
      if inner.graph[output].constant != nil || !taken.insert(output).inserted {
        output = inner.add(.reshape(Reshape(.identity)), [output])
      }
      inner.graph.addOutput("\(i)", output)
    }
    graph.history.merge(inner.graph.history, uniquingKeysWith: +)
    inner.graph.history = [:]
    inner.graph.removeUnusedNodes()
    graph.bodies.append(inner.graph)
    return TFLiteBody(number: graph.bodies.count - 1, outputs: outputs.count)
  }

  /// A loop of `count` runs, or while `condition` holds, whose body is built by `build` from the number
  /// of the run (i64), the condition, the carried values and the shared ones. It returns the next
  /// condition, the next carried values, and what is to be collected along a new first axis.
  mutating func loop(
    count: ValueID?, condition: ValueID?, carried: [(value: ValueID, type: ElementType)],
    shared: [(value: ValueID, type: ElementType)] = [],
    _ build: (inout TFLiteGraphBuilder, [ValueID]) throws(ImportError) -> [ValueID]
  ) throws(ImportError) -> [ValueID] {
    let types = [ElementType.i64, .bool] + carried.map(\.type) + shared.map(\.type)
    let made = try body(types, build)
    let collected = made.outputs - 1 - carried.count
    guard collected >= 0, made.outputs > 1 else { throw fail("gives nothing") }
    let op = Loop(body: made.number, carriedCount: carried.count, collectedCount: collected)
    return add(
      .loop(op), [count, condition] + carried.map(\.value) + shared.map(\.value),
      outputs: made.outputs - 1)
  }

  /// The type that a tensor's value has in the graph.
  func computedType(_ t: TFLiteTensor) throws(ImportError) -> ElementType {
    guard let type = t.elementType else {
      throw fail("'\(t.name)' of element type \(t.type) cannot go into a subgraph")
    }
    return type.isFloatingPoint ? .f32 : type
  }
}
