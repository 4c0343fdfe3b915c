// The table of ONNX operators: domain, name, first opset, and the function that builds graph nodes.
import Graphs

/// One row: an operator from one opset on, up to the next row of the same name.
struct ONNXOperator: Sendable {
  /// Adds the nodes for the builder's current ONNX node and returns the values of its outputs;
  /// trailing outputs may be left out where they are not supported.
  typealias Build = @Sendable (inout ONNXGraphBuilder) throws(ImportError) -> [ValueID]

  var domain: String
  var name: String
  var since: Int
  var build: Build

  /// A row for opset `since` and later.
  init(_ name: String, _ since: Int, domain: String = "", _ build: @escaping Build) {
    self.domain = domain
    self.name = name
    self.since = since
    self.build = build
  }

  /// A row for every opset.
  init(_ name: String, domain: String = "", _ build: @escaping Build) {
    self.init(name, 1, domain: domain, build)
  }

  /// The opsets of the standard domain that are understood.
  static let supportedOpsets = 1...28

  /// All rows, by kind of operator. To add an operator, add a row to the list it belongs to.
  static let all: [ONNXOperator] =
    elementwise + binaries + shapes + layouts + indexing + products + windows + normalisations
    + reductions + quantized + opset6 + recurrent + integers + losses + attentions + audio
    + fused + fusedAttentions
    + sampling + sums + states + control + selecting
    + qLinear + qLinearBytes + sequences + trees + features + labels + learning + strings

  private static let index: [String: [ONNXOperator]] = Dictionary(grouping: all) {
    "\($0.domain)::\($0.name)"
  }.mapValues { $0.sorted { $0.since < $1.since } }

  /// The row for an operator as `opset` of its domain defines it.
  static func find(domain: String, name: String, opset: Int) -> ONNXOperator? {
    index["\(domain)::\(name)"]?.last { $0.since <= opset }
  }
}
