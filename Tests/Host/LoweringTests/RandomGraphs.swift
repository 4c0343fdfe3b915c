// Random graphs for the tests of order, memory and sharing.
import GraphRunning
import Graphs
import Operators
import Tensors

/// A random graph of `count` nodes over a few f32 inputs: chains that can be computed in place, views,
/// products with scratch, joins, steps with two outputs. The same seed gives the same graph.
func randomGraph(_ seed: UInt64, nodes count: Int) -> Graph {
  var builder = RandomGraph(seed)
  return builder.build(count)
}

private struct RandomGraph {
  var random: RandomSource
  var graph = Graph(name: "random")
  /// Every value so far with its shape.
  var known: [(id: ValueID, shape: [Int])] = []

  init(_ seed: UInt64) { random = RandomSource(seed) }

  mutating func build(_ count: Int) -> Graph {
    for i in 0..<Int.random(in: 1...3, using: &random) {
      let shape = [
        Int.random(in: 1...6, using: &random), 8 * Int.random(in: 1...4, using: &random),
      ]
      known.append((graph.addInput("x\(i)", .f32, shape.map { .constant($0) }), shape))
    }
    for _ in 0..<count { addNode() }
    // Some of the last values, and sometimes an early one, are outputs.
    for i in 0..<Int.random(in: 1...3, using: &random) {
      let value =
        i == 0 ? known[known.count - 1] : known[Int.random(in: 0..<known.count, using: &random)]
      graph.addOutput("y\(i)", value.id)
    }
    return graph
  }

  private mutating func weight(_ dimensions: [Int]) -> ValueID {
    graph.addConstant("w\(graph.values.count)", random.floats(dimensions, in: -0.5...0.5))
  }

  /// Mostly a recent value: long chains, few readers.
  private mutating func pick() -> (id: ValueID, shape: [Int]) {
    let window = Bool.random(using: &random) ? min(3, known.count) : known.count
    return known[known.count - 1 - Int.random(in: 0..<window, using: &random)]
  }

  private mutating func put(_ op: Operator, _ inputs: [ValueID?], _ shape: [Int]) {
    known.append((graph.add(op, inputs, name: "n\(graph.nodes.count)"), shape))
  }

  private mutating func addNode() {
    let x = pick()
    let n = x.shape[1]
    switch Int.random(in: 0..<10, using: &random) {
    case 0: put(.unary(Unary(.tanh)), [x.id], x.shape)
    case 1: put(.unary(Unary(.affine, 0.5, 0.25)), [x.id], x.shape)
    case 2, 3:
      let y = pick()
      let fits = y.shape == x.shape
      put(.binary(Binary(fits ? .sub : .mul)), [x.id, fits ? y.id : weight([n])], x.shape)
    case 4:
      let columns = x.shape[0] > 128 ? 8 : 8 * Int.random(in: 1...4, using: &random)
      put(.matMul(MatMul()), [x.id, weight([n, columns])], [x.shape[0], columns])
    case 5:
      // Through another shape and back: two views.
      let flat = graph.add(
        .reshape(Reshape(.target, IntegerList([-1]))), [x.id], name: "n\(graph.nodes.count)")
      put(.reshape(Reshape(.target, IntegerList([-1, 8]))), [flat], [x.shape[0] * n / 8, 8])
    case 6: put(.softmax(Softmax(axis: 0)), [x.id], x.shape)
    case 7:
      let y = pick()
      guard y.shape[1] == n, x.shape[0] + y.shape[0] <= 64 else { return addNode() }
      put(.concat(Concat(axis: 0)), [x.id, y.id], [x.shape[0] + y.shape[0], n])
    case 8:
      let first = graph.addValue("norm\(graph.values.count)")
      let second = graph.addValue("sum\(graph.values.count)")
      let y = known.last { $0.shape == x.shape }
      graph.nodes.append(
        Node(
          name: "n\(graph.nodes.count)", op: .layerNorm(LayerNorm(epsilon: 0.1)),
          inputs: [x.id, weight([n]), nil, y?.id], outputs: [first, second]))
      known += [(first, x.shape), (second, x.shape)]
    default:
      put(.transpose(Transpose(IntegerList([1, 0]))), [x.id], [n, x.shape[0]])
      // Keep every value [any, multiple of 8].
      let last = known.removeLast()
      let flat = graph.add(
        .reshape(Reshape(.target, IntegerList([-1, 8]))), [last.id], name: "n\(graph.nodes.count)")
      known.append((flat, [x.shape[0] * n / 8, 8]))
    }
  }
}

/// Random data for all inputs.
func randomInputs(_ graph: Graph, seed: UInt64 = 5) -> [String: Constant] {
  var random = RandomSource(seed)
  var inputs: [String: Constant] = [:]
  for input in graph.inputs {
    let extents = input.dimensions.map { d -> Int in
      if case .constant(let n) = d { return n }
      return 2
    }
    inputs[graph[input.value].name] = random.floats(extents, in: -1...1)
  }
  return inputs
}
