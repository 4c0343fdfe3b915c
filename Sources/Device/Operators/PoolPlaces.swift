// The largest element under each window, and where it stands.
import Tensors

/// y = the maximum of x under each window, and its index in the whole of x.
///
/// input: f32 [n, c, one to six spatial extents] → outputs: f32 [n, c, …] and i64 of the same shape. Of
/// equals the first. Indices count elements row by row, or with `isColumnMajor` the spatial axes of
/// each plane from the last to the first. Under nothing but padding stands −inf, with index 0.
public struct PoolPlaces: OperatorDefinition {
  public static var code: Int { 81 }
  public static var name: StaticString { "PoolPlaces" }

  public var kernel: IntegerList
  public var window: Window
  public var roundsUp: Bool
  public var isColumnMajor: Bool

  public init(
    kernel: IntegerList, window: Window = Window(), roundsUp: Bool = false,
    isColumnMajor: Bool = false
  ) {
    self.kernel = kernel
    self.window = window
    self.roundsUp = roundsUp
    self.isColumnMajor = isColumnMajor
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    kernel = try attributes.list(in: 1...Window.maximumKernel)
    window = try Window(from: &attributes)
    roundsUp = try attributes.bool()
    isColumnMajor = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(kernel)
    window.encode(into: &attributes)
    attributes.put(roundsUp)
    attributes.put(isColumnMajor)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1, outputs: 2)
    try step.requirePlain(0)
    try step.require(0, is: .f32)
    let x = step.input(0).shape
    let axes = try window.allAxes(over: x, kernel: kernel, roundsUp: roundsUp)
    var shape = Shape([x[0], x[1]])
    for i in 0..<(x.rank - 2) { shape.append(axes[i].output) }
    guard shape.checkedElementCount != nil else { throw ShapeError("output is too large") }
    step.setOutput(0, .f32, shape)
    step.setOutput(1, .i64, shape)
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? {
    i == 0 ? .f32 : .i64
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    var work = step.output().shape.elementCount
    for i in 0..<kernel.count { work = work.saturatingProduct(kernel[i]) }
    return work
  }

  public func run(_ step: StepContext) {
    let shape = step.input(0).shape
    guard step.output().shape.elementCount > 0,
      let axes = try? window.allAxes(over: shape, kernel: kernel, roundsUp: roundsUp)
    else { return }
    let x = step.input(0).floats
    let values = step.output(0).floats
    let places = step.output(1).elements(Int64.self)
    let count = shape.rank - 2
    let area = shape.elementCount(of: 2..<shape.rank)
    let outputs = step.output().shape.elementCount(of: 2..<shape.rank)
    for plane in 0..<(shape[0] * shape[1]) {
      for o in 0..<outputs {
        let best = largest(x, plane * area, axes, count, o)
        values[plane * outputs + o] = best < 0 ? -.infinity : x[plane * area + best]
        places[plane * outputs + o] = Int64(
          best < 0 ? 0 : plane * area + (isColumnMajor ? turned(best, axes, count) : best))
      }
    }
  }

  /// The place in its plane of the largest element under window `o`; −1 where there is none.
  private func largest(
    _ x: Elements<Float>, _ first: Int, _ axes: InlineArray<6, WindowAxis>, _ count: Int, _ o: Int
  ) -> Int {
    var start: InlineArray<6, Int> = InlineArray(repeating: 0)
    var rest = o
    var axis = count - 1
    while axis >= 0 {
      start[axis] = rest % axes[axis].output * axes[axis].stride - axes[axis].begin
      rest /= axes[axis].output
      axis -= 1
    }
    var tap: InlineArray<6, Int> = InlineArray(repeating: 0)
    var best = -1
    while true {
      var place = 0
      var isInside = true
      for a in 0..<count {
        let at = start[a] + tap[a] * axes[a].dilation
        if at < 0 || at >= axes[a].input { isInside = false }
        place = place * axes[a].input + at
      }
      if isInside, best < 0 || x[first + place] > x[first + best] { best = place }
      var a = count - 1
      while a >= 0 {
        tap[a] += 1
        if tap[a] < axes[a].kernel { break }
        tap[a] = 0
        a -= 1
      }
      if a < 0 { return best }
    }
  }

  /// A place in a plane counted with the first axis running fastest.
  private func turned(_ place: Int, _ axes: InlineArray<6, WindowAxis>, _ count: Int) -> Int {
    var rest = place
    var result = 0
    var axis = count - 1
    while axis >= 0 {
      result = result * axes[axis].input + rest % axes[axis].input
      rest /= axes[axis].input
      axis -= 1
    }
    return result
  }
}
