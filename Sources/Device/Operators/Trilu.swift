// The upper or lower triangle of matrices.
import Tensors

/// y = x on and above (or on and below) diagonal `k` of the last two axes, 0 elsewhere.
///
/// inputs: [..., rows, columns], any element type; the diagonal i64 or i32, optional, added to
/// `diagonal` → output: the same shape.
public struct Trilu: OperatorDefinition {
  public static var code: Int { 50 }
  public static var name: StaticString { "Trilu" }

  public var isUpper: Bool
  /// 0 is the main diagonal, positive ones lie to its right.
  public var diagonal: Int

  public init(isUpper: Bool = true, diagonal: Int = 0) {
    self.isUpper = isUpper
    self.diagonal = diagonal
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    isUpper = try attributes.bool()
    diagonal = try attributes.integer()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(isUpper)
    attributes.put(diagonal)
  }

  public var aliasing: Aliasing { .inPlace }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...2)
    try step.requirePlain(0)
    if step.has(1) {
      try step.require(1, is: .i64, .i32)
      guard step.input(1).shape.elementCount == 1 else {
        throw ShapeError("is not one number", input: 1, expected: 1)
      }
    }
    let x = step.input(0)
    guard x.shape.rank >= 2 else {
      throw ShapeError("is not a matrix", input: 0, expected: 2, found: x.shape.rank)
    }
    step.setOutput(0, x.elementType, x.shape)
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output()
    let given = step.has(1) ? step.input(1).integer(at: 0) : 0
    let moved = min(max(given, -(1 << 41)), 1 << 41)
    switch x.elementType.byteCount {
    case 1: cut(x.elements(UInt8.self), y.elements(UInt8.self), x.shape, 0, moved)
    case 2: cut(x.elements(UInt16.self), y.elements(UInt16.self), x.shape, 0, moved)
    case 4: cut(x.elements(UInt32.self), y.elements(UInt32.self), x.shape, 0, moved)
    default: cut(x.elements(UInt64.self), y.elements(UInt64.self), x.shape, 0, moved)
    }
  }

  private func cut<T: BitwiseCopyable>(
    _ x: Elements<T>, _ y: Elements<T>, _ shape: Shape, _ zero: T, _ moved: Int
  ) {
    guard x.count > 0 else { return }
    let (rows, columns) = (shape[shape.rank - 2], shape[shape.rank - 1])
    // Beyond the matrix all diagonals are the same.
    let diagonal = min(max(diagonal + moved, -(1 << 41)), 1 << 41)
    for row in 0..<(x.count / columns) {
      // The first column on the upper side of the diagonal.
      let edge = min(max(row % rows + diagonal + (isUpper ? 0 : 1), 0), columns)
      for column in 0..<columns {
        let i = row * columns + column
        y[i] = (column >= edge) == isUpper ? x[i] : zero
      }
    }
  }
}
