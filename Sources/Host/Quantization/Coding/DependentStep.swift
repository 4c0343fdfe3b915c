// One weight on its way through the four states of dependent quantization.

/// The two integers around a weight: one even, one odd.
struct DependentPair {
  var even: Int
  var odd: Int
  /// Squared errors, in squared steps.
  var evenError: Float
  var oddError: Float
  var zeroError: Float

  /// x: the weight in steps; quantizer: 0 has even multiples of the step, 1 odd ones and zero.
  @inline(__always)
  init(_ x: Float, _ quantizer: Int) {
    let magnitude = x.magnitude
    let below = Int((magnitude + Float(quantizer)) * 0.5)
    let above = below + 1
    let low = below == 0 ? 0 : Float(2 * below - quantizer)
    let high = Float(2 * above - quantizer)
    let lowError = (magnitude - low) * (magnitude - low)
    let highError = (magnitude - high) * (magnitude - high)
    let sign = x < 0 ? -1 : 1
    let isEven = below & 1 == 0
    even = isEven ? sign * below : sign * above
    odd = isEven ? sign * above : sign * below
    evenError = isEven ? lowError : highError
    oddError = isEven ? highError : lowError
    zeroError = x * x
  }
}

/// The two ways on from one state, with what they cost.
struct DependentWays {
  var even: Int32
  var odd: Int32
  var evenCost: Float
  var oddCost: Float

  /// share: what a squared error counts; bits: those of zero in this state, in the middle of a table that
  /// reaches as far on both sides; dear: what a bit is worth.
  @inline(__always)
  init(
    _ pair: DependentPair, share: Float, bits: UnsafePointer<Float>, reach: Int, dear: Float
  ) {
    @inline(__always)
    func rate(_ k: Int) -> Float {
      // Far out every integer costs about the same.
      bits[min(max(k, -reach), reach)] * dear
    }
    let cost = pair.evenError * share + rate(pair.even)
    // Zero is in both quantizers, and even.
    let none = pair.zeroError * share + rate(0)
    even = none < cost ? 0 : Int32(truncatingIfNeeded: pair.even)
    odd = Int32(truncatingIfNeeded: pair.odd)
    evenCost = min(none, cost)
    oddCost = pair.oddError * share + rate(pair.odd)
  }
}

/// The better way to each of the four states.
struct DependentStep {
  var integers: SIMD4<Int32>
  /// The states that they come from.
  var origins: SIMD4<Int32>

  /// a, b, c, d: the ways on from states 0 to 3; costs: of the paths to there, then of those to here.
  @inline(__always)
  init(
    _ a: DependentWays, _ b: DependentWays, _ c: DependentWays, _ d: DependentWays,
    costs: inout SIMD4<Float>
  ) {
    // To 0: even from 0, odd from 1. To 1: even from 2, odd from 3. To 2: odd from 0, even from 1. To 3:
    // odd from 2, even from 3.
    let first = SIMD4(
      costs[0] + a.evenCost, costs[2] + c.evenCost, costs[0] + a.oddCost, costs[2] + c.oddCost)
    let second = SIMD4(
      costs[1] + b.oddCost, costs[3] + d.oddCost, costs[1] + b.evenCost, costs[3] + d.evenCost)
    let turns = second .< first
    costs = first.replacing(with: second, where: turns)
    integers = SIMD4(a.even, c.even, a.odd, c.odd)
      .replacing(with: SIMD4(b.odd, d.odd, b.even, d.even), where: turns)
    origins = SIMD4(0, 2, 0, 2).replacing(with: SIMD4(1, 3, 1, 3), where: turns)
  }

  /// What the integers stand for, in steps: those that states 2 and 3 took are of the second quantizer.
  var values: SIMD4<Float> {
    @inline(__always) get {
      let signs = SIMD4<Int32>.zero
        .replacing(with: 1, where: integers .> 0).replacing(with: -1, where: integers .< 0)
      return SIMD4<Float>(integers &+ integers &- (signs & SIMD4(0, -1, 0, -1)))
    }
  }
}
