// Transposed convolutions against every input's contribution to every output.

import Operators
import Randomness
import Tensors
import Testing

struct ConvTransposeTests {
  /// `pads` are resolved, in front of the axes, then behind them.
  private func reference(
    _ x: TestTensor, _ w: TestTensor, _ bias: TestTensor?, _ op: ConvTranspose, pads: [Int],
    _ output: [Int]
  ) -> TestTensor {
    let (perGroup, channels) = (w.shape[1], x.shape[1] / op.groups)
    let shape = [x.shape[0], perGroup * op.groups] + output
    let spatial = output.count
    let biases = bias?.values
    var y = positions(shape).map { biases?[$0[1]] ?? 0 }
    let (xs, ws) = (x.values, w.values)
    let kernel = positions(Array(w.shape[2...]))
    for p in positions(x.shape) {
      for o in 0..<perGroup {
        for k in kernel {
          var at = [p[0], p[1] / channels * perGroup + o]
          for i in 0..<spatial {
            let stride = op.window.strides.count == 0 ? 1 : op.window.strides[i]
            let dilation = op.window.dilations.count == 0 ? 1 : op.window.dilations[i]
            at.append(p[2 + i] * stride + k[i] * dilation - pads[i])
          }
          guard (0..<spatial).allSatisfy({ at[2 + $0] >= 0 && at[2 + $0] < output[$0] }) else {
            continue
          }
          y[offset(at, in: shape)] +=
            xs[offset(p, in: x.shape)] * ws[offset([p[1], o] + k, in: w.shape)]
        }
      }
    }
    return TestTensor(.f32, shape, y)
  }

  @Test func `random transposed convolutions match`() throws {
    var random = SeededRandom(state: 700)
    for i in 0..<40 {
      let spatial = i % 3 == 2 ? 1 : 2
      let groups = random.int(1...3)
      let channels = groups * random.int(1...4)
      let kernel = random.shape(spatial, 1...4)
      let strides = random.shape(spatial, 1...3)
      let dilations = random.shape(spatial, 1...2)
      let extra = strides.map { random.int(0...($0 - 1)) }
      let shape =
        [random.int(1...2), channels]
        + (i == 0 ? [30, 30] : random.shape(spatial, 1...6))
      var pads = random.shape(2 * spatial, 0...2)
      let full: [Int] = (0..<spatial).map { k in
        let steps = (shape[2 + k] - 1) * strides[k]
        return steps + (kernel[k] - 1) * dilations[k] + 1 + extra[k]
      }
      for k in 0..<spatial where pads[k] + pads[spatial + k] >= full[k] {
        pads[k] = 0
        pads[spatial + k] = 0
      }
      let op = ConvTranspose(
        window: Window(
          strides: IntegerList(strides), dilations: IntegerList(dilations),
          pads: IntegerList(pads)), groups: groups, outputPadding: IntegerList(extra))
      let x = random.floats(shape)
      let w = random.floats([channels, random.int(1...4)] + kernel)
      let bias = random.bool() ? random.floats([w.shape[1] * groups]) : nil
      let output = (0..<spatial).map { full[$0] - pads[$0] - pads[spatial + $0] }
      try check(
        .convTranspose(op), [x, w, bias],
        is: [reference(x, w, bias, op, pads: pads, output)], within: .sums,
        note: "\(shape) \(w.shape) \(strides) \(dilations) \(pads) \(extra)")
    }
  }

  @Test func `same padding gives input times stride`() throws {
    var random = SeededRandom(state: 701)
    let (x, w) = (random.floats([1, 2, 4, 5]), random.floats([2, 3, 3, 4]))
    for auto in [AutoPad.sameUpper, .sameLower] {
      let op = ConvTranspose(window: Window(strides: IntegerList([2, 3]), autoPad: auto))
      // One row too many of nine; one column too many of sixteen.
      let pads = auto == .sameUpper ? [0, 0, 1, 1] : [1, 1, 0, 0]
      try check(
        .convTranspose(op), [x, w], is: [reference(x, w, nil, op, pads: pads, [8, 15])],
        within: .sums)
    }
  }

  @Test func `what does not fit is refused`() {
    var random = SeededRandom(state: 702)
    let x = random.floats([1, 4, 5, 5])
    let w = random.floats([4, 2, 3, 3])
    func op(_ window: Window = Window(), groups: Int = 1, extra: [Int] = []) -> Operator {
      .convTranspose(
        ConvTranspose(window: window, groups: groups, outputPadding: IntegerList(extra)))
    }
    expectRefusal(op(), [x])
    expectRefusal(op(), [x, random.floats([3, 2, 3, 3])])
    expectRefusal(op(), [x, random.floats([4, 2, 3])])
    expectRefusal(op(groups: 3), [x, w])
    expectRefusal(op(), [x, w, random.floats([3])])
    expectRefusal(op(extra: [1]), [x, w])
    expectRefusal(op(Window(pads: IntegerList([4, 4, 4, 4]))), [x, w])
    expectRefusal(op(), [TestTensor(.f32, [1, 4, 0, 5], []), w])
    expectRefusal(op(), [x, encoded(w, .f16, .rowMajor).0])
  }
}
