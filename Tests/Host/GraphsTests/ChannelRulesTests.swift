// Biases, scales, BatchNorm and activations that products and convolutions take over.
import GraphRunning
import Graphs
import Operators
import Tensors
import Testing

@Suite struct ChannelRulesTests {
  @Test func biasOfAProduct() throws {
    for (dimensions, isFirst) in [([6], false), ([1, 6], true), ([1, 1, 6], false)] {
      let g = graph { g in
        let y = g.product(g.floatInput([-1, -2, 4]), g.weight([4, 6]))
        let c = g.weight(dimensions)
        return isFirst ? g.binary(.add, c, y) : g.binary(.add, y, c)
      }
      try expectRule(.fuseBias, leaves: ["MatMul": 1], in: g)
    }
  }

  @Test func secondBiasAddsToTheFirst() throws {
    let g = graph { g in
      let y = g.product(
        g.floatInput([5, 4]), g.weight([6, 4]), bias: g.weight([6]), MatMul(transposeB: true))
      return g.binary(.sub, y, g.weight([6]))
    }
    try expectRule(.fuseBias, leaves: ["MatMul": 1], in: g)
  }

  @Test func whatIsNoBiasStays() throws {
    func form(_ change: (inout Graph, ValueID) -> ValueID) -> Graph {
      graph { g in
        let y = g.product(g.floatInput([6, 4]), g.weight([4, 6]))
        return change(&g, y)
      }
    }
    // Along the rows, not the columns.
    try expectNoRule(.fuseBias, in: form { g, y in g.binary(.add, y, g.weight([6, 1])) })
    // A matrix.
    try expectNoRule(.fuseBias, in: form { g, y in g.binary(.add, y, g.weight([6, 6])) })
    // No constant.
    try expectNoRule(.fuseBias, in: form { g, y in g.binary(.add, y, g.floatInput([6], "b")) })
    // Turned round.
    try expectNoRule(.fuseBias, in: form { g, y in g.binary(.sub, g.weight([6]), y) })
    // After an activation.
    try expectNoRule(
      .fuseBias, in: form { g, y in g.binary(.add, g.unary(.relu, y), g.weight([6])) })
    // The product is an output too.
    try expectNoRule(
      .fuseBias,
      in: form { g, y in
        g.addOutput("product", y)
        return g.binary(.add, y, g.weight([6]))
      })
    // Somebody else reads the product.
    try expectNoRule(
      .fuseBias,
      in: form { g, y in
        g.binary(.mul, g.unary(.sqrt, g.unary(.abs, y)), g.binary(.add, y, g.weight([6])))
      })
    // A broadcast that makes the output larger.
    try expectNoRule(
      .fuseBias, in: form { g, y in g.binary(.add, y, g.weight([2, 1, 6])) })
  }

  private func convolution(_ g: inout Graph, groups: Int = 1, bias: Bool = false) -> ValueID {
    let x = g.floatInput([-1, 4, 7, 6])
    let w = g.weight([8, 4 / groups, 3, 3])
    let op = Conv(window: Window(pads: IntegerList([1, 1, 1, 1])), groups: groups)
    return g.add(.conv(op), bias ? [x, w, g.weight([8])] : [x, w], name: "conv")
  }

  private func batchNorm(_ g: inout Graph, _ x: ValueID, _ n: Int) -> ValueID {
    let statistics = [g.weight([n]), g.weight([n]), g.weight([n]), g.weight([n], in: 0.1...2)]
    return g.add(.batchNorm(BatchNorm(epsilon: 1e-3)), [x] + statistics, name: "norm")
  }

  @Test(arguments: [1, 2, 4], [false, true])
  func batchNormAfterConvolution(groups: Int, bias: Bool) throws {
    let g = graph { g in
      let y = convolution(&g, groups: groups, bias: bias)
      return g.unary(.relu, batchNorm(&g, y, 8))
    }
    let after = try rewritten(g)
    #expect(after.operatorCounts == ["Conv": 1])
    #expect(after.history["fuse-batch-norm"] == 1)
    #expect(after.history["fuse-activation"] == 1)
  }

  @Test(arguments: [false, true]) func batchNormAfterAProduct(transposed: Bool) throws {
    let g = graph { g in
      let w = transposed ? g.weight([5, 4]) : g.weight([4, 5])
      let y = g.product(g.floatInput([-1, 4]), w, MatMul(transposeB: transposed, alpha: 0.5))
      return batchNorm(&g, y, 5)
    }
    try expectRule(.fuseBatchNorm, leaves: ["MatMul": 1], in: g)
  }

  @Test func batchNormThatNormalisesRowsStays() throws {
    let g = graph { g in
      batchNorm(&g, g.product(g.floatInput([-1, 5, 4]), g.weight([4, 5])), 5)
    }
    try expectNoRule(.fuseBatchNorm, in: g)
    let alone = graph { g in batchNorm(&g, g.floatInput([2, 5, 4]), 5) }
    #expect(try rewritten(alone).operatorCounts == ["BatchNorm": 1])
  }

  @Test func constantsAfterConvolution() throws {
    let g = graph { g in
      let y = convolution(&g, bias: true)
      let scaled = g.binary(.mul, g.weight([8, 1, 1]), y)
      return g.binary(.add, scaled, g.weight([1, 8, 1, 1]))
    }
    let after = try rewritten(g)
    #expect(after.operatorCounts == ["Conv": 1])
    #expect(after.history["fuse-scale"] == 1 && after.history["fuse-bias"] == 1)
    // Along the width instead of the channels.
    let width = graph { g in g.binary(.add, convolution(&g), g.weight([6])) }
    try expectNoRule(.fuseBias, in: width)
    let number = graph { g in g.binary(.div, convolution(&g), g.number(4)) }
    try expectRule(.fuseScale, leaves: ["Conv": 1], in: number)
  }

  @Test func weightsThatOthersReadAreNotScaled() throws {
    let g = graph { g in
      let x = g.floatInput([3, 4])
      let w = g.weight([4, 4])
      let a = g.binary(.mul, g.product(x, w), g.weight([4]))
      return g.binary(.add, a, g.product(x, w, MatMul(transposeB: true)))
    }
    try expectNoRule(.fuseScale, in: g)
  }

  @Test func numbersGoIntoAlpha() throws {
    let g = graph { g in
      let x = g.binary(.div, g.floatInput([-1, 3, 4]), g.number(8))
      let z = g.binary(.mul, g.floatInput([-1, 4, 5], "z"), g.number(3))
      return g.binary(.mul, g.product(x, z), g.number(-2))
    }
    let after = try rewritten(g)
    #expect(after.operatorCounts == ["MatMul": 1])
    #expect(after.history["scale-into-product"] == 3)
    let vector = graph { g in
      g.product(g.binary(.mul, g.floatInput([3, 4]), g.weight([4])), g.weight([4, 2]))
    }
    try expectNoRule(.scaleIntoProduct, in: vector)
  }

  @Test func numbersScaleTheBiasToo() throws {
    let g = graph { g in
      let y = g.binary(.add, g.product(g.floatInput([-1, 4]), g.weight([4, 6])), g.weight([6]))
      return g.binary(.div, y, g.number(5))
    }
    let after = try rewritten(g)
    #expect(after.operatorCounts == ["MatMul": 1])
  }

  @Test func transposesGoIntoProducts() throws {
    let g = graph { g in
      g.product(g.floatInput([-1, 3, 4]), g.transpose(g.floatInput([-1, 5, 4], "z"), [0, 2, 1]))
    }
    try expectRule(.transposeIntoProduct, leaves: ["MatMul": 1], in: g)
    let other = graph { g in
      g.product(
        g.floatInput([2, 3, 4, 4]), g.transpose(g.floatInput([2, 4, 3, 4], "z"), [0, 2, 1, 3]))
    }
    try expectNoRule(.transposeIntoProduct, in: other)
  }

  @Test func activationsGoIntoProducts() throws {
    let kinds: [(UnaryKind, Float, Float)] = [
      (.relu, 0, 0), (.clip, -0.5, 0.75), (.sigmoid, 0, 0), (.tanh, 0, 0), (.gelu, 0, 0),
      (.geluTanh, 0, 0), (.silu, 0, 0), (.leakyRelu, 0.2, 0), (.hardSwish, 0, 0),
      (.hardSigmoid, 0.2, 0.5),
    ]
    for (kind, p0, p1) in kinds {
      let linear = graph { g in
        g.unary(
          kind, g.product(g.floatInput([-1, 4]), g.weight([4, 6]), bias: g.weight([6])), p0, p1)
      }
      try expectRule(.fuseActivation, leaves: ["MatMul": 1], in: linear)
      let conv = graph { g in g.unary(kind, convolution(&g, bias: true), p0, p1) }
      try expectRule(.fuseActivation, leaves: ["Conv": 1], in: conv)
    }
    let exp = graph { g in g.unary(.exp, g.product(g.floatInput([3, 4]), g.weight([4, 6]))) }
    try expectNoRule(.fuseActivation, in: exp)
    let twice = graph { g in
      g.unary(.sigmoid, g.unary(.relu, g.product(g.floatInput([3, 4]), g.weight([4, 6]))))
    }
    try expectRule(.fuseActivation, leaves: ["MatMul": 1, "Unary": 1], in: twice)
    let output = graph { g in
      let y = g.product(g.floatInput([3, 4]), g.weight([4, 6]))
      g.addOutput("product", y)
      return g.unary(.relu, y)
    }
    try expectNoRule(.fuseActivation, in: output)
  }
}
