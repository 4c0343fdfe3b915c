// Blocks of 32 weights to one scale and 4-bit codes: the search for the scale of least error.
import CKernels

/// Blocks of 32 weights: x ≈ scale · value[code], codes in 0…15 (`kn_iq4_nl_value`).
public enum IQ4NLQuantizer {
  /// What a weight over its scale becomes, for every half step from -150 to 150: the points where
  /// one code gives way to the next are multiples of 1/2.
  private static let nearest: [(value: Float, code: UInt8)] = (-300...300).map { halves in
    var code = 0
    while code < 15,
      halves > Int(kn_iq4_nl_value(Int32(code))) + Int(kn_iq4_nl_value(Int32(code + 1)))
    {
      code += 1
    }
    return (Float(kn_iq4_nl_value(Int32(code))), UInt8(code))
  }

  /// The block's f16 scale and 32 codes with the least squared error.
  public static func encode(_ block: [Float]) -> (scale: UInt16, codes: [UInt8]) {
    precondition(block.count == 32)
    var codes = [UInt8](repeating: 0, count: 32)
    let scale = codes.withUnsafeMutableBufferPointer { codes in
      block.withUnsafeBufferPointer { encode($0.baseAddress!, into: codes.baseAddress!) }
    }
    return (scale, codes)
  }

  /// Writes the codes of 32 weights; their f16 scale. Candidates map the largest magnitude to values
  /// of either sign between 70 and 142 of the table; each is refined to the least-squares scale of
  /// its codes. Weights that are not finite count as zeros.
  static func encode(
    _ weights: UnsafePointer<Float>, into codes: UnsafeMutablePointer<UInt8>
  ) -> UInt16 {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 32) { block in
      let x = block.baseAddress!
      var peak: Float = 0
      for i in 0..<32 {
        x[i] = weights[i].isFinite ? weights[i] : 0
        if x[i].magnitude > peak.magnitude { peak = x[i] }
      }
      return nearest.withUnsafeBufferPointer { table in
        let best = scale(x, peak, table.baseAddress! + 300)
        // Zeros, and magnitudes below the smallest f16 scale or past the largest, have none.
        let inverse = best == 0 ? 0 : 1 / kn_f16_to_f32(best)
        for i in 0..<32 { codes[i] = (table.baseAddress! + 300)[place(x[i] * inverse)].code }
        return best
      }
    }
  }

  /// The f16 scale of least squared error; 0 where none is usable. `table`: `nearest` from 0 on.
  private static func scale(
    _ x: UnsafePointer<Float>, _ peak: Float, _ table: UnsafePointer<(value: Float, code: UInt8)>
  ) -> UInt16 {
    var best: (error: Float, scale: UInt16) = (.infinity, 0)
    guard peak != 0 else { return 0 }
    for step in stride(from: 70 as Float, through: 142, by: 3) {
      for sign in [1, -1] as [Float] {
        guard let first = usable(sign * peak / step) else { continue }
        let plain = fit(x, first.1, table)
        if plain.error < best.error { best = (plain.error, first.0) }
        guard let second = usable(plain.scale) else { continue }
        let refined = fit(x, second.1, table)
        if refined.error < best.error { best = (refined.error, second.0) }
      }
    }
    return best.scale
  }

  private static func usable(_ scale: Float) -> (UInt16, Float)? {
    let half = kn_f32_to_f16(scale)
    let rounded = kn_f16_to_f32(half)
    return rounded != 0 && rounded.isFinite ? (half, rounded) : nil
  }

  /// The squared error that `scale` leaves, and the scale that would leave the least with its codes.
  private static func fit(
    _ x: UnsafePointer<Float>, _ scale: Float,
    _ table: UnsafePointer<(value: Float, code: UInt8)>
  ) -> (error: Float, scale: Float) {
    let inverse = 1 / scale
    var sum: Float = 0
    var above: Float = 0
    var below: Float = 0
    for i in 0..<32 {
      let value = table[place(x[i] * inverse)].value
      let d = x[i] - scale * value
      sum += d * d
      above += x[i] * value
      below += value * value
    }
    return (sum, below > 0 ? above / below : scale)
  }

  /// The half step of a weight over its scale, from -300 to 300.
  private static func place(_ target: Float) -> Int {
    // Rounded up, by a conversion that rounds what is positive down.
    300 - Int(300 - min(max(target * 2, -299), 299))
  }
}
