// ModelProto and its parts from the wire format; unknown fields are skipped.

/// Bounds on what a model may hold; more is refused where it is found.
enum ONNXLimit {
  static let nodes = 1 << 18
  /// Calls of functions in all, and nodes of a model that has such calls.
  static let calls = 1 << 13
  static let inlinedNodes = 1 << 16
  static let tensors = 1 << 16
  static let names = 1 << 16
  static let attributes = 1 << 10
}

extension ONNXModel {
  /// The model in `file`, whose tensors stay where they are.
  public init(reading file: ModelFile) throws(ImportError) {
    self.file = file
    var reader = try ProtobufReader(file)
    var graphAt: Int?
    while let field = try reader.next() {
      switch field.number {
      case 1: irVersion = try reader.integer(field)
      case 2: producer = try reader.text(field)
      case 7:
        guard graphAt == nil else {
          throw file.malformed(field.offset, "expected one graph, found a second one")
        }
        graphAt = field.offset
        graph = try ONNXGraph(file, try reader.range(field))
      case 8: try ONNXModel.readOpset(file, try reader.range(field), into: &opsets)
      case 25:
        try ONNXModel.bound(functions.count, ONNXLimit.attributes, field, file)
        functions.append(try ONNXFunction(file, try reader.range(field)))
      default: break
      }
    }
    guard graphAt != nil else {
      throw file.malformed(0, "expected an ONNX model, found no graph in it")
    }
    guard (1...64).contains(irVersion) else {
      throw file.malformed(0, "expected an ONNX model, found IR version \(irVersion)")
    }
    // Before IR version 3 files did not say which operators they mean.
    if opsets.isEmpty { opsets[""] = 1 }
  }

  static func bound(
    _ count: Int, _ limit: Int, _ field: ProtobufField, _ file: ModelFile
  ) throws(ImportError) {
    guard count < limit else {
      throw file.malformed(field.offset, "more than \(limit) entries of field \(field.number)")
    }
  }

  /// OperatorSetIdProto. Of two versions of one domain the later counts.
  static func readOpset(
    _ file: ModelFile, _ range: Range<Int>, into opsets: inout [String: Int]
  ) throws(ImportError) {
    var reader = try ProtobufReader(file, range)
    var domain = ""
    var version: Int64 = 0
    while let field = try reader.next() {
      switch field.number {
      case 1: domain = try reader.text(field)
      case 2: version = try reader.integer(field)
      default: break
      }
    }
    guard (0...1 << 20).contains(version) else {
      throw file.malformed(range.lowerBound, "opset \(version) of domain '\(domain)'")
    }
    let key = domain == "ai.onnx" ? "" : domain
    opsets[key] = max(opsets[key] ?? 0, Int(version))
  }
}

extension ONNXGraph {
  init(_ file: ModelFile, _ range: Range<Int>) throws(ImportError) {
    var reader = try ProtobufReader(file, range)
    while let field = try reader.next() {
      switch field.number {
      case 1:
        try ONNXModel.bound(nodes.count, ONNXLimit.nodes, field, file)
        nodes.append(try ONNXNode(file, try reader.range(field)))
      case 2: name = try reader.text(field)
      case 5:
        try ONNXModel.bound(initializers.count, ONNXLimit.tensors, field, file)
        initializers.append(try ONNXTensor(file, try reader.range(field)))
      case 11: try Self.append(field, &reader, file, to: &inputs)
      case 12: try Self.append(field, &reader, file, to: &outputs)
      case 13: try Self.append(field, &reader, file, to: &valueInfo)
      case 15: throw file.malformed(field.offset, "sparse initializers are not supported")
      default: break
      }
    }
  }

  private static func append(
    _ field: ProtobufField, _ reader: inout ProtobufReader, _ file: ModelFile,
    to list: inout [ONNXValueInfo]
  ) throws(ImportError) {
    try ONNXModel.bound(list.count, ONNXLimit.nodes, field, file)
    list.append(try ONNXValueInfo(file, try reader.range(field)))
  }
}

extension ONNXFunction {
  init(_ file: ModelFile, _ range: Range<Int>) throws(ImportError) {
    var reader = try ProtobufReader(file, range)
    while let field = try reader.next() {
      switch field.number {
      case 1: name = try reader.text(field)
      case 4: inputs.append(try reader.text(field))
      case 5: outputs.append(try reader.text(field))
      case 7:
        try ONNXModel.bound(nodes.count, ONNXLimit.nodes, field, file)
        nodes.append(try ONNXNode(file, try reader.range(field)))
      case 9: try ONNXModel.readOpset(file, try reader.range(field), into: &opsets)
      case 10: domain = try reader.text(field)
      case 11: attributes.append(try ONNXAttribute(file, try reader.range(field)))
      case 13: overload = try reader.text(field)
      default: break
      }
    }
  }
}

extension ONNXNode {
  init(_ file: ModelFile, _ range: Range<Int>) throws(ImportError) {
    offset = range.lowerBound
    var reader = try ProtobufReader(file, range)
    while let field = try reader.next() {
      switch field.number {
      case 1:
        try ONNXModel.bound(inputs.count, ONNXLimit.names, field, file)
        inputs.append(try reader.text(field))
      case 2:
        try ONNXModel.bound(outputs.count, ONNXLimit.names, field, file)
        outputs.append(try reader.text(field))
      case 3: name = try reader.text(field)
      case 4: type = try reader.text(field)
      case 5:
        try ONNXModel.bound(attributes.count, ONNXLimit.attributes, field, file)
        attributes.append(try ONNXAttribute(file, try reader.range(field)))
      case 7: domain = try reader.text(field)
      case 8: overload = try reader.text(field)
      default: break
      }
    }
    if domain == "ai.onnx" { domain = "" }
    guard !type.isEmpty else { throw file.malformed(offset, "a node without an operator") }
  }
}

extension ONNXAttribute {
  init(_ file: ModelFile, _ range: Range<Int>) throws(ImportError) {
    offset = range.lowerBound
    var reader = try ProtobufReader(file, range)
    var floats: [Range<Int>] = []
    var integers: [Int64] = []
    var strings: [Range<Int>] = []
    var type: Int64?
    while let field = try reader.next() {
      switch field.number {
      case 1: name = try reader.text(field)
      case 2: value = .float(try reader.float(field))
      case 3: value = .integer(try reader.integer(field))
      case 4: value = .string(try reader.range(field))
      case 5: value = .tensor(try ONNXTensor(file, try reader.range(field)))
      case 6: value = .graph(try reader.range(field))
      case 7: try reader.fixedNumbers(field, byteCount: 4, to: &floats)
      case 8: try reader.integers(field, to: &integers)
      case 9: strings.append(try reader.range(field))
      case 10, 11, 14, 15, 22, 23: value = .other
      case 20: type = try reader.integer(field)
      case 21: reference = try reader.text(field)
      default: break
      }
    }
    if !floats.isEmpty || (value == nil && type == 6) {
      var list: [Float] = []
      for range in floats {
        for at in stride(from: range.lowerBound, to: range.upperBound, by: 4) {
          let bits = file.bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)
          list.append(Float(bitPattern: UInt32(littleEndian: bits)))
        }
      }
      value = .floats(list)
    } else if !integers.isEmpty || (value == nil && type == 7) {
      value = .integers(integers)
    } else if !strings.isEmpty || (value == nil && type == 8) {
      value = .strings(strings)
    } else if value == nil {
      // A proto3 writer leaves zero and the empty string out.
      switch type {
      case 1: value = .float(0)
      case 2: value = .integer(0)
      case 3: value = .string(range.upperBound..<range.upperBound)
      default: break
      }
    }
  }
}

extension ONNXTensor {
  init(_ file: ModelFile, _ range: Range<Int>) throws(ImportError) {
    offset = range.lowerBound
    var reader = try ProtobufReader(file, range)
    while let field = try reader.next() {
      switch field.number {
      case 1: try reader.integers(field, to: &dimensions)
      case 2: elementType = try reader.integer(field)
      case 3: throw file.malformed(field.offset, "tensors in segments are not supported")
      case 4: try reader.fixedNumbers(field, byteCount: 4, to: &floatData)
      case 5, 7, 11: try reader.integers(field, to: &integerData)
      case 6: stringData.append(try reader.range(field))
      case 8: name = try reader.text(field)
      case 9: rawData = try reader.range(field)
      case 10: try reader.fixedNumbers(field, byteCount: 8, to: &doubleData)
      case 13: try readExternal(file, try reader.range(field))
      case 14: isExternal = try reader.integer(field) == 1
      default: break
      }
    }
  }

  /// One StringStringEntryProto of `external_data`.
  private mutating func readExternal(
    _ file: ModelFile, _ range: Range<Int>
  ) throws(ImportError) {
    var reader = try ProtobufReader(file, range)
    var key = ""
    var value = ""
    while let field = try reader.next() {
      switch field.number {
      case 1: key = try reader.text(field)
      case 2: value = try reader.text(field)
      default: break
      }
    }
    guard externalData.updateValue(value, forKey: key) == nil else {
      throw file.malformed(range.lowerBound, "'\(key)' of external data is there twice")
    }
    guard externalData.count <= 16 else {
      throw file.malformed(range.lowerBound, "more than 16 entries of external data")
    }
  }
}

extension ONNXValueInfo {
  init(_ file: ModelFile, _ range: Range<Int>) throws(ImportError) {
    offset = range.lowerBound
    var reader = try ProtobufReader(file, range)
    while let field = try reader.next() {
      switch field.number {
      case 1: name = try reader.text(field)
      case 2: try readType(file, try reader.range(field), depth: 0)
      default: break
      }
    }
  }

  /// TypeProto: tensors, sequences (field 4) and optionals (field 9), whose field 1 is a type again.
  private mutating func readType(
    _ file: ModelFile, _ range: Range<Int>, depth: Int
  ) throws(ImportError) {
    guard depth < 8 else { throw file.malformed(range.lowerBound, "types are nested too deep") }
    var reader = try ProtobufReader(file, range)
    while let field = try reader.next() {
      if field.number == 4 || field.number == 9 {
        if depth == 0 { kind = field.number == 4 ? .sequence : .optional }
        var inner = try ProtobufReader(file, try reader.range(field))
        while let part = try inner.next() {
          guard part.number == 1 else { continue }
          try readType(file, try inner.range(part), depth: depth + 1)
        }
        continue
      }
      guard field.number == 1 else { continue }
      var tensor = try ProtobufReader(file, try reader.range(field))
      while let part = try tensor.next() {
        switch part.number {
        case 1: elementType = try tensor.integer(part)
        case 2: try readShape(file, try tensor.range(part))
        default: break
        }
      }
    }
  }

  private mutating func readShape(_ file: ModelFile, _ range: Range<Int>) throws(ImportError) {
    var reader = try ProtobufReader(file, range)
    var list: [Dimension] = []
    while let field = try reader.next() {
      guard field.number == 1 else { continue }
      guard list.count < 64 else { throw file.malformed(field.offset, "more than 64 axes") }
      var part = try ProtobufReader(file, try reader.range(field))
      var dimension = Dimension.unknown
      while let inner = try part.next() {
        switch inner.number {
        case 1: dimension = .value(try part.integer(inner))
        case 2:
          let name = try part.text(inner)
          dimension = name.isEmpty ? .unknown : .parameter(name)
        default: break
        }
      }
      list.append(dimension)
    }
    dimensions = list
  }
}
