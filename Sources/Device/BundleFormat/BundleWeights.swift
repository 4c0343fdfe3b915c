// The weights section as memory: mapped where it is stored raw, unpacked otherwise.

import Bytes
import Platform

/// All constants of a bundle, read-only, for as long as this object lives.
@safe public final class BundleWeights: @unchecked Sendable {
  private enum Storage {
    case mapped(MappedFile)
    case unpacked(AnonymousMemory)
  }

  private let storage: Storage
  private let offset: Int
  /// Bytes of weights.
  public let count: Int

  /// Whether the bytes are pages of the bundle's file, which the system may drop and read again.
  public var isMapped: Bool { if case .mapped = storage { true } else { false } }

  fileprivate init(mapped file: MappedFile, offset: Int, count: Int) {
    storage = .mapped(file)
    self.offset = offset
    self.count = count
  }

  fileprivate init(unpacked memory: AnonymousMemory) {
    storage = .unpacked(memory)
    offset = 0
    count = memory.count
  }

  /// The weights; the first byte's address is a multiple of 64. The caller keeps this object alive.
  @unsafe public var buffer: UnsafeRawBufferPointer {
    switch storage {
    case .mapped(let file):
      unsafe UnsafeRawBufferPointer(rebasing: file.buffer[offset..<offset + count])
    case .unpacked(let memory): unsafe UnsafeRawBufferPointer(memory.buffer)
    }
  }

  /// The weights, valid while this object lives.
  public var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      let span = unsafe RawSpan(_unsafeBytes: buffer)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }
}

extension BundleReader {
  /// The weights, checked: through a small buffer first and then mapped where all chunks are stored
  /// raw in a file, so that only pages which are used become resident; else unpacked into memory of
  /// their size, of which at most `limit` bytes are taken.
  public func mapWeights(limit: Int = .max) throws(BundleError) -> BundleWeights {
    let section = try present(.weights)
    if section.isMappable, case .file(let reader) = source {
      try loader.verify(section)
      do throws(PlatformError) {
        return BundleWeights(
          mapped: try MappedFile(mapping: reader), offset: section.offset,
          count: section.rawByteCount)
      } catch { throw .platform(error) }
    }
    try loader.requireSize(of: section, limit: limit)
    let memory: AnonymousMemory
    do throws(PlatformError) {
      memory = try AnonymousMemory(count: section.rawByteCount)
    } catch { throw .platform(error) }
    try unsafe loader.load(section, into: memory.buffer)
    return BundleWeights(unpacked: memory)
  }
}
