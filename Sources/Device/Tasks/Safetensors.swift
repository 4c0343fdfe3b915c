// Reads the header of a safetensors file: which tensors it holds and where their bytes are.

import Bytes
import Tensors

/// One tensor of a safetensors file.
public struct SafetensorsEntry: Equatable, Sendable {
  public var name: String
  public var elementType: ElementType
  public var shape: Shape
  /// Where its bytes are, from the start of the file. Elements are little-endian, row-major and,
  /// in files that others wrote, not always aligned.
  public var byteRange: Range<Int>

  public init(name: String, elementType: ElementType, shape: Shape, byteRange: Range<Int>) {
    self.name = name
    self.elementType = elementType
    self.shape = shape
    self.byteRange = byteRange
  }
}

/// What a safetensors file holds. It owns no tensor bytes: ranges refer to the file.
///
/// The tensors must cover the file without gap or overlap, so that a file has one reading only and
/// nothing hides in it.
public struct Safetensors: Sendable {
  /// The longest header that is read, in bytes: the format's own limit.
  public static var maximumHeaderByteCount: Int { 100_000_000 }

  /// In the order of their bytes.
  public let entries: [SafetensorsEntry]
  /// The texts of `__metadata__`, in the order of the file.
  public let metadata: [SafetensorsText]
  /// Where the first tensor starts, in bytes from the start of the file.
  public let dataOffset: Int

  /// Reads the header of a whole file.
  public init(_ file: RawSpan) throws(SafetensorsError) {
    let header: JSONValue
    let dataOffset: Int
    do throws(ByteError) {
      var reader = ByteReader(file)
      let length = try reader.integer(UInt64.self)
      guard length <= UInt64(Safetensors.maximumHeaderByteCount), length <= reader.remaining else {
        throw ByteError(offset: 0, reason: .outOfRange(length))
      }
      dataOffset = 8 + Int(length)
    } catch {
      throw .header(error)
    }
    do throws(JSONError) {
      header = try JSON.parse(file.extracting(8..<dataOffset), maximumDepth: 4)
    } catch {
      throw .json(error, byteOffset: 8 + error.offset)
    }
    guard case .object(let members) = header.kind, header.offset == 0 else {
      throw .malformed(key: "", byteOffset: 8 + header.offset, expected: "an object")
    }
    var entries: [SafetensorsEntry] = []
    var keyOffsets: [Int] = []
    var metadata: [SafetensorsText] = []
    for member in members {
      if member.key.hasSameBytes(as: "__metadata__") {
        metadata = try Safetensors.metadata(member)
      } else {
        entries.append(try Safetensors.entry(member, dataOffset: dataOffset))
        keyOffsets.append(8 + member.keyOffset)
      }
    }
    let order = entries.indices.sorted { a, b in
      let (x, y) = (entries[a].byteRange, entries[b].byteRange)
      return (x.lowerBound, x.upperBound) < (y.lowerBound, y.upperBound)
    }
    var end = dataOffset
    for i in order {
      guard entries[i].byteRange.lowerBound == end else {
        throw .notContiguous(
          key: entries[i].name, byteOffset: keyOffsets[i], expectedOffset: end - dataOffset,
          foundOffset: entries[i].byteRange.lowerBound - dataOffset)
      }
      end = entries[i].byteRange.upperBound
    }
    guard end == file.byteCount else {
      throw .dataByteCount(
        expected: end - dataOffset, found: file.byteCount - dataOffset)
    }
    self.entries = order.map { entries[$0] }
    self.metadata = metadata
    self.dataOffset = dataOffset
  }

  /// The tensor of exactly this name.
  public subscript(name: String) -> SafetensorsEntry? {
    for entry in entries where entry.name.hasSameBytes(as: name) { return entry }
    return nil
  }

  /// The tensor for an input or output of a model: `input.NAME` (`output.NAME`) before `NAME`.
  public func tensor(_ role: String, _ name: String) -> SafetensorsEntry? {
    self[role + "." + name] ?? self[name]
  }

  private static func metadata(_ member: JSONMember) throws(SafetensorsError) -> [SafetensorsText] {
    guard case .object(let texts) = member.value.kind else {
      throw .malformed(
        key: member.key, byteOffset: 8 + member.value.offset, expected: "an object of strings")
    }
    var result: [SafetensorsText] = []
    for text in texts {
      guard let value = text.value.stringValue else {
        throw .malformed(
          key: text.key, byteOffset: 8 + text.value.offset, expected: "a string")
      }
      result.append(SafetensorsText(key: text.key, value: value))
    }
    return result
  }

  private static func entry(
    _ member: JSONMember, dataOffset: Int
  ) throws(SafetensorsError) -> SafetensorsEntry {
    let key = member.key
    func malformed(_ value: JSONValue, _ expected: String) -> SafetensorsError {
      .malformed(key: key, byteOffset: 8 + value.offset, expected: expected)
    }
    guard case .object(let fields) = member.value.kind else {
      throw malformed(member.value, "dtype, shape and data_offsets")
    }
    var type: ElementType?
    var dimensions: [Int]?
    var offsets: [Int]?
    for field in fields {
      if field.key.hasSameBytes(as: "dtype") {
        guard let name = field.value.stringValue else { throw malformed(field.value, "a string") }
        type = ElementType(safetensorsName: name)
        if type == nil {
          throw .unsupportedType(key: key, byteOffset: 8 + field.value.offset, name: name)
        }
      } else if field.key.hasSameBytes(as: "shape") {
        dimensions = counts(field.value)
        if dimensions == nil { throw malformed(field.value, "an array of counts") }
      } else if field.key.hasSameBytes(as: "data_offsets") {
        offsets = counts(field.value)
        if offsets?.count != 2 { throw malformed(field.value, "two offsets") }
      } else {
        throw .malformed(
          key: key, byteOffset: 8 + field.keyOffset, expected: "dtype, shape or data_offsets")
      }
    }
    guard let type, let dimensions, let offsets else {
      throw malformed(member.value, "dtype, shape and data_offsets")
    }
    guard dimensions.count <= Shape.maximumRank else {
      throw .rank(key: key, byteOffset: 8 + member.value.offset, rank: dimensions.count)
    }
    guard let begin = Checked.sum(offsets[0], dataOffset),
      let end = Checked.sum(offsets[1], dataOffset), begin <= end
    else { throw malformed(member.value, "ascending data_offsets") }
    let byteCount = type.byteCount(of: dimensions)
    guard byteCount == end - begin else {
      throw .tensorByteCount(
        key: key, byteOffset: 8 + member.value.offset, expected: byteCount, found: end - begin)
    }
    return SafetensorsEntry(
      name: key, elementType: type, shape: Shape(dimensions), byteRange: begin..<end)
  }

  /// The elements of an array of non-negative integers; nil for anything else.
  private static func counts(_ value: JSONValue) -> [Int]? {
    guard let elements = value.arrayValue else { return nil }
    var result: [Int] = []
    for element in elements {
      guard let count = element.integerValue, count >= 0 else { return nil }
      result.append(count)
    }
    return result
  }
}

/// One entry of `__metadata__`.
public struct SafetensorsText: Equatable, Sendable {
  public var key: String
  public var value: String

  public init(key: String, value: String) {
    self.key = key
    self.value = value
  }
}

extension ElementType {
  /// Bytes of a tensor of these extents. Nil where any run of axes has more elements than can be
  /// counted, even where another axis is 0: strides are products of some extents only.
  func byteCount(of dimensions: [Int]) -> Int? {
    guard Checked.product(dimensions.map { Swift.max($0, 1) } + [byteCount]) != nil else {
      return nil
    }
    return Checked.product(dimensions + [byteCount])
  }

  /// The type that safetensors calls `name`; nil for those that no tensor of ours has.
  public init?(safetensorsName name: String) {
    for type in ElementType.allCases {
      if let known = type.safetensorsName, known.hasSameBytes(as: name) {
        self = type
        return
      }
    }
    return nil
  }

  /// `F32`, `I64`, `BOOL`, …; nil for what such a file cannot hold.
  public var safetensorsName: String? {
    switch self {
    case .f64: "F64"
    case .f32: "F32"
    case .f16: "F16"
    case .bf16: "BF16"
    case .i64: "I64"
    case .i32: "I32"
    case .i16: "I16"
    case .i8: "I8"
    case .u64: "U64"
    case .u32: "U32"
    case .u16: "U16"
    case .u8: "U8"
    case .bool: "BOOL"
    case .f8e4m3fn: "F8_E4M3"
    case .f8e4m3fnuz: "F8_E4M3FNUZ"
    case .f8e5m2: "F8_E5M2"
    case .f8e5m2fnuz: "F8_E5M2FNUZ"
    case .f8e8m0: "F8_E8M0"
    // A byte per element, which the format knows no name for.
    case .i4, .i2: "I8"
    case .u4, .u2, .f4e2m1: "U8"
    case .string, .sequence: nil
    }
  }
}
