// Constants of the graph to the bytes of weights: layout, element conversion, quantization.
import Graphs
import Lowering
import Tensors

/// Encodes one weight source into the bytes of its encoding.
///
/// The encoders' view of a weight is a matrix of `rows` output channels by `columns`: row-major sources
/// as they are, panel sources turned so that a row is one column of the product.
public struct WeightEncoder: Sendable {
  private let source: WeightSource
  private let encoding: WeightEncoding?
  private let rows: Int
  private let columns: Int
  /// Elements from one row to the next, and from one column to the next, in the constant.
  private let rowStride: Int
  private let columnStride: Int

  public init(_ source: WeightSource, _ encoding: WeightEncoding?) {
    self.source = source
    self.encoding = encoding
    let layout = encoding?.layout ?? .rowMajor
    (rows, columns) = WeightEncoding.matrix(of: source.shape, layout)
    if case .matrix(let transposed) = source.role {
      (rowStride, columnStride) = transposed ? (columns, 1) : (1, rows)
    } else {
      (rowStride, columnStride) = (columns, 1)
    }
  }

  /// Bytes that `encode` writes.
  public var byteCount: Int {
    encoding.map { $0.byteCount(source.shape) ?? 0 } ?? source.constant.bytes.count
  }

  /// Writes the weight; `out` is zero-filled and `byteCount` long.
  public func encode(into out: UnsafeMutableRawBufferPointer) {
    precondition(out.count == byteCount)
    guard !isIdentity else { return out.copyMemory(from: source.constant.bytes) }
    for window in windows {
      encode(window) { offset, bytes in
        UnsafeMutableRawBufferPointer(rebasing: out[offset..<offset + bytes.count])
          .copyMemory(from: bytes)
      }
    }
  }

  // MARK: In parts

  /// True where the stored form is the constant's bytes as they are.
  public var isIdentity: Bool {
    encoding == nil || encoding == WeightEncoding(.f32, .rowMajor)
  }

  /// Elements of a window, about: as floats they are all that encoding takes in memory.
  private static let windowLength = 1 << 19

  /// Rows that can be encoded by themselves: whole panels, at least one.
  public var windows: [Range<Int>] {
    guard rows > 0, columns > 0 else { return [] }
    let width = WeightEncoding.panelWidth
    let step = max(WeightEncoder.windowLength / columns / width, 1) * width
    return stride(from: 0, to: rows, by: step).map { $0..<min($0 + step, rows) }
  }

  /// Encodes the rows of one window and hands their bytes to `write` with the place in the stored form:
  /// codes, and scales where the scheme has them apart. Bytes that no window writes are zero. The pages
  /// of the constant that were read are given back.
  public func encode(
    _ window: Range<Int>, write: (_ offset: Int, UnsafeRawBufferPointer) throws -> Void
  ) rethrows {
    guard let encoding else { preconditionFailure("plain elements are not encoded") }
    let values = elements(window)
    try values.withUnsafeBufferPointer { values in
      let part = WindowEncoder(encoding, values, columns: columns)
      try part.codes.withUnsafeBytes { try write(part.codeOffset(window.lowerBound), $0) }
      guard encoding.scheme == .int8 else { return }
      try part.scales.withUnsafeBytes {
        try write(encoding.scaleOffset(source.shape) + window.lowerBound * 4, $0)
      }
    }
  }

  /// The elements of the rows of one window, row after row.
  public func elements(_ window: Range<Int>) -> [Float] {
    let bytes = source.constant.bytes
    let count = window.count
    return [Float](unsafeUninitializedCapacity: count * columns) { out, initialized in
      initialized = count * columns
      if columnStride == 1 {
        let start = window.lowerBound * rowStride * 4
        let part = UnsafeRawBufferPointer(rebasing: bytes[start..<start + count * columns * 4])
        UnsafeMutableRawBufferPointer(out).copyMemory(from: part)
        source.constant.releasePages(of: part)
        return
      }
      // Rows stand side by side in the constant, which is read from its beginning to its end.
      let step = max(1, WeightEncoder.windowLength / columnStride)
      for first in stride(from: 0, to: columns, by: step) {
        let last = min(first + step, columns)
        for c in first..<last {
          let from = c * columnStride + window.lowerBound
          for r in 0..<count {
            out[r * columns + c] = bytes.loadUnaligned(
              fromByteOffset: (from + r) * 4, as: Float.self)
          }
        }
        source.constant.releasePages(
          of: UnsafeRawBufferPointer(
            rebasing: bytes[first * columnStride * 4..<last * columnStride * 4]))
      }
    }
  }
}

/// Symmetric 8-bit codes: x ≈ scale · code, codes in −127…127.
public enum Int8Quantizer {
  /// The largest magnitude over 127: nothing is clipped, since an outlier weight usually matters. 0 for a
  /// row of zeros and for rows that are not finite.
  public static func scale(_ row: some Sequence<Float>) -> Float {
    let peak = row.reduce(0) { max($0, $1.magnitude) }
    return peak.isFinite ? peak / 127 : 0
  }

  public static func code(_ x: Float, _ scale: Float) -> Int8 {
    guard scale > 0, x.isFinite else { return 0 }
    return Int8(min(max((x / scale).rounded(.toNearestOrEven), -127), 127))
  }
}
