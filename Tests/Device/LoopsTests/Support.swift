// The digits bundle in memory, and what it answers.

import Fitting
import Foundation
import Loops
import Packing
import Platform
import Programs
import Runtime
import Tensors

enum Digits {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Bundles/digits").path
  static let model = folder + "/digits.onnx"
  static let data = folder + "/test.safetensors"

  /// A packed model of this scheme, not yet written.
  static func pack(_ scheme: QuantizationScheme, model: String = folder) throws -> PackedModel {
    var request = PackRequest(model: model, target: try DeviceProfile.host())
    request.scheme = scheme
    return try Packer.pack(request)
  }

  /// A bundle's bytes.
  static func bundle(_ scheme: QuantizationScheme) throws -> [UInt8] {
    let file = TemporaryFile()
    _ = try Packer.write(try pack(scheme), to: file.path)
    return try file.bytes()
  }

  /// The probabilities of the first images, image after image.
  static func answers(_ model: LoadedModel, images: Int = 8) throws -> [Float] {
    let runner = try ModelRunner(model, threads: 1)
    let file = try TensorFile(path: data)
    var all: [Float] = []
    for i in 0..<images {
      try runner.fill(from: file, first: i)
      try runner.run()
      let floats = runner.session.output(0).floats
      all += floats.indices.map { floats[$0] }
    }
    return all
  }
}

/// A path that nothing else uses; the file is removed with this object.
final class TemporaryFile {
  let path: String

  init(_ suffix: String = "") {
    path = NSTemporaryDirectory() + "knapsack-\(UUID().uuidString)\(suffix)"
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ bytes: some Sequence<UInt8>) throws {
    try Data(bytes).write(to: URL(filePath: path))
  }
  func bytes() throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: path))) }
}
