// Writes a bundle: sections cut into chunks, compressed where that pays, digests over everything.

import BundleFormat
import Bytes
import Platform
import Quantization

/// Collects sections and writes them as one bundle. The same sections give the same bytes.
///
/// Nothing but one chunk is held in memory for a section whose bytes come from a closure.
public struct BundleWriter {
  /// How a section's chunks are stored.
  public enum Storage: Equatable, Sendable {
    /// Each chunk as a zstd frame where that saves at least 2 %, else raw.
    case compressed
    /// All chunks raw, one behind the other, so that the section can be used where it is mapped.
    case mappable
    /// Raw chunks of these sizes, which end where their content does.
    case uneven([Int])
  }

  /// Fills the buffer with the section's bytes of the range; ranges ascend without a hole.
  public typealias Source = (Range<Int>, UnsafeMutableRawBufferPointer) throws -> Void

  /// What a written bundle came to.
  public struct Summary: Equatable, Sendable {
    public struct Section: Equatable, Sendable {
      public var kind: BundleSectionKind
      public var rawByteCount: Int
      public var storedByteCount: Int
      /// Whether all chunks are raw and the section can be mapped.
      public var isMappable: Bool
    }

    /// Bytes of a section in the bundle; 0 where there is none.
    public func storedByteCount(_ kind: BundleSectionKind) -> Int {
      sections.first { $0.kind == kind }?.storedByteCount ?? 0
    }

    public var sections: [Section]
    /// Bytes of the bundle.
    public var byteCount: Int
  }

  private struct Content {
    var kind: BundleSectionKind
    var byteCount: Int
    var storage: Storage
    var source: Source

    /// The bytes of each chunk.
    var chunks: [Range<Int>] {
      if case .uneven(let counts) = storage {
        var end = 0
        return counts.map { count in
          defer { end += count }
          return end..<end + count
        }
      }
      let size = BundleLayout.chunkByteCount
      return stride(from: 0, to: byteCount, by: size).map { $0..<min($0 + size, byteCount) }
    }
  }

  private var contents: [Content] = []

  public init() {}

  /// Adds a section held in memory.
  public mutating func add(
    _ kind: BundleSectionKind, _ bytes: [UInt8], storage: Storage = .compressed
  ) {
    add(kind, byteCount: bytes.count, storage: storage) { range, target in
      bytes.withUnsafeBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[range])) }
    }
  }

  /// Adds a section of `byteCount` bytes, which `source` gives piece by piece while writing.
  public mutating func add(
    _ kind: BundleSectionKind, byteCount: Int, storage: Storage = .compressed,
    source: @escaping Source
  ) {
    precondition(byteCount >= 0, "a section has a size")
    if case .uneven(let counts) = storage {
      precondition(counts.allSatisfy { $0 > 0 } && counts.reduce(0, +) == byteCount, "chunk sizes")
    }
    precondition(!contents.contains { $0.kind == kind }, "a bundle has one section of a kind")
    contents.append(Content(kind: kind, byteCount: byteCount, storage: storage, source: source))
    contents.sort { $0.kind.rawValue < $1.kind.rawValue }
  }

  /// Adds the manifest, which every bundle needs: a CBOR map.
  public mutating func add(manifest: CBORValue) {
    precondition(manifest.mapValue != nil, "a manifest is a map")
    add(.manifest, CBOR.encode(manifest))
  }

  /// Adds named blobs. Names are unique and valid (`BundleAsset.isValid`).
  public mutating func add(assets: [BundleAsset]) {
    precondition(assets.allSatisfy { BundleAsset.isValid(name: $0.name) }, "asset names")
    add(
      .assets, CBOR.encode(.map(assets.map { CBORPair($0.name, .bytes($0.bytes)) })))
  }

  /// Writes the bundle to `path`, whole or not at all.
  @discardableResult
  public func write(to path: String) throws -> Summary {
    let file = try AtomicFile(path: path)
    let (summary, head) = try write { bytes in try file.write(bytes) }
    try file.overwrite(at: 0, head)
    try file.commit()
    return summary
  }

  /// What the bundle would come to, without writing it.
  public func measured() throws -> Summary { try write { _ in }.summary }

  /// The bundle in memory.
  public func bytes() throws -> [UInt8] {
    var result: [UInt8] = []
    let (_, head) = try write { bytes in result.append(contentsOf: bytes) }
    result.replaceSubrange(0..<head.count, with: head)
    return result
  }

  /// Hands the bundle to `append` piece by piece, zeros in the place of header and tables, and
  /// returns what belongs there: sizes and digests are known last.
  private func write(
    _ append: ([UInt8]) throws -> Void
  ) throws -> (summary: Summary, head: [UInt8]) {
    precondition(contents.first?.kind == .manifest, "a bundle needs a manifest")
    let chunkSize = BundleLayout.chunkByteCount
    var tableOffset =
      BundleLayout.headerByteCount + contents.count * BundleLayout.sectionEntryByteCount
    let chunkCounts = contents.map { $0.chunks.count }
    var end = tableOffset + chunkCounts.reduce(0, +) * BundleLayout.chunkEntryByteCount
    try append([UInt8](repeating: 0, count: end))

    let compressor = try ZstdCompressor()
    var sectionTable = ByteWriter()
    var chunkTables = ByteWriter()
    var summary = Summary(sections: [], byteCount: 0)
    for (content, chunkCount) in zip(contents, chunkCounts) {
      let start = (end + BundleLayout.alignment - 1) & ~(BundleLayout.alignment - 1)
      try append([UInt8](repeating: 0, count: start - end))
      let chunks = try write(content, with: compressor, append)
      var table = ByteWriter()
      for chunk in chunks { chunk.append(to: &table) }
      let stored = chunks.reduce(0) { $0 + $1.storedByteCount }
      // Weights that do not compress can be mapped all the same.
      let isMappable =
        content.storage == .mappable
        || (content.kind == .weights && !chunks.contains { $0.isCompressed })
      var flags = BundleSection.requiredFlag
      if isMappable { flags |= BundleSection.mappableFlag }
      if case .uneven = content.storage { flags |= BundleSection.unevenFlag }
      let section = BundleSection(
        kind: content.kind.rawValue,
        flags: flags, offset: start, storedByteCount: stored, rawByteCount: content.byteCount,
        chunkByteCount: max(chunkSize, content.chunks.map { $0.count }.max() ?? 0),
        chunkCount: chunkCount, chunkTableOffset: tableOffset,
        digest: Digest(of: table.bytes))
      section.append(to: &sectionTable)
      chunkTables.put(table.bytes)
      tableOffset += table.count
      end = start + stored
      summary.sections.append(
        .init(
          kind: content.kind, rawByteCount: content.byteCount, storedByteCount: stored,
          isMappable: isMappable))
    }
    summary.byteCount = end
    let header = BundleHeader(
      sectionTable: sectionTable.bytes, sectionCount: contents.count, fileByteCount: end)
    return (summary, header.bytes + sectionTable.bytes + chunkTables.bytes)
  }

  /// Appends the chunks of one section; what was appended.
  private func write(
    _ content: Content, with compressor: ZstdCompressor, _ append: ([UInt8]) throws -> Void
  ) throws -> [BundleChunk] {
    let level = ZstdCompressor.level(forByteCount: content.byteCount)
    var chunks: [BundleChunk] = []
    var buffer: [UInt8] = []
    for range in content.chunks {
      if buffer.count != range.count { buffer = [UInt8](repeating: 0, count: range.count) }
      try buffer.withUnsafeMutableBytes { try content.source(range, $0) }
      let frame =
        content.storage == .compressed ? try compressor.frame(of: buffer, level: level) : nil
      let stored = frame ?? buffer
      chunks.append(
        BundleChunk(
          isCompressed: frame != nil, storedByteCount: stored.count, digest: Digest(of: stored)))
      try append(stored)
    }
    return chunks
  }
}
