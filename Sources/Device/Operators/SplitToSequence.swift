// A tensor cut into a sequence, and put together from one.
import Tensors

/// inputs: x; the extent of the parts, one integer, or each part's, a vector; 1 where left out → output:
/// the parts along `axis`, in order. The last of equal parts may be smaller; parts of 1 lose the axis
/// where neither sizes nor `keepsAxis` is given.
public struct SplitToSequence: OperatorDefinition {
  public static var code: Int { 73 }
  public static var name: StaticString { "SplitToSequence" }

  public var axis: Int
  public var keepsAxis: Bool

  public init(axis: Int = 0, keepsAxis: Bool = true) {
    self.axis = axis
    self.keepsAxis = keepsAxis
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    axis = try attributes.integer(in: -8...7)
    keepsAxis = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(axis)
    attributes.put(keepsAxis)
  }

  public func readsValue(ofInput i: Int) -> Bool { true }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { .sequence }

  /// The axis, the number of parts, and the extent of equal ones; 0 where input 1 lists them.
  private func plan(_ step: StepContext) throws(ShapeError) -> (axis: Int, count: Int, part: Int) {
    let shape = step.input(0).shape
    guard let a = shape.normalized(axis: axis) else {
      throw ShapeError("axis is out of range", input: 0, expected: shape.rank, found: axis)
    }
    guard step.has(1) else { return (a, shape[a], 1) }
    let sizes = step.input(1)
    guard sizes.elementType == .i64 || sizes.elementType == .i32, sizes.encoding == nil,
      sizes.hasValue, sizes.shape.rank <= 1
    else { throw ShapeError("expected known integers", input: 1) }
    if sizes.shape.rank == 0 {
      let part = sizes.integer(at: 0)
      guard part > 0 else { throw ShapeError("is not positive", input: 1, found: part) }
      return (a, shape[a] / part + (shape[a] % part > 0 ? 1 : 0), part)
    }
    var rest = shape[a]
    for i in 0..<sizes.shape.elementCount {
      let size = sizes.integer(at: i)
      guard size >= 0, size <= rest else { throw ShapeError("sizes do not add up", input: 1) }
      rest -= size
    }
    guard rest == 0 else { throw ShapeError("sizes do not add up", input: 1) }
    return (a, sizes.shape.elementCount, 0)
  }

  private func part(
    _ step: StepContext, _ plan: (axis: Int, count: Int, part: Int), _ i: Int
  ) -> TensorView {
    let x = step.input(0)
    var shape = x.shape
    shape[plan.axis] =
      plan.part == 0
      ? step.input(1).integer(at: i) : min(plan.part, shape[plan.axis] - i * plan.part)
    guard !keepsAxis, !step.has(1) else {
      return TensorView(elementType: x.elementType, shape: shape)
    }
    var reduced = Shape()
    for axis in 0..<shape.rank where axis != plan.axis { reduced.append(shape[axis]) }
    return TensorView(elementType: x.elementType, shape: reduced)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...2)
    try step.requirePlain(0)
    let plan = try plan(step)
    guard plan.count <= 1 << 20 else { throw ShapeError("too many parts", input: 0) }
    try step.setSequence(plan.count) { part(step, plan, $0) }
  }

  public func run(_ step: StepContext) {
    guard let plan = try? plan(step) else { return }
    let x = step.input(0)
    let sequence = SequenceView.write(into: step.output(), plan.count) { part(step, plan, $0) }
    let outer = x.shape.elementCount(of: 0..<plan.axis)
    let tail = x.shape.elementCount(of: (plan.axis + 1)..<x.shape.rank) * x.elementType.byteCount
    let row = x.shape[plan.axis] * tail
    precondition(outer * row <= x.byteCount)
    var at = 0
    for i in 0..<plan.count {
      let item = sequence[i]
      guard item.plainByteCount > 0 else { continue }
      let bytes = item.plainByteCount / outer
      for o in 0..<outer {
        unsafe (item.pointer + o * bytes).copyMemory(
          from: x.pointer + o * row + at, byteCount: bytes)
      }
      at += bytes
    }
  }
}

/// input: a sequence of tensors of one element type, equal but for `axis` → output: them behind one
/// another along it, or with `addsAxis` along a new axis there.
public struct ConcatFromSequence: OperatorDefinition {
  public static var code: Int { 74 }
  public static var name: StaticString { "ConcatFromSequence" }

  public var axis: Int
  public var addsAxis: Bool

  public init(axis: Int, addsAxis: Bool = false) {
    self.axis = axis
    self.addsAxis = addsAxis
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    axis = try attributes.integer(in: -8...7)
    addsAxis = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(axis)
    attributes.put(addsAxis)
  }

  public func readsValue(ofInput i: Int) -> Bool { true }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { nil }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    let sequence = try step.sequence(0)
    guard sequence.count > 0 else { throw ShapeError("is empty", input: 0) }
    let first = sequence[0]
    let rank = first.shape.rank + (addsAxis ? 1 : 0)
    let a = axis < 0 ? axis + rank : axis
    guard a >= 0, a < rank, rank <= Shape.maximumRank else {
      throw ShapeError("axis is out of range", input: 0, expected: rank, found: axis)
    }
    var total = 0
    for i in 0..<sequence.count {
      let item = sequence[i]
      guard item.elementType == first.elementType, item.shape.rank == first.shape.rank else {
        throw ShapeError("its items differ in type or rank", input: 0)
      }
      for axis in 0..<item.shape.rank where addsAxis || axis != a {
        guard item.shape[axis] == first.shape[axis] else {
          throw ShapeError("extents of its items differ", input: 0)
        }
      }
      total += addsAxis ? 1 : item.shape[a]
    }
    var shape = Shape()
    for axis in 0..<rank {
      let old = addsAxis && axis > a ? axis - 1 : axis
      shape.append(axis == a ? total : first.shape[old])
    }
    guard shape.checkedElementCount != nil else { throw ShapeError("output is too large") }
    step.setOutput(0, first.elementType, shape)
  }

  public func run(_ step: StepContext) {
    guard let sequence = try? step.sequence(0) else { return }
    let y = step.output()
    let a = y.shape.normalized(axis: axis) ?? 0
    let outer = y.shape.elementCount(of: 0..<a)
    guard y.plainByteCount > 0 else { return }
    let row = y.plainByteCount / outer
    precondition(outer * row <= y.byteCount)
    var at = 0
    for i in 0..<sequence.count {
      let item = sequence[i]
      let bytes = item.plainByteCount / outer
      guard bytes > 0 else { continue }
      precondition(at + bytes <= row)
      for o in 0..<outer {
        unsafe (y.pointer + o * row + at).copyMemory(
          from: item.pointer + o * bytes, byteCount: bytes)
      }
      at += bytes
    }
  }
}
