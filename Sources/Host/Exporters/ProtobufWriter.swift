// Protocol Buffers messages, written field by field.

/// The bytes of one message. Fields stand in the order in which they were put.
struct ProtobufWriter {
  private(set) var bytes: [UInt8] = []

  /// What a field's key says about its value.
  private enum Wire: UInt64 {
    case varint = 0
    case delimited = 2
    case fourBytes = 5
  }

  private mutating func key(_ field: Int, _ wire: Wire) {
    varint(UInt64(field) << 3 | wire.rawValue)
  }

  /// Seven bits a byte, the lowest first; the top bit says that more follow.
  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest > 0x7F {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func put(_ field: Int, integer: Int) {
    key(field, .varint)
    varint(UInt64(bitPattern: Int64(integer)))
  }

  mutating func put(_ field: Int, float: Float) {
    key(field, .fourBytes)
    withUnsafeBytes(of: float.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func put(_ field: Int, bytes contents: some Collection<UInt8>) {
    key(field, .delimited)
    varint(UInt64(contents.count))
    bytes.append(contentsOf: contents)
  }

  mutating func put(_ field: Int, text: String) { put(field, bytes: text.utf8) }

  mutating func put(_ field: Int, message: ProtobufWriter) { put(field, bytes: message.bytes) }
}
