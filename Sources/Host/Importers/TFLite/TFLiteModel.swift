// What a TFLite file holds: subgraphs of tensors and operators, operator codes and buffers.
import Graphs
import Tensors

/// How a tensor's integers stand for real numbers: real = scale · (integer − zero point).
struct TFLiteQuantization {
  /// One number, or one per slice of `axis`.
  var scales: [Float] = []
  var zeroPoints: [Int] = []
  var axis = 0

  var isPerTensor: Bool { scales.count == 1 }
  func zeroPoint(_ i: Int) -> Int { zeroPoints.count == 1 ? zeroPoints[0] : zeroPoints[i] }
}

/// One tensor of a subgraph.
struct TFLiteTensor {
  var name: String
  /// TensorType of the schema.
  var type: Int
  var shape: [Int]
  /// −1 where an extent is open; empty where none is.
  var signature: [Int]
  var buffer: Int
  var quantization: TFLiteQuantization?
  var isVariable: Bool
  var offset: Int

  /// The type of an element; nil for those we do not hold.
  var elementType: ElementType? { TFLiteTensor.elementType(type) }

  static func elementType(_ type: Int) -> ElementType? {
    switch type {
    case 0: .f32
    case 1: .f16
    case 2: .i32
    case 3: .u8
    case 4: .i64
    case 6: .bool
    case 7: .i16
    case 9: .i8
    case 10: .f64
    case 12: .u64
    case 15: .u32
    case 16: .u16
    default: nil
    }
  }

  /// Pairs of f32.
  var isComplex: Bool { type == 8 }
  /// A handle of a variable.
  var isResource: Bool { type == 13 }
}

/// One operator applied to tensors of its subgraph; −1 for an input that is left out.
struct TFLiteOperator {
  var code: Int
  var custom: String
  var version: Int
  var inputs: [Int]
  var outputs: [Int]
  var options: FlatTable?
  var customOptions: Range<Int>
  /// Tensors that describe what the operator computes on its way; −1 where there is none.
  var intermediates: [Int] = []
  var index: Int
}

struct TFLiteSubgraph {
  var name: String
  var tensors: [TFLiteTensor]
  var inputs: [Int]
  var outputs: [Int]
  var operators: [TFLiteOperator]
}

/// A whole file.
struct TFLiteModel {
  let file: ModelFile
  private(set) var subgraphs: [TFLiteSubgraph] = []
  private var buffers: [Range<Int>] = []

  init(reading file: ModelFile) throws(ImportError) {
    self.file = file
    let root = try FlatTable(rootOf: file)
    let version = try root.integer(0)
    guard version == 3 else {
      throw file.malformed(root.position, "TFLite schema \(version), version 3 is supported")
    }
    for table in try root.tables(4) { buffers.append(try TFLiteModel.buffer(table)) }
    var codes: [(code: Int, custom: String, version: Int)] = []
    for table in try root.tables(1) {
      // Codes past 127 stand in a field of their own.
      let code = max(try table.byte(0), try table.integer(3))
      codes.append((code, try table.text(1) ?? "", try table.integer(2, 1)))
    }
    for table in try root.tables(2) { subgraphs.append(try subgraph(table, codes)) }
    guard !subgraphs.isEmpty else { throw file.malformed(root.position, "no subgraphs") }
  }

  private static func buffer(_ table: FlatTable) throws(ImportError) -> Range<Int> {
    let offset = try table.number(1, UInt64(0))
    let size = try table.number(2, UInt64(0))
    // Files of more than 2 GB keep buffers behind the tables.
    if offset > 1 {
      let count = UInt64(table.file.count)
      guard offset <= count, size <= count - offset else {
        throw table.file.malformed(table.position, "a buffer outside of the file")
      }
      return Int(offset)..<Int(offset + size)
    }
    return try table.bytes(0) ?? 0..<0
  }

  private func subgraph(
    _ table: FlatTable, _ codes: [(code: Int, custom: String, version: Int)]
  ) throws(ImportError) -> TFLiteSubgraph {
    var tensors: [TFLiteTensor] = []
    for t in try table.tables(0) { tensors.append(try tensor(t)) }
    func check(_ list: [Int], from lowest: Int) throws(ImportError) -> [Int] {
      guard list.allSatisfy({ $0 >= lowest && $0 < tensors.count }) else {
        throw file.malformed(table.position, "a tensor number past the \(tensors.count) there are")
      }
      return list
    }
    var operators: [TFLiteOperator] = []
    for (i, o) in try table.tables(3).enumerated() {
      let number = try o.integer(0)
      guard codes.indices.contains(number) else {
        throw file.malformed(o.position, "operator code \(number) of \(codes.count)")
      }
      let code = codes[number]
      operators.append(
        TFLiteOperator(
          code: code.code, custom: code.custom, version: code.version,
          inputs: try check(try o.integers(1), from: -1),
          outputs: try check(try o.integers(2), from: 0), options: try o.table(4),
          customOptions: try o.bytes(5) ?? 0..<0,
          intermediates: try check(try o.integers(8), from: -1), index: i))
    }
    return TFLiteSubgraph(
      name: try table.text(4) ?? "", tensors: tensors,
      inputs: try check(try table.integers(1), from: 0),
      outputs: try check(try table.integers(2), from: 0), operators: operators)
  }

  private func tensor(_ table: FlatTable) throws(ImportError) -> TFLiteTensor {
    let shape = try table.integers(0)
    guard shape.count <= Shape.maximumRank, shape.allSatisfy({ $0 >= 0 }) else {
      throw file.malformed(table.position, "a tensor of \(shape.count) axes or of negative extents")
    }
    let signature = try table.integers(7)
    guard signature.isEmpty || signature.count == shape.count else {
      throw file.malformed(table.position, "a shape signature of another rank")
    }
    let buffer = Int(try table.number(2, UInt32(0)))
    guard buffer < max(buffers.count, 1) else {
      throw file.malformed(table.position, "buffer \(buffer) of \(buffers.count)")
    }
    guard try table.table(6) == nil else {
      throw file.malformed(table.position, "a sparse tensor, which is not supported")
    }
    return TFLiteTensor(
      name: try table.text(3) ?? "", type: try table.byte(1), shape: shape, signature: signature,
      buffer: buffer, quantization: try quantization(table, shape),
      isVariable: try table.bool(5), offset: table.position)
  }

  private func quantization(
    _ table: FlatTable, _ shape: [Int]
  ) throws(ImportError) -> TFLiteQuantization? {
    guard let q = try table.table(4) else { return nil }
    let scales = try q.floats(2)
    guard !scales.isEmpty else { return nil }
    var zeros = try q.numbers(3, Int64.self).map { Int(clamping: $0) }
    if zeros.isEmpty { zeros = [0] }
    let axis = try q.integer(6)
    let isSound =
      scales.allSatisfy { $0 >= 0 && $0.isFinite }
      && (zeros.count == 1 || zeros.count == scales.count)
      && zeros.allSatisfy { $0 >= -1 << 16 && $0 <= 1 << 16 }
      && (scales.count == 1 || shape.indices.contains(axis) && shape[axis] == scales.count)
    guard isSound else {
      throw file.malformed(q.position, "\(scales.count) scales that do not fit their tensor")
    }
    return TFLiteQuantization(scales: scales, zeroPoints: zeros, axis: axis)
  }

  /// The bytes of a tensor that the file holds; nil for the others.
  func data(_ tensor: TFLiteTensor) -> Range<Int>? {
    guard buffers.indices.contains(tensor.buffer) else { return nil }
    let range = buffers[tensor.buffer]
    // Buffer 0 is empty by convention; so is a tensor of no elements.
    return range.isEmpty && !(tensor.buffer != 0 && tensor.shape.contains(0)) ? nil : range
  }

  /// The constant that `tensor` is, as a view of the file; nil where something computes it.
  func constant(_ tensor: TFLiteTensor) throws(ImportError) -> Constant? {
    guard let range = data(tensor) else { return nil }
    let shape = Shape(tensor.shape)
    guard let type = tensor.elementType else {
      // 4-bit integers, two to a byte, the first in the low half.
      if tensor.type == 17 { return try nibbles(tensor, range) }
      throw file.malformed(tensor.offset, "constant '\(tensor.name)' of type \(tensor.type)")
    }
    guard let count = shape.checkedElementCount,
      !count.multipliedReportingOverflow(by: 8).overflow,
      count * type.byteCount == range.count
    else {
      throw file.malformed(
        tensor.offset, "'\(tensor.name)' \(shape) \(type.name) has \(range.count) bytes")
    }
    return Constant(
      elementType: type, shape: shape, viewing: try file.view(range), owner: file)
  }

  private func nibbles(
    _ tensor: TFLiteTensor, _ range: Range<Int>
  ) throws(ImportError) -> Constant {
    let shape = Shape(tensor.shape)
    guard let count = shape.checkedElementCount, count / 2 + count % 2 == range.count else {
      throw file.malformed(tensor.offset, "'\(tensor.name)' has \(range.count) bytes")
    }
    let source = try file.view(range)
    return Constant(elementType: .i8, shape: shape) { out in
      for i in 0..<count {
        let byte = source[i / 2]
        let nibble = i % 2 == 0 ? byte & 15 : byte >> 4
        out[i] = UInt8(bitPattern: Int8(bitPattern: nibble << 4) >> 4)
      }
    }
  }
}
