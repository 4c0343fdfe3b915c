// Dependent quantization: the path through four states whose error and bits together are least.
//
// The states and the search are those of trellis-coded quantization as video coding uses it (H. Schwarz et
// al., "Hybrid Video Codec Based on Trellis-Coded Quantization" and VVC): states 0 and 1 take even
// multiples of the step, 2 and 3 odd ones and zero, and the parity of an integer moves the state.
import WeightCoding

/// Finds the integers of one run after another; its memory serves them all.
final class DependentQuantizer {
  private var steps: [Int16]
  /// Whether the better way to a state came from the second of the two that lead there.
  private var turns: [Bool]

  /// longest: weights of the longest run.
  init(longest: Int) {
    steps = [Int16](repeating: 0, count: longest * 4)
    turns = [Bool](repeating: false, count: longest * 4)
  }

  /// The costs of the four ways on from a quantizer: integer of even parity, odd, and zero.
  private struct Ways {
    var even: Int
    var odd: Int
    var evenError: Float
    var oddError: Float
  }

  /// The two integers around `x` steps: one even, one odd.
  @inline(__always)
  private static func ways(_ x: Float, _ quantizer: Int) -> Ways {
    let magnitude = x.magnitude
    let place = (magnitude + Float(quantizer)) * 0.5
    let below = Int(place)
    let above = below + 1
    let low = below == 0 ? 0 : Float(2 * below - quantizer)
    let high = Float(2 * above - quantizer)
    let lowError = (magnitude - low) * (magnitude - low)
    let highError = (magnitude - high) * (magnitude - high)
    let sign = x < 0 ? -1 : 1
    return below & 1 == 0
      ? Ways(even: sign * below, odd: sign * above, evenError: lowError, oddError: highError)
      : Ways(even: sign * above, odd: sign * below, evenError: highError, oddError: lowError)
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
    steps.withUnsafeMutableBufferPointer { steps in
      turns.withUnsafeMutableBufferPointer { turns in
        var c0: Float = 0
        var c1 = Float.infinity
        var c2 = Float.infinity
        var c3 = Float.infinity
        for i in 0..<count {
          let x = min(max(weights[i] * inverse, -most), most)
          let a = Self.ways(x, 0)
          let b = Self.ways(x, 1)
          let zero = x * x
          let row = bits + (Int(classes[i]) * 4 * width + reach)
          @inline(__always)
          func rate(_ state: Int, _ k: Int) -> Float {
            // Far out every integer costs about the same.
            row[state * width + min(max(k, -reach), reach)] * dear
          }
          @inline(__always)
          func even(_ state: Int, _ w: Ways) -> (Float, Int) {
            let cost = w.evenError + rate(state, w.even)
            let none = zero + rate(state, 0)
            return none < cost ? (none, 0) : (cost, w.even)
          }
          @inline(__always)
          func odd(_ state: Int, _ w: Ways) -> (Float, Int) {
            (w.oddError + rate(state, w.odd), w.odd)
          }
          let (e0, k0) = even(0, a)
          let (e1, k1) = even(1, a)
          let (e2, k2) = even(2, b)
          let (e3, k3) = even(3, b)
          let (o0, l0) = odd(0, a)
          let (o1, l1) = odd(1, a)
          let (o2, l2) = odd(2, b)
          let (o3, l3) = odd(3, b)
          // To 0: even from 0, odd from 1. To 1: even from 2, odd from 3. To 2: odd from 0, even from
          // 1. To 3: odd from 2, even from 3.
          let (x0, y0) = (c0 + e0, c1 + o1)
          let (x1, y1) = (c2 + e2, c3 + o3)
          let (x2, y2) = (c0 + o0, c1 + e1)
          let (x3, y3) = (c2 + o2, c3 + e3)
          let at = i * 4
          turns[at] = y0 < x0
          turns[at + 1] = y1 < x1
          turns[at + 2] = y2 < x2
          turns[at + 3] = y3 < x3
          steps[at] = Int16(truncatingIfNeeded: y0 < x0 ? l1 : k0)
          steps[at + 1] = Int16(truncatingIfNeeded: y1 < x1 ? l3 : k2)
          steps[at + 2] = Int16(truncatingIfNeeded: y2 < x2 ? k1 : l0)
          steps[at + 3] = Int16(truncatingIfNeeded: y3 < x3 ? k3 : l2)
          c0 = min(x0, y0)
          c1 = min(x1, y1)
          c2 = min(x2, y2)
          c3 = min(x3, y3)
        }
        var state = 0
        var least = c0
        for (s, cost) in [c1, c2, c3].enumerated() where cost < least {
          least = cost
          state = s + 1
        }
        for i in stride(from: count - 1, through: 0, by: -1) {
          out[i] = steps[i * 4 + state]
          // States 0 and 2 follow 0 or 1; 1 and 3 follow 2 or 3.
          state = (state & 1) * 2 + (turns[i * 4 + state] ? 1 : 0)
        }
      }
    }
  }
}
