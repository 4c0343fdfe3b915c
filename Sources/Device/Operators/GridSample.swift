// A tensor read at places that a grid names.
import Tensors

/// How values between elements are found. Raw values are part of the bundle format.
public enum Sampling: Int, Sendable, CaseIterable {
  /// The nearest element, half-way the even one.
  case nearest = 0
  case linear
  /// Keys' cubic with a = −0.75.
  case cubic
}

/// What lies outside of the tensor. Raw values are part of the bundle format.
public enum SamplePadding: Int, Sendable, CaseIterable {
  case zeros = 0
  /// The nearest element of the border.
  case border
  /// The tensor mirrored at its border.
  case reflection
}

/// y[n, c, p] = x[n, c] at the place grid[n, p], whose coordinates run from −1 to 1 over each axis, the
/// last axis first.
///
/// inputs: x f32 [n, c, one to three spatial extents]; grid f32 [n, output extents, coordinates] →
/// output f32 [n, c, output extents]. With `alignsCorners` −1 and 1 are the middles of the outer
/// elements, else their outer edges.
public struct GridSample: OperatorDefinition {
  public static var code: Int { 82 }
  public static var name: StaticString { "GridSample" }

  public var sampling: Sampling
  public var padding: SamplePadding
  public var alignsCorners: Bool

  public init(_ sampling: Sampling, padding: SamplePadding = .zeros, alignsCorners: Bool = false) {
    self.sampling = sampling
    self.padding = padding
    self.alignsCorners = alignsCorners
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let sampling = Sampling(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown kind of sampling")
    }
    self.sampling = sampling
    guard let padding = SamplePadding(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown kind of padding")
    }
    self.padding = padding
    alignsCorners = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(sampling.rawValue)
    attributes.put(padding.rawValue)
    attributes.put(alignsCorners)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...2)
    for i in 0..<2 {
      try step.requirePlain(i)
      try step.require(i, is: .f32)
    }
    let x = step.input(0).shape
    let grid = step.input(1).shape
    guard x.rank >= 3, x.rank <= 5 else {
      throw ShapeError("expected one to three spatial axes", input: 0, expected: 4, found: x.rank)
    }
    guard grid.rank == x.rank, grid[grid.rank - 1] == x.rank - 2, grid[0] == x[0] else {
      throw ShapeError("is no grid for the input", input: 1, expected: x.rank, found: grid.rank)
    }
    var shape = Shape([x[0], x[1]])
    for axis in 1..<(grid.rank - 1) { shape.append(grid[axis]) }
    guard x.elementCount(of: 2..<x.rank) > 0 || shape.elementCount == 0 else {
      throw ShapeError("nothing to sample", input: 0)
    }
    step.setOutput(0, .f32, shape)
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    var taps = 1
    for _ in 2..<step.input(0).shape.rank {
      taps *= sampling == .nearest ? 1 : sampling == .linear ? 2 : 4
    }
    return step.output().shape.elementCount.saturatingProduct(taps)
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output().floats
    guard y.count > 0 else { return }
    let grid = step.input(1).floats
    let shape = x.shape
    let spatial = shape.rank - 2
    let channels = shape[1]
    let area = shape.elementCount(of: 2..<shape.rank)
    let points = y.count / (shape[0] * channels)
    let source = x.floats
    for n in 0..<shape[0] {
      for p in 0..<points {
        var taps = Taps()
        for axis in 0..<spatial {
          // Coordinates come last axis first.
          let place = grid[(n * points + p) * spatial + spatial - 1 - axis]
          append(place, extent: shape[2 + axis], to: &taps)
        }
        for c in 0..<channels {
          let plane = (n * channels + c) * area
          var sum: Float = 0
          for t in 0..<taps.count where taps.places[t] >= 0 {
            sum += taps.weights[t] * source[plane + taps.places[t]]
          }
          y[(n * channels + c) * points + p] = sum
        }
      }
    }
  }

  /// Places in a plane and their shares; −1 is a place outside.
  private struct Taps {
    var places: InlineArray<64, Int> = InlineArray(repeating: 0)
    var weights: InlineArray<64, Float> = InlineArray(repeating: 1)
    var count = 1
  }

  /// Splits every tap over the elements of the next axis that `place` lies between.
  private func append(_ place: Float, extent: Int, to taps: inout Taps) {
    var along = AxisTaps(at(place, extent), sampling)
    for i in 0..<along.count { along.places[i] = inside(along.places[i], extent) }
    let old = taps
    taps.count = 0
    for t in 0..<old.count {
      for i in 0..<along.count {
        let isOutside = old.places[t] < 0 || along.places[i] < 0
        taps.places[taps.count] = isOutside ? -1 : old.places[t] * extent + along.places[i]
        taps.weights[taps.count] = old.weights[t] * along.weights[i]
        taps.count += 1
      }
    }
  }

  /// A coordinate in elements, brought into the tensor as the padding says.
  private func at(_ place: Float, _ extent: Int) -> Float {
    let n = Float(extent)
    var x = alignsCorners ? (place + 1) / 2 * (n - 1) : ((place + 1) * n - 1) / 2
    if x.isNaN { x = 0 }
    // Far outside is outside; nothing of it overflows an index.
    x = min(max(x, -0x1p30), 0x1p30)
    if sampling == .nearest { x = x.rounded(.toNearestOrEven) }
    switch padding {
    case .zeros: return x
    case .border: return min(max(x, 0), n - 1)
    case .reflection: return reflected(x, extent)
    }
  }

  private func reflected(_ x: Float, _ extent: Int) -> Float {
    let low: Float = alignsCorners ? 0 : -0.5
    let high = alignsCorners ? Float(extent) - 1 : Float(extent) - 0.5
    guard x < low || x > high else { return x }
    guard high > low else { return low }
    let range = high - low
    let beyond = x < low ? low - x : x - high
    let times = (beyond / range).rounded(.towardZero)
    let rest = beyond - times * range
    let isEven = times.truncatingRemainder(dividingBy: 2) == 0
    return (x < low) == isEven ? low + rest : high - rest
  }

  private func inside(_ i: Int, _ extent: Int) -> Int {
    if i >= 0, i < extent { return i }
    switch padding {
    case .zeros: return -1
    case .border: return min(max(i, 0), extent - 1)
    case .reflection:
      return min(max(Int(reflected(Float(i), extent).rounded(.towardZero)), 0), extent - 1)
    }
  }
}

/// The elements of one axis that a place lies between, and their shares.
struct AxisTaps {
  var places: InlineArray<4, Int> = InlineArray(repeating: 0)
  var weights: InlineArray<4, Float> = InlineArray(repeating: 1)
  var count = 1

  /// `at` must be far from the bounds of Int.
  init(_ at: Float, _ sampling: Sampling) {
    let low = at.rounded(.down)
    let first = Int(low)
    let share = at - low
    switch sampling {
    case .nearest: places[0] = first
    case .linear:
      count = 2
      places[0] = first
      places[1] = first + 1
      weights[0] = 1 - share
      weights[1] = share
    case .cubic:
      count = 4
      for i in 0..<4 {
        places[i] = first - 1 + i
        weights[i] = AxisTaps.cubic(share - Float(i - 1), -0.75)
      }
    }
  }

  /// Keys' cubic convolution kernel, 0 from a distance of 2 on.
  static func cubic(_ distance: Float, _ a: Float) -> Float {
    let d = distance.magnitude
    if d <= 1 { return ((a + 2) * d - (a + 3)) * d * d + 1 }
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0
  }
}
