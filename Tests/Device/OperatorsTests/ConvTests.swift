// Convolutions against loops over every index.

import Operators
import Randomness
import Tensors
import Testing

/// A convolution as numbers, with what its reference needs.
private struct Case {
  var x: TestTensor
  var weight: TestTensor
  /// The weight's values, decoded where it is quantized.
  var weights: [Double]
  var weightShape: [Int]
  var bias: TestTensor?
  var groups = 1
  var strides: [Int]
  var dilations: [Int]
  var pads: [Int]

  var spatial: Int { x.shape.count - 2 }

  var outputShape: [Int] {
    [x.shape[0], weightShape[0]]
      + (0..<spatial).map { i in
        let padded = x.shape[2 + i] + pads[i] + pads[spatial + i]
        return (padded - (weightShape[2 + i] - 1) * dilations[i] - 1) / strides[i] + 1
      }
  }

  /// Σ x · w + bias at every output; one spatial axis is two with a height of 1.
  func reference() -> TestTensor {
    func two(_ list: [Int], _ filler: Int) -> (Int, Int) {
      spatial == 2 ? (list[0], list[1]) : (filler, list[0])
    }
    let (height, width) = two(Array(x.shape[2...]), 1)
    let (kh, kw) = two(Array(weightShape[2...]), 1)
    let (sh, sw) = two(strides, 1)
    let (dh, dw) = two(dilations, 1)
    let (top, left) = two(pads, 0)
    let (oh, ow) = two(Array(outputShape[2...]), 1)
    let (channels, outputs) = (weightShape[1], weightShape[0])
    let (xs, biases) = (x.values, bias?.values)
    var y: [Double] = []
    for n in 0..<x.shape[0] {
      for o in 0..<outputs {
        let first = o / (outputs / groups) * channels
        for i in 0..<oh {
          for j in 0..<ow {
            var sum = biases?[o] ?? 0
            for c in 0..<channels {
              for p in 0..<kh {
                let line = i * sh + p * dh - top
                if line < 0 || line >= height { continue }
                for q in 0..<kw {
                  let column = j * sw + q * dw - left
                  if column < 0 || column >= width { continue }
                  let at = ((n * x.shape[1] + first + c) * height + line) * width + column
                  sum += xs[at] * weights[((o * channels + c) * kh + p) * kw + q]
                }
              }
            }
            y.append(sum)
          }
        }
      }
    }
    return TestTensor(.f32, outputShape, y)
  }

  var op: Conv {
    Conv(
      window: Window(
        strides: IntegerList(strides), dilations: IntegerList(dilations),
        pads: IntegerList(pads)), groups: groups)
  }

  static func random(_ random: inout SeededRandom, _ index: Int) -> Case {
    let spatial = index % 4 == 3 ? 1 : 2
    let isDepthwise = index % 5 == 1
    let isPointwise = index % 7 == 2
    let groups = isDepthwise ? random.int(1...9) : random.pick([1, 1, 2, 3])
    let channels = isDepthwise ? 1 : random.int(1...9)
    let outputs = isDepthwise ? random.int(1...6) : random.int(1...15)
    // A picture one pixel wide.
    let isLine = spatial == 2 && index % 9 == 4
    var kernel = isPointwise ? [Int](repeating: 1, count: spatial) : random.shape(spatial, 1...4)
    if isLine { kernel[1] = 1 }
    let dilations = random.shape(spatial, 1...2)
    var x = [random.int(1...2), groups * channels]
    for i in 0..<spatial { x.append((kernel[i] - 1) * dilations[i] + random.int(1...12)) }
    if isLine { x[3] = 1 }
    let shape = [groups * outputs, channels] + kernel
    let weight = random.floats(shape)
    return Case(
      x: random.floats(x), weight: weight, weights: weight.values, weightShape: shape,
      bias: random.bool() ? random.floats([groups * outputs]) : nil, groups: groups,
      strides: isPointwise && index % 2 == 0
        ? [Int](repeating: 1, count: spatial) : random.shape(spatial, 1...3),
      dilations: dilations,
      pads: isPointwise ? [Int](repeating: 0, count: 2 * spatial) : random.shape(2 * spatial, 0...2)
    )
  }
}

struct ConvTests {
  @Test func `random convolutions match loops over every index`() throws {
    var random = SeededRandom(state: 1)
    for i in 0..<64 {
      let c = Case.random(&random, i)
      try check(
        .conv(c.op), [c.x, c.weight, c.bias], is: [c.reference()], within: .sums,
        note: "case \(i), x \(c.x.shape), w \(c.weightShape)")
    }
  }

  /// Large enough to be cut into parts, chunks, row cuts and row blocks.
  @Test(arguments: [
    ([1, 16, 40, 40], [32, 16, 3, 3]), ([2, 64, 7, 7], [96, 64, 3, 3]),
    ([1, 256, 6, 6], [64, 256, 3, 3]), ([1, 32, 30, 31], [48, 32, 1, 1]),
    ([1, 24, 64, 64], [24, 1, 3, 3]), ([1, 24, 40, 40], [24, 1, 8, 8]),
  ])
  func `large convolutions match over threads`(x: [Int], w: [Int]) throws {
    var random = SeededRandom(state: 2)
    let weight = random.floats(w)
    let c = Case(
      x: random.floats(x), weight: weight, weights: weight.values, weightShape: w,
      bias: random.floats([w[0]]), groups: x[1] / w[1], strides: [1, 1], dilations: [1, 1],
      pads: w[2] == 3 ? [1, 1, 1, 1] : [0, 0, 0, 0])
    let reference = c.reference()
    try check(.conv(c.op), [c.x, c.weight, c.bias], is: [reference], within: .sums)
    // The same weights in fewer bits, against what they decode to: sums in f32, as above.
    for scheme in QuantizationScheme.allCases where scheme != .int8 {
      var q = c
      (q.weight, q.weights) = encoded(weight, scheme, .rowMajor)
      try check(
        .conv(c.op), [c.x, q.weight, c.bias], is: [q.reference()], within: .sums,
        note: scheme.name)
    }
  }

  @Test func `int8 convolutions stay within the rounding of their inputs`() throws {
    var random = SeededRandom(state: 3)
    for i in 0..<24 {
      var c = Case.random(&random, i)
      if i == 0 {
        let w = random.floats([40, 24, 3, 3])
        c = Case(
          x: random.floats([1, 24, 20, 20]), weight: w, weights: w.values,
          weightShape: w.shape, bias: nil, strides: [1, 1], dilations: [1, 1],
          pads: [1, 1, 1, 1])
      }
      (c.weight, c.weights) = encoded(c.weight, .int8, .rowMajor)
      let wanted = c.reference()
      // A column's elements are off by at most half a step, max |x| / 254, each weighed by its |w|.
      let highest = c.x.values.map { abs($0) }.max() ?? 0
      let filter = c.weightShape[1...].reduce(1, *)
      let heaviest =
        (0..<c.weightShape[0]).map { o in
          c.weights[(o * filter)..<((o + 1) * filter)].reduce(0) { $0 + abs($1) }
        }.max() ?? 0
      try check(
        .conv(c.op), [c.x, c.weight, c.bias], is: [wanted],
        within: Tolerance(absolute: highest / 254 * heaviest + 1e-4, relative: 1e-5),
        note: "case \(i), x \(c.x.shape), w \(c.weightShape)")
    }
  }

  @Test func `every scheme takes random convolutions`() throws {
    var random = SeededRandom(state: 4)
    for i in 0..<32 {
      var c = Case.random(&random, i)
      (c.weight, c.weights) = encoded(
        c.weight, random.pick([.f32, .f16, .bf16, .iq4_nl, .nl2, .nl3, .nl4, .nl5, .nl6]), .rowMajor
      )
      try check(
        .conv(c.op), [c.x, c.weight, c.bias], is: [c.reference()], within: .sums,
        note: "case \(i) \(c.weight.encoding!.scheme.name) \(c.weightShape)")
    }
  }

  @Test func `activations follow the bias`() throws {
    var random = SeededRandom(state: 5)
    let weight = random.floats([6, 3, 3, 3])
    let c = Case(
      x: random.floats([1, 3, 9, 9]), weight: weight, weights: weight.values,
      weightShape: weight.shape, bias: random.floats([6]), strides: [2, 1], dilations: [1, 1],
      pads: [0, 1, 0, 1])
    for kind in Activation.allCases {
      var op = c.op
      op.activation = FusedActivation(kind, kind == .clip ? -0.5 : 0.2, 0.5)
      let linear = c.reference()
      let wanted = TestTensor(
        .f32, linear.shape, linear.values.map { activated($0, op.activation) })
      try check(.conv(op), [c.x, c.weight, c.bias], is: [wanted], within: .sums)
    }
  }

  @Test func `automatic padding is resolved as ONNX says`() throws {
    var random = SeededRandom(state: 6)
    for _ in 0..<12 {
      let kernel = random.shape(2, 1...4)
      let strides = random.shape(2, 1...3)
      let x = random.floats([1, 2] + random.shape(2, 4...9))
      let weight = random.floats([3, 2] + kernel)
      for auto in [AutoPad.sameUpper, .sameLower, .valid] {
        var pads = [0, 0, 0, 0]
        for i in 0..<2 where auto != .valid {
          let n = x.shape[2 + i]
          let outputs = (n + strides[i] - 1) / strides[i]
          let total = max((outputs - 1) * strides[i] + kernel[i] - n, 0)
          pads[i] = auto == .sameUpper ? total / 2 : (total + 1) / 2
          pads[2 + i] = total - pads[i]
        }
        let c = Case(
          x: x, weight: weight, weights: weight.values, weightShape: weight.shape,
          strides: strides, dilations: [1, 1], pads: pads)
        let op = Conv(window: Window(strides: IntegerList(strides), autoPad: auto))
        try check(.conv(op), [x, weight], is: [c.reference()], within: .sums)
      }
    }
  }

  @Test func `what does not fit is refused`() {
    var random = SeededRandom(state: 7)
    let x = random.floats([1, 4, 5, 5])
    func w(_ shape: Int...) -> TestTensor { random.floats(shape) }
    expectRefusal(.conv(Conv()), [x])
    expectRefusal(.conv(Conv()), [x, w(2, 3, 3, 3)])
    expectRefusal(.conv(Conv()), [x, w(2, 4, 3)])
    expectRefusal(.conv(Conv()), [x, w(2, 4, 6, 3)])
    expectRefusal(.conv(Conv(groups: 2)), [x, w(3, 2, 3, 3)])
    expectRefusal(.conv(Conv(groups: 3)), [x, w(3, 1, 3, 3)])
    expectRefusal(.conv(Conv()), [x, w(2, 4, 3, 3), w(3)])
    expectRefusal(.conv(Conv()), [x, w(2, 4, 0, 3)])
    expectRefusal(.conv(Conv()), [random.floats([1, 4]), w(2, 4)])
    expectRefusal(.conv(Conv()), [random.integers(.i32, [1, 4, 5, 5]), w(2, 4, 3, 3)])
    expectRefusal(
      .conv(Conv(window: Window(strides: IntegerList([1])))), [x, w(2, 4, 3, 3)])
    expectRefusal(
      .conv(Conv(window: Window(strides: IntegerList([0, 1])))), [x, w(2, 4, 3, 3)])
    expectRefusal(
      .conv(Conv(window: Window(pads: IntegerList([-1, 0, 0, 0])))), [x, w(2, 4, 3, 3)])
    expectRefusal(.conv(Conv()), [x, encoded(w(16, 4), .f16, .panels).0])
  }

  @Test func `an empty batch is an empty result`() throws {
    var random = SeededRandom(state: 8)
    let x = TestTensor(.f32, [0, 2, 5, 5], [])
    try check(
      .conv(Conv()), [x, random.floats([3, 2, 2, 2])], is: [TestTensor(.f32, [0, 3, 4, 4], [])])
  }
}
