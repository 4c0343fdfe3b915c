// Dependent quantization of whole rows, with errors of earlier weights made good by later ones.
import WeightCoding

/// Finds the integers of one row after another; its memory serves them all.
///
/// Weights go in blocks. Within a block each of the four paths has errors of its own, which its next weights
/// make good; where a block ends the best path stays, and its errors go into all later blocks.
final class FeedbackQuantizer {
  private static let block = 32
  private let feedback: ErrorFeedback
  /// U within blocks, after the diagonal: [row][place in the block].
  private let inside: UnsafeMutablePointer<Float>
  /// Shares of mean 1, not too far apart.
  private let shares: [Float]
  private let base: UnsafeMutablePointer<Float>
  /// Twice four paths, those that are and those that come: what each makes of a block's weights,
  /// [path][place].
  private let paths: UnsafeMutablePointer<Float>
  /// Each path's last error, integer and where it came from: [place][state].
  private let errors: UnsafeMutablePointer<SIMD4<Float>>
  private let integers: UnsafeMutablePointer<SIMD4<Int16>>
  private let origins: UnsafeMutablePointer<SIMD4<UInt8>>
  /// Errors of the best path, by place.
  private let kept: UnsafeMutablePointer<Float>

  init(_ feedback: ErrorFeedback) {
    self.feedback = feedback
    let (k, block) = (feedback.columns, FeedbackQuantizer.block)
    inside = .allocate(capacity: k * block)
    inside.initialize(repeating: 0, count: k * block)
    for i in 0..<k {
      let start = i / block * block
      for j in i + 1..<max(min(start + block, k), i + 1) {
        inside[i * block + j - start] = feedback.upper[i * k + j]
      }
    }
    let mean = Float(feedback.meanShare)
    shares = feedback.shares.map { max($0 / mean, 0.02) }
    func zeros<T>(_ zero: T, _ count: Int) -> UnsafeMutablePointer<T> {
      let pointer = UnsafeMutablePointer<T>.allocate(capacity: count)
      pointer.initialize(repeating: zero, count: count)
      return pointer
    }
    base = zeros(0, k)
    paths = zeros(0, 8 * block)
    errors = zeros(.zero, block)
    integers = zeros(.zero, block)
    origins = zeros(.zero, block)
    kept = zeros(0, block)
  }

  deinit {
    inside.deallocate()
    base.deallocate()
    paths.deallocate()
    errors.deallocate()
    integers.deallocate()
    origins.deallocate()
    kept.deallocate()
  }

  /// The integers of one row into `out`, from `state` on, which is then where the row ends.
  ///
  /// most: the largest value of the stored form, in steps. The other arguments are those of
  /// `DependentQuantizer`.
  func quantize(
    _ weights: UnsafePointer<Float>, inverse: Float, most: Float, bits: UnsafePointer<Float>,
    reach: Int, classes: UnsafePointer<UInt8>, dear: Float, state: inout Int,
    into out: UnsafeMutablePointer<Int16>
  ) {
    let (k, block) = (feedback.columns, FeedbackQuantizer.block)
    // The value above may be two steps on.
    let limit = most - 2
    for j in 0..<k { base[j] = weights[j] * inverse }
    for start in stride(from: 0, to: k, by: block) {
      let count = min(block, k - start)
      for path in 0..<4 { (paths + path * block).update(from: base + start, count: count) }
      var costs = SIMD4<Float>(repeating: .infinity)
      costs[state] = 0
      for i in 0..<count {
        let j = start + i
        let row = bits + (Int(classes[j]) * 4 * (2 * reach + 1) + reach)
        advance(
          i, weights[j] * inverse, inside + j * block, shares[j], limit, row, reach, dear, &costs)
      }
      var best = 0
      for s in 1..<4 where costs[s] < costs[best] { best = s }
      state = best
      for i in stride(from: count - 1, through: 0, by: -1) {
        out[start + i] = integers[i][best]
        kept[i] = errors[i][best]
        best = Int(origins[i][best])
      }
      if start + count < k { spread(start, count) }
    }
  }

  /// What is left of a block's errors goes into all that follows.
  private func spread(_ start: Int, _ count: Int) {
    let k = feedback.columns
    feedback.upper.withUnsafeBufferPointer { upper in
      for i in stride(from: 0, to: count, by: 4) {
        // A block that others follow is a whole one.
        let row = upper.baseAddress! + (start + i) * k
        let (a, b, c, d) = (kept[i], kept[i + 1], kept[i + 2], kept[i + 3])
        for j in start + count..<k {
          base[j] += (a * row[j] + b * row[k + j]) + (c * row[2 * k + j] + d * row[3 * k + j])
        }
      }
    }
  }

  /// One weight: each path goes on with an even or an odd integer, and of two that meet the better stays.
  ///
  /// row: bits of the weight's class in the middle of its first state.
  @inline(__always)
  private func advance(
    _ i: Int, _ own: Float, _ later: UnsafePointer<Float>, _ share: Float, _ limit: Float,
    _ row: UnsafePointer<Float>, _ reach: Int, _ dear: Float, _ costs: inout SIMD4<Float>
  ) {
    let block = FeedbackQuantizer.block
    let old = paths + (i & 1) * 4 * block
    let new = paths + (4 - (i & 1) * 4) * block
    @inline(__always)
    func ways(_ s: Int) -> DependentWays {
      let x = min(max(old[s * block + i], -limit), limit)
      return DependentWays(
        DependentPair(x, s >> 1), share: share, bits: row + s * (2 * reach + 1), reach: reach,
        dear: dear)
    }
    let step = DependentStep(ways(0), ways(1), ways(2), ways(3), costs: &costs)
    let error = SIMD4<Float>(repeating: own) - step.values
    integers[i] = SIMD4(truncatingIfNeeded: step.integers)
    origins[i] = SIMD4(truncatingIfNeeded: step.origins)
    errors[i] = error
    for next in 0..<4 {
      let source = old + Int(step.origins[next]) * block
      let target = new + next * block
      let e = error[next]
      for t in stride(from: i & ~7, to: block, by: 8) {
        let x = UnsafeRawPointer(source + t).loadUnaligned(as: SIMD8<Float>.self)
        let u = UnsafeRawPointer(later + t).loadUnaligned(as: SIMD8<Float>.self)
        UnsafeMutableRawPointer(target + t).storeBytes(of: x + e * u, as: SIMD8<Float>.self)
      }
    }
  }
}
