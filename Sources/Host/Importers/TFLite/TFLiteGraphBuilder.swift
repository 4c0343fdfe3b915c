// The graph while a TFLite model becomes one, and what an operator's import function asks of it.
import Graphs
import Operators
import Tensors

/// Builds the graph operator by operator.
///
/// TFLite keeps channels last and the f32 operators here keep them first. So a tensor of four axes may
/// be there both ways, and what reads it takes the way it likes; the other one is made when asked
/// for.
struct TFLiteGraphBuilder {
  let context: TFLiteContext
  var graph: Graph
  var states: [String: TFLiteVariable] = [:]
  /// The subgraph being imported and what is known of its tensors.
  var scope: TFLiteScope
  /// How many bodies this one lies in.
  let depth: Int

  /// The operator being imported.
  var node: TFLiteOperator
  var label = ""

  init(_ context: TFLiteContext, _ subgraph: TFLiteSubgraph, depth: Int = 0) {
    self.context = context
    self.depth = depth
    scope = TFLiteScope(subgraph: subgraph)
    graph = Graph(name: subgraph.name.isEmpty ? "model" : subgraph.name)
    node = TFLiteOperator(
      code: -1, custom: "", version: 0, inputs: [], outputs: [], options: nil,
      customOptions: 0..<0, index: 0)
  }

  var model: TFLiteModel { context.model }
  var subgraph: TFLiteSubgraph { scope.subgraph }

  mutating func start(_ node: TFLiteOperator, _ name: String) {
    self.node = node
    label = node.outputs.first.map { subgraph.tensors[$0].name } ?? "\(name)_\(node.index)"
  }

  var name: String { TFLiteOperatorTable.name(node) }

  /// The refusal of the current operator.
  func fail(_ what: String) -> ImportError {
    ImportError(file: model.file.path, .node(name: label, operator: name, what))
  }

  mutating func note(_ what: String) { graph.history[what, default: 0] += 1 }

  // MARK: Tensors

  var inputCount: Int { node.inputs.count }
  func has(_ i: Int) -> Bool { node.inputs.indices.contains(i) && node.inputs[i] >= 0 }

  /// The number of input `i`, which must be there.
  func number(_ i: Int) throws(ImportError) -> Int {
    guard has(i) else { throw fail("input \(i) is missing") }
    return node.inputs[i]
  }

  func tensor(_ i: Int) throws(ImportError) -> TFLiteTensor { subgraph.tensors[try number(i)] }

  func outputNumber(_ i: Int = 0) throws(ImportError) -> Int {
    guard node.outputs.indices.contains(i) else { throw fail("output \(i) is missing") }
    return node.outputs[i]
  }

  func outputTensor(_ i: Int = 0) throws(ImportError) -> TFLiteTensor {
    subgraph.tensors[try outputNumber(i)]
  }

  /// The value of tensor `t`, axes as in the file.
  mutating func value(of t: Int) throws(ImportError) -> ValueID {
    if let value = scope.values[t] { return value }
    let tensor = subgraph.tensors[t]
    if let first = scope.turned[t] {
      let value = add(.transpose(Transpose(IntegerList([0, 2, 3, 1]))), [first])
      scope.values[t] = value
      return value
    }
    guard let constant = try model.constant(tensor) else {
      throw fail("reads '\(tensor.name)', which nothing before it writes")
    }
    let value = graph.addConstant(tensor.name, constant.withFloatsAsF32())
    scope.values[t] = value
    return value
  }

  mutating func input(_ i: Int) throws(ImportError) -> ValueID { try value(of: try number(i)) }

  mutating func optional(_ i: Int) throws(ImportError) -> ValueID? {
    has(i) ? try input(i) : nil
  }

  /// Input `i` of four axes with its channels first.
  mutating func channelsFirst(_ i: Int) throws(ImportError) -> ValueID {
    let t = try number(i)
    guard subgraph.tensors[t].shape.count == 4 else {
      throw fail("expected 4 axes, found \(subgraph.tensors[t].shape.count)")
    }
    if let value = scope.turned[t] { return value }
    let value = add(.transpose(Transpose(IntegerList([0, 3, 1, 2]))), [try self.value(of: t)])
    scope.turned[t] = value
    return value
  }

  /// Whether tensor `t` is there with its channels first.
  func isTurned(_ t: Int) -> Bool { scope.turned[t] != nil }

  mutating func bind(_ t: Int, _ value: ValueID, channelsFirst: Bool = false) throws(ImportError) {
    guard scope.values[t] == nil, scope.turned[t] == nil || !channelsFirst else {
      throw fail("tensor '\(subgraph.tensors[t].name)' is written twice")
    }
    // Only what this operator made: others have names of their own.
    if graph.values[value.index].constant == nil, !channelsFirst,
      graph[value].name.hasPrefix(label + ".")
    {
      graph[value].name = subgraph.tensors[t].name
    }
    if channelsFirst { scope.turned[t] = value } else { scope.values[t] = value }
  }

  /// Gives output `i` its value.
  mutating func set(
    _ value: ValueID, _ i: Int = 0, channelsFirst: Bool = false
  ) throws(ImportError) {
    try bind(try outputNumber(i), value, channelsFirst: channelsFirst)
  }

  /// The elements of input `i`, which the file must hold.
  func integers(_ i: Int, _ what: String) throws(ImportError) -> [Int] {
    guard let constant = try model.constant(try tensor(i)), let list = constant.integers,
      list.count <= 65536
    else { throw fail("\(what) must be constant integers") }
    return list
  }

  func isConstant(_ i: Int) throws(ImportError) -> Bool {
    has(i) ? model.data(try tensor(i)) != nil : false
  }

  /// The shape of a tensor as the file declares it.
  func shape(_ t: TFLiteTensor) -> [Int] { t.shape }

  func list(_ integers: [Int]) throws(ImportError) -> IntegerList {
    guard integers.count <= IntegerList.capacity else {
      throw fail("\(integers.count) numbers, at most 16 are taken")
    }
    return IntegerList(integers)
  }

  /// An axis counted from the front.
  func axis(_ axis: Int, rank: Int) throws(ImportError) -> Int {
    let a = axis < 0 ? axis + rank : axis
    guard a >= 0, a < max(rank, 1) else { throw fail("axis \(axis) of \(rank)") }
    return a
  }

  // MARK: Nodes

  private func freshName() -> String { "\(label).\(graph.values.count)" }

  mutating func add(_ op: Operator, _ inputs: [ValueID?]) -> ValueID {
    graph.add(op, inputs, name: freshName())
  }

  mutating func add(_ op: Operator, _ inputs: [ValueID?], outputs: Int) -> [ValueID] {
    let made = (0..<outputs).map { _ in graph.addValue(freshName()) }
    graph.nodes.append(Node(name: label, op: op, inputs: inputs, outputs: made))
    return made
  }

  mutating func constant(_ constant: Constant) -> ValueID {
    graph.addConstant(freshName(), constant)
  }

  mutating func constant(_ integers: [Int]) -> ValueID {
    constant(Constant(integers: integers, shape: Shape([integers.count])))
  }

  mutating func scalar(_ value: Float) -> ValueID {
    constant(Constant(floats: [value], shape: Shape()))
  }

  /// A constant of one element of an integer type.
  mutating func scalar(_ value: Int, _ type: ElementType) -> ValueID {
    constant(Constant(type, [value], Shape()))
  }

  /// What TFLite fuses behind an operator, on f32.
  mutating func activated(_ x: ValueID, _ code: Int) throws(ImportError) -> ValueID {
    switch code {
    case 0: x
    case 1: add(.unary(Unary(.relu)), [x])
    case 2: add(.unary(Unary(.clip, -1, 1)), [x])
    case 3: add(.unary(Unary(.clip, 0, 6)), [x])
    case 4: add(.unary(Unary(.tanh)), [x])
    default: throw fail("fused activation \(code) is not supported")
    }
  }

  // MARK: Quantization

  /// The one scale and zero point of a tensor of integers.
  func quantization(_ t: TFLiteTensor) throws(ImportError) -> (scale: Float, zero: Int) {
    guard let q = t.quantization, q.isPerTensor, q.scales[0] > 0 else {
      throw fail("'\(t.name)' has no scale of its own")
    }
    let range = t.elementType.map(TFLiteGraphBuilder.range) ?? 0...0
    guard range.contains(q.zeroPoint(0)) else {
      throw fail("zero point \(q.zeroPoint(0)) of '\(t.name)' is out of range")
    }
    return (q.scales[0], q.zeroPoint(0))
  }

  /// What an integer type holds.
  static func range(_ type: ElementType) -> ClosedRange<Int> {
    switch type {
    case .i8: -128...127
    case .u8: 0...255
    case .i16: -32768...32767
    case .u16: 0...65535
    case .i32: Int(Int32.min)...Int(Int32.max)
    default: Int.min...Int.max
    }
  }

  /// True for the integers of quantized tensors.
  func isQuantized(_ t: TFLiteTensor) -> Bool {
    switch t.elementType {
    case .i8, .u8, .i16: t.quantization != nil
    default: false
    }
  }
}

/// What names stand for while one subgraph is imported.
struct TFLiteScope {
  var subgraph: TFLiteSubgraph
  /// Values by tensor number, in TFLite's order of axes.
  var values: [Int: ValueID] = [:]
  /// The same with channels first: [n, c, h, w].
  var turned: [Int: ValueID] = [:]
  /// The state that a variable handle's tensor stands for.
  var variables: [Int: String] = [:]

  init(subgraph: TFLiteSubgraph) { self.subgraph = subgraph }
}

/// A variable of the model, which becomes a state of the graph.
struct TFLiteVariable {
  var input: Int
  var value: ValueID
  var current: ValueID
}

extension Constant {
  /// Integers as `type`, which must hold them.
  convenience init(_ type: ElementType, _ integers: [Int], _ shape: Shape) {
    precondition(integers.count == shape.elementCount)
    self.init(elementType: type, shape: shape) { out in
      for (i, v) in integers.enumerated() {
        switch type.byteCount {
        case 1: out[i] = UInt8(truncatingIfNeeded: v)
        case 2:
          out.storeBytes(of: UInt16(truncatingIfNeeded: v), toByteOffset: 2 * i, as: UInt16.self)
        case 4:
          out.storeBytes(of: UInt32(truncatingIfNeeded: v), toByteOffset: 4 * i, as: UInt32.self)
        default: out.storeBytes(of: Int64(v), toByteOffset: 8 * i, as: Int64.self)
        }
      }
    }
  }
}
