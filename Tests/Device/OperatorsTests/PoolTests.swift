// Pooling against loops over every window.

import Foundation
import Operators
import Randomness
import Tensors
import Testing

/// The reference: `pads` are resolved, in front of both axes, then behind them.
private func pooled(_ x: TestTensor, _ op: Pool, pads: [Int], _ output: [Int]) -> TestTensor {
  let values = x.values
  let spatial = x.shape.count - 2
  let kernel = op.kernel.array
  return tensor(Array(x.shape[..<2]) + output) { p in
    var seen: [Double] = []
    var counted = 0
    for k in positions(kernel) {
      var at = Array(p[..<2])
      var isPadding = false
      var isOutside = false
      for i in 0..<spatial {
        let stride = op.window.strides.count == 0 ? 1 : op.window.strides[i]
        let dilation = op.window.dilations.count == 0 ? 1 : op.window.dilations[i]
        let q = p[2 + i] * stride + k[i] * dilation - pads[i]
        if q < 0 || q >= x.shape[2 + i] { isPadding = true }
        if q >= x.shape[2 + i] + pads[spatial + i] { isOutside = true }
        at.append(q)
      }
      if !isOutside, !isPadding || op.includesPadding { counted += 1 }
      if !isPadding { seen.append(values[offset(at, in: x.shape)]) }
    }
    let exponent = Double(op.exponent)
    return switch op.kind {
    case .max: seen.max() ?? -.infinity
    case .average: counted == 0 ? 0 : seen.reduce(0, +) / Double(counted)
    case .lp: pow(seen.reduce(0) { $0 + pow(abs($1), exponent) }, 1 / exponent)
    }
  }
}

struct PoolTests {
  @Test(arguments: PoolKind.allCases)
  func `random pools match loops over every window`(kind: PoolKind) throws {
    var random = SeededRandom(state: UInt64(10 + kind.rawValue))
    for i in 0..<40 {
      let spatial = i % 4 == 3 ? 1 : 2
      let kernel = random.shape(spatial, 1...4)
      let strides = random.shape(spatial, 1...3)
      let dilations = random.shape(spatial, 1...2)
      let pads = random.shape(2 * spatial, 0...2)
      var shape = random.shape(2, 1...3)
      for k in 0..<spatial { shape.append((kernel[k] - 1) * dilations[k] + random.int(1...9)) }
      if i == 39 { shape = [2, 20] + (spatial == 1 ? [1000] : [40, 40]) }
      let op = Pool(
        kind, kernel: IntegerList(kernel),
        window: Window(
          strides: IntegerList(strides), dilations: IntegerList(dilations),
          pads: IntegerList(pads)), roundsUp: random.bool(), includesPadding: random.bool(),
        exponent: random.int(1...3))
      let output = (0..<spatial).map { k in
        let room = shape[2 + k] + pads[k] + pads[spatial + k] - (kernel[k] - 1) * dilations[k] - 1
        var n = room / strides[k] + 1
        if op.roundsUp, room % strides[k] != 0 { n += 1 }
        if op.roundsUp, (n - 1) * strides[k] >= shape[2 + k] + pads[k] { n -= 1 }
        return n
      }
      let x = random.floats(shape)
      try check(
        .pool(op), [x], is: [pooled(x, op, pads: pads, output)],
        within: kind == .max ? .exact : .functions, note: "case \(i) \(shape)")
    }
  }

  @Test func `same padding keeps the extent over the stride`() throws {
    var random = SeededRandom(state: 14)
    let x = random.floats([1, 2, 7, 10])
    for auto in [AutoPad.sameUpper, .sameLower] {
      let op = Pool(
        .average, kernel: IntegerList([2, 3]),
        window: Window(strides: IntegerList([2, 3]), autoPad: auto))
      // 7 over 2: one element of padding; 10 over 3: two.
      let pads = auto == .sameUpper ? [0, 1, 1, 1] : [1, 1, 0, 1]
      try check(
        .pool(op), [x], is: [pooled(x, op, pads: pads, [4, 4])], within: .functions)
    }
  }

  @Test func `what does not fit is refused`() {
    var random = SeededRandom(state: 15)
    let x = random.floats([1, 2, 5, 5])
    func pool(_ kernel: Int..., strides: [Int] = [], pads: [Int] = []) -> Operator {
      .pool(
        Pool(
          .max, kernel: IntegerList(kernel),
          window: Window(strides: IntegerList(strides), pads: IntegerList(pads))))
    }
    expectRefusal(pool(2), [x])
    expectRefusal(pool(2, 2), [random.floats([1, 2, 5])])
    expectRefusal(pool(6, 2), [x])
    expectRefusal(pool(0, 2), [x])
    expectRefusal(pool(2, 2, strides: [1]), [x])
    expectRefusal(pool(2, 2, strides: [1, 0]), [x])
    expectRefusal(pool(2, 2, pads: [1, 1]), [x])
    expectRefusal(pool(2, 2), [random.floats([2, 5])])
    expectRefusal(pool(2, 2), [random.integers(.i32, [1, 2, 5, 5])])
    expectRefusal(pool(2, 2), [x, x])
    expectRefusal(pool(2, 2), [x], outputs: 2)
  }
}
