// Resizing in every way that `Resize` has no fast path for: cubic, smoothed, cropped, in proportion.
import Tensors

/// What to do with target extents in other proportions than the input's. Raw values are part of the
/// bundle format.
public enum AspectPolicy: Int, Sendable, CaseIterable {
  case stretch = 0
  /// One scale for all axes, the smallest that is asked for.
  case notLarger
  /// The largest.
  case notSmaller
}

/// inputs: x f32; i64 extents or f32 scales, one per axis in `axes`, known before the program runs; the
/// region f32 [starts, ends] of those axes where `isCropped`, known too → output: x resized axis by
/// axis. Coordinates are those of `Resize`, or with `isCropped` run over the region, 0 to 1 being the
/// first and last element; outside of x stands `outside`.
public struct Resample: OperatorDefinition {
  public static var code: Int { 85 }
  public static var name: StaticString { "Resample" }

  public var sampling: Sampling
  public var coordinates: ResizeCoordinates
  /// For nearest neighbour.
  public var rounding: ResizeRounding
  public var isCropped: Bool
  /// Averages over all elements that a smaller output stands for.
  public var isSmoothed: Bool
  /// Elements outside get no share, instead of that of the border.
  public var excludesOutside: Bool
  public var policy: AspectPolicy
  /// The a of Keys' cubic.
  public var cubicCoefficient: Float
  public var outside: Float
  /// The axes that inputs 1 and 2 are about; empty for all.
  public var axes: IntegerList

  public init(
    _ sampling: Sampling, coordinates: ResizeCoordinates = .halfPixel,
    rounding: ResizeRounding = .preferFloor, isCropped: Bool = false, isSmoothed: Bool = false,
    excludesOutside: Bool = false, policy: AspectPolicy = .stretch,
    cubicCoefficient: Float = -0.75, outside: Float = 0, axes: IntegerList = IntegerList()
  ) {
    self.sampling = sampling
    self.coordinates = coordinates
    self.rounding = rounding
    self.isCropped = isCropped
    self.isSmoothed = isSmoothed
    self.excludesOutside = excludesOutside
    self.policy = policy
    self.cubicCoefficient = cubicCoefficient
    self.outside = outside
    self.axes = axes
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let sampling = Sampling(rawValue: try attributes.integer()),
      let coordinates = ResizeCoordinates(rawValue: try attributes.integer()),
      let rounding = ResizeRounding(rawValue: try attributes.integer())
    else { throw attributes.fail("unknown kind of sampling, coordinates or rounding") }
    self.sampling = sampling
    self.coordinates = coordinates
    self.rounding = rounding
    isCropped = try attributes.bool()
    isSmoothed = try attributes.bool()
    excludesOutside = try attributes.bool()
    guard let policy = AspectPolicy(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown policy")
    }
    self.policy = policy
    cubicCoefficient = try attributes.float()
    outside = try attributes.float()
    axes = try attributes.list(in: -8...7)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(sampling.rawValue)
    attributes.put(coordinates.rawValue)
    attributes.put(rounding.rawValue)
    attributes.put(isCropped)
    attributes.put(isSmoothed)
    attributes.put(excludesOutside)
    attributes.put(policy.rawValue)
    attributes.put(cubicCoefficient)
    attributes.put(outside)
    attributes.put(axes)
  }

  private func plan(_ step: StepContext) throws(ShapeError) -> InlineArray<8, ResampleAxis> {
    let x = step.input(0).shape
    let target = step.input(1)
    let count = axes.count == 0 ? x.rank : axes.count
    guard target.shape.rank == 1, target.shape[0] == count, count <= x.rank else {
      throw ShapeError("is not one number per axis", input: 1, expected: count)
    }
    guard target.hasValue, !isCropped || step.has(2) && step.input(2).hasValue else {
      throw ShapeError("must not depend on the data that runs through the model", input: 1)
    }
    if isCropped {
      guard step.input(2).elementType == .f32, step.input(2).shape == Shape([2 * count]) else {
        throw ShapeError("is not two numbers per axis", input: 2, expected: 2 * count)
      }
    }
    var result = InlineArray<8, ResampleAxis>(repeating: ResampleAxis())
    for a in 0..<x.rank { result[a] = ResampleAxis(input: x[a], output: x[a]) }
    var common: Double?
    for i in 0..<count {
      guard let a = x.normalized(axis: axes.count == 0 ? i : axes[i]) else {
        throw ShapeError("axis is out of range", input: 0, expected: x.rank, found: axes[i])
      }
      result[a] = try axis(x[a], step, i, count)
      let scale = result[a].scale
      switch policy {
      case .stretch: break
      case .notLarger: common = min(common ?? scale, scale)
      case .notSmaller: common = max(common ?? scale, scale)
      }
    }
    if let common {
      for i in 0..<count {
        let a = x.normalized(axis: axes.count == 0 ? i : axes[i]) ?? 0
        result[a].scale = common
        let extent = (common * Double(x[a]) + 0.5).rounded(.down)
        guard extent < 0x1p31 else { throw ShapeError("output is too large") }
        result[a].output = Int(extent)
      }
    }
    return result
  }

  private func axis(
    _ n: Int, _ step: StepContext, _ i: Int, _ count: Int
  ) throws(ShapeError) -> ResampleAxis {
    let target = step.input(1)
    var a = ResampleAxis(input: n, output: n)
    if target.elementType == .f32 {
      a.scale = Double(target.floats[i])
      guard a.scale > 0, a.scale <= 0x1p30, Double(n) * a.scale < 0x1p31 else {
        throw ShapeError("scale is out of range", input: 1)
      }
      a.output = Int(Float(n) * target.floats[i])
    } else {
      a.output = target.integer(at: i)
      guard a.output >= 0, a.output <= 1 << 31 else {
        throw ShapeError("extent is out of range", input: 1, found: a.output)
      }
      if n > 0 { a.scale = Double(a.output) / Double(n) }
    }
    guard n > 0 || a.output == 0 else { throw ShapeError("nothing to resize", input: 0) }
    guard n <= 1 << 31 else { throw ShapeError("is too long", input: 0, found: n) }
    if isCropped {
      a.start = Double(step.input(2).floats[i])
      a.end = Double(step.input(2).floats[count + i])
      guard a.start.magnitude <= 0x1p20, a.end.magnitude <= 0x1p20 else {
        throw ShapeError("region is out of range", input: 2)
      }
    }
    return a
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...3)
    for i in 0..<step.inputCount { try step.requirePlain(i) }
    try step.require(0, is: .f32)
    try step.require(1, is: .f32, .i64)
    let x = step.input(0)
    let plan = try plan(step)
    var shape = Shape()
    var between = Shape()
    for a in 0..<x.shape.rank {
      shape.append(plan[a].output)
      between.append(max(plan[a].input, plan[a].output))
      guard plan[a].output == 0 || taps(plan[a]) < (1 << 40) / plan[a].output else {
        throw ShapeError("is made too small", input: 0)
      }
    }
    guard let most = between.checkedElementCount, most <= 1 << 40 else {
      throw ShapeError("output is too large")
    }
    step.setOutput(0, .f32, shape)
  }

  /// Elements that one output element is made of.
  private func taps(_ a: ResampleAxis) -> Int {
    let reach: Double = sampling == .cubic ? 2 : 1
    if sampling == .nearest { return 1 }
    guard isSmoothed, a.scale < 1 else { return Int(reach) * 2 }
    return 2 * Int((reach / a.scale).rounded(.up))
  }

  /// Scratch: a table of places and shares for one axis, and two tensors between axes.
  private struct Layout {
    var entries = 0
    var most = 0
    var passes = 0

    var weights: Int { (entries * 8 + 63) & ~63 }
    var first: Int { weights + ((entries * 4 + 63) & ~63) }
    var second: Int { first + ((most * 4 + 63) & ~63) }
    var total: Int { passes < 2 ? first : passes == 2 ? second : second + most * 4 }
  }

  private func layout(_ x: Shape, _ plan: InlineArray<8, ResampleAxis>) -> Layout {
    var l = Layout()
    var shape = x
    for a in 0..<x.rank where !plan[a].isIdentity {
      if l.passes > 0 { l.most = max(l.most, shape.elementCount) }
      shape[a] = plan[a].output
      l.entries = max(l.entries, plan[a].output * taps(plan[a]))
      l.passes += 1
    }
    return l
  }

  public func readsValue(ofInput i: Int) -> Bool { i > 0 }

  public func scratchBytes(_ step: StepContext) -> Int {
    guard let plan = try? plan(step) else { return 0 }
    return layout(step.input(0).shape, plan).total
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    guard let plan = try? plan(step) else { return 0 }
    var shape = step.input(0).shape
    var work = 0
    for a in 0..<shape.rank where !plan[a].isIdentity {
      shape[a] = plan[a].output
      let pass = shape.elementCount.saturatingProduct(taps(plan[a]))
      work = pass > Int.max - work ? Int.max : work + pass
    }
    return work
  }

  public func run(_ step: StepContext) {
    guard let plan = try? plan(step), step.output().shape.elementCount > 0 else { return }
    let x = step.input(0)
    let y = step.output().floats
    let l = layout(x.shape, plan)
    guard l.passes > 0 else { return y.copy(from: x.floats, at: 0, to: 0, count: y.count) }
    let places = step.scratch(Int.self, count: l.entries)
    let weights = step.scratch(Float.self, count: l.entries, at: l.weights)
    var source = x.floats
    var shape = x.shape
    var left = l.passes
    for a in 0..<shape.rank where !plan[a].isIdentity {
      left -= 1
      let count = taps(plan[a])
      for i in 0..<plan[a].output { fill(places, weights, i * count, count, i, plan[a]) }
      let outer = shape.elementCount(of: 0..<a)
      let inner = shape.elementCount(of: (a + 1)..<shape.rank)
      shape[a] = plan[a].output
      let isOdd = (l.passes - left) % 2 == 1
      let target =
        left == 0
        ? y
        : step.scratch(Float.self, count: shape.elementCount, at: isOdd ? l.first : l.second)
      for o in 0..<outer {
        for i in 0..<plan[a].output {
          let out = (o * plan[a].output + i) * inner
          for j in 0..<inner {
            var sum: Float = 0
            for t in (i * count)..<((i + 1) * count) {
              sum += weights[t] * source[(o * plan[a].input + places[t]) * inner + j]
            }
            target[out + j] = sum
          }
        }
      }
      source = target
    }
    if isCropped { clear(y, shape, plan) }
  }

  /// Places and shares of output element `i`, from `at` on in the tables.
  private func fill(
    _ places: Elements<Int>, _ weights: Elements<Float>, _ at: Int, _ count: Int, _ i: Int,
    _ a: ResampleAxis
  ) {
    let place = min(max(a.coordinate(i, coordinates, isCropped), -0x1p40), 0x1p40)
    if sampling == .nearest {
      places[at] = min(max(nearest(place), 0), a.input - 1)
      weights[at] = 1
      return
    }
    let low = place.rounded(.down)
    let first = Int(low) - count / 2 + 1
    let scale = isSmoothed ? min(a.scale, 1) : 1
    var total: Float = 0
    for t in 0..<count {
      let distance = Float((Double(first + t) - place) * scale).magnitude
      var weight =
        sampling == .cubic ? AxisTaps.cubic(distance, cubicCoefficient) : max(0, 1 - distance)
      if excludesOutside, first + t < 0 || first + t >= a.input { weight = 0 }
      places[at + t] = min(max(first + t, 0), a.input - 1)
      weights[at + t] = weight
      total += weight
    }
    guard total != 0, excludesOutside || scale < 1 else { return }
    for t in 0..<count { weights[at + t] /= total }
  }

  private func nearest(_ at: Double) -> Int {
    switch rounding {
    case .preferFloor: Int((at - 0.5).rounded(.up))
    case .preferCeil: Int((at + 0.5).rounded(.down))
    case .floor: Int(at.rounded(.down))
    case .ceil: Int(at.rounded(.up))
    }
  }

  /// Sets what lies outside of x along any axis.
  private func clear(
    _ y: Elements<Float>, _ shape: Shape, _ plan: InlineArray<8, ResampleAxis>
  ) {
    for a in 0..<shape.rank where !plan[a].isIdentity {
      let inner = shape.elementCount(of: (a + 1)..<shape.rank)
      for i in 0..<shape[a] {
        let at = plan[a].coordinate(i, coordinates, true)
        guard at < 0 || at > Double(plan[a].input - 1) else { continue }
        for o in 0..<shape.elementCount(of: 0..<a) {
          let first = (o * shape[a] + i) * inner
          for j in first..<(first + inner) { y[j] = outside }
        }
      }
    }
  }
}
