// What a probe measures of the steps that go over their elements once.
import Graphs
import Operators
import Tensors

extension ProbeCase {
  static let elementwise: [Maker] = {
    var list: [Maker] = []
    let unary: [UnaryKind] = [
      .exp, .erf, .tanh, .sigmoid, .gelu, .silu, .relu, .clip, .hardSwish, .hardSigmoid, .sqrt,
      .affine, .log, .round,
    ]
    for kind in unary {
      for shape in [[1, 16], [1, 1024], [64, 2048]] {
        list.append { .plain(.unary(Unary(kind, 0.5, 1)), [shape], isParallel: true) }
      }
    }
    let pairs = [
      ([1, 16], [1, 16]), ([1, 1024], [1, 1024]), ([64, 2048], [64, 2048]), ([128, 256], [256]),
      ([64, 16, 16], [64, 1, 1]), ([4, 16], [16]), ([128, 16], [128, 1]),
    ]
    for kind in [BinaryKind.add, .sub, .mul, .div, .max] {
      for (a, b) in pairs { list.append { .plain(.binary(Binary(kind)), [a, b]) } }
    }
    for kind in [BinaryKind.add, .mul, .pow] {
      list.append { .plain(.binary(Binary(kind)), [[1, 16], [1]]) }
      list.append { .plain(.binary(Binary(kind)), [[64, 512], [1]]) }
    }
    list.append { .plain(.binary(Binary(.equal)), [[1024, 1], [64]], type: .i64) }
    list.append { .plain(.binary(Binary(.add)), [[1, 1024], [1, 1024]], type: .i64) }
    for kind in [BinaryKind.add, .mul, .mod] {
      list.append { .plain(.binary(Binary(kind)), [[128, 8], [1]], type: .i64) }
    }
    for type in [ElementType.u8, .i8, .i32, .i64, .bool] {
      list.append { .plain(.cast(Cast(to: type)), [[16, 1024]]) }
      list.append { .plain(.cast(Cast(to: type)), [[1, 16]]) }
      list.append { .plain(.cast(Cast(to: .f32)), [[16, 1024]], type: type) }
    }
    list.append { .plain(.cast(Cast(to: .i32)), [[16, 1024]], type: .i64) }
    list.append { .plain(.cast(Cast(to: .i32)), [[16, 1024]], type: .i8) }
    list.append { .plain(.cast(Cast(to: .i64)), [[16, 1024]], type: .u8) }
    list.append { .plain(.cast(Cast(to: .i64)), [[16, 1024]], type: .i32) }
    for shape in [[64, 512], [1, 512], [125, 64]] {
      list.append {
        .plain(.quantizeRows(QuantizeRows(.symmetric, rowAxes: 1)), [shape], outputs: 3)
      }
    }
    for shape in [[64, 512], [1, 256]] {
      list.append { .plain(.quantize(Quantize(to: .i8, multiplier: 10, zeroPoint: 3)), [shape]) }
    }
    for type in [ElementType.i8, .u8] {
      let table = Constant(elementType: type, shape: Shape([256])) { out in
        for i in out.indices { out[i] = UInt8(truncatingIfNeeded: i * 7) }
      }
      list.append { .plain(.byteTable(ByteTable()), [[64, 512]], constants: [table], type: type) }
    }
    let channels = [Float](repeating: 1, count: 64)
    let four = (0..<4).map { _ in Constant(floats: channels, shape: Shape([64])) }
    for size in [4, 40] {
      list.append {
        .plain(
          .batchNorm(BatchNorm(epsilon: 1e-5)), [[1, 64, size, size]], constants: four,
          isParallel: true)
      }
    }
    for kind in [IntegerBinaryKind.add, .multiply, .addShifted, .addFixed] {
      list.append {
        let op = IntegerBinary(
          kind, aScale: 0.5, bScale: 0.5, aZero: 1, bZero: 2, yZero: 3, low: -128, high: 127)
        return .plain(.integerBinary(op), [[64, 512], [64, 512]], type: .i8)
      }
      list.append {
        let op = IntegerBinary(
          kind, aScale: 0.5, bScale: 0.5, aZero: 1, bZero: 2, yZero: 3, low: -128, high: 127)
        return .plain(.integerBinary(op), [[1024, 3], [3]], type: .i8)
      }
      list.append {
        let op = IntegerBinary(
          kind, aScale: 0.5, bScale: 0.5, aZero: 1, bZero: 2, yZero: 3, low: -128, high: 127)
        return .plain(.integerBinary(op), [[64, 512], [1]], type: .i8)
      }
    }
    return list
  }()

  static let folding: [Maker] = {
    var list: [Maker] = []
    for shape in [
      [1, 2], [256, 2], [4096, 2], [100, 5], [64, 28], [128, 128], [512, 128], [1, 10], [1, 1000],
    ] {
      list.append { .plain(.softmax(Softmax()), [shape], isParallel: true) }
    }
    for rows in [16, 128] {
      list.append {
        .plain(.layerNorm(LayerNorm(epsilon: 1e-5)), [[rows, 384]], isParallel: true)
      }
    }
    for kind in [ReduceKind.sum, .mean, .max, .l2] {
      for axis in [0, 1] {
        list.append {
          .plain(
            .reduce(Reduce(kind, axes: IntegerList([axis]), keepsAxes: true)), [[64, 512]])
        }
        for shape in [[2, 32], [30, 32], [128, 16], [4096, 2], [512, 256], [1, 1024]] {
          list.append {
            .plain(.reduce(Reduce(kind, axes: IntegerList([axis]), keepsAxes: true)), [shape])
          }
        }
      }
    }
    let pools = [
      (PoolKind.max, 2, 2, [1, 32, 32, 32]), (.max, 3, 1, [1, 32, 32, 32]),
      (.max, 9, 1, [1, 32, 13, 13]), (.average, 2, 2, [1, 32, 32, 32]),
      (.average, 5, 5, [1, 64, 20, 90]), (.average, 7, 7, [1, 256, 7, 7]),
      (.max, 2, 2, [1, 8, 28, 28]), (.max, 3, 2, [1, 32, 32, 32]),
      (.average, 3, 1, [1, 32, 32, 32]), (.max, 5, 1, [1, 64, 30, 30]),
      (.average, 8, 8, [1, 64, 8, 8]),
      (.average, 2, 2, [1, 64, 20, 90]), (.max, 2, 1, [1, 64, 20, 90]),
      (.max, 3, 2, [1, 32, 90, 90]), (.max, 3, 2, [1, 128, 44, 44]), (.max, 2, 2, [1, 16, 64, 64]),
      (.average, 6, 2, [1, 32, 44, 40]),
    ]
    for (kind, size, stride, shape) in pools {
      list.append {
        let window = Window(strides: IntegerList([stride, stride]))
        return .plain(
          .pool(Pool(kind, kernel: IntegerList([size, size]), window: window)), [shape],
          isParallel: true)
      }
    }
    for kind in [IntegerPoolKind.max, .average] {
      for (size, shape) in [(2, [1, 28, 28, 64]), (7, [1, 7, 7, 256])] {
        list.append {
          let pool = IntegerPool(
            kind, kernel: IntegerList([size, size]),
            window: Window(strides: IntegerList([size, size])), low: -128, high: 127)
          return .plain(.integerPool(pool), [shape], type: .i8)
        }
      }
    }
    list.append { .plain(.argReduce(ArgReduce(axis: 1)), [[64, 64]]) }
    return list
  }()

  static let moves: [Maker] = {
    var list: [Maker] = []
    let turns = [
      ([0, 2, 1], [1, 64, 64]), ([0, 2, 1], [1, 256, 512]), ([0, 3, 1, 2], [1, 96, 96, 3]),
      ([0, 2, 3, 1], [1, 16, 40, 30]), ([0, 3, 1, 2], [1, 25, 5, 64]),
      ([0, 2, 1, 3], [1, 64, 4, 32]), ([1, 0, 2], [16, 64, 96]), ([0, 2, 1], [1, 8, 16]),
      ([0, 3, 1, 2], [1, 224, 224, 3]), ([0, 2, 1], [1, 512, 1]),
    ]
    for (order, shape) in turns {
      list.append { .plain(.transpose(Transpose(IntegerList(order))), [shape]) }
    }
    for (order, shape) in [
      ([0, 2, 3, 1], [1, 3, 64, 64]), ([0, 2, 3, 1], [1, 3, 224, 224]),
      ([0, 3, 1, 2], [1, 8, 8, 64]),
      ([0, 3, 1, 2], [1, 1, 1, 1000]),
    ] {
      list.append { .plain(.transpose(Transpose(IntegerList(order))), [shape], type: .i8) }
    }
    // Axis, end, step, extents.
    let parts = [
      (2, 256, 1, [1, 64, 512]), (1, 16, 1, [1, 32, 1024]), (2, 2, 1, [1, 1024, 4]),
      (2, 4096, 2, [1, 8, 4096]), (1, 64, 2, [1, 64, 256]), (1, 16, 1, [1, 32]),
      (1, 128, 1, [1, 512]), (1, 128, 2, [1, 128, 1024]), (2, 1, 1, [1, 128, 2]),
      (2, 1, 1, [1, 4096, 2]),
    ]
    for (axis, end, step, shape) in parts {
      list.append {
        let slice = Slice(
          starts: IntegerList([0]), ends: IntegerList([end]), axes: IntegerList([axis]),
          steps: IntegerList([step]))
        return .plain(.slice(slice), [shape])
      }
    }
    for (axis, shape) in [
      (1, [1, 32, 1024]), (2, [1, 512, 32]), (2, [1, 1024, 2]), (1, [1, 16]),
    ] {
      list.append { .plain(.concat(Concat(axis: axis)), [shape, shape]) }
    }
    for (pads, shape) in [
      ([0, 0, 1, 1, 0, 0, 1, 1], [1, 16, 32, 32]), ([0, 64, 0, 0], [1, 256]),
      ([0, 0, 0, 32], [1, 512]), ([0, 1, 0, 1], [256, 16]),
    ] {
      list.append { .plain(.pad(Pad(.constant, pads: IntegerList(pads))), [shape]) }
    }
    list.append { .plain(.pad(Pad(.reflect, pads: IntegerList([0, 64, 0, 64]))), [[1, 512]]) }
    for isLinear in [false, true] {
      list.append {
        let resize = Resize(
          isLinear: isLinear, coordinates: isLinear ? .halfPixel : .asymmetric, rounding: .floor)
        let scales = Constant(floats: [1, 1, 2, 2], shape: Shape([4]))
        return .plain(.resize(resize), [[1, 32, 16, 16]], constants: [scales])
      }
    }
    list.append {
      .plain(
        .expand(Expand()), [[64, 1]], constants: [Constant(integers: [64, 64], shape: Shape([2]))])
    }
    for scheme in [QuantizationScheme.f32, .f16, .int8, .nl5] {
      for (rows, width) in [(1024, 2), (16, 32), (128, 384)] {
        list.append { .lookup(rows, width: width, scheme) }
      }
    }
    for (rows, width) in [(1024, 1), (256, 8), (16, 256)] {
      list.append { .pick(rows, width: width) }
    }
    return list
  }()
}
