// Bundles of someone who knows the format: every digest is right, and the program is not.

import BundleFormat
import Bytes
import Foundation
import Loops
import Packing
import Platform
import Programs
import Randomness
import Runtime
import Tasks
import Tensors
import Testing

@Suite struct HostileProgramTests {
  /// How many damaged programs a model is tried with.
  private static let count =
    ProcessInfo.processInfo.environment["KNAPSACK_FUZZ"].flatMap { Int($0) } ?? 2000

  private static let models: [String] = {
    guard let root = ProcessInfo.processInfo.environment["KNAPSACK_MODELS"] else {
      return [Digits.folder]
    }
    return [
      Digits.folder, root + "/ocr-lprnet-plates/lprnet.onnx",
      root + "/filetype-magika-v3_3/model.onnx", root + "/ner-minilm-l3/model.onnx",
      root + "/denoise-dtln/dtln_2.onnx", root + "/ts-nbeats-m4-hourly/model.onnx",
    ]
  }()

  /// Every second time the bytes, else what they say.
  private func damaged(_ good: [UInt8], _ i: Int, _ random: inout SeededRandom) throws -> [UInt8] {
    i % 2 == 0
      ? Damage.bytes(good, &random)
      : CBOR.encode(Damage.items(try CBOR.decode(good), &random))
  }

  /// Loads and, where it is small enough to wait for, runs.
  private func run(
    _ program: Program, _ manifest: CBORValue, _ weights: AnonymousMemory
  ) throws(Failure) -> Bool {
    let model = try LoadedModel(
      name: "hostile", manifest: manifest, program: program, memory: .anonymous(weights),
      tokenizerAsset: nil)
    let runner = try ModelRunner(model, threads: 1)
    let work = runner.session.multiplyAccumulates.reduce(0) {
      $0.addingReportingOverflow($1).partialValue
    }
    guard runner.session.arenaBytes < 16 << 20, work < 50_000_000 else { return false }
    try runner.fillWithSamples()
    try runner.run()
    var ranked: [RankedLabel] = []
    let answer = try Answer(runner, &ranked)
    #expect(!answer.line.contains(0x1B))
    var outputs = OutputCollector()
    try outputs.add(runner)
    return true
  }

  @Test(arguments: models) func damagedPrograms(path: String) throws {
    let packed = try Digits.pack(.int8, model: path)
    let good = packed.program.encoded()
    let weights = try AnonymousMemory(count: packed.candidate.model.weightBytes)
    Packer.encodeWeights(packed.candidate.model, into: weights.buffer)
    let manifest = Manifest.make(packed)
    #expect(try run(Program(decoding: good), manifest, weights) || path != Digits.folder)
    var random = SeededRandom(state: UInt64(good.count))
    var (refused, ran) = (0, 0)
    for i in 0..<(path == Digits.folder ? Self.count : Self.count / 10) {
      let bytes = try damaged(good, i, &random)
      guard bytes != good else { continue }
      do {
        if try run(try Program(decoding: bytes), manifest, weights) { ran += 1 }
      } catch let error as ProgramError {
        #expect(!error.description.isEmpty)
        refused += 1
      } catch let error as Failure {
        #expect(error.message.hasPrefix("hostile: "))
        refused += 1
      }
    }
    // Most damage is noticed; some of it is another program.
    #expect(refused > Self.count / 40)
    #expect(ran > 0 || path != Digits.folder)
  }

  @Test func damagedManifests() throws {
    let packed = try Digits.pack(.f32)
    let weights = try AnonymousMemory(count: packed.candidate.model.weightBytes)
    Packer.encodeWeights(packed.candidate.model, into: weights.buffer)
    let good = CBOR.encode(Manifest.make(packed))
    var random = SeededRandom(state: 11)
    var ran = 0
    for i in 0..<Self.count {
      guard let manifest = try? CBOR.decode(try damaged(good, i, &random)) else { continue }
      do throws(Failure) {
        if try run(packed.program, manifest, weights) { ran += 1 }
      } catch {
        #expect(error.code == .badData)
      }
    }
    #expect(ran > 0)
  }

  /// Figures of a manifest that cannot be true are not taken for true.
  @Test func impossibleFigures() throws {
    let packed = try Digits.pack(.f32)
    let weights = try AnonymousMemory(count: packed.candidate.model.weightBytes)
    for value in [Double.infinity, -.infinity, .nan, 1e300, -1] {
      let manifest = CBORValue.map(["predicted": .map(["peak_memory_bytes": .double(value)])])
      let model = try LoadedModel(
        name: "x", manifest: manifest, program: packed.program, memory: .anonymous(weights),
        tokenizerAsset: nil)
      #expect(model.predicted("peak_memory_bytes") == nil)
    }
  }

  @Test func outputsOfNothing() throws {
    let packed = try Digits.pack(.int8)
    let weights = try AnonymousMemory(count: packed.candidate.model.weightBytes)
    var none = packed.program
    none.outputs = []
    var quantized = packed.program
    let weight = try #require(quantized.weights.firstIndex { $0.encoding?.scheme == .int8 })
    quantized.outputs[0].tensor = weight
    var late = packed.program
    late.steps.swapAt(0, late.steps.count - 1)
    var huge = packed.program
    huge.symbols[0].limit = 1 << 31
    for (program, words) in [
      (none, "no outputs"), (quantized, "quantized weight"), (late, "before it is written"),
      (huge, "hostile: "),
    ] {
      do throws(Failure) {
        _ = try run(program, .map([CBORPair]()), weights)
        Issue.record("\(words): accepted")
      } catch {
        #expect(error.code == .badData && error.message.contains(words), "\(error.message)")
      }
    }
  }
}
