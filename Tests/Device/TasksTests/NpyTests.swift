// Tests of the .npy reader and writer against files that NumPy wrote.

import Tasks
import Tensors
import Testing

private func readNpy(_ bytes: [UInt8]) throws(NpyError) -> Npy {
  let span = bytes.span
  return try Npy(span.bytes)
}

struct NpyTests {
  @Test(arguments: [1, 2, 3])
  func everyVersionIsRead(version: Int) throws {
    let bytes = support("matrix-v\(version).npy")
    let array = try readNpy(bytes)
    #expect(array.elementType == .f32)
    #expect(array.shape == Shape([3, 4]))
    #expect(texts(Array(bytes[array.byteRange]), .f32) == (0..<12).map { "\(Double($0) / 8)" })
  }

  @Test func vectorsAndScalarsAreRead() throws {
    let bytes = support("vector.npy")
    let vector = try readNpy(bytes)
    #expect(vector.shape == Shape([3]))
    #expect(texts(Array(bytes[vector.byteRange]), .i64) == ["-1", "2", "1099511627776"])
    let scalar = try readNpy(support("scalar.npy"))
    #expect(scalar.shape == Shape())
    #expect(scalar.elementType == .i8)
  }

  /// The same bytes as NumPy's own.
  @Test func writesWhatNumPyWrites() throws {
    for name in ["matrix-v1.npy", "vector.npy", "scalar.npy"] {
      let bytes = support(name)
      let array = try readNpy(bytes)
      let copy = try Npy.encode(
        array.elementType, array.shape, bytes: Array(bytes[array.byteRange]))
      #expect(try readNpy(copy).shape == array.shape)
      #expect(copy.suffix(array.byteRange.count) == bytes.suffix(array.byteRange.count))
      #expect(try readNpy(copy).byteRange.lowerBound % 64 == 0)
    }
    #expect(throws: NpyError.unsupportedType("bf16")) {
      try Npy.encode(.bf16, Shape([1]), bytes: [0, 0])
    }
    #expect(throws: NpyError.byteCount(expected: 4, found: 3)) {
      try Npy.encode(.f32, Shape(), bytes: [0, 0, 0])
    }
  }

  @Test func otherLayoutsAreRefused() {
    #expect(throws: NpyError.fortranOrder) { try readNpy(support("fortran.npy")) }
    #expect(throws: NpyError.unsupportedType(">f4")) { try readNpy(support("big-endian.npy")) }
  }

  @Test func everyTruncationIsRefused() {
    for name in ["matrix-v1.npy", "matrix-v3.npy", "scalar.npy"] {
      let bytes = support(name)
      for count in 0..<bytes.count {
        #expect(throws: NpyError.self) { try readNpy(Array(bytes[..<count])) }
      }
      #expect(throws: NpyError.self) { try readNpy(bytes + [0]) }
    }
  }

  @Test func everyFlippedBitIsHandled() throws {
    var bytes = support("matrix-v2.npy")
    let header = try readNpy(bytes).byteRange.lowerBound
    var refused = 0
    for bit in 0..<(header * 8) {
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      do {
        let array = try readNpy(bytes)
        #expect(array.shape.elementCount * array.elementType.byteCount == array.byteRange.count)
      } catch {
        refused += 1
      }
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
    #expect(refused > 500)
  }

  @Test(arguments: [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8, 0), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }",
    "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<f4', 'fortran_order': False}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
  ])
  func hostileHeadersAreRefused(header: String) {
    var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
    bytes += [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)] + Array(header.utf8)
    #expect(throws: NpyError.self) { try readNpy(bytes + [0, 0, 0, 0]) }
  }
}
