// Sums, means, extremes and norms along axes.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  /// Axes are an attribute, from opset `since` on an input.
  private static func reductions(
    _ name: String, _ kind: ReduceKind, _ since: Int = 18
  ) -> [ONNXOperator] {
    [
      ONNXOperator(name) { b throws(ImportError) in
        try reduce(&b, kind, try b.integers("axes") ?? [])
      },
      ONNXOperator(name, since) { b throws(ImportError) in
        let axes = try b.optionalIntegers(1, "axes")
        if axes?.isEmpty ?? true, try b.bool("noop_with_empty_axes", false) {
          return try reduceNothing(&b, kind)
        }
        return try reduce(&b, kind, axes ?? [])
      },
    ]
  }

  static let reductions: [ONNXOperator] =
    reductions("ReduceSum", .sum, 13) + reductions("ReduceMean", .mean)
    + reductions("ReduceMax", .max) + reductions("ReduceMin", .min)
    + reductions("ReduceProd", .prod) + reductions("ReduceL1", .l1) + reductions("ReduceL2", .l2)
    + reductions("ReduceSumSquare", .sumSquare) + reductions("ReduceLogSum", .logSum)
    + reductions("ReduceLogSumExp", .logSumExp)

  private static func reduce(
    _ b: inout ONNXGraphBuilder, _ kind: ReduceKind, _ axes: [Int]
  ) throws(ImportError) -> [ValueID] {
    let op = Reduce(kind, axes: try b.axes(axes), keepsAxes: try b.bool("keepdims", true))
    let x = try b.input(0)
    switch b.elementType(x) {
    case .u8, .i8, .u16, .i16, .u32, .u64, .bool:
      // The operator knows f32, i64 and i32: narrower integers are computed as i64.
      let type = b.elementType(x)!
      b.note("\(b.node.type) of \(type.name): computed as i64")
      let y = b.add(.reduce(op), [b.add(.cast(Cast(to: .i64)), [x])])
      return [b.add(.cast(Cast(to: type)), [y])]
    default: return [b.add(.reduce(op), [x])]
    }
  }

  /// What a reduction does to each element where there is nothing to combine.
  private static func reduceNothing(
    _ b: inout ONNXGraphBuilder, _ kind: ReduceKind
  ) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    return switch kind {
    case .sum, .mean, .max, .min, .prod, .logSumExp: [x]
    case .l1, .l2: [b.add(.unary(Unary(.abs)), [x])]
    case .sumSquare: [b.add(.binary(Binary(.mul)), [x, x])]
    case .logSum: [b.add(.unary(Unary(.log)), [x])]
    }
  }
}
