// Decodes the codes section into memory: chunk by chunk, several threads side by side.

import Bytes
import Kernels
import Platform
import Synchronization
import WeightCoding

/// One load of all coded weights.
///
/// Threads take chunks in order. Each reads one, checks its digest, and decodes the pieces in it with
/// memory of its own: a chunk's bytes and `PieceDecoder`, about a megabyte at most.
final class CodeLoader: @unchecked Sendable {
  private let loader: SectionLoader
  private let section: BundleSection
  private let chunks: [BundleChunk]
  /// Where each chunk begins in the section.
  private let starts: [Int]
  /// The first piece of each chunk, and behind the last.
  private let firstPieces: [Int]
  /// All pieces in order: the entry, its piece.
  private let pieces: [(entry: Int, piece: Int)]
  private let entries: [CodedWeightEntry]
  private let memory: AnonymousMemory
  private let next = Atomic<Int>(0)
  private let hasFailed = Atomic<Bool>(false)
  /// What went wrong in the part of each thread, and in which chunk. Written by that thread only.
  private var failures: [(chunk: Int, error: BundleError)?] = []

  init(
    _ loader: SectionLoader, _ section: BundleSection, _ list: CodedWeightList,
    into memory: AnonymousMemory
  ) throws(BundleError) {
    self.loader = loader
    self.section = section
    self.memory = memory
    entries = list.entries
    chunks = try loader.chunks(of: section)
    var pieces: [(entry: Int, piece: Int)] = []
    var starts: [Int] = []
    var firstPieces: [Int] = []
    var entry = 0
    var piece = 0
    var position = 0
    var end = 0
    for (index, chunk) in chunks.enumerated() {
      starts.append(end)
      firstPieces.append(pieces.count)
      end += chunk.storedByteCount
      while entry < entries.count {
        guard piece < entries[entry].pieceByteCounts.count else {
          entry += 1
          piece = 0
          continue
        }
        guard position < end else { break }
        position += entries[entry].pieceByteCounts[piece]
        guard position <= end else {
          throw loader.fault(
            section, index, at: section.offset + end,
            .content("a piece of weight \(entries[entry].weight) does not end with its chunk"))
        }
        pieces.append((entry, piece))
        piece += 1
      }
    }
    self.pieces = pieces
    self.starts = starts
    self.firstPieces = firstPieces + [pieces.count]
  }

  /// Decodes everything.
  func run(threads: Int) throws(BundleError) {
    let threads = max(1, min(threads, chunks.count))
    failures = Array(repeating: nil, count: threads)
    if threads > 1, let pool = try? ThreadPool(threads: threads) {
      unsafe pool.run(
        { arguments, part, _ in
          guard let arguments = unsafe arguments else { return }
          unsafe Unmanaged<CodeLoader>.fromOpaque(arguments).takeUnretainedValue().work(part)
        }, Unmanaged.passUnretained(self).toOpaque(), parts: threads)
    } else {
      work(0)
    }
    var first: (chunk: Int, error: BundleError)?
    for failure in failures {
      if let failure, failure.chunk < first?.chunk ?? .max { first = failure }
    }
    if let first { throw first.error }
  }

  /// What one thread does.
  private func work(_ part: Int) {
    let decoder = PieceDecoder()
    var buffer: [UInt8] = []
    while !hasFailed.load(ordering: .relaxed) {
      let chunk = next.add(1, ordering: .relaxed).oldValue
      guard chunk < chunks.count else { return }
      do throws(BundleError) {
        try decode(chunk, decoder, &buffer)
      } catch {
        // The thread that took an earlier chunk finishes it, so that the first fault is the one told.
        unsafe failures.withUnsafeMutableBufferPointer { unsafe $0[part] = (chunk, error) }
        hasFailed.store(true, ordering: .relaxed)
        return
      }
    }
  }

  private func decode(
    _ index: Int, _ decoder: PieceDecoder, _ buffer: inout [UInt8]
  ) throws(BundleError) {
    let chunk = chunks[index]
    let start = section.offset + starts[index]
    try loader.read(chunk, index, of: section, at: start, into: &buffer)
    let bytes = unsafe buffer.span.bytes
    var position = 0
    for (number, piece) in pieces[firstPieces[index]..<firstPieces[index + 1]] {
      let entry = entries[number]
      let count = entry.pieceByteCounts[piece]
      let target = unsafe UnsafeMutableRawBufferPointer(
        rebasing: memory.buffer[entry.target..<entry.target + entry.coded.byteCount])
      do throws(WeightCodingError) {
        try unsafe decoder.decode(
          piece, of: entry.coded, bytes: bytes.extracting(position..<position + count),
          into: target)
      } catch {
        throw loader.fault(
          section, index, at: start + position + error.offset,
          .content("weight \(entry.weight): \(error.message)"))
      }
      position += count
    }
  }
}
