// A graph or a part of one as an ONNX file, with QuantizeLinear and DequantizeLinear where asked for.
import Graphs
import Operators
import Tensors

/// Why a graph is not written.
public enum ExportError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Nodes that standard ONNX operators do not say, by kind.
  case unsupported([String: [String]])
  /// A value that becomes integers and whose range is not known.
  case noRange(value: String)
  /// Larger than a protobuf message may be.
  case tooLarge(bytes: Int)

  public var description: String {
    switch self {
    case .unsupported(let kinds):
      "no standard operator says: "
        + kinds.sorted { $0.key < $1.key }.map { kind, nodes in
          "\(kind) (\(nodes.prefix(3).joined(separator: ", "))"
            + (nodes.count > 3 ? " and \(nodes.count - 3) more)" : ")")
        }.joined(separator: ", ")
    case .noRange(let value): "'\(value)' has no calibrated range"
    case .tooLarge(let bytes): "an ONNX file of \(bytes) bytes: 2 GB are the most"
    }
  }
}

/// What is written, and how.
public struct ONNXExportPlan {
  public var graph: Graph
  /// The graph's shapes; all its extents are written as they are here.
  public var extents: Evaluation
  /// Nodes that are written, in order; everything they read and do not make becomes an input.
  public var nodes: [Int]
  /// Those of them that compute with integers.
  public var quantized: Set<Int>
  /// Activations without zero points.
  public var isSymmetric: Bool
  /// Activations as unsigned bytes, codes and zero points 128 higher: what ONNX Runtime computes with
  /// integers on x86.
  public var isUnsigned = false
  /// What each value that becomes integers holds.
  public var ranges: [ValueID: ClosedRange<Float>]

  public init(
    _ graph: Graph, _ extents: Evaluation, nodes: [Int], quantized: Set<Int>,
    isSymmetric: Bool, ranges: [ValueID: ClosedRange<Float>]
  ) {
    self.graph = graph
    self.extents = extents
    self.nodes = nodes
    self.quantized = quantized
    self.isSymmetric = isSymmetric
    self.ranges = ranges
  }

  /// Whether a node can compute with integers: it has a form, and its activations are f32.
  public static func takesIntegers(_ node: Node, _ form: ONNXForm, _ extents: Evaluation) -> Bool {
    (form.activations.compactMap { node.inputs[$0] } + node.outputs).allSatisfy {
      extents.elementType($0) == .f32
    }
  }
}

/// A written file and what its inputs and outputs are in the graph.
public struct ONNXExport: Sendable {
  public private(set) var bytes: [UInt8]
  /// Values by the names of the file's inputs, in order.
  public private(set) var inputs: [(name: String, value: ValueID)]
  public private(set) var outputs: [(name: String, value: ValueID)]

  /// Nodes that compute with integers get their activations through a QuantizeLinear and a
  /// DequantizeLinear of one scale each, and their weights through a DequantizeLinear of one scale per
  /// output: the groups that ONNX Runtime, vendors' compilers and our own importer make integer
  /// operators of.
  public init(_ plan: ONNXExportPlan) throws(ExportError) {
    var writer = ONNXExportWriter(plan)
    try writer.write()
    let bytes = writer.file.bytes
    guard bytes.count < 1 << 31 else { throw .tooLarge(bytes: bytes.count) }
    self.bytes = bytes
    inputs = writer.inputs
    outputs = writer.outputs
  }
}
