// The rewriter itself: edits are checked, symbols stay open, what is known is folded.
import GraphRunning
import Graphs
import Operators
import Tensors
import Testing

@Suite struct RewriterTests {
  private func chain() -> Graph {
    graph { g in g.unary(.exp, g.unary(.tanh, g.floatInput([-1, 4]))) }
  }

  @Test func everyEditIsVerified() throws {
    // Takes a node away that is still read.
    let breaks = RewriteRule("breaks") { index, i in
      index.graph.nodes[i].op.name == "Unary" ? GraphEdit(index, removing: [i]) : nil
    }
    let error = #expect(throws: GraphError.self) {
      try Rewriter.rewrite(chain(), rules: [breaks])
    }
    #expect(error?.pass == "breaks")
    #expect(error?.description.hasPrefix("after breaks: ") == true)
    // Writes a value twice.
    let twice = RewriteRule("twice") { index, i in
      guard i == 1 else { return nil }
      var edit = GraphEdit(index, removing: [1])
      edit.added = [index.graph.nodes[1], index.graph.nodes[1]]
      return edit
    }
    #expect(throws: GraphError.self) { try Rewriter.rewrite(chain(), rules: [twice]) }
  }

  @Test func rulesFireUntilNoneDoes() throws {
    // Adds a tanh behind each exp once: what it added is looked at again and left alone.
    let adds = RewriteRule("adds") { index, i in
      let node = index.graph.nodes[i]
      guard case .unary(let op) = node.op, op.kind == .exp, !node.name.hasPrefix("done") else {
        return nil
      }
      var edit = GraphEdit(index, removing: [i])
      let middle = edit.addValue("middle")
      edit.added = [
        Node(name: "done", op: node.op, inputs: node.inputs, outputs: [middle]),
        Node(name: "after", op: .unary(Unary(.tanh)), inputs: [middle], outputs: node.outputs),
      ]
      return edit
    }
    let after = try Rewriter.rewrite(chain(), rules: [adds])
    #expect(after.history["adds"] == 1)
    #expect(after.nodes.count == 3)
    #expect(
      after.events == [
        GraphEvent(
          "adds", before: [chain().nodes[1].label], after: ["done (Unary)", "after (Unary)"])
      ])
  }

  @Test func symbolsStayOpen() throws {
    let g = graph { g in
      let x = g.floatInput([-1, -2, 8])
      let shape = g.add(.shapeOf(ShapeOf()), [x], name: "shape")
      let b = g.add(.gather(Gather(axis: 0)), [shape, g.extents([0])], name: "b")
      _ = g.add(.concat(Concat(axis: 0)), [b, g.extents([-1])], name: "dead")
      return g.product(
        g.unary(.relu, g.add(.reshape(Reshape(.target, IntegerList([-1, 8]))), [x], name: "rows")),
        g.unary(
          .relu, g.add(.reshape(Reshape()), [g.weight([8, 3]), g.extents([8, 3])], name: "w")))
    }
    let after = try rewritten(g)
    #expect(after.symbols == ["batch", "length"])
    #expect(after.inputs[0].dimensions == [.symbol("batch"), .symbol("length"), .constant(8)])
    // The constant's reshape and relu are folded, the dead target is dropped.
    #expect(after.operatorCounts == ["Reshape": 1, "Unary": 1, "MatMul": 1])
  }

  @Test func symbolsThatTakeOneValueAreFixed() throws {
    let g = graph { g in
      let x = g.addInput("x", .f32, [.symbol("rows"), .symbol("columns")])
      return g.product(x, g.weight([48, 5]))
    }
    let after = try Rewriter.rewrite(g)
    #expect(after.inputs[0].dimensions == [.symbol("rows"), .constant(48)])
    #expect(after.history["pin-symbol columns"] == 1)
    #expect(after.symbols == ["rows"])
    let none = graph { g in
      let x = g.addInput("x", .f32, [.symbol("rows"), .symbol("columns")])
      return g.product(g.product(x, g.weight([48, 5])), g.weight([4, 5]))
    }
    #expect(throws: GraphError.self) { try Rewriter.rewrite(none) }
  }

  /// A bound that only long inputs reach must not be folded away.
  @Test func boundsBeyondUsualExtentsAreKept() throws {
    let g = graph { g in
      let x = g.addInput("x", .f32, [.constant(1), .symbol("length")])
      let length = g.add(
        .shapeOf(ShapeOf(start: 1, end: 2)), [x], name: "length")
      let end = g.binary(.min, length, g.extents([700]))
      return g.unary(
        .tanh,
        g.add(.slice(Slice()), [x, g.extents([0]), end, g.extents([1])], name: "cut"))
    }
    let after = try Rewriter.rewrite(g)
    let run = try GraphRun(after)
    for length in [3, 700, 701, 1500] {
      var random = RandomSource(1)
      let y = try run(["x": random.floats([1, length])])["y"]
      #expect(y?.shape == Shape([1, min(length, 700)]))
    }
  }

  @Test func constantsFold() throws {
    let g = graph { g in
      let x = g.floatInput([-1, 6])
      let w = g.transpose(g.binary(.mul, g.weight([4, 6]), g.number(2)), [1, 0])
      return g.product(x, w)
    }
    let after = try rewritten(g)
    #expect(after.operatorCounts == ["MatMul": 1])
    #expect(after.history["fold-constants"] == 2)
  }

  @Test func deadNodesGoAndStatesStay() throws {
    var g = Graph(name: "states")
    let x = g.floatInput([3])
    let held = g.floatInput([3], "held")
    _ = g.unary(.exp, x)
    let next = g.binary(.add, x, held)
    g.states = [GraphState(input: 1, next: g.unary(.affine, next, 1, 0))]
    g.addOutput("y", g.unary(.tanh, x))
    let after = try Rewriter.rewrite(g)
    #expect(after.operatorCounts == ["Unary": 1, "Binary": 1])
    #expect(after.states[0].next == next)
    #expect(after.history["drop-dead-nodes"] == 1)
  }

  @Test func valuesOfStatesAreSeenByRules() throws {
    var g = Graph(name: "states")
    let x = g.floatInput([3, 4])
    let held = g.floatInput([3, 5], "held")
    let product = g.product(x, g.weight([4, 5]))
    g.states = [GraphState(input: 1, next: product)]
    g.addOutput("y", g.binary(.add, held, g.unary(.relu, product)))
    #expect(try Rewriter.rewrite(g).history["fuse-activation"] == nil)
  }

  /// Lowering refuses what is too much; until then nobody makes it.
  @Test func largeAmountsAreNotMade() throws {
    let g = graph { g in
      let big = g.add(
        .constantOfShape(ConstantOfShape(.f32, value: 1, integer: 0)),
        [g.extents([1 << 20, 1 << 20])], name: "big")
      return g.binary(.add, g.reduce(.sum, big, []), g.floatInput([1]))
    }
    let rewritten = try Rewriter.rewrite(g)
    #expect(rewritten.nodes.contains { $0.name == "big" })
    let inference = try ShapeInference(rewritten)
    #expect(inference.base.tensors.ownedByteCount < 1 << 20)
  }
}

@Suite struct GraphTests {
  @Test func illegalGraphsAreRefused() throws {
    func expectRefused(
      _ location: SourceLocation = #_sourceLocation, _ change: (inout Graph) -> Void
    ) {
      var g = graph { g in g.unary(.exp, g.unary(.tanh, g.floatInput([-1, 4]))) }
      change(&g)
      #expect(throws: GraphError.self, sourceLocation: location) { try g.verify() }
    }
    try graph { g in g.unary(.exp, g.floatInput([2])) }.verify()
    expectRefused { $0.nodes.swapAt(0, 1) }
    expectRefused { $0.nodes[0].inputs[0] = ValueID(99) }
    expectRefused { $0.nodes[0].outputs = [] }
    expectRefused { $0.nodes[1].outputs = $0.nodes[0].outputs }
    expectRefused { $0.nodes[1].outputs = [$0.inputs[0].value] }
    expectRefused { $0[$0.inputs[0].value].constant = Constant(floats: [1], shape: Shape()) }
    expectRefused { $0.inputs.append($0.inputs[0]) }
    expectRefused { $0.outputs[0].value = ValueID(-1) }
    expectRefused { g in g.outputs[0].value = g.addValue("nothing") }
    expectRefused { $0.states = [GraphState(input: 1, next: $0.outputs[0].value)] }
    expectRefused { $0.states = [GraphState(input: 0, next: ValueID(50))] }
    expectRefused { $0.inputs[0].dimensions = [GraphDimension](repeating: .constant(1), count: 9) }
  }

  @Test func shapesAreDescribed() throws {
    var g = Graph(name: "shapes")
    let x = g.floatInput([-1, -2, 8])
    let heads = g.reshape(x, [0, 0, 2, 4])
    let moved = g.transpose(heads, [0, 2, 1, 3])
    let rows = g.reshape(x, [-1, 8])
    let both = g.add(.concat(Concat(axis: 1)), [x, x], name: "both")
    g.addOutput("moved", moved)
    g.addOutput("rows", rows)
    g.addOutput("both", both)
    let inference = try ShapeInference(g, limits: ["batch": 2, "length": 10])
    #expect(inference.symbols == ["batch", "length"])
    #expect(inference.bindings[0] == ["batch": 2, "length": 10])
    #expect(inference.pinned.isEmpty)
    #expect(inference.describe(x) == "[batch, length, 8]")
    #expect(inference.describe(moved) == "[batch, 2, length, 4]")
    #expect(inference.describe(rows) == "[~20, 8]")
    #expect(inference.describe(both) == "[batch, ~20, 8]")
    #expect(inference.fixedExtent(moved, -1) == 4)
    #expect(inference.fixedExtent(moved, 0) == nil)
    #expect(inference.fixedShape(moved) == nil)
    #expect(inference.haveSameShape(x, x) && !inference.haveSameShape(x, both))
  }

  /// The largest extents a model takes are never left.
  @Test func limitsOfTheModelHold() throws {
    var g = Graph(name: "limits")
    let x = g.floatInput([-1, -2])
    g.addOutput("y", g.unary(.exp, x))
    g.limits = ["length": 20]
    let inference = try ShapeInference(g)
    #expect(inference.bindings.allSatisfy { $0["length"]! <= 20 })
    #expect(Set(inference.bindings.map { $0["length"]! }).count > 1)
  }

  @Test func constantsThatFilesDoNotAlign() throws {
    final class Bytes { var array: [UInt8] = [] }
    let owner = Bytes()
    let numbers: [Int64] = [3, -1, 7]
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 25, alignment: 8)
    defer { buffer.deallocate() }
    numbers.withUnsafeBytes {
      buffer.baseAddress!.advanced(by: 1).copyMemory(from: $0.baseAddress!, byteCount: 24)
    }
    let constant = Constant(
      elementType: .i64, shape: Shape([3]),
      viewing: UnsafeRawBufferPointer(rebasing: buffer[1..<25]), owner: owner)
    #expect(constant.integers == [3, -1, 7])
    #expect(constant.floats == nil)
    #expect(Constant(floats: [2, 2, 2], shape: Shape([3])).uniformFloat == 2)
    #expect(Constant(floats: [2, 3], shape: Shape([2])).uniformFloat == nil)
    #expect(Constant(floats: [], shape: Shape([0])).uniformFloat == nil)
  }
}
