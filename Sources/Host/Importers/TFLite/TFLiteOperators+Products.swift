// Matrix products and reductions.
import Graphs
import Operators
import Tensors

extension TFLiteOperatorTable {
  static let products: [Row] = [
    Row(9, "FULLY_CONNECTED") { b throws(ImportError) in
      let shape = try b.tensor(1).shape
      guard shape.count == 2 else { throw b.fail("weights \(shape), expected two axes") }
      guard try b.byte(1) == 0 else { throw b.fail("shuffled weights are not supported") }
      if try b.isQuantized(b.tensor(0)) { return try quantizedProduct(&b) }
      if try b.isQuantized(b.tensor(1)) { return try hybridProduct(&b) }
      let x = try b.flattened(0, width: shape[1])
      var inputs: [ValueID?] = [x, try b.input(1)]
      if b.has(2) { inputs.append(try b.input(2)) }
      let y = b.add(.matMul(MatMul(transposeB: true)), inputs)
      try b.set(try b.unflattened(try b.activated(y, try b.byte(0)), rows: 0, shape[0]))
    },
    Row(126, "BATCH_MATMUL") { b throws(ImportError) in
      let (isLeft, isRight) = (try b.bool(0), try b.bool(1))
      try viaFloat(&b) { b throws(ImportError) in
        let op = MatMul(transposeA: isLeft, transposeB: isRight)
        return b.add(.matMul(op), [try b.real(0), try b.real(1)])
      }
    },
  ]

  static let reductions: [Row] = [
    Row(40, "MEAN") { b throws(ImportError) in
      if try b.isQuantized(b.tensor(0)) { return try quantizedMean(&b) }
      try reduce(&b, .mean)
    },
    Row(74, "SUM") { b throws(ImportError) in try reduce(&b, .sum) },
    Row(81, "REDUCE_PROD") { b throws(ImportError) in try reduce(&b, .prod) },
    Row(82, "REDUCE_MAX") { b throws(ImportError) in try reduce(&b, .max) },
    Row(89, "REDUCE_MIN") { b throws(ImportError) in try reduce(&b, .min) },
    Row(91, "REDUCE_ANY") { b throws(ImportError) in try reduceLogical(&b, .max) },
    Row(140, "REDUCE_ALL") { b throws(ImportError) in try reduceLogical(&b, .min) },
  ]

  private static func reduceLogical(
    _ b: inout TFLiteGraphBuilder, _ kind: ReduceKind
  ) throws(ImportError) {
    let axes = try b.list(try b.integers(1, "the axes"))
    let x = b.add(.cast(Cast(to: .i32)), [try b.input(0)])
    let y = b.add(.reduce(Reduce(kind, axes: axes, keepsAxes: try b.bool(0))), [x])
    try b.set(b.add(.cast(Cast(to: .bool)), [y]))
  }

  private static func reduce(
    _ b: inout TFLiteGraphBuilder, _ kind: ReduceKind
  ) throws(ImportError) {
    let axes = try b.reducedAxes()
    let keepsAxes = try b.bool(0)
    try viaFloat(&b) { b throws(ImportError) in
      // No axes means none here, all of them in the operator.
      if axes.count == 0 { return b.add(.reshape(Reshape(.identity)), [try b.real(0)]) }
      return b.add(.reduce(Reduce(kind, axes: axes, keepsAxes: keepsAxes)), [try b.real(0)])
    }
  }
}

extension TFLiteGraphBuilder {
  func reducedAxes() throws(ImportError) -> IntegerList {
    let rank = try tensor(0).shape.count
    var axes: [Int] = []
    for given in try integers(1, "the axes") {
      let a = try axis(given, rank: rank)
      if !axes.contains(a) { axes.append(a) }
    }
    return try list(axes)
  }

  /// Input `i` as rows of `width`.
  mutating func flattened(_ i: Int, width: Int) throws(ImportError) -> ValueID {
    let shape = try tensor(i).shape
    let x = try input(i)
    return shape.count == 2 && shape[1] == width ? x : reshaped(x, [-1, width])
  }

  /// A product's rows under the shape that the output has.
  mutating func unflattened(
    _ y: ValueID, rows: Int, _ width: Int
  ) throws(ImportError) -> ValueID {
    let shape = try outputTensor().shape
    guard shape.count != 2 else { return y }
    guard shape.count > 0, shape[shape.count - 1] == width else {
      throw fail("output \(shape), expected rows of \(width)")
    }
    var target = shape
    target[0] = -1
    guard !target.dropFirst().contains(0) else { throw fail("an output without elements") }
    return reshaped(y, target)
  }
}
