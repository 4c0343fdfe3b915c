// Models that carry an output over to an input of the next run.

import Foundation
import Loops
import Packing
import Platform
import Tasks
import Tensors
import Testing

struct StateTests {
  /// y = x + before, [n, 1] all of them, as ONNX.
  static let sums = Data(
    base64Encoded:
      "CAgSADpiChMKAXgKBmJlZm9yZRIBeSIDQWRkEgRzdW1zWhQKAXgSDwoNCAESCQoDEgFuCgIIAVoZCgZiZWZv"
      + "cmUSDwoNCAESCQoDEgFuCgIIAWIUCgF5Eg8KDQgBEgkKAxIBbgoCCAFCBAoAEBE=")!

  func pack(_ states: [String: String], _ path: String) throws -> PackedModel {
    try StateTests.sums.write(to: URL(filePath: path))
    var request = PackRequest(model: path, target: try .host())
    request.scheme = .f32
    request.states = states
    return try Packer.pack(request)
  }

  @Test func `items of a file run one after the other, each with the last one's output`() throws {
    let (model, bundle, input) = (
      TemporaryFile(".onnx"), TemporaryFile(".knap"), TemporaryFile(".safetensors")
    )
    _ = try Packer.write(try pack(["before": "y"], model.path), to: bundle.path)
    var writer = SafetensorsWriter()
    try writer.add(
      "x", .f32, Shape([4, 1]), bytes: [1, 2, 3, 4].flatMap { TestBytes.of(Float($0)) })
    try writer.write(to: input.path)
    let runner = try ModelRunner(try LoadedModel.open(bundle: bundle.path), threads: 1)
    let file = try TensorFile(path: input.path)
    #expect(runner.callerInputs == [0])
    #expect(try runner.itemCount(in: file) == 4)
    for pass in 0..<2 {
      var found: [Float] = []
      for row in 0..<4 {
        try runner.fill(from: file, first: row)
        try runner.run()
        found.append(runner.session.output(0).floats[0])
      }
      #expect(found == [1, 3, 6, 10], "pass \(pass)")
      runner.session.resetStates()
    }
  }

  @Test(arguments: [["before": "z"], ["after": "y"]])
  func `states name an input and an output`(states: [String: String]) throws {
    let model = TemporaryFile(".onnx")
    #expect(throws: PackError.self) { try pack(states, model.path) }
  }
}

private enum TestBytes {
  static func of(_ x: Float) -> [UInt8] { withUnsafeBytes(of: x) { [UInt8]($0) } }
}
