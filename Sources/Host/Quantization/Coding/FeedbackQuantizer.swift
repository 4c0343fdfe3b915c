// Dependent quantization of whole rows, with errors of earlier weights made good by later ones.
import WeightCoding

/// Finds the integers of one row after another; its memory serves them all.
///
/// Weights go in blocks. Within a block each of the four paths has errors of its own, which its next weights
/// make good; where a block ends the best path stays, and its errors go into all later blocks.
final class FeedbackQuantizer {
  private static let block = 32
  private let feedback: ErrorFeedback
  /// U within blocks, by column: [column][earlier place].
  private let inside: UnsafeMutablePointer<Float>
  /// Shares of mean 1, not too far apart.
  private let shares: [Float]
  private let base: UnsafeMutablePointer<Float>
  // Eight paths, four that are and four that come: costs, [path][place] errors and integers.
  private let costs: UnsafeMutablePointer<Float>
  private let errors: UnsafeMutablePointer<Float>
  private let integers: UnsafeMutablePointer<Int16>
  /// The first path of those that are: 0 or 4.
  private var current = 0
  /// The largest value that is asked for.
  private var limit: Float = 0

  init(_ feedback: ErrorFeedback) {
    self.feedback = feedback
    let (k, block) = (feedback.columns, FeedbackQuantizer.block)
    inside = .allocate(capacity: k * block)
    inside.initialize(repeating: 0, count: k * block)
    for j in 0..<k {
      let start = j / block * block
      for i in start..<j { inside[j * block + i - start] = feedback.upper[i * k + j] }
    }
    let mean = Float(feedback.meanShare)
    shares = feedback.shares.map { max($0 / mean, 0.02) }
    base = .allocate(capacity: k)
    base.initialize(repeating: 0, count: k)
    costs = .allocate(capacity: 8)
    costs.initialize(repeating: .infinity, count: 8)
    errors = .allocate(capacity: 8 * block)
    errors.initialize(repeating: 0, count: 8 * block)
    integers = .allocate(capacity: 8 * block)
    integers.initialize(repeating: 0, count: 8 * block)
  }

  deinit {
    inside.deallocate()
    base.deallocate()
    costs.deallocate()
    errors.deallocate()
    integers.deallocate()
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
    limit = most - 2
    for j in 0..<k { base[j] = weights[j] * inverse }
    for start in stride(from: 0, to: k, by: block) {
      let count = min(block, k - start)
      for s in 0..<4 { costs[current + s] = s == state ? 0 : .infinity }
      for i in 0..<count {
        let j = start + i
        advance(
          i, base[j], weights[j] * inverse, inside + j * block, shares[j],
          bits + (Int(classes[j]) * 4 * (2 * reach + 1) + reach), reach, dear)
      }
      var best = 0
      for s in 1..<4 where costs[current + s] < costs[current + best] { best = s }
      state = best
      let kept = (current + best) * block
      for i in 0..<count { out[start + i] = integers[kept + i] }
      // What is left of the block's errors goes into all that follows.
      let end = start + count
      guard end < k else { break }
      feedback.upper.withUnsafeBufferPointer { upper in
        for i in 0..<count {
          let error = errors[kept + i]
          let row = upper.baseAddress! + (start + i) * k
          for j in end..<k { base[j] += error * row[j] }
        }
      }
    }
  }

  /// One weight: each path goes on with an even or an odd integer, and of two that meet the better stays.
  ///
  /// row: bits of the weight's class in the middle of its first state.
  @inline(__always)
  private func advance(
    _ i: Int, _ base: Float, _ own: Float, _ earlier: UnsafePointer<Float>, _ share: Float,
    _ row: UnsafePointer<Float>, _ reach: Int, _ dear: Float
  ) {
    let block = FeedbackQuantizer.block
    let width = 2 * reach + 1
    let coming = 4 - current
    var from = SIMD4<Int32>(repeating: 0)
    var chosen = SIMD4<Int32>(repeating: 0)
    var values = SIMD4<Float>(repeating: 0)
    var least = SIMD4<Float>(repeating: .infinity)
    for s in 0..<4 where costs[current + s] < .infinity {
      let path = errors + (current + s) * block
      var x = base
      var t = 0
      var sums = SIMD8<Float>(repeating: 0)
      while t + 8 <= i {
        let a = UnsafeRawPointer(path + t).loadUnaligned(as: SIMD8<Float>.self)
        let b = UnsafeRawPointer(earlier + t).loadUnaligned(as: SIMD8<Float>.self)
        sums += a * b
        t += 8
      }
      x += sums.sum()
      while t < i {
        x += path[t] * earlier[t]
        t += 1
      }
      x = min(max(x, -limit), limit)
      let quantizer = s >> 1
      let below = Int((x.magnitude + Float(quantizer)) * 0.5)
      let sign = x < 0 ? -1 : 1
      let bits = row + s * width
      // Zero is in both quantizers, and even.
      for n in 0..<(below > 0 ? 3 : 2) {
        let k = n == 2 ? 0 : sign * (below + n)
        let value = Float(2 * k - (quantizer == 1 ? k.signum() : 0))
        let cost =
          costs[current + s] + (x - value) * (x - value) * share
          + bits[min(max(k, -reach), reach)] * dear
        let next = Int(DependentMachine.next[s * 2 + (k & 1)])
        if cost < least[next] {
          least[next] = cost
          chosen[next] = Int32(k)
          values[next] = value
          from[next] = Int32(s)
        }
      }
    }
    for next in 0..<4 {
      costs[coming + next] = least[next]
      guard least[next] < .infinity else { continue }
      let old = (current + Int(from[next])) * block
      let new = (coming + next) * block
      for t in 0..<i {
        errors[new + t] = errors[old + t]
        integers[new + t] = integers[old + t]
      }
      errors[new + i] = own - values[next]
      integers[new + i] = Int16(truncatingIfNeeded: chosen[next])
    }
    current = coming
  }
}
