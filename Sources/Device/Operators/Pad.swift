// Elements added around a tensor, or cut off it.
import Tensors

/// What stands in the padding. Raw values are part of the bundle format.
public enum PadMode: Int, Sendable, CaseIterable {
  /// One value, 0 unless input 2 gives another.
  case constant = 0
  /// The tensor mirrored, without its border twice.
  case reflect
  /// The border repeated.
  case edge
  /// The tensor repeated.
  case wrap
}

/// y = x with `pads` elements in front of and behind each axis; negative numbers cut.
///
/// inputs: x, any element type; without constant pads, the pads (integers known before the program
/// runs); the fill value, optional, one element of x's type; without constant pads, the axes (known
/// too), optional → output: the extents that follow.
public struct Pad: OperatorDefinition {
  public static var code: Int { 43 }
  public static var name: StaticString { "Pad" }

  public var mode: PadMode
  /// False when pads and axes are inputs 1 and 3.
  public var isConstant: Bool
  /// In front of every axis, then behind every axis.
  public var pads: IntegerList
  /// The axes that `pads` is about; empty for all.
  public var axes: IntegerList

  /// Pads from inputs.
  public init(_ mode: PadMode) {
    self.mode = mode
    isConstant = false
    pads = IntegerList()
    axes = IntegerList()
  }

  public init(_ mode: PadMode, pads: IntegerList, axes: IntegerList = IntegerList()) {
    self.mode = mode
    isConstant = true
    self.pads = pads
    self.axes = axes
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let mode = PadMode(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown kind of padding")
    }
    self.mode = mode
    isConstant = try attributes.bool()
    pads = try attributes.list()
    axes = try attributes.list(in: -8...7)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(mode.rawValue)
    attributes.put(isConstant)
    attributes.put(pads)
    attributes.put(axes)
  }

  /// What happens along one axis: cut first, then add.
  private struct Edge {
    var cut = 0
    var kept = 0
    var added = 0
    var output = 0
  }

  private func edge(_ n: Int, _ begin: Int, _ end: Int) throws(ShapeError) -> Edge {
    guard abs(begin) <= 1 << 40, abs(end) <= 1 << 40 else {
      throw ShapeError("padding is out of range")
    }
    var e = Edge()
    e.cut = max(-begin, 0)
    e.kept = n - e.cut - max(-end, 0)
    e.added = max(begin, 0)
    e.output = e.kept + e.added + max(end, 0)
    guard e.kept >= 0 else { throw ShapeError("more is cut off than there is", found: n) }
    guard mode == .constant || e.kept > 0 || e.output == 0 else {
      throw ShapeError("nothing to repeat", input: 0)
    }
    return e
  }

  private func edges(_ step: StepContext) throws(ShapeError) -> InlineArray<8, Edge> {
    let x = step.input(0).shape
    var (pads, axes) = (pads, axes)
    if !isConstant {
      guard step.has(1) else { throw ShapeError("is missing", input: 1) }
      pads = try step.integers(1)
      axes = step.has(3) ? try step.integers(3) : IntegerList()
    }
    let count = axes.count == 0 ? x.rank : axes.count
    guard pads.count == 2 * count, count <= x.rank else {
      throw ShapeError("not two numbers per axis", expected: 2 * count, found: pads.count)
    }
    var result = InlineArray<8, Edge>(repeating: Edge())
    for axis in 0..<x.rank { result[axis] = try edge(x[axis], 0, 0) }
    for i in 0..<count {
      guard let axis = x.normalized(axis: axes.count == 0 ? i : axes[i]) else {
        throw ShapeError("axis is out of range", input: 0, expected: x.rank, found: axes[i])
      }
      let (begin, end) = (pads[i], pads[i + count])
      guard begin > Int.min, end > Int.min else { throw ShapeError("padding is out of range") }
      result[axis] = try edge(x[axis], begin, end)
    }
    return result
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...4)
    try step.requirePlain(0)
    let x = step.input(0)
    guard !isConstant || !step.has(1) && !step.has(3) else {
      throw ShapeError("pads are given twice", input: 1)
    }
    if step.has(2) {
      try step.requirePlain(2)
      let value = step.input(2)
      guard value.elementType == x.elementType, value.shape.elementCount == 1 else {
        throw ShapeError("is not one element of the input's type", input: 2)
      }
    }
    let edges = try edges(step)
    var shape = Shape()
    for axis in 0..<x.shape.rank { shape.append(edges[axis].output) }
    step.setOutput(0, x.elementType, shape)
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    Remap.scratchBytes(step.output().shape)
  }

  public func readsValue(ofInput i: Int) -> Bool { i == 1 || i == 3 }

  public func run(_ step: StepContext) {
    guard let edges = try? edges(step) else { return }
    let x = step.input(0)
    let y = step.output()
    let map = Remap(x.shape, to: y.shape, in: step) { axis, i in source(edges[axis], i) }
    map.run(x, y, fill: step.has(2) ? step.input(2) : nil)
  }

  /// The index of x that output index `i` shows; -1 for the fill value.
  private func source(_ e: Edge, _ i: Int) -> Int {
    let p = i - e.added
    if p >= 0 && p < e.kept { return p + e.cut }
    switch mode {
    case .constant: return -1
    case .edge: return e.cut + (p < 0 ? 0 : e.kept - 1)
    case .wrap: return e.cut + (p % e.kept + e.kept) % e.kept
    case .reflect:
      guard e.kept > 1 else { return e.cut }
      let period = 2 * (e.kept - 1)
      let q = (p % period + period) % period
      return e.cut + min(q, period - q)
    }
  }
}
