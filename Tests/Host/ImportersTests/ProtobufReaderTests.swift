// The wire reader against bytes written by hand.
import Importers
import Testing

@Suite struct ProtobufReaderTests {
  func fields(_ bytes: [UInt8]) throws -> [ProtobufField] {
    var reader = try ProtobufReader(ModelFile(copying: bytes, path: "bytes"))
    var list: [ProtobufField] = []
    while let field = try reader.next() { list.append(field) }
    return list
  }

  @Test func readsEveryWireType() throws {
    let bytes: [UInt8] = [
      0x08, 0x96, 0x01,  // 1: varint 150
      0x15, 0x00, 0x00, 0x80, 0x3F,  // 2: fixed32 1.0
      0x19, 1, 0, 0, 0, 0, 0, 0, 0x80,  // 3: fixed64
      0x22, 0x03, 0x61, 0x62, 0x63,  // 4: "abc"
      0xF8, 0xFF, 0xFF, 0xFF, 0x0F, 0x00,  // 2^29 - 1: varint 0
    ]
    let expected: [ProtobufField] = [
      ProtobufField(number: 1, offset: 0, value: .varint(150)),
      ProtobufField(number: 2, offset: 3, value: .fixed32(0x3F80_0000)),
      ProtobufField(number: 3, offset: 8, value: .fixed64(0x8000_0000_0000_0001)),
      ProtobufField(number: 4, offset: 17, value: .bytes(19..<22)),
      ProtobufField(number: (1 << 29) - 1, offset: 22, value: .varint(0)),
    ]
    #expect(try fields(bytes) == expected)
  }

  @Test func readsNegativeAndLargestVarints() throws {
    let minusOne: [UInt8] = [0x08] + [UInt8](repeating: 0xFF, count: 9) + [0x01]
    let file = ModelFile(copying: minusOne, path: "bytes")
    var reader = try ProtobufReader(file)
    let field = try #require(try reader.next())
    #expect(field.value == .varint(UInt64.max))
    #expect(try reader.integer(field) == -1)
  }

  @Test func readsPackedAndUnpackedNumbers() throws {
    // 8: unpacked 3, packed 270 and −1, unpacked 4; 7: packed 2.0 and unpacked 1.0.
    let bytes: [UInt8] =
      [0x40, 0x03, 0x42, 0x0C, 0x8E, 0x02] + [UInt8](repeating: 0xFF, count: 9)
      + [0x01, 0x40, 0x04, 0x3A, 0x04, 0, 0, 0, 0x40, 0x3D, 0, 0, 0x80, 0x3F]
    let file = ModelFile(copying: bytes, path: "bytes")
    var reader = try ProtobufReader(file)
    var integers: [Int64] = []
    var floats: [Range<Int>] = []
    while let field = try reader.next() {
      if field.number == 8 {
        try reader.integers(field, to: &integers)
      } else {
        try reader.fixedNumbers(field, byteCount: 4, to: &floats)
      }
    }
    #expect(integers == [3, 270, -1, 4])
    #expect(
      floats.map { file.bytes.loadUnaligned(fromByteOffset: $0.lowerBound, as: Float.self) } == [
        2, 1,
      ])
  }

  @Test(arguments: [
    ("a varint that is cut", [0x08, 0x96], 2),
    ("a varint of more than 64 bits", [0x08] + [UInt8](repeating: 0xFF, count: 9) + [0x02], 1),
    ("eleven bytes of varint", [0x08] + [UInt8](repeating: 0x80, count: 10) + [0x00], 1),
    ("a length past the end", [0x22, 0x04, 0x61], 0),
    ("a length of 2^63", [0x22] + [UInt8](repeating: 0x80, count: 9) + [0x01], 0),
    ("cut fixed32", [0x15, 0x00], 1),
    ("cut fixed64", [0x19, 0x00, 0x00, 0x00, 0x00], 1),
    ("a group", [0x0B, 0x08, 0x01, 0x0C], 0),
    ("wire type 6", [0x0E, 0x00], 0),
    ("wire type 7", [0x0F, 0x00], 0),
    ("field 0", [0x02, 0x00], 0),
    ("field 2^29", [0x80, 0x80, 0x80, 0x80, 0x10, 0x00], 0),
  ])
  func refuses(_ name: String, _ bytes: [UInt8], _ offset: Int) throws {
    let error = #expect(throws: ImportError.self) { try fields(bytes) }
    guard case .malformed(let at, _)? = error?.reason else {
      Issue.record("\(name): \(String(describing: error))")
      return
    }
    #expect(at == offset, "\(name)")
  }

  @Test func refusesWhatAFieldDoesNotPromise() throws {
    let file = ModelFile(copying: [0x08, 0x01, 0x12, 0x03, 1, 2, 3], path: "bytes")
    var reader = try ProtobufReader(file)
    let first = try #require(try reader.next())
    #expect(throws: ImportError.self) { try reader.float(first) }
    #expect(throws: ImportError.self) { try reader.range(first) }
    let second = try #require(try reader.next())
    #expect(throws: ImportError.self) { try reader.integer(second) }
    var list: [Range<Int>] = []
    #expect(throws: ImportError.self) { try reader.fixedNumbers(second, byteCount: 4, to: &list) }
  }
}
