// A model as imported: nodes that turn values into values.
import Operators
import Tensors

/// A value's number in its graph.
public struct ValueID: Hashable, Sendable, Comparable {
  public var index: Int
  public init(_ index: Int) { self.index = index }
  public static func < (a: ValueID, b: ValueID) -> Bool { a.index < b.index }
}

/// One extent of a graph input: a number or a named symbol that stays open.
public enum GraphDimension: Equatable, Sendable {
  case constant(Int)
  case symbol(String)
}

/// A tensor that flows through the graph.
public struct Value: Sendable {
  public var name: String
  /// The bytes, where the value is a constant.
  public var constant: Constant?

  public init(name: String, constant: Constant? = nil) {
    self.name = name
    self.constant = constant
  }
}

/// One operator applied to values. An optional input that is left out is nil.
public struct Node: Sendable {
  public var name: String
  public var op: Operator
  public var inputs: [ValueID?]
  public var outputs: [ValueID]

  public init(name: String, op: Operator, inputs: [ValueID?], outputs: [ValueID]) {
    self.name = name
    self.op = op
    self.inputs = inputs
    self.outputs = outputs
  }
}

/// A value that the caller gives.
public struct GraphInput: Sendable {
  public var value: ValueID
  public var elementType: ElementType
  /// Empty where the input is open.
  public var dimensions: [GraphDimension]
  /// True for inputs of any number of axes: the inputs of bodies are.
  public var isOpen: Bool

  public init(
    value: ValueID, elementType: ElementType, dimensions: [GraphDimension], isOpen: Bool = false
  ) {
    self.value = value
    self.elementType = elementType
    self.dimensions = dimensions
    self.isOpen = isOpen
  }
}

/// A value that the caller wants, under the name the model gives it.
public struct GraphOutput: Sendable {
  public var name: String
  public var value: ValueID

  public init(name: String, value: ValueID) {
    self.name = name
    self.value = value
  }
}

/// State carried from call to call: after a run `next` becomes the input `input`, an index into
/// `Graph.inputs`.
public struct GraphState: Sendable {
  public var input: Int
  public var next: ValueID

  public init(input: Int, next: ValueID) {
    self.input = input
    self.next = next
  }
}

/// A tensor of a model's file that no operator reads.
public struct UnusedTensor: Equatable, Sendable {
  public var name: String
  public var byteCount: Int

  public init(name: String, byteCount: Int) {
    self.name = name
    self.byteCount = byteCount
  }
}

/// A model between import and lowering. Passes take a graph and return another; nothing edits one that
/// somebody else holds.
public struct Graph: Sendable {
  public var name: String
  public var values: [Value] = []
  /// In an order in which they can run.
  public var nodes: [Node] = []
  public var inputs: [GraphInput] = []
  public var outputs: [GraphOutput] = []
  public var states: [GraphState] = []
  /// What import and rewriting did, for `inspect --explain`: rule or decomposition → count.
  public var history: [String: Int] = [:]
  /// The same one by one, in order: which nodes went and which came.
  public var events: [GraphEvent] = []
  /// The largest value a symbol may take, where the model sets one (a position table, for example).
  public var limits: [String: Int] = [:]
  /// Graphs that nodes of this one run, by the numbers their operators hold: branches, bodies of loops.
  /// They see nothing of this graph but what the node gives them; all their inputs are open.
  public var bodies: [Graph] = []

  /// Tensors that the model's file holds and nothing in it reads.
  public var unusedTensors: [UnusedTensor] = []

  /// Names of the classes that the model tells apart, where its file gives them.
  public var labels: [String] = []

  public init(name: String) { self.name = name }

  public subscript(value: ValueID) -> Value {
    get { values[value.index] }
    set { values[value.index] = newValue }
  }

  /// Names of the open extents, in order of first appearance.
  public var symbols: [String] {
    var names: [String] = []
    for input in inputs {
      for case .symbol(let name) in input.dimensions where !names.contains(name) {
        names.append(name)
      }
    }
    return names
  }

  /// Nodes that are the same but for their operator's attributes count as one kind.
  public var operatorCounts: [String: Int] {
    var counts: [String: Int] = [:]
    for node in nodes { counts[node.op.name, default: 0] += 1 }
    for body in bodies { counts.merge(body.operatorCounts, uniquingKeysWith: +) }
    return counts
  }

  /// Counts and keeps what was done.
  public mutating func record(_ what: String, before: [String], after: [String] = []) {
    history[what, default: 0] += 1
    events.append(GraphEvent(what, before: before, after: after))
  }

  // MARK: Building

  /// A new value.
  public mutating func addValue(_ name: String, constant: Constant? = nil) -> ValueID {
    values.append(Value(name: name, constant: constant))
    return ValueID(values.count - 1)
  }

  public mutating func addConstant(_ name: String, _ constant: Constant) -> ValueID {
    addValue(name, constant: constant)
  }

  public mutating func addInput(
    _ name: String, _ elementType: ElementType, _ dimensions: [GraphDimension]
  ) -> ValueID {
    let value = addValue(name)
    inputs.append(GraphInput(value: value, elementType: elementType, dimensions: dimensions))
    return value
  }

  /// Appends a node with one new output and returns that.
  @discardableResult
  public mutating func add(_ op: Operator, _ inputs: [ValueID?], name: String) -> ValueID {
    let output = addValue(name)
    nodes.append(Node(name: name, op: op, inputs: inputs, outputs: [output]))
    return output
  }

  /// An input of any shape.
  public mutating func addOpenInput(_ name: String, _ elementType: ElementType) -> ValueID {
    let value = addValue(name)
    inputs.append(
      GraphInput(value: value, elementType: elementType, dimensions: [], isOpen: true))
    return value
  }

  public mutating func addOutput(_ name: String, _ value: ValueID) {
    outputs.append(GraphOutput(name: name, value: value))
  }
}
