// Axes in another order.
import Tensors

/// y[i₀, i₁, …] = x with axis `permutation[j]` as axis j of y.
///
/// input: any element type → output: permuted extents. An empty permutation turns the axes around, however
/// many there are.
public struct Transpose: OperatorDefinition {
  public static var code: Int { 24 }
  public static var name: StaticString { "Transpose" }

  public var permutation: IntegerList

  public init(_ permutation: IntegerList) { self.permutation = permutation }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    permutation = try attributes.list(in: 0...7)
  }

  public func encode(into attributes: inout AttributeWriter) { attributes.put(permutation) }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.requirePlain(0)
    let x = step.input(0)
    guard permutation.count == x.shape.rank || permutation.count == 0 else {
      throw ShapeError(
        "permutation has another rank", input: 0, expected: permutation.count, found: x.shape.rank)
    }
    let permutation = order(x.shape)
    var shape = Shape()
    for i in 0..<permutation.count {
      guard permutation[i] < x.shape.rank, permutation.contains(i) else {
        throw ShapeError("not a permutation")
      }
      shape.append(x.shape[permutation[i]])
    }
    step.setOutput(0, x.elementType, shape)
  }

  /// The permutation of this shape's axes.
  private func order(_ shape: Shape) -> IntegerList {
    guard permutation.count == 0 else { return permutation }
    var list = IntegerList()
    for i in 0..<shape.rank { list.append(shape.rank - 1 - i) }
    return list
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output()
    switch x.elementType.byteCount {
    case 1: permute(x.elements(UInt8.self), y.elements(UInt8.self), x.shape)
    case 2: permute(x.elements(UInt16.self), y.elements(UInt16.self), x.shape)
    case 4: permute(x.elements(UInt32.self), y.elements(UInt32.self), x.shape)
    default: permute(x.elements(UInt64.self), y.elements(UInt64.self), x.shape)
    }
  }

  private func permute<T: BitwiseCopyable>(_ x: Elements<T>, _ y: Elements<T>, _ shape: Shape) {
    guard y.count > 0 else { return }
    let permutation = order(shape)
    let strides = shape.strides
    // Trailing axes that stay in place move as one run.
    var outer = shape.rank
    while outer > 0, permutation[outer - 1] == outer - 1 { outer -= 1 }
    let run = shape.elementCount(of: outer..<shape.rank)
    let last = outer - 1
    let inner = last >= 0 ? shape[permutation[last]] : 1
    let stride = last >= 0 ? strides[permutation[last]] : 0
    var position = Shape(repeating: 0, count: max(last, 0))
    var at = 0
    var o = 0
    let source = unsafe x.pointer(0, count: x.count)
    let target = unsafe y.pointer(0, count: x.count)
    for _ in 0..<(y.count / (inner * run)) {
      if run == 1 {
        for i in 0..<inner { unsafe target[o + i] = source[at + i * stride] }
      } else {
        for i in 0..<inner {
          unsafe (target + o + i * run).update(from: source + at + i * stride, count: run)
        }
      }
      o += inner * run
      var axis = last - 1
      while axis >= 0 {
        position[axis] += 1
        at += strides[permutation[axis]]
        if position[axis] < shape[permutation[axis]] { break }
        at -= strides[permutation[axis]] * shape[permutation[axis]]
        position[axis] = 0
        axis -= 1
      }
    }
  }
}
