// Small graphs, and what every test of a rule asks of it.
import GraphRunning
import Graphs
import Operators
import Tensors
import Testing

extension Graph {
  mutating func number(_ x: Float) -> ValueID {
    addConstant("number", Constant(floats: [x], shape: Shape()))
  }

  mutating func extents(_ list: [Int]) -> ValueID {
    addConstant("extents", Constant(integers: list, shape: Shape([list.count])))
  }

  /// An f32 constant of random numbers.
  mutating func weight(
    _ dimensions: [Int], seed: UInt64 = 7, in range: ClosedRange<Float> = -1...1
  ) -> ValueID {
    var random = RandomSource(seed &+ UInt64(values.count))
    return addConstant("weight\(values.count)", random.floats(dimensions, in: range))
  }

  /// An f32 input; negative extents are symbols: −1 is "batch", −2 "length".
  mutating func floatInput(_ dimensions: [Int], _ name: String = "x") -> ValueID {
    addInput(
      name, .f32,
      dimensions.map { $0 >= 0 ? .constant($0) : .symbol($0 == -1 ? "batch" : "length") })
  }

  mutating func binary(_ kind: BinaryKind, _ a: ValueID, _ b: ValueID) -> ValueID {
    add(.binary(Binary(kind)), [a, b], name: "\(kind)\(nodes.count)")
  }

  mutating func unary(_ kind: UnaryKind, _ x: ValueID, _ p0: Float = 0, _ p1: Float = 0) -> ValueID
  {
    add(.unary(Unary(kind, p0, p1)), [x], name: "\(kind)\(nodes.count)")
  }

  mutating func reduce(
    _ kind: ReduceKind, _ x: ValueID, _ axes: [Int] = [-1], keeps: Bool = true
  ) -> ValueID {
    add(
      .reduce(Reduce(kind, axes: IntegerList(axes), keepsAxes: keeps)), [x],
      name: "reduce\(nodes.count)")
  }

  mutating func transpose(_ x: ValueID, _ axes: [Int]) -> ValueID {
    add(.transpose(Transpose(IntegerList(axes))), [x], name: "transpose\(nodes.count)")
  }

  mutating func reshape(_ x: ValueID, _ target: [Int]) -> ValueID {
    add(.reshape(Reshape(.target, IntegerList(target))), [x], name: "reshape\(nodes.count)")
  }

  mutating func product(_ a: ValueID, _ b: ValueID, bias: ValueID? = nil, _ op: MatMul = MatMul())
    -> ValueID
  {
    add(.matMul(op), bias.map { [a, b, $0] } ?? [a, b], name: "product\(nodes.count)")
  }
}

/// A graph made by `build`, which returns its output.
func graph(_ build: (inout Graph) -> ValueID) -> Graph {
  var g = Graph(name: "test")
  let y = build(&g)
  g.addOutput("y", y)
  return g
}

/// Random data for every input, symbols bound as said.
func randomInputs(
  _ graph: Graph, _ bindings: [String: Int] = [:], in range: ClosedRange<Float> = -2...2,
  seed: UInt64 = 11
) -> [String: Constant] {
  var random = RandomSource(seed)
  var inputs: [String: Constant] = [:]
  for input in graph.inputs {
    let extents = input.dimensions.map { d -> Int in
      switch d {
      case .constant(let n): n
      case .symbol(let name): bindings[name] ?? 2
      }
    }
    inputs[graph[input.value].name] =
      input.elementType == .f32
      ? random.floats(extents, in: range) : random.bits(extents, input.elementType)
  }
  return inputs
}

/// Rewrites a graph with all rules, expects the outputs of both within 1e-5 at several extents, and
/// returns the rewritten one.
@discardableResult
func rewritten(
  _ graph: Graph, in range: ClosedRange<Float> = -2...2, rules: [RewriteRule] = Rewriter.rules,
  location: SourceLocation = #_sourceLocation
) throws -> Graph {
  let after = try Rewriter.rewrite(graph, rules: rules)
  for bindings in [
    ["batch": 2, "length": 5], ["batch": 1, "length": 1], ["batch": 3, "length": 9],
  ]
  where bindings["batch"] == 2 || !graph.symbols.isEmpty {
    let inputs = randomInputs(graph, bindings, in: range)
    let expected = try runGraph(graph, inputs)
    let found = try runGraph(after, inputs)
    #expect(Set(found.keys) == Set(expected.keys), sourceLocation: location)
    for (name, value) in expected {
      let error = found[name]?.relativeError(to: value) ?? .infinity
      #expect(error <= 1e-5, "output \(name) at \(bindings)", sourceLocation: location)
    }
  }
  return after
}

/// Expects that the rule fires so many times and that only these operators are left.
func expectRule(
  _ rule: RewriteRule, times: Int = 1, leaves operators: [String: Int], in graph: Graph,
  range: ClosedRange<Float> = -2...2, location: SourceLocation = #_sourceLocation
) throws {
  let after = try rewritten(graph, in: range, location: location)
  #expect(after.history[rule.name] == times, sourceLocation: location)
  #expect(after.operatorCounts == operators, sourceLocation: location)
}

/// Expects that the rule leaves the graph alone, and that the others do it no harm.
func expectNoRule(
  _ rule: RewriteRule, in graph: Graph, location: SourceLocation = #_sourceLocation
) throws {
  let after = try rewritten(graph, location: location)
  #expect(after.history[rule.name] == nil, sourceLocation: location)
}
