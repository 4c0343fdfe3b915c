// The graph while an ONNX model becomes one, and what an operator's import function asks of it.
import Graphs
import Operators
import Tensors

/// Builds the graph node by node. Import functions read the current node through it and add nodes.
struct ONNXGraphBuilder {
  let context: ONNXContext
  let file: ModelFile
  var files: ONNXTensorFiles
  var graph: Graph
  /// Values by their names in the file.
  var values: [String: ValueID] = [:]
  /// Outputs that an import function left out, and of which operator.
  var missing: [String: String] = [:]
  /// Values of other real-number types → the same numbers in f32.
  private var widened: [ValueID: ValueID] = [:]
  var facts: ValueFacts
  /// How many graphs this one is inside of.
  let depth: Int

  /// The node being imported, and the opset of its domain.
  private(set) var node = ONNXNode()
  private(set) var opset = 0

  init(_ context: ONNXContext, name: String, depth: Int = 0) {
    self.context = context
    self.depth = depth
    file = context.model.file
    files = ONNXTensorFiles(file)
    graph = Graph(name: name)
    facts = ValueFacts()
  }

  /// For nodes of no model in particular.
  init(_ file: ModelFile, name: String) {
    self.init(ONNXContext(ONNXModel(file: file)), name: name)
  }

  /// Goes back to the node whose graph was imported.
  mutating func restore(_ node: ONNXNode, _ opset: Int) {
    self.node = node
    self.opset = opset
  }

  /// The refusal of the current node.
  func fail(_ what: String) -> ImportError {
    ImportError(file: file.path, .node(name: node.label, operator: node.type, what))
  }

  /// Counts a decomposition or a change of meaning for `inspect --explain`.
  mutating func note(_ what: String) { graph.history[what, default: 0] += 1 }

  // MARK: Values

  /// Gives `value` a name of the file. Names are given once.
  mutating func bind(_ name: String, _ value: ValueID, offset: Int) throws(ImportError) {
    guard values.updateValue(value, forKey: name) == nil else {
      throw file.malformed(offset, "value '\(name)' is written twice")
    }
  }

  /// The value of that name, or why there is none.
  func value(named name: String) throws(ImportError) -> ValueID {
    if let value = values[name] { return value }
    if let op = missing[name] {
      throw fail("reads '\(name)', an output of \(op) that is not supported")
    }
    throw fail("reads '\(name)', which nothing before it writes")
  }

  mutating func addConstant(_ constant: Constant, name: String? = nil) -> ValueID {
    let value = graph.addConstant(name ?? freshName(), constant)
    facts.set(value, constant)
    return value
  }

  mutating func constant(_ integers: [Int]) -> ValueID {
    addConstant(Constant(integers: integers, shape: Shape([integers.count])))
  }

  /// A scalar.
  mutating func scalar(_ value: Float) -> ValueID {
    addConstant(Constant(floats: [value], shape: Shape()))
  }

  /// A scalar of the element type of `like`: f32 unless that is known to hold integers.
  mutating func scalar(_ value: Int, like: ValueID) -> ValueID {
    guard let type = elementType(like), type != .f32 else { return scalar(Float(value)) }
    let wide = addConstant(Constant(integers: [value], shape: Shape()))
    return type == .i64 ? wide : add(.cast(Cast(to: type)), [wide])
  }

  private func freshName() -> String { "\(node.label).\(graph.values.count)" }

  /// Appends a node of one output for the current ONNX node.
  mutating func add(_ op: Operator, _ inputs: [ValueID?]) -> ValueID {
    add(op, inputs, outputs: 1)[0]
  }

  /// Appends a node of several outputs.
  mutating func add(_ op: Operator, _ inputs: [ValueID?], outputs: Int) -> [ValueID] {
    let made = (0..<outputs).map { _ in graph.addValue(freshName()) }
    graph.nodes.append(Node(name: node.label, op: op, inputs: inputs, outputs: made))
    facts.infer(op, inputs, made)
    return made
  }

  // MARK: Nodes

  /// Imports one node and gives its outputs their names.
  mutating func add(_ node: ONNXNode, opset: Int, _ build: ONNXOperator.Build) throws(ImportError) {
    self.node = node
    self.opset = opset
    let old = graph.values.count
    let first = graph.nodes.count
    let results = try build(&self)
    // One node for one node, and a constant for Constant, is what a reader takes for granted.
    if graph.nodes.count != first + 1, node.type != "Constant" {
      graph.events.append(
        GraphEvent(
          "import", before: ["\(node.label) (\(node.type))"],
          after: graph.nodes[first...].map(\.op.name)))
    }
    for (i, name) in node.outputs.enumerated() where !name.isEmpty {
      guard i < results.count else {
        missing[name] = "\(node.type) (output \(i))"
        continue
      }
      try bind(name, results[i], offset: node.offset)
      if results[i].index >= old { graph[results[i]].name = name }
      facts.declare(results[i], name)
    }
  }

  var inputCount: Int { node.inputs.count }

  /// Whether input `i` is there.
  func has(_ i: Int) -> Bool { i < node.inputs.count && !node.inputs[i].isEmpty }

  /// Input `i`, which must be there, in the element type in which it is computed: real numbers of any
  /// width are f32.
  mutating func input(_ i: Int) throws(ImportError) -> ValueID { wide(try raw(i)) }

  /// Input `i`, which must be there, in the element type that the model gives it.
  func raw(_ i: Int) throws(ImportError) -> ValueID {
    guard has(i) else { throw fail("input \(i) is missing") }
    return try value(named: node.inputs[i])
  }

  /// Input `i`, if it is there.
  mutating func optional(_ i: Int) throws(ImportError) -> ValueID? { has(i) ? try input(i) : nil }

  /// All inputs, at least one; none may be left out.
  mutating func allInputs() throws(ImportError) -> [ValueID] {
    var list: [ValueID] = []
    for i in 0..<max(inputCount, 1) { list.append(try input(i)) }
    return list
  }

  /// Some inputs, all present, as the model gives them where they have one element type, else as they
  /// are computed: for operators that only move elements. Numbers of 16 bits that are there as f32 already
  /// do not lose bits by being moved.
  mutating func moved(_ indices: [Int]) throws(ImportError) -> [ValueID] {
    var list: [ValueID] = []
    for i in indices { list.append(try raw(i)) }
    guard let first = list.first, let type = elementType(first),
      list.allSatisfy({ elementType($0) == type }),
      !([.f16, .bf16].contains(type) && list.contains { widened[$0] != nil })
    else { return list.map { wide($0) } }
    return list
  }

  /// Computes on with `source` where `value`, the same numbers in a type of 16 bits or more, is read:
  /// what was f32 does not lose bits on the way to being f32 again.
  mutating func widen(_ value: ValueID, as source: ValueID) {
    note("Cast to \(elementType(value)?.name ?? "another type"): computed as f32")
    widened[value] = wide(source)
  }

  /// The value as f32 where it holds real numbers of another type.
  mutating func wide(_ value: ValueID) -> ValueID {
    guard let type = elementType(value), type.isFloatingPoint, type != .f32 else { return value }
    if let known = widened[value] { return known }
    let result: ValueID
    if let constant = graph[value].constant {
      result = addConstant(constant.withFloatsAsF32(), name: graph[value].name)
    } else {
      result = add(.cast(Cast(to: .f32)), [value])
    }
    widened[value] = result
    return result
  }

  // MARK: Facts

  func elementType(_ value: ValueID) -> ElementType? { facts.elementType(value) }

  /// The rank of a value where the rank matters.
  func rank(_ value: ValueID) throws(ImportError) -> Int {
    guard let rank = facts.rank(value) else {
      throw fail("the number of axes of '\(graph[value].name)' cannot be found out")
    }
    return rank
  }

  /// The elements of a value that are the same whatever runs through the model; nil where there
  /// are none, or no integers.
  func fixedIntegers(_ value: ValueID) -> [Int]? {
    guard let constant = graph[value].constant ?? facts.fixedValue(value) else { return nil }
    return constant.shape.elementCount <= 4096 ? constant.integers : nil
  }

  func fixedFloats(_ value: ValueID) -> [Float]? {
    guard let constant = graph[value].constant ?? facts.fixedValue(value) else { return nil }
    return constant.shape.elementCount <= 65536 ? constant.floats : nil
  }

  /// Integers that an input gives and that must not depend on the data.
  func integers(_ value: ValueID, _ what: String) throws(ImportError) -> [Int] {
    guard let list = fixedIntegers(value) else {
      throw fail("\(what) must be known before the model runs")
    }
    return list
  }

  /// Input `i` where it is there and its integers follow from data.
  func openInput(_ i: Int) throws(ImportError) -> ValueID? {
    guard has(i) else { return nil }
    let value = try raw(i)
    return fixedIntegers(value) == nil ? value : nil
  }

  /// Integers that input `i` gives, if it is there.
  mutating func optionalIntegers(_ i: Int, _ what: String) throws(ImportError) -> [Int]? {
    guard let value = try optional(i) else { return nil }
    return try integers(value, what)
  }

  /// The one number of `value`.
  func number(_ value: ValueID, _ what: String) throws(ImportError) -> Float {
    guard let list = fixedFloats(value), list.count == 1 else {
      throw fail("\(what) must be one number that is known before the model runs")
    }
    return list[0]
  }

  /// A list short enough for an operator's attributes.
  func list(_ integers: [Int], _ what: String) throws(ImportError) -> IntegerList {
    guard integers.count <= IntegerList.capacity else {
      throw fail("\(what) has \(integers.count) numbers, at most 16 are taken")
    }
    return IntegerList(integers)
  }

  /// Axes from -8 to 7, at most eight of them.
  func axes(_ integers: [Int]) throws(ImportError) -> IntegerList {
    guard integers.count <= Shape.maximumRank, integers.allSatisfy({ (-8...7).contains($0) }) else {
      throw fail("axes \(integers.prefix(9)) are out of range")
    }
    return IntegerList(integers)
  }

  func axis(_ integer: Int) throws(ImportError) -> Int { try axes([integer])[0] }
}

/// The current node's attributes.
extension ONNXGraphBuilder {
  func attribute(_ name: String) -> ONNXAttribute.Value? {
    node.attributes.first { $0.name == name }?.value
  }

  private func wrong(_ name: String, _ what: String) -> ImportError {
    fail("expected \(what) as attribute '\(name)'")
  }

  func integer(_ name: String) throws(ImportError) -> Int? {
    guard let value = attribute(name) else { return nil }
    guard case .integer(let i) = value else { throw wrong(name, "an integer") }
    return Int(i)
  }

  func integer(_ name: String, _ fallback: Int) throws(ImportError) -> Int {
    try integer(name) ?? fallback
  }

  func bool(_ name: String, _ fallback: Bool) throws(ImportError) -> Bool {
    try integer(name).map { $0 != 0 } ?? fallback
  }

  func float(_ name: String) throws(ImportError) -> Float? {
    guard let value = attribute(name) else { return nil }
    guard case .float(let f) = value else { throw wrong(name, "a float") }
    return f
  }

  func float(_ name: String, _ fallback: Float) throws(ImportError) -> Float {
    try float(name) ?? fallback
  }

  func integers(_ name: String) throws(ImportError) -> [Int]? {
    guard let value = attribute(name) else { return nil }
    switch value {
    case .integers(let list): return list.map { Int($0) }
    // Writers that leave the type out make an empty list look like nothing at all.
    default: throw wrong(name, "integers")
    }
  }

  func floats(_ name: String) throws(ImportError) -> [Float]? {
    guard let value = attribute(name) else { return nil }
    guard case .floats(let list) = value else { throw wrong(name, "floats") }
    return list
  }

  func string(_ name: String, _ fallback: String) throws(ImportError) -> String {
    guard let value = attribute(name) else { return fallback }
    guard case .string(let range) = value else { throw wrong(name, "a string") }
    return try file.text(range)
  }

  func strings(_ name: String) throws(ImportError) -> [String]? {
    guard let value = attribute(name) else { return nil }
    guard case .strings(let ranges) = value else { throw wrong(name, "strings") }
    var list: [String] = []
    for range in ranges { list.append(try file.text(range)) }
    return list
  }
}
