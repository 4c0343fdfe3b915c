// The integers of a tensor in the order of its runs, a part at a time.
import Tensors

/// Integers that are asked for in ranges, from several threads at once.
struct IntegerSource: Sendable {
  let count: Int
  private let fill: @Sendable (Range<Int>, UnsafeMutableBufferPointer<Int16>) throws -> Void
  private let array: [Int16]?

  /// fill: gives the integers of a range.
  init(
    count: Int,
    fill: @escaping @Sendable (Range<Int>, UnsafeMutableBufferPointer<Int16>) throws -> Void
  ) {
    self.count = count
    self.fill = fill
    array = nil
  }

  init(_ integers: [Int16]) {
    count = integers.count
    array = integers
    fill = { _, _ in }
  }

  /// Hands the integers of a range to `body`.
  func withIntegers<R>(
    _ range: Range<Int>, _ body: (UnsafeBufferPointer<Int16>) throws -> R
  ) throws -> R {
    if let array {
      return try array.withUnsafeBufferPointer {
        try body(UnsafeBufferPointer(rebasing: $0[range]))
      }
    }
    return try withUnsafeTemporaryAllocation(of: Int16.self, capacity: range.count) { part in
      try fill(range, part)
      return try body(UnsafeBufferPointer(part))
    }
  }

  /// Hands on all integers in ranges of about `length`, multiples of `unit` but for the last.
  func forEachPart(
    unit: Int, length: Int = 1 << 17, _ body: (Range<Int>, UnsafeBufferPointer<Int16>) -> Void
  ) throws {
    let step = max(unit, length / max(unit, 1) * unit)
    for start in stride(from: 0, to: count, by: step) {
      let range = start..<min(start + step, count)
      try withIntegers(range) { body(range, $0) }
    }
  }
}

/// The integers and scales in the bytes of a weight in int8 or in blocks.
struct StoredCodes: Sendable {
  let rows: Int
  /// What fills the last block is among them.
  let columns: Int
  private let form: StoredForm
  private let encoding: WeightEncoding
  private let scaleOffset: Int

  init(_ form: StoredForm, _ encoding: WeightEncoding, _ shape: Shape) {
    let matrix = WeightEncoding.matrix(of: shape, encoding.layout)
    rows = matrix.rows
    let isBlocks = encoding.scheme.block != nil
    columns =
      isBlocks ? BlockFormat.count(matrix.columns) * BlockFormat.length : matrix.columns
    self.form = form
    self.encoding = encoding
    scaleOffset = isBlocks ? 0 : encoding.scaleOffset(shape)
  }

  /// Row after row.
  var integers: IntegerSource {
    IntegerSource(count: rows * columns) { range, out in
      switch (encoding.scheme.block, encoding.layout) {
      case (.some(let block), _): try blocks(block, range, out)
      case (nil, .panels): try panels(range, out)
      case (nil, .rowMajor): try plainRows(range, out)
      }
    }
  }

  /// The scales: of rows in 4 bytes each, of blocks in 2.
  func scales() throws -> [UInt8] {
    guard let block = encoding.scheme.block else {
      return try form.bytes(scaleOffset..<form.byteCount)
    }
    let size = block.byteCount
    var scales: [UInt8] = []
    scales.reserveCapacity(form.byteCount / size * 2)
    for start in stride(from: 0, to: form.byteCount, by: size << 12) {
      let part = try form.bytes(start..<min(start + size << 12, form.byteCount))
      for block in stride(from: 0, to: part.count, by: size) { scales += part[block..<block + 2] }
    }
    return scales
  }

  private func blocks(
    _ format: BlockFormat, _ range: Range<Int>, _ out: UnsafeMutableBufferPointer<Int16>
  ) throws {
    let (size, length) = (format.byteCount, BlockFormat.length)
    let first = range.lowerBound / length
    let bytes = try form.bytes(first * size..<BlockFormat.count(range.upperBound) * size)
    for i in range {
      let start = (i / length - first) * size + 2
      let code = format.code(i % length, bytes[start..<start + size - 2])
      out[i - range.lowerBound] = Int16(code - format.middle)
    }
  }

  private func plainRows(_ range: Range<Int>, _ out: UnsafeMutableBufferPointer<Int16>) throws {
    let stride = WeightEncoding.int8RowBytes(columns)
    func place(_ i: Int) -> Int { i / columns * stride + i % columns }
    let base = place(range.lowerBound)
    let bytes = try form.bytes(base..<place(range.upperBound - 1) + 1)
    var column = range.lowerBound % columns
    var at = 0
    for i in 0..<range.count {
      out[i] = Int16(Int8(bitPattern: bytes[at]))
      (column, at) = (column + 1, at + 1)
      if column == columns { (column, at) = (0, at + stride - columns) }
    }
  }

  private func panels(_ range: Range<Int>, _ out: UnsafeMutableBufferPointer<Int16>) throws {
    let panel = (columns + 3) / 4 * 64
    let first = range.lowerBound / columns / 16
    let bytes = try form.bytes(
      first * panel..<((range.upperBound - 1) / columns / 16 + 1) * panel)
    var row = range.lowerBound / columns
    var column = range.lowerBound % columns
    for i in 0..<range.count {
      let at = (row / 16 - first) * panel + row % 16 * 4 + column / 4 * 64 + column % 4
      out[i] = Int16(Int8(bitPattern: bytes[at]))
      column += 1
      if column == columns { (row, column) = (row + 1, 0) }
    }
  }
}
