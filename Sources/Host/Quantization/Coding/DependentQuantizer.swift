// Dependent quantization: the path through four states whose error and bits together are least.
//
// The states and the search are those of trellis-coded quantization as video coding uses it (H. Schwarz et
// al., "Hybrid Video Codec Based on Trellis-Coded Quantization" and VVC): states 0 and 1 take even
// multiples of the step, 2 and 3 odd ones and zero, and the parity of an integer moves the state.
import WeightCoding

/// Finds the integers of one run after another; its memory serves them all.
final class DependentQuantizer {
  // By place, of the better way to each state.
  private var integers: [SIMD4<Int16>]
  private var origins: [SIMD4<UInt8>]

  /// longest: weights of the longest run.
  init(longest: Int) {
    integers = [SIMD4<Int16>](repeating: .zero, count: longest)
    origins = [SIMD4<UInt8>](repeating: .zero, count: longest)
  }

  /// The integers of one run into `out`.
  ///
  /// weights: `count` of them; inverse: steps to a weight of 1; bits: of each integer, at
  /// (class × 4 + state) × (2 reach + 1) + reach + integer; classes: of each place; dear: squared steps
  /// that a bit is worth.
  func quantize(
    _ weights: UnsafePointer<Float>, _ count: Int, inverse: Float, bits: UnsafePointer<Float>,
    reach: Int, classes: UnsafePointer<UInt8>, dear: Float, into out: UnsafeMutablePointer<Int16>
  ) {
    let width = 2 * reach + 1
    let most = Float(Int16.max - 8)
    integers.withUnsafeMutableBufferPointer { integers in
      origins.withUnsafeMutableBufferPointer { origins in
        var costs = SIMD4<Float>(0, .infinity, .infinity, .infinity)
        for i in 0..<count {
          let x = min(max(weights[i] * inverse, -most), most)
          let pairs = (DependentPair(x, 0), DependentPair(x, 1))
          let row = bits + (Int(classes[i]) * 4 * width + reach)
          @inline(__always)
          func ways(_ state: Int) -> DependentWays {
            DependentWays(
              state < 2 ? pairs.0 : pairs.1, share: 1, bits: row + state * width, reach: reach,
              dear: dear)
          }
          let step = DependentStep(ways(0), ways(1), ways(2), ways(3), costs: &costs)
          integers[i] = SIMD4(truncatingIfNeeded: step.integers)
          origins[i] = SIMD4(truncatingIfNeeded: step.origins)
        }
        var state = 0
        for s in 1..<4 where costs[s] < costs[state] { state = s }
        for i in stride(from: count - 1, through: 0, by: -1) {
          out[i] = integers[i][state]
          state = Int(origins[i][state])
        }
      }
    }
  }
}
