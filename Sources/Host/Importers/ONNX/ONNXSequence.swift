// SequenceProto and OptionalProto: how ONNX's tests hold sequences.
import Graphs
import Tensors

extension ONNXTensor {
  /// The one value that `file` holds: a tensor, or a sequence or an optional of values.
  public static func read(
    _ file: ModelFile, as kind: ONNXValueInfo.Kind
  ) throws(ImportError) -> Constant {
    switch kind {
    case .tensor: return try read(file)
    case .sequence: return try sequence(file, 0..<file.count, isOptional: false, depth: 0)
    case .optional: return try sequence(file, 0..<file.count, isOptional: true, depth: 0)
    }
  }

  /// In both messages field 3 is a tensor, 5 a sequence and 7 an optional, each maybe many times.
  private static func sequence(
    _ file: ModelFile, _ range: Range<Int>, isOptional: Bool, depth: Int
  ) throws(ImportError) -> Constant {
    guard depth < 8 else {
      throw file.malformed(range.lowerBound, "sequences are nested deeper than 8")
    }
    var files = ONNXTensorFiles(file)
    var reader = try ProtobufReader(file, range)
    var items: [Constant] = []
    while let field = try reader.next() {
      try ONNXModel.bound(items.count, ONNXLimit.names, field, file)
      switch field.number {
      case 3:
        let tensor = try ONNXTensor(file, try reader.range(field))
        guard !tensor.isExternal else {
          throw file.malformed(field.offset, "its elements are in another file")
        }
        items.append(try tensor.constant(&files))
      case 5, 7:
        items.append(
          try sequence(
            file, try reader.range(field), isOptional: field.number == 7, depth: depth + 1))
      case 4, 6: throw file.malformed(field.offset, "maps and sparse tensors are not supported")
      default: break
      }
    }
    guard !isOptional || items.count <= 1 else {
      throw file.malformed(range.lowerBound, "an optional with \(items.count) items")
    }
    return Constant(sequence: items, isOptional: isOptional)
  }
}
