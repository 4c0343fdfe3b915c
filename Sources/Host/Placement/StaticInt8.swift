// Static int8: parts of a graph computed with integers whose scales calibration found.
import Exporters
import Fitting
import Graphs
import Importers
import Operators
import Tensors

/// The files that parts are written as.
public enum PartFormat: Sendable {
  /// ONNX with quantize and dequantize pairs.
  case onnx
  /// TFLite in integers.
  case tfLite

  /// What an accelerator's compiler takes in.
  public init(_ accelerator: DeviceProfile.Accelerator) {
    self = accelerator.compiler == VendorCompiler.vela ? .tfLite : .onnx
  }
}

/// Makes parts of a float graph compute with integers.
///
/// A part is written as the file that the accelerator's compiler takes in, and imported again: what
/// runs here are the same integers, and the importers' rules, which make integer operators of anybody's
/// such models, are the only ones.
public struct StaticInt8 {
  public let fixed: FixedGraph
  /// What each value holds.
  public let ranges: [ValueID: ClosedRange<Float>]
  public let isSymmetric: Bool
  /// Activations as unsigned bytes, in ONNX.
  public var isUnsigned = false
  /// What parts are written as.
  public var format = PartFormat.onnx

  public init(_ fixed: FixedGraph, ranges: [ValueID: ClosedRange<Float>], isSymmetric: Bool) {
    self.fixed = fixed
    self.ranges = ranges
    self.isSymmetric = isSymmetric
  }

  /// The file of one part, all of whose nodes compute with integers.
  public func export(part nodes: [Int]) throws(ExportError) -> [UInt8] {
    let plan = plan(nodes, quantized: Set(nodes))
    switch format {
    case .onnx: return try ONNXExport(plan).bytes
    case .tfLite: return try TFLiteExport(plan, hasRealEdges: false).bytes
    }
  }

  /// A part's graph, and the values that its inputs and outputs are in the whole.
  private func imported(_ nodes: [Int]) throws -> (
    graph: Graph, inputs: [(name: String, value: ValueID)],
    outputs: [(name: String, value: ValueID)]
  ) {
    let plan = plan(nodes, quantized: Set(nodes))
    let path = "part of \(fixed.graph.name)"
    switch format {
    case .onnx:
      let made = try ONNXExport(plan)
      let graph = try ONNXImporter.importGraph(ModelFile(copying: made.bytes, path: path))
      return (graph, made.inputs, made.outputs)
    case .tfLite:
      let made = try TFLiteExport(plan, hasRealEdges: true)
      let graph = try TFLiteImporter.importGraph(ModelFile(copying: made.bytes, path: path))
      return (graph, made.inputs, made.outputs)
    }
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
      let part = try imported(nodes)
      replaced.append((Set(nodes), graph.append(part.graph, part.inputs, part.outputs)))
      graph.history.merge(part.graph.history, uniquingKeysWith: +)
      graph.events += part.graph.events
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
  fileprivate mutating func append(
    _ part: Graph, _ given: [(name: String, value: ValueID)],
    _ made: [(name: String, value: ValueID)]
  ) -> [Node] {
    var place: [ValueID: ValueID] = [:]
    let inputs = Dictionary(uniqueKeysWithValues: given.map { ($0.name, $0.value) })
    for input in part.inputs { place[input.value] = inputs[part[input.value].name] }
    let outputs = Dictionary(uniqueKeysWithValues: made.map { ($0.name, $0.value) })
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
