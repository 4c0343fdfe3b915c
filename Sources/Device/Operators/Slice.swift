// A strided part of a tensor.
import Tensors

/// Bounds of a slice along some axes, as ONNX and NumPy define them: negative bounds count from the
/// end, bounds are clamped, steps may be negative.
///
/// inputs: x; then, without constant bounds, starts, ends and optionally axes and steps (integers
/// known before the program runs) → output: the part.
public struct Slice: OperatorDefinition {
  public static var code: Int { 22 }
  public static var name: StaticString { "Slice" }

  /// False when the bounds are inputs 1 to 4.
  public var isConstant: Bool
  public var starts: IntegerList
  public var ends: IntegerList
  public var axes: IntegerList
  public var steps: IntegerList

  /// Bounds from inputs.
  public init() {
    isConstant = false
    starts = IntegerList()
    ends = IntegerList()
    axes = IntegerList()
    steps = IntegerList()
  }

  public init(starts: IntegerList, ends: IntegerList, axes: IntegerList, steps: IntegerList) {
    isConstant = true
    self.starts = starts
    self.ends = ends
    self.axes = axes
    self.steps = steps
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    isConstant = try attributes.bool()
    starts = try attributes.list(in: Int.min...Int.max)
    ends = try attributes.list(in: Int.min...Int.max)
    axes = try attributes.list(in: -8...7)
    steps = try attributes.list(in: Int.min...Int.max)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(isConstant)
    attributes.put(starts)
    attributes.put(ends)
    attributes.put(axes)
    attributes.put(steps)
  }

  /// First index, step and count along each axis.
  private struct Plan {
    var first = InlineArray<8, Int>(repeating: 0)
    var step = InlineArray<8, Int>(repeating: 1)
    var shape = Shape()
  }

  private func plan(_ step: StepContext) throws(ShapeError) -> Plan {
    let x = step.input(0).shape
    var (starts, ends, axes, steps) = (starts, ends, axes, steps)
    if !isConstant {
      starts = try step.integers(1)
      ends = try step.integers(2)
      axes = step.has(3) ? try step.integers(3) : IntegerList()
      steps = step.has(4) ? try step.integers(4) : IntegerList()
    }
    guard starts.count == ends.count, starts.count <= x.rank,
      axes.count == 0 || axes.count == starts.count,
      steps.count == 0 || steps.count == starts.count
    else { throw ShapeError("bounds do not fit together") }
    var p = Plan()
    p.shape = x
    for i in 0..<starts.count {
      guard let axis = x.normalized(axis: axes.count == 0 ? i : axes[i]) else {
        throw ShapeError("axis is out of range", input: 0)
      }
      let stride = steps.count == 0 ? 1 : steps[i]
      guard stride != 0 else { throw ShapeError("step is 0") }
      let n = x[axis]
      func bound(_ v: Int, _ low: Int, _ high: Int) -> Int {
        min(max(v < 0 ? v &+ n : v, low), high)
      }
      let forward = stride > 0
      let from = bound(max(starts[i], -(1 << 60)), 0, forward ? n : n - 1)
      // A very negative end of a backward slice means "through element 0".
      let end = ends[i] < -(1 << 60) ? -1 &- n : ends[i]
      let to = forward ? bound(end, 0, n) : (end < -n ? -1 : bound(end, -1, n - 1))
      // Any step past the axis takes one element.
      let size = min(abs(max(stride, -Int.max)), 1 << 46)
      let span = forward ? to - from : from - to
      p.first[axis] = from
      p.shape[axis] = span <= 0 || n == 0 ? 0 : (span - 1) / size + 1
      // Behind a single element nothing follows; a huge step times a stride would overflow.
      p.step[axis] = p.shape[axis] <= 1 ? 1 : forward ? size : -size
    }
    return p
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: isConstant ? 1...1 : 3...5)
    try step.requirePlain(0)
    step.setOutput(0, step.input(0).elementType, try plan(step).shape)
  }

  public func readsValue(ofInput i: Int) -> Bool { i > 0 }

  public func run(_ step: StepContext) {
    guard let p = try? plan(step) else { return }
    let x = step.input(0)
    switch x.elementType.byteCount {
    case 1: copy(x.elements(UInt8.self), step.output().elements(UInt8.self), x.shape, p)
    case 2: copy(x.elements(UInt16.self), step.output().elements(UInt16.self), x.shape, p)
    case 4: copy(x.elements(UInt32.self), step.output().elements(UInt32.self), x.shape, p)
    default: copy(x.elements(UInt64.self), step.output().elements(UInt64.self), x.shape, p)
    }
  }

  private func copy<T: BitwiseCopyable>(
    _ x: Elements<T>, _ y: Elements<T>, _ shape: Shape, _ p: Plan
  ) {
    guard y.count > 0 else { return }
    let strides = shape.strides
    var start = 0
    var tailAxes = shape.rank
    for axis in 0..<shape.rank { start += p.first[axis] * strides[axis] }
    // Axes at the end that are taken whole are copied in one go.
    while tailAxes > 0, p.shape[tailAxes - 1] == shape[tailAxes - 1], p.step[tailAxes - 1] == 1 {
      tailAxes -= 1
    }
    if tailAxes > 0, p.step[tailAxes - 1] == 1 { tailAxes -= 1 }
    let run = p.shape.elementCount(of: tailAxes..<shape.rank)
    // The innermost axis that is left goes in a loop of its own: runs are often one element.
    let last = tailAxes - 1
    let inner = last >= 0 ? p.shape[last] : 1
    let stride = last >= 0 ? p.step[last] * strides[last] : 0
    precondition(isInside(shape, p))
    let source = unsafe x.pointer(0, count: shape.elementCount)
    let target = unsafe y.pointer(0, count: y.count)
    var position = Shape(repeating: 0, count: max(last, 0))
    var at = start
    for block in 0..<(y.count / (run * inner)) {
      let to = block * inner * run
      if run == 1 {
        for i in 0..<inner { unsafe target[to + i] = source[at + i * stride] }
      } else {
        for i in 0..<inner {
          unsafe (target + to + i * run).update(from: source + at + i * stride, count: run)
        }
      }
      var axis = last - 1
      while axis >= 0 {
        position[axis] += 1
        at += p.step[axis] * strides[axis]
        if position[axis] < p.shape[axis] { break }
        at -= p.step[axis] * strides[axis] * p.shape[axis]
        position[axis] = 0
        axis -= 1
      }
    }
  }

  /// Whether the first and the last element along each axis lie in x: what the copy trusts.
  private func isInside(_ shape: Shape, _ p: Plan) -> Bool {
    for axis in 0..<shape.rank {
      let last = p.first[axis] + (p.shape[axis] - 1) * p.step[axis]
      if p.first[axis] < 0 || p.first[axis] >= shape[axis] || last < 0 || last >= shape[axis] {
        return false
      }
    }
    return true
  }
}
