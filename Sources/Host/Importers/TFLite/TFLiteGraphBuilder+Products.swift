// Products that several operators share: of 8-bit weights with real numbers, and by fixed-point factors.
import Graphs
import Operators
import Tensors

extension TFLiteGraphBuilder {
  /// x [leading…, width] times several constant matrices of `rows` rows, side by side: rows of x
  /// quantized while the model runs, as TFLite's own kernels do. One extent of `leading` may be −1.
  mutating func hybridProduct(
    _ x: ValueID, _ matrices: [Int], _ rows: Int, leading: [Int], isAsymmetric: Bool
  ) throws(ImportError) -> ValueID {
    let width = try tensor(matrices[0]).shape.last ?? 0
    var parts: [ValueID?] = []
    var scales: [Float] = []
    for i in matrices {
      let t = try tensor(i)
      guard let q = t.quantization, t.elementType == .i8, q.zeroPoints.allSatisfy({ $0 == 0 }),
        t.shape == [rows, width], width > 0, try isConstant(i),
        q.scales.count == 1 || q.scales.count == rows && q.axis == 0
      else { throw fail("weights '\(t.name)' that are not constant and symmetric") }
      parts.append(try input(i))
      scales += q.isPerTensor ? [Float](repeating: q.scales[0], count: rows) : q.scales
    }
    let kind: RowQuantization = isAsymmetric ? .asymmetricWide : .symmetric
    let op = QuantizeRows(kind, rowAxes: leading.count)
    let codes = add(.quantizeRows(op), [x], outputs: 3)
    let w = parts.count == 1 ? parts[0]! : add(.concat(Concat(axis: 0)), parts)
    let packed = panels(reshaped(w, [1, scales.count, width]))
    let product = IntegerProduct(IntegerEpilogue(.i32))
    let dots = add(.integerProduct(product), [codes[0]] + packed + [codes[2]])
    let rowScales = reshaped(codes[1], leading + [1])
    let columns = constant(Constant(floats: scales, shape: Shape([scales.count])))
    let both = add(.binary(Binary(.mul)), [rowScales, columns])
    return add(.binary(Binary(.mul)), [add(.cast(Cast(to: .f32)), [dots]), both])
  }

  /// Integers times fixed-point factors, one or one for each column, as i64: rounded to the high half
  /// of a product, ties up, then shifted, ties away from zero.
  mutating func multiplied(
    _ x: ValueID, _ factors: [(mantissa: Int, shift: Int)]
  ) -> ValueID {
    let wide = add(.cast(Cast(to: .i64)), [x])
    let mantissas = constant(factors.map { $0.mantissa << max($0.shift, 0) })
    let product = add(.binary(Binary(.mul)), [wide, mantissas])
    let nudged = add(.binary(Binary(.add)), [product, scalar(1 << 30, .i64)])
    let high = add(.binary(Binary(.shiftRight)), [nudged, scalar(31, .i64)])
    return divided(high, factors.map { max(-$0.shift, 0) })
  }

  /// x / 2^exponent for i64, ties away from zero; one exponent, or one for each column.
  mutating func divided(_ x: ValueID, _ exponents: [Int]) -> ValueID {
    guard exponents.contains(where: { $0 > 0 }) else { return x }
    let sign = add(.binary(Binary(.shiftRight)), [x, scalar(63, .i64)])
    let away = add(
      .binary(Binary(.bitAnd)), [sign, constant(exponents.map { $0 > 0 ? -1 : 0 })])
    let half = constant(exponents.map { $0 > 0 ? 1 << ($0 - 1) : 0 })
    let nudged = add(.binary(Binary(.add)), [add(.binary(Binary(.add)), [x, half]), away])
    return add(.binary(Binary(.shiftRight)), [nudged, constant(exponents)])
  }
}
