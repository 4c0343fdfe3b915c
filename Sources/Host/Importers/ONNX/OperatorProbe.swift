// One-node models for every ONNX operator, to find out which element types its import takes.
import Graphs
import Operators
import Tensors

/// What one operator is tried with: inputs and attributes that its specification allows.
struct OperatorProbe: Sendable {
  enum Input: Sendable {
    /// Run-time data of the element type that is tried.
    case data([Int])
    /// Run-time data of a fixed type.
    case typed(ElementType, [Int])
    /// A constant of the element type that is tried, all zeros.
    case weight([Int])
    /// A constant scalar of the element type that is tried.
    case number(Int)
    /// A constant vector, or a scalar where `isScalar`.
    case integers([Int], isScalar: Bool = false)
    case floats([Float], isScalar: Bool = false)
    case absent
  }

  enum Attribute: Sendable {
    case integer(Int)
    case float(Float)
    case integers([Int])
    case floats([Float])
    case text(String)
    case texts([String])
  }

  var inputs: [Input]
  var attributes: [(String, Attribute)]
  var outputCount: Int

  init(_ inputs: [Input], _ attributes: [(String, Attribute)] = [], outputs: Int = 1) {
    self.inputs = inputs
    self.attributes = attributes
    outputCount = outputs
  }

  /// The model of this one node with data of `type`; nil where the operator's import or its shape
  /// rules refuse it.
  func graph(_ row: ONNXOperator, opset: Int, _ type: ElementType) -> Graph? {
    // Strings of attributes are ranges of the model's file.
    var bytes: [UInt8] = [0x20]
    func range(_ text: String) -> Range<Int> {
      let start = bytes.count
      bytes += Array(text.utf8)
      return start..<bytes.count
    }
    var node = ONNXNode()
    node.type = row.name
    node.domain = row.domain
    node.name = "probe"
    for (name, value) in attributes {
      var attribute = ONNXAttribute()
      attribute.name = name
      switch value {
      case .integer(let i): attribute.value = .integer(Int64(i))
      case .float(let f): attribute.value = .float(f)
      case .integers(let list): attribute.value = .integers(list.map { Int64($0) })
      case .floats(let list): attribute.value = .floats(list)
      case .text(let text): attribute.value = .string(range(text))
      case .texts(let list): attribute.value = .strings(list.map { range($0) })
      }
      node.attributes.append(attribute)
    }
    var builder = ONNXGraphBuilder(ModelFile(copying: bytes, path: "probe"), name: "probe")
    do throws(ImportError) {
      for (i, input) in inputs.enumerated() {
        let name = "x\(i)"
        node.inputs.append(try add(input, name, type, to: &builder) ? name : "")
      }
      node.outputs = (0..<outputCount).map { "y\($0)" }
      try builder.add(node, opset: opset, row.build)
      for name in node.outputs {
        builder.graph.addOutput(name, try builder.value(named: name))
      }
    } catch {
      return nil
    }
    guard (try? builder.graph.verify()) != nil,
      let evaluation = try? Evaluation(builder.graph, bindings: [:]),
      !evaluation.isOpen.contains(true) || OperatorProbe.takesSamples(builder.graph)
    else { return nil }
    return builder.graph
  }

  /// Whether shapes that follow from data can be found for some: small numbers in every type.
  private static func takesSamples(_ start: Graph) -> Bool {
    var graph = start
    for input in graph.inputs {
      var shape = Shape()
      for case .constant(let extent) in input.dimensions { shape.append(extent) }
      let integers = Constant(
        elementType: .u8, shape: shape, { out in for i in out.indices { out[i] = UInt8(i % 2) } })
      let sample = Constant(elementType: input.elementType, shape: shape) { out in
        let view = TensorView(
          base: out.baseAddress, byteCount: out.count, elementType: input.elementType, shape: shape)
        if out.count > 0 { Cast(to: input.elementType).convert(integers.view, to: view) }
      }
      let texts = (0..<shape.elementCount).map { [UInt8(ascii: $0 % 2 == 0 ? "0" : "1")] }
      graph[input.value].constant =
        input.elementType == .string ? Constant(texts: texts, shape: shape) : sample
    }
    graph.inputs = []
    return (try? Evaluation(graph, bindings: [:])) != nil
  }

  /// Adds one input under `name`; false where it is left out.
  private func add(
    _ input: Input, _ name: String, _ type: ElementType, to builder: inout ONNXGraphBuilder
  ) throws(ImportError) -> Bool {
    func constant(_ constant: Constant) throws(ImportError) {
      try builder.bind(name, builder.addConstant(constant, name: name), offset: 0)
    }
    func data(_ type: ElementType, _ shape: [Int]) throws(ImportError) {
      let value = builder.graph.addInput(name, type, shape.map { .constant($0) })
      try builder.bind(name, value, offset: 0)
      builder.facts.set(builder.graph.inputs[builder.graph.inputs.count - 1])
    }
    switch input {
    case .absent: return false
    case .data(let shape): try data(type, shape)
    case .typed(let type, let shape): try data(type, shape)
    case .weight(let shape):
      try constant(
        Constant(elementType: type, shape: Shape(shape)) { out in
          out.initializeMemory(as: UInt8.self, repeating: 0)
        })
    case .number(let n):
      let wide = builder.addConstant(Constant(floats: [Float(n)], shape: Shape()))
      try builder.bind(name, builder.add(.cast(Cast(to: type)), [wide]), offset: 0)
    case .integers(let list, let isScalar):
      try constant(Constant(integers: list, shape: isScalar ? Shape() : Shape([list.count])))
    case .floats(let list, let isScalar):
      try constant(Constant(floats: list, shape: isScalar ? Shape() : Shape([list.count])))
    }
    return true
  }

  static func opset(_ row: ONNXOperator) -> Int {
    row.domain.isEmpty ? ONNXOperator.supportedOpsets.upperBound : row.since
  }

  /// The probes that the operator takes with at least one of the usual types.
  static func fitting(_ row: ONNXOperator) -> [OperatorProbe] {
    let usual: [ElementType] = [.f32, .i64, .u8, .i8, .bool]
    return (particular[row.name] ?? general).filter { probe in
      usual.contains { probe.graph(row, opset: opset(row), $0) != nil }
    }
  }
}
