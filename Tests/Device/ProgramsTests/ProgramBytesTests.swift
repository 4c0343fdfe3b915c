// Programs to bytes and back, and bytes that are no programs.
import Bytes
import GraphRunning
import Graphs
import Lowering
import Operators
import Programs
import Tensors
import Testing

@Suite struct ProgramBytesTests {
  /// Symbols, states, several schemes, lists and floats among the attributes.
  private func model() throws -> LoweredModel {
    var random = RandomSource(1)
    var g = Graph(name: "model")
    let x = g.addInput(
      "picture", .f32, [.symbol("batch"), .constant(3), .constant(12), .constant(12)])
    let held = g.addInput("held", .f32, [.constant(1), .constant(40)])
    let window = Window(strides: IntegerList([2, 1]), pads: IntegerList([1, 0, 1, 2]))
    let activation = FusedActivation(.leakyRelu, 0.1)
    let kernel = g.addConstant("kernel", random.floats([20, 3, 3, 3]))
    let y = g.add(.conv(Conv(window: window, activation: activation)), [x, kernel], name: "conv")
    let m = g.add(
      .reduce(Reduce(.mean, axes: IntegerList([2, -1]), keepsAxes: false)), [y], name: "mean")
    let w = g.addConstant("w", random.floats([20, 40]))
    let z = g.add(.matMul(MatMul(alpha: 0.25)), [m, w, nil], name: "product")
    let sum = g.add(.binary(Binary(.add)), [z, held], name: "sum")
    let cut = Slice(
      starts: IntegerList([0]), ends: IntegerList([1]), axes: IntegerList([0]),
      steps: IntegerList([1]))
    g.states = [GraphState(input: 1, next: g.add(.slice(cut), [sum], name: "first"))]
    g.addOutput("labels", g.add(.softmax(Softmax()), [sum], name: "softmax"))
    return try Lowering.lower(g, LoweringOptions(limits: ["batch": 3])) { _ in .int8 }
  }

  @Test func programsComeBackAsTheyWere() throws {
    let model = try model()
    let bytes = model.program.encoded()
    let back = try Program(decoding: bytes)
    try back.validate(weightBytes: model.weightBytes)
    #expect(back == model.program)
    #expect(back.encoded() == bytes)
    #expect(bytes == model.program.encoded())
    #expect(back.states.count == 1 && back.symbols == [Symbol(name: "batch", limit: 3)])
  }

  @Test func shortenedProgramsAreRefused() throws {
    let bytes = try model().program.encoded()
    for count in stride(from: 0, to: bytes.count, by: 16) {
      #expect(throws: ProgramError.self, "\(count) bytes") {
        try Program(decoding: Array(bytes[..<count]))
      }
    }
    #expect(throws: ProgramError.self) { try Program(decoding: bytes + [0]) }
  }

  /// With any bit turned a program is refused, or is another legal one whose shapes can be asked for.
  @Test func turnedBitsNeverTrap() throws {
    let model = try model()
    let bytes = model.program.encoded()
    var refused = 0
    var legal = 0
    for at in bytes.indices {
      for bit in 0..<8 {
        var turned = bytes
        turned[at] ^= 1 << UInt8(bit)
        do throws(ProgramError) {
          let program = try Program(decoding: turned)
          try program.validate(weightBytes: model.weightBytes)
          legal += 1
          if let error = shapes(program) { refused += error ? 1 : 0 }
        } catch {
          #expect(!error.description.isEmpty)
          refused += 1
        }
      }
    }
    #expect(refused > bytes.count)
    #expect(legal > 0)
  }

  /// Infers shapes and plans memory; true where the shape rules refuse, nil where it was not tried.
  private func shapes(_ program: Program) -> Bool? {
    let views = program.weights.map {
      TensorView(
        base: nil, byteCount: 0, elementType: $0.elementType, shape: $0.shape,
        encoding: $0.encoding)
    }
    let preparation = Preparation(program, weights: views, compute: GraphRun.compute)
    // Steps of constants would be computed, which takes their bytes.
    guard !preparation.isStatic.contains(true) else { return nil }
    do throws(PreparationError) {
      try preparation.prepare(program.symbols.map { $0.limit })
      let plan = ArenaPlan(
        program, slotBytes: preparation.slotBytes, scratchBytes: preparation.scratchBytes)
      #expect(plan.arenaBytes >= plan.lowerBoundBytes)
      _ = program.plan.covers(
        program, slotBytes: preparation.slotBytes, scratchBytes: preparation.scratchBytes)
      return false
    } catch {
      #expect(!error.description.isEmpty)
      return true
    }
  }

  // MARK: Validation

  /// What each change makes of a legal program.
  @Test func illegalProgramsAreRefused() throws {
    let model = try model()
    func expectRefused(
      _ location: SourceLocation = #_sourceLocation, _ change: (inout Program) -> Void
    ) {
      var program = model.program
      change(&program)
      #expect(throws: ProgramError.self, sourceLocation: location) {
        try program.validate(weightBytes: model.weightBytes)
      }
    }
    try model.program.validate(weightBytes: model.weightBytes)
    let w = model.program.weights.count
    expectRefused { $0.steps[0].inputs[0] = $0.tensorCount }
    expectRefused { $0.steps[0].inputs[0] = -2 }
    expectRefused { $0.steps[0].inputs[0] = $0.steps[2].outputs[0] }
    expectRefused { $0.steps[1].outputs[0] = $0.steps[0].outputs[0] }
    expectRefused { $0.steps[1].outputs[0] = 0 }
    expectRefused { $0.steps[1].outputs = [] }
    expectRefused { $0.steps.swapAt(0, 1) }
    expectRefused { $0.inputs[0].tensor = 0 }
    expectRefused { $0.inputs[1].tensor = $0.inputs[0].tensor }
    expectRefused { $0.inputs[0].dimensions[0] = .symbol(1) }
    expectRefused { $0.inputs[0].dimensions[1] = .constant(-1) }
    expectRefused { $0.inputs[0].dimensions = [Dimension](repeating: .constant(1), count: 9) }
    expectRefused { $0.outputs[0].tensor = w + $0.slotCount }
    expectRefused { $0.states[0].input = 2 }
    expectRefused { $0.states[0].tensor = 0 }
    expectRefused { $0.symbols[0].limit = 0 }
    expectRefused { $0.slotCount = Program.maximumTensors + 1 }
    expectRefused { $0.weights[0].offset = 32 }
    expectRefused { $0.weights[0].offset = model.weightBytes }
    expectRefused { $0.weights[1].shape = Shape([1 << 20, 1 << 20]) }
    expectRefused { $0.plan.offsets[0] = $0.plan.arenaBytes + 64 }
    expectRefused { $0.plan.offsets[0] += 1 }
    expectRefused { $0.plan.capacities[0] = $0.plan.arenaBytes + 1 }
    expectRefused { $0.plan.roots[0] = -1 }
    expectRefused { $0.plan.scratchOffsets.removeLast() }
    expectRefused { $0.plan.arenaBytes = -64 }
    var small = model.program
    small.plan.arenaBytes = 0
    #expect(throws: ProgramError.self) { try small.validate(weightBytes: model.weightBytes) }
    #expect(throws: ProgramError.self) {
      try model.program.validate(weightBytes: model.weightBytes - 64)
    }
  }
}
