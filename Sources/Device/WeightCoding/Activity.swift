// How large a run's last integers were: a context that moves along with each lane.

import CKernels

/// The running mean of magnitudes, each against what the level of its place lets expect.
///
/// A place's context is its level, moved by as many levels as the last integers of its run were larger or
/// smaller than theirs. Weights whose sizes change from place to place, as those of sparse and of convolution
/// matrices do, are told apart by it without a word about where.
public struct Activity: Equatable, Sendable {
  /// The last integer counts for 2^-rate of the mean, 1 to 5.
  public var rate: Int
  /// Sixteenths of an octave from one level to the next, 1 to 64.
  public var unit: Int
  /// The factor that makes the mean magnitude of level 0 2^16, in sixteenths of an octave: 0 to 336.
  public var factor: Int

  public init(rate: Int, unit: Int, factor: Int) {
    self.rate = rate
    self.unit = unit
    self.factor = factor
  }

  public static var rates: ClosedRange<Int> { 1...5 }
  public static var units: ClosedRange<Int> { 1...64 }
  public static var factors: ClosedRange<Int> { 0...336 }

  /// What magnitudes of each level are multiplied with; in all coders the same, for there are no fractions.
  public var factors: [UInt32] {
    (0..<Int(KN_RANS_LEVELS)).map { level in
      let place = max(factor - unit * level, 0)
      return (UInt32(16 + place % 16) << UInt32(place / 16)) >> 4
    }
  }

  /// The running mean, at first `KN_RANS_USUAL`, after an integer of this magnitude at a place of this factor:
  /// what decoding does, for who counts and writes.
  @inlinable public func mean(_ mean: Int, after magnitude: Int, factor: UInt32) -> Int {
    let size = min((magnitude * Int(factor)) >> 4, Int(KN_RANS_LARGEST_MEAN))
    return mean + (size - mean) >> rate
  }

  /// By how many levels each 128th of the running mean moves a context.
  public var moves: [Int32] {
    (0..<Int(KN_RANS_MOVES)).map { index in
      // Sixteenths of an octave above the usual mean, straight between powers of two.
      let mean = index * 128 + 64
      let octave = Int.bitWidth - 1 - mean.leadingZeroBitCount
      let above = octave * 16 + ((mean << 4) >> octave) - 16 - 12 * 16
      let doubled = 2 * above + unit
      let moved = doubled >= 0 ? doubled / (2 * unit) : -((2 * unit - 1 - doubled) / (2 * unit))
      return Int32(moved)
    }
  }
}
