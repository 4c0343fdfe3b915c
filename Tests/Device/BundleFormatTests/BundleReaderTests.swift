// Bundles that are well come back byte by byte; digests are those of other BLAKE2b programs.

import BundleFormat
import Bytes
import Foundation
import Packing
import Platform
import Testing

/// Bytes that compress well, or not at all.
func sampleBytes(_ count: Int, isNoise: Bool, seed: UInt64 = 1) -> [UInt8] {
  var state = seed
  return (0..<count).map { index in
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return isNoise ? UInt8(truncatingIfNeeded: state >> 56) : UInt8(truncatingIfNeeded: index / 97)
  }
}

@Suite struct DigestTests {
  /// From Python's hashlib: blake2b(data, digest_size=32).
  @Test func agreesWithOtherPrograms() {
    #expect(
      Digest(of: []).hexadecimal
        == "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8")
    #expect(
      Digest(of: Array("abc".utf8)).hexadecimal
        == "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319")
    let long = (0..<1024).map { UInt8(truncatingIfNeeded: $0) }
    #expect(
      Digest(of: long).hexadecimal
        == "f1551feeb252c7e60bb362205bd1ac2f70b145260a91d41e8c5d0a187549a5f2")
    #expect(Digest(of: long).bytes.count == Digest.byteCount)
    #expect(Digest(of: long) != Digest(of: Array(long.dropLast())))
  }
}

@Suite struct BundleReaderTests {
  let folder = NSTemporaryDirectory() + "knapsack-bundle-\(UUID().uuidString)"
  let program = sampleBytes(70_000, isNoise: false)
  let assets = [
    // In the order of their encoding: the shorter name first.
    BundleAsset(name: "vocab.txt", bytes: sampleBytes(300_000, isNoise: false)),
    BundleAsset(name: "labels.txt", bytes: Array("zero\none\n".utf8)),
  ]

  init() throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  func contents(_ weights: BundleWeights) -> [UInt8] {
    let bytes = weights.bytes
    return bytes.withUnsafeBytes { Array($0) }
  }

  func isAligned(_ weights: BundleWeights) -> Bool {
    let bytes = weights.bytes
    return bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) % 64 == 0 }
  }

  func writer(weights: [UInt8], _ storage: BundleWriter.Storage) -> BundleWriter {
    var writer = BundleWriter()
    writer.add(.weights, weights, storage: storage)
    writer.add(manifest: .map(["name": .text("demo"), "steps": .integer(12)]))
    writer.add(.program, program)
    writer.add(assets: assets)
    return writer
  }

  @Test(arguments: [
    (0, true), (1, true), (63, false), (262_144, true), (262_145, false), (1_000_000, true),
  ])
  func givesBackWhatWasWritten(_ count: Int, _ isNoise: Bool) throws {
    let weights = sampleBytes(count, isNoise: isNoise)
    for storage in [BundleWriter.Storage.compressed, .mappable] {
      let path = folder + "/\(count)-\(storage).knap"
      let summary = try writer(weights: weights, storage).write(to: path)
      let reader = try BundleReader(path: path)
      #expect(reader.byteCount == summary.byteCount)
      #expect(reader.header.version == BundleVersion(major: 3, minor: 0))
      #expect(reader.manifest["name"]?.textValue == "demo")
      #expect(reader.manifest["steps"]?.integerValue == 12)
      #expect(try reader.sectionBytes(.program) == program)
      #expect(try reader.assets() == assets)
      #expect(try reader.sectionBytes(.weights) == weights)
      #expect(reader.section(.report) == nil)
      try reader.verifyAll()
      let mapped = try reader.mapWeights()
      #expect(mapped.count == count)
      #expect(contents(mapped) == weights)
      #expect(isAligned(mapped))
      let isRaw = storage == .mappable || isNoise || count < 60
      #expect(mapped.isMapped == isRaw)
      #expect(reader.section(.weights)?.isMappable == isRaw)
      // The program compresses; the same bundle reads the same from memory.
      #expect(reader.section(.program)!.storedByteCount < program.count / 2)
      let inMemory = try BundleReader(bytes: try File.read(path, limit: .max))
      #expect(inMemory.contentDigest == reader.contentDigest)
      #expect(contents(try inMemory.mapWeights()) == weights)
    }
    try FileManager.default.removeItem(atPath: folder)
  }

  @Test(arguments: [BundleWriter.Storage.compressed, .mappable])
  func saysHowFarItIs(_ storage: BundleWriter.Storage) throws {
    let path = folder + "/progress-\(storage).knap"
    try writer(weights: sampleBytes(900_000, isNoise: true), storage).write(to: path)
    let progress = LoadProgress()
    #expect(progress.share == nil)
    let reader = try BundleReader(path: path, progress: progress)
    let opened = try #require(progress.share)
    #expect(opened > 0 && opened < 0.1)
    _ = try reader.sectionBytes(.program)
    _ = try reader.assets()
    let small = try #require(progress.share)
    #expect(small > opened && small < 0.3)
    _ = try reader.mapWeights()
    let whole = try #require(progress.share)
    // All but the tables.
    #expect(whole > 0.99 && whole <= 1)
    try reader.verifyAll()
    #expect(progress.share == 1)
    try FileManager.default.removeItem(atPath: folder)
  }

  @Test func namesWhatIsMissing() throws {
    let missing = folder + "/none.knap"
    let error = #expect(throws: BundleError.self) { try BundleReader(path: missing) }
    #expect(error?.isMissing == true)
    #expect(error?.description == "\(missing): cannot open: No such file or directory")
    let reader = try BundleReader(bytes: forge([.manifest]))
    let fault = #expect(throws: BundleError.self) { try reader.mapWeights() }?.fault
    #expect(fault?.reason == .missingSection)
    #expect(fault?.section == "weights")
    #expect(try reader.assets() == [])
    let other = #expect(throws: BundleError.self) {
      try BundleReader(bytes: forge([.raw(.program, [1])]))
    }
    #expect(other?.fault?.reason == .missingSection)
  }

  @Test func takesNoMoreThanAllowed() throws {
    let bytes = try writer(weights: sampleBytes(100_000, isNoise: false), .compressed).bytes()
    let reader = try BundleReader(bytes: bytes)
    let error = #expect(throws: BundleError.self) {
      try reader.sectionBytes(.program, limit: program.count - 1)
    }
    #expect(error?.fault?.reason == .tooLarge(limit: program.count - 1, found: program.count))
    #expect(throws: BundleError.self) { try reader.mapWeights(limit: 99_999) }
    #expect(try reader.mapWeights(limit: 100_000).count == 100_000)
  }

  @Test func noticesAFileThatShrinks() throws {
    let path = folder + "/shrinks.knap"
    try writer(weights: sampleBytes(900_000, isNoise: true), .mappable).write(to: path)
    let reader = try BundleReader(path: path)
    try #require(truncate(path, 500_000) == 0)
    let error = #expect(throws: BundleError.self) { try reader.mapWeights() }
    guard case .truncated = error?.fault?.reason else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(throws: BundleError.self) { try reader.verifyAll() }
    try FileManager.default.removeItem(atPath: folder)
  }

  @Test func contentDigestIgnoresSignaturesOnly() throws {
    let plain = try BundleReader(bytes: forge([.manifest, .raw(.program, [1, 2])]))
    let signed = try BundleReader(
      bytes: forge([.manifest, .raw(.program, [1, 2]), .raw(.signatures, [9])]))
    let other = try BundleReader(bytes: forge([.manifest, .raw(.program, [1, 3])]))
    #expect(plain.contentDigest == signed.contentDigest)
    #expect(plain.contentDigest != other.contentDigest)
    #expect(plain.header.digest != signed.header.digest)
  }

  @Test func largeBundlesTakeLittleMemory() async {
    // In a process of its own, whose peak nobody else moves.
    await #expect(processExitsWith: .success) {
      let path = NSTemporaryDirectory() + "knapsack-large-\(UUID().uuidString).knap"
      defer { try? FileManager.default.removeItem(atPath: path) }
      let before = try #require(ProcessMemory.current).peakBytes
      var writer = BundleWriter()
      writer.add(manifest: .map(["name": .text("large")]))
      writer.add(.weights, byteCount: 96 << 20, storage: .mappable) { range, target in
        for i in 0..<target.count {
          target[i] = UInt8(truncatingIfNeeded: (range.lowerBound + i) &* 0x9E37_79B9 >> 13)
        }
      }
      try writer.write(to: path)
      let reader = try BundleReader(path: path)
      try reader.verifyAll()
      let weights = try reader.mapWeights()
      #expect(weights.count == 96 << 20)
      let after = try #require(ProcessMemory.current).peakBytes
      #expect(after - before < 12 << 20, "\(after - before) bytes more")
    }
  }
}
