// How the elements of one activation are spread, and which range serves 8 bits best.
import Tensors

/// Counts of an activation's elements, over all that it was seen to hold.
public struct ActivationHistogram: Equatable, Sendable {
  /// The least and the largest finite element seen; 0 is always between them.
  public private(set) var low: Float = 0
  public private(set) var high: Float = 0
  /// Finite elements seen while counting.
  public private(set) var count = 0
  /// Elements that are exactly 0, which every range holds without error; they are in no bin.
  public private(set) var zeroCount = 0
  /// Counts of evenly wide parts of the range; empty until counting begins.
  public private(set) var bins: [Int] = []

  /// Enough for eight parts to a code.
  public static let binCount = 2048

  public init() {}

  /// Widens the range to these elements. Counting has not begun.
  public mutating func extend(_ values: UnsafeBufferPointer<Float>) {
    precondition(bins.isEmpty)
    for x in values where x.isFinite {
      if x < low { low = x }
      if x > high { high = x }
    }
  }

  /// Counts elements, which were all seen before.
  public mutating func add(_ values: UnsafeBufferPointer<Float>) {
    if bins.isEmpty { bins = [Int](repeating: 0, count: Self.binCount) }
    let width = (Double(high) - Double(low)) / Double(Self.binCount)
    for x in values where x.isFinite {
      count += 1
      guard x != 0, width > 0 else {
        zeroCount += 1
        continue
      }
      let bin = Int((Double(x) - Double(low)) / width)
      bins[min(max(bin, 0), Self.binCount - 1)] += 1
    }
  }

  /// The range from the least to the largest.
  public var whole: ClosedRange<Float> { low...high }

  /// The range whose 256 codes, or 255 with `isSymmetric`, err least in the mean square: a wide one has
  /// coarse steps, a narrow one cuts off.
  ///
  /// Both ends are moved in turn until neither gains; no end goes below `least` of the whole.
  public func leastSquares(isSymmetric: Bool, least: Float = 0.1) -> ClosedRange<Float> {
    guard bins.count == Self.binCount, high > low else { return whole }
    if isSymmetric {
      let peak = max(-low, high)
      let best = Self.best(least: least) { error(-peak * $0, peak * $0, codes: 254) }
      return max(low, -peak * best)...min(high, peak * best)
    }
    var (a, b): (Float, Float) = (1, 1)
    for _ in 0..<4 {
      let before = (a, b)
      if high > 0 { b = Self.best(least: least) { error(low * a, high * $0, codes: 255) } }
      if low < 0 { a = Self.best(least: least) { error(low * $0, high * b, codes: 255) } }
      if (a, b) == before { break }
    }
    return (low * a)...(high * b)
  }

  /// The share of an end with the least error; the larger one where two are alike.
  private static func best(least: Float, _ error: (Float) -> Double) -> Float {
    let steps = 90
    var best: (share: Float, error: Double) = (1, error(1))
    for i in 1...steps {
      let share = 1 - (1 - least) * Float(i) / Float(steps)
      let found = error(share)
      if found < best.error { best = (share, found) }
    }
    return best.share
  }

  /// Sum of squared errors with so many steps between `from` and `to`: a twelfth of a step's square for
  /// what is inside, the square of what is cut off for the rest.
  func error(_ from: Float, _ to: Float, codes: Int) -> Double {
    let width = (Double(high) - Double(low)) / Double(Self.binCount)
    let step = (Double(to) - Double(from)) / Double(codes)
    let inside = step * step / 12
    var sum = 0.0
    for (i, n) in bins.enumerated() where n > 0 {
      let x = Double(low) + (Double(i) + 0.5) * width
      let cut = x < Double(from) ? Double(from) - x : x > Double(to) ? x - Double(to) : 0
      sum += Double(n) * (cut > 0 ? cut * cut : inside)
    }
    return sum
  }
}
