// An ONNX model with flipped bits, through everything there is: refused, or packed and run.

import Foundation
import Importers
import Loops
import Packing
import Platform
import Randomness
import Testing

@Suite struct DamagedModelTests {
  @Test func aFlippedBitNeverCrashes() throws {
    let good = [UInt8](try Data(contentsOf: URL(filePath: Digits.model)))
    let file = TemporaryFile(".onnx")
    var (refused, ran) = (0, 0)
    var random = SeededRandom(state: 7)
    // Where names, attributes and shapes are, and all over.
    let places =
      (0..<64).map { good.count / 64 * $0 + 5 } + Array(0..<64)
      + (0..<64).map { _ in good.count - 1 - Int.random(in: 0..<2000, using: &random) }
    for (i, place) in places.enumerated() {
      var bytes = good
      bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
      try file.write(bytes)
      do {
        let packed = try Digits.pack(i % 2 == 0 ? .f32 : .int8, model: file.path)
        let memory = try AnonymousMemory(count: max(packed.candidate.model.weightBytes, 1))
        Packer.encodeWeights(packed.candidate.model, into: memory.buffer)
        let model = try LoadedModel(
          name: packed.name, manifest: Manifest.make(packed), program: packed.program,
          memory: .anonymous(memory), tokenizerAsset: nil)
        let runner = try ModelRunner(model, threads: 1)
        guard runner.session.arenaBytes < 64 << 20 else { continue }
        try runner.fillWithSamples()
        try runner.run()
        ran += 1
      } catch {
        let line = "\((error as? Failure)?.message ?? "\(error)")"
        #expect(!line.isEmpty && !line.contains("\n"), "byte \(place): \(line)")
        refused += 1
      }
    }
    #expect(refused > 20 && ran > 20)
  }

  @Test func aCutIsRefused() throws {
    let good = [UInt8](try Data(contentsOf: URL(filePath: Digits.model)))
    let file = TemporaryFile(".onnx")
    for count in stride(from: 0, to: good.count, by: 64) {
      try file.write(good[..<count])
      #expect(throws: (any Error).self, "cut to \(count)") {
        try Digits.pack(.f32, model: file.path)
      }
    }
  }
}
