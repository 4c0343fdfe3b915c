// Between quantized tensors and real numbers, for operators that compute in f32.
import Graphs
import Operators
import Tensors

extension TFLiteGraphBuilder {
  /// Input `i` as f32.
  mutating func real(_ i: Int) throws(ImportError) -> ValueID {
    let t = try tensor(i)
    guard isQuantized(t) else { return try input(i) }
    if try isConstant(i) { return try realConstant(i) }
    return try dequantized(try input(i), t)
  }

  /// The numbers that quantized elements stand for.
  mutating func dequantized(_ x: ValueID, _ t: TFLiteTensor) throws(ImportError) -> ValueID {
    let (scale, zero) = try quantization(t)
    switch t.elementType {
    case .i8: return table(x) { Float($0 - zero) * scale }
    case .u8: return table(x, isSigned: false) { Float($0 - zero) * scale }
    default:
      var y = add(.cast(Cast(to: .f32)), [x])
      if zero != 0 { y = add(.unary(Unary(.affine, 1, -Float(zero))), [y]) }
      return add(.unary(Unary(.affine, scale, 0)), [y])
    }
  }

  /// A function of x's bytes; `f` gets the integers they stand for.
  mutating func table(
    _ x: ValueID, isSigned: Bool = true, _ f: (Int) -> Float
  ) -> ValueID {
    let values = (0..<256).map { f(isSigned ? Int(Int8(truncatingIfNeeded: $0)) : $0) }
    let constant = constant(Constant(floats: values, shape: Shape([256])))
    return add(.byteTable(ByteTable()), [x, constant])
  }

  /// The same with integers of `type` as results, which must be in its range.
  mutating func table(
    _ x: ValueID, isSigned: Bool, to type: ElementType, _ f: (Int) -> Int
  ) -> ValueID {
    let values = (0..<256).map { f(isSigned ? Int(Int8(truncatingIfNeeded: $0)) : $0) }
    let constant = constant(Constant(type, values, Shape([256])))
    return add(.byteTable(ByteTable()), [x, constant])
  }

  /// f32 as the output's type asks: quantized, or as it is.
  mutating func quantized(_ x: ValueID, _ t: TFLiteTensor) throws(ImportError) -> ValueID {
    guard isQuantized(t), let type = t.elementType else { return x }
    let (scale, zero) = try quantization(t)
    return add(.quantize(Quantize(to: type, multiplier: 1 / scale, zeroPoint: zero)), [x])
  }

  /// The numbers that the integers of a constant stand for, per slice where its scales are; f32 as it
  /// is.
  mutating func realConstant(_ i: Int) throws(ImportError) -> ValueID {
    let t = try tensor(i)
    guard let q = t.quantization, t.elementType != .f32 else { return try input(i) }
    guard let constant = try model.constant(t), let integers = constant.integers else {
      guard t.elementType?.isFloatingPoint == true else { throw fail("input \(i) is no constant") }
      return try input(i)
    }
    // Without elements the other extents may be any.
    let inner =
      integers.isEmpty ? 1 : t.shape[(min(q.axis, t.shape.count - 1) + 1)...].reduce(1, *)
    let floats = integers.enumerated().map { at, v -> Float in
      let slice = q.isPerTensor ? 0 : at / max(inner, 1) % q.scales.count
      return Float(v - q.zeroPoint(slice)) * q.scales[slice]
    }
    return self.constant(Constant(floats: floats, shape: constant.shape))
  }

  /// Input `i` in a type that comparisons and searches take: narrow integers become i32.
  mutating func plain(_ i: Int) throws(ImportError) -> ValueID {
    let x = try input(i)
    switch try tensor(i).elementType {
    case .i8, .u8, .i16, .u16: return add(.cast(Cast(to: .i32)), [x])
    default: return x
    }
  }
}

extension TFLiteOperatorTable {
  /// Computes in f32 and quantizes what comes out where the output is quantized.
  static func viaFloat(
    _ b: inout TFLiteGraphBuilder,
    _ f: (inout TFLiteGraphBuilder) throws(ImportError) -> ValueID
  ) throws(ImportError) {
    if try b.isQuantized(b.outputTensor()) { b.note("\(b.name): computed in f32") }
    let y = try f(&b)
    try b.set(try b.quantized(y, try b.outputTensor()))
  }
}
