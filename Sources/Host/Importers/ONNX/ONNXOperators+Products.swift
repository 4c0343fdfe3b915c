// Matrix products.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let products: [ONNXOperator] = [
    ONNXOperator("MatMul") { b throws(ImportError) in
      [b.add(.matMul(MatMul()), [try b.input(0), try b.input(1)])]
    },
    ONNXOperator("Gemm", 6, gemm),
    ONNXOperator("FusedMatMul", domain: "com.microsoft") { b throws(ImportError) in
      guard try b.integer("transBatchA", 0) == 0, try b.integer("transBatchB", 0) == 0 else {
        throw b.fail("transposed batches are not supported")
      }
      let op = MatMul(
        transposeA: try b.bool("transA", false), transposeB: try b.bool("transB", false),
        alpha: try b.float("alpha", 1))
      return [b.add(.matMul(op), [try b.input(0), try b.input(1)])]
    },
  ]

  /// alpha · a b + beta · c; a constant c that is one number per column becomes the product's bias.
  private static func gemm(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let op = MatMul(
      transposeA: try b.bool("transA", false), transposeB: try b.bool("transB", false),
      alpha: try b.float("alpha", 1))
    let inputs = [try b.input(0), try b.input(1)]
    let beta = try b.float("beta", 1)
    guard var c = try b.optional(2), beta != 0 else { return [b.add(.matMul(op), inputs)] }
    let columns = b.facts.extent(inputs[1], op.transposeB ? 0 : 1)
    if let constant = b.graph[c].constant, constant.elementType == .f32, let columns,
      constant.shape.elementCount == columns, constant.shape.rank >= 1,
      constant.shape[constant.shape.rank - 1] == columns
    {
      if beta != 1 {
        b.note("Gemm: beta folded into the bias")
        c = b.addConstant(
          Constant(floats: constant.floats!.map { $0 * beta }, shape: Shape([columns])))
      } else if constant.shape.rank != 1 {
        c = b.addConstant(constant.reshaped(Shape([columns])))
      }
      return [b.add(.matMul(op), inputs + [c])]
    }
    b.note("Gemm → product, sum")
    if beta != 1 { c = b.add(.unary(Unary(.affine, beta, 0)), [c]) }
    return [b.add(.binary(Binary(.add)), [b.add(.matMul(op), inputs), c])]
  }
}
