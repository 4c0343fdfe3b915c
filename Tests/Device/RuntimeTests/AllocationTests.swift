// The inference loop asks for no memory.
import CAllocationCounter
import GraphRunning
import Graphs
import Kernels
import Lowering
import Operators
import Runtime
import Tensors
import Testing

@Suite(.enabled(if: ka_is_available() != 0, "a sanitizer has taken malloc for itself"))
struct AllocationTests {
  /// A convolution, a transformer block and a classifier, with a state.
  private static func model() -> Graph {
    var random = RandomSource(3)
    var g = Graph(name: "all of it")
    func weight(_ dimensions: [Int]) -> ValueID {
      g.addConstant("w\(g.values.count)", random.floats(dimensions, in: -0.3...0.3))
    }
    func add(_ op: Operator, _ inputs: [ValueID?]) -> ValueID {
      g.add(op, inputs, name: "n\(g.nodes.count)")
    }
    let image = g.addInput(
      "image", .f32, [.symbol("batch"), .constant(4), .constant(16), .constant(16)])
    let last = g.addInput("last", .f32, [.constant(1), .constant(64), .constant(48)])
    let pads = Window(pads: IntegerList([1, 1, 1, 1]))
    let relu = FusedActivation(.relu)
    let c = add(
      .conv(Conv(window: pads, activation: relu)), [image, weight([48, 4, 3, 3]), weight([48])])
    let d = add(.conv(Conv(window: pads, groups: 48)), [c, weight([48, 1, 3, 3])])
    let p = add(
      .pool(
        Pool(.max, kernel: IntegerList([2, 2]), window: Window(strides: IntegerList([2, 2])))), [d])
    let rows = add(.reshape(Reshape(.target, IntegerList([0, 48, 64]))), [p])
    let x = add(.transpose(Transpose(IntegerList([0, 2, 1]))), [rows])
    let h = add(.binary(Binary(.add)), [x, last])
    let q = add(.matMul(MatMul()), [h, weight([48, 48]), weight([48])])
    let k = add(.matMul(MatMul()), [h, weight([48, 48])])
    let v = add(.matMul(MatMul(transposeB: true)), [h, weight([48, 48])])
    let a = add(.attention(Attention(heads: 4, scale: 0.3)), [q, k, v])
    let n = g.addValue("normed")
    let s = g.addValue("sum")
    g.nodes.append(
      Node(
        name: "norm", op: .layerNorm(LayerNorm(epsilon: 1e-5)),
        inputs: [a, weight([48]), weight([48]), h], outputs: [n, s]))
    let gelu = FusedActivation(.gelu)
    let f = add(.matMul(MatMul(activation: gelu)), [n, weight([48, 96]), weight([96])])
    let m = add(.reduce(Reduce(.mean, axes: IntegerList([1]), keepsAxes: false)), [f])
    let both = add(.concat(Concat(axis: 1)), [m, m])
    let part = add(
      .slice(
        Slice(
          starts: IntegerList([0]), ends: IntegerList([128]), axes: IntegerList([1]),
          steps: IntegerList())), [both])
    let scores = add(.softmax(Softmax()), [add(.unary(Unary(.tanh)), [part])])
    g.addOutput("scores", add(.binary(Binary(.pow)), [scores, weight([1])]))
    let first = add(
      .slice(
        Slice(
          starts: IntegerList([0]), ends: IntegerList([1]), axes: IntegerList([0]),
          steps: IntegerList())), [s])
    g.states = [GraphState(input: 1, next: first)]
    return g
  }

  @Test(arguments: [1, 3], QuantizationScheme.allCases)
  func runsAllocateNothing(threads: Int, scheme: QuantizationScheme) throws {
    let counter = try #require(ka_enter())
    defer { ka_leave(counter) }
    try {
      let run = try GraphRun(
        AllocationTests.model(), LoweringOptions(limits: ["batch": 2], threads: threads),
        threads: threads, scheme: scheme)
      var random = RandomSource(5)
      _ = try run(["image": random.floats([2, 4, 16, 16])])
      var nanoseconds = [UInt64](repeating: 0, count: run.session.runnableSteps.count)
      ka_start(counter)
      for _ in 0..<100 { try run.session.run() }
      for _ in 0..<20 { try run.session.run(nanoseconds: &nanoseconds) }
      let count = ka_stop(counter)
      #expect(count == 0)
    }()
  }

  @Test func allocationsAreCounted() throws {
    let counter = try #require(ka_enter())
    defer { ka_leave(counter) }
    ka_allocate()
    ka_start(counter)
    ka_allocate()
    let first = ka_stop(counter)
    #expect(first == 1)
    ka_allocate()
    ka_start(counter)
    ka_map()
    let array = [Int](repeating: 3, count: Int.random(in: 100...200))
    let second = ka_stop(counter)
    #expect(second == 2)
    #expect(array.count >= 100)
  }

  @Test func allocationsOfPoolThreadsAreCounted() throws {
    let counter = try #require(ka_enter())
    defer { ka_leave(counter) }
    try {
      let pool = try ThreadPool(threads: 3)
      var nothing = 0
      ka_start(counter)
      pool.run(ka_allocating_job, &nothing, parts: 50)
      let count = ka_stop(counter)
      #expect(count == 50)
    }()
  }
}
