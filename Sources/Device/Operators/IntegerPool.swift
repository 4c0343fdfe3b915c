// Pooling of 8- and 16-bit integers, channels last.
import Tensors

/// What is made of the integers under a window. Raw values are part of the bundle format.
public enum IntegerPoolKind: Int, Sendable, CaseIterable {
  case max = 0
  /// The sum over the count, ties away from zero: TFLite.
  case average
  /// (sum − count · x zero) · scale / count in f32, ties to even, + y zero: ONNX Runtime, XNNPACK.
  case scaledAverage
}

/// Padding never counts.
///
/// input: i8, u8 or i16 [n, spatial…, c] → output: the same type, [n, spatial…, c].
public struct IntegerPool: OperatorDefinition {
  public static var code: Int { 107 }
  public static var name: StaticString { "IntegerPool" }

  public var kind: IntegerPoolKind
  /// One extent per spatial axis; empty for all there is.
  public var kernel: IntegerList
  public var window: Window
  public var roundsUp: Bool
  /// Scale of the input over that of the output.
  public var scale: Float
  public var xZero: Int
  public var yZero: Int
  public var low: Int
  public var high: Int

  public init(
    _ kind: IntegerPoolKind, kernel: IntegerList, window: Window = Window(), roundsUp: Bool = false,
    scale: Float = 1, xZero: Int = 0, yZero: Int = 0, low: Int, high: Int
  ) {
    self.kind = kind
    self.kernel = kernel
    self.window = window
    self.roundsUp = roundsUp
    self.scale = scale
    self.xZero = xZero
    self.yZero = yZero
    self.low = low
    self.high = high
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let kind = IntegerPoolKind(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown kind of pooling")
    }
    self.kind = kind
    kernel = try attributes.list(in: 1...Window.maximumKernel)
    window = try Window(from: &attributes)
    roundsUp = try attributes.bool()
    scale = try attributes.float()
    let range = -32768...32767
    xZero = try attributes.integer(in: range)
    yZero = try attributes.integer(in: range)
    low = try attributes.integer(in: range)
    high = try attributes.integer(in: low...32767)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(kind.rawValue)
    attributes.put(kernel)
    window.encode(into: &attributes)
    attributes.put(roundsUp)
    attributes.put(scale)
    attributes.put(xZero)
    attributes.put(yZero)
    attributes.put(low)
    attributes.put(high)
  }

  private func axes(_ x: Shape) throws(ShapeError) -> WindowAxes {
    guard kernel.count == 0 else {
      guard x.rank == 3 || x.rank == 4 else { throw ShapeError("wrong rank", input: 0) }
      var turned = Shape([x[0], x[x.rank - 1]])
      for axis in 1..<(x.rank - 1) { turned.append(x[axis]) }
      return try window.axes(over: turned, kernel: kernel, roundsUp: roundsUp)
    }
    guard x.rank == 3 || x.rank == 4 else { throw ShapeError("wrong rank", input: 0) }
    var one = WindowAxes()
    one.width.input = x[x.rank - 2]
    one.width.kernel = one.width.input
    if x.rank == 4 {
      one.height.input = x[1]
      one.height.kernel = x[1]
    }
    return one
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.requirePlain(0)
    try step.require(0, is: .i8, .u8, .i16)
    let x = step.input(0).shape
    let range = IntegerEpilogue.range(step.input(0).elementType)
    guard range.contains(low), range.contains(high) else {
      throw ShapeError("bounds are out of the type's range")
    }
    let axes = try axes(x)
    guard axes.taps <= 1 << 20 else { throw ShapeError("window is too large") }
    step.setOutput(
      0, step.input(0).elementType,
      try axes.channelsLastShape(x[0], x[x.rank - 1], rank: x.rank))
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    let x = step.input(0).shape
    return x[x.rank - 1] * 4
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    guard let axes = try? axes(step.input(0).shape) else { return 0 }
    return step.output().shape.elementCount.saturatingProduct(axes.taps)
  }

  public func run(_ step: StepContext) {
    guard let axes = try? axes(step.input(0).shape), step.output().shape.elementCount > 0 else {
      return
    }
    switch step.input(0).elementType {
    case .i8: run(step, axes, Int8.self)
    case .u8: run(step, axes, UInt8.self)
    default: run(step, axes, Int16.self)
    }
  }

  private func run<T: FixedWidthInteger & BitwiseCopyable>(
    _ step: StepContext, _ axes: WindowAxes, _: T.Type
  ) {
    let shape = step.input(0).shape
    let (h, w) = (axes.height, axes.width)
    let channels = shape[shape.rank - 1]
    let x = step.input(0).elements(T.self)
    let y = step.output().elements(T.self)
    let sums = step.scratch(Int32.self, count: channels)
    var at = 0
    for image in 0..<shape[0] {
      for oy in 0..<h.output {
        for ox in 0..<w.output {
          sums.fill(kind == .max ? Int32.min : 0)
          var count: Int32 = 0
          for ky in 0..<h.kernel {
            let iy = oy * h.stride + ky * h.dilation - h.begin
            guard iy >= 0, iy < h.input else { continue }
            for kx in 0..<w.kernel {
              let ix = ox * w.stride + kx * w.dilation - w.begin
              guard ix >= 0, ix < w.input else { continue }
              count += 1
              take(x, ((image * h.input + iy) * w.input + ix) * channels, sums)
            }
          }
          finish(sums, count, y, at)
          at += channels
        }
      }
    }
  }

  private func take<T: FixedWidthInteger & BitwiseCopyable>(
    _ x: Elements<T>, _ from: Int, _ sums: Elements<Int32>
  ) {
    let n = sums.count
    let source = unsafe x.pointer(from, count: n)
    let target = unsafe sums.pointer(0, count: n)
    if kind == .max {
      for c in 0..<n { unsafe target[c] = Swift.max(target[c], Int32(source[c])) }
    } else {
      for c in 0..<n { unsafe target[c] = target[c] &+ Int32(source[c]) }
    }
  }

  private func finish<T: FixedWidthInteger & BitwiseCopyable>(
    _ sums: Elements<Int32>, _ count: Int32, _ y: Elements<T>, _ at: Int
  ) {
    let factor = count > 0 ? scale / Float(count) : 0
    for c in 0..<sums.count {
      let sum = sums[c]
      let value: Int
      switch kind {
      case .max: value = count > 0 ? Int(sum) : xZero
      case .average:
        let half = sum >= 0 ? count / 2 : -(count / 2)
        value = count > 0 ? Int((sum &+ half) / count) : xZero
      case .scaledAverage:
        let real = Float(Int(sum) - Int(count) * xZero) * factor
        let bounded = real > -1e6 ? (real < 1e6 ? real : 1e6) : real <= -1e6 ? -1e6 : 0
        value = Int(bounded.rounded(.toNearestOrEven)) + yZero
      }
      y[at + c] = T(truncatingIfNeeded: Swift.min(Swift.max(value, low), high))
    }
  }
}
