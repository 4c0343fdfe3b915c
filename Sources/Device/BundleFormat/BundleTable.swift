// The tables of a bundle, read field by field and checked against each other.

import Bytes

/// Fields of one table, and where the table lies in the file. The table's length is checked before.
struct BundleFields {
  let path: String
  /// Where `bytes` begin in the file.
  let base: Int
  let bytes: [UInt8]
  /// What errors name.
  var section: String?

  /// The little-endian integer of `width` bytes at `offset` of the table.
  func integer(at offset: Int, width: Int) -> UInt64 {
    var value: UInt64 = 0
    for i in 0..<width { value |= UInt64(bytes[offset + i]) << UInt64(8 * i) }
    return value
  }

  /// The integer there, which is at most `limit`.
  func count(
    _ name: String, at offset: Int, width: Int, atMost limit: Int
  ) throws(BundleError) -> Int {
    let value = integer(at: offset, width: width)
    guard let count = Int(exactly: value), count <= limit else {
      throw fault(at: offset, .bounds(name, atMost: limit, found: value))
    }
    return count
  }

  /// Refuses any integer there but `expected`.
  func require(
    _ name: String, at offset: Int, width: Int, toBe expected: Int
  ) throws(BundleError) {
    let value = integer(at: offset, width: width)
    guard value == UInt64(expected) else {
      throw fault(at: offset, .field(name, expected: expected, found: value))
    }
  }

  func fault(at offset: Int, _ reason: BundleFault.Reason) -> BundleError {
    .invalid(BundleFault(path: path, section: section, offset: base + offset, reason: reason))
  }
}

extension BundleHeader {
  /// The header of `source`, checked by itself.
  init(_ source: BundleSource) throws(BundleError) {
    let size = BundleLayout.headerByteCount
    let first = try source.bytes(at: 0, count: min(size, source.count))
    let fields = BundleFields(path: source.path, base: 0, bytes: first, section: nil)
    let magic = BundleLayout.magic
    guard first.starts(with: magic) else {
      let isNamed = first.count >= 5 && first[1..<5].elementsEqual(magic[1..<5])
      throw fields.fault(at: 0, isNamed ? .changedLineEndings : .notABundle)
    }
    guard first.count == size else {
      throw fields.fault(at: first.count, .truncated(expected: size, found: first.count))
    }
    let version = BundleVersion(
      major: UInt16(fields.integer(at: 8, width: 2)),
      minor: UInt16(fields.integer(at: 10, width: 2)))
    let known = BundleLayout.version
    guard version.major <= known.major else { throw fields.fault(at: 8, .newerMajor(version)) }
    guard version.major == known.major else { throw fields.fault(at: 8, .olderMajor(version)) }
    let isNewer = version.minor > known.minor
    if !isNewer {
      try fields.require("the header size", at: 12, width: 4, toBe: size)
      try fields.require(
        "the section entry size", at: 20, width: 4, toBe: BundleLayout.sectionEntryByteCount)
      for offset in stride(from: 32, to: 64, by: 8) {
        try fields.require("a reserved field", at: offset, width: 8, toBe: 0)
      }
    }
    let longest = BundleLayout.maximumEntryByteCount
    let headerByteCount = try fields.count("the header size", at: 12, width: 4, atMost: longest)
    let entryByteCount = try fields.count(
      "the section entry size", at: 20, width: 4, atMost: longest)
    guard headerByteCount >= size, entryByteCount >= BundleLayout.sectionEntryByteCount else {
      throw fields.fault(at: 12, .truncated(expected: size, found: headerByteCount))
    }
    let sectionCount = try fields.count(
      "the section count", at: 16, width: 4, atMost: BundleLayout.maximumSections)
    guard fields.integer(at: 24, width: 8) == UInt64(source.count) else {
      let promised = Int(clamping: fields.integer(at: 24, width: 8))
      throw fields.fault(at: 24, .truncated(expected: promised, found: source.count))
    }
    let tableEnd = headerByteCount + sectionCount * entryByteCount
    guard tableEnd <= source.count else {
      throw fields.fault(at: 16, .truncated(expected: tableEnd, found: source.count))
    }
    self.init(
      version: version, headerByteCount: headerByteCount, entryByteCount: entryByteCount,
      sectionCount: sectionCount, fileByteCount: source.count,
      digest: Digest(in: first, at: Self.digestOffset))
  }

  /// The sections that the table behind the header of `source` lists, after its digest was checked:
  /// kinds ascend, chunk tables and sections follow each other without a hole up to the file's end.
  func sections(in source: BundleSource) throws(BundleError) -> [BundleSection] {
    let header = try source.bytes(at: 0, count: headerByteCount)
    let table = try source.bytes(at: headerByteCount, count: sectionCount * entryByteCount)
    guard Self.digest(header: header, sectionTable: table) == digest else {
      throw .invalid(BundleFault(path: source.path, offset: Self.digestOffset, reason: .digest))
    }
    var sections: [BundleSection] = []
    var tableEnd = headerByteCount + table.count
    for index in 0..<sectionCount {
      let start = index * entryByteCount
      let fields = BundleFields(
        path: source.path, base: headerByteCount + start,
        bytes: Array(table[start..<start + entryByteCount]))
      let section = try BundleSection(
        fields, fileByteCount: fileByteCount, chunkTableOffset: tableEnd,
        after: sections.last?.kind ?? 0, isNewer: version.minor > BundleLayout.version.minor)
      tableEnd += section.chunkCount * BundleLayout.chunkEntryByteCount
      sections.append(section)
    }
    try checkCoverage(of: sections, from: tableEnd, in: source)
    return sections
  }

  /// Sections begin at the next multiple of 64 behind what is before them, with zeros between.
  private func checkCoverage(
    of sections: [BundleSection], from tableEnd: Int, in source: BundleSource
  ) throws(BundleError) {
    var end = tableEnd
    for (index, section) in sections.enumerated() {
      let fields = BundleFields(
        path: source.path, base: headerByteCount + index * entryByteCount, bytes: [],
        section: section.name)
      let start = Checked.roundedUp(end, to: BundleLayout.alignment) ?? end
      guard section.offset == start else {
        throw fields.fault(
          at: 8, .field("the offset", expected: start, found: UInt64(section.offset)))
      }
      for byte in try source.bytes(at: end, count: start - end) where byte != 0 {
        throw .invalid(
          BundleFault(path: source.path, section: section.name, offset: end, reason: .padding))
      }
      end = start + section.storedByteCount
    }
    guard end == fileByteCount else {
      throw .invalid(
        BundleFault(
          path: source.path, offset: end, reason: .truncated(expected: end, found: fileByteCount)))
    }
  }
}

extension BundleSection {
  /// One entry of the section table. It lies within the file; its sizes agree with each other.
  init(
    _ entry: BundleFields, fileByteCount: Int, chunkTableOffset: Int, after previous: UInt32,
    isNewer: Bool
  ) throws(BundleError) {
    var fields = entry
    let kind = UInt32(fields.integer(at: 0, width: 4))
    let flags = UInt32(fields.integer(at: 4, width: 4))
    let known = BundleSectionKind(rawValue: kind)
    fields.section = known?.name ?? "section of kind \(kind)"
    guard kind > previous else { throw fields.fault(at: 0, .sectionOrder(after: previous)) }
    guard known != nil || flags & Self.requiredFlag == 0 else {
      throw fields.fault(at: 0, .unknownSection(kind))
    }
    let understood = Self.requiredFlag | Self.mappableFlag | Self.unevenFlag
    guard flags & ~understood & (isNewer ? Self.criticalFlags : .max) == 0 else {
      throw fields.fault(at: 4, .flags(flags))
    }
    let offset = try fields.count("the offset", at: 8, width: 8, atMost: fileByteCount)
    let stored = try fields.count(
      "the stored size", at: 16, width: 8, atMost: fileByteCount - offset)
    let raw = try fields.count("the raw size", at: 24, width: 8, atMost: .max / 2)
    let chunkByteCount = try fields.count(
      "the chunk size", at: 32, width: 4, atMost: BundleLayout.maximumChunkByteCount)
    guard chunkByteCount > 0 else {
      throw fields.fault(
        at: 32, .field("the chunk size", expected: BundleLayout.chunkByteCount, found: 0))
    }
    var chunks = raw / chunkByteCount + (raw % chunkByteCount == 0 ? 0 : 1)
    if flags & Self.unevenFlag == 0 {
      try fields.require("the chunk count", at: 36, width: 4, toBe: chunks)
    } else {
      let least = chunks
      chunks = try fields.count("the chunk count", at: 36, width: 4, atMost: raw)
      guard chunks >= least else {
        throw fields.fault(
          at: 36, .field("the chunk count", expected: least, found: UInt64(chunks)))
      }
    }
    try fields.require("the chunk table offset", at: 40, width: 8, toBe: chunkTableOffset)
    let room = fileByteCount - chunkTableOffset
    guard chunks <= BundleLayout.maximumChunks, room >= 0,
      chunks <= room / BundleLayout.chunkEntryByteCount
    else {
      throw fields.fault(
        at: 36,
        .bounds(
          "the chunk count",
          atMost: min(BundleLayout.maximumChunks, max(room, 0) / BundleLayout.chunkEntryByteCount),
          found: UInt64(chunks)))
    }
    if !isNewer {
      try fields.require("a reserved field", at: 48, width: 8, toBe: 0)
      try fields.require("a reserved field", at: 56, width: 8, toBe: 0)
    }
    // Raw chunks are as long as what they hold; compressed ones are shorter.
    guard flags & (Self.mappableFlag | Self.unevenFlag) == 0 ? stored <= raw : stored == raw else {
      throw fields.fault(
        at: 16, .field("the stored size", expected: raw, found: UInt64(stored)))
    }
    self.init(
      kind: kind, flags: flags, offset: offset, storedByteCount: stored, rawByteCount: raw,
      chunkByteCount: chunkByteCount, chunkCount: chunks, chunkTableOffset: chunkTableOffset,
      digest: Digest(in: fields.bytes, at: 64))
  }
}
