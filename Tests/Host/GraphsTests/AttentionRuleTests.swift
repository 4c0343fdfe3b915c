// Attention as BERT exports write it out.
import GraphRunning
import Graphs
import Operators
import Tensors
import Testing

@Suite struct AttentionRuleTests {
  enum Scaling: CaseIterable { case none, divided, multipliedQuery, splitRoot, projected }
  enum Masking: CaseIterable { case none, added, addedFirst, chosen, chosenElse }

  struct Form {
    var scaling = Scaling.divided
    var masking = Masking.none
    var permutations = (q: [0, 2, 1, 3], k: [0, 2, 3, 1], v: [0, 2, 1, 3])
    var transposesKeysTwice = false
    var back = [0, 2, 1, 3]
    var axis = -1
    var joinsRows = false
    var maskShape = [-1, 1, 1, -2]
    var low: Float = -10000
    var showsWeights = false
    var heads = 3
    var width = 4
    /// Shapes of the splits from Shape, Gather and Concat, as old exports have them.
    var computesShapes = false
  }

  private func split(_ g: inout Graph, _ x: ValueID, _ form: Form) -> ValueID {
    guard form.computesShapes else { return g.reshape(x, [0, 0, form.heads, form.width]) }
    let shape = g.add(.shapeOf(ShapeOf()), [x], name: "shape")
    let parts = (0..<2).map { axis in
      g.add(.gather(Gather(axis: 0)), [shape, g.extents([axis])], name: "gather\(g.nodes.count)")
    }
    let target = g.add(
      .concat(Concat(axis: 0)), parts + [g.extents([form.heads, form.width])], name: "concat")
    return g.add(.reshape(Reshape()), [x, target], name: "split\(g.nodes.count)")
  }

  func attention(_ form: Form) -> Graph {
    let hidden = form.heads * form.width
    return graph { g in
      let x = g.floatInput([-1, -2, hidden])
      func projection(_ g: inout Graph) -> ValueID {
        let y = g.product(x, g.weight([hidden, hidden], in: -0.5...0.5))
        return g.binary(.add, y, g.weight([hidden]))
      }
      var query = projection(&g)
      if form.scaling == .projected { query = g.binary(.mul, query, g.number(0.5)) }
      var q = g.transpose(split(&g, query, form), form.permutations.q)
      let keys = split(&g, projection(&g), form)
      var k =
        form.transposesKeysTwice
        ? g.transpose(g.transpose(keys, [0, 2, 1, 3]), [0, 1, 3, 2])
        : g.transpose(keys, form.permutations.k)
      let v = g.transpose(split(&g, projection(&g), form), form.permutations.v)
      switch form.scaling {
      case .multipliedQuery: q = g.binary(.mul, q, g.number(0.5))
      case .splitRoot:
        q = g.binary(.mul, q, g.number(0.70710678))
        k = g.binary(.mul, k, g.number(0.70710678))
      default: break
      }
      var scores = g.product(q, k)
      if form.scaling == .divided { scores = g.binary(.div, scores, g.number(2)) }
      scores = masked(&g, scores, form)
      let p = g.add(.softmax(Softmax(axis: form.axis)), [scores], name: "softmax")
      if form.showsWeights { g.addOutput("weights", p) }
      let y = g.transpose(g.product(p, v), form.back)
      return g.reshape(y, form.joinsRows ? [-1, hidden] : [0, 0, hidden])
    }
  }

  private func masked(_ g: inout Graph, _ scores: ValueID, _ form: Form) -> ValueID {
    guard form.masking != .none else { return scores }
    let mask = g.floatInput(form.maskShape, "mask")
    let low = g.number(form.low)
    let isDropped = g.binary(.less, mask, g.number(-1))
    switch form.masking {
    case .none: return scores
    case .added: return g.binary(.add, scores, mask)
    case .addedFirst: return g.binary(.add, mask, scores)
    case .chosen: return g.add(.select(Select()), [isDropped, low, scores], name: "where")
    case .chosenElse:
      let isKept = g.unary(.not, isDropped)
      return g.add(.select(Select()), [isKept, scores, low], name: "where")
    }
  }

  @Test(arguments: Scaling.allCases, Masking.allCases)
  func everyScaleAndMask(scaling: Scaling, masking: Masking) throws {
    var form = Form()
    form.scaling = scaling
    form.masking = masking
    let after = try rewritten(attention(form))
    #expect(after.history["attention"] == 1)
    let counts = after.operatorCounts
    #expect(counts["MatMul"] == 3 && counts["Attention"] == 1)
    #expect(counts["Transpose"] == nil && counts["Reshape"] == nil && counts["Softmax"] == nil)
    if masking == .none { #expect(after.nodes.count == 4) }
    let node = try #require(after.nodes.first { $0.op.name == "Attention" })
    guard case .attention(let op) = node.op else { return }
    #expect(op.heads == 3)
    let expected: Float = scaling == .none || scaling == .projected ? 1 : 0.5
    #expect(abs(op.scale - expected) < 1e-6)
  }

  @Test(arguments: [[-1, 1, 1, -2], [1, 3, -2, -2], [-2], [-1, 3, 1, 1], [-2, 1]])
  func masksBroadcast(shape: [Int]) throws {
    var form = Form()
    form.masking = .added
    form.maskShape = shape
    #expect(try rewritten(attention(form)).history["attention"] == 1)
  }

  @Test func shapesThatAreComputedGo() throws {
    var form = Form()
    form.computesShapes = true
    form.transposesKeysTwice = true
    let after = try rewritten(attention(form))
    #expect(after.operatorCounts == ["MatMul": 3, "Attention": 1])
  }

  @Test func rowsMayBeJoined() throws {
    var form = Form()
    form.joinsRows = true
    let after = try rewritten(attention(form))
    #expect(after.operatorCounts == ["MatMul": 3, "Attention": 1, "Reshape": 1])
  }

  @Test func lookalikesStay() throws {
    func expectStays(
      _ location: SourceLocation = #_sourceLocation, _ change: (inout Form) -> Void
    ) throws {
      var form = Form()
      change(&form)
      try expectNoRule(.attention, in: attention(form), location: location)
    }
    // The weights are wanted too.
    try expectStays { $0.showsWeights = true }
    // Softmax over the queries.
    try expectStays { $0.axis = 2 }
    // Numbers that do not hide a score.
    try expectStays {
      $0.masking = .chosen
      $0.low = -10
    }
    // With 4 heads of width 4 these fit too, but mean something else.
    try expectStays {
      $0.heads = 4
      $0.permutations.v = [0, 3, 1, 2]
      $0.maskShape = [1]
    }
    // A scale per key is no scale.
    let g = graph { g in
      let x = g.floatInput([-1, 6, 12])
      func heads(_ g: inout Graph, _ axes: [Int]) -> ValueID {
        g.transpose(g.reshape(g.product(x, g.weight([12, 12])), [0, 0, 3, 4]), axes)
      }
      let scores = g.product(heads(&g, [0, 2, 1, 3]), heads(&g, [0, 2, 3, 1]))
      let scaled = g.binary(.mul, scores, g.weight([6]))
      let p = g.add(.softmax(Softmax()), [scaled], name: "softmax")
      let y = g.transpose(g.product(p, heads(&g, [0, 2, 1, 3])), [0, 2, 1, 3])
      return g.reshape(y, [0, 0, 12])
    }
    try expectNoRule(.attention, in: g)
  }

  /// A mask that makes the scores larger is none that Attention takes.
  @Test func masksThatBroadcastTheScoresStay() throws {
    let g = graph { g in
      let x = g.floatInput([1, 5, 12])
      func heads(_ g: inout Graph, _ axes: [Int]) -> ValueID {
        g.transpose(g.reshape(g.product(x, g.weight([12, 12])), [0, 0, 3, 4]), axes)
      }
      let scores = g.product(heads(&g, [0, 2, 1, 3]), heads(&g, [0, 2, 3, 1]))
      let masked = g.binary(.add, scores, g.floatInput([2, 1, 5, 5], "mask"))
      let p = g.add(.softmax(Softmax()), [masked], name: "softmax")
      let y = g.transpose(g.product(p, heads(&g, [0, 2, 1, 3])), [0, 2, 1, 3])
      return g.reshape(y, [0, 0, 12])
    }
    try expectNoRule(.attention, in: g)
  }

  /// Rows that are masked whole: every key counts the same, as with the Where that was there.
  @Test func rowsThatAreMaskedWhole() throws {
    var form = Form()
    form.masking = .chosen
    form.low = -Float.greatestFiniteMagnitude
    let before = attention(form)
    let after = try Rewriter.rewrite(before)
    #expect(after.history["attention"] == 1)
    var inputs = randomInputs(before, ["batch": 2, "length": 4])
    inputs["mask"] = Constant(
      floats: [-2, -2, -2, -2, 0, 0, -2, 0], shape: Shape([2, 1, 1, 4]))
    let expected = try runGraph(before, inputs)
    let found = try runGraph(after, inputs)
    #expect(found["y"]!.relativeError(to: expected["y"]!) <= 1e-5)
  }
}
