// Runs an imported graph, and where tests find models that are not in the repository.
import Foundation
import GraphRunning
import Graphs
import Importers
import Tensors
import Testing

/// Runs a graph in f32 as the packer would: rewritten, lowered, its weights encoded.
struct GraphRunner {
  private let graphRun: GraphRun

  init(_ graph: Graph) throws { graphRun = try GraphRun(try Rewriter.rewrite(graph)) }

  /// Tensors by input name, all of them but for states, to tensors by output name. States live from run
  /// to run.
  func run(_ inputs: [String: Constant]) throws -> [String: Constant] {
    let program = graphRun.program
    let states = Set(program.states.map(\.input))
    let names = Set(
      program.inputs.indices.filter { !states.contains($0) }.map { program.inputs[$0].name })
    try #require(names.isSubset(of: inputs.keys), "\(names)")
    return try graphRun(inputs)
  }
}

/// Inputs and reference outputs of one model.
struct ReferenceData {
  let weights: SafetensorsWeights

  init(_ path: String) throws { weights = try SafetensorsWeights(try ModelFile(mapping: path)) }

  func tensors(_ role: String) throws -> [String: Constant] {
    var result: [String: Constant] = [:]
    for name in weights.names where name.hasPrefix(role + ".") {
      let view = try weights.constant(name, try #require(weights.shape(name)))
      result[String(name.dropFirst(role.count + 1))] = Constant(copying: view.view)
    }
    return result
  }
}

/// Largest difference relative to the reference's largest magnitude.
func relativeError(_ found: Constant, _ expected: Constant) -> Float {
  guard found.shape == expected.shape, let a = found.floats, let b = expected.floats else {
    return .infinity
  }
  let scale = max(b.reduce(0) { max($0, $1.magnitude) }, 1e-6)
  return zip(a, b).reduce(0) {
    max($0, ($1.0 - $1.1).magnitude.isNaN ? .infinity : ($1.0 - $1.1).magnitude)
  }
    / scale
}

/// Models outside of the repository.
enum Models {
  static let folder = ProcessInfo.processInfo.environment["KNAPSACK_MODELS"]
  static let miniLM = ProcessInfo.processInfo.environment["KNAPSACK_MINILM"]
  static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
  static let digits = repository + "/Bundles/digits/digits.onnx"
}
