// Takes sections out of a bundle chunk by chunk; no byte is decompressed before its digest matched.

import Bytes
import Compression
import Platform

/// Reads, checks and decompresses the chunks of one bundle.
struct SectionLoader {
  let source: BundleSource
  let decompressor: ZstdDecompressor
  let progress: LoadProgress?

  /// The chunk table of `section`, checked against the section's digest and size.
  func chunks(of section: BundleSection) throws(BundleError) -> [BundleChunk] {
    let entry = BundleLayout.chunkEntryByteCount
    let table = try source.bytes(
      at: section.chunkTableOffset, count: section.chunkCount * entry)
    guard Digest(of: table) == section.digest else {
      throw fault(section, nil, at: section.chunkTableOffset, .digest)
    }
    let fields = BundleFields(
      path: source.path, base: section.chunkTableOffset, bytes: table, section: section.name)
    var chunks: [BundleChunk] = []
    chunks.reserveCapacity(section.chunkCount)
    var total = 0
    for index in 0..<section.chunkCount {
      let start = index * entry
      let isCompressed =
        try fields.count("the chunk's kind", at: start + 4, width: 4, atMost: 1) == 1
      let raw =
        section.isUneven
        ? max(
          1,
          try fields.count(
            "the chunk's stored size", at: start, width: 4, atMost: section.chunkByteCount))
        : section.rawByteCount(ofChunk: index)
      // A compressed chunk that saves nothing would be a second encoding of a raw one.
      let stored = try fields.count(
        "the chunk's stored size", at: start, width: 4, atMost: isCompressed ? raw - 1 : raw)
      guard isCompressed ? stored > 0 && !section.isMappable && !section.isUneven : stored == raw
      else {
        throw fault(
          section, index, at: fields.base + start, .chunkSize(expected: raw, found: stored))
      }
      total += stored
      chunks.append(
        BundleChunk(
          isCompressed: isCompressed, storedByteCount: stored,
          digest: Digest(in: table, at: start + 8)))
    }
    guard total == section.storedByteCount else {
      throw fault(
        section, nil, at: section.chunkTableOffset,
        .truncated(expected: section.storedByteCount, found: total))
    }
    return chunks
  }

  /// Calls `body` with each chunk's stored bytes, which have their digest, and with the chunk's
  /// index, kind and place in the file. One buffer serves all.
  func forEachChunk(
    of section: BundleSection,
    _ body: (Int, BundleChunk, Int, UnsafeRawBufferPointer) throws(BundleError) -> Void
  ) throws(BundleError) {
    let chunks = try chunks(of: section)
    var largest = 0
    for chunk in chunks { largest = max(largest, chunk.storedByteCount) }
    var buffer = [UInt8](repeating: 0, count: largest)
    var offset = section.offset
    for (index, chunk) in chunks.enumerated() {
      try source.read(at: offset, count: chunk.storedByteCount, into: &buffer)
      try unsafe buffer.withUnsafeBufferPointer { all throws(BundleError) in
        let stored = unsafe UnsafeRawBufferPointer(
          start: all.baseAddress, count: chunk.storedByteCount)
        guard unsafe Digest(of: RawSpan(_unsafeBytes: stored)) == chunk.digest else {
          throw fault(section, index, at: offset, .digest)
        }
        progress?.add(chunk.storedByteCount)
        try unsafe body(index, chunk, offset, stored)
      }
      offset += chunk.storedByteCount
    }
  }

  /// Checks every chunk of `section`; compressed ones are decompressed as well.
  func verify(_ section: BundleSection) throws(BundleError) {
    var raw: [UInt8] = []
    try unsafe forEachChunk(of: section) { index, chunk, offset, stored throws(BundleError) in
      guard chunk.isCompressed else { return }
      let count = section.rawByteCount(ofChunk: index)
      if raw.isEmpty { raw = [UInt8](repeating: 0, count: section.rawByteCount(ofChunk: 0)) }
      let problem = unsafe raw.withUnsafeMutableBufferPointer { raw in
        let target = unsafe UnsafeMutableRawBufferPointer(start: raw.baseAddress, count: count)
        return unsafe decompressor.decompress(stored, into: target)
      }
      if let problem { throw fault(section, index, at: offset, .frame(problem)) }
    }
  }

  /// The raw bytes of `section`, at most `limit`.
  func bytes(of section: BundleSection, limit: Int) throws(BundleError) -> [UInt8] {
    try requireSize(of: section, limit: limit)
    var bytes = [UInt8](repeating: 0, count: section.rawByteCount)
    try unsafe bytes.withUnsafeMutableBufferPointer { bytes throws(BundleError) in
      try unsafe load(section, into: UnsafeMutableRawBufferPointer(bytes))
    }
    return bytes
  }

  /// Fills `target`, which has the section's raw size.
  func load(
    _ section: BundleSection, into target: UnsafeMutableRawBufferPointer
  ) throws(BundleError) {
    try unsafe forEachChunk(of: section) { index, chunk, offset, stored throws(BundleError) in
      let start =
        section.isUneven ? offset - section.offset : index * section.chunkByteCount
      let count =
        section.isUneven ? chunk.storedByteCount : section.rawByteCount(ofChunk: index)
      let part = unsafe UnsafeMutableRawBufferPointer(
        rebasing: target[start..<start + count])
      if !chunk.isCompressed {
        unsafe part.copyMemory(from: stored)
      } else if let problem = unsafe decompressor.decompress(stored, into: part) {
        throw fault(section, index, at: offset, .frame(problem))
      }
    }
  }

  /// The stored bytes of one chunk, which have its digest, into `buffer`.
  func read(
    _ chunk: BundleChunk, _ index: Int, of section: BundleSection, at offset: Int,
    into buffer: inout [UInt8]
  ) throws(BundleError) {
    if buffer.count < chunk.storedByteCount {
      buffer = [UInt8](repeating: 0, count: chunk.storedByteCount)
    }
    try source.read(at: offset, count: chunk.storedByteCount, into: &buffer)
    let span = unsafe buffer.span.bytes.extracting(first: chunk.storedByteCount)
    guard Digest(of: span) == chunk.digest else {
      throw fault(section, index, at: offset, .digest)
    }
    progress?.add(chunk.storedByteCount)
  }

  /// Refuses a section of more than `limit` raw bytes, before memory is taken for it.
  func requireSize(of section: BundleSection, limit: Int) throws(BundleError) {
    guard section.rawByteCount <= limit else {
      throw fault(
        section, nil, at: section.offset, .tooLarge(limit: limit, found: section.rawByteCount))
    }
  }

  func fault(
    _ section: BundleSection, _ chunk: Int?, at offset: Int, _ reason: BundleFault.Reason
  ) -> BundleError {
    .invalid(
      BundleFault(
        path: source.path, section: section.name, chunk: chunk, offset: offset, reason: reason))
  }
}
