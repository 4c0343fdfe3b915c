// From graph to program: weights, order, states, extents beyond the plan.
import GraphRunning
import Graphs
import Lowering
import Operators
import Programs
import Tensors
import Testing

@Suite struct LoweringTests {
  private func lower(_ graph: Graph, _ scheme: QuantizationScheme = .f32) throws -> LoweredModel {
    try Lowering.lower(graph) { _ in scheme }
  }

  /// A few extents in a file can ask for any amount of memory.
  @Test func amountsNobodyHasAreRefused() throws {
    /// The largest of ones of each shape, summed.
    func lowered(_ shapes: [[Int]]) throws -> LoweredModel {
      var g = Graph(name: "large")
      var sum = g.addInput("x", .f32, [.constant(1)])
      for extents in shapes {
        let shape = g.addConstant(
          "extents", Constant(integers: extents, shape: Shape([extents.count])))
        let big = g.add(
          .constantOfShape(ConstantOfShape(.f32, value: 1, integer: 0)), [shape], name: "big")
        let least = g.add(
          .reduce(Reduce(.max, axes: IntegerList(), keepsAxes: false)), [big], name: "max")
        sum = g.add(.binary(Binary(.add)), [sum, least], name: "sum")
      }
      g.addOutput("y", sum)
      return try lower(try Rewriter.rewrite(g))
    }
    _ = try lowered([[1 << 10]])
    for extents in [[1 << 20, 1 << 20], [1 << 30], [1 << 46]] {
      #expect(throws: (any Error).self) { try lowered([extents]) }
    }
    // Nor many amounts that are each bearable.
    #expect(throws: (any Error).self) { try lowered((0..<64).map { [(1 << 24) + $0] }) }
  }

  // MARK: Weights

  @Test func weightsHaveRoles() throws {
    var random = RandomSource(1)
    var g = Graph(name: "roles")
    let ids = g.addInput("ids", .i64, [.constant(3)])
    let table = g.addConstant("table", random.floats([64, 32]))
    let w = g.addConstant("w", random.floats([32, 48]))
    let b = g.addConstant("b", random.floats([48]))
    let x = g.add(.gather(Gather(axis: 0)), [table, ids], name: "look up")
    let y = g.add(.matMul(MatMul()), [x, w, b], name: "product")
    let image = g.add(.reshape(Reshape(.target, IntegerList([1, 3, 6, 8]))), [y], name: "image")
    let kernel = g.addConstant("kernel", random.floats([48, 3, 3, 3]))
    g.addOutput("y", g.add(.conv(Conv()), [image, kernel], name: "conv"))
    let lowered = try lower(g, .int8)
    let roles = Dictionary(uniqueKeysWithValues: lowered.sources.map { ($0.name, $0.role) })
    #expect(
      roles == ["table": .table, "w": .matrix(transposed: false), "b": .plain, "kernel": .kernel])
    let encodings = Dictionary(
      uniqueKeysWithValues: lowered.program.weights.map { ($0.name, $0.encoding) })
    #expect(encodings["table"] == WeightEncoding(.int8, .rowMajor))
    #expect(encodings["w"] == WeightEncoding(.int8, .panels))
    #expect(encodings["b"] == .some(nil))
    #expect(encodings["kernel"] == WeightEncoding(.int8, .rowMajor))
    for weight in lowered.program.weights {
      #expect(weight.offset % 64 == 0)
      #expect(weight.offset + (weight.byteCount ?? 0) <= lowered.weightBytes)
    }
    // Short rows of 4-bit blocks would be padding: 27 is fewer than 32.
    let small = try lower(g, .iq4_nl)
    let kernelWeight = try #require(small.program.weights.first { $0.name == "kernel" })
    #expect(kernelWeight.encoding?.scheme == .int8)
  }

  /// y = x Wᵀ by hand.
  private func product(_ x: [Float], _ w: [Float], rows: Int, k: Int, n: Int) -> [Float] {
    (0..<(rows * n)).map { at in
      var sum: Double = 0
      for p in 0..<k { sum += Double(x[at / n * k + p]) * Double(w[at % n * k + p]) }
      return Float(sum)
    }
  }

  @Test func oneTableIsLookedUpAndMultipliedBy() throws {
    var random = RandomSource(2)
    let table = random.floats([40, 24])
    var g = Graph(name: "tied")
    let ids = g.addInput("ids", .i64, [.symbol("length")])
    let w = g.addConstant("table", table)
    let x = g.add(.gather(Gather(axis: 0)), [w, ids], name: "embedding")
    let logits = g.add(.matMul(MatMul(transposeB: true)), [x, w], name: "logits")
    g.addOutput("logits", logits)
    let run = try GraphRun(g)
    #expect(run.lowered.sources.count == 2)
    #expect(Set(run.program.weights.map(\.shape.description)) == ["[40, 24]", "[24, 40]"])
    let chosen = [3, 39, 0, 17, 3]
    let found = try run(["ids": Constant(integers: chosen, shape: Shape([5]))])
    let all = try #require(table.floats)
    let rows = chosen.flatMap { all[($0 * 24)..<($0 * 24 + 24)] }
    let expected = Constant(
      floats: product(rows, all, rows: 5, k: 24, n: 40), shape: Shape([5, 40]))
    #expect(found["logits"]!.relativeError(to: expected) < 1e-5)
  }

  /// Nodes of constants only run while preparing, when encoded weights have no bytes.
  @Test func constantsMayBeComputedWith() throws {
    var random = RandomSource(3)
    var g = Graph(name: "constants")
    let x = g.addInput("x", .f32, [.constant(3), .constant(20)])
    let (a, b) = (random.floats([20, 20]), random.floats([20, 20]))
    let w = g.add(
      .matMul(MatMul(transposeB: true)), [g.addConstant("a", a), g.addConstant("b", b)], name: "w")
    g.addOutput("y", g.add(.matMul(MatMul(transposeB: true)), [x, w], name: "product"))
    g.addOutput("b", g.addConstant("c", b))
    let data = random.floats([3, 20])
    let found = try runGraph(g, ["x": data])
    let product1 = product(a.floats!, b.floats!, rows: 20, k: 20, n: 20)
    let expected = product(data.floats!, product1, rows: 3, k: 20, n: 20)
    #expect(
      found["y"]!.relativeError(to: Constant(floats: expected, shape: Shape([3, 20]))) < 1e-5)
    #expect(found["b"]!.relativeError(to: b) == 0)
  }

  // MARK: Order

  /// The nodes of a graph in another order in which they can run.
  private func shuffled(_ graph: Graph, _ seed: UInt64) -> Graph {
    var random = RandomSource(seed)
    var result = graph
    result.nodes = []
    var waiting = graph.nodes
    var written = Set(graph.inputs.map(\.value))
    for i in graph.values.indices where graph.values[i].constant != nil {
      written.insert(ValueID(i))
    }
    while !waiting.isEmpty {
      let ready = waiting.indices.filter {
        waiting[$0].inputs.allSatisfy { $0.map(written.contains) ?? true }
      }
      let node = waiting.remove(at: ready.randomElement(using: &random)!)
      written.formUnion(node.outputs)
      result.nodes.append(node)
    }
    return result
  }

  @Test func everyOrderGivesTheSame() throws {
    for seed in 0..<40 as Range<UInt64> {
      let graph = randomGraph(1000 + seed, nodes: 30)
      let inputs = randomInputs(graph)
      let expected = try runGraph(graph, inputs)
      let found = try runGraph(shuffled(graph, seed), inputs)
      for (name, value) in expected {
        #expect(found[name]!.relativeError(to: value) == 0, "seed \(seed), \(name)")
      }
    }
  }

  /// Eight wide branches, all opened before any is closed: in another order one at a time is open.
  @Test func stepsMoveToSaveMemory() throws {
    var g = Graph(name: "branches")
    let x = g.addInput("x", .f32, [.constant(1024)])
    let wide = (0..<8).map { i -> ValueID in
      let t = g.add(
        .tile(Tile()),
        [x, g.addConstant("n", Constant(integers: [64], shape: Shape([1])))], name: "tile \(i)")
      return g.add(.unary(Unary(.affine, Float(i), 1)), [t], name: "scale \(i)")
    }
    var sum = x
    for (i, branch) in wide.enumerated() {
      let narrow = g.add(
        .reduce(Reduce(.max, axes: IntegerList([0]), keepsAxes: true)), [branch], name: "max \(i)")
      sum = g.add(.binary(Binary(.add)), [sum, narrow], name: "sum \(i)")
    }
    g.addOutput("y", sum)
    let run = try GraphRun(g)
    let bytes = 1024 * 64 * 4
    #expect(run.program.plan.arenaBytes < 4 * bytes)
    let data = RandomSource.floats(of: 1024)
    let found = try run(["x": data])
    let peaks = (0..<8).map { i in data.floats!.map { Float(i) * $0 + 1 }.max()! }
    let expected = data.floats!.map { peaks.reduce($0, +) }
    #expect(found["y"]!.relativeError(to: Constant(floats: expected, shape: Shape([1024]))) < 1e-5)
  }

  // MARK: States

  @Test func statesKeepTheirValues() throws {
    var g = Graph(name: "accumulator")
    let x = g.addInput("x", .f32, [.constant(3)])
    let total = g.addInput("total", .f32, [.constant(3)])
    let next = g.add(.binary(Binary(.add)), [total, x], name: "add")
    g.addOutput("sum", next)
    g.states = [GraphState(input: 1, next: next)]
    let run = try GraphRun(g)
    for call in 1...3 {
      let found = try run(["x": Constant(floats: [1, 2, 3], shape: Shape([3]))])
      let n = Float(call)
      #expect(found["sum"]!.floats == [n, 2 * n, 3 * n])
    }
    run.session.resetStates()
    let found = try run(["x": Constant(floats: [5, 5, 5], shape: Shape([3]))])
    #expect(found["sum"]!.floats == [5, 5, 5])
  }

  /// A delay line: each state's next value is what its neighbour held, and the oldest is the output.
  @Test(arguments: [false, true]) func statesMoveOn(throughViews: Bool) throws {
    var g = Graph(name: "delay")
    let x = g.addInput("x", .f32, [.constant(2)])
    let held = (0..<3).map { g.addInput("held\($0)", .f32, [.constant(2)]) }
    func moved(_ v: ValueID) -> ValueID {
      guard throughViews else { return v }
      let wide = g.add(
        .reshape(Reshape(.unsqueeze, IntegerList([0]))), [v], name: "wide\(g.nodes.count)")
      return g.add(
        .reshape(Reshape(.squeeze, IntegerList([0]))), [wide], name: "back\(g.nodes.count)")
    }
    g.states = [
      GraphState(input: 1, next: moved(x)), GraphState(input: 2, next: moved(held[0])),
      GraphState(input: 3, next: moved(held[1])),
    ]
    g.addOutput("oldest", moved(held[2]))
    g.addOutput("double", g.add(.binary(Binary(.add)), [held[2], held[2]], name: "double"))
    let run = try GraphRun(g)
    var seen: [Float] = []
    for call in 1...6 {
      let n = Float(call)
      let found = try run(["x": Constant(floats: [n, -n], shape: Shape([2]))])
      seen.append(found["oldest"]!.floats![0])
      #expect(found["double"]!.floats! == found["oldest"]!.floats!.map { 2 * $0 })
    }
    #expect(seen == [0, 0, 0, 1, 2, 3])
  }

  @Test func twoStatesChangePlaces() throws {
    var g = Graph(name: "swap")
    let a = g.addInput("a", .f32, [.constant(1)])
    let b = g.addInput("b", .f32, [.constant(1)])
    let x = g.addInput("x", .f32, [.constant(1)])
    g.states = [
      GraphState(input: 0, next: b),
      GraphState(input: 1, next: g.add(.binary(Binary(.add)), [a, x], name: "next")),
    ]
    g.addOutput("a", a)
    let run = try GraphRun(g)
    let one = Constant(floats: [1], shape: Shape([1]))
    let seen = try (0..<6).map { _ in try run(["x": one])["a"]!.floats![0] }
    // aₙ₊₁ = bₙ and bₙ₊₁ = aₙ + 1.
    #expect(seen == [0, 0, 1, 1, 2, 2])
  }

  @Test func statesOfAnotherShapeAreRefused() throws {
    var g = Graph(name: "grows")
    let x = g.addInput("x", .f32, [.constant(3)])
    let held = g.addInput("held", .f32, [.constant(3)])
    let longer = g.add(.concat(Concat(axis: 0)), [held, x], name: "longer")
    g.addOutput("y", longer)
    g.states = [GraphState(input: 1, next: longer)]
    #expect(throws: GraphError.self) { try lower(g) }
  }

  // MARK: Extents

  /// Products, sums in place where extents allow it, views.
  private func openGraph() -> Graph {
    var random = RandomSource(9)
    var g = Graph(name: "open")
    let x = g.addInput("x", .f32, [.symbol("batch"), .symbol("length"), .constant(8)])
    let row = g.addInput("row", .f32, [.constant(1), .symbol("length"), .constant(8)])
    let w = g.addConstant("w", random.floats([8, 8]))
    let y = g.add(.matMul(MatMul()), [x, w], name: "product")
    let z = g.add(
      .binary(Binary(.add)), [g.add(.unary(Unary(.tanh)), [row], name: "t"), y], name: "add")
    let rows = g.add(.reshape(Reshape(.target, IntegerList([-1, 8]))), [z], name: "rows")
    g.addOutput("y", g.add(.softmax(Softmax(axis: 0)), [rows], name: "softmax"))
    return g
  }

  @Test func largerDataThanPlannedFor() throws {
    let graph = openGraph()
    let small = try GraphRun(graph, LoweringOptions(limits: ["batch": 2, "length": 3]))
    let packed = small.session.plan
    #expect(small.program.symbols.map(\.limit) == [2, 3])
    for (batch, length) in [(7, 19), (2, 3), (1, 1), (1, 40), (7, 19), (2, 2)] {
      var random = RandomSource(UInt64(batch * length))
      let inputs = [
        "x": random.floats([batch, length, 8]), "row": random.floats([1, length, 8]),
      ]
      let fitting = try GraphRun(
        graph, LoweringOptions(limits: ["batch": batch, "length": length]))
      let expected = try fitting(inputs)
      let found = try small(inputs)
      #expect(found["y"]!.relativeError(to: expected["y"]!) == 0)
      let fits = batch == 2 && length <= 3
      #expect((small.session.plan == packed) == fits)
      #expect(small.session.arenaBytes >= small.session.plan.lowerBoundBytes)
    }
  }

  @Test func wrongInputsAreRefusedAndForgotten() throws {
    let run = try GraphRun(openGraph())
    var random = RandomSource(4)
    let good = ["x": random.floats([2, 3, 8]), "row": random.floats([1, 3, 8])]
    let expected = try run(good)["y"]!
    #expect(throws: (any Error).self) {
      try run(["x": random.floats([2, 3, 8]), "row": random.floats([1, 4, 8])])
    }
    #expect(throws: (any Error).self) { try run(["x": random.floats([2, 3, 9])]) }
    #expect(throws: (any Error).self) { try run(["x": random.floats([2, 3])]) }
    #expect(try run(good)["y"]!.relativeError(to: expected) == 0)
  }

  @Test(arguments: [1, 2, 3]) func threadsGiveTheSame(threads: Int) throws {
    var random = RandomSource(6)
    var g = Graph(name: "wide")
    let x = g.addInput("x", .f32, [.symbol("batch"), .constant(96)])
    let w = g.addConstant("w", random.floats([96, 200]))
    let y = g.add(.matMul(MatMul()), [x, w], name: "product")
    g.addOutput("y", g.add(.softmax(Softmax()), [y], name: "softmax"))
    let inputs = ["x": random.floats([150, 96])]
    let one = try runGraph(g, inputs)
    let run = try GraphRun(
      g, LoweringOptions(limits: ["batch": 150], threads: threads), threads: threads)
    #expect(try run(inputs)["y"]!.relativeError(to: one["y"]!) < 1e-6)
    // Planned for one thread, run by more: the scratch that takes is planned again.
    let more = try GraphRun(
      g, LoweringOptions(limits: ["batch": 150]), threads: threads, scheme: .f16)
    let f16 = try GraphRun(g, scheme: .f16)(inputs)
    #expect(try more(inputs)["y"]!.relativeError(to: f16["y"]!) < 1e-6)
  }
}

extension RandomSource {
  static func floats(of count: Int) -> Constant {
    var random = RandomSource(17)
    return random.floats([count])
  }
}
