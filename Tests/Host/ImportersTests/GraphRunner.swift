// Runs an imported graph in f32, and where tests find models that are not in the repository.
import Foundation
import Graphs
import Importers
import Lowering
import Programs
import Quantization
import Runtime
import Tensors
import Testing

/// A graph lowered without quantization, ready to run.
final class GraphRunner {
  let session: Session
  private var memory: [UnsafeMutableRawBufferPointer] = []

  init(_ graph: Graph, limits: [String: Int] = [:]) throws {
    let rewritten = try Rewriter.rewrite(graph)
    let model = try Lowering.lower(rewritten, LoweringOptions(limits: limits)) { _ in .f32 }
    var views: [TensorView] = []
    for (weight, source) in zip(model.program.weights, model.sources) {
      let encoder = WeightEncoder(source, weight.encoding)
      let bytes = UnsafeMutableRawBufferPointer.allocate(
        byteCount: max(encoder.byteCount, 64), alignment: 64)
      bytes.initializeMemory(as: UInt8.self, repeating: 0)
      encoder.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<encoder.byteCount]))
      memory.append(bytes)
      views.append(
        TensorView(
          base: bytes.baseAddress, byteCount: encoder.byteCount, elementType: weight.elementType,
          shape: weight.shape, encoding: weight.encoding))
    }
    session = try Session(program: model.program, weights: views)
  }

  deinit {
    for bytes in memory { bytes.deallocate() }
  }

  var outputNames: [String] { session.program.outputs.map(\.name) }

  /// Gives the inputs by name and returns the outputs by name, as f32.
  func run(_ inputs: [String: Constant]) throws -> [String: Constant] {
    try session.prepare(shapes: session.program.inputs.map { inputs[$0.name]?.shape })
    for (i, input) in session.program.inputs.enumerated() {
      let constant = try #require(inputs[input.name], "no input '\(input.name)'")
      let view = session.input(i)
      #expect(view.elementType == constant.elementType)
      try #require(view.shape == constant.shape)
      view.pointer.copyMemory(from: constant.view.pointer, byteCount: constant.bytes.count)
    }
    session.run()
    var outputs: [String: Constant] = [:]
    for (i, output) in session.program.outputs.enumerated() {
      outputs[output.name] = Constant(copying: session.output(i))
    }
    return outputs
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
