// What the cost model is told of a step: kind, extents and amount of work, against those counted by hand.
import GraphRunning
import Graphs
import Lowering
import Operators
import Tensors
import Testing

@Suite struct StepWorkTests {
  private func work(
    _ op: Operator, _ inputs: [[Int]], constants: [Constant] = [],
    scheme: QuantizationScheme = .f32, type: ElementType = .f32, outputs: Int = 1
  ) throws -> StepWork {
    var graph = Graph(name: "step")
    let x = inputs.enumerated().map { i, shape in
      graph.addInput("x\(i)", type, shape.map { .constant($0) })
    }
    let w = constants.enumerated().map { i, constant in graph.addConstant("w\(i)", constant) }
    let y = (0..<outputs).map { graph.addValue("y\($0)") }
    graph.nodes.append(Node(name: "step", op: op, inputs: x + w, outputs: y))
    for (i, value) in y.enumerated() { graph.addOutput("y\(i)", value) }
    return try #require(try Lowering.lower(graph) { _ in scheme }.work.last)
  }

  @Test func productsCountWholePanels() throws {
    var random = RandomSource(1)
    let w = random.floats([64, 40])
    let f32 = try work(.matMul(MatMul()), [[3, 64]], constants: [w])
    #expect(f32.kind == "MatMul f32" && f32.extents == [3, 40, 64])
    #expect(f32.multiplyAccumulates == 3 * 40 * 64 && f32.amount == 3 * 48 * 64)
    #expect(f32.weightBytes == 64 * 48 * 4 && f32.dataBytes == 3 * (64 + 40) * 4)
    #expect(!f32.isInteger)
    let int8 = try work(.matMul(MatMul()), [[3, 64]], constants: [w], scheme: .int8)
    #expect(int8.kind == "MatMul int8" && int8.isInteger && int8.weightBytes < f32.weightBytes / 3)
    // Two matrices on the right, each for rows of its own; a vector on the right is one column.
    let data = try work(.matMul(MatMul()), [[2, 5, 8], [2, 8, 16]])
    #expect(data.kind == "MatMul data" && data.extents == [5, 16, 8])
    #expect(data.amount == 2 * 5 * 16 * 8 && data.weightBytes == 0)
    let vector = try work(.matMul(MatMul()), [[5, 8], [8]])
    #expect(vector.extents == [5, 1, 8] && !vector.readsWeightsOnce)
    let row = try work(.matMul(MatMul()), [[1, 64]], constants: [w], scheme: .int8)
    #expect(row.kind == "MatMul int8 row" && row.readsWeightsOnce && row.isInteger)
  }

  @Test func convolutionsAreSeenAsProducts() throws {
    var random = RandomSource(2)
    let window = Window(strides: IntegerList([2, 2]), pads: IntegerList([1, 1, 1, 1]))
    let w = random.floats([24, 8, 3, 3])
    let conv = try work(.conv(Conv(window: window)), [[1, 8, 20, 12]], constants: [w])
    #expect(conv.kind == "Conv f32" && conv.extents == [24, 60, 72, 6, 9])
    #expect(conv.multiplyAccumulates == 24 * 60 * 72 && conv.amount == 24 * 64 * 72)
    // Point by point all places stand together, unless some are left out.
    let points = random.floats([24, 8, 1, 1])
    let point = try work(.conv(Conv()), [[1, 8, 20, 12]], constants: [points])
    #expect(point.extents == [24, 240, 8, 240, 1])
    let strided = Window(strides: IntegerList([2, 2]))
    let some = try work(.conv(Conv(window: strided)), [[1, 8, 20, 12]], constants: [points])
    #expect(some.extents == [24, 60, 8, 6, 1])
    let kernels = random.floats([8, 1, 3, 3])
    let depthwise = try work(
      .conv(Conv(window: window, groups: 8)), [[1, 8, 20, 12]], constants: [kernels])
    #expect(depthwise.kind == "Conv depthwise strided" && depthwise.extents == [9, 6, 80, 8])
    #expect(depthwise.amount == 8 * 60 * 9)
    // Rows that are left out cost no more: what counts is how far apart neighbours in a row are.
    let rows = Window(strides: IntegerList([2, 1]), pads: IntegerList([1, 1, 1, 1]))
    let dense = try work(
      .conv(Conv(window: rows, groups: 8)), [[1, 8, 20, 12]], constants: [kernels])
    #expect(dense.kind == "Conv depthwise" && dense.extents == [9, 12, 80, 8])
    let side = IntegerList([3, 3])
    let pool = try work(.pool(Pool(.max, kernel: side, window: rows)), [[1, 8, 20, 12]])
    #expect(pool.kind == "Pool max" && pool.extents == [960 * 9, 9, 12])
    let half = try work(.pool(Pool(.max, kernel: side, window: window)), [[1, 8, 20, 12]])
    #expect(half.kind == "Pool max strided")
  }

  @Test func treesAreAsDeepAsTheirNodesNeed() {
    #expect(StepWork.depth(nodes: 1) == 1 && StepWork.depth(nodes: 127) == 7)
    let grown = StepWork.depth(nodes: 100)
    #expect(grown > 6.6 && grown < 7)
  }

  @Test func elementsAreCountedOnce() throws {
    let exp = try work(.unary(Unary(.exp)), [[3, 50]])
    #expect(exp.kind == "Unary exp" && exp.extents == [150] && exp.amount == 150)
    let same = try work(.binary(Binary(.add)), [[4, 8], [4, 8]])
    #expect(same.kind == "Binary add" && same.extents == [32])
    let row = try work(.binary(Binary(.add)), [[4, 8], [8]])
    #expect(row.kind == "Binary add broadcast" && row.extents == [32, 8])
    let column = try work(.binary(Binary(.add)), [[128, 16], [128, 1]])
    #expect(column.kind == "Binary add broadcast" && column.extents == [2048, 16])
    // Along two axes the second operand stands still.
    let channels = try work(.binary(Binary(.add)), [[64, 16, 5], [64, 1, 1]])
    #expect(channels.extents == [5120, 80])
    let one = try work(.binary(Binary(.add)), [[4, 8], [1]])
    #expect(one.kind == "Binary add scalar" && one.extents == [32])
    let long = try work(.binary(Binary(.add)), [[4, 8], [4, 8]], type: .i64)
    #expect(long.kind == "Binary add i64")
    #expect(try work(.softmax(Softmax()), [[6, 20]]).kind == "Softmax")
    #expect(try work(.softmax(Softmax()), [[20, 6]]).kind == "Softmax narrow")
    let rows = Reduce(.sum, axes: IntegerList([1]), keepsAxes: true)
    #expect(try work(.reduce(rows), [[6, 20]]).kind == "Reduce sum")
    #expect(try work(.reduce(rows), [[6, 20]]).extents == [120, 20])
    let columns = Reduce(.sum, axes: IntegerList([0]), keepsAxes: false)
    #expect(try work(.reduce(columns), [[6, 20]]).kind == "Reduce sum strided")
  }

  /// How many elements move together decides how fast they move.
  @Test func movesKnowTheirRuns() throws {
    let turn = try work(.transpose(Transpose(IntegerList([0, 2, 1]))), [[1, 6, 10]])
    #expect(turn.extents == [60, 1, 10] && turn.amount == 60)
    let single = try work(.transpose(Transpose(IntegerList([0, 3, 1, 2]))), [[1, 1, 1, 77]])
    #expect(single.extents == [77, 77, 1])
    let quantized = try work(
      .quantizeRows(QuantizeRows(.symmetric, rowAxes: 1)), [[2, 7, 10, 1]], outputs: 3)
    #expect(quantized.extents == [140, 70])
    let heads = try work(.transpose(Transpose(IntegerList([1, 0, 2]))), [[6, 10, 32]])
    #expect(heads.extents == [1920, 32, 6])
    func slice(_ axis: Int, _ end: Int, _ step: Int) -> Operator {
      .slice(
        Slice(
          starts: IntegerList([0]), ends: IntegerList([end]), axes: IntegerList([axis]),
          steps: IntegerList([step])))
    }
    #expect(try work(slice(1, 5, 1), [[4, 10, 32]]).extents == [640, 160])
    #expect(try work(slice(2, 16, 1), [[4, 10, 32]]).extents == [640, 16])
    #expect(try work(slice(2, 32, 2), [[4, 10, 32]]).extents == [640, 1])
    #expect(try work(slice(1, 10, 2), [[4, 10, 32]]).extents == [640, 32])
  }

  /// A view costs nothing, what runs ahead does not run, and what a run finds is not known.
  @Test func someStepsHaveNoWork() throws {
    let shape = Constant(integers: [8, 4], shape: Shape([2]))
    let view = try work(.reshape(Reshape()), [[4, 8]], constants: [shape])
    #expect(view.amount == 0 && view.dataBytes == 0 && view.time == .always)
    var graph = Graph(name: "steps")
    let x = graph.addInput("x", .f32, [.constant(4), .constant(8)])
    let one = graph.addConstant("one", Constant(floats: [1, 2], shape: Shape([2])))
    let ahead = graph.add(.unary(Unary(.exp)), [one], name: "ahead")
    graph.addOutput("a", ahead)
    graph.addOutput("b", graph.add(.nonZero(NonZero()), [x], name: "open"))
    let work = try Lowering.lower(graph) { _ in .f32 }.work
    #expect(work.map(\.time) == [.ahead, .open])
    #expect(work.allSatisfy { $0.amount == 0 && $0.multiplyAccumulates == 0 })
  }

  /// A look-up reads the rows that it takes, not the table.
  @Test func tablesAreNotReadWhole() throws {
    var random = RandomSource(3)
    var graph = Graph(name: "table")
    let ids = graph.addInput("ids", .i64, [.constant(6)])
    let table = graph.addConstant("table", random.floats([1000, 16]))
    graph.addOutput("y", graph.add(.gather(Gather(axis: 0)), [table, ids], name: "look up"))
    let work = try #require(try Lowering.lower(graph) { _ in .int8 }.work.last)
    #expect(work.kind == "Gather int8" && work.extents == [96, 16] && work.amount == 96)
    #expect(work.weightBytes == 0)
  }
}
