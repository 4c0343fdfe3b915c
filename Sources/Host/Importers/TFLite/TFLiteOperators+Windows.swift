// Convolution, pooling and resizing.
import Graphs
import Operators
import Tensors

extension TFLiteOperatorTable {
  static let windows: [Row] = [
    Row(3, "CONV_2D") { b throws(ImportError) in
      let w = try window(b, strideH: 2, strideW: 1, dilationH: 5, dilationW: 4)
      let activation = try b.byte(3)
      if try b.isQuantized(b.tensor(0)) { return try quantizedConv(&b, w, activation) }
      if try b.isQuantized(b.tensor(1)) { return try hybridConv(&b, w, activation) }
      let channels = try b.tensor(0).shape.last ?? 0
      let shape = try b.tensor(1).shape
      guard shape.count == 4, shape[3] > 0, channels > 0, channels % shape[3] == 0 else {
        throw b.fail("filters \(shape) for \(channels) channels")
      }
      let kernel = b.add(.transpose(Transpose(IntegerList([0, 3, 1, 2]))), [try b.input(1)])
      try conv(&b, kernel, w, groups: channels / shape[3], activation)
    },
    Row(4, "DEPTHWISE_CONV_2D") { b throws(ImportError) in
      let w = try window(b, strideH: 2, strideW: 1, dilationH: 6, dilationW: 5)
      let activation = try b.byte(4)
      let channels = try b.tensor(0).shape.last ?? 0
      let shape = try b.tensor(1).shape
      guard shape.count == 4, shape[0] == 1, channels > 0, shape[3] % channels == 0 else {
        throw b.fail("filters \(shape) for \(channels) channels")
      }
      if try b.isQuantized(b.tensor(0)) { return try quantizedDepthwise(&b, w, activation) }
      let kernel = b.add(
        .transpose(Transpose(IntegerList([3, 0, 1, 2]))), [try b.realConstant(1)])
      try conv(&b, kernel, w, groups: channels, activation)
    },
    Row(1, "AVERAGE_POOL_2D") { b throws(ImportError) in try pool(&b, .average) },
    Row(17, "MAX_POOL_2D") { b throws(ImportError) in try pool(&b, .max) },
    Row(67, "TRANSPOSE_CONV") { b throws(ImportError) in
      let target = try b.integers(0, "the output shape")
      let kernel = try b.tensor(1).shape
      let x = try b.tensor(2).shape
      guard target.count == 4, kernel.count == 4, x.count == 4 else {
        throw b.fail("expected 4 axes")
      }
      let strides = [
        try b.integer(2, in: 1...1 << 16, 1), try b.integer(1, in: 1...1 << 16, 1),
      ]
      let padding = try b.byte(0)
      let activation = try b.byte(3)
      // What is cut off the full result in front and behind.
      var before: [Int] = []
      var after: [Int] = []
      var extra: [Int] = []
      for i in 0..<2 {
        let (extent, k) = (target[1 + i], kernel[1 + i])
        guard 1...1 << 30 ~= extent, 1...1 << 16 ~= k, x[1 + i] < 1 << 30 else {
          throw b.fail("output \(target)")
        }
        let full = (x[1 + i] - 1) * strides[i] + k
        let wanted = (extent + strides[i] - 1) / strides[i]
        let total =
          padding == 0 ? max((wanted - 1) * strides[i] + k - extent, 0) : 0
        before.append(total / 2)
        let rest = full - total / 2 - extent
        after.append(max(rest, 0))
        extra.append(max(-rest, 0))
      }
      let window = Window(
        strides: IntegerList(strides), pads: IntegerList(before + after))
      let op = ConvTranspose(window: window, outputPadding: IntegerList(extra))
      try viaFloat(&b) { b throws(ImportError) in
        let turned = b.add(
          .transpose(Transpose(IntegerList([0, 3, 1, 2]))), [try b.real(2)])
        let weights = b.add(
          .transpose(Transpose(IntegerList([3, 0, 1, 2]))), [try b.realConstant(1)])
        var inputs: [ValueID?] = [turned, weights]
        if b.has(3) { inputs.append(try b.realConstant(3)) }
        let y = try b.activated(b.add(.convTranspose(op), inputs), activation)
        return b.add(.transpose(Transpose(IntegerList([0, 2, 3, 1]))), [y])
      }
    },
    Row(23, "RESIZE_BILINEAR") { b throws(ImportError) in
      let isAligned = try b.bool(2)
      let isHalf = try b.bool(3)
      let size = try b.integers(1, "the size")
      if try b.isQuantized(b.tensor(0)) {
        return try quantizedResize(&b, size, isAligned: isAligned, isHalf: isHalf)
      }
      try resize(&b, size, coordinates(isAligned, isHalf), isLinear: true)
    },
    Row(97, "RESIZE_NEAREST_NEIGHBOR") { b throws(ImportError) in
      let isAligned = try b.bool(0)
      let isHalf = try b.bool(1)
      let size = try b.integers(1, "the size")
      // TFLite rounds an aligned coordinate and cuts the half-pixel one without taking ½ off again.
      let place: ResizeCoordinates = isAligned ? .alignCorners : isHalf ? .halfPixel : .asymmetric
      let rounding: ResizeRounding = isAligned || isHalf ? .preferCeil : .floor
      try resize(&b, size, place, isLinear: false, rounding: rounding)
    },
    Row(13, "LOCAL_RESPONSE_NORMALIZATION") { b throws(ImportError) in
      let radius = try b.integer(0, in: 0...1 << 16, 5)
      let size = 2 * radius + 1
      // TFLite multiplies the sum by alpha, we by alpha / size.
      let op = LRN(
        size: size, alpha: try b.float(2, 1) * Float(size), beta: try b.float(3, 0.5),
        bias: try b.float(1, 1))
      try b.set(b.add(.lrn(op), [try b.channelsFirst(0)]), channelsFirst: true)
    },
  ]

  private static func coordinates(_ isAligned: Bool, _ isHalf: Bool) -> ResizeCoordinates {
    isAligned ? .alignCorners : isHalf ? .halfPixel : .asymmetric
  }

  /// Padding and steps; options by their numbers, dilations where the operator has them.
  private static func window(
    _ b: TFLiteGraphBuilder, strideH: Int, strideW: Int, dilationH: Int, dilationW: Int
  ) throws(ImportError) -> Window {
    let limit = 1...1 << 20
    return Window(
      strides: IntegerList([
        try b.integer(strideH, in: limit, 1), try b.integer(strideW, in: limit, 1),
      ]),
      dilations: IntegerList([
        try b.integer(dilationH, in: limit, 1), try b.integer(dilationW, in: limit, 1),
      ]),
      autoPad: try b.byte(0) == 0 ? .sameUpper : .valid)
  }

  /// An f32 convolution whose kernel stands as [o, c, h, w].
  private static func conv(
    _ b: inout TFLiteGraphBuilder, _ kernel: ValueID, _ window: Window, groups: Int,
    _ activation: Int
  ) throws(ImportError) {
    let op = Conv(window: window, groups: groups)
    var inputs: [ValueID?] = [try b.channelsFirst(0), kernel]
    if b.has(2) { inputs.append(try b.input(2)) }
    let y = b.add(.conv(op), inputs)
    try b.set(try b.activated(y, activation), channelsFirst: true)
  }

  private static func pool(_ b: inout TFLiteGraphBuilder, _ kind: PoolKind) throws(ImportError) {
    let limit = 1...1 << 20
    let kernel = IntegerList([try b.integer(4, in: limit, 1), try b.integer(3, in: limit, 1)])
    let window = Window(
      strides: IntegerList([try b.integer(2, in: limit, 1), try b.integer(1, in: limit, 1)]),
      autoPad: try b.byte(0) == 0 ? .sameUpper : .valid)
    let activation = try b.byte(5)
    if try b.isQuantized(b.tensor(0)) {
      return try quantizedPool(&b, kind, kernel, window, activation)
    }
    let y = b.add(.pool(Pool(kind, kernel: kernel, window: window)), [try b.channelsFirst(0)])
    try b.set(try b.activated(y, activation), channelsFirst: true)
  }

  private static func resize(
    _ b: inout TFLiteGraphBuilder, _ size: [Int], _ coordinates: ResizeCoordinates, isLinear: Bool,
    rounding: ResizeRounding = .floor
  ) throws(ImportError) {
    guard size.count == 2, size.allSatisfy({ 1...1 << 30 ~= $0 }) else {
      throw b.fail("size \(size)")
    }
    let isTurned = b.isTurned(try b.number(0))
    let x = isTurned ? try b.channelsFirst(0) : try b.input(0)
    let op = Resize(
      isLinear: isLinear, coordinates: coordinates, rounding: rounding,
      axes: IntegerList(isTurned ? [2, 3] : [1, 2]))
    try b.set(b.add(.resize(op), [x, b.constant(size)]), channelsFirst: isTurned)
  }
}
