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
    let y = b.cast(b.wide(value), to: .f32)
    let rank = try b.rank(value)
    let size = try b.integer("block_size", 0)
    if size > 0, rank > 0, try b.rank(x) == rank { return try blocks(&b, y, x, size) }
    guard rank == 1, b.facts.extent(value, 0) != 1 else {
      guard rank <= 1 else { throw b.fail("expected one scale, or one per slice of an axis") }
      // One number, whatever the rank of x.
      return rank == 1 ? b.reshape(y, [Int]()) : y
    }
    let axis = try b.axis(try b.integer("axis", 1))
    let behind = axis < 0 ? -axis - 1 : try b.rank(x) - axis - 1
    guard behind >= 0 else { throw b.fail("axis \(axis) is out of range") }
    guard behind > 0 else { return y }
    return b.add(.reshape(Reshape(.unsqueeze, try b.axes(Array(1...behind)))), [y])
  }

  /// Parameters per block of an axis, each repeated for the elements of its block.
  private static func blocks(
    _ b: inout ONNXGraphBuilder, _ y: ValueID, _ x: ValueID, _ size: Int
  ) throws(ImportError) -> ValueID {
    let rank = try b.rank(y)
    var axis = try b.integer("axis", 1)
    if axis < 0 { axis += rank }
    guard axis >= 0, axis < rank, rank < 8, size <= 1 << 40 else {
      throw b.fail("axis \(axis) or block size \(size) is out of range")
    }
    b.note("\(b.node.type) per block → repeated parameters")
    var copies = [Int](repeating: 1, count: rank + 1)
    copies[axis + 1] = size
    let wide = b.expand(b.unsqueeze(y, [axis + 1]), copies)
    var extents = (0..<rank).map { b.extent(of: y, $0) }
    extents[axis] = b.binary(.mul, extents[axis], b.constant([size]))
    let whole = b.reshape(wide, extents)
    // The last block may hang over.
    if let given = b.facts.extent(x, axis), given == b.facts.extent(whole, axis) { return whole }
    let places = [b.constant([0]), b.extent(of: x, axis), b.constant([axis]), nil]
    return b.add(.slice(Slice()), [whole] + places)
  }

  /// (x − zero point) · scale.
  private static func dequantize(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.raw(0)
    b.note("DequantizeLinear → cast, difference, product")
    var y = b.cast(x, to: .f32)
    if b.has(2) { y = b.binary(.sub, y, try parameter(&b, try b.raw(2), x)) }
    y = b.binary(.mul, y, try parameter(&b, try b.raw(1), x))
    return [y]
  }

  /// The integers a type holds, as far as f32 holds them too.
  private static func range(_ type: ElementType?) -> ClosedRange<Float>? {
    switch type {
    case .u8: 0...255
    case .i8: -128...127
    case .u16: 0...65535
    case .i16: -32768...32767
    case .u4: 0...15
    case .i4: -8...7
    case .u2: 0...3
    case .i2: -2...1
    default: nil
    }
  }

  /// One scale and one zero point, both known, and a type that one step makes of reals.
  private static func whole(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, _ type: ElementType?
  ) throws(ImportError) -> Quantize? {
    guard let type, type == .u8 || type == .i8 || type == .i16, b.elementType(x) == .f32,
      let scale = b.fixedFloats(try b.raw(1)), scale.count == 1, scale[0] > 0, scale[0].isFinite
    else { return nil }
    guard b.has(2) else {
      return Quantize(to: type, multiplier: scale[0], divides: true, zeroPoint: 0)
    }
    guard let zero = b.fixedIntegers(try b.raw(2)), zero.count == 1 else { return nil }
    return Quantize(to: type, multiplier: scale[0], divides: true, zeroPoint: zero[0])
  }

  /// x / scale rounded to the nearest, ties to even, plus the zero point, cut to the type's range;
  /// narrow real numbers are just cast.
  private static func quantize(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let declared = try b.integer("output_dtype", 0)
    var type = declared == 0 ? ElementType.u8 : ONNXTensor.elementType(Int64(declared))
    if b.has(2) { type = b.elementType(try b.raw(2)) }
    let number = try b.integer("precision", 0)
    if number == 0, let op = try whole(&b, x, type) {
      b.note("QuantizeLinear → Quantize")
      return [b.add(.quantize(op), [x])]
    }
    let scale = try parameter(&b, try b.raw(1), x)
    let quotient: ValueID
    if let precision = ONNXTensor.elementType(Int64(number)), precision != .f32,
      precision.isFloatingPoint, precision.byteCount == 2
    {
      // The quotient as that type has it.
      let both = [x, scale].map { b.wide(b.cast($0, to: precision)) }
      quotient = b.wide(b.cast(b.binary(.div, both[0], both[1]), to: precision))
    } else {
      quotient = b.binary(.div, x, scale)
    }
    guard let range = range(type) else {
      guard let type, type.isFloatingPoint, type.byteCount == 1, type != .f8e8m0 else {
        throw b.fail("quantizes to an element type that is not supported")
      }
      b.note("QuantizeLinear → quotient, cast")
      var y = quotient
      if type == .f4e2m1, b.has(2) { y = b.binary(.add, y, try parameter(&b, try b.raw(2), x)) }
      let op = Cast(to: type, saturates: try b.bool("saturate", true))
      return [b.add(.cast(op), [y])]
    }
    b.note("QuantizeLinear → quotient, rounding, clip, cast")
    var y = b.unary(.round, quotient)
    if b.has(2) { y = b.binary(.add, y, try parameter(&b, try b.raw(2), x)) }
    y = b.unary(.clip, y, range.lowerBound, range.upperBound)
    return [b.cast(y, to: type!)]
  }
}
