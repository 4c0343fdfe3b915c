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
        if let axes = try b.openInput(1) { return try reduce(&b, kind, [], axesInput: axes) }
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
    _ b: inout ONNXGraphBuilder, _ kind: ReduceKind, _ axes: [Int], axesInput: ValueID? = nil
  ) throws(ImportError) -> [ValueID] {
    let axes = try b.axes(axes)
    let keepsAxes = try b.bool("keepdims", true)
    let more = axesInput.map { [$0] } ?? []
    let keepsAll = axesInput == nil ? false : try b.bool("noop_with_empty_axes", false)
    func reduced(_ b: inout ONNXGraphBuilder, _ kind: ReduceKind, _ x: ValueID) -> ValueID {
      let op = Reduce(kind, axes: axes, keepsAxes: keepsAxes, keepsAll: keepsAll)
      return b.add(.reduce(op), [x] + more)
    }
    let x = try b.input(0)
    guard let type = b.elementType(x), type != .f32 else { return [reduced(&b, kind, x)] }
    if type == .bool, kind == .max || kind == .min { return [reduced(&b, kind, x)] }
    // The operator knows f32, i64, i32 and u64: narrower integers are computed as i64.
    var wide = x
    if ![.i64, .i32, .u64].contains(type) {
      b.note("\(b.node.type) of \(type.name): computed as i64")
      wide = b.cast(x, to: .i64)
    }
    let y: ValueID
    switch kind {
    case .sum, .mean, .max, .min, .prod: y = reduced(&b, kind, wide)
    case .l1: y = reduced(&b, .sum, b.unary(.abs, wide))
    case .sumSquare: y = reduced(&b, .sum, b.binary(.mul, wide, wide))
    case .l2, .logSum, .logSumExp:
      b.note("\(b.node.type) of \(type.name): computed as f32")
      y = reduced(&b, kind, b.cast(x, to: .f32))
    }
    return [b.cast(y, to: type)]
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
