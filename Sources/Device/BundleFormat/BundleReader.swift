// Opens a bundle: header, section table and manifest are checked before anything is believed.

import Bytes
import Compression
import Platform

/// An open bundle. Everything it returns was checked against the digests in its header.
public final class BundleReader {
  public let header: BundleHeader
  /// In the order of the file; kinds that this reader does not know are among them.
  public let sections: [BundleSection]
  /// The manifest, a CBOR map.
  public let manifest: CBORValue

  let source: BundleSource
  let decompressor = ZstdDecompressor()
  private let progress: LoadProgress?

  /// The bundle's path, or a word for one in memory.
  public var path: String { source.path }
  /// Bytes in the whole bundle.
  public var byteCount: Int { source.count }

  /// Opens the bundle at `path`. `progress` is told what has been read and checked, then and later.
  public convenience init(path: String, progress: LoadProgress? = nil) throws(BundleError) {
    let reader: FileReader
    do throws(PlatformError) { reader = try FileReader(path: path) } catch {
      throw .platform(error)
    }
    try self.init(source: .file(reader), progress)
  }

  /// Opens a bundle that is in memory.
  public convenience init(bytes: [UInt8]) throws(BundleError) {
    try self.init(source: .memory(bytes), nil)
  }

  private init(source: BundleSource, _ progress: LoadProgress?) throws(BundleError) {
    self.source = source
    self.progress = progress
    progress?.begin(source.count)
    header = try BundleHeader(source)
    sections = try header.sections(in: source)
    guard let section = sections.first, section.knownKind == .manifest else {
      throw .invalid(
        BundleFault(
          path: source.path, section: "manifest", offset: header.headerByteCount,
          reason: .missingSection))
    }
    let loader = SectionLoader(source: source, decompressor: decompressor, progress: progress)
    let bytes = try loader.bytes(of: section, limit: BundleSectionKind.manifest.limit)
    manifest = try BundleReader.map(bytes, of: section, path: source.path)
  }

  /// The section of a kind; nil where the bundle has none.
  public func section(_ kind: BundleSectionKind) -> BundleSection? {
    for section in sections where section.kind == kind.rawValue { return section }
    return nil
  }

  /// The section's raw bytes, checked, in memory. At most `limit` are taken; without one, the
  /// kind's own.
  public func sectionBytes(
    _ kind: BundleSectionKind, limit: Int? = nil
  ) throws(BundleError) -> [UInt8] {
    try loader.bytes(of: try present(kind), limit: limit ?? kind.limit)
  }

  /// Checks every chunk of every section, those of unknown kinds too, through one small buffer.
  public func verifyAll() throws(BundleError) {
    for section in sections { try loader.verify(section) }
  }

  /// Names everything the bundle holds: a digest over its sections' digests, kinds and sizes,
  /// signatures left out, so that signing does not change it.
  public var contentDigest: Digest {
    var writer = ByteWriter()
    writer.put(header.version.major)
    for section in sections where section.knownKind != .signatures {
      section.appendContent(to: &writer)
    }
    return Digest(of: writer.bytes)
  }

  var loader: SectionLoader {
    SectionLoader(source: source, decompressor: decompressor, progress: progress)
  }

  func present(_ kind: BundleSectionKind) throws(BundleError) -> BundleSection {
    guard let section = section(kind) else {
      throw .invalid(
        BundleFault(
          path: path, section: kind.name, offset: header.headerByteCount,
          reason: .missingSection))
    }
    return section
  }

  /// A CBOR map that a section holds.
  static func map(
    _ bytes: [UInt8], of section: BundleSection, path: String
  ) throws(BundleError) -> CBORValue {
    do throws(CBORError) {
      let value = try CBOR.decode(bytes)
      if value.mapValue != nil { return value }
    } catch {
      throw .invalid(
        BundleFault(
          path: path, section: section.name, offset: section.offset,
          reason: .content("CBOR " + error.description)))
    }
    throw .invalid(
      BundleFault(
        path: path, section: section.name, offset: section.offset,
        reason: .content("expected a CBOR map")))
  }
}
