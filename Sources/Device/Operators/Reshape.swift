// The same elements under another shape: Reshape, Flatten, Squeeze, Unsqueeze, Identity.
import Tensors

/// How the new shape is found. Raw values are part of the bundle format.
public enum ReshapeKind: Int, Sendable {
  /// Extents from `values`, or from input 1 where `values` is empty: 0 copies, −1 fills.
  case target = 0
  /// The same, but 0 means an extent of 0.
  case targetWithZero
  /// Two axes, cut before axis `values[0]`.
  case flatten
  /// Axes of extent 1 taken out: those in `values`, or all of them.
  case squeeze
  /// Axes of extent 1 put in where `values` says, counted in the output.
  case unsqueeze
  /// The shape as it is.
  case identity
}

/// input: any tensor; for extents or axes that are not in `values`, these as i64 → output: the same
/// elements.
public struct Reshape: OperatorDefinition {
  public static var code: Int { 23 }
  public static var name: StaticString { "Reshape" }

  public var kind: ReshapeKind
  public var isConstant: Bool
  public var values: IntegerList

  /// A target shape from input 1.
  public init(allowsZero: Bool = false) {
    kind = allowsZero ? .targetWithZero : .target
    isConstant = false
    values = IntegerList()
  }

  /// Extents or axes from input 1.
  public init(fromInput kind: ReshapeKind) {
    self.kind = kind
    isConstant = false
    values = IntegerList()
  }

  public init(_ kind: ReshapeKind, _ values: IntegerList = IntegerList()) {
    self.kind = kind
    isConstant = true
    self.values = values
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let kind = ReshapeKind(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown kind of reshape")
    }
    self.kind = kind
    isConstant = try attributes.bool()
    values = try attributes.list()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(kind.rawValue)
    attributes.put(isConstant)
    attributes.put(values)
  }

  public var aliasing: Aliasing { .view }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: isConstant ? 1...1 : 2...2)
    try step.requirePlain(0)
    let x = step.input(0)
    let list = isConstant ? values : try step.integers(1)
    step.setOutput(0, x.elementType, try shape(x.shape, list))
  }

  private func shape(_ x: Shape, _ list: IntegerList) throws(ShapeError) -> Shape {
    switch kind {
    case .identity: return x
    case .target, .targetWithZero: return try target(x, list)
    case .flatten:
      let cut = list.count == 1 ? list[0] : 1
      let axis = cut < 0 ? cut + x.rank : cut
      guard axis >= 0, axis <= x.rank else { throw ShapeError("axis is out of range", input: 0) }
      return Shape([x.elementCount(of: 0..<axis), x.elementCount(of: axis..<x.rank)])
    case .squeeze:
      var drop = IntegerList()
      for i in 0..<list.count {
        guard let axis = x.normalized(axis: list[i]), x[axis] == 1 else {
          throw ShapeError("an axis to squeeze is not 1", input: 0)
        }
        drop.append(axis)
      }
      var result = Shape()
      for axis in 0..<x.rank {
        if list.count == 0 ? x[axis] != 1 : !drop.contains(axis) { result.append(x[axis]) }
      }
      return result
    case .unsqueeze:
      let rank = x.rank + list.count
      guard rank <= Shape.maximumRank else { throw ShapeError("output has too many axes") }
      var put = IntegerList()
      for i in 0..<list.count {
        let axis = list[i] < 0 ? list[i] + rank : list[i]
        guard axis >= 0, axis < rank, !put.contains(axis) else {
          throw ShapeError("axis is out of range or given twice", input: 0)
        }
        put.append(axis)
      }
      var result = Shape()
      var next = 0
      for axis in 0..<rank {
        if put.contains(axis) {
          result.append(1)
        } else {
          result.append(x[next])
          next += 1
        }
      }
      return result
    }
  }

  private func target(_ x: Shape, _ list: IntegerList) throws(ShapeError) -> Shape {
    guard list.count <= Shape.maximumRank else { throw ShapeError("output has too many axes") }
    var result = Shape()
    var hole = -1
    var known = 1
    for i in 0..<list.count {
      var extent = list[i]
      if extent == 0, kind == .target {
        guard i < x.rank else { throw ShapeError("0 copies an axis that is not there", input: 1) }
        extent = x[i]
      }
      if extent == -1 {
        guard hole < 0 else { throw ShapeError("two extents are -1", input: 1) }
        hole = i
        extent = 1
      }
      guard extent >= 0 else { throw ShapeError("negative extent", input: 1, found: extent) }
      let (product, overflow) = known.multipliedReportingOverflow(by: extent)
      guard !overflow else { throw ShapeError("output is too large") }
      known = product
      result.append(extent)
    }
    let count = x.elementCount
    if hole >= 0 {
      guard known > 0, count % known == 0 else {
        throw ShapeError("elements do not divide", expected: known, found: count)
      }
      result[hole] = count / known
    } else if known != count {
      throw ShapeError("element counts differ", expected: count, found: known)
    }
    return result
  }

  public func readsValue(ofInput i: Int) -> Bool { i == 1 }

  public func run(_ step: StepContext) {
    let bytes = step.input(0).plainByteCount
    guard bytes > 0, !step.sharesMemory(withInput: 0) else { return }
    unsafe step.output().pointer.copyMemory(from: step.input(0).pointer, byteCount: bytes)
  }
}
