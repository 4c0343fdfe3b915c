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
    let rows = try findOperators(model, subgraph)
    var builder = TFLiteGraphBuilder(model, subgraph)
    try addInputs(to: &builder)
    for (node, row) in zip(subgraph.operators, rows) {
      builder.start(node, row.name)
      let first = builder.graph.nodes.count
      try row.build(&builder)
      if builder.graph.nodes.count != first + 1 {
        builder.graph.events.append(
          GraphEvent(
            "import", before: ["\(builder.label) (\(row.name))"],
            after: builder.graph.nodes[first...].map(\.op.name)))
      }
    }
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

  private static func findOperators(
    _ model: TFLiteModel, _ subgraph: TFLiteSubgraph
  ) throws(ImportError) -> [TFLiteOperatorTable.Row] {
    var rows: [TFLiteOperatorTable.Row] = []
    var lacking: [UnsupportedOperator] = []
    for node in subgraph.operators {
      if let row = TFLiteOperatorTable.find(node) {
        rows.append(row)
        continue
      }
      let name = TFLiteOperatorTable.name(node)
      let label = node.outputs.first.map { subgraph.tensors[$0].name } ?? "\(node.index)"
      if let at = lacking.firstIndex(where: { $0.name == name }) {
        lacking[at].nodes.append(label)
      } else {
        lacking.append(
          UnsupportedOperator(domain: "", name: name, opset: node.version, nodes: [label]))
      }
    }
    guard lacking.isEmpty else {
      throw ImportError(file: model.file.path, .unsupportedOperators(lacking))
    }
    return rows
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
