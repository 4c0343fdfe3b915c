// Graph → Program: weights in their roles, slots for everything else, one memory plan.
import Graphs
import Kernels
import Operators
import Programs
import Tensors

/// A program and the constants its weights are made of, one source per program weight.
public struct LoweredModel: Sendable {
  public var program: Program
  public var sources: [WeightSource]
  /// Bytes of the whole weights section.
  public var weightBytes: Int
  /// Bytes of values computed while a session is prepared.
  public var staticBytes: Int
  /// What each step does at the symbols' limits.
  public var work: [StepWork]
  /// Rows that one inference looks up in a weight that is a table, by weight.
  public var lookups: [Int: Int]

  /// Multiply-accumulates of one inference at the symbols' limits.
  public var totalMultiplyAccumulates: Int {
    work.reduce(0) { sum, step in
      let (total, overflow) = sum.addingReportingOverflow(step.multiplyAccumulates)
      return overflow ? Int.max : total
    }
  }

  /// Stored bits per element of the model's weights, small tensors and padding included.
  public var bitsPerWeight: Double {
    let elements = sources.reduce(0) { $0 + $1.constant.shape.elementCount }
    let bytes = program.weights.reduce(0) { $0 + ($1.byteCount ?? 0) }
    return elements == 0 ? 0 : Double(bytes) * 8 / Double(elements)
  }
}

/// What lowering is to plan for.
public struct LoweringOptions: Sendable {
  /// Largest values of the symbols.
  public var limits: [String: Int]
  /// Threads of the target.
  public var threads: Int

  public init(limits: [String: Int] = [:], threads: Int = 1) {
    self.limits = limits
    self.threads = threads
  }
}

/// Lowers a verified, rewritten graph.
public struct Lowering {
  private let graph: Graph
  private let options: LoweringOptions
  private let collector: WeightCollector
  /// Weights of this graph, by their numbers in the program's order: all that there are, or in a body
  /// those that it uses.
  private var used: [Int] = []
  private var placeOf: [Int: Int] = [:]
  private let isBody: Bool
  /// Values that follow from constants and shapes.
  private var isKnown: [Bool]

  /// scheme: how each weight is to be stored.
  public static func lower(
    _ graph: Graph, _ options: LoweringOptions = LoweringOptions(),
    scheme: (WeightSource) -> QuantizationScheme
  ) throws -> LoweredModel {
    let graph = withCopies(graph)
    try graph.verify(after: "lowering")
    return try withoutActuallyEscaping(scheme) { scheme in
      var lowering = Lowering(graph, options, WeightCollector(scheme: scheme), isBody: false)
      return try lowering.run()
    }
  }

  private init(
    _ graph: Graph, _ options: LoweringOptions, _ collector: WeightCollector, isBody: Bool
  ) {
    self.graph = graph
    self.options = options
    self.collector = collector
    self.isBody = isBody
    var kinds = StepKinds(graph)
    for node in graph.nodes { _ = kinds.add(node) }
    isKnown = kinds.isKnown
  }

  private mutating func run() throws -> LoweredModel {
    var program = Program()
    for body in graph.bodies {
      var lowering = Lowering(
        body, LoweringOptions(threads: options.threads), collector, isBody: true)
      program.bodies.append(try lowering.run().program)
    }
    let inference = try ShapeInference(graph, limits: options.limits)
    try checkStates(inference)
    // Weights first: their count shifts every slot's index.
    var inputs: [ValueID: [Int?]] = [:]
    for node in graph.nodes {
      inputs[node.outputs[0]] = node.inputs.indices.map { i in
        node.inputs[i].flatMap { weight($0, role(node, i)) }
      }
    }
    let nodes = graph.nodes.map { lowered($0) }
    for output in graph.outputs where graph[output.value].constant != nil {
      // No node writes a constant: its value is free as a key.
      inputs[output.value] = [weight(output.value, .plain)]
    }
    if isBody {
      program.sharedWeights = used
    } else {
      used = Array(collector.weights.indices)
    }
    program.weights = used.map { collector.weights[$0] }
    if !isBody { program.texts = collector.texts.bytes }
    program.symbols = inference.symbols.map {
      Symbol(name: $0, limit: inference.bindings[0][$0] ?? 1)
    }
    let views = collector.views(used)
    var best: LoweredModel?
    for order in candidateOrders(nodes, inference) {
      var candidate = program
      build(&candidate, order.map { nodes[$0] }, inputs)
      let planned = try plan(candidate, views)
      if let b = best, b.program.plan.arenaBytes <= planned.program.plan.arenaBytes { continue }
      best = planned
    }
    guard let best else { throw GraphError(node: "", message: "has no order to run in") }
    if !isBody { try best.program.validate(weightBytes: collector.byteCount) }
    return best
  }

  // MARK: States

  /// The graph with a copy of every next value and output that is a state's input, which carrying
  /// states overwrites, and of every next value that is a constant.
  private static func withCopies(_ start: Graph) -> Graph {
    var graph = start
    var types: [ValueID: ElementType] = [:]
    for state in graph.states where graph.inputs.indices.contains(state.input) {
      types[graph.inputs[state.input].value] = graph.inputs[state.input].elementType
    }
    func copied(_ v: ValueID, _ type: ElementType?) -> ValueID {
      guard let type else { return v }
      return graph.add(.cast(Cast(to: type)), [v], name: graph[v].name + ".copy")
    }
    for i in graph.outputs.indices {
      let v = graph.outputs[i].value
      graph.outputs[i].value = copied(v, types[v])
    }
    for i in graph.states.indices {
      let v = graph.states[i].next
      guard graph.values.indices.contains(v.index) else { continue }
      graph.states[i].next = copied(v, types[v] ?? graph[v].constant?.elementType)
    }
    return graph
  }

  /// A next value must be what its input is, whatever the symbols are.
  private func checkStates(_ inference: ShapeInference) throws {
    for state in graph.states {
      let input = graph.inputs[state.input].value
      // A shape that follows from data is checked in the run.
      guard !inference.isOpen(state.next) else { continue }
      for e in inference.evaluations
      where e.shape(input) != e.shape(state.next)
        || e.elementType(input) != e.elementType(state.next)
      {
        throw GraphError(
          node: "",
          message: "state '\(graph[input].name)' is \(e.elementType(input).name) "
            + "\(e.shape(input)), its next value \(e.elementType(state.next).name) "
            + "\(e.shape(state.next))")
      }
    }
  }

  // MARK: Weights

  /// A product whose right side is a constant takes it in panels, already turned.
  private func lowered(_ node: Node) -> Node {
    guard case .matMul(var op) = node.op, case .matrix = role(node, 1) else { return node }
    op.transposeB = false
    var node = node
    node.op = .matMul(op)
    return node
  }

  private func role(_ node: Node, _ input: Int) -> WeightRole {
    // What runs while preparing, when encoded weights have no bytes yet, takes plain elements.
    guard let v = node.inputs[input], let constant = graph[v].constant,
      constant.elementType == .f32,
      !node.inputs.allSatisfy({ $0.map { isKnown[$0.index] } ?? true })
    else { return .plain }
    switch (node.op, input) {
    case (.matMul, 1) where constant.shape.rank == 2:
      guard case .matMul(let op) = node.op else { return .plain }
      return .matrix(transposed: op.transposeB)
    case (.recurrent, 1) where constant.shape.rank == 2,
      (.recurrent, 2) where constant.shape.rank == 2:
      return .matrix(transposed: false)
    case (.conv, 1): return .kernel
    case (.gather(let g), 0) where g.axis == 0 && constant.shape.rank >= 2: return .table
    default: return .plain
    }
  }

  /// The place among this graph's weights of a value that is a constant.
  private mutating func weight(_ v: ValueID, _ role: WeightRole) -> Int? {
    guard let constant = graph[v].constant else { return nil }
    let number = collector.number(of: constant, role, name: graph[v].name)
    guard isBody else { return number }
    if let place = placeOf[number] { return place }
    placeOf[number] = used.count
    used.append(number)
    return used.count - 1
  }

  // MARK: Slots and steps

  /// Numbers the slots in the order of `nodes` and writes the steps.
  private func build(_ program: inout Program, _ nodes: [Node], _ weights: [ValueID: [Int?]]) {
    let w = program.weights.count
    var slots: [ValueID: Int] = [:]
    func slot(_ v: ValueID) -> Int {
      if let s = slots[v] { return s }
      slots[v] = w + slots.count
      return w + slots.count - 1
    }
    let symbols = program.symbols.map(\.name)
    for input in graph.inputs {
      program.inputs.append(
        ProgramInput(
          name: graph[input.value].name, tensor: slot(input.value),
          elementType: input.elementType,
          dimensions: input.dimensions.map { d in
            switch d {
            case .constant(let n): .constant(n)
            case .symbol(let name): .symbol(symbols.firstIndex(of: name) ?? 0)
            }
          }, isOpen: input.isOpen))
    }
    for node in nodes {
      let known = weights[node.outputs[0]] ?? []
      let inputs = node.inputs.enumerated().map { i, v in
        v.map { v in (known.indices.contains(i) ? known[i] : nil) ?? slot(v) } ?? -1
      }
      program.steps.append(
        Step(name: node.name, op: node.op, inputs: inputs, outputs: node.outputs.map(slot)))
    }
    for output in graph.outputs {
      let isConstant = graph[output.value].constant != nil
      let tensor = isConstant ? weights[output.value]?.first ?? nil : nil
      program.outputs.append(
        ProgramOutput(name: output.name, tensor: tensor ?? slot(output.value)))
    }
    for state in graph.states {
      program.states.append(ProgramState(input: state.input, tensor: slot(state.next)))
    }
    program.slotCount = slots.count
  }

  private func plan(
    _ program: Program, _ views: [TensorView]
  ) throws -> LoweredModel {
    var program = program
    // Which kernels run does not matter here: sizes depend on shapes and threads only.
    let compute = Compute(
      kernels: KernelSet.best.table, pool: nil, threads: options.threads,
      texts: TextPool(collector.texts.bytes))
    let preparation = Preparation(program, weights: views, compute: compute)
    try preparation.prepare(program.symbols.map(\.limit))
    program.plan = ArenaPlan(
      program, slotBytes: preparation.slotBytes, scratchBytes: preparation.scratchBytes)
    var lookups: [Int: Int] = [:]
    for step in program.steps {
      guard case .gather = step.op, let table = step.inputs.first, !program.isSlot(table) else {
        continue
      }
      lookups[table, default: 0] += preparation.tensors[step.inputs[1]].shape.elementCount
    }
    return LoweredModel(
      program: program, sources: collector.sources, weightBytes: collector.byteCount,
      staticBytes: preparation.staticBytes,
      work: StepWork.list(preparation), lookups: lookups)
  }

  // MARK: Order

  /// The order of the file, and for graphs of moderate size a memory-aware one.
  private func candidateOrders(_ nodes: [Node], _ inference: ShapeInference) -> [[Int]] {
    let given = Array(nodes.indices)
    guard nodes.count <= 4000 else { return [given] }
    let greedy = greedyOrder(nodes, inference)
    return greedy == given ? [given] : [given, greedy]
  }

  /// List scheduling: of the nodes that can run, the one that leaves the least memory live.
  private func greedyOrder(_ nodes: [Node], _ inference: ShapeInference) -> [Int] {
    func bytes(_ v: ValueID) -> Int {
      inference.isOpen(v) ? 0 : inference.base.tensors[v.index].plainByteCount
    }
    var producer: [ValueID: Int] = [:]
    var uses: [ValueID: Int] = [:]
    for (i, node) in nodes.enumerated() {
      for o in node.outputs { producer[o] = i }
      for v in Set(node.inputs.compactMap { $0 }) { uses[v, default: 0] += 1 }
    }
    for o in graph.outputs { uses[o.value, default: 0] += 1 }
    for s in graph.states { uses[s.next, default: 0] += 1 }
    var waiting = nodes.map { node in
      Set(node.inputs.compactMap { $0 }.compactMap { producer[$0] }).count
    }
    var ready = nodes.indices.filter { waiting[$0] == 0 }
    var order: [Int] = []
    while !ready.isEmpty {
      func growth(_ i: Int) -> Int {
        let made = nodes[i].outputs.reduce(0) { $0 + bytes($1) }
        let freed = Set(nodes[i].inputs.compactMap { $0 }).reduce(0) {
          $0 + (producer[$1] != nil && uses[$1] == 1 ? bytes($1) : 0)
        }
        return made - freed
      }
      let at = ready.indices.min { a, b in
        let (x, y) = (growth(ready[a]), growth(ready[b]))
        return x != y ? x < y : ready[a] < ready[b]
      }!
      let i = ready.remove(at: at)
      order.append(i)
      for v in Set(nodes[i].inputs.compactMap { $0 }) { uses[v, default: 1] -= 1 }
      let outputs = Set(nodes[i].outputs)
      for (j, node) in nodes.enumerated() where waiting[j] > 0 {
        guard node.inputs.contains(where: { $0.map(outputs.contains) ?? false }) else { continue }
        waiting[j] -= 1
        if waiting[j] == 0 { ready.append(j) }
      }
    }
    return order
  }
}
