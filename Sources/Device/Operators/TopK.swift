// The largest or smallest elements along an axis and where they stand.
import Tensors

/// The k largest (or smallest) elements along `axis`, best first; of equals the one in front. NaN
/// counts as larger than every number.
///
/// inputs: x f32, i64, i32 or u64; k, one integer known before the program runs → outputs: the elements and
/// their indices, i64, both with an extent of k along the axis.
public struct TopK: OperatorDefinition {
  public static var code: Int { 56 }
  public static var name: StaticString { "TopK" }

  public var axis: Int
  public var isSmallest: Bool

  public init(axis: Int = -1, isSmallest: Bool = false) {
    self.axis = axis
    self.isSmallest = isSmallest
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    axis = try attributes.integer(in: -8...7)
    isSmallest = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(axis)
    attributes.put(isSmallest)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...2, outputs: 2)
    try step.requirePlain(0)
    try step.require(0, is: .f32, .i64, .i32, .u64)
    var shape = step.input(0).shape
    guard let axis = shape.normalized(axis: axis) else {
      throw ShapeError("axis is out of range", input: 0, expected: shape.rank, found: self.axis)
    }
    let k = try step.integers(1)
    guard k.count == 1, k[0] >= 0, k[0] <= shape[axis] else {
      throw ShapeError("k is out of range", input: 1, expected: shape[axis])
    }
    shape[axis] = k[0]
    step.setOutput(0, step.input(0).elementType, shape)
    step.setOutput(1, .i64, shape)
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    guard let axis = step.output().shape.normalized(axis: axis) else { return 0 }
    return step.output().shape[axis] * MemoryLayout<Int>.size
  }

  public func readsValue(ofInput i: Int) -> Bool { i == 1 }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? {
    i == 0 ? inputs[0] : .i64
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    switch x.elementType {
    case .f32:
      rows(step, Float.self) { a, b in a > b || (a.isNaN && !b.isNaN) }
    case .i64: rows(step, Int64.self) { $0 > $1 }
    case .u64: rows(step, UInt64.self) { $0 > $1 }
    default: rows(step, Int32.self) { $0 > $1 }
    }
  }

  private func rows<T: BitwiseCopyable>(
    _ step: StepContext, _: T.Type, _ isLarger: (T, T) -> Bool
  ) {
    let values = step.output(0).elements(T.self)
    let places = step.output(1).elements(Int64.self)
    guard values.count > 0 else { return }
    let x = step.input(0).elements(T.self)
    let shape = step.input(0).shape
    let axis = shape.normalized(axis: axis) ?? 0
    let (n, k) = (shape[axis], step.output().shape[axis])
    let inner = shape.elementCount(of: (axis + 1)..<shape.rank)
    let heap = step.scratch(Int.self, count: k)
    for row in 0..<(values.count / k) {
      let (outer, offset) = (row / inner, row % inner)
      let first = outer * n * inner + offset
      select(n, heap) { i, j in
        let (a, b) = (x[first + i * inner], x[first + j * inner])
        if isSmallest ? isLarger(b, a) : isLarger(a, b) { return true }
        return !(isSmallest ? isLarger(a, b) : isLarger(b, a)) && i < j
      }
      for i in 0..<k {
        let at = (outer * k + i) * inner + offset
        values[at] = x[first + heap[i] * inner]
        places[at] = Int64(heap[i])
      }
    }
  }

  /// Leaves the best `heap.count` of 0..<n in `heap`, best first. The worst of those kept so far is on
  /// top, so that most candidates cost one comparison.
  private func select(_ n: Int, _ heap: Elements<Int>, _ isBetter: (Int, Int) -> Bool) {
    let k = heap.count
    for i in 0..<k { heap[i] = i }
    var root = k / 2 - 1
    while root >= 0 {
      TopK.sift(heap, root, k, isBetter)
      root -= 1
    }
    for i in k..<n where isBetter(i, heap[0]) {
      heap[0] = i
      TopK.sift(heap, 0, k, isBetter)
    }
    var end = k - 1
    while end > 0 {
      (heap[0], heap[end]) = (heap[end], heap[0])
      TopK.sift(heap, 0, end, isBetter)
      end -= 1
    }
  }

  private static func sift(
    _ heap: Elements<Int>, _ from: Int, _ count: Int, _ isBetter: (Int, Int) -> Bool
  ) {
    var parent = from
    while 2 * parent + 1 < count {
      var child = 2 * parent + 1
      if child + 1 < count, isBetter(heap[child], heap[child + 1]) { child += 1 }
      guard isBetter(heap[parent], heap[child]) else { return }
      (heap[parent], heap[child]) = (heap[child], heap[parent])
      parent = child
    }
  }
}
