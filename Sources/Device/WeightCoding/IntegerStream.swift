// The kernel's view of one piece of integers: lanes, words and bits, and where they stand.

import CKernels

/// The lanes of one piece on their way to its integers.
@safe struct IntegerStream {
  private var stream: kn_rans
  private let lanes: Int

  /// limit: the largest magnitude of a value.
  init(_ coding: IntegerCoding, limit: Int) {
    var stream = unsafe kn_rans()
    unsafe stream.rule = coding.rule.kernelRule
    unsafe stream.rate = Int32(coding.activity?.rate ?? 1)
    unsafe stream.lowest = Int32(coding.lowest)
    unsafe stream.last_class = Int32(coding.classes - 1)
    unsafe stream.state_shift = coding.stateContexts == 4 ? 0 : coding.stateContexts == 2 ? 1 : 2
    unsafe stream.low = Int32(coding.low)
    unsafe stream.escape = Int32(coding.symbolCount)
    unsafe stream.shift = Int32(coding.shift)
    unsafe stream.escape_order = Int32(coding.escapeOrder)
    unsafe stream.limit = Int32(limit)
    unsafe stream.lanes = coding.lanes
    unsafe self.stream = stream
    lanes = coding.lanes
  }

  /// Sets where a lane begins.
  mutating func setState(_ lane: Int, _ value: UInt32) {
    unsafe withUnsafeMutableBytes(of: &stream.states) {
      unsafe $0.storeBytes(of: value, toByteOffset: lane * 4, as: UInt32.self)
    }
  }

  /// Hands the kernel its tables and bytes, which outlive all calls of `decode`.
  mutating func open(
    tables: UnsafePointer<UInt32>?, values: UnsafePointer<Int16>?, columns: UnsafePointer<UInt8>?,
    factors: UnsafePointer<UInt32>?, moves: UnsafePointer<Int32>?, words: UnsafeRawBufferPointer,
    bits: UnsafeRawBufferPointer
  ) {
    unsafe stream.tables = tables
    unsafe stream.values = values
    unsafe stream.column_levels = columns
    unsafe stream.factors = factors
    unsafe stream.moves = moves
    let firstWord = unsafe words.baseAddress?.assumingMemoryBound(to: UInt8.self)
    let firstBit = unsafe bits.baseAddress?.assumingMemoryBound(to: UInt8.self)
    unsafe stream.words = firstWord
    unsafe stream.words_end = unsafe firstWord.map { unsafe $0 + words.count }
    unsafe stream.bits = firstBit
    unsafe stream.bits_end = unsafe firstBit.map { unsafe $0 + bits.count }
  }

  /// One group of runs, all of `length` but the last; their values to `out`, run by run.
  mutating func decode(
    _ levels: UnsafePointer<UInt8>, runs: Int, length: Int, lastLength: Int,
    into out: UnsafeMutablePointer<Int16>
  ) -> kn_rans_status {
    unsafe kn_rans_decode(&stream, levels, runs, length, lastLength, out)
  }

  /// Whether everything was read and every lane is back where its encoder began.
  var isAtEnd: Bool {
    var isWhole = unsafe stream.words == stream.words_end && stream.bits == stream.bits_end
    isWhole = unsafe isWhole && stream.bit_count < 8 && stream.bit_buffer == 0
    for lane in 0..<lanes {
      let state = unsafe withUnsafeBytes(of: stream.states) {
        unsafe $0.load(fromByteOffset: lane * 4, as: UInt32.self)
      }
      isWhole = isWhole && state == KN_RANS_FLOOR
    }
    return isWhole
  }
}
