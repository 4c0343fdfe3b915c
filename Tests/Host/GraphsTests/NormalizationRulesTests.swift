// Layer normalisation and softmax, as exporters write them out.
import GraphRunning
import Graphs
import Operators
import Tensors
import Testing

@Suite struct NormalizationRulesTests {
  /// What a test changes about the decomposition.
  struct Form {
    var axes = [-1]
    var varianceAxes: [Int]?
    var keeps = true
    var usesMul = false
    var centresTwice = false
    var root = Root.sqrtDiv
    var epsilonShape: [Int] = []
    var showsVariance = false
    enum Root: CaseIterable { case sqrtDiv, powDiv, reciprocal, oneOver, inversePow }
  }

  func normalized(_ g: inout Graph, _ x: ValueID, _ form: Form = Form()) -> ValueID {
    let d = g.binary(.sub, x, g.reduce(.mean, x, form.axes, keeps: form.keeps))
    let e =
      form.centresTwice ? g.binary(.sub, x, g.reduce(.mean, x, form.axes, keeps: form.keeps)) : d
    let squares = form.usesMul ? g.binary(.mul, e, e) : g.binary(.pow, e, g.number(2))
    let variance = g.reduce(.mean, squares, form.varianceAxes ?? form.axes, keeps: form.keeps)
    if form.showsVariance { g.addOutput("variance", variance) }
    let count = form.epsilonShape.reduce(1, *)
    let epsilon = g.addConstant(
      "epsilon",
      Constant(
        floats: [Float](repeating: 1e-3, count: count), shape: Shape(form.epsilonShape)))
    let sum = g.binary(.add, variance, epsilon)
    switch form.root {
    case .sqrtDiv: return g.binary(.div, d, g.unary(.sqrt, sum))
    case .powDiv: return g.binary(.div, d, g.binary(.pow, sum, g.number(0.5)))
    case .reciprocal: return g.binary(.mul, d, g.unary(.reciprocal, g.unary(.sqrt, sum)))
    case .oneOver:
      return g.binary(.mul, g.binary(.div, g.number(1), g.unary(.sqrt, sum)), d)
    case .inversePow: return g.binary(.mul, d, g.binary(.pow, sum, g.number(-0.5)))
    }
  }

  @Test(arguments: Form.Root.allCases, [false, true])
  func layerNorm(root: Form.Root, usesMul: Bool) throws {
    var form = Form()
    form.root = root
    form.usesMul = usesMul
    form.centresTwice = usesMul
    let g = graph { g in
      let x = g.floatInput([-1, -2, 9])
      let y = normalized(&g, x, form)
      return g.binary(.add, g.binary(.mul, y, g.weight([9])), g.weight([9]))
    }
    let after = try rewritten(g)
    #expect(after.operatorCounts == ["LayerNorm": 1])
    #expect(after.history["layer-norm"] == 1)
    #expect(after.history["layer-norm-scale"] == 1 && after.history["layer-norm-bias"] == 1)
  }

  @Test func layerNormOverTwoAxes() throws {
    var form = Form()
    form.axes = [2, 3]
    let g = graph { g in
      let y = normalized(&g, g.floatInput([-1, 3, 4, 5]), form)
      return g.binary(.mul, y, g.weight([4, 5]))
    }
    try expectRule(.layerNorm, leaves: ["LayerNorm": 1], in: g)
    form.axes = [-1, -2, -3]
    let all = graph { g in normalized(&g, g.floatInput([-1, 3, 4, 5]), form) }
    try expectRule(.layerNorm, leaves: ["LayerNorm": 1], in: all)
  }

  @Test func layerNormLookalikesStay() throws {
    func expectStays(
      _ extents: [Int] = [2, 9, 9], _ location: SourceLocation = #_sourceLocation,
      _ change: (inout Form) -> Void
    ) throws {
      var form = Form()
      change(&form)
      let g = graph { g in normalized(&g, g.floatInput(extents), form) }
      try expectNoRule(.layerNorm, in: g, location: location)
    }
    try expectStays { $0.axes = [1] }
    try expectStays { $0.axes = [0, 2] }
    try expectStays { $0.varianceAxes = [1] }
    try expectStays { $0.epsilonShape = [9] }
    try expectStays { $0.showsVariance = true }
    try expectStays([9]) {
      $0.axes = [0]
      $0.keeps = false
    }
    // A third reader of x − mean.
    let g = graph { g in
      let x = g.floatInput([4, 9])
      let d = g.binary(.sub, x, g.reduce(.mean, x))
      let v = g.binary(.add, g.reduce(.mean, g.binary(.mul, d, d)), g.number(1e-3))
      return g.binary(.add, g.unary(.abs, d), g.binary(.div, d, g.unary(.sqrt, v)))
    }
    try expectNoRule(.layerNorm, in: g)
  }

  @Test func scalesAndBiasesOfOtherShapesStay() throws {
    func form(_ build: (inout Graph, ValueID) -> ValueID) -> Graph {
      graph { g in build(&g, normalized(&g, g.floatInput([9, 9]))) }
    }
    try expectNoRule(.layerNormScale, in: form { g, y in g.binary(.mul, y, g.weight([9, 1])) })
    try expectNoRule(
      .layerNormScale, in: form { g, y in g.binary(.mul, y, g.floatInput([9], "s")) })
    try expectNoRule(
      .layerNormBias, in: form { g, y in g.binary(.add, g.unary(.relu, y), g.weight([9])) })
    // First the bias, then the scale: the scale stays.
    try expectNoRule(
      .layerNormScale,
      in: form { g, y in g.binary(.mul, g.binary(.add, y, g.weight([9])), g.weight([9])) })
  }

  @Test func residualAndItsSum() throws {
    func block(later: Bool, output: Bool) -> Graph {
      graph { g in
        let a = g.product(g.floatInput([-1, -2, 9]), g.weight([9, 9]))
        let sum = g.binary(.add, g.floatInput([-1, -2, 9], "z"), a)
        if output { g.addOutput("sum", sum) }
        let y = g.add(
          .layerNorm(LayerNorm(epsilon: 1e-3)), [sum, g.weight([9]), g.weight([9])], name: "norm")
        guard later else { return y }
        return g.binary(.add, sum, g.product(y, g.weight([9, 9])))
      }
    }
    let once = try rewritten(block(later: false, output: false))
    #expect(once.operatorCounts == ["MatMul": 1, "LayerNorm": 1])
    #expect(once.nodes.last?.outputs.count == 1)
    let twice = try rewritten(block(later: true, output: false))
    #expect(twice.operatorCounts == ["MatMul": 2, "LayerNorm": 1, "Binary": 1])
    #expect(twice.nodes.first { $0.op.name == "LayerNorm" }?.outputs.count == 2)
    #expect(try rewritten(block(later: true, output: true)).operatorCounts["Binary"] == 1)
    #expect(try rewritten(block(later: false, output: true)).operatorCounts["Binary"] == nil)
  }

  @Test func sumsThatAreReadBeforeStay() throws {
    let early = graph { g in
      let sum = g.binary(.add, g.floatInput([4, 9]), g.floatInput([4, 9], "z"))
      let before = g.unary(.tanh, sum)
      let y = g.add(.layerNorm(LayerNorm(epsilon: 1e-3)), [sum], name: "norm")
      return g.binary(.mul, before, y)
    }
    try expectNoRule(.residualIntoLayerNorm, in: early)
    let broadcast = graph { g in
      let sum = g.binary(.add, g.floatInput([4, 9]), g.floatInput([1, 9], "z"))
      return g.add(.layerNorm(LayerNorm(epsilon: 1e-3)), [sum], name: "norm")
    }
    try expectNoRule(.residualIntoLayerNorm, in: broadcast)
  }

  @Test(arguments: [-1, 1], [false, true]) func softmax(axis: Int, takesMaximum: Bool) throws {
    let g = graph { g in
      let x = g.floatInput([-1, 4, 5])
      let z = takesMaximum ? g.binary(.sub, x, g.reduce(.max, x, [axis])) : x
      let e = g.unary(.exp, z)
      return g.binary(.div, e, g.reduce(.sum, e, [axis]))
    }
    try expectRule(.softmax, leaves: ["Softmax": 1], in: g, range: -4...4)
  }

  /// JAX drops the axes it reduces and puts them back.
  @Test func softmaxOfReducedAxes() throws {
    let g = graph { g in
      let x = g.floatInput([-1, 4, 5])
      func kept(_ g: inout Graph, _ y: ValueID) -> ValueID {
        g.add(.reshape(Reshape(.unsqueeze, IntegerList([2]))), [y], name: "u\(g.nodes.count)")
      }
      let peak = g.reduce(.max, x, [2], keeps: false)
      let e = g.unary(
        .exp, g.binary(.sub, x, kept(&g, g.unary(.clip, peak, -.infinity, .infinity))))
      return g.binary(.div, e, kept(&g, g.reduce(.sum, e, [-1], keeps: false)))
    }
    try expectRule(.keepAxes, times: 2, leaves: ["Softmax": 1], in: g, range: -4...4)
    let moved = graph { g in
      let y = g.reduce(.max, g.floatInput([-1, 4, 4]), [2], keeps: false)
      return g.add(.reshape(Reshape(.unsqueeze, IntegerList([1]))), [y], name: "u")
    }
    try expectNoRule(.keepAxes, in: moved)
  }

  @Test func softmaxLookalikesStay() throws {
    let other = graph { g in
      let e = g.unary(.exp, g.floatInput([4, 5]))
      let f = g.unary(.exp, g.floatInput([4, 5], "z"))
      return g.binary(.div, e, g.reduce(.sum, f))
    }
    try expectNoRule(.softmax, in: other)
    let both = graph { g in
      let e = g.unary(.exp, g.floatInput([4, 5]))
      return g.binary(.div, e, g.reduce(.sum, e, [0, 1]))
    }
    try expectNoRule(.softmax, in: both)
    let shown = graph { g in
      let e = g.unary(.exp, g.floatInput([4, 5]))
      g.addOutput("e", e)
      return g.binary(.div, e, g.reduce(.sum, e))
    }
    try expectNoRule(.softmax, in: shown)
    let dropped = graph { g in
      let e = g.unary(.exp, g.floatInput([5]))
      return g.binary(.div, e, g.reduce(.sum, e, keeps: false))
    }
    try expectNoRule(.softmax, in: dropped)
  }
}
