// A copy of a tensor with some elements or slices replaced or combined.
import Tensors

/// How an update meets what stands there. Raw values are part of the bundle format.
public enum ScatterKind: Int, Sendable, CaseIterable {
  case replace = 0
  /// From here on f32, i64 and i32 only; integers wrap.
  case add, mul, max, min
}

/// What updates are made of where they are combined.
private protocol ScatterNumber: BitwiseCopyable, Comparable {
  static func sum(_ a: Self, _ b: Self) -> Self
  static func product(_ a: Self, _ b: Self) -> Self
}

extension ScatterNumber {
  static func combined(_ a: Self, _ b: Self, _ kind: ScatterKind) -> Self {
    switch kind {
    case .replace: b
    case .add: sum(a, b)
    case .mul: product(a, b)
    case .max: Swift.max(a, b)
    case .min: Swift.min(a, b)
    }
  }
}

extension Float: ScatterNumber {
  static func sum(_ a: Float, _ b: Float) -> Float { a + b }
  static func product(_ a: Float, _ b: Float) -> Float { a * b }
}

extension FixedWidthInteger {
  fileprivate static func sum(_ a: Self, _ b: Self) -> Self { a &+ b }
  fileprivate static func product(_ a: Self, _ b: Self) -> Self { a &* b }
}

extension Int64: ScatterNumber {}
extension Int32: ScatterNumber {}

/// y = x; then y[i… with index `axis` replaced by indices[i…]] combined with updates[i…], in order.
///
/// inputs: x; indices i64 or i32; updates of x's element type and the indices' shape → output: x's
/// shape. An index out of range writes the nearest valid place.
public struct ScatterElements: OperatorDefinition {
  public static var code: Int { 54 }
  public static var name: StaticString { "ScatterElements" }

  public var axis: Int
  public var kind: ScatterKind

  public init(axis: Int, kind: ScatterKind = .replace) {
    self.axis = axis
    self.kind = kind
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    axis = try attributes.integer(in: -8...7)
    guard let kind = ScatterKind(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown kind of scatter")
    }
    self.kind = kind
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(axis)
    attributes.put(kind.rawValue)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 3...3)
    try step.requireScatter(kind)
    try step.requireElementIndices(1, axis: axis)
    guard step.input(2).shape == step.input(1).shape else {
      throw ShapeError("updates and indices differ in shape", input: 2)
    }
  }

  public func run(_ step: StepContext) {
    let indices = step.input(1)
    let walk = ElementWalk(step.input(0).shape, indices.shape, axis)
    step.scatter(kind) { write in
      walk.forEachElement { i, base in
        write(base + walk.clamp(indices.integer(at: i)) * walk.step, i, 1)
      }
    }
  }
}

/// y = x; then y[coordinates…] combined with the slices of the updates, in order.
///
/// inputs: x; indices i64 or i32 [i…, m], the last axis holding coordinates; updates of x's element
/// type, [i…, what is left of x behind m axes] → output: x's shape. A coordinate out of range writes
/// the nearest valid place.
public struct ScatterND: OperatorDefinition {
  public static var code: Int { 55 }
  public static var name: StaticString { "ScatterND" }

  public var kind: ScatterKind

  public init(kind: ScatterKind = .replace) { self.kind = kind }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let kind = ScatterKind(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown kind of scatter")
    }
    self.kind = kind
  }

  public func encode(into attributes: inout AttributeWriter) { attributes.put(kind.rawValue) }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 3...3)
    try step.requireScatter(kind)
    try step.requireCoordinates(1, behind: 0)
    let x = step.input(0).shape
    let indices = step.input(1).shape
    let m = indices[indices.rank - 1]
    let updates = step.input(2).shape
    var fits = updates.rank == indices.rank - 1 + x.rank - m
    if fits {
      for a in 0..<(indices.rank - 1) { fits = fits && updates[a] == indices[a] }
      for a in m..<x.rank { fits = fits && updates[indices.rank - 1 - m + a] == x[a] }
    }
    guard fits else { throw ShapeError("updates do not fit the indices", input: 2) }
  }

  public func run(_ step: StepContext) {
    guard step.input(1).shape.elementCount > 0 else { return step.scatter(kind) { _ in } }
    let coordinates = Coordinates(step.input(0).shape, step.input(1), behind: 0)
    let width = coordinates.width
    step.scatter(kind) { write in
      for i in 0..<coordinates.count { write(coordinates.offset(i), i * width, width) }
    }
  }
}

extension StepContext {
  /// Input 2 updates a copy of input 0, which is the output.
  func requireScatter(_ kind: ScatterKind) throws(ShapeError) {
    try requirePlain(0)
    try requirePlain(2)
    if kind != .replace { try require(0, is: .f32, .i64, .i32) }
    guard input(2).elementType == input(0).elementType else {
      throw ShapeError("element types differ", input: 2)
    }
    setOutput(0, input(0).elementType, input(0).shape)
  }

  /// Copies x, then lets `updates` name pieces: where in y, where in the updates, how many elements.
  fileprivate func scatter(
    _ kind: ScatterKind, _ updates: ((_ to: Int, _ from: Int, _ count: Int) -> Void) -> Void
  ) {
    switch (kind, output().elementType) {
    case (.replace, _):
      switch output().elementType.byteCount {
      case 1: replace(as: UInt8.self, updates)
      case 2: replace(as: UInt16.self, updates)
      case 4: replace(as: UInt32.self, updates)
      default: replace(as: UInt64.self, updates)
      }
    case (_, .f32): fold(kind, as: Float.self, updates)
    case (_, .i64): fold(kind, as: Int64.self, updates)
    default: fold(kind, as: Int32.self, updates)
    }
  }

  private func replace<T: BitwiseCopyable>(
    as: T.Type, _ updates: ((Int, Int, Int) -> Void) -> Void
  ) {
    let u = input(2).elements(T.self)
    let y = output().elements(T.self)
    y.copy(from: input(0).elements(T.self), at: 0, to: 0, count: y.count)
    updates { to, from, count in y.copy(from: u, at: from, to: to, count: count) }
  }

  private func fold<T: ScatterNumber>(
    _ kind: ScatterKind, as: T.Type, _ updates: ((Int, Int, Int) -> Void) -> Void
  ) {
    let u = input(2).elements(T.self)
    let y = output().elements(T.self)
    y.copy(from: input(0).elements(T.self), at: 0, to: 0, count: y.count)
    updates { to, from, count in
      for i in 0..<count { y[to + i] = T.combined(y[to + i], u[from + i], kind) }
    }
  }
}
