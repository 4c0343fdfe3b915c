// A tensor of the tests: bytes as the operators see them, read back as numbers.

import Foundation
import Operators
import Randomness
import Tensors

extension SeededRandom {
  mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
  mutating func bool() -> Bool { next() & 1 == 1 }
  mutating func pick<T>(_ choices: [T]) -> T { choices[int(0...(choices.count - 1))] }

  /// A shape of `rank` axes with extents in `range`.
  mutating func shape(_ rank: Int, _ range: ClosedRange<Int> = 1...5) -> [Int] {
    (0..<rank).map { _ in int(range) }
  }

  /// f32 values in `range`.
  mutating func floats(_ shape: [Int], _ range: ClosedRange<Float> = -1...1) -> TestTensor {
    TestTensor(
      .f32, shape,
      (0..<shape.reduce(1, *)).map { _ in Double(Float.random(in: range, using: &self)) })
  }

  /// Whole numbers in `range` as any type.
  mutating func integers(
    _ type: ElementType, _ shape: [Int], _ range: ClosedRange<Int> = -9...9
  ) -> TestTensor {
    TestTensor(type, shape, (0..<shape.reduce(1, *)).map { _ in Double(int(range)) })
  }
}

struct TestTensor: Equatable {
  var type: ElementType
  var shape: [Int]
  var bytes: [UInt8]
  var encoding: WeightEncoding?
  /// What the elements of a string tensor refer to.
  var pool: [UInt8] = []

  init(_ type: ElementType, _ shape: [Int], bytes: [UInt8], encoding: WeightEncoding? = nil) {
    self.type = type
    self.shape = shape
    self.bytes = bytes
    self.encoding = encoding
  }

  init(_ type: ElementType, _ shape: [Int], _ values: [Double]) {
    precondition(values.count == shape.reduce(1, *))
    self.init(type, shape, bytes: values.flatMap { TestTensor.encode($0, type) })
  }

  /// Texts; the elements refer to `pool`, which holds them one behind another.
  init(texts: [String], _ shape: [Int]) {
    self.init(utf8: texts.map { Array($0.utf8) }, shape)
  }

  init(utf8 texts: [[UInt8]], _ shape: [Int]) {
    var pool: [UInt8] = []
    var bytes: [UInt8] = []
    for text in texts {
      bytes += TestTensor.raw(
        TextReference(offset: UInt32(pool.count), count: UInt32(text.count)))
      pool += text
    }
    self.init(.string, shape, bytes: bytes)
    self.pool = pool
  }

  /// A sequence, or an optional, of plain tensors.
  init(sequence items: [TestTensor], isOptional: Bool = false) {
    let shapes = items.map { TensorView(elementType: $0.type, shape: Shape($0.shape)) }
    let count = SequenceView.byteCount(items.count) { shapes[$0] }!
    var bytes = [UInt8](repeating: 0, count: count)
    bytes.withUnsafeMutableBytes { memory in
      let view = TensorView(
        base: memory.baseAddress, byteCount: count, elementType: .sequence, shape: Shape([count]))
      let sequence = SequenceView.write(into: view, isOptional: isOptional, items.count) {
        shapes[$0]
      }
      for (i, item) in items.enumerated() where !item.bytes.isEmpty {
        sequence[i].pointer.copyMemory(from: item.bytes, byteCount: item.bytes.count)
      }
    }
    self.init(.sequence, [count], bytes: bytes)
  }

  /// The elements of a string tensor.
  var texts: [String] {
    let list = TextPool(pool)
    return stride(from: 0, to: bytes.count - 7, by: 8).map { at in
      let place = bytes.withUnsafeBytes {
        $0.loadUnaligned(fromByteOffset: at, as: TextReference.self)
      }
      return String(decoding: list.text(place), as: UTF8.self)
    }
  }

  /// The same texts, their bytes in a pool of the test's.
  func placed(in texts: TextPool) -> TestTensor {
    guard !pool.isEmpty else { return self }
    let base = texts.add(pool).offset
    var copy = self
    copy.bytes = stride(from: 0, to: bytes.count - 7, by: 8).flatMap { at in
      let place = bytes.withUnsafeBytes {
        $0.loadUnaligned(fromByteOffset: at, as: TextReference.self)
      }
      return TestTensor.raw(TextReference(offset: place.offset &+ base, count: place.count))
    }
    return copy
  }

  static func i64(_ values: [Int]) -> TestTensor {
    TestTensor(.i64, [values.count], bytes: values.flatMap { raw(Int64($0)) })
  }

  static func raw<T>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

  static func encode(_ v: Double, _ type: ElementType) -> [UInt8] {
    switch type {
    case .f32: raw(Float(v))
    case .f64: raw(v)
    case .f16: raw(Float16(v))
    case .bf16: raw(UInt16(Float(v).bitPattern >> 16))
    case .i8: raw(Int8(v))
    case .u8: raw(UInt8(v))
    case .bool: raw(UInt8(v == 0 ? 0 : 1))
    case .i16: raw(Int16(v))
    case .u16: raw(UInt16(v))
    case .i32: raw(Int32(v))
    case .u32: raw(UInt32(v))
    case .i64: raw(Int64(v))
    case .u64: raw(UInt64(v))
    case .i4, .i2: raw(Int8(v))
    case .u4, .u2, .sequence: raw(UInt8(v))
    case .string: raw(UInt64(v))
    default: [UInt8((0..<256).first { narrowNumber(UInt8($0), type) == v }!)]
    }
  }

  /// What a byte of a narrow real-number type stands for, by the types' published definitions.
  static func narrowNumber(_ byte: UInt8, _ type: ElementType) -> Double {
    let layouts: [ElementType: (exponentBits: Int, fractionBits: Int, bias: Int)] = [
      .f8e4m3fn: (4, 3, 7), .f8e4m3fnuz: (4, 3, 8), .f8e5m2: (5, 2, 15), .f8e5m2fnuz: (5, 2, 16),
      .f4e2m1: (2, 1, 1),
    ]
    guard let layout = layouts[type] else { return byte == 255 ? .nan : pow(2, Double(byte) - 127) }
    let nans: Set<UInt8> =
      switch type {
      case .f8e4m3fn: [0x7F, 0xFF]
      case .f8e5m2: [0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF]
      case .f4e2m1: []
      default: [0x80]
      }
    if nans.contains(byte) { return .nan }
    if type == .f8e5m2, byte & 0x7F == 0x7C { return byte == 0x7C ? .infinity : -.infinity }
    let isNegative = byte >> UInt8(layout.exponentBits + layout.fractionBits) & 1 == 1
    let exponent = Int(byte) >> layout.fractionBits & (1 << layout.exponentBits - 1)
    let fraction =
      Double(Int(byte) & (1 << layout.fractionBits - 1))
      / pow(
        2, Double(layout.fractionBits))
    let magnitude =
      exponent == 0
      ? fraction * pow(2, Double(1 - layout.bias))
      : (1 + fraction) * pow(2, Double(exponent - layout.bias))
    return isNegative ? -magnitude : magnitude
  }

  var count: Int { shape.reduce(1, *) }

  /// All elements of a plain tensor as numbers (64-bit integers past 2^53 are rounded).
  var values: [Double] {
    bytes.withUnsafeBytes { b in
      func load<T: BitwiseCopyable>(_: T.Type, _ i: Int) -> T {
        b.loadUnaligned(fromByteOffset: i * MemoryLayout<T>.size, as: T.self)
      }
      return (0..<count).map { i in
        switch type {
        case .f32: Double(load(Float.self, i))
        case .f64: load(Double.self, i)
        case .f16: Double(load(Float16.self, i))
        case .bf16: Double(Float(bitPattern: UInt32(load(UInt16.self, i)) << 16))
        case .i8: Double(load(Int8.self, i))
        case .u8, .bool, .sequence: Double(load(UInt8.self, i))
        case .string: Double(load(UInt64.self, i))
        case .i16: Double(load(Int16.self, i))
        case .u16: Double(load(UInt16.self, i))
        case .i32: Double(load(Int32.self, i))
        case .u32: Double(load(UInt32.self, i))
        case .i64: Double(load(Int64.self, i))
        case .u64: Double(load(UInt64.self, i))
        case .i4, .i2: Double(load(Int8.self, i))
        case .u4, .u2: Double(load(UInt8.self, i))
        default: TestTensor.narrowNumber(load(UInt8.self, i), type)
        }
      }
    }
  }

  /// The element at a position.
  func callAsFunction(_ position: [Int]) -> Double { values[offset(position, in: shape)] }
}

/// Row-major offset of a position.
func offset(_ position: [Int], in shape: [Int]) -> Int {
  var at = 0
  for (p, n) in zip(position, shape) { at = at * n + p }
  return at
}

/// Every position of a shape in row-major order.
func positions(_ shape: [Int]) -> [[Int]] {
  var result: [[Int]] = [[]]
  for n in shape { result = result.flatMap { head in (0..<n).map { head + [$0] } } }
  return result
}

/// A tensor computed position by position.
func tensor(
  _ shape: [Int], _ type: ElementType = .f32, _ element: ([Int]) -> Double
) -> TestTensor {
  TestTensor(type, shape, positions(shape).map(element))
}
