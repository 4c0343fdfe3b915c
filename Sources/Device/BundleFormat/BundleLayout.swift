// Where everything stands in a bundle's bytes: header, section table, chunk tables.
//
//   header         96 bytes: magic, version, sizes, digest of itself and of the section table
//   section table  96 bytes each, kinds ascending
//   chunk tables   40 bytes each chunk, one table after the other, in the order of sections
//   sections       each at the next multiple of 64; the bytes between are zero; the last one ends
//                  the file
//
// Weights are in one of two places. Those that are stored as they are used stand in the weights section.
// The others are coded: the coding section lists them and says how, the codes section holds their pieces,
// and what they decode to follows the weights section in the program's count of bytes.
//
// A chunk's digest is over its stored bytes, a section's over its chunk table, the header's over the
// section table: whoever trusts the header's digest can check any chunk by itself.

import Bytes

/// Numbers that reader and writer share.
public enum BundleLayout {
  /// A first byte that no text has, a carriage return and line feed that text-mode transfers
  /// change, and the byte that ends text on DOS.
  public static var magic: [UInt8] { [0x8B, 0x4B, 0x4E, 0x41, 0x50, 0x0D, 0x0A, 0x1A] }
  /// The version written, and the newest read.
  public static var version: BundleVersion { BundleVersion(major: 3, minor: 0) }

  public static var headerByteCount: Int { 96 }
  public static var sectionEntryByteCount: Int { 96 }
  public static var chunkEntryByteCount: Int { 40 }
  /// Sections begin at multiples of it.
  public static var alignment: Int { 64 }
  /// Raw bytes in every chunk but a section's last.
  public static var chunkByteCount: Int { 256 << 10 }

  /// Bounds on what is read, far above what is written.
  static var maximumSections: Int { 64 }
  static var maximumChunkByteCount: Int { 4 << 20 }
  static var maximumChunks: Int { 1 << 20 }
  /// A header or table entry of a newer minor version may be longer, up to this.
  static var maximumEntryByteCount: Int { 4096 }
}

/// The format's version. A newer minor version is readable, a newer major one is not.
public struct BundleVersion: Equatable, Sendable, CustomStringConvertible {
  public let major: UInt16
  public let minor: UInt16

  public init(major: UInt16, minor: UInt16) {
    self.major = major
    self.minor = minor
  }

  public var description: String { "\(major).\(minor)" }
}

/// What a section holds.
public enum BundleSectionKind: UInt32, CaseIterable, Sendable {
  /// Deterministic CBOR: everything there is to say about the bundle. Always the first.
  case manifest = 1
  /// The lowered model.
  case program = 2
  /// Constants as they are used, each at a multiple of 64 bytes.
  case weights = 3
  /// Named blobs: vocabulary, labels.
  case assets = 4
  /// What evaluation found before the bundle was shipped.
  case report = 5
  /// Reserved: signatures over `BundleReader.contentDigest`.
  case signatures = 6
  /// Which constants are coded, and how (`CodedWeightList`).
  case coding = 7
  /// Their pieces; a chunk holds whole ones.
  case codes = 8

  public var name: String {
    switch self {
    case .manifest: "manifest"
    case .program: "program"
    case .weights: "weights"
    case .assets: "assets"
    case .report: "report"
    case .signatures: "signatures"
    case .coding: "coding"
    case .codes: "codes"
    }
  }

  /// The most raw bytes that a reader takes into memory unless told otherwise.
  public var limit: Int {
    switch self {
    case .manifest, .signatures: 1 << 20
    case .program, .assets, .coding: 64 << 20
    case .report: 16 << 20
    case .weights, .codes: .max
    }
  }
}

/// One entry of the section table.
public struct BundleSection: Equatable, Sendable {
  /// Readers that do not know the kind must refuse the bundle.
  public static var requiredFlag: UInt32 { 1 }
  /// Every chunk is stored raw, so that the section can be used where it is mapped.
  public static var mappableFlag: UInt32 { 2 }
  /// Chunks are raw and of any size up to the section's, so that they can end where their content does.
  public static var unevenFlag: UInt32 { 4 }
  /// Unknown flags among these are refused, others ignored.
  static var criticalFlags: UInt32 { 0xFFFF }

  public var kind: UInt32
  public var flags: UInt32
  /// Where its first chunk begins in the file.
  public var offset: Int
  public var storedByteCount: Int
  public var rawByteCount: Int
  /// Raw bytes per chunk; the last has what is left. The most where chunks are uneven.
  public var chunkByteCount: Int
  public var chunkCount: Int
  /// Where its chunk table begins in the file.
  public var chunkTableOffset: Int
  /// Digest of the chunk table.
  public var digest: Digest

  public init(
    kind: UInt32, flags: UInt32, offset: Int, storedByteCount: Int, rawByteCount: Int,
    chunkByteCount: Int, chunkCount: Int, chunkTableOffset: Int, digest: Digest
  ) {
    self.kind = kind
    self.flags = flags
    self.offset = offset
    self.storedByteCount = storedByteCount
    self.rawByteCount = rawByteCount
    self.chunkByteCount = chunkByteCount
    self.chunkCount = chunkCount
    self.chunkTableOffset = chunkTableOffset
    self.digest = digest
  }

  public var knownKind: BundleSectionKind? { BundleSectionKind(rawValue: kind) }
  public var name: String { knownKind?.name ?? "section of kind \(kind)" }
  public var isRequired: Bool { flags & Self.requiredFlag != 0 }
  public var isMappable: Bool { flags & Self.mappableFlag != 0 }
  public var isUneven: Bool { flags & Self.unevenFlag != 0 }

  /// Raw bytes of chunk `index`, unless chunks are uneven: those are as long as they are stored.
  public func rawByteCount(ofChunk index: Int) -> Int {
    min(chunkByteCount, rawByteCount - index * chunkByteCount)
  }

  /// Appends the 96 bytes of the entry.
  public func append(to writer: inout ByteWriter) {
    writer.put(kind)
    writer.put(flags)
    writer.put(UInt64(offset))
    writer.put(UInt64(storedByteCount))
    writer.put(UInt64(rawByteCount))
    writer.put(UInt32(chunkByteCount))
    writer.put(UInt32(chunkCount))
    writer.put(UInt64(chunkTableOffset))
    writer.put(UInt64(0))
    writer.put(UInt64(0))
    digest.append(to: &writer)
  }

  /// Appends what a signature covers: all but where the section lies, which its size decides.
  func appendContent(to writer: inout ByteWriter) {
    writer.put(kind)
    writer.put(flags)
    writer.put(UInt64(rawByteCount))
    writer.put(UInt32(chunkByteCount))
    writer.put(UInt32(chunkCount))
    digest.append(to: &writer)
  }
}

/// One entry of a chunk table.
public struct BundleChunk: Equatable, Sendable {
  /// Whether it is stored as one zstd frame; raw otherwise.
  public var isCompressed: Bool
  public var storedByteCount: Int
  /// Digest of the stored bytes.
  public var digest: Digest

  public init(isCompressed: Bool, storedByteCount: Int, digest: Digest) {
    self.isCompressed = isCompressed
    self.storedByteCount = storedByteCount
    self.digest = digest
  }

  /// Appends the 40 bytes of the entry.
  public func append(to writer: inout ByteWriter) {
    writer.put(UInt32(storedByteCount))
    writer.put(UInt32(isCompressed ? 1 : 0))
    digest.append(to: &writer)
  }
}

/// The first bytes of a bundle.
public struct BundleHeader: Equatable, Sendable {
  /// Where the digest stands; all bytes around it are digested.
  static var digestOffset: Int { 64 }

  public var version: BundleVersion
  public var headerByteCount: Int
  public var entryByteCount: Int
  public var sectionCount: Int
  public var fileByteCount: Int
  public var digest: Digest

  /// The header of this version over `sectionTable`.
  public init(sectionTable: [UInt8], sectionCount: Int, fileByteCount: Int) {
    version = BundleLayout.version
    headerByteCount = BundleLayout.headerByteCount
    entryByteCount = BundleLayout.sectionEntryByteCount
    self.sectionCount = sectionCount
    self.fileByteCount = fileByteCount
    digest = Digest(of: [])
    digest = Self.digest(header: bytes, sectionTable: sectionTable)
  }

  init(
    version: BundleVersion, headerByteCount: Int, entryByteCount: Int, sectionCount: Int,
    fileByteCount: Int, digest: Digest
  ) {
    self.version = version
    self.headerByteCount = headerByteCount
    self.entryByteCount = entryByteCount
    self.sectionCount = sectionCount
    self.fileByteCount = fileByteCount
    self.digest = digest
  }

  /// The 96 bytes of the header.
  public var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.put(BundleLayout.magic)
    writer.put(version.major)
    writer.put(version.minor)
    writer.put(UInt32(headerByteCount))
    writer.put(UInt32(sectionCount))
    writer.put(UInt32(entryByteCount))
    writer.put(UInt64(fileByteCount))
    writer.align(to: Self.digestOffset)
    digest.append(to: &writer)
    return writer.bytes
  }

  /// The digest of the header's bytes, its own place left out, and of the section table.
  static func digest(header: [UInt8], sectionTable: [UInt8]) -> Digest {
    var covered = Array(header[..<digestOffset])
    covered.append(contentsOf: header[(digestOffset + Digest.byteCount)...])
    covered.append(contentsOf: sectionTable)
    return Digest(of: covered)
  }
}
