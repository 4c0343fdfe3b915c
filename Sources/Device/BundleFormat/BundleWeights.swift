// Weights as memory: mapped where they are stored as they are used, decoded or unpacked otherwise.

import Bytes
import Platform
import Programs

/// All constants of a bundle, read-only, for as long as this object lives.
@safe public final class BundleWeights: @unchecked Sendable {
  private enum Storage {
    case mapped(MappedFile)
    case unpacked(AnonymousMemory)
  }

  private let storage: Storage
  private let offset: Int
  /// What coded weights became; it follows the others.
  private let decoded: AnonymousMemory?
  /// Bytes of weights that are not coded.
  public let count: Int

  /// Bytes of all weights.
  public var totalCount: Int { count + (decoded?.count ?? 0) }
  /// Bytes that were decoded.
  public var decodedCount: Int { decoded?.count ?? 0 }

  /// Whether the bytes are pages of the bundle's file, which the system may drop and read again.
  public var isMapped: Bool { if case .mapped = storage { true } else { false } }

  fileprivate init(mapped file: MappedFile, offset: Int, count: Int) {
    storage = .mapped(file)
    self.offset = offset
    self.count = count
    decoded = nil
  }

  fileprivate init(unpacked memory: AnonymousMemory) {
    storage = .unpacked(memory)
    offset = 0
    count = memory.count
    decoded = nil
  }

  fileprivate init(_ stored: BundleWeights, decoded: AnonymousMemory) {
    storage = stored.storage
    offset = stored.offset
    count = stored.count
    self.decoded = decoded
  }

  /// The bytes of a weight from `offset` of the program's count on: where they are, or nil where they
  /// are not all in one place. The caller keeps this object alive.
  @unsafe public func start(ofWeightAt offset: Int, byteCount: Int) -> UnsafeRawPointer? {
    if Checked.fits(offset: offset, count: byteCount, in: count) {
      return unsafe buffer.baseAddress.map { unsafe $0 + offset }
    }
    guard let decoded,
      Checked.fits(offset: offset - count, count: byteCount, in: decoded.count)
    else { return nil }
    return unsafe decoded.buffer.baseAddress.map { unsafe UnsafeRawPointer($0 + (offset - count)) }
  }

  /// The weights that are not coded; the first byte's address is a multiple of 64. The caller keeps this object alive.
  @unsafe public var buffer: UnsafeRawBufferPointer {
    switch storage {
    case .mapped(let file):
      unsafe UnsafeRawBufferPointer(rebasing: file.buffer[offset..<offset + count])
    case .unpacked(let memory): unsafe UnsafeRawBufferPointer(memory.buffer)
    }
  }

  /// The weights that are not coded, valid while this object lives.
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

  /// Bytes of all weights once they are loaded: the program's offsets count through them.
  public func weightByteCount() throws(BundleError) -> Int {
    let stored = try present(.weights).rawByteCount
    guard let coding = section(.coding) else { return stored }
    let bytes = try sectionBytes(.coding)
    do throws(CodedWeightList.Problem) {
      let decoded = try CodedWeightList.decodedByteCount(bytes)
      if let sum = Checked.sum(stored, decoded) { return sum }
    } catch {
      throw loader.fault(coding, nil, at: coding.offset, .content(error.message))
    }
    throw loader.fault(coding, nil, at: coding.offset, .content("the weights are too large"))
  }

  /// Which weights of `program`, valid for so many bytes of weights, are coded, and how.
  public func codedWeights(of program: Program) throws(BundleError) -> CodedWeightList {
    guard let coding = section(.coding) else { return CodedWeightList() }
    let bytes = try sectionBytes(.coding)
    let weightBytes = try present(.weights).rawByteCount
    let codesBytes = try present(.codes).rawByteCount
    do throws(CodedWeightList.Problem) {
      return try CodedWeightList(
        bytes, program, weightBytes: weightBytes, codesBytes: codesBytes)
    } catch {
      throw loader.fault(coding, nil, at: coding.offset, .content(error.message))
    }
  }

  /// All weights of `program`: those that are coded decoded on so many threads into memory, of which
  /// at most `limit` bytes are taken, the others as `mapWeights` gives them.
  public func loadWeights(
    of program: Program, threads: Int, limit: Int = .max
  ) throws(BundleError) -> BundleWeights {
    let stored = try mapWeights(limit: limit)
    let list = try codedWeights(of: program)
    guard let section = section(.codes), let coding = self.section(.coding) else { return stored }
    guard list.decodedByteCount <= limit else {
      throw loader.fault(
        coding, nil, at: coding.offset, .tooLarge(limit: limit, found: list.decodedByteCount))
    }
    let memory: AnonymousMemory
    do throws(PlatformError) {
      memory = try AnonymousMemory(count: list.decodedByteCount)
    } catch { throw .platform(error) }
    try CodeLoader(loader, section, list, into: memory).run(threads: threads)
    return BundleWeights(stored, decoded: memory)
  }
}
