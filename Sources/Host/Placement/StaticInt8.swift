// Static int8: parts of a graph computed with integers whose scales calibration found.
import Exporters
import Graphs
import Importers
import Operators
import Tensors

/// Makes parts of a float graph compute with integers.
///
/// A part is written as an ONNX file with quantize and dequantize pairs and imported again: what a
/// vendor's compiler is given and what runs here are one file, and the importer's rules, which make
/// integer operators of anybody's such models, are the only ones.
public struct StaticInt8 {
  public let fixed: FixedGraph
  /// What each value holds.
  public let ranges: [ValueID: ClosedRange<Float>]
  public let isSymmetric: Bool
  /// Activations as unsigned bytes.
  public var isUnsigned = false

  public init(_ fixed: FixedGraph, ranges: [ValueID: ClosedRange<Float>], isSymmetric: Bool) {
    self.fixed = fixed
    self.ranges = ranges
    self.isSymmetric = isSymmetric
  }

  /// The file of one part, all of whose nodes compute with integers.
  public func export(part nodes: [Int]) throws(ExportError) -> ONNXExport {
    try ONNXExport(plan(nodes, quantized: Set(nodes)))
  }

  /// The file of the whole graph, of which `quantized` computes with integers.
  public func exportWhole(quantized: Set<Int>) throws(ExportError) -> ONNXExport {
    try ONNXExport(plan(Array(fixed.graph.nodes.indices), quantized: quantized))
  }

  private func plan(_ nodes: [Int], quantized: Set<Int>) -> ONNXExportPlan {
    var plan = ONNXExportPlan(
      fixed.graph, fixed.extents, nodes: nodes, quantized: quantized, isSymmetric: isSymmetric,
      ranges: ranges)
    plan.isUnsigned = isUnsigned
    return plan
  }

  /// The graph with each part in integers, rewritten.
  public func graph(parts: [[Int]]) throws -> Graph {
    var graph = fixed.graph
    var replaced: [(nodes: Set<Int>, by: [Node])] = []
    for nodes in parts {
      let export = try export(part: nodes)
      let file = ModelFile(copying: export.bytes, path: "part of \(graph.name)")
      let part = try ONNXImporter.importGraph(file)
      replaced.append((Set(nodes), graph.append(part, in: export)))
      graph.history.merge(part.history, uniquingKeysWith: +)
      graph.events += part.events
    }
    graph.nodes = StaticInt8.order(graph, replaced)
    return try Rewriter.rewrite(graph)
  }

  /// All nodes, those of parts in the places of the nodes they stand for, in an order in which they run.
  private static func order(
    _ graph: Graph, _ replaced: [(nodes: Set<Int>, by: [Node])]
  ) -> [Node] {
    var pending: [Node] = []
    for (i, node) in graph.nodes.enumerated() {
      guard let part = replaced.first(where: { $0.nodes.contains(i) }) else {
        pending.append(node)
        continue
      }
      if i == part.nodes.max() { pending += part.by }
    }
    // A part stands where its last node stood; what reads its first outputs may stand before that.
    var isWritten = graph.values.map { $0.constant != nil }
    for input in graph.inputs { isWritten[input.value.index] = true }
    var ordered: [Node] = []
    while !pending.isEmpty {
      var rest: [Node] = []
      for node in pending {
        if node.inputs.allSatisfy({ $0.map { isWritten[$0.index] } ?? true }) {
          for output in node.outputs { isWritten[output.index] = true }
          ordered.append(node)
        } else {
          rest.append(node)
        }
      }
      // No progress is a cycle, which verifying reports.
      guard rest.count < pending.count else { return ordered + rest }
      pending = rest
    }
    return ordered
  }
}

extension Graph {
  /// Takes in the values of an imported part and returns its nodes, their edges tied to the values that
  /// the part's inputs and outputs are here.
  fileprivate mutating func append(_ part: Graph, in export: ONNXExport) -> [Node] {
    var place: [ValueID: ValueID] = [:]
    let inputs = Dictionary(uniqueKeysWithValues: export.inputs.map { ($0.name, $0.value) })
    for input in part.inputs { place[input.value] = inputs[part[input.value].name] }
    let outputs = Dictionary(uniqueKeysWithValues: export.outputs.map { ($0.name, $0.value) })
    for output in part.outputs { place[output.value] = outputs[output.name] }
    for (i, value) in part.values.enumerated() where place[ValueID(i)] == nil {
      place[ValueID(i)] = addValue(value.name, constant: value.constant)
    }
    return part.nodes.map { node in
      var node = node
      node.inputs = node.inputs.map { $0.map { place[$0]! } }
      node.outputs = node.outputs.map { place[$0]! }
      return node
    }
  }
}
