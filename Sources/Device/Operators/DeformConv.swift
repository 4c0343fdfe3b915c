// A convolution whose taps are moved by offsets that the model computes.
import Tensors

/// y = Σ w · mask · x at each tap's place plus its offset, read linearly with zeros outside; plus bias.
///
/// inputs: x f32 [n, c, height, width]; w f32 [outputs, c / groups, rows, columns]; offsets f32
/// [n, offsetGroups · rows · columns · 2, output extents], first down, then across; bias f32 [outputs],
/// optional; mask f32 [n, offsetGroups · rows · columns, output extents], optional → output f32
/// [n, outputs, …].
public struct DeformConv: OperatorDefinition {
  public static var code: Int { 84 }
  public static var name: StaticString { "DeformConv" }

  public var window: Window
  public var groups: Int
  public var offsetGroups: Int

  public init(window: Window = Window(), groups: Int = 1, offsetGroups: Int = 1) {
    self.window = window
    self.groups = groups
    self.offsetGroups = offsetGroups
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    window = try Window(from: &attributes)
    groups = try attributes.integer(in: 1...(1 << 24))
    offsetGroups = try attributes.integer(in: 1...(1 << 24))
  }

  public func encode(into attributes: inout AttributeWriter) {
    window.encode(into: &attributes)
    attributes.put(groups)
    attributes.put(offsetGroups)
  }

  private func axes(_ step: StepContext) throws(ShapeError) -> WindowAxes {
    let x = step.input(0).shape
    let w = step.input(1).shape
    guard x.rank == 4, w.rank == 4 else {
      throw ShapeError("expected two spatial axes", input: 0, expected: 4, found: x.rank)
    }
    return try window.axes(over: x, kernel: IntegerList([w[2], w[3]]))
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 3...5)
    for i in 0..<step.inputCount where step.has(i) {
      try step.requirePlain(i)
      try step.require(i, is: .f32)
    }
    let axes = try axes(step)
    let x = step.input(0).shape
    let w = step.input(1).shape
    guard w[0] % groups == 0, x[1] % groups == 0, x[1] / groups == w[1],
      x[1] % offsetGroups == 0
    else { throw ShapeError("channels do not fit the weight", input: 1, expected: x[1]) }
    guard x[1].saturatingProduct(axes.taps) <= 1 << 36 else {
      throw ShapeError("is too large", input: 1)
    }
    let (height, width) = (axes.height.output, axes.width.output)
    let moves = offsetGroups.saturatingProduct(axes.taps)
    guard step.input(2).shape == Shape([x[0], moves.saturatingProduct(2), height, width]) else {
      throw ShapeError("is not two offsets per tap", input: 2)
    }
    guard !step.has(3) || step.input(3).shape == Shape([w[0]]) else {
      throw ShapeError("is not one number per filter", input: 3, expected: w[0])
    }
    guard !step.has(4) || step.input(4).shape == Shape([x[0], moves, height, width]) else {
      throw ShapeError("is not one factor per tap", input: 4)
    }
    step.setOutput(0, .f32, try axes.outputShape(x[0], w[0], rank: 4))
  }

  /// The taps of one output element over all channels.
  public func scratchBytes(_ step: StepContext) -> Int {
    let w = step.input(1).shape
    return step.input(0).shape[1].saturatingProduct(w[2].saturatingProduct(w[3] * 4))
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    let w = step.input(1).shape
    let y = step.output().shape
    // Reading a tap takes about as long as eight products, once for all filters.
    let perPlace = w[1].saturatingProduct(y[1]).addingReportingOverflow(
      step.input(0).shape[1].saturatingProduct(8))
    let places = y[0].saturatingProduct(y[2].saturatingProduct(y[3]))
    return (perPlace.overflow ? Int.max : perPlace.partialValue)
      .saturatingProduct(places.saturatingProduct(w[2].saturatingProduct(w[3])))
  }

  public func run(_ step: StepContext) {
    guard let axes = try? axes(step) else { return }
    let y = step.output().floats
    guard y.count > 0 else { return }
    let shape = step.input(0).shape
    let channels = shape[1]
    let outputs = step.input(1).shape[0]
    let taps = axes.taps
    let column = step.scratch(Float.self, count: channels * taps)
    let w = step.input(1).floats
    let perGroup = outputs / groups
    let depth = channels / groups * taps
    for n in 0..<shape[0] {
      for at in 0..<axes.outputs {
        gather(step, axes, n, at, into: column)
        for o in 0..<outputs {
          var sum = step.has(3) ? step.input(3).floats[o] : 0
          let first = o / perGroup * depth
          for k in 0..<depth { sum += w[o * depth + k] * column[first + k] }
          y[(n * outputs + o) * axes.outputs + at] = sum
        }
      }
    }
  }

  private func gather(
    _ step: StepContext, _ axes: WindowAxes, _ n: Int, _ at: Int, into column: Elements<Float>
  ) {
    let x = step.input(0).floats
    let offsets = step.input(2).floats
    let (h, w) = (axes.height, axes.width)
    let channels = step.input(0).shape[1]
    let taps = axes.taps
    let shared = channels / offsetGroups
    for g in 0..<offsetGroups {
      for t in 0..<taps {
        let move = (n * offsetGroups + g) * taps + t
        let down =
          Float(at / w.output * h.stride - h.begin + t / w.kernel * h.dilation)
          + offsets[2 * move * axes.outputs + at]
        let across =
          Float(at % w.output * w.stride - w.begin + t % w.kernel * w.dilation)
          + offsets[(2 * move + 1) * axes.outputs + at]
        let factor = step.has(4) ? step.input(4).floats[move * axes.outputs + at] : 1
        for c in (g * shared)..<((g + 1) * shared) {
          let plane = (n * channels + c) * h.input * w.input
          column[c * taps + t] =
            factor * DeformConv.read(x, plane, h.input, w.input, down, across)
        }
      }
    }
  }

  /// x between its elements; zeros outside.
  private static func read(
    _ x: Elements<Float>, _ plane: Int, _ height: Int, _ width: Int, _ down: Float,
    _ across: Float
  ) -> Float {
    guard down > -1, down < Float(height), across > -1, across < Float(width) else { return 0 }
    let rows = AxisTaps(down, .linear)
    let columns = AxisTaps(across, .linear)
    var sum: Float = 0
    for i in 0..<2 where rows.places[i] >= 0 && rows.places[i] < height {
      for j in 0..<2 where columns.places[j] >= 0 && columns.places[j] < width {
        sum +=
          rows.weights[i] * columns.weights[j]
          * x[plane + rows.places[i] * width + columns.places[j]]
      }
    }
    return sum
  }
}
