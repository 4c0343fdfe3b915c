// A tiny writer of ONNX files, for models that tests make up.
import Importers

/// Bytes of a protobuf message.
struct Protobuf {
  var bytes: [UInt8] = []

  static func varint(_ value: UInt64) -> [UInt8] {
    var value = value
    var bytes: [UInt8] = []
    while value >= 0x80 {
      bytes.append(UInt8(value & 0x7F) | 0x80)
      value >>= 7
    }
    return bytes + [UInt8(value)]
  }

  mutating func put(_ field: Int, _ value: Int) {
    bytes += Protobuf.varint(UInt64(field << 3)) + Protobuf.varint(UInt64(bitPattern: Int64(value)))
  }

  mutating func put(_ field: Int, _ contents: [UInt8]) {
    bytes += Protobuf.varint(UInt64(field << 3 | 2)) + Protobuf.varint(UInt64(contents.count))
    bytes += contents
  }

  mutating func put(_ field: Int, _ text: String) { put(field, [UInt8](text.utf8)) }
  mutating func put(_ field: Int, _ message: Protobuf) { put(field, message.bytes) }

  mutating func put(_ field: Int, _ value: Float) {
    bytes += Protobuf.varint(UInt64(field << 3 | 5))
    bytes += withUnsafeBytes(of: value.bitPattern.littleEndian) { [UInt8]($0) }
  }
}

/// A tensor, raw unless `fill` writes the elements another way.
struct ONNXTensorSketch {
  var message = Protobuf()

  init(_ name: String, type: Int, _ dimensions: [Int], _ fill: (inout Protobuf) -> Void) {
    for d in dimensions { message.put(1, d) }
    message.put(2, type)
    message.put(8, name)
    fill(&message)
  }

  static func floats(_ name: String, _ dimensions: [Int], _ values: [Float]) -> ONNXTensorSketch {
    ONNXTensorSketch(name, type: 1, dimensions) { m in
      m.put(9, values.withUnsafeBytes { [UInt8]($0) })
    }
  }

  static func integers(_ name: String, _ values: [Int]) -> ONNXTensorSketch {
    ONNXTensorSketch(name, type: 7, [values.count]) { m in
      m.put(9, values.map { Int64($0) }.withUnsafeBytes { [UInt8]($0) })
    }
  }

  /// Elements in the file `location`.
  static func external(
    _ name: String, _ dimensions: [Int], _ entries: [(String, String)]
  ) -> ONNXTensorSketch {
    ONNXTensorSketch(name, type: 1, dimensions) { m in
      for (key, value) in entries {
        var entry = Protobuf()
        entry.put(1, key)
        entry.put(2, value)
        m.put(13, entry)
      }
      m.put(14, 1)
    }
  }
}

/// An attribute value of a made-up node.
enum ONNXAttributeSketch {
  case integer(Int)
  case float(Float)
  case text(String)
  case integers([Int])
  case floats([Float])
  case tensor(ONNXTensorSketch)
}

/// A model of f32 inputs.
struct ONNXModelSketch {
  var opset: Int
  private var graph = Protobuf()
  private var extra = Protobuf()

  init(opset: Int) {
    self.opset = opset
    graph.put(2, "sketch")
  }

  /// A dimension is a number or a name.
  mutating func input(_ name: String, _ dimensions: [Any], type: Int = 1) {
    graph.put(11, ONNXModelSketch.info(name, dimensions, type))
  }

  mutating func output(_ name: String) {
    var info = Protobuf()
    info.put(1, name)
    graph.put(12, info)
  }

  mutating func output(_ name: String, _ dimensions: [Any], type: Int) {
    graph.put(12, ONNXModelSketch.info(name, dimensions, type))
  }

  private static func info(_ name: String, _ dimensions: [Any], _ type: Int) -> Protobuf {
    var shape = Protobuf()
    for d in dimensions {
      var dimension = Protobuf()
      if let n = d as? Int { dimension.put(1, n) }
      if let s = d as? String { dimension.put(2, s) }
      shape.put(1, dimension)
    }
    var tensor = Protobuf()
    tensor.put(1, type)
    tensor.put(2, shape)
    var kind = Protobuf()
    kind.put(1, tensor)
    var info = Protobuf()
    info.put(1, name)
    info.put(2, kind)
    return info
  }

  mutating func constant(_ tensor: ONNXTensorSketch) { graph.put(5, tensor.message) }

  mutating func node(
    _ type: String, _ inputs: [String], _ outputs: [String], domain: String = "",
    _ attributes: KeyValuePairs<String, ONNXAttributeSketch> = [:]
  ) {
    graph.put(1, ONNXModelSketch.node(type, inputs, outputs, domain, attributes))
  }

  mutating func node(
    _ type: String, _ inputs: [String], _ outputs: [String],
    list: [(String, ONNXAttributeSketch)]
  ) {
    graph.put(
      1, ONNXModelSketch.node(type, inputs, outputs, "", list.map { (key: $0.0, value: $0.1) }))
  }

  static func node(
    _ type: String, _ inputs: [String], _ outputs: [String], _ domain: String,
    _ attributes: some Sequence<(key: String, value: ONNXAttributeSketch)>
  ) -> Protobuf {
    var node = Protobuf()
    for name in inputs { node.put(1, name) }
    for name in outputs { node.put(2, name) }
    node.put(3, "node of \(outputs.first ?? "?")")
    node.put(4, type)
    if !domain.isEmpty { node.put(7, domain) }
    for (name, value) in attributes {
      var attribute = Protobuf()
      attribute.put(1, name)
      switch value {
      case .integer(let i):
        attribute.put(3, i)
        attribute.put(20, 2)
      case .float(let f):
        attribute.put(2, f)
        attribute.put(20, 1)
      case .text(let s):
        attribute.put(4, s)
        attribute.put(20, 3)
      case .integers(let list):
        for i in list { attribute.put(8, i) }
        attribute.put(20, 7)
      case .floats(let list):
        for f in list { attribute.put(7, f) }
        attribute.put(20, 6)
      case .tensor(let tensor):
        attribute.put(5, tensor.message)
        attribute.put(20, 4)
      }
      node.put(5, attribute)
    }
    return node
  }

  /// A function of domain `local` with these nodes.
  mutating func function(
    _ name: String, _ inputs: [String], _ outputs: [String], _ nodes: [Protobuf]
  ) {
    var function = Protobuf()
    function.put(1, name)
    for input in inputs { function.put(4, input) }
    for output in outputs { function.put(5, output) }
    for node in nodes { function.put(7, node) }
    function.put(10, "local")
    extra.put(25, function)
  }

  var bytes: [UInt8] {
    var model = Protobuf()
    model.put(1, 8)
    model.put(7, graph)
    var standard = Protobuf()
    standard.put(1, "")
    standard.put(2, opset)
    model.put(8, standard)
    var local = Protobuf()
    local.put(1, "local")
    local.put(2, 1)
    model.put(8, local)
    return model.bytes + extra.bytes
  }

  var file: ModelFile { ModelFile(copying: bytes, path: "sketch.onnx") }
}
