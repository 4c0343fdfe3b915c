// Writes safetensors files: the same tensors give the same bytes.

import Bytes
import Platform
import Tensors

/// Collects tensors and writes them, wide elements first and then by name, so that every tensor is
/// aligned to its elements and the order of adding does not matter.
public struct SafetensorsWriter: Sendable {
  private struct Tensor: Sendable {
    var name: String
    var elementType: ElementType
    var shape: Shape
    var bytes: [UInt8]
  }

  /// Texts for `__metadata__`; written by key.
  public var metadata: [SafetensorsText] = []
  private var tensors: [Tensor] = []

  public init() {}

  /// Adds a tensor; `bytes` are its elements, little-endian and row-major.
  public mutating func add(
    _ name: String, _ elementType: ElementType, _ shape: Shape, bytes: [UInt8]
  ) throws(SafetensorsError) {
    let expected = elementType.byteCount(of: shape.dimensions)
    guard elementType.safetensorsName != nil, expected == bytes.count else {
      throw .wrongByteCount(key: name, expected: expected, found: bytes.count)
    }
    for tensor in tensors where tensor.name.hasSameBytes(as: name) { throw .duplicateName(name) }
    if name.hasSameBytes(as: "__metadata__") { throw .duplicateName(name) }
    tensors.append(Tensor(name: name, elementType: elementType, shape: shape, bytes: bytes))
  }

  /// Adds an f32 tensor.
  public mutating func add(
    _ name: String, _ shape: Shape, floats: Span<Float>
  ) throws(SafetensorsError) {
    try add(name, .f32, shape, bytes: [UInt8](copying: unsafe floats.bytes))
  }

  /// Adds an i64 tensor.
  public mutating func add(
    _ name: String, _ shape: Shape, integers: Span<Int64>
  ) throws(SafetensorsError) {
    try add(name, .i64, shape, bytes: [UInt8](copying: unsafe integers.bytes))
  }

  /// The whole file.
  public func encode() -> [UInt8] {
    var out = ByteWriter()
    let order = self.order
    out.put(header(order))
    for i in order { out.put(tensors[i].bytes) }
    return out.bytes
  }

  /// Writes the file, whole or not at all.
  public func write(to path: String) throws(PlatformError) {
    let file = try AtomicFile(path: path)
    let order = self.order
    try file.write(header(order))
    for i in order { try file.write(tensors[i].bytes) }
    try file.commit()
  }

  private var order: [Int] {
    tensors.indices.sorted { a, b in
      let (x, y) = (tensors[a], tensors[b])
      if x.elementType.byteCount != y.elementType.byteCount {
        return x.elementType.byteCount > y.elementType.byteCount
      }
      return x.name.utf8.lexicographicallyPrecedes(y.name.utf8)
    }
  }

  /// Length and header, padded with spaces so that the tensors start at a multiple of eight.
  private func header(_ order: [Int]) -> [UInt8] {
    var json = JSONWriter()
    json.beginObject()
    if !metadata.isEmpty {
      json.key("__metadata__")
      json.beginObject()
      for text in metadata.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
        json.field(text.key, text.value)
      }
      json.endObject()
    }
    var offset = 0
    for i in order {
      let tensor = tensors[i]
      json.key(tensor.name)
      json.beginObject()
      json.field("dtype", tensor.elementType.safetensorsName ?? "")
      json.key("shape")
      json.beginArray()
      for extent in tensor.shape.dimensions { json.value(extent) }
      json.endArray()
      json.key("data_offsets")
      json.beginArray()
      json.value(offset)
      offset += tensor.bytes.count
      json.value(offset)
      json.endArray()
      json.endObject()
    }
    json.endObject()
    var text = json.bytes
    while text.count % 8 != 0 { text.append(0x20) }
    var out = ByteWriter()
    out.put(UInt64(text.count))
    out.put(text)
    return out.bytes
  }
}
