// A weight as coding sees it: rows of real numbers.
import Graphs
import Lowering
import Tensors

/// The rows of a weight: output channels of a product or convolution, entries of a table.
public struct WeightMatrix: Sendable {
  public let rows: Int
  public let columns: Int
  /// Row after row; empty where they are read from the constant each time.
  private let held: [Float]
  private let constant: Constant?

  /// Larger sources whose rows lie one after the other are not copied.
  private static let heldCount = 1 << 20

  public init(rows: Int, columns: Int, values: [Float]) {
    precondition(values.count == rows * columns)
    self.init(rows: rows, columns: columns, held: values, constant: nil)
  }

  private init(rows: Int, columns: Int, held: [Float], constant: Constant?) {
    self.rows = rows
    self.columns = columns
    self.held = held
    self.constant = constant
  }

  /// The elements of an f32 source, turned so that rows are those of its stored form. What is not
  /// finite counts as zero.
  public init(_ source: WeightSource) {
    let (rows, columns) = WeightEncoding.matrix(of: source.shape, source.layout)
    var turned = false
    if case .matrix(transposed: false) = source.role { turned = true }
    guard turned || rows * columns < WeightMatrix.heldCount else {
      self.init(rows: rows, columns: columns, held: [], constant: source.constant)
      return
    }
    let bytes = source.constant.bytes
    let values = [Float](unsafeUninitializedCapacity: rows * columns) { out, count in
      for r in 0..<rows {
        for c in 0..<columns {
          let at = turned ? c * rows + r : r * columns + c
          let x = bytes.loadUnaligned(fromByteOffset: at * 4, as: Float.self)
          out[r * columns + c] = x.isFinite ? x : 0
        }
      }
      count = rows * columns
    }
    source.constant.releasePages()
    self.init(rows: rows, columns: columns, values: values)
  }

  public var count: Int { rows * columns }

  /// All elements, row after row.
  public var values: [Float] { withElements(0..<count) { Array($0) } }

  /// Hands the elements of a range to `body`.
  func withElements<R>(
    _ range: Range<Int>, _ body: (UnsafeBufferPointer<Float>) throws -> R
  ) rethrows -> R {
    guard let constant else {
      return try held.withUnsafeBufferPointer {
        try body(UnsafeBufferPointer(rebasing: $0[range]))
      }
    }
    let bytes = UnsafeRawBufferPointer(
      rebasing: constant.bytes[range.lowerBound * 4..<range.upperBound * 4])
    return try withUnsafeTemporaryAllocation(of: Float.self, capacity: range.count) { part in
      for i in part.indices {
        let x = bytes.loadUnaligned(fromByteOffset: 4 * i, as: Float.self)
        part[i] = x.isFinite ? x : 0
      }
      return try body(UnsafeBufferPointer(part))
    }
  }

  /// Gives the memory of a range back where it can be read again.
  func release(_ range: Range<Int>) {
    guard let constant else { return }
    constant.releasePages(
      of: UnsafeRawBufferPointer(
        rebasing: constant.bytes[range.lowerBound * 4..<range.upperBound * 4]))
  }

  /// Hands on all elements in ranges of about `length`, multiples of `unit` but for the last.
  func forEachPart(
    unit: Int = 1, length: Int = 1 << 17, _ body: (Range<Int>, UnsafeBufferPointer<Float>) -> Void
  ) {
    let step = max(unit, length / max(unit, 1) * unit)
    for start in stride(from: 0, to: count, by: step) {
      let range = start..<min(start + step, count)
      withElements(range) { body(range, $0) }
      release(range)
    }
  }

  /// Sum of squares.
  public var energy: Double {
    var sum = 0.0
    forEachPart { _, part in sum = part.reduce(sum) { $0 + Double($1) * Double($1) } }
    return sum
  }

  /// The largest magnitude.
  public var peak: Float {
    var peak: Float = 0
    forEachPart { _, part in peak = part.reduce(peak) { max($0, $1.magnitude) } }
    return peak
  }

  /// The largest magnitude of each row.
  public var rowPeaks: [Float] {
    var peaks = [Float](repeating: 0, count: rows)
    forEachPart(unit: max(columns, 1)) { range, part in
      for (i, x) in part.enumerated() {
        let row = (range.lowerBound + i) / columns
        peaks[row] = max(peaks[row], x.magnitude)
      }
    }
    return peaks
  }
}
