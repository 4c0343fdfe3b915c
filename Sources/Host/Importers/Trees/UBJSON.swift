// Reads Universal Binary JSON (draft 12) from a mapped file; long arrays of numbers stay where they are.

/// A UBJSON value.
enum UBJSONValue {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([UBJSONValue])
  /// An array that names its type once: where its numbers lie in the file.
  case numbers(UBJSONNumbers)
  case object([(key: String, value: UBJSONValue)])
}

/// Numbers of one type, side by side, big-endian.
struct UBJSONNumbers {
  let file: ModelFile
  /// `i`, `U`, `I`, `l`, `L`, `d` or `D`.
  let type: UInt8
  let start: Int
  let count: Int

  /// Bytes of one number; nil for markers that are no number.
  static func byteCount(_ type: UInt8) -> Int? {
    switch type {
    case UInt8(ascii: "i"), UInt8(ascii: "U"): 1
    case UInt8(ascii: "I"): 2
    case UInt8(ascii: "l"), UInt8(ascii: "d"): 4
    case UInt8(ascii: "L"), UInt8(ascii: "D"): 8
    default: nil
    }
  }

  private func load<T: FixedWidthInteger & BitwiseCopyable>(_ i: Int, _: T.Type) -> T {
    T(
      bigEndian: file.bytes.loadUnaligned(
        fromByteOffset: start + i * MemoryLayout<T>.size, as: T.self))
  }

  /// Number `i`, which must be below `count`, as an integer; nil for real numbers.
  func integer(_ i: Int) -> Int64? {
    precondition(i >= 0 && i < count)
    switch type {
    case UInt8(ascii: "i"): return Int64(load(i, Int8.self))
    case UInt8(ascii: "U"): return Int64(load(i, UInt8.self))
    case UInt8(ascii: "I"): return Int64(load(i, Int16.self))
    case UInt8(ascii: "l"): return Int64(load(i, Int32.self))
    case UInt8(ascii: "L"): return load(i, Int64.self)
    default: return nil
    }
  }

  /// Number `i`, which must be below `count`.
  func number(_ i: Int) -> Double {
    switch type {
    case UInt8(ascii: "d"): return Double(Float(bitPattern: load(i, UInt32.self)))
    case UInt8(ascii: "D"): return Double(bitPattern: load(i, UInt64.self))
    default: return Double(integer(i) ?? 0)
    }
  }
}

/// A cursor over a UBJSON file.
struct UBJSONReader {
  private let file: ModelFile
  private var position = 0
  private static let maximumDepth = 64

  /// The value that the whole file is.
  static func read(_ file: ModelFile) throws(ImportError) -> UBJSONValue {
    var reader = UBJSONReader(file: file)
    let value = try reader.value(try reader.byte(), depth: 0)
    guard reader.position == file.count else {
      throw file.malformed(reader.position, "expected the end of the file")
    }
    return value
  }

  private init(file: ModelFile) { self.file = file }

  private mutating func take(_ count: Int) throws(ImportError) -> Int {
    guard count >= 0, count <= file.count - position else {
      throw file.malformed(
        position, "expected \(count) more bytes, found \(file.count - position)")
    }
    defer { position += count }
    return position
  }

  /// The next byte; markers that mean nothing are skipped.
  private mutating func byte() throws(ImportError) -> UInt8 {
    while true {
      let byte = file.bytes[try take(1)]
      if byte != UInt8(ascii: "N") { return byte }
    }
  }

  private func peek() -> UInt8? { position < file.count ? file.bytes[position] : nil }

  private mutating func value(_ marker: UInt8, depth: Int) throws(ImportError) -> UBJSONValue {
    switch marker {
    case UInt8(ascii: "Z"): return .null
    case UInt8(ascii: "T"): return .bool(true)
    case UInt8(ascii: "F"): return .bool(false)
    case UInt8(ascii: "S"), UInt8(ascii: "H"): return .string(try text())
    case UInt8(ascii: "C"):
      return .string(String(UnicodeScalar(file.bytes[try take(1)] & 0x7F)))
    case UInt8(ascii: "["): return try array(depth)
    case UInt8(ascii: "{"): return try object(depth)
    default:
      guard let size = UBJSONNumbers.byteCount(marker) else {
        throw file.malformed(position - 1, "expected a value, found byte \(marker)")
      }
      let one = UBJSONNumbers(file: file, type: marker, start: try take(size), count: 1)
      return one.integer(0).map { .integer($0) } ?? .number(one.number(0))
    }
  }

  /// A length or count: an integer with its marker.
  private mutating func length() throws(ImportError) -> Int {
    let start = position
    let marker = try byte()
    guard let size = UBJSONNumbers.byteCount(marker) else {
      throw file.malformed(start, "expected a length, found byte \(marker)")
    }
    let number = UBJSONNumbers(file: file, type: marker, start: try take(size), count: 1)
    // Everything counted takes a byte or more.
    guard let value = number.integer(0), value >= 0, value <= file.count else {
      throw file.malformed(start, "a length that is out of range")
    }
    return Int(value)
  }

  private mutating func text() throws(ImportError) -> String {
    let count = try length()
    let start = try take(count)
    return try file.text(start..<start + count, limit: 1 << 20)
  }

  /// The type and count in front of a container's elements, where they are there.
  private mutating func header(_ depth: Int) throws(ImportError) -> (type: UInt8?, count: Int?) {
    guard depth < UBJSONReader.maximumDepth else {
      throw file.malformed(position, "nested deeper than \(UBJSONReader.maximumDepth) levels")
    }
    var type: UInt8?
    if peek() == UInt8(ascii: "$") {
      position += 1
      type = file.bytes[try take(1)]
      guard peek() == UInt8(ascii: "#") else {
        throw file.malformed(position, "expected a count behind a type")
      }
    }
    guard peek() == UInt8(ascii: "#") else { return (nil, nil) }
    position += 1
    let at = position
    let count = try length()
    // Elements without bytes could be any number.
    if let type, "ZNTF".utf8.contains(type) {
      throw file.malformed(at, "an array of elements without bytes")
    }
    return (type, count)
  }

  private mutating func array(_ depth: Int) throws(ImportError) -> UBJSONValue {
    let (type, count) = try header(depth)
    if let type, let count, let size = UBJSONNumbers.byteCount(type) {
      let bytes = count.multipliedReportingOverflow(by: size)
      let start = try take(bytes.overflow ? Int.max : bytes.partialValue)
      return .numbers(UBJSONNumbers(file: file, type: type, start: start, count: count))
    }
    var elements: [UBJSONValue] = []
    while elements.count != count {
      var marker: UInt8
      if let type { marker = type } else { marker = try byte() }
      if count == nil, marker == UInt8(ascii: "]") { break }
      elements.append(try value(marker, depth: depth + 1))
    }
    return .array(elements)
  }

  private mutating func object(_ depth: Int) throws(ImportError) -> UBJSONValue {
    let (type, count) = try header(depth)
    var members: [(key: String, value: UBJSONValue)] = []
    var keys = Set<String>()
    while members.count != count {
      if count == nil, peek() == UInt8(ascii: "}") {
        position += 1
        break
      }
      let start = position
      let key = try text()
      guard keys.insert(key).inserted else {
        throw file.malformed(start, "the key '\(key)' is there twice")
      }
      let marker: UInt8
      if let type { marker = type } else { marker = try byte() }
      members.append((key, try value(marker, depth: depth + 1)))
    }
    return .object(members)
  }
}
