// Shapes that follow from data: prepared in the run, bounded in memory, refused with a reason.
import CAllocationCounter
import GraphRunning
import Graphs
import Lowering
import Operators
import Programs
import Runtime
import Tensors
import Testing

@Suite struct DynamicShapeTests {
  /// x of any length under the shape that another input says, its rows summed, and a constant added.
  private static func rowSums() -> Graph {
    var g = Graph(name: "row sums")
    let x = g.addInput("x", .f32, [.symbol("n")])
    let shape = g.addInput("shape", .i64, [.constant(2)])
    let table = g.add(.reshape(Reshape()), [x, shape], name: "table")
    let sums = g.add(
      .reduce(Reduce(.sum, axes: IntegerList([1]), keepsAxes: false)), [table], name: "sums")
    let one = g.addConstant("one", Constant(floats: [1], shape: Shape([1])))
    g.addOutput("y", g.add(.binary(Binary(.add)), [sums, one], name: "plus"))
    return g
  }

  private static func inputs(rows: Int, columns: Int) -> [String: Constant] {
    let numbers = (0..<rows * columns).map { Float($0) }
    return [
      "x": Constant(floats: numbers, shape: Shape([numbers.count])),
      "shape": Constant(integers: [rows, columns], shape: Shape([2])),
    ]
  }

  @Test func shapesFollowFromData() throws {
    let run = try GraphRun(Rewriter.rewrite(DynamicShapeTests.rowSums()))
    for (rows, columns) in [(2, 3), (3, 2), (6, 1), (1, 6), (40, 50), (2, 3), (0, 4)] {
      let y = try #require(
        try run(DynamicShapeTests.inputs(rows: rows, columns: columns))["y"])
      #expect(y.shape == Shape([rows]))
      let expected = (0..<rows).map { r in
        (0..<columns).reduce(Float(1)) { $0 + Float(r * columns + $1) }
      }
      #expect(y.floats == expected)
    }
  }

  @Test func whatCannotBeDoneIsRefusedWithTheStep() throws {
    let run = try GraphRun(DynamicShapeTests.rowSums())
    var inputs = DynamicShapeTests.inputs(rows: 2, columns: 3)
    inputs["shape"] = Constant(integers: [4, 4], shape: Shape([2]))
    let error = #expect(throws: SessionError.self) { try run(inputs) }
    #expect("\(try #require(error))".contains("'table': element counts differ"))
    // The session is as good as before.
    #expect(try run(DynamicShapeTests.inputs(rows: 2, columns: 3))["y"]?.floats == [4, 13])
  }

  @Test func memoryIsBounded() throws {
    var g = Graph(name: "large")
    let shape = g.addInput("shape", .i64, [.constant(1)])
    let op = ConstantOfShape(.f32, value: 1, integer: 0)
    g.addOutput("y", g.add(.constantOfShape(op), [shape], name: "fill"))
    let program = try Lowering.lower(g) { _ in .f32 }.program
    let session = try Session(program: program, weights: [], maximumBytes: 1 << 20)
    for (count, fits) in [(1000, true), (1 << 20, false), (1 << 39, false), (10, true)] {
      session.input(0).elements(Int64.self)[0] = Int64(count)
      if fits {
        try session.run()
        #expect(session.output(0).shape == Shape([count]))
      } else {
        #expect(throws: SessionError.self) { try session.run() }
      }
      #expect(session.dynamicBytes <= 1 << 20)
    }
    session.input(0).elements(Int64.self)[0] = -1
    #expect(throws: SessionError.self) { try session.run() }
  }

  @Test(.enabled(if: ka_is_available() != 0, "a sanitizer has taken malloc for itself"))
  func runsOverTheSameShapesAllocateNothing() throws {
    let counter = try #require(ka_enter())
    defer { ka_leave(counter) }
    try {
      let run = try GraphRun(DynamicShapeTests.rowSums())
      for shape in [(30, 40), (20, 60), (30, 40), (20, 60)] {
        _ = try run(DynamicShapeTests.inputs(rows: shape.0, columns: shape.1))
      }
      ka_start(counter)
      for _ in 0..<50 { try run.session.run() }
      let count = ka_stop(counter)
      #expect(count == 0)
    }()
  }

  @Test func openInputsTakeAnyShape() throws {
    var g = Graph(name: "any shape")
    let x = g.addOpenInput("x", .f32)
    g.addOutput("y", g.add(.unary(Unary(.abs)), [x], name: "abs"))
    g.addOutput("shape", g.add(.shapeOf(ShapeOf()), [x], name: "shape"))
    let run = try GraphRun(Rewriter.rewrite(g))
    for dimensions in [[], [3], [2, 1, 2], [0], [1, 1, 1, 1, 1, 1, 1, 2]] {
      let shape = Shape(dimensions)
      let count = shape.elementCount
      let outputs = try run(["x": Constant(floats: (0..<count).map { -Float($0) }, shape: shape)])
      #expect(outputs["y"]?.shape == shape)
      #expect(outputs["y"]?.floats == (0..<count).map { Float($0) })
      #expect(outputs["shape"]?.integers == dimensions)
    }
  }

  @Test func stateKeepsItsShape() throws {
    var g = Graph(name: "state")
    let shape = g.addInput("shape", .i64, [.constant(1)])
    let state = g.addInput("state", .f32, [.constant(2)])
    let sum = g.add(
      .binary(Binary(.add)),
      [state, g.addConstant("one", Constant(floats: [1], shape: Shape([1])))], name: "sum")
    let next = g.add(.expand(Expand()), [sum, shape], name: "next")
    g.states = [GraphState(input: 1, next: next)]
    g.addOutput("y", sum)
    let run = try GraphRun(g)
    let two = ["shape": Constant(integers: [2], shape: Shape([1]))]
    #expect(try run(two)["y"]?.floats == [1, 1])
    #expect(try run(two)["y"]?.floats == [2, 2])
    #expect(throws: (any Error).self) {
      try run(["shape": Constant(integers: [3], shape: Shape([1]))])
    }
  }
}
