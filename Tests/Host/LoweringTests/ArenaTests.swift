// Memory plans: nothing that is still needed is overwritten, whatever the graph.
import GraphRunning
import Graphs
import Lowering
import Operators
import Programs
import Tensors
import Testing

@Suite struct ArenaTests {
  /// Plays the program against its plan and says what goes wrong first. Knows nothing of liveness: every
  /// write invalidates what else lies there, every read asks whether it is still valid.
  static func fault(_ program: Program, _ slotBytes: [Int], isStatic: [Bool]) -> String? {
    let plan = program.plan
    let w = program.weights.count
    /// By slot: its memory and whether it holds what was written; nil without memory.
    var memory = [Range<Int>?](repeating: nil, count: program.slotCount)
    var isValid = [Bool](repeating: false, count: program.slotCount)
    func place(_ s: Int) -> Range<Int>? {
      guard slotBytes[s] > 0 else { return nil }
      return plan.offsets[s]..<(plan.offsets[s] + slotBytes[s])
    }
    func write(_ range: Range<Int>, keeping kept: (Int) -> Bool) {
      for s in memory.indices where memory[s]?.overlaps(range) == true && !kept(s) {
        isValid[s] = false
      }
    }
    for input in program.inputs {
      let s = input.tensor - w
      guard let range = place(s) else { continue }
      write(range) { _ in false }
      memory[s] = range
      isValid[s] = true
    }
    var isComputedBefore = Set<Int>()
    for (i, step) in program.steps.enumerated() where isStatic[i] {
      isComputedBefore.formUnion(step.outputs)
    }
    func isReadable(_ t: Int) -> Bool {
      t < w || isComputedBefore.contains(t) || slotBytes[t - w] == 0 || isValid[t - w]
    }
    for (i, step) in program.steps.enumerated() where !isStatic[i] {
      for t in step.inputs where t >= 0 && !isReadable(t) {
        return "step \(i) reads slot \(t - w), which was overwritten"
      }
      let inputs = step.inputs.filter { $0 >= w && !isComputedBefore.contains($0) }.map { $0 - w }
      let scratch = plan.scratchOffsets[i]..<(plan.scratchOffsets[i] + plan.scratchCapacities[i])
      if !scratch.isEmpty {
        for s in inputs + step.outputs.map({ $0 - w }) where place(s)?.overlaps(scratch) == true {
          return "scratch of step \(i) lies over slot \(s)"
        }
        write(scratch) { _ in false }
      }
      for (o, t) in step.outputs.enumerated() {
        guard let range = place(t - w) else { continue }
        guard range.upperBound <= plan.arenaBytes, range.lowerBound % 64 == 0 else {
          return "slot \(t - w) lies outside the arena"
        }
        for s in inputs where memory[s]?.overlaps(range) == true {
          // The first output may stand where an input of the same size stands, and nowhere else.
          guard o == 0, memory[s] == range, step.op.aliasing != .none else {
            return "step \(i) writes over slot \(s) while it reads it"
          }
        }
        // A view leaves the bytes as they are, for everyone who looks at them.
        let isView = step.op.aliasing == .view && inputs.first.flatMap { memory[$0] } == range
        write(range) { isView && self.sameBytes(memory[$0], range) }
        memory[t - w] = range
        isValid[t - w] = true
      }
    }
    for t in program.outputs.map(\.tensor) + program.states.map(\.tensor) where !isReadable(t) {
      return "output \(t - w) was overwritten"
    }
    for input in program.inputs where !isReadable(input.tensor) {
      return "input \(input.name) was overwritten"
    }
    return nil
  }

  private static func sameBytes(_ a: Range<Int>?, _ b: Range<Int>) -> Bool { a == b }

  private func facts(_ run: GraphRun) throws -> (bytes: [Int], isStatic: [Bool]) {
    let isRunnable = Set(run.session.runnableSteps)
    return (try run.slotBytes(), run.program.steps.indices.map { !isRunnable.contains($0) })
  }

  @Test func randomProgramsKeepWhatTheyNeed() throws {
    var shared = 0
    for seed in 0..<300 as Range<UInt64> {
      let graph = randomGraph(seed, nodes: 4 + Int(seed % 37))
      let run = try GraphRun(graph)
      let (bytes, isStatic) = try facts(run)
      let plan = run.program.plan
      #expect(plan == run.session.plan)
      #expect(plan.arenaBytes >= plan.lowerBoundBytes)
      shared += plan.roots.indices.filter { plan.roots[$0] != $0 }.count
      if let fault = ArenaTests.fault(run.program, bytes, isStatic: isStatic) {
        Issue.record("seed \(seed): \(fault)")
      }
      // The same steps with every slot and scratch in memory of its own.
      let apart = try GraphRun(graph) { program in
        var at = 0
        func take(_ capacity: Int) -> Int {
          defer { at += (capacity + 63) / 64 * 64 + 64 }
          return at
        }
        for s in 0..<program.slotCount {
          program.plan.offsets[s] = take(program.plan.capacities[s])
        }
        for i in program.steps.indices {
          program.plan.scratchOffsets[i] = take(program.plan.scratchCapacities[i])
        }
        program.plan.arenaBytes = at
      }
      #expect(apart.session.plan == apart.program.plan)
      let inputs = randomInputs(graph, seed: seed)
      for _ in 0..<2 {
        let expected = try apart(inputs)
        let found = try run(inputs)
        for (name, value) in expected {
          let isSame = found[name]?.bytes.elementsEqual(value.bytes) ?? false
          #expect(isSame, "seed \(seed), \(name)")
        }
      }
    }
    // Views and steps in place were met.
    #expect(shared > 300)
  }

  /// The player of plans finds what it is there to find.
  @Test func faultsAreFound() throws {
    var found = 0
    for seed in 0..<20 as Range<UInt64> {
      let run = try GraphRun(randomGraph(seed, nodes: 20))
      let (bytes, isStatic) = try facts(run)
      var program = run.program
      for s in program.plan.offsets.indices { program.plan.offsets[s] = 0 }
      if ArenaTests.fault(program, bytes, isStatic: isStatic) != nil { found += 1 }
    }
    #expect(found == 20)
  }

  @Test func packingOfRandomItems() {
    for seed in 0..<300 as Range<UInt64> {
      var random = RandomSource(seed)
      let steps = Int.random(in: 1...30, using: &random)
      let items = (0..<Int.random(in: 0...40, using: &random)).map { id in
        let first = Int.random(in: 0..<steps, using: &random)
        return ArenaItem(
          id: id, bytes: Int.random(in: 0...1000, using: &random), first: first,
          last: Int.random(in: first...steps, using: &random))
      }
      let packing = ArenaPacking(items, stepCount: steps)
      #expect(ArenaPacking.firstOverlap(items, packing.offsets) == nil)
      var bound = 0
      for step in 0...steps {
        let live = items.filter { $0.first <= step && step <= $0.last }
        bound = max(bound, live.reduce(0) { $0 + ($1.bytes + 63) / 64 * 64 })
      }
      #expect(packing.lowerBoundBytes == bound)
      #expect(packing.totalBytes >= bound)
      let end = zip(items, packing.offsets).map { $1 + ($0.bytes + 63) / 64 * 64 }.max() ?? 0
      #expect(packing.totalBytes == end)
    }
    let two = [
      ArenaItem(id: 0, bytes: 100, first: 0, last: 2),
      ArenaItem(id: 1, bytes: 100, first: 2, last: 3),
    ]
    #expect(ArenaPacking.firstOverlap(two, [0, 64])! == (0, 1))
    #expect(ArenaPacking.firstOverlap(two, [0, 128]) == nil)
  }
}

struct PlanSoundnessTests {
  /// y = x + relu(x): all three are live at the second step.
  private let program = Program(
    inputs: [ProgramInput(name: "x", tensor: 0, elementType: .f32, dimensions: [.constant(16)])],
    outputs: [ProgramOutput(name: "y", tensor: 2)], slotCount: 3,
    steps: [
      Step(name: "relu", op: .unary(Unary(.relu)), inputs: [0], outputs: [1]),
      Step(name: "add", op: .binary(Binary(.add)), inputs: [0, 1], outputs: [2]),
    ])
  private let sizes = [64, 64, 64]

  @Test func `a plan with live slots on top of each other is not sound`() {
    let plan = ArenaPlan(program, slotBytes: sizes, scratchBytes: [0, 0])
    #expect(plan.isSound(for: program, slotBytes: sizes, scratchBytes: [0, 0]))
    var overlapping = plan
    overlapping.offsets[1] = plan.offsets[0]
    #expect(!overlapping.isSound(for: program, slotBytes: sizes, scratchBytes: [0, 0]))
    #expect(!plan.isSound(for: program, slotBytes: [64, 128, 64], scratchBytes: [0, 0]))
  }
}
