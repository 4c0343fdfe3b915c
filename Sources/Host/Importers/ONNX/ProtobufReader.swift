// A reader of the protobuf wire format that never leaves the message it was made for.

/// What a field holds, as far as the wire format says.
public enum ProtobufValue: Equatable, Sendable {
  case varint(UInt64)
  case fixed32(UInt32)
  case fixed64(UInt64)
  /// Text, bytes, a message or packed numbers: where they lie in the file.
  case bytes(Range<Int>)
}

/// One field of a message.
public struct ProtobufField: Equatable, Sendable {
  public var number: Int
  /// Where its tag stands in the file.
  public var offset: Int
  public var value: ProtobufValue

  public init(number: Int, offset: Int, value: ProtobufValue) {
    self.number = number
    self.offset = offset
    self.value = value
  }
}

/// Walks over the fields of one message.
public struct ProtobufReader {
  public let file: ModelFile
  /// The next byte to read, counted from the start of the file.
  public private(set) var position: Int
  private let end: Int

  /// The fields in `range` of `file`, by default all of it.
  public init(_ file: ModelFile, _ range: Range<Int>? = nil) throws(ImportError) {
    let range = range ?? 0..<file.count
    guard range.lowerBound >= 0, range.upperBound <= file.count else {
      throw file.malformed(range.lowerBound, "a message that ends behind the file")
    }
    self.file = file
    position = range.lowerBound
    end = range.upperBound
  }

  public var isAtEnd: Bool { position == end }

  private mutating func byte() throws(ImportError) -> UInt8 {
    guard position < end else { throw file.malformed(position, "expected more bytes") }
    defer { position += 1 }
    return file.bytes[position]
  }

  /// An unsigned integer of at most ten bytes and 64 bits.
  public mutating func varint() throws(ImportError) -> UInt64 {
    let start = position
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let next = try byte()
      guard shift < 63 || (shift == 63 && next <= 1) else {
        throw file.malformed(start, "expected an integer of at most 64 bits")
      }
      value |= UInt64(next & 0x7F) << shift
      if next < 0x80 { return value }
      shift += 7
    }
  }

  /// Steps over `count` bytes and says where they are.
  private mutating func take(_ count: UInt64, from start: Int) throws(ImportError) -> Range<Int> {
    guard count <= UInt64(end - position) else {
      throw file.malformed(start, "a field of \(count) bytes, \(end - position) are left")
    }
    let range = position..<position + Int(count)
    position = range.upperBound
    return range
  }

  private mutating func fixed<T: FixedWidthInteger>(_: T.Type) throws(ImportError) -> T {
    let range = try take(UInt64(MemoryLayout<T>.size), from: position)
    return T(littleEndian: file.bytes.loadUnaligned(fromByteOffset: range.lowerBound, as: T.self))
  }

  /// The next field; nil at the end of the message. Group fields are refused.
  public mutating func next() throws(ImportError) -> ProtobufField? {
    guard position < end else { return nil }
    let start = position
    let tag = try varint()
    let number = tag >> 3
    guard number >= 1, number < 1 << 29 else {
      throw file.malformed(start, "expected a protobuf field, found field number \(number)")
    }
    let value: ProtobufValue
    switch tag & 7 {
    case 0: value = .varint(try varint())
    case 1: value = .fixed64(try fixed(UInt64.self))
    case 2:
      let length = try varint()
      value = .bytes(try take(length, from: start))
    case 5: value = .fixed32(try fixed(UInt32.self))
    default:
      throw file.malformed(start, "expected a protobuf field, found wire type \(tag & 7)")
    }
    return ProtobufField(number: Int(number), offset: start, value: value)
  }
}

/// What a field's number promises about its value.
extension ProtobufReader {
  private func wrong(_ field: ProtobufField, _ what: String) -> ImportError {
    file.malformed(field.offset, "expected \(what) in field \(field.number)")
  }

  /// A signed integer.
  public func integer(_ field: ProtobufField) throws(ImportError) -> Int64 {
    guard case .varint(let value) = field.value else { throw wrong(field, "an integer") }
    return Int64(bitPattern: value)
  }

  public func float(_ field: ProtobufField) throws(ImportError) -> Float {
    guard case .fixed32(let bits) = field.value else { throw wrong(field, "a float") }
    return Float(bitPattern: bits)
  }

  /// Where a message, text or bytes lie.
  public func range(_ field: ProtobufField) throws(ImportError) -> Range<Int> {
    guard case .bytes(let range) = field.value else { throw wrong(field, "bytes") }
    return range
  }

  public func text(_ field: ProtobufField, limit: Int = 4096) throws(ImportError) -> String {
    try file.text(try range(field), limit: limit)
  }

  /// Appends one integer, or packed ones.
  public func integers(
    _ field: ProtobufField, to list: inout [Int64]
  ) throws(ImportError) {
    switch field.value {
    case .varint(let value): list.append(Int64(bitPattern: value))
    case .bytes(let range):
      var packed = try ProtobufReader(file, range)
      while !packed.isAtEnd { list.append(Int64(bitPattern: try packed.varint())) }
    default: throw wrong(field, "integers")
    }
  }

  /// Appends where one fixed-size number, or packed ones, lie: they are not read.
  public func fixedNumbers(
    _ field: ProtobufField, byteCount: Int, to list: inout [Range<Int>]
  ) throws(ImportError) {
    let range: Range<Int>
    switch field.value {
    case .fixed32 where byteCount == 4, .fixed64 where byteCount == 8:
      // The number is the last thing read.
      range = position - byteCount..<position
    case .bytes(let packed) where packed.count % byteCount == 0: range = packed
    default: throw wrong(field, "numbers of \(byteCount) bytes")
    }
    if !range.isEmpty { list.append(range) }
  }
}
