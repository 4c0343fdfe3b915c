// Elements picked one by one along an axis, and elements or slices picked by coordinates.
import Tensors

/// y[i…] = x[i… with index `axis` replaced by indices[i…]]; negative indices count from the end.
///
/// inputs: x, any element type; indices i64 or i32 of x's rank, no longer than x but along `axis` →
/// output: the shape of the indices. An index out of range reads the nearest valid one.
public struct GatherElements: OperatorDefinition {
  public static var code: Int { 52 }
  public static var name: StaticString { "GatherElements" }

  public var axis: Int

  public init(axis: Int) { self.axis = axis }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    axis = try attributes.integer(in: -8...7)
  }

  public func encode(into attributes: inout AttributeWriter) { attributes.put(axis) }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...2)
    try step.requirePlain(0)
    try step.requireElementIndices(1, axis: axis)
    step.setOutput(0, step.input(0).elementType, step.input(1).shape)
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output()
    switch x.elementType.byteCount {
    case 1: pick(step, x.elements(UInt8.self), y.elements(UInt8.self))
    case 2: pick(step, x.elements(UInt16.self), y.elements(UInt16.self))
    case 4: pick(step, x.elements(UInt32.self), y.elements(UInt32.self))
    default: pick(step, x.elements(UInt64.self), y.elements(UInt64.self))
    }
  }

  private func pick<T: BitwiseCopyable>(_ step: StepContext, _ x: Elements<T>, _ y: Elements<T>) {
    let indices = step.input(1)
    let walk = ElementWalk(step.input(0).shape, indices.shape, axis)
    walk.forEachElement { i, base in
      y[i] = x[base + walk.clamp(indices.integer(at: i)) * walk.step]
    }
  }
}

extension StepContext {
  /// Input `i` must be indices into input 0 along `axis`, element by element.
  func requireElementIndices(_ i: Int, axis: Int) throws(ShapeError) {
    try requirePlain(i)
    try require(i, is: .i64, .i32)
    let x = input(0).shape
    let indices = input(i).shape
    guard let place = x.normalized(axis: axis) else {
      throw ShapeError("axis is out of range", input: 0, expected: x.rank, found: axis)
    }
    guard indices.rank == x.rank else {
      throw ShapeError("wrong rank", input: i, expected: x.rank, found: indices.rank)
    }
    for a in 0..<x.rank where a != place && indices[a] > x[a] {
      throw ShapeError("is longer than what it picks from", input: i, expected: x[a])
    }
    guard x[place] > 0 || indices.elementCount == 0 else {
      throw ShapeError("nothing to pick from", input: 0)
    }
  }
}

/// Walks indices of element-wise gathers and scatters in order.
struct ElementWalk {
  private let strides: Shape
  private let indices: Shape
  private let axis: Int
  private let extent: Int
  /// Elements from one index to the next along the axis.
  let step: Int

  init(_ x: Shape, _ indices: Shape, _ axis: Int) {
    strides = x.strides
    self.indices = indices
    self.axis = x.normalized(axis: axis) ?? 0
    extent = x[self.axis]
    step = strides[self.axis]
  }

  /// `index` counted from the front and brought into range.
  func clamp(_ index: Int) -> Int { min(max(index < 0 ? index + extent : index, 0), extent - 1) }

  /// Calls `body` with each place in the indices and the offset of its element 0 along the axis.
  func forEachElement(_ body: (_ i: Int, _ base: Int) -> Void) {
    var position = Shape(repeating: 0, count: indices.rank)
    var base = 0
    for i in 0..<indices.elementCount {
      body(i, base)
      var a = indices.rank - 1
      while a >= 0 {
        let stride = a == axis ? 0 : strides[a]
        position[a] += 1
        base += stride
        if position[a] < indices[a] { break }
        base -= stride * indices[a]
        position[a] = 0
        a -= 1
      }
    }
  }
}
