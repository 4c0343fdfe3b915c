// Operators on the bits of integers.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  private static func bits(_ name: String, _ kind: BinaryKind) -> ONNXOperator {
    ONNXOperator(name, 18) { b throws(ImportError) in
      [combine(&b, kind, try b.input(0), try b.input(1))]
    }
  }

  static let integers: [ONNXOperator] = [
    bits("BitwiseAnd", .bitAnd), bits("BitwiseOr", .bitOr), bits("BitwiseXor", .bitXor),
    ONNXOperator("BitwiseNot", 18) { b throws(ImportError) in
      let x = try b.input(0)
      b.note("BitwiseNot → exclusive or with ones")
      return [combine(&b, .bitXor, x, b.ones(like: x))]
    },
    ONNXOperator("BitShift", 11) { b throws(ImportError) in
      let kind: BinaryKind
      switch try b.string("direction", "") {
      case "LEFT": kind = .shiftLeft
      case "RIGHT": kind = .shiftRight
      default: throw b.fail("has no direction")
      }
      return [combine(&b, kind, try b.input(0), try b.input(1))]
    },
  ]
}

extension ONNXGraphBuilder {
  /// A scalar with all bits set, of the element type of `like`.
  fileprivate mutating func ones(like: ValueID) -> ValueID {
    cast(whole(-1), to: elementType(like) ?? .i64)
  }
}
