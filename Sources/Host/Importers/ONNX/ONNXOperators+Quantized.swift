// Quantized values, computed as the real numbers they stand for.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let quantized: [ONNXOperator] = [
    ONNXOperator("QuantizeLinear", 10, quantize), ONNXOperator("DequantizeLinear", 10, dequantize),
  ]

  /// A scale or zero point as f32, shaped to broadcast against x.
  private static func parameter(
    _ b: inout ONNXGraphBuilder, _ value: ValueID, _ x: ValueID
  ) throws(ImportError) -> ValueID {
    var y = value
    if b.elementType(y) != .f32 { y = b.add(.cast(Cast(to: .f32)), [y]) }
    guard try b.integer("block_size", 0) == 0 else {
      throw b.fail("scales per block are not supported")
    }
    let rank = try b.rank(value)
    guard rank == 1, b.facts.extent(value, 0) != 1 else {
      guard rank <= 1 else { throw b.fail("expected one scale, or one per slice of an axis") }
      return y
    }
    let axis = try b.axis(try b.integer("axis", 1))
    let behind = axis < 0 ? -axis - 1 : try b.rank(x) - axis - 1
    guard behind >= 0 else { throw b.fail("axis \(axis) is out of range") }
    guard behind > 0 else { return y }
    return b.add(.reshape(Reshape(.unsqueeze, try b.axes(Array(1...behind)))), [y])
  }

  /// (x − zero point) · scale.
  private static func dequantize(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.raw(0)
    b.note("DequantizeLinear → cast, difference, product")
    var y = b.add(.cast(Cast(to: .f32)), [x])
    if let zero = try b.optional(2) {
      y = b.add(.binary(Binary(.sub)), [y, try parameter(&b, zero, x)])
    }
    return [b.add(.binary(Binary(.mul)), [y, try parameter(&b, try b.input(1), x)])]
  }

  /// x / scale rounded to the nearest, ties to even, plus the zero point, cut to the type's range.
  private static func quantize(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let zero = try b.optional(2)
    let declared = try b.integer("output_dtype", 0)
    var type = declared == 0 ? ElementType.u8 : ONNXTensor.elementType(Int64(declared))
    if let zero { type = b.elementType(zero) }
    let range: ClosedRange<Float>
    switch type {
    case .u8: range = 0...255
    case .i8: range = -128...127
    case .u16: range = 0...65535
    case .i16: range = -32768...32767
    default: throw b.fail("quantizes to an element type that is not supported")
    }
    b.note("QuantizeLinear → quotient, rounding, clip, cast")
    let quotient = b.add(.binary(Binary(.div)), [x, try parameter(&b, try b.input(1), x)])
    var y = b.add(.unary(Unary(.round)), [quotient])
    if let zero { y = b.add(.binary(Binary(.add)), [y, try parameter(&b, zero, x)]) }
    y = b.add(.unary(Unary(.clip, range.lowerBound, range.upperBound)), [y])
    return [b.add(.cast(Cast(to: type!)), [y])]
  }
}
