// Quantized tensors: convolution and products in integers, as XNNPACK computes them.
import Foundation
import Graphs
import Operators
import Tensors

extension TFLiteGraphBuilder {
  /// The bounds that a fused activation leaves of a quantized output.
  func bounds(_ t: TFLiteTensor, _ activation: Int) throws(ImportError) -> (low: Int, high: Int) {
    guard let type = t.elementType else { throw fail("'\(t.name)' is no tensor of numbers") }
    let (scale, zero) = try quantization(t)
    let range = TFLiteGraphBuilder.range(type)
    func code(_ real: Float) -> Int {
      let scaled = Float(zero) + (real / scale).rounded(.toNearestOrAwayFromZero)
      return Int(min(max(scaled, Float(range.lowerBound)), Float(range.upperBound)))
    }
    switch activation {
    case 0: return (range.lowerBound, range.upperBound)
    case 1: return (code(0), range.upperBound)
    case 2: return (code(-1), code(1))
    case 3: return (code(0), code(6))
    default: throw fail("fused activation \(activation) is not supported on integers")
    }
  }

  /// What follows the sums of x and w: zero points, bias, scale; and the epilogue that reads them.
  ///
  /// x, w: input numbers; bias: input number, if it is there.
  mutating func epilogue(
    x: Int, w: Int, bias: Int, outputs: Int, _ activation: Int
  ) throws(ImportError) -> (IntegerEpilogue, [ValueID?]) {
    let (given, weights, output) = (try tensor(x), try tensor(w), try outputTensor())
    guard let type = output.elementType, type != .i16, let inputType = given.elementType,
      let weightType = weights.elementType
    else { throw fail("16-bit activations are not supported here") }
    let (xScale, xZero) = try quantization(given)
    let (yScale, yZero) = try quantization(output)
    guard let q = weights.quantization, q.scales.count == 1 || q.scales.count == outputs,
      q.zeroPoints.allSatisfy({ TFLiteGraphBuilder.range(weightType).contains($0) })
    else { throw fail("'\(weights.name)' has \(weights.quantization?.scales.count ?? 0) scales") }
    let scales = q.scales.map { xScale * $0 / yScale }
    // Without one, sums of rows are not needed.
    let zeros = weightType == .i8 && q.zeroPoints.allSatisfy { $0 == 0 } ? nil : q.zeroPoints
    let (low, high) = try bounds(output, activation)
    var biasValue: ValueID?
    if has(bias) {
      guard try tensor(bias).elementType == .i32 else { throw fail("the bias is not of i32") }
      biasValue = try input(bias)
    }
    let inputs: [ValueID?] = [
      scalar(xZero, inputType),
      zeros.map { constant(Constant(weightType, $0, Shape([$0.count]))) }, biasValue,
      constant(Constant(floats: scales, shape: Shape([scales.count]))), scalar(yZero, type),
    ]
    return (IntegerEpilogue(type, low: low, high: high), inputs)
  }

  /// Weights [matrices, n, k] as panels and sums.
  mutating func panels(_ w: ValueID, isTransposed: Bool = false) -> [ValueID] {
    add(.packRows(PackRows(isTransposed: isTransposed)), [w], outputs: 2)
  }
}

extension TFLiteOperatorTable {
  static func quantizedConv(
    _ b: inout TFLiteGraphBuilder, _ window: Window, _ activation: Int
  ) throws(ImportError) {
    let channels = try b.tensor(0).shape.last ?? 0
    let shape = try b.tensor(1).shape
    guard shape.count == 4, shape[3] > 0, channels > 0, channels % shape[3] == 0,
      shape[0] % (channels / shape[3]) == 0, shape.allSatisfy({ $0 > 0 && $0 < 1 << 20 })
    else { throw b.fail("filters \(shape) for \(channels) channels") }
    if try b.tensor(0).elementType == .i16 {
      return try wideConv(&b, window, activation, groups: channels / shape[3])
    }
    let groups = channels / shape[3]
    let (epilogue, rest) = try b.epilogue(x: 0, w: 1, bias: 2, outputs: shape[0], activation)
    let rows = b.reshaped(try b.input(1), [groups, shape[0] / groups, -1])
    let op = IntegerConv(
      kernel: IntegerList([shape[1], shape[2]]), window: window, groups: groups,
      epilogue: epilogue)
    try b.set(b.add(.integerConv(op), [try b.input(0)] + b.panels(rows) + rest))
  }

  static func quantizedDepthwise(
    _ b: inout TFLiteGraphBuilder, _ window: Window, _ activation: Int
  ) throws(ImportError) {
    let channels = try b.tensor(0).shape.last ?? 0
    let shape = try b.tensor(1).shape
    guard channels > 0, shape.allSatisfy({ $0 > 0 && $0 < 1 << 20 }) else {
      throw b.fail("filters \(shape)")
    }
    if try b.tensor(0).elementType == .i16 {
      return try wideConv(&b, window, activation, groups: channels)
    }
    let (epilogue, rest) = try b.epilogue(x: 0, w: 1, bias: 2, outputs: shape[3], activation)
    let taps = shape[1] * shape[2]
    let kernel = IntegerList([shape[1], shape[2]])
    if shape[3] == channels, taps <= IntegerDepthwise.maximumTaps {
      let rows = b.reshaped(try b.input(1), [taps, channels])
      let op = IntegerDepthwise(kernel: kernel, window: window, epilogue: epilogue)
      return try b.set(b.add(.integerDepthwise(op), [try b.input(0), rows] + rest))
    }
    // Several filters for a channel: one group for each channel.
    let byChannel = b.reshaped(try b.input(1), [taps, channels, shape[3] / channels])
    let rows = b.add(.transpose(Transpose(IntegerList([1, 2, 0]))), [byChannel])
    let op = IntegerConv(kernel: kernel, window: window, groups: channels, epilogue: epilogue)
    try b.set(b.add(.integerConv(op), [try b.input(0)] + b.panels(rows) + rest))
  }

  static func quantizedProduct(_ b: inout TFLiteGraphBuilder) throws(ImportError) {
    let shape = try b.tensor(1).shape
    let activation = try b.byte(0)
    guard shape[0] > 0, shape[1] > 0 else { throw b.fail("weights \(shape)") }
    if try b.tensor(0).elementType == .i16 {
      return try viaFloat(&b) { b throws(ImportError) in
        let x = b.reshaped(try b.real(0), [-1, shape[1]])
        var inputs: [ValueID?] = [x, try b.realConstant(1)]
        if b.has(2) { inputs.append(try b.realConstant(2)) }
        let y = b.add(.matMul(MatMul(transposeB: true)), inputs)
        return try b.unflattened(try b.activated(y, activation), rows: 0, shape[0])
      }
    }
    let (epilogue, rest) = try b.epilogue(x: 0, w: 1, bias: 2, outputs: shape[0], activation)
    let x = try b.flattened(0, width: shape[1])
    let rows = b.reshaped(try b.input(1), [1, shape[0], shape[1]])
    let y = b.add(.integerProduct(IntegerProduct(epilogue)), [x] + b.panels(rows) + rest)
    try b.set(try b.unflattened(y, rows: 0, shape[0]))
  }

  /// A convolution of 16-bit activations, in f32.
  private static func wideConv(
    _ b: inout TFLiteGraphBuilder, _ window: Window, _ activation: Int, groups: Int
  ) throws(ImportError) {
    let isDepthwise = try b.tensor(1).shape[0] == 1 && groups > 1
    try viaFloat(&b) { b throws(ImportError) in
      let order = isDepthwise ? [3, 0, 1, 2] : [0, 3, 1, 2]
      let x = b.add(.transpose(Transpose(IntegerList([0, 3, 1, 2]))), [try b.real(0)])
      let w = b.add(.transpose(Transpose(IntegerList(order))), [try b.realConstant(1)])
      var inputs: [ValueID?] = [x, w]
      if b.has(2) { inputs.append(try b.realConstant(2)) }
      let y = b.add(.conv(Conv(window: window, groups: groups)), inputs)
      let turned = b.add(.transpose(Transpose(IntegerList([0, 2, 3, 1]))), [y])
      return try b.activated(turned, activation)
    }
  }

  // MARK: Weights of 8 bits and activations of f32

  /// Each row of x quantized while the model runs.
  static func hybridProduct(_ b: inout TFLiteGraphBuilder) throws(ImportError) {
    let shape = try b.tensor(1).shape
    let activation = try b.byte(0)
    guard let q = try b.tensor(1).quantization, shape[0] > 0, shape[1] > 0,
      try b.tensor(1).elementType == .i8, q.zeroPoints.allSatisfy({ $0 == 0 }),
      q.scales.count == 1 || q.scales.count == shape[0]
    else { throw b.fail("weights \(shape) that are not symmetric") }
    let x = b.reshaped(try b.input(0), [-1, shape[1]])
    // XNNPACK leaves subgraphs to TFLite's own kernels.
    let own: RowQuantization = try b.bool(3) ? .asymmetricWide : .symmetric
    let op = QuantizeRows(b.depth == 0 ? .asymmetric : own, rowAxes: 1)
    let codes = b.add(.quantizeRows(op), [x], outputs: 3)
    let rows = b.reshaped(try b.input(1), [1, shape[0], shape[1]])
    let product = IntegerProduct(IntegerEpilogue(.i32))
    let sums = b.add(.integerProduct(product), [codes[0]] + b.panels(rows) + [codes[2]])
    let rowScales = b.add(.reshape(Reshape(.unsqueeze, IntegerList([1]))), [codes[1]])
    let scales = b.constant(Constant(floats: q.scales, shape: Shape([q.scales.count])))
    let real = b.add(.cast(Cast(to: .f32)), [sums])
    let scaled = b.add(.binary(Binary(.mul)), [real, rowScales])
    var y = b.add(.binary(Binary(.mul)), [scaled, scales])
    if b.has(2) { y = b.add(.binary(Binary(.add)), [y, try b.input(2)]) }
    try b.set(try b.unflattened(try b.activated(y, activation), rows: 0, shape[0]))
  }

  /// Each picture of x quantized while the model runs; where a filter is one pixel, each pixel, as
  /// XNNPACK makes that a product of rows.
  static func hybridConv(
    _ b: inout TFLiteGraphBuilder, _ window: Window, _ activation: Int
  ) throws(ImportError) {
    let shape = try b.tensor(1).shape
    let channels = try b.tensor(0).shape.last ?? 0
    guard let q = try b.tensor(1).quantization, shape.count == 4, shape[3] == channels,
      shape.allSatisfy({ $0 > 0 && $0 < 1 << 20 }), try b.tensor(1).elementType == .i8,
      q.zeroPoints.allSatisfy({ $0 == 0 }), q.scales.count == 1 || q.scales.count == shape[0]
    else { throw b.fail("filters \(shape) that are not symmetric") }
    let isPointwise = shape[1] == 1 && shape[2] == 1 && window.strides.array.allSatisfy { $0 == 1 }
    let codes = b.add(
      .quantizeRows(QuantizeRows(.asymmetric, rowAxes: isPointwise ? 3 : 1)), [try b.input(0)],
      outputs: 3)
    let rows = b.reshaped(try b.input(1), [1, shape[0], -1])
    let inputs = [codes[0]] + b.panels(rows) + [codes[2]]
    let sums: ValueID
    if isPointwise {
      sums = b.add(.integerProduct(IntegerProduct(IntegerEpilogue(.i32))), inputs)
    } else {
      let op = IntegerConv(
        kernel: IntegerList([shape[1], shape[2]]), window: window, epilogue: IntegerEpilogue(.i32))
      sums = b.add(.integerConv(op), inputs)
    }
    let scales = b.constant(Constant(floats: q.scales, shape: Shape([q.scales.count])))
    let (height, width) = (try b.tensor(0).shape[1], try b.tensor(0).shape[2])
    let imageScales = b.reshaped(codes[1], isPointwise ? [-1, height, width, 1] : [-1, 1, 1, 1])
    let real = b.add(.cast(Cast(to: .f32)), [sums])
    let scaled = b.add(.binary(Binary(.mul)), [real, imageScales])
    var y = b.add(.binary(Binary(.mul)), [scaled, scales])
    if b.has(2) { y = b.add(.binary(Binary(.add)), [y, try b.input(2)]) }
    try b.set(try b.activated(y, activation))
  }
}
