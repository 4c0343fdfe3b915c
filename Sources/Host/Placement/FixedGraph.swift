// A float graph as an accelerator's compiler wants it: fixed extents, every function a node of its own.
import Exporters
import Graphs
import Operators
import Tensors

/// A graph all of whose extents are numbers, its shapes, and how its nodes are said in ONNX.
public struct FixedGraph {
  public let graph: Graph
  public let extents: Evaluation
  /// nil for nodes that standard ONNX operators do not say.
  public let forms: [ONNXForm?]

  /// Rules that make one node of several: what is fused would have to be taken apart again, and the
  /// range between is not known then.
  private static let left: Set<String> = [
    RewriteRule.fuseActivation.name, RewriteRule.attention.name,
    RewriteRule.residualIntoLayerNorm.name,
  ]

  /// graph: as imported, or rewritten without these rules. Open extents become their limits, and batches
  /// 1 where none is given.
  public init(_ graph: Graph, limits: [String: Int] = [:]) throws(GraphError) {
    let rules = Rewriter.rules.filter { !FixedGraph.left.contains($0.name) }
    var fixed = try Rewriter.rewrite(graph, limits: limits, rules: rules)
    if !fixed.symbols.isEmpty {
      let bindings = try ShapeInference(fixed, limits: limits).bindings[0]
      for i in fixed.inputs.indices {
        fixed.inputs[i].dimensions = fixed.inputs[i].dimensions.map { d in
          guard case .symbol(let name) = d else { return d }
          return .constant(bindings[name] ?? 1)
        }
      }
      fixed = try Rewriter.rewrite(fixed, rules: rules)
    }
    let extents = try Evaluation(fixed, bindings: [:])
    self.graph = fixed
    self.extents = extents
    forms = fixed.nodes.map { ONNXForm($0, in: fixed, extents) }
  }

  /// Whether node `i` can compute with integers of 8 bits.
  public func takesIntegers(_ i: Int) -> Bool {
    guard let form = forms[i] else { return false }
    return ONNXExportPlan.takesIntegers(graph.nodes[i], form, extents)
  }
}
