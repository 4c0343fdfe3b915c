// Slices picked by coordinates.
import Tensors

/// y[b…, i…] = x[b…, coordinates…], the last axis of the indices holding the coordinates.
///
/// inputs: x, any element type; indices i64 or i32 [batch…, i…, m], negative ones count from the end →
/// output: [batch…, i…, what is left of x behind batchAxes + m axes]. A coordinate out of range reads
/// the nearest valid one.
public struct GatherND: OperatorDefinition {
  public static var code: Int { 53 }
  public static var name: StaticString { "GatherND" }

  /// Leading axes that x and the indices share.
  public var batchAxes: Int

  public init(batchAxes: Int = 0) { self.batchAxes = batchAxes }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    batchAxes = try attributes.integer(in: 0...7)
  }

  public func encode(into attributes: inout AttributeWriter) { attributes.put(batchAxes) }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...2)
    try step.requirePlain(0)
    try step.requireCoordinates(1, behind: batchAxes)
    let x = step.input(0).shape
    let indices = step.input(1).shape
    for a in 0..<batchAxes where x[a] != indices[a] {
      throw ShapeError("batch axes differ", input: 1, expected: x[a], found: indices[a])
    }
    let used = batchAxes + indices[indices.rank - 1]
    guard indices.rank - 1 + x.rank - used <= Shape.maximumRank else {
      throw ShapeError("output has too many axes")
    }
    var shape = Shape()
    for a in 0..<(indices.rank - 1) { shape.append(indices[a]) }
    for a in used..<x.rank { shape.append(x[a]) }
    step.setOutput(0, step.input(0).elementType, shape)
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output()
    guard y.shape.elementCount > 0 else { return }
    let coordinates = Coordinates(x.shape, step.input(1), behind: batchAxes)
    let bytes = coordinates.width * x.elementType.byteCount
    precondition(x.plainByteCount <= x.byteCount && y.plainByteCount <= y.byteCount)
    let source = unsafe x.pointer
    let target = unsafe y.pointer
    for i in 0..<coordinates.count {
      unsafe (target + i * bytes).copyMemory(
        from: source + coordinates.offset(i) * x.elementType.byteCount, byteCount: bytes)
    }
  }
}

extension StepContext {
  /// The last axis of input `i` must be coordinates into input 0 behind its first `batch` axes.
  func requireCoordinates(_ i: Int, behind batch: Int) throws(ShapeError) {
    try requirePlain(i)
    try require(i, is: .i64, .i32)
    let x = input(0).shape
    let indices = input(i).shape
    guard batch >= 0, x.rank > batch, indices.rank > batch else {
      throw ShapeError("fewer axes than batch axes", input: i, expected: batch + 1)
    }
    let m = indices[indices.rank - 1]
    guard m >= 1, m <= x.rank - batch else {
      throw ShapeError("wrong number of coordinates", input: i, expected: x.rank - batch, found: m)
    }
    for a in batch..<(batch + m) where x[a] == 0 && indices.elementCount > 0 {
      throw ShapeError("nothing to pick from", input: 0)
    }
  }
}

/// Coordinates in the last axis of a tensor, as offsets into another.
struct Coordinates {
  private let x: Shape
  private let strides: Shape
  private let indices: TensorView
  private let batch: Int
  private let m: Int
  private let perBatch: Int
  /// How many coordinates there are, and elements each points at.
  let count: Int
  let width: Int

  init(_ x: Shape, _ indices: TensorView, behind batch: Int) {
    self.x = x
    self.indices = indices
    self.batch = batch
    strides = x.strides
    m = indices.shape[indices.shape.rank - 1]
    count = indices.shape.elementCount / m
    perBatch = max(count / max(x.elementCount(of: 0..<batch), 1), 1)
    width = x.elementCount(of: (batch + m)..<x.rank)
  }

  /// Where coordinate `i` points, in elements.
  func offset(_ i: Int) -> Int {
    var at = i / perBatch * x.elementCount(of: batch..<x.rank)
    for j in 0..<m {
      let extent = x[batch + j]
      let index = indices.integer(at: i * m + j)
      at += min(max(index < 0 ? index + extent : index, 0), extent - 1) * strides[batch + j]
    }
    return at
  }
}
