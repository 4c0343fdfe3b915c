// Functions of two or more tensors, element by element with broadcasting.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  private static func binary(_ name: String, _ kind: BinaryKind, _ since: Int = 7) -> ONNXOperator {
    ONNXOperator(name, since) { b throws(ImportError) in
      let both = try operands(&b)
      return [combine(&b, kind, both[0], both[1])]
    }
  }

  /// Both operands as they are computed: f64 where both are that, for it reaches further than f32.
  static func operands(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let given = [try b.raw(0), try b.raw(1)]
    if given.allSatisfy({ b.elementType($0) == .f64 }) { return given }
    return given.map { b.wide($0) }
  }

  /// Any number of operands, combined from the left.
  private static func variadic(_ name: String, _ kind: BinaryKind) -> ONNXOperator {
    ONNXOperator(name, 6) { b throws(ImportError) in [try fold(&b, kind)] }
  }

  static let binaries: [ONNXOperator] = [
    binary("Add", .add), binary("Sub", .sub), binary("Mul", .mul), binary("Div", .div),
    binary("PRelu", .prelu), binary("And", .and), binary("Or", .or), binary("Xor", .xor),
    ONNXOperator("Equal", 7, equal), binary("Less", .less), binary("Greater", .greater),
    binary("LessOrEqual", .lessOrEqual, 12), binary("GreaterOrEqual", .greaterOrEqual, 12),
    variadic("Max", .max), variadic("Min", .min), variadic("Sum", .add),
    ONNXOperator("Pow", 7, power),
    ONNXOperator("Mod", 10, modulo),
    ONNXOperator("Mean", 6, mean),
    ONNXOperator("Where", 9, choose),
  ]

  private static func equal(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let both = try operands(&b)
    if b.elementType(both[0]) == .string {
      return [b.add(.stringEqual(StringEqual()), both)]
    }
    return [combine(&b, .equal, both[0], both[1])]
  }

  /// a ∘ b. The operator knows f32, f64, i64, i32 and u64: narrower integers are computed as i64.
  static func combine(
    _ b: inout ONNXGraphBuilder, _ kind: BinaryKind, _ x: ValueID, _ y: ValueID
  ) -> ValueID {
    switch b.elementType(x) {
    case .u8, .i8, .u16, .i16, .u32, .u4, .i4, .u2, .i2:
      let type = b.elementType(x)!
      b.note("\(b.node.type) of \(type.name): computed as i64")
      let wide = [x, y].map { b.add(.cast(Cast(to: .i64)), [$0]) }
      let result = b.add(.binary(Binary(kind)), wide)
      return b.elementType(result) == .bool ? result : b.add(.cast(Cast(to: type)), [result])
    default: return b.add(.binary(Binary(kind)), [x, y])
    }
  }

  private static func fold(
    _ b: inout ONNXGraphBuilder, _ kind: BinaryKind
  ) throws(ImportError) -> ValueID {
    let inputs = try b.allInputs()
    if inputs.count > 2 { b.note("\(b.node.type) of several → chain of two at a time") }
    var result = inputs[0]
    for next in inputs.dropFirst() { result = combine(&b, kind, result, next) }
    return result
  }

  /// The exponent may have another element type than the base.
  private static func power(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    var exponent = try b.input(1)
    if let type = b.elementType(x), let other = b.elementType(exponent), type != other {
      if other.isFloatingPoint {
        let real = b.add(.cast(Cast(to: .f32)), [x])
        let y = b.add(.binary(Binary(.pow)), [real, exponent])
        return [b.add(.cast(Cast(to: type)), [y])]
      }
      exponent = b.add(.cast(Cast(to: type)), [exponent])
    }
    return [combine(&b, .pow, x, exponent)]
  }

  private static func modulo(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let kind: BinaryKind = try b.bool("fmod", false) ? .fmod : .mod
    return [combine(&b, kind, try b.input(0), try b.input(1))]
  }

  private static func mean(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    b.note("Mean → sum, scale")
    let sum = try fold(&b, .add)
    return [b.add(.unary(Unary(.affine, 1 / Float(b.inputCount), 0)), [sum])]
  }

  private static func choose(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let choices = try b.moved([1, 2])
    return [b.add(.select(Select()), [try b.input(0)] + choices)]
  }
}
