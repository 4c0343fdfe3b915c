// Shapes never overflow unnoticed, and every encoding takes the bytes its layout says.
import Tensors
import Testing

struct ShapeTests {
  @Test func `broadcasting follows NumPy`() {
    let cases: [([Int], [Int], [Int]?)] = [
      ([2, 3], [3], [2, 3]), ([2, 1], [1, 5], [2, 5]), ([], [4], [4]), ([0, 3], [1, 3], [0, 3]),
      ([2, 3], [2], nil), ([4, 1, 6], [5, 1], [4, 5, 6]), ([3], [0], nil), ([1], [0], [0]),
    ]
    for (a, b, expected) in cases {
      #expect(Shape.broadcast(Shape(a), Shape(b))?.dimensions == expected, "\(a) and \(b)")
      #expect(Shape.broadcast(Shape(b), Shape(a))?.dimensions == expected, "\(b) and \(a)")
    }
  }

  @Test func `strides are row-major`() {
    #expect(Shape([2, 3, 5]).strides.dimensions == [15, 5, 1])
    #expect(Shape().strides.rank == 0)
    #expect(Shape().elementCount == 1)
    #expect(Shape([4, 0, 7]).elementCount == 0)
  }

  @Test func `counts that overflow are nil, behind a zero too`() {
    #expect(Shape([1 << 40, 1 << 40]).checkedElementCount == nil)
    #expect(Shape([1 << 62, 16, 0]).checkedElementCount == nil)
    #expect(Shape([1 << 20, 1 << 20]).checkedElementCount == 1 << 40)
  }

  @Test func `axes count from either end`() {
    let shape = Shape([2, 3, 5])
    #expect(shape.normalized(axis: -1) == 2)
    #expect(shape.normalized(axis: 0) == 0)
    #expect(shape.normalized(axis: 3) == nil)
    #expect(shape.normalized(axis: -4) == nil)
    #expect(shape.description == "[2, 3, 5]")
    #expect(shape != Shape([2, 3]) && shape == Shape([2, 3, 5]))
  }
}

struct WeightEncodingTests {
  /// Bytes counted by hand from the layouts in kernels.h.
  @Test func `encodings take the bytes of their layout`() {
    let cases: [(QuantizationScheme, WeightLayout, [Int], Int)] = [
      (.f32, .rowMajor, [3, 5], 60),
      (.f32, .panels, [5, 17], 5 * 32 * 4),
      (.f16, .panels, [5, 16], 5 * 16 * 2),
      (.bf16, .rowMajor, [2, 3, 4], 48),
      // Rows of 8 codes (7 padded to 4s), 24 bytes, then scales from byte 64 on.
      (.int8, .rowMajor, [3, 7], 64 + 3 * 4),
      // One panel of 2 quads: 128 codes, then 16 scales.
      (.int8, .panels, [7, 9], 128 + 16 * 4),
      // Two blocks a row, 9 rows.
      (.iq4_nl, .panels, [33, 9], 9 * 2 * 18),
      (.iq4_nl, .rowMajor, [9, 32], 9 * 18),
      (.nl2, .rowMajor, [9, 33], 9 * 2 * 10),
      (.nl3, .panels, [32, 9], 9 * 14),
      (.nl4, .panels, [64, 9], 9 * 2 * 18),
      (.nl5, .rowMajor, [9, 1], 9 * 22),
      (.nl6, .rowMajor, [2, 65], 2 * 3 * 26),
    ]
    for (scheme, layout, shape, bytes) in cases {
      let encoding = WeightEncoding(scheme, layout)
      #expect(encoding.byteCount(Shape(shape)) == bytes, "\(scheme.name) \(shape)")
    }
  }

  @Test(arguments: QuantizationScheme.allCases)
  func `hostile shapes have no byte count`(_ scheme: QuantizationScheme) {
    #expect(WeightEncoding(scheme, .panels).byteCount(Shape([2, 3, 4])) == nil)
    #expect(WeightEncoding(scheme, .rowMajor).byteCount(Shape([1 << 40, 1 << 40])) == nil)
    #expect(WeightEncoding(scheme, .panels).byteCount(Shape([1 << 45, 1 << 45])) == nil)
    #expect(QuantizationScheme(name: scheme.name) == scheme)
  }

  @Test func `views read integers of every width`() {
    var values: [Int32] = [7, -3]
    values.withUnsafeMutableBytes { bytes in
      let view = TensorView(
        base: bytes.baseAddress, byteCount: 8, elementType: .i32, shape: Shape([2]))
      #expect(view.integer(at: 1) == -3)
      #expect(view.plainByteCount == 8 && view.hasValue)
    }
    #expect(!TensorView(elementType: .f32, shape: Shape([1])).hasValue)
  }
}
