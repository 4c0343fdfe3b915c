// Why a bundle cannot be used, in terms of its sections, chunks and bytes.

import Bytes
import Platform

/// A bundle that could not be read, or must not be.
public enum BundleError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The system refused.
  case platform(PlatformError)
  /// The bytes are not a bundle of this format.
  case invalid(BundleFault)

  /// The file is not there.
  public var isMissing: Bool {
    if case .platform(let error) = self { error.isNotFound } else { false }
  }

  /// The fault, unless the system refused.
  public var fault: BundleFault? {
    if case .invalid(let fault) = self { fault } else { nil }
  }

  /// One line, without a full stop.
  public var description: String {
    switch self {
    case .platform(let error): error.description
    case .invalid(let fault): fault.description
    }
  }
}

/// What is wrong with a bundle, and where.
public struct BundleFault: Equatable, Sendable, CustomStringConvertible {
  public enum Reason: Equatable, Sendable {
    /// The first bytes are not the magic.
    case notABundle
    /// The magic shows that line endings were changed on the way.
    case changedLineEndings
    /// A format version that this reader does not know.
    case newerMajor(BundleVersion)
    /// A format version that this reader has left behind.
    case olderMajor(BundleVersion)
    /// A field must have one value; it has another.
    case field(String, expected: Int, found: UInt64)
    /// A field must be within bounds.
    case bounds(String, atMost: Int, found: UInt64)
    case flags(UInt32)
    /// A section of a kind that this reader must know and does not.
    case unknownSection(UInt32)
    /// Kinds must ascend.
    case sectionOrder(after: UInt32)
    case missingSection
    /// Bytes between sections that are not zero.
    case padding
    /// The bytes do not have the digest that was promised.
    case digest
    /// The file ended early.
    case truncated(expected: Int, found: Int)
    /// A chunk stored raw whose size differs, or a frame that saves nothing.
    case chunkSize(expected: Int, found: Int)
    /// A chunk that is no single zstd frame of the expected size.
    case frame(String)
    /// More bytes than the reader was told to take.
    case tooLarge(limit: Int, found: Int)
    /// A manifest or asset list that is not what it should be.
    case content(String)
  }

  /// The bundle's path, or a word for one in memory.
  public var path: String
  /// The section's name; nil for header and tables.
  public var section: String?
  /// Counted from 0 within the section.
  public var chunk: Int?
  /// Bytes from the start of the file.
  public var offset: Int
  public var reason: Reason

  public init(
    path: String, section: String? = nil, chunk: Int? = nil, offset: Int, reason: Reason
  ) {
    self.path = path
    self.section = section
    self.chunk = chunk
    self.offset = offset
    self.reason = reason
  }

  /// One line, without a full stop: `demo.knap: weights, chunk 3, byte 917504: the digest differs`.
  public var description: String {
    var text = path + ": "
    if let section { text += section + ", " }
    if let chunk { text += "chunk \(chunk), " }
    return text + "byte \(offset): " + reasonText
  }

  private var reasonText: String {
    switch reason {
    case .notABundle: "this is not a Knapsack bundle"
    case .changedLineEndings: "line endings were changed in transfer; copy the bundle as binary"
    case .olderMajor(let version):
      "the bundle has format \(version), which this program no longer reads: pack the model again"
    case .newerMajor(let version):
      "the bundle has format \(version), this program reads up to \(BundleLayout.version.major).x"
    case .field(let name, let expected, let found): "\(name) is \(found), expected \(expected)"
    case .bounds(let name, let limit, let found): "\(name) is \(found), expected at most \(limit)"
    case .flags(let flags): "unknown flags \(flags)"
    case .unknownSection(let kind): "a section of kind \(kind) is required and not known here"
    case .sectionOrder(let kind): "the section does not sort behind one of kind \(kind)"
    case .missingSection: "the bundle has no such section"
    case .padding: "expected zeros between sections"
    case .digest: "the digest differs: the bytes were changed or damaged"
    case .truncated(let expected, let found): "expected \(expected) bytes, found \(found)"
    case .chunkSize(let expected, let found):
      "the chunk has \(found) stored bytes, expected \(expected)"
    case .frame(let message): "the compressed chunk is damaged: \(message)"
    case .tooLarge(let limit, let found): "\(found) bytes, expected at most \(limit)"
    case .content(let message): message
    }
  }
}
