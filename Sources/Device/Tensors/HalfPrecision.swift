// bfloat16: the upper half of a single.

/// bfloat16 by rounding to nearest even.
public enum HalfPrecision {
  /// The bits of the bfloat16 nearest to `x`; NaN keeps the top of its payload and becomes quiet.
  public static func bf16(_ x: Float) -> UInt16 {
    let bits = x.bitPattern
    if x.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
  }
}
