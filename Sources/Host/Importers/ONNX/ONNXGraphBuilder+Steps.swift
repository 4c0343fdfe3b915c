// Short names for the steps that decompositions are made of.
import Graphs
import Operators
import Tensors

extension ONNXGraphBuilder {
  mutating func binary(_ kind: BinaryKind, _ x: ValueID, _ y: ValueID) -> ValueID {
    add(.binary(Binary(kind)), [x, y])
  }

  mutating func unary(
    _ kind: UnaryKind, _ x: ValueID, _ p0: Float = 0, _ p1: Float = 0
  ) -> ValueID {
    add(.unary(Unary(kind, p0, p1)), [x])
  }

  /// x · factor + summand.
  mutating func affine(_ x: ValueID, _ factor: Float, _ summand: Float = 0) -> ValueID {
    unary(.affine, x, factor, summand)
  }

  /// The value in another element type, itself where it has that one.
  mutating func cast(_ x: ValueID, to type: ElementType) -> ValueID {
    elementType(x) == type ? x : add(.cast(Cast(to: type)), [x])
  }

  mutating func select(_ condition: ValueID, _ x: ValueID, _ y: ValueID) -> ValueID {
    add(.select(Select()), [condition, x, y])
  }

  mutating func reduce(
    _ kind: ReduceKind, _ x: ValueID, _ axes: [Int], keepsAxes: Bool = true
  ) -> ValueID {
    add(.reduce(Reduce(kind, axes: IntegerList(axes), keepsAxes: keepsAxes)), [x])
  }

  /// Extents of which 0 copies and −1 fills.
  mutating func reshape(_ x: ValueID, _ extents: [Int]) -> ValueID {
    add(.reshape(Reshape(.target, IntegerList(extents))), [x])
  }

  /// A shape that is put together from values of one axis each.
  mutating func reshape(_ x: ValueID, _ extents: [ValueID]) -> ValueID {
    let target = add(.concat(Concat(axis: 0)), extents)
    return add(.reshape(Reshape(allowsZero: true)), [x, target])
  }

  mutating func unsqueeze(_ x: ValueID, _ axes: [Int]) -> ValueID {
    add(.reshape(Reshape(.unsqueeze, IntegerList(axes))), [x])
  }

  mutating func squeeze(_ x: ValueID, _ axes: [Int]) -> ValueID {
    add(.reshape(Reshape(.squeeze, IntegerList(axes))), [x])
  }

  mutating func transpose(_ x: ValueID, _ order: [Int]) -> ValueID {
    add(.transpose(Transpose(IntegerList(order))), [x])
  }

  mutating func expand(_ x: ValueID, _ extents: [Int]) -> ValueID {
    add(.expand(Expand()), [x, constant(extents)])
  }

  mutating func concat(_ list: [ValueID], axis: Int) -> ValueID {
    list.count == 1 ? list[0] : add(.concat(Concat(axis: axis)), list)
  }

  /// Elements `start` up to `end` of an axis, each `step`-th.
  mutating func slice(
    _ x: ValueID, axis: Int, from start: Int, to end: Int, by step: Int = 1
  ) -> ValueID {
    let op = Slice(
      starts: IntegerList([start]), ends: IntegerList([end]), axes: IntegerList([axis]),
      steps: IntegerList([step]))
    return add(.slice(op), [x])
  }

  /// The extent of an axis as i64 [1]; known before the model runs wherever the shape is.
  mutating func extent(of x: ValueID, _ axis: Int) -> ValueID {
    add(.shapeOf(ShapeOf(start: axis, end: axis == -1 ? Shape.maximumRank : axis + 1)), [x])
  }

  /// An i64 scalar.
  mutating func whole(_ value: Int) -> ValueID {
    addConstant(Constant(integers: [value], shape: Shape()))
  }

  /// 0, 1, … up to an i64 count of any shape, as i64 or f32 [count].
  mutating func indices(upTo count: ValueID, as type: ElementType = .i64) -> ValueID {
    let limit = add(.reshape(Reshape(.target, IntegerList())), [count])
    if type == .i64 { return add(.sequence(Sequence()), [whole(0), limit, whole(1)]) }
    let range = add(.sequence(Sequence()), [whole(0), limit, whole(1)])
    return cast(range, to: type)
  }

  mutating func matMul(_ x: ValueID, _ y: ValueID, _ op: MatMul = MatMul()) -> ValueID {
    add(.matMul(op), [x, y])
  }

  /// The extent of an axis where it is the same in every run, or why it must be.
  func fixedExtent(_ x: ValueID, _ axis: Int, _ what: String) throws(ImportError) -> Int {
    guard let extent = facts.extent(x, axis) else { throw fail("\(what) must be fixed") }
    return extent
  }
}
