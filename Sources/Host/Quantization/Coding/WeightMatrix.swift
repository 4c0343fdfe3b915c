// A weight as coding sees it: rows of real numbers.
import Lowering
import Tensors

/// The rows of a weight: output channels of a product or convolution, entries of a table.
public struct WeightMatrix: Sendable {
  public let rows: Int
  public let columns: Int
  /// Row after row.
  public let values: [Float]

  public init(rows: Int, columns: Int, values: [Float]) {
    precondition(values.count == rows * columns)
    self.rows = rows
    self.columns = columns
    self.values = values
  }

  /// The elements of an f32 source, turned so that rows are those of its stored form. What is not
  /// finite counts as zero.
  public init(_ source: WeightSource) {
    let (rows, columns) = WeightEncoding.matrix(of: source.shape, source.layout)
    let bytes = source.constant.bytes
    var turned = false
    if case .matrix(transposed: false) = source.role { turned = true }
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

  /// The largest magnitude.
  public var peak: Float { values.reduce(0) { max($0, $1.magnitude) } }
}
