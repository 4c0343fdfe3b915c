// From a tensor's description to a constant of the graph: a view of the file wherever that is possible.
import Graphs
import Tensors

/// Files that tensors of one model lie in: the model itself and the external ones it names.
struct ONNXTensorFiles {
  let model: ModelFile
  private var external: [String: ModelFile] = [:]

  init(_ model: ModelFile) { self.model = model }

  /// The file `location`, which must lie in the model's folder or below it, be no link and have
  /// no second name: a model must not read what its folder does not hold.
  mutating func open(_ location: String, _ tensor: ONNXTensor) throws(ImportError) -> ModelFile {
    if let file = external[location] { return file }
    func refuse(_ why: String) -> ImportError {
      model.malformed(tensor.offset, "external data of '\(tensor.name)': \(why)")
    }
    let parts = location.split(separator: "/", omittingEmptySubsequences: false)
    guard !location.isEmpty, !location.utf8.contains(0), !location.utf8.contains(0x5C),
      parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." })
    else { throw refuse("expected a path below the model's folder, found '\(location)'") }
    var folder = model.path.lastIndex(of: "/").map { String(model.path[...$0]) } ?? "./"
    // Each folder on the way must be one itself, not a link to elsewhere.
    for part in parts.dropLast() {
      folder += part
      guard FileKind(linkAt: folder) == .folder else {
        throw refuse("'\(folder)' is not a folder")
      }
      folder += "/"
    }
    let path = folder + parts[parts.count - 1]
    do throws(ImportError) {
      let file = try ModelFile(mapping: path, followsLinks: false)
      external[location] = file
      return file
    } catch {
      guard case .unreadable(let why) = error.reason else { throw error }
      throw refuse("'\(path)': \(why)")
    }
  }
}

extension ONNXTensor {
  /// ONNX element types by number, as far as tensors hold them here.
  static func elementType(_ number: Int64) -> ElementType? {
    switch number {
    case 1: .f32
    case 2: .u8
    case 3: .i8
    case 4: .u16
    case 5: .i16
    case 6: .i32
    case 7: .i64
    case 8: .string
    case 9: .bool
    case 10: .f16
    case 11: .f64
    case 12: .u32
    case 13: .u64
    case 16: .bf16
    case 17: .f8e4m3fn
    case 18: .f8e4m3fnuz
    case 19: .f8e5m2
    case 20: .f8e5m2fnuz
    case 21: .u4
    case 22: .i4
    case 23: .f4e2m1
    case 24: .f8e8m0
    case 25: .u2
    case 26: .i2
    default: nil
    }
  }

  /// The one tensor that `file` holds, such as `input_0.pb` of a test: a view, in its own element
  /// type.
  public static func read(_ file: ModelFile) throws(ImportError) -> Constant {
    let tensor = try ONNXTensor(file, 0..<file.count)
    guard !tensor.isExternal else { throw file.malformed(0, "its elements are in another file") }
    var files = ONNXTensorFiles(file)
    return try tensor.constant(&files)
  }

  /// The constant this describes, in its own element type.
  func constant(_ files: inout ONNXTensorFiles) throws(ImportError) -> Constant {
    let model = files.model
    func refuse(_ why: String) -> ImportError {
      model.malformed(offset, "tensor '\(name)': \(why)")
    }
    guard let type = ONNXTensor.elementType(elementType), stringData.isEmpty || type == .string
    else {
      throw refuse("element type \(elementType) is not supported")
    }
    guard dimensions.count <= Shape.maximumRank else {
      throw refuse("\(dimensions.count) axes, at most \(Shape.maximumRank) are supported")
    }
    var shape = Shape()
    for extent in dimensions {
      guard extent >= 0, extent <= 1 << 40 else { throw refuse("an axis of \(extent) elements") }
      shape.append(Int(extent))
    }
    guard let count = shape.checkedElementCount, count <= 1 << 40 else {
      throw refuse("\(shape) is too large")
    }
    if type == .string {
      guard !isExternal, rawData == nil, stringData.count == count else {
        throw refuse("\(shape) takes \(count) texts, found \(stringData.count)")
      }
      let pool = TextPool()
      return Constant(elementType: .string, shape: shape, texts: pool) { out in
        for (i, range) in stringData.enumerated() {
          out.storeBytes(
            of: pool.add(model.bytes[range]), toByteOffset: 8 * i, as: TextReference.self)
        }
      }
    }
    if type.packedBitCount < 8 {
      return try unpacked(type, shape, count, &files)
    }
    let byteCount = count * type.byteCount
    if isExternal {
      let (file, range) = try externalBytes(type, shape, byteCount, &files)
      return Constant(
        elementType: type, shape: shape, viewing: try file.view(range), owner: file)
    }
    if let rawData {
      guard rawData.count == byteCount else {
        throw refuse("\(shape) of \(type.name) takes \(byteCount) bytes, found \(rawData.count)")
      }
      return Constant(
        elementType: type, shape: shape, viewing: try model.view(rawData), owner: model)
    }
    switch type {
    case .f32: return try numbers(floatData, type, shape, byteCount, model)
    case .f64: return try numbers(doubleData, type, shape, byteCount, model)
    default: break
    }
    guard integerData.count == count else {
      throw refuse("\(shape) takes \(count) elements, found \(integerData.count)")
    }
    return Constant(elementType: type, shape: shape) { out in
      let width = type.byteCount
      for (i, value) in integerData.enumerated() {
        withUnsafeBytes(of: value.littleEndian) { bytes in
          let element = type == .bool ? UInt8(value != 0 ? 1 : 0) : bytes[0]
          out[i * width] = element
          for b in 1..<max(width, 1) { out[i * width + b] = bytes[b] }
        }
      }
    }
  }

  /// Numbers in one piece are viewed; others are put together.
  private func numbers(
    _ pieces: [Range<Int>], _ type: ElementType, _ shape: Shape, _ byteCount: Int,
    _ model: ModelFile
  ) throws(ImportError) -> Constant {
    let found = pieces.reduce(0) { $0 + $1.count }
    guard found == byteCount else {
      throw model.malformed(
        offset,
        "tensor '\(name)': \(shape) of \(type.name) takes \(byteCount) bytes, found \(found)")
    }
    if pieces.count <= 1 {
      return Constant(
        elementType: type, shape: shape, viewing: try model.view(pieces.first ?? 0..<0),
        owner: model)
    }
    return Constant(elementType: type, shape: shape) { out in
      var at = 0
      for piece in pieces {
        UnsafeMutableRawBufferPointer(rebasing: out[at..<at + piece.count])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: model.bytes[piece]))
        at += piece.count
      }
    }
  }

  /// Elements of 4 or 2 bits, the first in the lowest bits of its byte.
  private func unpacked(
    _ type: ElementType, _ shape: Shape, _ count: Int, _ files: inout ONNXTensorFiles
  ) throws(ImportError) -> Constant {
    let bits = type.packedBitCount
    let perByte = 8 / bits
    let byteCount = (count + perByte - 1) / perByte
    let found: Int
    let byte: (Int) -> UInt8
    if isExternal {
      let (file, range) = try externalBytes(type, shape, byteCount, &files)
      let view = try file.view(range)
      (found, byte) = (view.count, { view[$0] })
    } else if let rawData {
      let view = try files.model.view(rawData)
      (found, byte) = (view.count, { view[$0] })
    } else {
      let data = integerData
      (found, byte) = (data.count, { UInt8(truncatingIfNeeded: data[$0]) })
    }
    guard found == byteCount else {
      throw files.model.malformed(
        offset,
        "tensor '\(name)': \(shape) of \(type.name) takes \(byteCount) bytes, found \(found)")
    }
    let isSigned = type == .i4 || type == .i2
    return Constant(elementType: type, shape: shape) { out in
      for i in 0..<count {
        // Up to the top of the byte and down again: the latter extends the sign.
        let top = (byte(i / perByte) >> UInt8(i % perByte * bits)) << UInt8(8 - bits)
        out[i] =
          isSigned
          ? UInt8(bitPattern: Int8(bitPattern: top) >> Int8(8 - bits)) : top >> UInt8(8 - bits)
      }
    }
  }

  /// The file and the place in it of a tensor's `byteCount` external bytes.
  private func externalBytes(
    _ type: ElementType, _ shape: Shape, _ byteCount: Int, _ files: inout ONNXTensorFiles
  ) throws(ImportError) -> (ModelFile, Range<Int>) {
    let model = files.model
    func number(_ key: String) throws(ImportError) -> Int? {
      guard let text = externalData[key] else { return nil }
      guard let value = Int(text), value >= 0 else {
        throw model.malformed(
          offset, "tensor '\(name)': '\(key)' of external data is '\(text)', expected a number")
      }
      return value
    }
    guard let location = externalData["location"] else {
      throw model.malformed(offset, "tensor '\(name)': external data without a location")
    }
    let start = try number("offset") ?? 0
    let length = try number("length") ?? byteCount
    let file = try files.open(location, self)
    guard length == byteCount else {
      throw model.malformed(
        offset,
        "tensor '\(name)': \(shape) of \(type.name) takes \(byteCount) bytes, "
          + "external data gives \(length)")
    }
    guard start <= file.count, length <= file.count - start else {
      throw model.malformed(
        offset,
        "tensor '\(name)': bytes \(start) to \(start)+\(length) of '\(location)', which has "
          + "\(file.count)")
    }
    return (file, start..<start + length)
  }
}
