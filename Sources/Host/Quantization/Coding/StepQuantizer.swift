// Reals to multiples of one step: each rounded so that error and bits together are least.
import Dispatch
import Foundation
import WeightCoding

/// What a matrix is quantized with.
public struct StepChoice: Equatable, Sendable {
  /// Between neighbouring values of one quantizer is twice the step with dependent quantization, else it.
  ///
  /// Always one that two bytes hold (`CodedStep`): the next larger one.
  public var step: Float {
    didSet { step = CodedStep(above: step).value }
  }
  /// Dependent quantization by four states; else plain rounding.
  public var isDependent: Bool
  /// How much a bit may cost in squared error, as a multiple of what it is worth at high rates. 0 rounds
  /// to the nearest.
  public var rateWeight: Float
  /// Whether the values of small integers move to the middle of the weights that became them.
  public var centers: Bool

  public init(
    step: Float, isDependent: Bool = true, rateWeight: Float = 1, centers: Bool = true
  ) {
    precondition(step > 0 && step.isFinite)
    self.step = CodedStep(above: step).value
    self.isDependent = isDependent
    self.rateWeight = rateWeight
    self.centers = centers
  }
}

/// What integers of each context cost, in bits.
struct RateTable {
  /// Integers from -reach to reach have a place of their own.
  let reach: Int
  let classes: Int
  /// [class][state][integer + reach]
  private(set) var bits: [Float]

  /// From counts in the same order; every integer gets a share of the context's class and of a tail.
  init(reach: Int, classes: Int, counts: [Int32]) {
    self.reach = reach
    self.classes = classes
    let width = 2 * reach + 1
    bits = [Float](repeating: 0, count: classes * 4 * width)
    var all = [Double](repeating: 0, count: 2 * width)
    for (i, count) in counts.enumerated() {
      all[(i / width % 4 / 2) * width + i % width] += Double(count)
    }
    for quantizer in 0..<2 {
      // Where nothing is known, magnitudes double their cost.
      for k in -reach...reach {
        all[quantizer * width + k + reach] += 0.5 / Double(1 + k * k)
      }
    }
    let sums = [
      all[..<width].reduce(0, +), all[width...].reduce(0, +),
    ]
    for row in 0..<classes * 4 {
      let quantizer = row % 4 / 2
      let own = counts[row * width..<(row + 1) * width].reduce(0.0) { $0 + Double($1) }
      // As much as sixteen integers of the whole tensor's distribution.
      let weight = 16 / sums[quantizer]
      for i in 0..<width {
        let share = Double(counts[row * width + i]) + weight * all[quantizer * width + i]
        bits[row * width + i] = Float(log2((own + 16) / share))
      }
    }
  }

  /// A first guess: integers that fall off as those of a normal distribution with the weights' spread.
  init(reach: Int, classes: Int, meanSquare: Double, isDependent: Bool) {
    self.reach = reach
    self.classes = classes
    let width = 2 * reach + 1
    bits = [Float](repeating: 0, count: classes * 4 * width)
    let spread = max(meanSquare, 0.05)
    for row in 0..<classes * 4 {
      for k in -reach...reach {
        var x = Double(k)
        if isDependent { x = 2 * x - (row % 4 >= 2 ? Double(k.signum()) : 0) }
        bits[row * width + k + reach] = Float(
          min(x * x / (2 * spread) * log2(M_E) + 0.5 * log2(2 * .pi * spread + 1), 24))
      }
    }
  }
}

/// Plain rounding with a dead zone where bits are dear.
enum StepQuantizer {
  /// The integer of least cost for each of `count` weights: x in steps, `bits` of the weight's context
  /// from -reach on, `dear` the squared steps that a bit is worth.
  static func round(
    _ x: Float, _ bits: UnsafePointer<Float>, _ reach: Int, _ dear: Float
  ) -> Int {
    let limit = Float(Int16.max)
    let nearest = min(max(x, -limit), limit).rounded()
    let k = Int(nearest)
    if k == 0 || dear == 0 { return k }
    if abs(k) > reach { return k }
    let inner = k - k.signum()
    let a = (x - nearest) * (x - nearest) + dear * bits[k + reach]
    let b = (x - Float(inner)) * (x - Float(inner)) + dear * bits[inner + reach]
    if abs(k) == 2 {
      let zero = x * x + dear * bits[reach]
      if zero < a, zero < b { return 0 }
    }
    return b < a ? inner : k
  }
}
