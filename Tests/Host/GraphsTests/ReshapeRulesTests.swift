// Identities, shapes written down, moves made once, things computed twice.
import GraphRunning
import Graphs
import Operators
import Tensors
import Testing

@Suite struct ReshapeRulesTests {
  /// Graphs whose only node gives back its input; tanh keeps them from being empty.
  private func tanh(_ build: (inout Graph, ValueID) -> ValueID) -> Graph {
    graph { g in
      let x = g.floatInput([-1, 4])
      return g.unary(.tanh, build(&g, x))
    }
  }

  @Test func identitiesGo() throws {
    let forms: [Graph] = [
      tanh { g, x in g.add(.reshape(Reshape(.identity)), [x], name: "r") },
      tanh { g, x in g.reshape(x, [0, 4]) },
      tanh { g, x in g.add(.cast(Cast(to: .f32)), [x], name: "c") },
      tanh { g, x in g.transpose(x, [0, 1]) },
      tanh { g, x in g.add(.expand(Expand()), [x, g.extents([1, 4])], name: "e") },
      tanh { g, x in g.add(.tile(Tile()), [x, g.extents([1, 1])], name: "t") },
      tanh { g, x in g.add(.concat(Concat(axis: 1)), [x], name: "c") },
      tanh { g, x in g.binary(.mul, x, g.number(1)) },
      tanh { g, x in g.binary(.add, g.number(0), x) },
      tanh { g, x in g.binary(.sub, x, g.number(0)) },
      tanh { g, x in g.binary(.div, x, g.number(1)) },
      tanh { g, x in g.binary(.pow, x, g.number(1)) },
      tanh { g, x in g.unary(.affine, x, 1, 0) },
      tanh { g, x in slice(&g, x, [0], [4], [1]) },
      tanh { g, x in slice(&g, x, [0, 0], [Int.max, 9], [0, 1]) },
      tanh { g, x in
        let rows = g.add(.shapeOf(ShapeOf(end: 1)), [x], name: "rows")
        return g.add(
          .slice(Slice()), [x, g.extents([0]), rows, g.extents([0])], name: "slice")
      },
    ]
    for g in forms { try expectRule(.dropIdentity, leaves: ["Unary": 1], in: g) }
  }

  private func slice(
    _ g: inout Graph, _ x: ValueID, _ starts: [Int], _ ends: [Int], _ axes: [Int]
  ) -> ValueID {
    g.add(
      .slice(
        Slice(
          starts: IntegerList(starts), ends: IntegerList(ends), axes: IntegerList(axes),
          steps: IntegerList())), [x], name: "slice")
  }

  @Test func whatChangesSomethingStays() throws {
    let forms: [Graph] = [
      tanh { g, x in g.reshape(x, [4, -1]) },
      tanh { g, x in g.add(.expand(Expand()), [x, g.extents([3, 1, 4])], name: "e") },
      // x · [1, 1] is 1 where x has one column, but not here.
      tanh { g, x in
        let ones = g.addConstant("ones", Constant(floats: [1, 1], shape: Shape([2, 1, 1])))
        return g.binary(.mul, x, ones)
      },
      tanh { g, x in g.binary(.sub, g.number(0), x) },
      tanh { g, x in g.binary(.div, g.number(1), x) },
      // No binding tried may have had more than 512 rows: this one cuts where one has.
      tanh { g, x in slice(&g, x, [0], [512], [0]) },
      tanh { g, x in slice(&g, x, [0], [-1], [1]) },
    ]
    for g in forms { try expectNoRule(.dropIdentity, in: g) }
    let reversed = tanh { g, x in
      g.add(
        .slice(
          Slice(
            starts: IntegerList([-1]), ends: IntegerList([-100]), axes: IntegerList([1]),
            steps: IntegerList([-1]))), [x], name: "slice")
    }
    try expectNoRule(.dropIdentity, in: reversed)
  }

  @Test func outputsMayBeInputs() throws {
    let g = graph { g in g.unary(.affine, g.floatInput([3]), 1, 0) }
    let after = try rewritten(g)
    #expect(after.nodes.isEmpty)
  }

  @Test func computedTargetsAreWrittenDown() throws {
    let g = graph { g in
      let x = g.floatInput([-1, -2, 6])
      let shape = g.add(.shapeOf(ShapeOf()), [x], name: "shape")
      let b = g.add(.gather(Gather(axis: 0)), [shape, g.extents([0])], name: "b")
      let t = g.add(.gather(Gather(axis: 0)), [shape, g.extents([1])], name: "t")
      let target = g.add(.concat(Concat(axis: 0)), [b, t, g.extents([2, 3])], name: "target")
      let y = g.add(.reshape(Reshape()), [x, target], name: "split")
      return g.transpose(y, [0, 2, 1, 3])
    }
    try expectRule(.constantReshape, leaves: ["Reshape": 1, "Transpose": 1], in: g)
  }

  @Test func targetsWithTwoOpenExtentsStay() throws {
    let g = graph { g in
      let x = g.floatInput([-1, -2, 6])
      let shape = g.add(.shapeOf(ShapeOf(end: 2)), [x], name: "shape")
      let flat = g.unary(.tanh, g.reshape(x, [-1, 6]))
      let target = g.add(.concat(Concat(axis: 0)), [shape, g.extents([6])], name: "target")
      return g.add(.reshape(Reshape()), [flat, target], name: "back")
    }
    try expectNoRule(.constantReshape, in: g)
  }

  @Test func chainsOfReshapesAndTransposes() throws {
    let g = graph { g in
      let x = g.floatInput([-1, 4, 6])
      let y = g.add(.reshape(Reshape(.unsqueeze, IntegerList([1]))), [x], name: "u")
      let z = g.add(.reshape(Reshape(.flatten, IntegerList([2]))), [y], name: "f")
      return g.unary(
        .tanh, g.add(.reshape(Reshape(.target, IntegerList([-1, 2, 12]))), [z], name: "r"))
    }
    try expectRule(.mergeReshapes, times: 2, leaves: ["Reshape": 1, "Unary": 1], in: g)
    let moves = graph { g in
      g.unary(
        .tanh, g.transpose(g.transpose(g.floatInput([-1, 3, 4, 5]), [0, 2, 3, 1]), [2, 0, 3, 1]))
    }
    try expectRule(.mergeTransposes, leaves: ["Transpose": 1, "Unary": 1], in: moves)
    let back = graph { g in
      g.unary(.tanh, g.transpose(g.transpose(g.floatInput([2, 3, 4]), [2, 0, 1]), [1, 2, 0]))
    }
    #expect(try rewritten(back).operatorCounts == ["Unary": 1])
  }

  @Test func slicesHoldTheirBounds() throws {
    let g = graph { g in
      let x = g.floatInput([-1, 8])
      return g.add(
        .slice(Slice()), [x, g.extents([6]), g.extents([-100]), g.extents([1]), g.extents([-2])],
        name: "slice")
    }
    try expectRule(.constantSlice, leaves: ["Slice": 1], in: g)
    let after = try Rewriter.rewrite(g)
    #expect(after.nodes[0].inputs.count == 1)
    let moving = graph { g in
      let x = g.floatInput([-1, 8])
      let rows = g.add(.shapeOf(ShapeOf(end: 1)), [x], name: "rows")
      let half = g.binary(.div, rows, g.extents([2]))
      return g.add(.slice(Slice()), [x, g.extents([0]), half, g.extents([0])], name: "slice")
    }
    try expectNoRule(.constantSlice, in: moving)
  }

  @Test func duplicatesMerge() throws {
    let g = graph { g in
      let x = g.floatInput([-1, 4])
      let a = g.binary(.add, g.unary(.exp, x), g.number(2))
      let b = g.binary(.add, g.unary(.exp, x), g.number(2))
      let c = g.binary(.add, g.unary(.exp, x), g.number(3))
      return g.binary(.mul, g.binary(.mul, a, b), c)
    }
    let after = try rewritten(g)
    #expect(after.history["merge-duplicates"] == 3)
    let differ = graph { g in
      let x = g.floatInput([-1, 4])
      return g.binary(.sub, g.unary(.leakyRelu, x, 0.1), g.unary(.leakyRelu, x, 0.2))
    }
    try expectNoRule(.mergeDuplicates, in: differ)
  }
}
