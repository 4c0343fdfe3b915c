// Branches and loops against the same thing written in Swift.
import GraphRunning
import Graphs
import Lowering
import Operators
import Programs
import Runtime
import Tensors
import Testing

@Suite struct ControlFlowTests {
  private static func scalar(_ value: Float) -> Constant {
    Constant(floats: [value], shape: Shape())
  }
  private static func bool(_ value: Bool) -> Constant {
    Constant(elementType: .bool, shape: Shape()) { $0[0] = value ? 1 : 0 }
  }
  private static func integer(_ value: Int) -> Constant {
    Constant(integers: [value], shape: Shape())
  }

  /// x ↦ x ∘ number.
  private static func body(_ kind: BinaryKind, _ number: Float) -> Graph {
    var g = Graph(name: "\(kind)")
    let x = g.addOpenInput("x", .f32)
    let y = g.add(
      .binary(Binary(kind)), [x, g.addConstant("number", scalar(number))], name: "\(kind)")
    g.addOutput("y", y)
    return g
  }

  @Test func branchesFollowTheirCondition() throws {
    var g = Graph(name: "branch")
    let x = g.addInput("x", .f32, [.symbol("n")])
    let condition = g.addInput("condition", .bool, [])
    g.bodies = [ControlFlowTests.body(.add, 10), ControlFlowTests.body(.mul, 3)]
    let y = g.add(.branch(Branch(thenBody: 0, elseBody: 1)), [condition, x], name: "if")
    g.addOutput("y", g.add(.unary(Unary(.neg)), [y], name: "neg"))
    let run = try GraphRun(Rewriter.rewrite(g))
    for (values, holds) in [([1, 2], true), ([1, 2], false), ([5], false), ([7, 8, 9], true)] {
      let x = Constant(floats: values.map { Float($0) }, shape: Shape([values.count]))
      let y = try run(["x": x, "condition": ControlFlowTests.bool(holds)])["y"]
      #expect(y?.floats == values.map { holds ? -Float($0 + 10) : -Float($0 * 3) })
    }
  }

  /// Carries (a, b) ↦ (b, a + b), which swaps memory, and collects a.
  private static func fibonacci() -> Graph {
    var body = Graph(name: "next")
    _ = body.addOpenInput("i", .i64)
    let condition = body.addOpenInput("condition", .bool)
    let a = body.addOpenInput("a", .f32)
    let b = body.addOpenInput("b", .f32)
    let limit = body.addOpenInput("limit", .f32)
    let sum = body.add(.binary(Binary(.add)), [a, b], name: "sum")
    let goesOn = body.add(.binary(Binary(.less)), [sum, limit], name: "less")
    body.addOutput(
      "goes on", body.add(.binary(Binary(.and)), [goesOn, condition], name: "and"))
    body.addOutput("b", b)
    body.addOutput("sum", sum)
    body.addOutput("a", a)
    var g = Graph(name: "fibonacci")
    let count = g.addInput("count", .i64, [])
    let start = g.addInput("start", .bool, [])
    let most = g.addInput("limit", .f32, [])
    let zero = g.addConstant("zero", scalar(0))
    let one = g.addConstant("one", scalar(1))
    let outputs = (0..<3).map { g.addValue("out \($0)") }
    g.bodies = [body]
    g.nodes.append(
      Node(
        name: "loop", op: .loop(Loop(body: 0, carriedCount: 2, collectedCount: 1)),
        inputs: [count, start, zero, one, most], outputs: outputs))
    for (i, output) in outputs.enumerated() { g.addOutput("out \(i)", output) }
    return g
  }

  @Test func loopsCarryAndCollect() throws {
    let run = try GraphRun(Rewriter.rewrite(ControlFlowTests.fibonacci()))
    for (count, start, limit) in [
      (10, true, Float(1e9)), (0, true, 1e9), (5, false, 1e9), (100, true, 50), (-3, true, 1e9),
      (40, true, 1e9),
    ] {
      var (a, b, goesOn) = (Float(0), Float(1), start)
      var collected: [Float] = []
      while collected.count < count, goesOn {
        collected.append(a)
        (a, b) = (b, a + b)
        goesOn = b < limit
      }
      let outputs = try run([
        "count": ControlFlowTests.integer(count), "start": ControlFlowTests.bool(start),
        "limit": ControlFlowTests.scalar(limit),
      ])
      #expect(outputs["out 0"]?.floats == [a])
      #expect(outputs["out 1"]?.floats == [b])
      #expect(outputs["out 2"]?.floats == collected)
      #expect(outputs["out 2"]?.shape == Shape([collected.count]))
    }
  }

  /// A carried value that doubles each time.
  private static func doubling() -> Graph {
    var body = Graph(name: "double")
    _ = body.addOpenInput("i", .i64)
    let condition = body.addOpenInput("condition", .bool)
    let x = body.addOpenInput("x", .f32)
    body.addOutput("goes on", condition)
    body.addOutput("x", body.add(.concat(Concat(axis: 0)), [x, x], name: "concat"))
    var g = Graph(name: "doubling")
    let count = g.addInput("count", .i64, [])
    let first = g.addInput("x", .f32, [.constant(3)])
    g.bodies = [body]
    g.addOutput(
      "y",
      g.add(
        .loop(Loop(body: 0, carriedCount: 1, collectedCount: 0)), [count, nil, first], name: "loop")
    )
    return g
  }

  @Test func carriedValuesMayGrowWithinTheMemory() throws {
    let program = try Lowering.lower(ControlFlowTests.doubling()) { _ in .f32 }.program
    let session = try Session(program: program, weights: [], maximumBytes: 1 << 20)
    for count in [0, 1, 5, 1 << 40, 3] {
      session.input(0).elements(Int64.self)[0] = Int64(count)
      for i in 0..<3 { session.input(1).floats[i] = Float(i) }
      if count > 20 {
        #expect(throws: SessionError.self) { try session.run() }
        continue
      }
      try session.run()
      let y = session.output(0)
      #expect(y.shape == Shape([3 << count]))
      #expect(y.floats.indices.allSatisfy { y.floats[$0] == Float($0 % 3) })
    }
    #expect(session.dynamicBytes <= 1 << 20)
  }

  @Test func endlessLoopsCanBeStopped() throws {
    var body = ControlFlowTests.body(.mul, 1)
    let inner = body.inputs[0]
    body.inputs = []
    _ = body.addOpenInput("i", .i64)
    let condition = body.addOpenInput("condition", .bool)
    body.inputs.append(inner)
    body.outputs.insert(GraphOutput(name: "goes on", value: condition), at: 0)
    var g = Graph(name: "endless")
    let x = g.addInput("x", .f32, [])
    g.bodies = [body]
    g.addOutput(
      "y",
      g.add(.loop(Loop(body: 0, carriedCount: 1, collectedCount: 0)), [nil, nil, x], name: "loop"))
    let run = try GraphRun(g)
    nonisolated(unsafe) var asked = 0
    run.session.shouldStop = {
      asked += 1
      return asked > 1000
    }
    let error = #expect(throws: SessionError.self) { try run.session.run() }
    #expect("\(try #require(error))" == "was stopped")
    #expect(asked == 1001)
  }

  @Test func bodiesNestAndShareWeights() throws {
    // A loop whose body branches on the parity of its count; both branches use one large constant.
    let weights = Constant(floats: (0..<2048).map { Float($0 % 7) }, shape: Shape([2048]))
    func leaf(_ kind: BinaryKind) -> Graph {
      var g = Graph(name: "\(kind)")
      let x = g.addOpenInput("x", .f32)
      g.addOutput(
        "y", g.add(.binary(Binary(kind)), [x, g.addConstant("w", weights)], name: "\(kind)"))
      return g
    }
    var body = Graph(name: "body")
    let i = body.addOpenInput("i", .i64)
    let condition = body.addOpenInput("condition", .bool)
    let x = body.addOpenInput("x", .f32)
    let two = body.addConstant("two", ControlFlowTests.integer(2))
    let zero = body.addConstant("zero", ControlFlowTests.integer(0))
    let rest = body.add(.binary(Binary(.mod)), [i, two], name: "mod")
    let isEven = body.add(.binary(Binary(.equal)), [rest, zero], name: "even")
    body.bodies = [leaf(.add), leaf(.sub)]
    let y = body.add(.branch(Branch(thenBody: 0, elseBody: 1)), [isEven, x], name: "if")
    body.addOutput("goes on", condition)
    body.addOutput("y", y)
    var g = Graph(name: "nested")
    let start = g.addInput("x", .f32, [.constant(2048)])
    let count = g.addConstant("count", ControlFlowTests.integer(5))
    g.bodies = [body]
    g.addOutput(
      "y",
      g.add(
        .loop(Loop(body: 0, carriedCount: 1, collectedCount: 0)), [count, nil, start],
        name: "loop"))
    let run = try GraphRun(Rewriter.rewrite(g))
    #expect(run.program.weights.filter { $0.shape == Shape([2048]) }.count == 1)
    let y2 = try run([
      "x": Constant(floats: [Float](repeating: 1, count: 2048), shape: Shape([2048]))
    ])
    #expect(y2["y"]?.floats == (0..<2048).map { 1 + Float($0 % 7) })
    // It survives the bundle.
    let again = try Program(decoding: run.program.encoded())
    #expect(again == run.program)
    try again.validate(weightBytes: run.lowered.weightBytes)
  }

  @Test func bodiesThatDoNotFitAreRefused() throws {
    let program = try GraphRun(ControlFlowTests.fibonacci()).program
    let bytes = try Lowering.lower(ControlFlowTests.fibonacci()) { _ in .f32 }.weightBytes
    try program.validate(weightBytes: bytes)
    func refuses(_ change: (inout Program) -> Void) {
      var p = program
      change(&p)
      #expect(throws: ProgramError.self) { try p.validate(weightBytes: bytes) }
    }
    refuses { $0.bodies = [] }
    refuses { $0.bodies[0].outputs.removeLast() }
    refuses { $0.bodies[0].inputs.removeLast() }
    refuses { $0.bodies[0].inputs[0].isOpen = false }
    refuses { $0.bodies[0].symbols = [Symbol(name: "n", limit: 1)] }
    refuses { $0.bodies[0].steps[0].inputs[0] = 99 }
    refuses { $0.steps[0].op = .loop(Loop(body: 1, carriedCount: 2, collectedCount: 1)) }
    refuses { $0.steps[0].op = .loop(Loop(body: 0, carriedCount: 9, collectedCount: 1)) }
    refuses { p in
      for _ in 0...Program.maximumDepth {
        var outer = Program()
        outer.bodies = [p]
        p = outer
      }
    }
    refuses { $0.bodies += [Program](repeating: Program(), count: Program.maximumBodies) }
  }

  @Test func programsNestedTooDeepAreNotRead() {
    var deep = Program()
    for _ in 0...Program.maximumDepth {
      var outer = Program()
      outer.bodies = [deep]
      deep = outer
    }
    #expect(throws: ProgramError.self) { try Program(decoding: deep.encoded()) }
  }
}
