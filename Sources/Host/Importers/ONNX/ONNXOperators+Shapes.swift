// Constants, and tensors that follow from shapes.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let shapes: [ONNXOperator] = [
    ONNXOperator("Constant", constant),
    ONNXOperator("ConstantOfShape", 9, constantOfShape),
    ONNXOperator("Shape") { b throws(ImportError) in
      let start = try b.integer("start", 0)
      let end = try b.integer("end", Shape.maximumRank)
      guard abs(start.clamped) <= 1 << 20, abs(end.clamped) <= 1 << 40 else {
        throw b.fail("axes are out of range")
      }
      return [b.add(.shapeOf(ShapeOf(start: start, end: end)), [try b.raw(0)])]
    },
    ONNXOperator("Size") { b throws(ImportError) in
      [b.add(.shapeOf(ShapeOf(isProduct: true)), [try b.raw(0)])]
    },
    ONNXOperator("Range", 11) { b throws(ImportError) in
      [b.add(.sequence(Sequence()), [try b.input(0), try b.input(1), try b.input(2)])]
    },
    ONNXOperator("EyeLike", 9, eyeLike),
  ]

  private static func constant(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    guard let attribute = b.node.attributes.first(where: { $0.name.hasPrefix("value") }),
      let value = attribute.value
    else { throw b.fail("has no value of a kind that is supported") }
    let made: Constant
    switch value {
    case .tensor(let tensor): made = try tensor.constant(&b.files)
    case .float(let x): made = Constant(floats: [x], shape: Shape())
    case .integer(let x): made = Constant(integers: [Int(x)], shape: Shape())
    case .floats(let list): made = Constant(floats: list, shape: Shape([list.count]))
    case .integers(let list):
      made = Constant(integers: list.map { Int($0) }, shape: Shape([list.count]))
    default: throw b.fail("attribute '\(attribute.name)' is of a kind that is not supported")
    }
    return [b.addConstant(made)]
  }

  private static func constantOfShape(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    var type = ElementType.f32
    var real: Float = 0
    var whole = 0
    if let attribute = b.attribute("value") {
      guard case .tensor(let tensor) = attribute else { throw b.fail("expected a tensor as value") }
      let value = try tensor.constant(&b.files).withFloatsAsF32()
      guard value.shape.elementCount == 1 else { throw b.fail("expected one number as value") }
      type = value.elementType
      if type == .f32 { real = value.floats![0] } else { whole = value.integers![0] }
    }
    let shape = try b.raw(0)
    switch type {
    case .f32, .i64, .i32, .bool:
      let op = ConstantOfShape(type, value: real, integer: whole)
      return [b.add(.constantOfShape(op), [shape])]
    default:
      let wide = b.add(
        .constantOfShape(ConstantOfShape(.i64, value: 0, integer: whole)), [shape])
      return [b.add(.cast(Cast(to: type)), [wide])]
    }
  }

  /// Ones where the row index plus k is the column index.
  private static func eyeLike(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.raw(0)
    let number = try b.integer("dtype")
    guard let type = number.map({ ONNXTensor.elementType(Int64($0)) }) ?? b.elementType(x) else {
      throw b.fail("the element type cannot be found out")
    }
    b.note("EyeLike → ranges, comparison")
    func indices(_ axis: Int, from first: Int) -> ValueID {
      let count = b.add(.shapeOf(ShapeOf(start: axis, end: axis + 1, isProduct: true)), [x])
      let zero = b.addConstant(Constant(integers: [0], shape: Shape()))
      let one = b.addConstant(Constant(integers: [1], shape: Shape()))
      let range = b.add(.sequence(Sequence()), [zero, count, one])
      let shift = b.addConstant(Constant(integers: [first], shape: Shape()))
      return b.add(.binary(Binary(.add)), [range, shift])
    }
    let rows = b.add(
      .reshape(Reshape(.unsqueeze, IntegerList([1]))), [indices(0, from: try b.integer("k", 0))])
    let isOne = b.add(.binary(Binary(.equal)), [rows, indices(1, from: 0)])
    return [b.add(.cast(Cast(to: type.isFloatingPoint ? .f32 : type)), [isOne])]
  }
}

extension Int {
  /// Far from overflow in a negation.
  fileprivate var clamped: Int { Swift.max(self, -(1 << 60)) }
}
