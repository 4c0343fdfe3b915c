// Decodes the pieces of coded weights into the weights' bytes, one piece at a time.

import Bytes
import CKernels
import Compression
import Tensors

/// Memory for decoding, kept from piece to piece: one decoder to a thread.
///
/// Its size does not depend on the weights: tables of at most 512 KiB, runs of 64 KiB, a plane of 256 KiB.
public final class PieceDecoder {
  private let decompressor = ZstdDecompressor()
  private var tables: [UInt32] = []
  private var values = [Int16](repeating: 0, count: 2 * Int(KN_RANS_SYMBOLS))
  private var runs: [Int16] = []
  private var runLevels: [UInt8] = []
  private var columnLevels: [UInt8] = []
  /// Of what moves levels; empty where nothing does.
  private var factors: [UInt32] = []
  private var moves: [Int32] = []
  private var plane: [UInt8] = []
  /// The weight that the tables belong to.
  private var current: CodedWeight?

  public init() {}

  /// Decodes piece `index` of `weight` into its place.
  ///
  /// target: all bytes of the weight's stored form, zeros where nothing was decoded yet. Pieces write
  /// different bytes of it, so that several decoders may work on one weight.
  public func decode(
    _ index: Int, of weight: CodedWeight, bytes: RawSpan, into target: UnsafeMutableRawBufferPointer
  ) throws(WeightCodingError) {
    precondition(target.count == weight.byteCount && (0..<weight.pieceCount).contains(index))
    guard let base = target.baseAddress else { return }
    if let integers = weight.integers, index < integers.pieceCount {
      try unsafe decodeIntegers(index, of: weight, integers, bytes, base)
    } else {
      let index = index - (weight.integers?.pieceCount ?? 0)
      try unsafe decodePlanes(index, of: weight, bytes, base)
    }
  }

  // MARK: Integers

  private func decodeIntegers(
    _ index: Int, of weight: CodedWeight, _ coding: IntegerCoding, _ bytes: RawSpan,
    _ base: UnsafeMutableRawPointer
  ) throws(WeightCodingError) {
    prepare(for: weight, coding)
    let placement = WeightPlacement(
      weight.encoding ?? WeightEncoding(.f32, .rowMajor), weight.shape)
    let pieceRuns = coding.runs(ofPiece: index)
    var stream = IntegerStream(coding, limit: placement.limit)
    var reader = ByteReader(bytes)
    let words: RawSpan
    let bits: RawSpan
    var levels: [UInt8] = []
    var levelsAt = 0
    do throws(ByteError) {
      if coding.runLevelBits > 0 {
        levelsAt = reader.offset + 1
        levels = try reader.array(Int(clamping: try reader.varint() & 0xFFFF_FFFF))
      }
      for lane in 0..<coding.lanes { stream.setState(lane, try reader.integer()) }
      let offset = reader.offset
      let bitsCount = coding.hasBits ? Int(clamping: try reader.varint() & 0xFFFF_FFFF) : 0
      let left = reader.remaining - bitsCount
      guard left >= 0, left % 2 == 0 else {
        throw ByteError(
          offset: offset, reason: .truncated(needed: bitsCount, remaining: reader.remaining))
      }
      words = try reader.span(left)
      bits = try reader.span(reader.remaining)
    } catch {
      throw WeightCodingError(error)
    }
    try readLevels(levels, pieceRuns.count, coding.runLevelBits, at: levelsAt)
    if index == 0, weight.kind == .steps { unsafe placement.placeScales(weight.scale, base) }
    let status = unsafe words.withUnsafeBytes { words in
      unsafe bits.withUnsafeBytes { bits in
        unsafe tables.withUnsafeBufferPointer { tables in
          unsafe values.withUnsafeBufferPointer { values in
            unsafe columnLevels.withUnsafeBufferPointer { columns in
              unsafe factors.withUnsafeBufferPointer { factors in
                unsafe moves.withUnsafeBufferPointer { moves in
                  unsafe stream.open(
                    tables: tables.baseAddress, values: values.baseAddress,
                    columns: columns.baseAddress,
                    factors: coding.activity == nil ? nil : factors.baseAddress,
                    moves: moves.baseAddress, words: words, bits: bits)
                  return unsafe decodeRuns(
                    pieceRuns, coding, &stream, placement, weight.scale, base)
                }
              }
            }
          }
        }
      }
    }
    let offset = bytes.byteCount - bits.byteCount
    switch status {
    case KN_RANS_DONE:
      if !stream.isAtEnd { throw WeightCodingError(offset: offset, reason: .remainder) }
    case KN_RANS_SHORT: throw WeightCodingError(offset: offset, reason: .streamEnd)
    case KN_RANS_VALUE: throw WeightCodingError(offset: offset, reason: .value)
    default: throw WeightCodingError(offset: offset, reason: .escape)
    }
  }

  /// Group after group of runs; what the kernel says of them.
  private func decodeRuns(
    _ pieceRuns: Range<Int>, _ coding: IntegerCoding, _ stream: inout IntegerStream,
    _ placement: WeightPlacement, _ scale: Float, _ base: UnsafeMutableRawPointer
  ) -> kn_rans_status {
    for first in stride(from: pieceRuns.lowerBound, to: pieceRuns.upperBound, by: coding.lanes) {
      let count = min(coding.lanes, pieceRuns.upperBound - first)
      let last = coding.length(ofRun: first + count - 1)
      let status = unsafe runs.withUnsafeMutableBufferPointer { out in
        unsafe runLevels.withUnsafeBufferPointer { levels in
          guard let out = out.baseAddress, let levels = levels.baseAddress else {
            return KN_RANS_SHORT
          }
          let status = unsafe stream.decode(
            levels + (first - pieceRuns.lowerBound), runs: count, length: coding.runLength,
            lastLength: last, into: out)
          guard status == KN_RANS_DONE else { return status }
          unsafe placement.place(
            out, count: (count - 1) * coding.runLength + last, from: first * coding.runLength,
            scale: scale, base)
          return status
        }
      }
      guard status == KN_RANS_DONE else { return status }
    }
    return KN_RANS_DONE
  }

  private func readLevels(
    _ bytes: [UInt8], _ count: Int, _ width: Int, at offset: Int
  ) throws(WeightCodingError) {
    runLevels.replaceSubrange(0..<count, with: repeatElement(0, count: count))
    guard width > 0 else { return }
    var levels = [UInt8](repeating: 0, count: count)
    var coder = try AdaptiveBitReader(bytes, base: offset)
    try coder.code(levels: &levels, width: width)
    guard coder.isAtEnd else {
      throw WeightCodingError(offset: coder.offset, reason: .remainder)
    }
    runLevels.replaceSubrange(0..<count, with: levels)
  }

  /// Makes the tables of a weight's contexts, unless they are there.
  private func prepare(for weight: CodedWeight, _ coding: IntegerCoding) {
    if let current, current === weight { return }
    current = weight
    let slots = Int(KN_RANS_SLOTS)
    if tables.count < coding.contexts * slots {
      tables = [UInt32](repeating: 0, count: coding.contexts * slots)
    }
    for (context, frequencies) in coding.frequencies.enumerated() {
      var slot = context * slots
      for (symbol, stored) in frequencies.enumerated() where stored > 0 {
        let frequency = Int(stored) << (12 - coding.precision)
        let entry = UInt32(symbol) | UInt32(frequency - 1) << 8
        for i in 0..<frequency { tables[slot + i] = entry | UInt32(i) << 20 }
        slot += frequency
      }
    }
    if coding.shift == 0 {
      for quantizer in 0..<2 {
        for symbol in 0..<coding.symbolCount {
          values[quantizer * Int(KN_RANS_SYMBOLS) + symbol] = Int16(
            coding.rule.value(coding.low + symbol, quantizer: quantizer))
        }
      }
    }
    factors = coding.activity?.factors ?? []
    moves = coding.activity?.moves ?? []
    runs = [Int16](repeating: 0, count: coding.lanes * coding.runLength)
    if runLevels.count < coding.runsPerPiece {
      runLevels = [UInt8](repeating: 0, count: coding.runsPerPiece)
    }
    let period = coding.columnLevels.count
    columnLevels = [UInt8](repeating: 0, count: coding.runLength)
    if period > 0 {
      for i in 0..<coding.runLength { columnLevels[i] = coding.columnLevels[i % period] }
    }
  }

  // MARK: Planes

  private func decodePlanes(
    _ index: Int, of weight: CodedWeight, _ bytes: RawSpan, _ base: UnsafeMutableRawPointer
  ) throws(WeightCodingError) {
    let first = index * CodedWeight.planePieceByteCount
    let width = weight.planeWidth
    let count = min(CodedWeight.planePieceByteCount, weight.planesByteCount - first) / width
    if plane.count < count { plane = [UInt8](repeating: 0, count: count) }
    var reader = ByteReader(bytes)
    for byte in 0..<width {
      let offset = reader.offset
      let stored: RawSpan
      do throws(ByteError) {
        stored = try reader.span(Int(clamping: try reader.varint() & 0xFFFF_FFFF))
      } catch {
        throw WeightCodingError(error)
      }
      if let problem = unpack(stored, count) {
        throw WeightCodingError(offset: offset, reason: .plane(problem))
      }
      unsafe spread(count, byte, first, of: weight, base)
    }
    guard reader.isAtEnd else {
      throw WeightCodingError(offset: reader.offset, reason: .remainder)
    }
  }

  /// Fills the first `count` bytes of `plane`; what is wrong otherwise. A plane of its own size is raw.
  private func unpack(_ stored: RawSpan, _ count: Int) -> String? {
    guard stored.byteCount <= count else { return "more bytes than it holds" }
    return unsafe plane.withUnsafeMutableBytes { plane in
      unsafe stored.withUnsafeBytes { stored in
        let target = unsafe UnsafeMutableRawBufferPointer(start: plane.baseAddress, count: count)
        guard stored.count < count else {
          unsafe target.copyMemory(from: stored)
          return nil
        }
        return unsafe decompressor.decompress(stored, into: target)
      }
    }
  }

  /// Copies the plane of byte `byte` to every element of the piece that starts at byte `first`.
  private func spread(
    _ count: Int, _ byte: Int, _ first: Int, of weight: CodedWeight, _ base: UnsafeMutableRawPointer
  ) {
    let width = weight.planeWidth
    var start = first + byte
    var step = width
    if weight.kind == .rows, let encoding = weight.encoding {
      start += encoding.scaleOffset(weight.shape)
    } else if weight.kind == .blocks, let block = weight.encoding?.scheme.block {
      start = first / 2 * block.byteCount + byte
      step = block.byteCount
    }
    let out = unsafe (base + start).assumingMemoryBound(to: UInt8.self)
    for i in 0..<count { unsafe out[i * step] = plane[i] }
  }
}
