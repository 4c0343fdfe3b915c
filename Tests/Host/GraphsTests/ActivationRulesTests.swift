// GELU, SiLU, hard swish and their like, as exporters write them.
import GraphRunning
import Graphs
import Operators
import Tensors
import Testing

@Suite struct ActivationRulesTests {
  private let root2: Float = 1.4142135

  /// Every association order of x/2 · (1 + erf(x/√2)) seen in exports.
  @Test(arguments: 0..<6) func geluInEveryOrder(form: Int) throws {
    let g = graph { g in
      let x = g.floatInput([-1, 12])
      let half = g.number(0.5)
      let one = g.number(1)
      let scaled =
        form % 2 == 0
        ? g.binary(.div, x, g.number(root2)) : g.binary(.mul, g.number(0.70710677), x)
      let gate = g.binary(.add, g.unary(.erf, scaled), one)
      switch form {
      case 0: return g.binary(.mul, g.binary(.mul, x, gate), half)
      case 1: return g.binary(.mul, g.binary(.mul, x, half), gate)
      case 2: return g.binary(.mul, x, g.binary(.mul, half, gate))
      case 3: return g.binary(.mul, half, g.binary(.mul, gate, x))
      case 4: return g.binary(.div, g.binary(.mul, x, gate), g.number(2))
      default: return g.binary(.mul, g.unary(.affine, g.unary(.erf, scaled), 0.5, 0.5), x)
      }
    }
    try expectRule(.gelu, leaves: ["Unary": 1], in: g, range: -6...6)
  }

  @Test func geluOfAProductGoesIntoIt() throws {
    let g = graph { g in
      let x = g.floatInput([-1, -2, 8])
      let w = g.weight([8, 12])
      let h = g.binary(.add, g.product(x, w), g.weight([12]))
      let gate = g.binary(.add, g.unary(.erf, g.binary(.div, h, g.number(root2))), g.number(1))
      return g.binary(.mul, g.binary(.mul, h, gate), g.number(0.5))
    }
    let after = try rewritten(g)
    #expect(after.operatorCounts == ["MatMul": 1])
    guard case .matMul(let op) = after.nodes[0].op else { return }
    #expect(op.activation.kind == .gelu)
    #expect(after.nodes[0].inputs.count == 3)
  }

  @Test(arguments: 0..<3) func geluTanh(form: Int) throws {
    let g = graph { g in
      let x = g.floatInput([3, 10])
      let cube: ValueID
      switch form {
      case 0: cube = g.binary(.pow, x, g.number(3))
      case 1: cube = g.binary(.mul, g.binary(.mul, x, x), x)
      default: cube = g.binary(.mul, x, g.binary(.pow, x, g.number(2)))
      }
      let inner = g.binary(.add, x, g.binary(.mul, g.number(0.044715), cube))
      let t = g.unary(.tanh, g.binary(.mul, g.number(0.7978845608), inner))
      let gate = g.binary(.add, t, g.number(1))
      return g.binary(.mul, g.binary(.mul, g.number(0.5), x), gate)
    }
    try expectRule(.geluTanh, leaves: ["Unary": 1], in: g, range: -4...4)
  }

  @Test func geluTanhFactored() throws {
    let g = graph { g in
      let x = g.floatInput([3, 10])
      let a = g.binary(.mul, g.binary(.mul, g.number(0.044715), x), x)
      let b = g.binary(
        .mul, g.binary(.mul, x, g.number(0.7978845608)), g.binary(.add, a, g.number(1)))
      let gate = g.binary(.add, g.number(1), g.unary(.tanh, b))
      return g.binary(.mul, g.binary(.mul, x, g.number(0.5)), gate)
    }
    try expectRule(.geluTanh, leaves: ["Unary": 1], in: g)
  }

  @Test func geluLookalikesStay() throws {
    func form(
      divisor: Float = 1.4142135, half: Float = 0.5, one: Float = 1, shared: Bool = false,
      other: Bool = false
    ) -> Graph {
      graph { g in
        let x = g.floatInput([3, 10])
        let z = other ? g.floatInput([3, 10], "z") : x
        let e = g.unary(.erf, g.binary(.div, x, g.number(divisor)))
        if shared { g.addOutput("erf", e) }
        let gate = g.binary(.add, e, g.number(one))
        return g.binary(.mul, g.binary(.mul, z, gate), g.number(half))
      }
    }
    try expectNoRule(.gelu, in: form(divisor: 1.5))
    try expectNoRule(.gelu, in: form(half: 0.25))
    try expectNoRule(.gelu, in: form(one: 1.5))
    try expectNoRule(.gelu, in: form(shared: true))
    try expectNoRule(.gelu, in: form(other: true))
    #expect(try Rewriter.rewrite(form()).history["gelu"] == 1)
  }

  /// A number that is not one number but a row of the same broadcasts x to another shape.
  @Test func geluThatBroadcastsStays() throws {
    let g = graph { g in
      let x = g.floatInput([3, 1])
      let row = g.addConstant("row", Constant(floats: [0.5, 0.5, 0.5], shape: Shape([1, 3])))
      let e = g.unary(.erf, g.binary(.div, x, g.number(root2)))
      return g.binary(.mul, g.binary(.mul, x, g.binary(.add, e, g.number(1))), row)
    }
    try expectNoRule(.gelu, in: g)
  }

  @Test func silu() throws {
    for flipped in [false, true] {
      let g = graph { g in
        let x = g.floatInput([-1, 7])
        let s = g.unary(.sigmoid, x)
        return flipped ? g.binary(.mul, s, x) : g.binary(.mul, x, s)
      }
      try expectRule(.silu, leaves: ["Unary": 1], in: g, range: -9...9)
    }
    let quick = graph { g in
      let x = g.floatInput([7])
      return g.binary(.mul, x, g.unary(.sigmoid, g.binary(.mul, x, g.number(1.702))))
    }
    try expectNoRule(.silu, in: quick)
  }

  @Test(arguments: 0..<4) func hardSwish(form: Int) throws {
    let g = graph { g in
      let x = g.floatInput([-1, 33])
      let six = g.number(6)
      let relu6 = g.unary(.clip, g.binary(.add, x, g.number(3)), 0, 6)
      switch form {
      case 0: return g.binary(.div, g.binary(.mul, x, relu6), six)
      case 1: return g.binary(.mul, x, g.binary(.div, relu6, six))
      case 2: return g.binary(.mul, x, g.unary(.hardSigmoid, x, 1 / 6, 0.5))
      default:
        let inner = g.binary(.add, g.binary(.div, x, six), g.number(0.5))
        return g.binary(.mul, g.unary(.clip, inner, 0, 1), x)
      }
    }
    try expectRule(.hardSwish, leaves: ["Unary": 1], in: g, range: -5...5)
  }

  @Test func hardSwishLookalikesStay() throws {
    let g = graph { g in
      let x = g.floatInput([5])
      let relu6 = g.unary(.clip, g.binary(.add, x, g.number(2)), 0, 6)
      return g.binary(.div, g.binary(.mul, x, relu6), g.number(6))
    }
    try expectNoRule(.hardSwish, in: g)
  }

  @Test func hardSigmoid() throws {
    let g = graph { g in
      let x = g.floatInput([40])
      let relu6 = g.unary(.clip, g.binary(.add, x, g.number(3)), 0, 6)
      return g.binary(.mul, relu6, g.number(1 / 6))
    }
    try expectRule(.hardSigmoid, leaves: ["Unary": 1], in: g, range: -5...5)
    let other = graph { g in
      let x = g.floatInput([40])
      return g.binary(.mul, g.unary(.clip, x, 0, 6), g.number(0.5))
    }
    try expectNoRule(.hardSigmoid, in: other)
  }

  @Test func extremesAreClipsAndChainsOfThemOne() throws {
    let g = graph { g in
      let x = g.floatInput([50])
      return g.binary(.min, g.binary(.max, x, g.number(0)), g.number(6))
    }
    try expectRule(.clipOfExtremes, times: 2, leaves: ["Unary": 1], in: g, range: -9...9)
    let bounds: [(Float, Float, Float, Float)] = [
      (0, 6, -1, 3), (2, 3, 4, 5), (4, 5, 2, 3), (-1, 1, 0, .infinity),
    ]
    for (a, b, c, d) in bounds {
      let chain = graph { g in g.unary(.clip, g.unary(.clip, g.floatInput([60]), a, b), c, d) }
      try expectRule(.mergeClips, leaves: ["Unary": 1], in: chain, range: -9...9)
    }
    let shared = graph { g in
      let r = g.unary(.relu, g.floatInput([9]))
      g.addOutput("relu", r)
      return g.unary(.clip, r, -1, 1)
    }
    try expectNoRule(.mergeClips, in: shared)
  }

  @Test func leakyRelu() throws {
    let g = graph { g in g.binary(.prelu, g.floatInput([3, 4]), g.number(0.1)) }
    try expectRule(.leakyRelu, leaves: ["Unary": 1], in: g)
    let perChannel = graph { g in g.binary(.prelu, g.floatInput([3, 4]), g.weight([4])) }
    try expectNoRule(.leakyRelu, in: perChannel)
  }

  @Test func affinesMerge() throws {
    let g = graph { g in
      let x = g.floatInput([-1, 3])
      let a = g.binary(.sub, g.number(1), g.binary(.mul, x, g.number(3)))
      return g.binary(.div, g.unary(.neg, a), g.number(2))
    }
    try expectRule(.mergeAffines, times: 3, leaves: ["Unary": 1], in: g)
    let read = graph { g in
      let a = g.binary(.mul, g.floatInput([4]), g.number(3))
      g.addOutput("middle", a)
      return g.binary(.add, a, g.number(2))
    }
    try expectNoRule(.mergeAffines, in: read)
  }
}
