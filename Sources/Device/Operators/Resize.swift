// A tensor sampled at other extents: nearest neighbour, or linear between neighbours.
import Tensors

/// Where output element i looks, in input elements; s = output extent / input extent, or the scale that
/// was given. Raw values are part of the bundle format.
public enum ResizeCoordinates: Int, Sendable, CaseIterable {
  /// (i + ½) / s − ½.
  case halfPixel = 0
  /// The same; 0 where the output extent is 1.
  case pytorchHalfPixel
  /// i (input − 1) / (output − 1).
  case alignCorners
  /// i / s.
  case asymmetric
  /// `halfPixel` shifted so that a scale that does not divide crops both ends alike.
  case halfPixelSymmetric
}

/// Which element a coordinate between two falls to. Raw values are part of the bundle format.
public enum ResizeRounding: Int, Sendable, CaseIterable {
  /// To the nearer one; from the middle to the lower (then: the upper) one.
  case preferFloor = 0
  case preferCeil
  case floor
  case ceil
}

/// inputs: x, any element type (f32 for linear); i64 extents or f32 scales, one per axis in `axes`, known
/// before the program runs → output: x resized. Linear resizing goes axis by axis; coordinates outside
/// take the border's value.
public struct Resize: OperatorDefinition {
  public static var code: Int { 57 }
  public static var name: StaticString { "Resize" }

  public var isLinear: Bool
  public var coordinates: ResizeCoordinates
  /// For nearest neighbour.
  public var rounding: ResizeRounding
  /// The axes that input 1 is about; empty for all.
  public var axes: IntegerList

  public init(
    isLinear: Bool, coordinates: ResizeCoordinates = .halfPixel,
    rounding: ResizeRounding = .preferFloor, axes: IntegerList = IntegerList()
  ) {
    self.isLinear = isLinear
    self.coordinates = coordinates
    self.rounding = rounding
    self.axes = axes
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    isLinear = try attributes.bool()
    guard let coordinates = ResizeCoordinates(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown coordinates")
    }
    self.coordinates = coordinates
    guard let rounding = ResizeRounding(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown rounding")
    }
    self.rounding = rounding
    axes = try attributes.list(in: -8...7)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(isLinear)
    attributes.put(coordinates.rawValue)
    attributes.put(rounding.rawValue)
    attributes.put(axes)
  }

  /// One axis of the input and of the output.
  private struct Axis {
    var input = 1
    var output = 1
    var scale: Float = 1
    var isIdentity: Bool { input == output && scale == 1 }
  }

  private func plan(_ step: StepContext) throws(ShapeError) -> InlineArray<8, Axis> {
    let x = step.input(0).shape
    let target = step.input(1)
    let count = axes.count == 0 ? x.rank : axes.count
    guard target.shape.rank == 1, target.shape[0] == count, count <= x.rank else {
      throw ShapeError("is not one number per axis", input: 1, expected: count)
    }
    guard target.hasValue else {
      throw ShapeError("must not depend on the data that runs through the model", input: 1)
    }
    var result = InlineArray<8, Axis>(repeating: Axis())
    for a in 0..<x.rank { result[a] = Axis(input: x[a], output: x[a]) }
    for i in 0..<count {
      guard let a = x.normalized(axis: axes.count == 0 ? i : axes[i]) else {
        throw ShapeError("axis is out of range", input: 0, expected: x.rank, found: axes[i])
      }
      result[a] = try axis(x[a], target, i)
    }
    return result
  }

  private func axis(_ n: Int, _ target: TensorView, _ i: Int) throws(ShapeError) -> Axis {
    var a = Axis(input: n, output: n)
    if target.elementType == .f32 {
      a.scale = target.floats[i]
      guard a.scale > 0, a.scale <= 0x1p30, Float(n) * a.scale < 0x1p46 else {
        throw ShapeError("scale is out of range", input: 1)
      }
      a.output = Int(Float(n) * a.scale)
    } else {
      a.output = target.integer(at: i)
      guard a.output >= 0, a.output <= 1 << 46 else {
        throw ShapeError("extent is out of range", input: 1, found: a.output)
      }
      if n > 0 { a.scale = Float(a.output) / Float(n) }
    }
    guard n > 0 || a.output == 0 else { throw ShapeError("nothing to resize", input: 0) }
    return a
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...2)
    try step.requirePlain(0)
    try step.requirePlain(1)
    try step.require(1, is: .f32, .i64)
    if isLinear { try step.require(0, is: .f32) }
    let x = step.input(0)
    let plan = try plan(step)
    var shape = Shape()
    for a in 0..<x.shape.rank { shape.append(plan[a].output) }
    // Half-way through, some axes have old extents and some new ones.
    var between = Shape()
    for a in 0..<x.shape.rank { between.append(max(plan[a].input, plan[a].output)) }
    guard let most = between.checkedElementCount, most <= 1 << 46 else {
      throw ShapeError("output is too large")
    }
    step.setOutput(0, x.elementType, shape)
  }

  /// The coordinate that output element `i` looks at. In Float, like the engines whose nearest
  /// neighbours it must agree with.
  private func coordinate(_ i: Int, _ a: Axis) -> Float {
    let at = Float(i)
    switch coordinates {
    case .halfPixel: return (at + 0.5) / a.scale - 0.5
    case .pytorchHalfPixel: return a.output > 1 ? (at + 0.5) / a.scale - 0.5 : 0
    case .alignCorners:
      return a.output == 1 ? 0 : at * Float(a.input - 1) / Float(a.output - 1)
    case .asymmetric: return at / a.scale
    case .halfPixelSymmetric:
      let share = Float(a.output) / (a.scale * Float(a.input))
      let offset = Float(a.input) / 2 * (1 - share)
      return offset + (at + 0.5) / a.scale - 0.5
    }
  }

  private func nearest(_ i: Int, _ a: Axis) -> Int {
    if a.isIdentity { return i }
    let at = coordinate(i, a)
    let rounded =
      switch rounding {
      case .preferFloor: (at - 0.5).rounded(.up)
      case .preferCeil: (at + 0.5).rounded(.down)
      case .floor: at.rounded(.down)
      case .ceil: at.rounded(.up)
      }
    return min(max(Int(rounded), 0), a.input - 1)
  }

  /// Scratch of a linear step: a table for the longest axis and two tensors between axes.
  private struct Layout {
    var longest = 0
    var most = 0
    var passes = 0

    var first: Int { (longest * MemoryLayout<ResizeTap>.stride + 63) & ~63 }
    var second: Int { first + ((most * 4 + 63) & ~63) }
    var total: Int { passes < 2 ? first : passes == 2 ? second : second + most * 4 }
  }

  private func layout(_ x: Shape, _ plan: InlineArray<8, Axis>) -> Layout {
    var l = Layout()
    var shape = x
    for a in 0..<x.rank where !plan[a].isIdentity {
      if l.passes > 0 { l.most = max(l.most, shape.elementCount) }
      shape[a] = plan[a].output
      l.longest = max(l.longest, plan[a].output)
      l.passes += 1
    }
    return l
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    guard isLinear else { return Remap.scratchBytes(step.output().shape) }
    guard let plan = try? plan(step) else { return 0 }
    return layout(step.input(0).shape, plan).total
  }

  public func readsValue(ofInput i: Int) -> Bool { i == 1 }

  public func run(_ step: StepContext) {
    guard let plan = try? plan(step), step.output().shape.elementCount > 0 else { return }
    let x = step.input(0)
    let y = step.output()
    if isLinear { return linear(step, plan) }
    let map = Remap(x.shape, to: y.shape, in: step) { axis, i in nearest(i, plan[axis]) }
    map.run(x, y)
  }

  private func linear(_ step: StepContext, _ plan: InlineArray<8, Axis>) {
    let x = step.input(0)
    let y = step.output().floats
    let l = layout(x.shape, plan)
    guard l.passes > 0 else { return y.copy(from: x.floats, at: 0, to: 0, count: y.count) }
    let table = step.scratch(ResizeTap.self, count: l.longest)
    var source = x.floats
    var shape = x.shape
    var left = l.passes
    for a in 0..<shape.rank where !plan[a].isIdentity {
      left -= 1
      for i in 0..<plan[a].output { table[i] = tap(i, plan[a]) }
      let outer = shape.elementCount(of: 0..<a)
      let inner = shape.elementCount(of: (a + 1)..<shape.rank)
      shape[a] = plan[a].output
      let isOdd = (l.passes - left) % 2 == 1
      let target =
        left == 0
        ? y
        : step.scratch(Float.self, count: shape.elementCount, at: isOdd ? l.first : l.second)
      ResizeTap.blend(
        source, to: target, table, outer: outer, from: plan[a].input, to: plan[a].output,
        inner: inner)
      source = target
    }
  }

  private func tap(_ i: Int, _ a: Axis) -> ResizeTap {
    let at = min(max(coordinate(i, a), 0), Float(a.input - 1))
    let low = min(Int(at), a.input - 1)
    return ResizeTap(low: low, high: min(low + 1, a.input - 1), weight: at - Float(low))
  }
}

/// Two neighbours of an output element and the share of the higher one.
private struct ResizeTap {
  var low: Int
  var high: Int
  var weight: Float

  /// [outer, n, inner] → [outer, m, inner] by one tap per m.
  static func blend(
    _ x: Elements<Float>, to y: Elements<Float>, _ taps: Elements<ResizeTap>, outer: Int,
    from n: Int, to m: Int, inner: Int
  ) {
    for o in 0..<outer {
      for i in 0..<m {
        let t = taps[i]
        let share = 1 - t.weight
        let low = unsafe x.pointer((o * n + t.low) * inner, count: inner)
        let high = unsafe x.pointer((o * n + t.high) * inner, count: inner)
        let out = unsafe y.pointer((o * m + i) * inner, count: inner)
        for j in 0..<inner { unsafe out[j] = share * low[j] + t.weight * high[j] }
      }
    }
  }
}
