// Quantized tensors: functions of bytes, sums, pools and changes of scale.
import Foundation
import Graphs
import Operators
import Tensors

extension TFLiteOperatorTable {
  static let quantization: [Row] = [
    Row(114, "QUANTIZE") { b throws(ImportError) in
      let (from, to) = (try b.tensor(0), try b.outputTensor())
      guard b.isQuantized(from) else {
        return try b.set(try b.quantized(try b.input(0), to))
      }
      if from.elementType == .i16 || to.elementType == .i16 {
        return try b.set(try b.quantized(try b.real(0), to))
      }
      try b.set(try b.rescaled(try b.input(0), from, to))
    },
    Row(6, "DEQUANTIZE") { b throws(ImportError) in
      let t = try b.tensor(0)
      if t.elementType == .f16 { return try b.set(try b.input(0)) }
      try b.set(try b.real(0))
    },
  ]

  /// A function of bytes by its 256 results; of 16 bits in f32.
  static func quantizedUnary(_ b: inout TFLiteGraphBuilder, _ op: Unary) throws(ImportError) {
    let (from, to) = (try b.tensor(0), try b.outputTensor())
    let x = try b.input(0)
    guard let type = to.elementType, from.elementType != .i16, type == .i8 || type == .u8 else {
      return try viaFloat(&b) { b throws(ImportError) in
        b.add(.unary(op), [try b.real(0)])
      }
    }
    if let value = function(op) {
      return try b.set(try b.mapped(x, from, to, value))
    }
    // The device's own arithmetic on all 256 inputs, folded while packing.
    let (scale, zero) = try b.quantization(from)
    let isSigned = from.elementType == .i8
    let reals = (0..<256).map {
      Float((isSigned ? Int(Int8(truncatingIfNeeded: $0)) : $0) - zero) * scale
    }
    let inputs = b.constant(Constant(floats: reals, shape: Shape([256])))
    let table = try b.quantized(b.add(.unary(op), [inputs]), to)
    try b.set(b.add(.byteTable(ByteTable()), [x, table]))
  }

  /// The functions that integer models use, in double precision.
  private static func function(_ op: Unary) -> ((Float) -> Float)? {
    switch op.kind {
    case .sigmoid:
      { x in x >= 0 ? 1 / (1 + Foundation.exp(-x)) : 1 - 1 / (1 + Foundation.exp(x)) }
    case .tanh: { x in Foundation.tanh(x) }
    case .relu: { x in max(x, 0) }
    case .clip: { x in min(max(x, op.p0), op.p1) }
    case .leakyRelu: { x in x >= 0 ? x : x * op.p0 }
    case .hardSwish: { x in x * min(max(x + 3, 0), 6) / 6 }
    case .exp: { x in Foundation.exp(x) }
    case .abs: { x in abs(x) }
    case .neg: { x in -x }
    case .elu: { x in x >= 0 ? x : Foundation.expm1(x) }
    case .log: { x in Foundation.log(x) }
    case .sqrt: { x in x.squareRoot() }
    default: nil
    }
  }

  /// One multiplier of 8 fractional bits for each side of zero, ties up: XNNPACK.
  static func quantizedLeakyRelu(
    _ b: inout TFLiteGraphBuilder, _ op: Unary
  ) throws(ImportError) {
    let (from, to) = (try b.tensor(0), try b.outputTensor())
    guard let type = to.elementType, type == from.elementType, type != .i16 else {
      return try quantizedUnary(&b, op)
    }
    let (scale, zero) = try b.quantization(from)
    let (yScale, yZero) = try b.quantization(to)
    let (above, below) = (scale / yScale, scale / yScale * op.p0)
    guard above <= 0x1p20, abs(below) <= 0x1p20 else {
      throw b.fail("scales \(scale) and \(yScale) are too far apart")
    }
    let range = TFLiteGraphBuilder.range(type)
    let factors = [above, below].map { Int((256 * $0).rounded(.toNearestOrEven)) }
    let y = b.table(try b.input(0), isSigned: type == .i8, to: type) { v in
      let code = ((v - zero) * factors[v >= zero ? 0 : 1] + 128) >> 8
      return min(max(code + yZero, range.lowerBound), range.upperBound)
    }
    try b.set(y)
  }

  static func quantizedRsqrt(_ b: inout TFLiteGraphBuilder) throws(ImportError) {
    let (from, to) = (try b.tensor(0), try b.outputTensor())
    try b.set(try b.mapped(try b.input(0), from, to) { x in 1 / max(x, 0).squareRoot() })
  }

  static func quantizedSoftmax(
    _ b: inout TFLiteGraphBuilder, _ beta: Float
  ) throws(ImportError) {
    let (from, to) = (try b.tensor(0), try b.outputTensor())
    guard from.elementType != .i16, from.elementType == to.elementType else {
      return try viaFloat(&b) { b throws(ImportError) in
        let x = b.add(.unary(Unary(.affine, beta, 0)), [try b.real(0)])
        return b.add(.softmax(Softmax()), [x])
      }
    }
    let (scale, _) = try b.quantization(from)
    let (yScale, yZero) = try b.quantization(to)
    let table = (0..<256).map { Foundation.exp(-scale * beta * Float($0)) }
    let values = b.constant(Constant(floats: table, shape: Shape([256])))
    let op = IntegerSoftmax(scale: yScale, zeroPoint: yZero)
    try b.set(b.add(.integerSoftmax(op), [try b.input(0), values]))
  }

  static func quantizedBinary(
    _ b: inout TFLiteGraphBuilder, _ kind: BinaryKind, _ activation: Int
  ) throws(ImportError) {
    let (s, t, y) = (try b.tensor(0), try b.tensor(1), try b.outputTensor())
    let isSum = kind == .add || kind == .sub
    guard isSum || kind == .mul, s.elementType != .i16, s.elementType == t.elementType,
      s.elementType == y.elementType, b.isQuantized(t), b.isQuantized(y)
    else {
      if kind == .max || kind == .min, try b.haveOneScale() {
        // The order of codes is that of the numbers.
        let z = b.add(.binary(Binary(kind)), [try b.plain(0), try b.plain(1)])
        return try b.set(b.add(.cast(Cast(to: y.elementType!)), [z]))
      }
      return try viaFloat(&b) { b throws(ImportError) in
        let z = b.add(.binary(Binary(kind)), [try b.real(0), try b.real(1)])
        return try b.activated(z, activation)
      }
    }
    let (sScale, sZero) = try b.quantization(s)
    let (tScale, tZero) = try b.quantization(t)
    let (yScale, yZero) = try b.quantization(y)
    let (low, high) = try b.bounds(y, activation)
    let inputs: [ValueID?] = [try b.input(0), try b.input(1)]
    guard isSum else {
      let op = IntegerBinary(
        .multiply, aScale: sScale * tScale / yScale, aZero: sZero, bZero: tZero, yZero: yZero,
        low: low, high: high)
      return try b.set(b.add(.integerBinary(op), inputs))
    }
    let (p, q) = (sScale / yScale, tScale / yScale)
    // Beyond these ratios XNNPACK leaves the sum to TFLite's own kernel.
    let isShifted = [p, q].allSatisfy { $0 >= 0x1p-10 && $0 < 0x1p8 }
    let op = IntegerBinary(
      isShifted ? .addShifted : .addFixed, aScale: p, bScale: kind == .sub ? -q : q, aZero: sZero,
      bZero: tZero, yZero: yZero, low: low, high: high)
    try b.set(b.add(.integerBinary(op), inputs))
  }

  static func quantizedPool(
    _ b: inout TFLiteGraphBuilder, _ kind: PoolKind, _ kernel: IntegerList, _ window: Window,
    _ activation: Int
  ) throws(ImportError) {
    let y = try b.outputTensor()
    try b.requireSameScale([0])
    let (low, high) = try b.bounds(y, activation)
    let op = IntegerPool(
      kind == .max ? .max : .average, kernel: kernel, window: window, low: low, high: high)
    try b.set(b.add(.integerPool(op), [try b.input(0)]))
  }

  static func quantizedMean(_ b: inout TFLiteGraphBuilder) throws(ImportError) {
    let (x, y) = (try b.tensor(0), try b.outputTensor())
    let axes = try b.reducedAxes()
    guard x.shape.count == 4, axes.array.sorted() == [1, 2], x.elementType == y.elementType else {
      let keepsAxes = try b.bool(0)
      return try viaFloat(&b) { b throws(ImportError) in
        let op = Reduce(.mean, axes: axes, keepsAxes: keepsAxes)
        return axes.count == 0 ? try b.real(0) : b.add(.reduce(op), [try b.real(0)])
      }
    }
    let (xScale, xZero) = try b.quantization(x)
    let (yScale, yZero) = try b.quantization(y)
    let (low, high) = try b.bounds(y, 0)
    let op = IntegerPool(
      .scaledAverage, kernel: IntegerList(), scale: xScale / yScale, xZero: xZero, yZero: yZero,
      low: low, high: high)
    let mean = b.add(.integerPool(op), [try b.input(0)])
    let squeeze = Reshape(.squeeze, IntegerList([1, 2]))
    try b.set(try b.bool(0) ? mean : b.add(.reshape(squeeze), [mean]))
  }

  static func quantizedConcat(
    _ b: inout TFLiteGraphBuilder, _ axis: Int
  ) throws(ImportError) {
    let y = try b.outputTensor()
    guard let type = y.elementType else { throw b.fail("is no tensor of numbers") }
    let (scale, zero) = try b.quantization(y)
    var parts: [ValueID?] = []
    for i in 0..<b.inputCount {
      let t = try b.tensor(i)
      let q = try b.quantization(t)
      var x = try b.input(i)
      if q.scale != scale || q.zero != zero {
        guard type != .i16 else { throw b.fail("input \(i) has another scale than the output") }
        // TFLite's own kernel: one product, ties away from zero.
        let factor = q.scale * (1 / scale)
        let bias = -Float(q.zero) * factor
        let range = TFLiteGraphBuilder.range(type)
        x = b.table(x, isSigned: type == .i8, to: type) { v in
          let scaled = (Float(v) * factor + bias).rounded(.toNearestOrAwayFromZero)
          let code = min(max(scaled, -1e6), 1e6) + Float(zero)
          return Int(min(max(code, Float(range.lowerBound)), Float(range.upperBound)))
        }
      }
      parts.append(x)
    }
    try b.set(b.add(.concat(Concat(axis: axis)), parts))
  }

  static func quantizedResize(
    _ b: inout TFLiteGraphBuilder, _ size: [Int], isAligned: Bool, isHalf: Bool
  ) throws(ImportError) {
    guard size.count == 2, size.allSatisfy({ 1...1 << 30 ~= $0 }) else {
      throw b.fail("size \(size)")
    }
    let place: ResizeCoordinates = isAligned ? .alignCorners : isHalf ? .halfPixel : .asymmetric
    guard try b.tensor(0).elementType != .i16 else {
      return try viaFloat(&b) { b throws(ImportError) in
        let op = Resize(isLinear: true, coordinates: place, axes: IntegerList([1, 2]))
        return b.add(.resize(op), [try b.real(0), b.constant(size)])
      }
    }
    try b.requireSameScale([0])
    let op = IntegerResize(height: size[0], width: size[1], coordinates: place)
    try b.set(b.add(.integerResize(op), [try b.input(0)]))
  }
}

extension TFLiteGraphBuilder {
  /// Whether both inputs and the output mean the same by a code.
  func haveOneScale() throws(ImportError) -> Bool {
    let y = try outputTensor()
    for t in [try tensor(0), try tensor(1)] {
      guard isQuantized(t), isQuantized(y), t.elementType == y.elementType,
        try quantization(t) == quantization(y)
      else { return false }
    }
    return true
  }

  /// A function of real numbers from bytes of one scale to bytes of another.
  mutating func mapped(
    _ x: ValueID, _ from: TFLiteTensor, _ to: TFLiteTensor, _ f: (Float) -> Float
  ) throws(ImportError) -> ValueID {
    guard let type = to.elementType else { throw fail("'\(to.name)' is no tensor of numbers") }
    let (scale, zero) = try quantization(from)
    let (yScale, yZero) = try quantization(to)
    let range = TFLiteGraphBuilder.range(type)
    return table(x, isSigned: from.elementType == .i8, to: type) { v in
      let real = f(Float(v - zero) * scale) / yScale
      guard !real.isNaN else { return range.upperBound }
      let code = min(max(real, -1e6), 1e6).rounded(.toNearestOrEven) + Float(yZero)
      return Int(min(max(code, Float(range.lowerBound)), Float(range.upperBound)))
    }
  }

  /// Bytes of one scale as bytes of another, by a multiplier of 8 fractional bits, ties up: XNNPACK.
  mutating func rescaled(
    _ x: ValueID, _ from: TFLiteTensor, _ to: TFLiteTensor
  ) throws(ImportError) -> ValueID {
    guard let type = to.elementType else { throw fail("'\(to.name)' is no tensor of numbers") }
    let (scale, zero) = try quantization(from)
    let (yScale, yZero) = try quantization(to)
    let range = TFLiteGraphBuilder.range(type)
    let ratio = scale / yScale
    guard ratio <= 0x1p20 else { throw fail("scales \(scale) and \(yScale) are too far apart") }
    let factor = Int((256 * ratio).rounded(.toNearestOrEven))
    // XNNPACK takes these ratios; TFLite's own kernel rounds the real product.
    let isShifted = ratio >= 0x1p-8 && ratio <= 0x1p7
    return table(x, isSigned: from.elementType == .i8, to: type) { v in
      let code =
        isShifted
        ? ((v - zero) * factor + 128) >> 8
        : Int((Float(v - zero) * ratio).rounded(.toNearestOrAwayFromZero))
      return min(max(code + yZero, range.lowerBound), range.upperBound)
    }
  }
}
