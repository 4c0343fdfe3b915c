// The bundle writer: the same bytes every time, weights where they belong, no half-written file.

import BundleFormat
import Bytes
import Foundation
import Packing
import Randomness
import Testing

@Suite struct BundleWriterTests {
  /// Compressible bytes with some noise in them.
  func sample(_ count: Int, seed: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: ($0 / 61) &* seed ^ ($0 % 7 == 0 ? $0 &* 131 : 0)) }
  }

  func writer(_ storage: BundleWriter.Storage) -> BundleWriter {
    var writer = BundleWriter()
    writer.add(.program, sample(600_000, seed: 3))
    writer.add(assets: [
      BundleAsset(name: "b", bytes: [2]), BundleAsset(name: "a", bytes: [1]),
    ])
    writer.add(.weights, sample(700_001, seed: 5), storage: storage)
    writer.add(manifest: .map(["name": .text("x")]))
    return writer
  }

  @Test func givesTheSameBytesEveryTime() throws {
    for storage in [BundleWriter.Storage.compressed, .mappable] {
      let first = try writer(storage).bytes()
      let again = writer(storage)
      #expect(try again.bytes() == first)
      #expect(try again.bytes() == first)
      let path = NSTemporaryDirectory() + "knapsack-writer-\(UUID().uuidString).knap"
      let summary = try again.write(to: path)
      #expect(try Array(Data(contentsOf: URL(fileURLWithPath: path))) == first)
      #expect(summary.byteCount == first.count)
      try FileManager.default.removeItem(atPath: path)
    }
  }

  @Test func ordersSectionsByKindAndAligns() throws {
    let reader = try BundleReader(bytes: try writer(.compressed).bytes())
    #expect(reader.sections.map { $0.kind } == [1, 2, 3, 4])
    for section in reader.sections { #expect(section.offset % 64 == 0) }
    #expect(try reader.assets().map { $0.name } == ["a", "b"])
  }

  @Test func laysWeightsOutAligned() throws {
    let sizes = [1, 64, 65, 0, 300_000, 262_144, 7]
    let (offsets, total) = WeightBlock.layout(sizes)
    #expect(offsets == [0, 64, 128, 256, 256, 300_288, 562_432])
    #expect(total == 562_439)
    var asked = [Int](repeating: 0, count: sizes.count)
    let blocks = zip(offsets, sizes).enumerated().map { index, place in
      WeightBlock(offset: place.0, byteCount: place.1) { offset, target in
        // From the first byte to the last, each once.
        #expect(offset == asked[index] % place.1)
        asked[index] += target.count
        target.initializeMemory(as: UInt8.self, repeating: UInt8(index + 1))
      }
    }
    for storage in [BundleWriter.Storage.mappable, .compressed] {
      var writer = BundleWriter()
      writer.add(manifest: .map([CBORPair]()))
      writer.add(weights: blocks, storage: storage)
      let reader = try BundleReader(bytes: try writer.bytes())
      let weights = try reader.sectionBytes(.weights)
      var expected = [UInt8](repeating: 0, count: total)
      for (index, (offset, size)) in zip(offsets, sizes).enumerated() {
        expected.replaceSubrange(
          offset..<offset + size, with: [UInt8](repeating: UInt8(index + 1), count: size))
      }
      #expect(weights == expected)
      #expect(reader.section(.weights)?.isMappable == (storage == .mappable))
    }
    // Each block was read once for each of the two bundles.
    #expect(asked == sizes.map { 2 * $0 })
  }

  @Test func failureLeavesNoFile() throws {
    struct Broken: Error {}
    let folder = NSTemporaryDirectory() + "knapsack-writer-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var writer = BundleWriter()
    writer.add(manifest: .map([CBORPair]()))
    writer.add(.weights, byteCount: 1_000_000) { range, _ in
      if range.lowerBound > 500_000 { throw Broken() }
    }
    #expect(throws: Broken.self) { try writer.write(to: folder + "/out.knap") }
    var weights = BundleWriter()
    weights.add(manifest: .map([CBORPair]()))
    weights.add(
      weights: [WeightBlock(offset: 0, byteCount: 10) { _, _ in throw Broken() }],
      storage: .compressed)
    #expect(throws: Broken.self) { try weights.write(to: folder + "/out.knap") }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    try FileManager.default.removeItem(atPath: folder)
  }

  @Test func noiseStaysRawAndTextShrinks() throws {
    var noise = SeededRandom(state: 20_261_121)
    var writer = BundleWriter()
    writer.add(manifest: .map([CBORPair]()))
    writer.add(.weights, (0..<600_000).map { _ in UInt8.random(in: 0...255, using: &noise) })
    writer.add(.report, Array(String(repeating: "accuracy 0.98\n", count: 30_000).utf8))
    let reader = try BundleReader(bytes: try writer.bytes())
    #expect(reader.section(.weights)!.storedByteCount == 600_000)
    #expect(reader.section(.weights)!.isMappable)
    #expect(reader.section(.report)!.storedByteCount < 2000)
  }
}
