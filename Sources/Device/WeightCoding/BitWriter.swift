// Numbers of any width as bytes, lowest bit first: what the kernel reads beside the lanes.

/// Collects bits, lowest first.
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
}
