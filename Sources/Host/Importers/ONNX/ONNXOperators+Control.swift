// If, Loop and Scan: bodies that the device runs.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let control: [ONNXOperator] = [
    ONNXOperator("If", branch), ONNXOperator("Loop", loop), ONNXOperator("Scan", 8, batchedScan),
    ONNXOperator("Scan", 9, scan),
  ]

  private static func branch(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let graphs = [try b.subgraph("then_branch"), try b.subgraph("else_branch")]
    var condition = try b.raw(0)
    if let known = b.fixedIntegers(condition), known.count == 1 {
      b.note("If of a known condition → its branch")
      return try b.insert(graphs[known[0] != 0 ? 0 : 1], [])
    }
    if let type = b.elementType(condition), type != .bool {
      condition = b.add(.cast(Cast(to: .bool)), [condition])
    }
    let count = graphs[0].outputs.count
    guard count > 0, graphs[1].outputs.count == count else {
      throw b.fail("its branches do not give the same number of values")
    }
    var bodies: [ONNXBody] = []
    for graph in graphs {
      bodies.append(
        try b.body([], capturing: graphs) { inner, given throws(ImportError) in
          try inner.insert(graph, given)
        })
    }
    let op = Branch(thenBody: bodies[0].number, elseBody: bodies[1].number)
    let outputs = b.add(.branch(op), [condition] + bodies[0].captured, outputs: count)
    for (i, output) in outputs.enumerated() {
      if let type = bodies[0].types[i] ?? bodies[1].types[i] { b.facts.setType(output, type) }
      b.facts.setItemType(output, bodies[0].itemTypes[i] ?? bodies[1].itemTypes[i])
      if let rank = bodies[0].ranks[i], rank == bodies[1].ranks[i] {
        b.facts.setRank(output, rank)
      }
    }
    return outputs
  }

  private static func loop(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let graph = try b.subgraph("body")
    let count = b.has(0) ? try b.raw(0) : nil
    var condition = b.has(1) ? try b.raw(1) : nil
    if let c = condition, let type = b.elementType(c), type != .bool {
      condition = b.add(.cast(Cast(to: .bool)), [c])
    }
    var carried: [ValueID] = []
    for i in 2..<max(2, b.inputCount) { carried.append(try b.input(i)) }
    guard graph.inputs.count == 2 + carried.count, graph.outputs.count > carried.count else {
      throw b.fail("its body does not take and give what it carries")
    }
    return try loop(&b, count, condition, carried, capturing: [graph]) {
      inner, given throws(ImportError) in
      try inner.insert(graph, given)
    }
  }

  /// A loop whose body is built by `build` from the number of the run, the condition, the carried
  /// values and those of `shared`.
  static func loop(
    _ b: inout ONNXGraphBuilder, _ count: ValueID?, _ condition: ValueID?, _ carried: [ValueID],
    shared: [ValueID] = [], capturing graphs: [ONNXGraph],
    _ build: (inout ONNXGraphBuilder, [ValueID]) throws(ImportError) -> [ValueID]
  ) throws(ImportError) -> [ValueID] {
    var given = [ONNXBodyInput(type: .i64), ONNXBodyInput(type: .bool)]
    // The shape of a carried value may change from run to run.
    given += carried.map {
      ONNXBodyInput(type: b.elementType($0), itemType: b.facts.itemType($0))
    }
    given += shared.map { ONNXBodyInput(type: b.elementType($0), like: $0) }
    let body = try b.body(given, capturing: graphs, build)
    let collected = body.types.count - 1 - carried.count
    guard collected >= 0, carried.count + collected > 0 else { throw b.fail("gives nothing") }
    let op = Loop(body: body.number, carriedCount: carried.count, collectedCount: collected)
    let outputs = b.add(
      .loop(op), [count, condition] + carried + shared + body.captured,
      outputs: carried.count + collected)
    for (i, output) in outputs.enumerated() {
      if let type = body.types[1 + i] { b.facts.setType(output, type) }
      b.facts.setItemType(output, body.itemTypes[1 + i])
      if i >= carried.count, let rank = body.ranks[1 + i] { b.facts.setRank(output, rank + 1) }
    }
    return outputs
  }

  /// What a Scan says of its inputs and outputs.
  private struct ScanPlan {
    var graph: ONNXGraph
    var stateCount: Int
    var axes: [Int]
    var isReversed: [Bool]
    var outputAxes: [Int]
    var outputIsReversed: [Bool]
  }

  private static func plan(
    _ b: ONNXGraphBuilder, inputCount: Int, directions: String
  ) throws(ImportError) -> ScanPlan {
    let graph = try b.subgraph("body")
    let scans = try b.integer("num_scan_inputs", 0)
    guard scans >= 1, scans <= inputCount, graph.inputs.count == inputCount,
      graph.outputs.count >= inputCount - scans
    else { throw b.fail("its body does not take and give what it scans") }
    let states = inputCount - scans
    let outputs = graph.outputs.count - states
    func list(_ name: String, _ count: Int) throws(ImportError) -> [Int] {
      let list = try b.integers(name) ?? []
      guard list.isEmpty || list.count == count else {
        throw b.fail("expected \(count) integers as attribute '\(name)'")
      }
      return list.isEmpty ? [Int](repeating: 0, count: count) : list
    }
    return ScanPlan(
      graph: graph, stateCount: states,
      axes: try b.axes(try list("scan_input_axes", scans)).array,
      isReversed: try list(directions, scans).map { $0 == 1 },
      outputAxes: try b.axes(try list("scan_output_axes", outputs)).array,
      outputIsReversed: try list("scan_output_directions", outputs).map { $0 == 1 })
  }

  private static func scan(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let plan = try plan(b, inputCount: b.inputCount, directions: "scan_input_directions")
    return try scan(&b, plan, try b.allInputs())
  }

  /// A loop over one slice of each scanned input; what it collects is turned as the plan says.
  private static func scan(
    _ b: inout ONNXGraphBuilder, _ plan: ScanPlan, _ inputs: [ValueID]
  ) throws(ImportError) -> [ValueID] {
    b.note("Scan → Loop")
    let states = Array(inputs[..<plan.stateCount])
    let scanned = Array(inputs[plan.stateCount...])
    let count = extent(&b, scanned[0], plan.axes[0])
    let results = try loop(&b, count, nil, states, shared: scanned, capturing: [plan.graph]) {
      inner, given throws(ImportError) in
      var values = Array(given[2..<2 + states.count])
      for (k, axis) in plan.axes.enumerated() {
        let whole = given[2 + states.count + k]
        var index = given[0]
        if plan.isReversed[k] {
          let one = inner.addConstant(Constant(integers: [1], shape: Shape()))
          let last = inner.add(.binary(Binary(.sub)), [extent(&inner, whole, axis), one])
          let place = inner.add(.binary(Binary(.sub)), [last, index])
          index = inner.add(.reshape(Reshape(.squeeze)), [place])
        }
        values.append(inner.add(.gather(Gather(axis: axis)), [whole, index]))
      }
      return [given[1]] + (try inner.insert(plan.graph, values))
    }
    var outputs = Array(results[..<states.count])
    for (k, value) in results[states.count...].enumerated() {
      outputs.append(
        try turned(&b, value, isReversed: plan.outputIsReversed[k], axis: plan.outputAxes[k]))
    }
    return outputs
  }

  private static func extent(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, _ axis: Int
  ) -> ValueID {
    b.add(.shapeOf(ShapeOf(start: axis, end: axis == -1 ? Shape.maximumRank : axis + 1)), [x])
  }

  /// A collected value, its first axis reversed and moved where it is wanted.
  private static func turned(
    _ b: inout ONNXGraphBuilder, _ value: ValueID, isReversed: Bool, axis: Int
  ) throws(ImportError) -> ValueID {
    var value = value
    if isReversed {
      let op = Slice(
        starts: IntegerList([-1]), ends: IntegerList([Int.min]), axes: IntegerList([0]),
        steps: IntegerList([-1]))
      value = b.add(.slice(op), [value])
    }
    guard axis != 0 else { return value }
    let rank = try b.rank(value)
    let place = axis < 0 ? axis + rank : axis
    guard (0..<rank).contains(place) else { throw b.fail("axis \(axis) is out of range") }
    var order = Array(1..<rank)
    order.insert(0, at: place)
    return b.add(.transpose(Transpose(IntegerList(order))), [value])
  }

  /// Opset 8: a scan for each element of the first axis of everything.
  private static func batchedScan(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    guard !b.has(0) else { throw b.fail("lengths of sequences are not supported") }
    var plan = try plan(b, inputCount: b.inputCount - 1, directions: "directions")
    plan.axes = plan.axes.map { _ in 0 }
    plan.outputAxes = plan.outputAxes.map { _ in 0 }
    var inputs: [ValueID] = []
    for i in 1..<b.inputCount { inputs.append(try b.input(i)) }
    let count = extent(&b, inputs[plan.stateCount], 0)
    return try loop(&b, count, nil, [], shared: inputs, capturing: [plan.graph]) {
      inner, given throws(ImportError) in
      let one = given[2...].map { inner.add(.gather(Gather(axis: 0)), [$0, given[0]]) }
      return [given[1]] + (try scan(&inner, plan, one))
    }
  }
}
