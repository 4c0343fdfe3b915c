// IF and WHILE: subgraphs that the device runs as bodies.
import Graphs
import Operators
import Tensors

extension TFLiteOperatorTable {
  static let control: [Row] = [Row(118, "IF", branch), Row(119, "WHILE", loop)]

  /// Inputs from `first` on: what the subgraphs take.
  private static func given(
    _ b: inout TFLiteGraphBuilder, from first: Int
  ) throws(ImportError) -> [(value: ValueID, type: ElementType)] {
    var list: [(value: ValueID, type: ElementType)] = []
    for i in first..<max(first, b.inputCount) {
      let type = try b.computedType(try b.tensor(i))
      list.append((try b.input(i), type))
    }
    return list
  }

  private static func branch(_ b: inout TFLiteGraphBuilder) throws(ImportError) {
    let numbers = try TFLiteGraphBuilder.subgraphs(of: b.node)
    guard numbers.count == 2 else { throw b.fail("names no subgraphs") }
    let given = try given(&b, from: 1)
    let count = b.node.outputs.count
    for number in numbers {
      let outputs = try b.subgraph(number, inputs: given.count).outputs.count
      guard count > 0, outputs == count else {
        throw b.fail("subgraph \(number) gives \(outputs) values, expected \(count)")
      }
    }
    let condition = try b.input(0)
    if let known = b.graph[condition].constant?.integers, known.count == 1 {
      b.note("IF of a known condition → its branch")
      let outputs = try b.insert(numbers[known[0] != 0 ? 0 : 1], given.map(\.value))
      for (i, value) in outputs.enumerated() { try b.set(value, i) }
      return
    }
    let constants = given.map { b.graph[$0.value].constant }
    let open = given.indices.filter { constants[$0] == nil }
    var bodies: [Int] = []
    for number in numbers {
      let made = try b.body(open.map { given[$0].type }) { inner, inputs throws(ImportError) in
        let all = given.indices.map { i in
          constants[i].map { inner.constant($0) } ?? inputs[open.firstIndex(of: i)!]
        }
        return try inner.insert(number, all)
      }
      bodies.append(made.number)
    }
    let op = Branch(thenBody: bodies[0], elseBody: bodies[1])
    let outputs = b.add(
      .branch(op), [condition] + open.map { given[$0].value }, outputs: count)
    for (i, value) in outputs.enumerated() { try b.set(value, i) }
  }

  /// The condition runs once before the loop and then at the end of its body. What the body hands on
  /// as it is, weights above all, is not carried from run to run.
  private static func loop(_ b: inout TFLiteGraphBuilder) throws(ImportError) {
    let numbers = try TFLiteGraphBuilder.subgraphs(of: b.node)
    guard numbers.count == 2 else { throw b.fail("names no subgraphs") }
    let given = try given(&b, from: 0)
    let condition = try b.subgraph(numbers[0], inputs: given.count)
    let body = try b.subgraph(numbers[1], inputs: given.count)
    guard condition.outputs.count == 1, body.outputs.count == given.count,
      b.node.outputs.count <= given.count
    else { throw b.fail("its body does not give what it takes") }
    let carried = given.indices.filter { body.outputs[$0] != body.inputs[$0] }
    let fixed = given.indices.filter { body.outputs[$0] == body.inputs[$0] }
    let constants = given.map { b.graph[$0.value].constant }
    let shared = fixed.filter { constants[$0] == nil }
    guard !carried.isEmpty else { throw b.fail("its body changes nothing") }
    let first = try b.insert(numbers[0], given.map(\.value))[0]
    let results = try b.loop(
      count: nil, condition: first, carried: carried.map { given[$0] },
      shared: shared.map { given[$0] }
    ) { inner, inputs throws(ImportError) in
      var values = [ValueID](repeating: inputs[0], count: given.count)
      for (k, i) in (carried + shared).enumerated() { values[i] = inputs[2 + k] }
      for i in fixed {
        if let constant = constants[i] { values[i] = inner.constant(constant) }
      }
      let next = try inner.insert(numbers[1], values)
      return [try inner.insert(numbers[0], next)[0]] + carried.map { next[$0] }
    }
    var outputs = given.map(\.value)
    for (k, i) in carried.enumerated() { outputs[i] = results[k] }
    for i in b.node.outputs.indices { try b.set(outputs[i], i) }
  }
}
