// Tests of the safetensors reader and writer against files of the Python package and of attackers.

import Foundation
import Platform
import Tasks
import Tensors
import Testing

struct SafetensorsTests {
  @Test func readsWhatPythonWrote() throws {
    let bytes = support("python.safetensors")
    let file = try read(bytes)
    let expected = try Expected.load().tensors
    #expect(file.entries.count == expected.count)
    #expect(
      file.metadata.sorted { $0.key < $1.key } == [
        SafetensorsText(key: "b", value: "\n"), SafetensorsText(key: "made by", value: "numpy"),
      ])
    for (name, values) in expected {
      let entry = try #require(file[name])
      #expect(texts(Array(bytes[entry.byteRange]), entry.elementType) == values, "\(name)")
    }
    #expect(file["t.float16"]?.shape == Shape([2, 3]))
    #expect(file["scalar"]?.shape == Shape())
    #expect(file["empty"]?.shape == Shape([0, 4]))
    #expect(file["t.nothing"] == nil)
  }

  @Test func tensorsOfARoleComeFirst() throws {
    var writer = SafetensorsWriter()
    try writer.add("x", .u8, Shape([1]), bytes: [1])
    try writer.add("input.x", .u8, Shape([2]), bytes: [1, 2])
    try writer.add("y", .u8, Shape([3]), bytes: [1, 2, 3])
    let file = try read(writer.encode())
    #expect(file.tensor("input", "x")?.shape == Shape([2]))
    #expect(file.tensor("input", "y")?.shape == Shape([3]))
    #expect(file.tensor("output", "z") == nil)
  }

  @Test func writtenFilesReadBack() throws {
    let source = support("python.safetensors")
    let file = try read(source)
    var writer = SafetensorsWriter()
    var reversed = SafetensorsWriter()
    writer.metadata = file.metadata
    reversed.metadata = file.metadata.reversed()
    for entry in file.entries {
      try writer.add(
        entry.name, entry.elementType, entry.shape, bytes: Array(source[entry.byteRange]))
    }
    for entry in file.entries.reversed() {
      try reversed.add(
        entry.name, entry.elementType, entry.shape, bytes: Array(source[entry.byteRange]))
    }
    try writer.add("bf16", .bf16, Shape([2]), bytes: [0x80, 0x3F, 0, 0xC0])
    try reversed.add("bf16", .bf16, Shape([2]), bytes: [0x80, 0x3F, 0, 0xC0])
    let bytes = writer.encode()
    let isSame = bytes == reversed.encode()
    #expect(isSame)
    let copy = try read(bytes)
    #expect(copy.dataOffset % 8 == 0)
    #expect(copy.entries.count == file.entries.count + 1)
    for entry in file.entries {
      let found = try #require(copy[entry.name])
      #expect(found.elementType == entry.elementType)
      #expect(found.shape == entry.shape)
      #expect(found.byteRange.lowerBound % found.elementType.byteCount == 0)
      #expect(bytes[found.byteRange].elementsEqual(source[entry.byteRange]))
    }

    let path = NSTemporaryDirectory() + "knapsack-\(UUID().uuidString).safetensors"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try writer.write(to: path)
    let isWritten = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) == bytes
    #expect(isWritten)
    let mapped = try MappedFile(path: path)
    let fromMap = try Safetensors(mapped.bytes)
    #expect(fromMap.entries == copy.entries)
  }

  @Test func floatsAndIntegersAreWritten() throws {
    var writer = SafetensorsWriter()
    try writer.add("f", Shape([2]), floats: ([1.5, -2] as [Float]).span)
    try writer.add("i", Shape([1]), integers: ([-3] as [Int64]).span)
    let bytes = writer.encode()
    let file = try read(bytes)
    #expect(texts(Array(bytes[try #require(file["f"]).byteRange]), .f32) == ["1.5", "-2.0"])
    #expect(texts(Array(bytes[try #require(file["i"]).byteRange]), .i64) == ["-3"])
  }

  @Test func wrongTensorsAreNotWritten() throws {
    var writer = SafetensorsWriter()
    #expect(throws: SafetensorsError.wrongByteCount(key: "a", expected: 8, found: 7)) {
      try writer.add("a", .f32, Shape([2]), bytes: [UInt8](repeating: 0, count: 7))
    }
    #expect(throws: SafetensorsError.wrongByteCount(key: "a", expected: nil, found: 0)) {
      try writer.add("a", .f32, Shape([1 << 40, 1 << 40]), bytes: [])
    }
    try writer.add("a", .u8, Shape([0]), bytes: [])
    #expect(throws: SafetensorsError.duplicateName("a")) {
      try writer.add("a", .u8, Shape([0]), bytes: [])
    }
  }

  @Test func anEmptyFileOfTensorsIsFine() throws {
    #expect(try read(file(header: "{}", dataByteCount: 0)).entries.isEmpty)
    #expect(try read(SafetensorsWriter().encode()).entries.isEmpty)
  }
}

struct HostileSafetensorsTests {
  private static let one = #""dtype":"U8","shape":[4],"data_offsets":[0,4]"#

  @Test(arguments: [
    // header, bytes of data, what the error says
    ("{\"a\":{\(one)}}", 3, "expected 4 bytes of tensors, found 3"),
    ("{\"a\":{\(one)}}", 5, "expected 4 bytes of tensors, found 5"),
    ("{\"a\":{\(one)},\"a\":{\(one)}}", 4, "the key \"a\" appears twice"),
    (
      "{\"a\":{\(one)},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}", 6,
      "\"b\" at byte 61: expected data offset 4, found 2"
    ),
    (
      "{\"a\":{\(one)},\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[5,6]}}", 6,
      "\"b\" at byte 61: expected data offset 4, found 5"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,4]}}"#, 4,
      "\"a\" at byte 13: expected 16 bytes for its shape, found 4"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#, 4,
      "\"a\" at byte 13: expected a shape that fits in memory, found 4"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[0,4611686018427387904,16],"data_offsets":[0,0]}}"#, 0,
      "\"a\" at byte 13: expected a shape that fits in memory, found 0"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}}"#, 4,
      "\"a\" at byte 35: expected an array of counts"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[4.0],"data_offsets":[0,4]}}"#, 4,
      "\"a\" at byte 35: expected an array of counts"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}}"#, 4,
      "\"a\" at byte 13: expected ascending data_offsets"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[9223372036854775807,9223372036854775807]}}"#,
      4, "\"a\" at byte 13: expected ascending data_offsets"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4,8]}}"#, 4,
      "\"a\" at byte 54: expected two offsets"
    ),
    (
      #"{"a":{"dtype":"F6_E3M2","shape":[4],"data_offsets":[0,4]}}"#, 4,
      "\"a\" at byte 22: unsupported dtype F6_E3M2"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[0,4]}}"#, 4,
      "\"a\" at byte 13: expected at most 8 axes, found 9"
    ),
    (#"{"a":{"dtype":"U8","shape":[4]}}"#, 4, "expected dtype, shape and data_offsets"),
    (#"{"a":{"x":1}}"#, 4, "\"a\" at byte 14: expected dtype, shape or data_offsets"),
    (#"{"a":4}"#, 4, "expected dtype, shape and data_offsets"),
    (#"{"__metadata__":{"a":1}}"#, 0, "\"a\" at byte 29: expected a string"),
    (#"{"__metadata__":[]}"#, 0, "expected an object of strings"),
    (" {}", 0, "at byte 9: expected an object"),
    ("[]", 0, "at byte 8: expected an object"),
    ("{", 0, "not a safetensors header"),
    ("", 0, "not a safetensors header"),
  ])
  func isRefusedByName(header: String, dataByteCount: Int, message: String) {
    do {
      _ = try read(file(header: header, dataByteCount: dataByteCount))
      Issue.record("accepted \(header)")
    } catch {
      #expect(error.description.contains(message), "\(error.description)")
    }
  }

  @Test func hugeHeadersAreRefused() {
    for length in [UInt64.max, 1 << 63, 100_000_001, 9] {
      var bytes = (0..<8).map { UInt8(truncatingIfNeeded: length >> UInt64($0 * 8)) }
      bytes += Array("{}      ".utf8)
      #expect(throws: SafetensorsError.self) { try read(bytes) }
    }
  }

  @Test func everyTruncationIsRefused() {
    let bytes = support("python.safetensors")
    for count in 0..<bytes.count {
      #expect(throws: SafetensorsError.self) { try read(Array(bytes[..<count])) }
    }
  }

  /// A flipped bit of length and header is refused or changes names, types or texts only: what is
  /// accepted still covers the file.
  @Test func everyFlippedBitIsHandled() throws {
    var bytes = support("python.safetensors")
    let header = try read(bytes).dataOffset
    var refused = 0
    for bit in 0..<(header * 8) {
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      do {
        var end = header
        for entry in try read(bytes).entries {
          #expect(entry.byteRange.lowerBound == end)
          #expect(
            entry.shape.elementCount * entry.elementType.byteCount == entry.byteRange.count)
          end = entry.byteRange.upperBound
        }
        #expect(end == bytes.count)
      } catch {
        refused += 1
      }
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
    #expect(refused > header * 4)
  }
}
