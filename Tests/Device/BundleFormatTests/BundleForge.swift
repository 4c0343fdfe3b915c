// Bundles made by hand, with every digest right, so that a test reaches the check behind them.

import BundleFormat
import Bytes

/// A section of a forged bundle.
struct ForgedSection {
  var kind: UInt32
  var flags: UInt32 = BundleSection.requiredFlag
  /// Stored bytes of each chunk, and whether the table calls them compressed.
  var chunks: [(bytes: [UInt8], isCompressed: Bool)] = []
  /// What the table says, where it lies.
  var rawByteCount: Int
  var storedByteCount: Int?
  var chunkByteCount = BundleLayout.chunkByteCount
  var chunkCount: Int?
  var offsetShift = 0
  var tableOffsetShift = 0

  /// A section of one raw chunk.
  static func raw(_ kind: BundleSectionKind, _ bytes: [UInt8]) -> ForgedSection {
    ForgedSection(kind: kind.rawValue, chunks: [(bytes, false)], rawByteCount: bytes.count)
  }

  /// A manifest that is well.
  static var manifest: ForgedSection { raw(.manifest, CBOR.encode(.map(["name": .text("x")]))) }
}

/// The bytes of a bundle with these sections. `editTable` changes the section table and `editHeader`
/// the header before the digest is taken.
func forge(
  _ sections: [ForgedSection], trailing: [UInt8] = [], padding: UInt8 = 0,
  editHeader: (inout [UInt8]) -> Void = { _ in }, editTable: (inout [UInt8]) -> Void = { _ in }
) -> [UInt8] {
  let tables: [[UInt8]] = sections.map { section in
    var table = ByteWriter()
    for chunk in section.chunks {
      BundleChunk(
        isCompressed: chunk.isCompressed, storedByteCount: chunk.bytes.count,
        digest: Digest(of: chunk.bytes)
      ).append(to: &table)
    }
    return table.bytes
  }
  var tableOffset =
    BundleLayout.headerByteCount + sections.count * BundleLayout.sectionEntryByteCount
  var body: [UInt8] = []
  let bodyStart = tableOffset + tables.reduce(0) { $0 + $1.count }
  var sectionTable = ByteWriter()
  for (section, table) in zip(sections, tables) {
    while (bodyStart + body.count) % BundleLayout.alignment != 0 { body.append(padding) }
    let stored = section.chunks.reduce(0) { $0 + $1.bytes.count }
    BundleSection(
      kind: section.kind, flags: section.flags,
      offset: bodyStart + body.count + section.offsetShift,
      storedByteCount: section.storedByteCount ?? stored, rawByteCount: section.rawByteCount,
      chunkByteCount: section.chunkByteCount,
      chunkCount: section.chunkCount ?? section.chunks.count,
      chunkTableOffset: tableOffset + section.tableOffsetShift, digest: Digest(of: table)
    ).append(to: &sectionTable)
    for chunk in section.chunks { body += chunk.bytes }
    tableOffset += table.count
  }
  var table = sectionTable.bytes
  editTable(&table)
  var header = BundleHeader(
    sectionTable: table, sectionCount: sections.count,
    fileByteCount: bodyStart + body.count + trailing.count
  ).bytes
  editHeader(&header)
  header.replaceSubrange(64..<96, with: Digest(of: header[..<64] + table).bytes)
  return header + table + tables.flatMap { $0 } + body + trailing
}

/// A zstd frame by hand: one segment that says `contentSize`, made of runs of one byte each.
func runLengthFrame(contentSize: Int, runs: [Int], byte: UInt8 = 0x5A) -> [UInt8] {
  var frame = ByteWriter()
  frame.put(UInt32(0xFD2F_B528))
  frame.put(UInt8(0xA0))
  frame.put(UInt32(contentSize))
  for (index, run) in runs.enumerated() {
    let isLast = index == runs.count - 1
    let head = UInt32(run << 3 | 1 << 1 | (isLast ? 1 : 0))
    for shift in [0, 8, 16] { frame.put(UInt8(truncatingIfNeeded: head >> UInt32(shift))) }
    frame.put(byte)
  }
  return frame.bytes
}
