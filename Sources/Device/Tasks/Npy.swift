// NumPy's .npy files, format versions 1 to 3: one little-endian tensor in C order.

import Bytes
import Tensors

/// What a `.npy` file holds. It owns no elements: the range refers to the file.
public struct Npy: Equatable, Sendable {
  public var elementType: ElementType
  public var shape: Shape
  /// Where the elements are, from the start of the file to its end.
  public var byteRange: Range<Int>
  /// How texts lie there; nil for numbers.
  public var textLayout: NpyTextLayout?

  private static let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]  // \x93NUMPY
  private static var maximumHeaderByteCount: Int { 65536 }

  /// Reads the header of a whole file.
  public init(_ file: RawSpan) throws(NpyError) {
    let text: [UInt8]
    let dataOffset: Int
    do throws(ByteError) {
      var reader = ByteReader(file)
      let start = try reader.array(6)
      guard start == Npy.magic else { throw reader.error(.outOfRange(UInt64(start[0]))) }
      let major = try reader.byte()
      guard (1...3).contains(major), try reader.byte() == 0 else {
        throw reader.error(.outOfRange(UInt64(major)))
      }
      let length =
        major == 1 ? Int(try reader.integer(UInt16.self)) : Int(try reader.integer(UInt32.self))
      guard length <= Npy.maximumHeaderByteCount else {
        throw reader.error(.outOfRange(UInt64(length)))
      }
      text = try reader.array(length)
      dataOffset = reader.position
    } catch {
      throw .notNpy(error)
    }
    var header = NpyHeader(text: text, base: dataOffset - text.count)
    try header.read()
    let byteCount =
      header.textLayout.map { $0.byteCount(of: header.dimensions) }
      ?? header.elementType.byteCount(of: header.dimensions)
    guard byteCount == file.byteCount - dataOffset else {
      throw .byteCount(expected: byteCount, found: file.byteCount - dataOffset)
    }
    elementType = header.elementType
    shape = Shape(header.dimensions)
    byteRange = dataOffset..<file.byteCount
    textLayout = header.textLayout
  }

  /// A file of these elements, which are little-endian and row-major. Bf16, which NumPy lacks, and
  /// a count of bytes that is not the shape's are refused.
  public static func encode(
    _ elementType: ElementType, _ shape: Shape, bytes: [UInt8]
  ) throws(NpyError) -> [UInt8] {
    let expected = elementType.byteCount(of: shape.dimensions)
    guard expected == bytes.count else {
      throw .byteCount(expected: expected, found: bytes.count)
    }
    guard let name = elementType.npyName else { throw .unsupportedType(elementType.name) }
    var header = "{'descr': '" + name + "', 'fortran_order': False, 'shape': ("
    for axis in 0..<shape.rank {
      header += "\(shape[axis])"
      // A tuple of one has a comma too.
      if axis + 1 < shape.rank || shape.rank == 1 { header += "," }
      if axis + 1 < shape.rank { header += " " }
    }
    header += "), }"
    var text = Array(header.utf8)
    while (10 + text.count + 1) % 64 != 0 { text.append(0x20) }
    text.append(0x0A)
    var out = ByteWriter()
    out.put(magic)
    out.put(UInt8(1))
    out.put(UInt8(0))
    out.put(UInt16(text.count))
    out.put(text)
    out.put(bytes)
    return out.bytes
  }
}

/// Why bytes are not a `.npy` file that can be read. Byte offsets count from the file's start.
public enum NpyError: Error, Equatable, Sendable, CustomStringConvertible {
  case notNpy(ByteError)
  case malformed(byteOffset: Int, expected: String)
  /// Big-endian, complex and object arrays.
  case unsupportedType(String)
  case fortranOrder
  /// The shape asks for other bytes than there are; `expected` is nil on overflow.
  case byteCount(expected: Int?, found: Int)

  public var description: String {
    switch self {
    case .notNpy(let error): "not a .npy file: " + error.description
    case .malformed(let offset, let expected): "expected \(expected) at byte \(offset)"
    case .unsupportedType(let name): "unsupported element type " + name
    case .fortranOrder: "expected C order, found Fortran order"
    case .byteCount(let expected, let found):
      (expected.map { "expected \($0) bytes for its shape" } ?? "the shape does not fit in memory")
        + ", found \(found)"
    }
  }
}

/// The header's Python dictionary: three known keys in any order.
private struct NpyHeader {
  let text: [UInt8]
  /// Where `text` begins in the file.
  let base: Int
  var position = 0
  var elementType = ElementType.f32
  var textLayout: NpyTextLayout?
  var dimensions: [Int] = []

  init(text: [UInt8], base: Int) {
    self.text = text
    self.base = base
  }

  mutating func read() throws(NpyError) {
    var seen = [false, false, false]
    try take("{")
    while !skips("}") {
      let start = position
      let key = try string()
      try take(":")
      let field: Int
      if key.hasSameBytes(as: "descr") {
        field = 0
        let name = try string()
        textLayout = NpyTextLayout(npyName: name)
        guard let type = textLayout == nil ? ElementType(npyName: name) : .string else {
          throw .unsupportedType(name)
        }
        elementType = type
      } else if key.hasSameBytes(as: "fortran_order") {
        field = 1
        if skips("True") { throw .fortranOrder }
        try take("False")
      } else if key.hasSameBytes(as: "shape") {
        field = 2
        dimensions = try tuple()
      } else {
        throw error("descr, fortran_order or shape", at: start)
      }
      if seen[field] { throw error("each key once", at: start) }
      seen[field] = true
      if !skips(",") {
        try take("}")
        break
      }
    }
    guard seen == [true, true, true] else {
      throw error("descr, fortran_order and shape", at: position)
    }
    skipSpace()
    guard position == text.count else { throw error("the end of the header", at: position) }
    guard dimensions.count <= Shape.maximumRank else { throw error("at most 8 axes", at: 0) }
  }

  private mutating func tuple() throws(NpyError) -> [Int] {
    var result: [Int] = []
    try take("(")
    while !skips(")") {
      skipSpace()
      let start = position
      while position < text.count, text[position] >= 0x30, text[position] <= 0x39 {
        position += 1
      }
      let digits = Array(text[start..<position])
      guard let value = NumberText.integer(digits), let extent = Int(exactly: value) else {
        throw error("an extent", at: start)
      }
      result.append(extent)
      if !skips(",") {
        try take(")")
        break
      }
    }
    return result
  }

  private mutating func string() throws(NpyError) -> String {
    skipSpace()
    let start = position
    guard start < text.count, text[start] == 0x27 || text[start] == 0x22 else {
      throw error("a string", at: start)
    }
    var end = start + 1
    while end < text.count, text[end] != text[start] { end += 1 }
    guard end < text.count else { throw error("the end of the string", at: end) }
    position = end + 1
    return String(decoding: text[(start + 1)..<end], as: UTF8.self)
  }

  private mutating func take(_ word: String) throws(NpyError) {
    if !skips(word) { throw error(word, at: position) }
  }

  /// Steps over `word` and the space before it; false where something else stands.
  private mutating func skips(_ word: String) -> Bool {
    skipSpace()
    let count = word.utf8.count
    guard count <= text.count - position,
      text[position..<(position + count)].elementsEqual(word.utf8)
    else { return false }
    position += count
    return true
  }

  private mutating func skipSpace() {
    while position < text.count, text[position] == 0x20 || text[position] == 0x0A { position += 1 }
  }

  private func error(_ expected: String, at offset: Int) -> NpyError {
    .malformed(byteOffset: base + offset, expected: expected)
  }
}

extension ElementType {
  /// NumPy's name with its byte order, `<f4`; nil for what it has no name for.
  fileprivate var npyName: String? {
    switch self {
    case .f64: "<f8"
    case .f32: "<f4"
    case .f16: "<f2"
    case .bf16, .string, .sequence: nil
    case .i64: "<i8"
    case .i32: "<i4"
    case .i16: "<i2"
    case .i8: "|i1"
    case .u64: "<u8"
    case .u32: "<u4"
    case .u16: "<u2"
    case .u8: "|u1"
    case .bool: "|b1"
    // A byte per element, as integers; a real number's is its bits.
    case .i4, .i2: "|i1"
    case .u4, .u2, .f4e2m1, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0: "|u1"
    }
  }

  fileprivate init?(npyName name: String) {
    for type in ElementType.allCases {
      if let known = type.npyName, known.hasSameBytes(as: name) {
        self = type
        return
      }
    }
    return nil
  }
}
