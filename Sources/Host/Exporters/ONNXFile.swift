// An ONNX model in the making: nodes, constants, inputs and outputs, and their bytes.
import Graphs
import Tensors

/// The value of a node's attribute.
enum ONNXAttributeValue: Equatable, Sendable {
  case integer(Int)
  case float(Float)
  case text(String)
  case integers([Int])
}

/// An attribute with its name.
struct ONNXAttributeField: Equatable, Sendable {
  var name: String
  var value: ONNXAttributeValue

  init(_ name: String, _ value: ONNXAttributeValue) {
    self.name = name
    self.value = value
  }
}

/// A model of standard operators.
struct ONNXFile {
  /// The first opset with everything that is written here: LayerNormalization is of 17.
  static let opset = 17
  /// The file version that came with that opset.
  static let version = 8

  private let name: String
  private var nodes: [ProtobufWriter] = []
  private var tensors: [ProtobufWriter] = []
  private var inputs: [ProtobufWriter] = []
  private var outputs: [ProtobufWriter] = []

  init(name: String) { self.name = name }

  /// TensorProto.DataType of the element types that graphs written here hold.
  static func number(of type: ElementType) -> Int? {
    switch type {
    case .f32: 1
    case .u8: 2
    case .i8: 3
    case .i32: 6
    case .i64: 7
    case .bool: 9
    default: nil
    }
  }

  // MARK: Parts

  /// inputs: names; an empty one leaves an optional input out.
  mutating func add(
    _ type: String, _ inputs: [String], _ outputs: [String], name: String,
    _ attributes: [ONNXAttributeField] = []
  ) {
    var node = ProtobufWriter()
    for input in inputs { node.put(1, text: input) }
    for output in outputs { node.put(2, text: output) }
    node.put(3, text: name)
    node.put(4, text: type)
    for attribute in attributes { node.put(5, message: ONNXFile.message(attribute)) }
    nodes.append(node)
  }

  private static func message(_ attribute: ONNXAttributeField) -> ProtobufWriter {
    var message = ProtobufWriter()
    message.put(1, text: attribute.name)
    switch attribute.value {
    case .float(let value):
      message.put(2, float: value)
      message.put(20, integer: 1)
    case .integer(let value):
      message.put(3, integer: value)
      message.put(20, integer: 2)
    case .text(let value):
      message.put(4, text: value)
      message.put(20, integer: 3)
    case .integers(let list):
      for value in list { message.put(8, integer: value) }
      message.put(20, integer: 7)
    }
    return message
  }

  /// A constant with its elements as they lie in memory, little-endian.
  mutating func addTensor(
    _ name: String, type: ElementType, _ dimensions: [Int], bytes: some Collection<UInt8>
  ) {
    var tensor = ProtobufWriter()
    for extent in dimensions { tensor.put(1, integer: extent) }
    tensor.put(2, integer: ONNXFile.number(of: type) ?? 0)
    tensor.put(8, text: name)
    tensor.put(9, bytes: bytes)
    tensors.append(tensor)
  }

  mutating func addTensor(_ name: String, _ constant: Constant) {
    addTensor(
      name, type: constant.elementType, constant.shape.dimensions, bytes: constant.bytes)
  }

  mutating func addInput(_ name: String, _ type: ElementType, _ dimensions: [Int]) {
    inputs.append(ONNXFile.info(name, type, dimensions))
  }

  mutating func addOutput(_ name: String, _ type: ElementType, _ dimensions: [Int]) {
    outputs.append(ONNXFile.info(name, type, dimensions))
  }

  private static func info(
    _ name: String, _ type: ElementType, _ dimensions: [Int]
  ) -> ProtobufWriter {
    var shape = ProtobufWriter()
    for extent in dimensions {
      var dimension = ProtobufWriter()
      dimension.put(1, integer: extent)
      shape.put(1, message: dimension)
    }
    var tensor = ProtobufWriter()
    tensor.put(1, integer: number(of: type) ?? 0)
    tensor.put(2, message: shape)
    var kind = ProtobufWriter()
    kind.put(1, message: tensor)
    var info = ProtobufWriter()
    info.put(1, text: name)
    info.put(2, message: kind)
    return info
  }

  // MARK: Bytes

  /// The whole file.
  var bytes: [UInt8] {
    var graph = ProtobufWriter()
    for node in nodes { graph.put(1, message: node) }
    graph.put(2, text: name)
    for tensor in tensors { graph.put(5, message: tensor) }
    for input in inputs { graph.put(11, message: input) }
    for output in outputs { graph.put(12, message: output) }
    var standard = ProtobufWriter()
    standard.put(1, text: "")
    standard.put(2, integer: ONNXFile.opset)
    var model = ProtobufWriter()
    model.put(1, integer: ONNXFile.version)
    model.put(2, text: "knapsack")
    model.put(7, message: graph)
    model.put(8, message: standard)
    return model.bytes
  }
}
