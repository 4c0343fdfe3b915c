// Variables, which live from run to run: states of the graph.
import Graphs
import Operators
import Tensors

extension TFLiteOperatorTable {
  static let variables: [Row] = [
    Row(129, "CALL_ONCE") { b throws(ImportError) in
      let number = try b.integer(0)
      guard b.model.subgraphs.indices.contains(number), number != 0 else {
        throw b.fail("subgraph \(number) of \(b.model.subgraphs.count)")
      }
      // What it assigns must be zeros, which states start with.
      let setup = b.model.subgraphs[number]
      for node in setup.operators where node.code == 144 {
        guard node.inputs.count == 2, node.inputs[1] >= 0,
          let range = b.model.data(setup.tensors[node.inputs[1]]),
          try b.model.file.view(range).allSatisfy({ $0 == 0 })
        else { throw b.fail("a variable that does not start with zeros is not supported") }
      }
    },
    Row(142, "VAR_HANDLE") { b throws(ImportError) in
      let name = try b.node.options?.text(1) ?? ""
      b.scope.variables[try b.outputNumber()] = name.isEmpty ? b.label : name
    },
    Row(143, "READ_VARIABLE") { b throws(ImportError) in
      let name = try variable(b)
      if b.states[name] == nil { try b.declare(name, try b.outputTensor()) }
      let value = b.states[name]!.current
      try b.set(b.add(.reshape(Reshape(.identity)), [value]))
    },
    Row(144, "ASSIGN_VARIABLE") { b throws(ImportError) in
      let name = try variable(b)
      if b.states[name] == nil { try b.declare(name, try b.tensor(1)) }
      b.states[name]!.current = try b.input(1)
    },
  ]

  private static func variable(_ b: TFLiteGraphBuilder) throws(ImportError) -> String {
    guard let name = b.scope.variables[try b.number(0)] else { throw b.fail("reads no variable") }
    return name
  }
}

extension TFLiteGraphBuilder {
  /// A state of the shape of `t`, which starts with the integer 0 whatever stands for zero.
  mutating func declare(_ name: String, _ t: TFLiteTensor) throws(ImportError) {
    guard let type = t.elementType else { throw fail("variable '\(name)' holds no numbers") }
    let value = graph.addInput(
      name, type.isFloatingPoint ? .f32 : type, t.shape.map { .constant($0) })
    states[name] = TFLiteVariable(input: graph.inputs.count - 1, value: value, current: value)
  }
}
