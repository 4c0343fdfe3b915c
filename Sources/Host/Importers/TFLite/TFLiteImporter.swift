// From a TFLite model to a graph.
import Graphs
import Operators
import Tensors

/// Imports TFLite files (schema version 3).
public enum TFLiteImporter {
  /// The graph of the first subgraph in `file`. Value names are those of the file.
  ///
  /// Before any work is done all operators that are not supported are found and reported together.
  /// What TFLite computes in integers is computed in integers, as its default engine XNNPACK does.
  public static func importGraph(_ file: ModelFile) throws(ImportError) -> Graph {
    let model = try TFLiteModel(reading: file)
    let subgraph = model.subgraphs[0]
    try findOperators(model)
    var builder = TFLiteGraphBuilder(TFLiteContext(model), subgraph)
    try addInputs(to: &builder)
    try builder.addOperators()
    try addOutputs(to: &builder)
    var graph = builder.graph
    for state in builder.states.values.sorted(by: { $0.input < $1.input }) {
      graph.states.append(GraphState(input: state.input, next: state.current))
    }
    graph.removeUnusedNodes()
    do throws(GraphError) {
      try graph.verify()
    } catch {
      throw ImportError(file: file.path, .node(name: error.node, operator: "", error.message))
    }
    return graph
  }

  /// Refuses all operators at once that are in no row, of every subgraph that is run.
  private static func findOperators(_ model: TFLiteModel) throws(ImportError) {
    var lacking: [UnsupportedOperator] = []
    var reached: Set<Int> = [0]
    var waiting = [0]
    while let number = waiting.popLast() {
      let subgraph = model.subgraphs[number]
      for node in subgraph.operators {
        for next in try TFLiteGraphBuilder.subgraphs(of: node)
        where model.subgraphs.indices.contains(next) && reached.insert(next).inserted {
          waiting.append(next)
        }
        guard TFLiteOperatorTable.find(node) == nil else { continue }
        let name = TFLiteOperatorTable.name(node)
        let label = node.outputs.first.map { subgraph.tensors[$0].name } ?? "\(node.index)"
        if let at = lacking.firstIndex(where: { $0.name == name }) {
          lacking[at].nodes.append(label)
        } else {
          lacking.append(
            UnsupportedOperator(domain: "", name: name, opset: node.version, nodes: [label]))
        }
      }
    }
    guard lacking.isEmpty else {
      throw ImportError(file: model.file.path, .unsupportedOperators(lacking))
    }
  }

  private static func addInputs(to builder: inout TFLiteGraphBuilder) throws(ImportError) {
    for t in builder.subgraph.inputs {
      let tensor = builder.subgraph.tensors[t]
      guard let type = tensor.elementType else {
        throw ImportError(
          file: builder.model.file.path,
          .key(tensor.name, "expected an input of numbers, found element type \(tensor.type)"))
      }
      var dimensions: [GraphDimension] = []
      for (axis, extent) in tensor.shape.enumerated() {
        let isOpen = axis < tensor.signature.count && tensor.signature[axis] < 0
        dimensions.append(
          isOpen || extent == 0 ? .symbol("dim_\(tensor.name)_\(axis)") : .constant(extent))
      }
      let computed = type.isFloatingPoint ? ElementType.f32 : type
      try builder.bind(t, builder.graph.addInput(tensor.name, computed, dimensions))
    }
  }

  /// Every output is written by a node and under one name.
  private static func addOutputs(to builder: inout TFLiteGraphBuilder) throws(ImportError) {
    guard !builder.subgraph.outputs.isEmpty else {
      throw builder.model.file.malformed(0, "expected a model with outputs")
    }
    var taken = Set(builder.graph.inputs.map(\.value))
    var names = Set<String>()
    for t in builder.subgraph.outputs {
      var value = try builder.value(of: t)
      let name = builder.subgraph.tensors[t].name
      guard names.insert(name).inserted else {
        throw builder.model.file.malformed(
          builder.subgraph.tensors[t].offset, "output '\(name)' is there twice")
      }
      if builder.graph[value].constant != nil || !taken.insert(value).inserted {
        value = builder.add(.reshape(Reshape(.identity)), [value])
      }
      builder.graph.addOutput(name, value)
    }
  }
}
