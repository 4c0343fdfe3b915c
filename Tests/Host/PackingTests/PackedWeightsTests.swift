// Weights on their way into a bundle: those quantized before are taken as they are.

import BundleFormat
import Fitting
import Foundation
import Lowering
import Packing
import Quantization
import Tensors
import Testing
import WeightCoding

@Suite struct PackedWeightsTests {
  private static let digits = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Bundles/digits").path

  @Test func takesChosenWeightsAsTheyAre() throws {
    var request = PackRequest(model: Self.digits, target: try .named("raspberry-pi-5"))
    request.scheme = .int8
    let model = try Packer.pack(request).candidate.model
    let w = try #require(
      model.sources.indices.max {
        model.sources[$0].constant.bytes.count < model.sources[$1].constant.bytes.count
      })
    let source = model.sources[w]
    let encoding = try #require(model.program.weights[w].encoding)
    let encoder = StepEncoder(WeightMatrix(source), shape: source.shape)
    let step = encoder.leastStep(isDependent: true) * 8
    let result = try encoder.encode(StepChoice(step: step), encoding, try LosslessCoder())
    let plain = try PackedWeights(model, .smallest)
    let chosen = try PackedWeights(
      model, .smallest, chosen: { $0 == w ? ChosenWeight(result) : nil })
    #expect(try chosen.bytes(of: w) == result.resident)
    #expect(try plain.bytes(of: w) != result.resident)
    #expect(chosen.codedByteCount(w) == result.coded?.byteCount)
    #expect(chosen.codings[w]?.kind == .steps)
    for other in model.sources.indices where other != w {
      #expect(try chosen.bytes(of: other) == plain.bytes(of: other))
      #expect(chosen.codedByteCount(other) == plain.codedByteCount(other))
    }
  }

  /// Every weight's bytes are what encoding it as a whole gives.
  @Test(arguments: QuantizationScheme.allCases)
  func holdsWhatEncodingGives(_ scheme: QuantizationScheme) throws {
    var request = PackRequest(model: Self.digits, target: try .named("raspberry-pi-5"))
    request.scheme = scheme
    let model = try Packer.pack(request).candidate.model
    for storage in WeightStorage.allCases {
      let packed = try PackedWeights(model, storage)
      for (i, source) in model.sources.enumerated() {
        let encoder = WeightEncoder(source, model.program.weights[i].encoding)
        var bytes = [UInt8](repeating: 0, count: encoder.byteCount)
        bytes.withUnsafeMutableBytes { encoder.encode(into: $0) }
        #expect(try packed.bytes(of: i) == bytes)
      }
    }
  }
}
