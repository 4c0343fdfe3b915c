// Numbers of any width out of bytes, lowest bit first.

import Bytes

/// Reads bits from untrusted bytes and never past their end.
public struct BitReader {
  private let bytes: [UInt8]
  /// Where the bytes begin in what errors count from.
  private let base: Int
  /// The next bit.
  public private(set) var position = 0

  public init(_ bytes: [UInt8], base: Int = 0) {
    self.bytes = bytes
    self.base = base
  }

  /// Bytes that were touched so far.
  public var byteCount: Int { (position + 7) / 8 }
  /// Where the next bit lies.
  public var offset: Int { base + position / 8 }

  /// The next `width` bits, 0 to 32.
  public mutating func take(_ width: Int) throws(WeightCodingError) -> Int {
    guard width <= bytes.count * 8 - position else {
      let left = bytes.count - position / 8
      throw WeightCodingError(
        offset: offset, reason: .bytes(.truncated(needed: (width + 7) / 8, remaining: left)))
    }
    var value = 0
    for i in 0..<width {
      let at = position + i
      value |= Int(bytes[at >> 3] >> UInt8(at & 7) & 1) << i
    }
    position += width
    return value
  }

  /// The next Exp-Golomb number of `order`, 0 to 12: at most 2^20.
  public mutating func golomb(order: Int) throws(WeightCodingError) -> Int {
    var prefix = 0
    while try take(1) == 0 {
      prefix += 1
      guard prefix <= 16 else { throw WeightCodingError(offset: offset, reason: .escape) }
    }
    return try take(prefix + order) + ((1 << prefix) - 1) << order
  }

  /// As `golomb`, of either sign: 0, -1, 1, -2, 2 …
  public mutating func signedGolomb(order: Int) throws(WeightCodingError) -> Int {
    let folded = try golomb(order: order)
    return folded & 1 == 0 ? folded / 2 : -(folded + 1) / 2
  }
}

/// Collects bits, lowest first; what it wrote a `BitReader` reads.
public struct BitWriter: Sendable {
  /// What was written, the last byte filled with zeros.
  public private(set) var bytes: [UInt8] = []
  /// Bits written.
  public private(set) var count = 0

  public init() {}

  /// Appends the lowest `width` bits of `value`.
  public mutating func put(_ value: Int, _ width: Int) {
    for i in 0..<width {
      if count & 7 == 0 { bytes.append(0) }
      bytes[bytes.count - 1] |= UInt8(value >> i & 1) << UInt8(count & 7)
      count += 1
    }
  }

  /// Appends `value`, at least 0, in Exp-Golomb bits.
  public mutating func put(golomb value: Int, order: Int) {
    let shifted = value >> order + 1
    let prefix = Int.bitWidth - 1 - shifted.leadingZeroBitCount
    put(1 << prefix, prefix + 1)
    put(value - ((1 << prefix) - 1) << order, prefix + order)
  }

  /// Appends `value`, of either sign.
  public mutating func put(signedGolomb value: Int, order: Int) {
    put(golomb: value >= 0 ? value * 2 : -value * 2 - 1, order: order)
  }
}
