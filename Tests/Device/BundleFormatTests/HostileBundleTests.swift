// Bundles that are cut, flipped or forged: each is refused with its reason, and none crashes.

import BundleFormat
import Bytes
import Packing
import Randomness
import Testing

@Suite struct HostileBundleTests {
  /// A bundle of every section kind, a few kilobytes long.
  static let good: [UInt8] = {
    var writer = BundleWriter()
    writer.add(manifest: .map(["name": .text("demo"), "size": .double(0.1)]))
    writer.add(.program, sampleBytes(900, isNoise: false))
    writer.add(.weights, sampleBytes(1500, isNoise: true), storage: .mappable)
    writer.add(assets: [BundleAsset(name: "a", bytes: sampleBytes(400, isNoise: false))])
    writer.add(.report, sampleBytes(77, isNoise: true))
    return try! writer.bytes()
  }()

  /// The fault that opening and verifying finds.
  func fault(_ bytes: [UInt8]) -> BundleFault? {
    do throws(BundleError) {
      let reader = try BundleReader(bytes: bytes)
      try reader.verifyAll()
      _ = try reader.assets()
      return nil
    } catch { return error.fault }
  }

  @Test func theGoodOneIsGood() { #expect(fault(Self.good) == nil) }

  @Test func everyCutIsRefused() {
    for count in 0..<Self.good.count {
      let found = fault(Array(Self.good[..<count]))
      #expect(found != nil, "cut to \(count) bytes")
      #expect(count >= 8 || found?.reason == .notABundle || found?.reason == .changedLineEndings)
    }
  }

  @Test func everyByteIsCovered() {
    for index in Self.good.indices {
      for bit in [0, 3, 7] {
        var bytes = Self.good
        bytes[index] ^= 1 << bit
        #expect(fault(bytes) != nil, "bit \(bit) of byte \(index)")
      }
    }
  }

  @Test func insertedAndRemovedBytesAreRefused() {
    for index in stride(from: 0, to: Self.good.count, by: 37) {
      var longer = Self.good
      longer.insert(longer[index], at: index)
      #expect(fault(longer) != nil)
      var shorter = Self.good
      shorter.remove(at: index)
      #expect(fault(shorter) != nil)
    }
  }

  @Test func damageIsNamed() throws {
    let reader = try BundleReader(bytes: Self.good)
    let weights = try #require(reader.section(.weights))
    var bytes = Self.good
    bytes[weights.offset + 700] ^= 4
    let found = fault(bytes)
    #expect(
      found?.description
        == "bundle in memory: weights, chunk 0, byte \(weights.offset): "
        + "the digest differs: the bytes were changed or damaged")
    bytes = Self.good
    bytes[weights.chunkTableOffset] ^= 4
    #expect(fault(bytes)?.section == "weights")
    #expect(fault(bytes)?.chunk == nil)
  }

  @Test func aTextModeTransferIsNamed() {
    var bytes = Self.good
    bytes.remove(at: 5)  // the carriage return
    #expect(fault(bytes)?.reason == .notABundle || fault(bytes)?.reason == .changedLineEndings)
    bytes = Self.good
    bytes[0] &= 0x7F
    #expect(fault(bytes)?.reason == .changedLineEndings)
    #expect(fault(Array("GGUF".utf8) + [3, 0, 0, 0])?.reason == .notABundle)
    #expect(fault([])?.reason == .notABundle)
  }

  @Test func versionsAreJudgedByTheirNumbers() throws {
    let major = forge([.manifest], editHeader: { $0[8] = 4 })
    #expect(fault(major)?.reason == .newerMajor(BundleVersion(major: 4, minor: 0)))
    #expect(fault(major)?.description.contains("format 4.0") == true)
    let older = fault(forge([.manifest], editHeader: { $0[8] = 2 }))
    #expect(older?.reason == .olderMajor(BundleVersion(major: 2, minor: 0)))
    #expect(older?.description.contains("pack the model again") == true)
    #expect(fault(forge([.manifest], editHeader: { $0[8] = 0 })) != nil)
    // A newer minor version may use what is reserved today; an unknown section may be skipped.
    let unknown = ForgedSection(kind: 99, flags: 0, chunks: [([1, 2, 3], false)], rawByteCount: 3)
    let minor = forge(
      [.manifest, unknown],
      editHeader: {
        $0[10] = 7
        $0[40] = 1
      }, editTable: { $0[48] = 1 })
    #expect(fault(minor) == nil)
    #expect(try BundleReader(bytes: minor).sections[1].name == "section of kind 99")
    #expect(fault(forge([.manifest], editHeader: { $0[40] = 1 })) != nil)
    #expect(fault(forge([.manifest], editTable: { $0[48] = 1 })) != nil)
    // Flags that may be ignored, and flags that may not.
    let harmless = ForgedSection(
      kind: 99, flags: 1 << 16, chunks: [([1], false)], rawByteCount: 1)
    let critical = ForgedSection(kind: 99, flags: 1 << 8, chunks: [([1], false)], rawByteCount: 1)
    #expect(fault(forge([.manifest, harmless], editHeader: { $0[10] = 7 })) == nil)
    #expect(fault(forge([.manifest, harmless])) != nil)
    #expect(fault(forge([.manifest, critical], editHeader: { $0[10] = 7 }))?.reason == .flags(256))
  }

  @Test func unknownSectionsAreSkippedOrRefused() throws {
    var section = ForgedSection(kind: 99, flags: 0, chunks: [([1], false)], rawByteCount: 1)
    #expect(fault(forge([.manifest, section])) == nil)
    section.flags = BundleSection.requiredFlag
    #expect(fault(forge([.manifest, section]))?.reason == .unknownSection(99))
    // Skipped, but covered.
    section.flags = 0
    var bytes = forge([.manifest, section])
    bytes[bytes.count - 1] ^= 1
    #expect(fault(bytes)?.reason == .digest)
  }

  @Test func sectionsFollowEachOtherWithoutHoles() {
    let program = ForgedSection.raw(.program, sampleBytes(200, isNoise: true))
    #expect(fault(forge([.manifest, program])) == nil)
    #expect(fault(forge([.manifest, program], padding: 1))?.reason == .padding)
    #expect(fault(forge([.manifest, program], trailing: [0])) != nil)
    #expect(fault(forge([program, .manifest])) != nil)
    #expect(
      fault(forge([.manifest, program, program]))?.reason == .sectionOrder(after: 2))
    #expect(fault(forge([.manifest, .manifest]))?.reason == .sectionOrder(after: 1))
    for shift in [-64, -1, 1, 64, 128, 1 << 40] {
      var moved = program
      moved.offsetShift = shift
      #expect(fault(forge([.manifest, moved])) != nil, "offset moved by \(shift)")
      var table = program
      table.tableOffsetShift = shift
      #expect(fault(forge([.manifest, table])) != nil, "chunk table moved by \(shift)")
    }
    for stored in [0, 199, 201, 264, 1 << 40, Int.max] {
      var other = program
      other.storedByteCount = stored
      #expect(fault(forge([.manifest, other])) != nil, "stored size \(stored)")
    }
  }

  @Test func declaredSizesAreBoundedByTheFile() {
    let program = ForgedSection.raw(.program, sampleBytes(200, isNoise: true))
    for raw in [0, 199, 201, 262_145, 1 << 32, 1 << 61, Int.max] {
      var other = program
      other.rawByteCount = raw
      #expect(fault(forge([.manifest, other])) != nil, "raw size \(raw)")
      // With a chunk count to match, where it fits its field.
      other.chunkCount = Int(UInt32(truncatingIfNeeded: raw / BundleLayout.chunkByteCount + 1))
      #expect(fault(forge([.manifest, other])) != nil || raw == 200, "raw size \(raw)")
      other.chunkByteCount = 1 << 31
      other.chunkCount = 1
      #expect(fault(forge([.manifest, other])) != nil, "raw size \(raw), huge chunks")
    }
    for size in [0, 1, 199, 5 << 20] {
      var other = program
      other.chunkByteCount = size
      #expect(fault(forge([.manifest, other])) != nil, "chunk size \(size)")
    }
    // Entry sizes and section counts of the header.
    for (index, value) in [(12, 255), (15, 255), (16, 255), (19, 127), (20, 255), (23, 255)] {
      let bytes = forge([.manifest], editHeader: { $0[index] = UInt8(value) })
      #expect(fault(bytes) != nil)
      let newer = forge(
        [.manifest],
        editHeader: {
          $0[10] = 9
          $0[index] = UInt8(value)
        })
      #expect(fault(newer) != nil)
    }
  }

  @Test func framesMustBeWhatTheTableSays() {
    func bundle(_ frame: [UInt8], raw: Int) -> [UInt8] {
      forge([
        .manifest,
        ForgedSection(kind: 2, chunks: [(frame, true)], rawByteCount: raw),
      ])
    }
    let raw = 200_000
    let whole = runLengthFrame(contentSize: raw, runs: [100_000, 100_000])
    #expect(fault(bundle(whole, raw: raw)) == nil)
    // A frame that says less or more than the table, or makes less or more than it says.
    #expect(fault(bundle(whole, raw: raw - 1)) != nil)
    #expect(fault(bundle(whole, raw: raw + 1)) != nil)
    let short = runLengthFrame(contentSize: raw, runs: [100_000, 99_999])
    #expect(fault(bundle(short, raw: raw)) != nil)
    let long = runLengthFrame(contentSize: raw, runs: [100_000, 100_001])
    #expect(fault(bundle(long, raw: raw)) != nil)
    let many = runLengthFrame(
      contentSize: raw, runs: [UInt8](repeating: 0, count: 1000).map { _ in 131_072 })
    #expect(fault(bundle(many, raw: raw)) != nil)
    // Something behind the frame, another frame, a skippable frame, none at all.
    #expect(fault(bundle(whole + [0], raw: raw)) != nil)
    let half = runLengthFrame(contentSize: raw / 2, runs: [100_000])
    #expect(fault(bundle(half + half, raw: raw)) != nil)
    let skippable: [UInt8] = [0x50, 0x2A, 0x4D, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]
    #expect(fault(bundle(skippable, raw: raw)) != nil)
    #expect(fault(bundle(skippable + whole, raw: raw)) != nil)
    #expect(fault(bundle([0x28], raw: raw)) != nil)
    #expect(fault(bundle([], raw: raw)) != nil)
    // A frame for which a dictionary is needed: the flag for one byte of its number, and the byte.
    var dictionary = whole
    dictionary[4] = 0xA1
    dictionary.insert(7, at: 5)
    #expect(fault(bundle(dictionary, raw: raw)) != nil)
    // Every cut of a frame.
    for count in 0..<whole.count { #expect(fault(bundle(Array(whole[..<count]), raw: raw)) != nil) }
    // A frame that is no shorter than what it holds.
    let tiny = runLengthFrame(contentSize: 4, runs: [4])
    #expect(fault(bundle(tiny, raw: 4)) != nil)
  }

  @Test func mappableSectionsHaveRawChunksOnly() {
    let frame = runLengthFrame(contentSize: 100_000, runs: [100_000])
    var section = ForgedSection(kind: 3, chunks: [(frame, true)], rawByteCount: 100_000)
    section.flags |= BundleSection.mappableFlag
    #expect(fault(forge([.manifest, section])) != nil)
    section.storedByteCount = 100_000
    #expect(fault(forge([.manifest, section])) != nil)
    var raw = ForgedSection.raw(.weights, sampleBytes(100, isNoise: true))
    raw.flags |= BundleSection.mappableFlag
    #expect(fault(forge([.manifest, raw])) == nil)
    raw.chunks[0].isCompressed = true
    #expect(fault(forge([.manifest, raw])) != nil)
  }

  @Test func aBombStopsAtTheLimit() throws {
    // 17 stored bytes for every 256 KiB: refused before memory is taken.
    let frame = runLengthFrame(contentSize: 262_144, runs: [131_072, 131_072])
    let chunks = [(bytes: [UInt8], isCompressed: Bool)](repeating: (frame, true), count: 400)
    let bomb = forge([
      .manifest, ForgedSection(kind: 2, chunks: chunks, rawByteCount: 400 * 262_144),
      ForgedSection(kind: 3, chunks: chunks, rawByteCount: 400 * 262_144),
    ])
    let reader = try BundleReader(bytes: bomb)
    let error = #expect(throws: BundleError.self) { try reader.sectionBytes(.program) }
    #expect(error?.fault?.reason == .tooLarge(limit: 64 << 20, found: 400 * 262_144))
    #expect(throws: BundleError.self) { try reader.mapWeights(limit: 64 << 20) }
    let manifest = forge([
      ForgedSection(kind: 1, chunks: chunks, rawByteCount: 400 * 262_144)
    ])
    #expect(fault(manifest)?.reason == .tooLarge(limit: 1 << 20, found: 400 * 262_144))
  }

  @Test func manifestAndAssetsAreMaps() {
    #expect(fault(forge([.raw(.manifest, CBOR.encode(.array([])))])) != nil)
    #expect(fault(forge([.raw(.manifest, [0xFF])])) != nil)
    #expect(fault(forge([.raw(.manifest, [0xA0, 0x00])])) != nil)
    func assets(_ value: CBORValue) -> [UInt8] {
      forge([.manifest, .raw(.assets, CBOR.encode(value))])
    }
    #expect(fault(assets(.map(["vocab.txt": .bytes([1])]))) == nil)
    for name in ["../x", "a/b", "", "a\0", "a\n", "x..y", String(repeating: "n", count: 256)] {
      #expect(fault(assets(.map([CBORPair(name, .bytes([1]))]))) != nil, "\(name)")
    }
    #expect(fault(assets(.map(["x": .text("y")]))) != nil)
    #expect(fault(assets(.map([CBORPair(key: .integer(1), value: .bytes([]))]))) != nil)
    #expect(fault(assets(.null)) != nil)
  }

  @Test func mutationsWithGoodDigestsNeverCrash() {
    // Changes any byte of header, tables and frames and then makes every digest right again, so
    // that only the checks behind the digests stand between the change and the reader.
    let frames = [[4096], [2000, 2096], [100]].map {
      (bytes: runLengthFrame(contentSize: $0.reduce(0, +), runs: $0), isCompressed: true)
    }
    let sections = [
      ForgedSection.manifest,
      ForgedSection(kind: 2, chunks: frames, rawByteCount: 8292, chunkByteCount: 4096),
      ForgedSection.raw(.weights, sampleBytes(500, isNoise: true)),
    ]
    let good = forge(sections)
    #expect(fault(good) == nil)
    let tableStart = 96 + sections.count * 96
    let places = sections.flatMap { $0.chunks.map { $0.bytes.count } }
    let bodyStart = tableStart + places.count * 40
    var random = SeededRandom(state: 20_261_121)
    var accepted = 0
    for _ in 0..<20_000 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let index = Int.random(in: 8..<bytes.count, using: &random)
        bytes[index] = [0, 1, 0x7F, 0x80, 0xFF, UInt8.random(in: 0...255, using: &random)]
          .randomElement(using: &random)!
      }
      reseal(&bytes, sections, tableStart: tableStart, bodyStart: bodyStart)
      do throws(BundleError) {
        let reader = try BundleReader(bytes: bytes)
        try reader.verifyAll()
        accepted += 1
        let program = try reader.sectionBytes(.program)
        #expect(program.count == reader.section(.program)?.rawByteCount)
        #expect(try reader.mapWeights(limit: 1 << 20).count == 500)
      } catch { #expect(!error.description.isEmpty) }
    }
    // Changed weights and run lengths' bytes with fresh digests are other good bundles.
    #expect(accepted > 100)
    #expect(accepted < 19_000)
  }

  /// Writes the digests of what now stands in the places of the original's chunks and tables.
  func reseal(
    _ bytes: inout [UInt8], _ sections: [ForgedSection], tableStart: Int, bodyStart: Int
  ) {
    var entry = tableStart
    var offset = bodyStart
    for (index, section) in sections.enumerated() {
      let first = entry
      offset = (offset + 63) & ~63
      for chunk in section.chunks {
        let stored = Array(bytes[offset..<offset + chunk.bytes.count])
        bytes.replaceSubrange(entry + 8..<entry + 40, with: Digest(of: stored).bytes)
        entry += 40
        offset += stored.count
      }
      let place = 96 + index * 96 + 64
      bytes.replaceSubrange(
        place..<place + 32, with: Digest(of: Array(bytes[first..<entry])).bytes)
    }
    let covered = Array(bytes[..<64] + bytes[96..<tableStart])
    bytes.replaceSubrange(64..<96, with: Digest(of: covered).bytes)
  }
}
