// Constants of the graph to the bytes of weights: layout, element conversion, quantization.
import CKernels
import Graphs
import Kernels
import Lowering
import Tensors

/// Encodes one weight source into the bytes of its encoding.
///
/// The encoders' view of a weight is a matrix of `rows` output channels by `columns`: row-major sources
/// as they are, panel sources turned so that a row is one column of the product.
public struct WeightEncoder {
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
    guard let encoding else { return out.copyMemory(from: source.constant.bytes) }
    guard let base = out.baseAddress, rows > 0, columns > 0 else { return }
    switch (encoding.scheme, encoding.layout) {
    case (.f32, .rowMajor): out.copyMemory(from: source.constant.bytes)
    case (.f32, .panels), (.f16, .panels), (.bf16, .panels): panels(encoding.scheme, base)
    case (.f16, .rowMajor), (.bf16, .rowMajor): halves(encoding.scheme, base)
    case (.int8, .rowMajor): int8Rows(encoding, base)
    case (.int8, .panels): int8Panels(encoding, base)
    case (.iq4_nl, _): blocks(base)
    }
  }

  private func element(_ row: Int, _ column: Int) -> Float {
    source.constant.bytes.loadUnaligned(
      fromByteOffset: (row * rowStride + column * columnStride) * 4, as: Float.self)
  }

  private func row(_ r: Int, into buffer: inout [Float]) {
    for c in 0..<columns { buffer[c] = element(r, c) }
  }

  private func half(_ x: Float, _ scheme: QuantizationScheme) -> UInt16 {
    scheme == .f16 ? kn_f32_to_f16(x) : HalfPrecision.bf16(x)
  }

  // MARK: Floating point

  private func panels(_ scheme: QuantizationScheme, _ base: UnsafeMutableRawPointer) {
    for r in 0..<rows {
      let panel = r / 16 * columns * 16 + r % 16
      for c in 0..<columns {
        let at = panel + c * 16
        if scheme == .f32 {
          base.storeBytes(of: element(r, c), toByteOffset: at * 4, as: Float.self)
        } else {
          base.storeBytes(of: half(element(r, c), scheme), toByteOffset: at * 2, as: UInt16.self)
        }
      }
    }
  }

  private func halves(_ scheme: QuantizationScheme, _ base: UnsafeMutableRawPointer) {
    for i in 0..<(rows * columns) {
      let x = source.constant.bytes.loadUnaligned(fromByteOffset: i * 4, as: Float.self)
      base.storeBytes(of: half(x, scheme), toByteOffset: i * 2, as: UInt16.self)
    }
  }

  // MARK: Int8 per output channel

  private func int8Rows(_ encoding: WeightEncoding, _ base: UnsafeMutableRawPointer) {
    let stride = WeightEncoding.int8RowBytes(columns)
    let scales = encoding.scaleOffset(source.shape)
    var buffer = [Float](repeating: 0, count: columns)
    for r in 0..<rows {
      row(r, into: &buffer)
      let scale = Int8Quantizer.scale(buffer)
      base.storeBytes(of: scale, toByteOffset: scales + r * 4, as: Float.self)
      for c in 0..<columns {
        base.storeBytes(
          of: Int8Quantizer.code(buffer[c], scale), toByteOffset: r * stride + c, as: Int8.self)
      }
    }
  }

  private func int8Panels(_ encoding: WeightEncoding, _ base: UnsafeMutableRawPointer) {
    let quads = (columns + 3) / 4
    let scales = encoding.scaleOffset(source.shape)
    var buffer = [Float](repeating: 0, count: columns)
    for r in 0..<rows {
      row(r, into: &buffer)
      let scale = Int8Quantizer.scale(buffer)
      base.storeBytes(of: scale, toByteOffset: scales + r * 4, as: Float.self)
      let panel = r / 16 * quads * 64 + r % 16 * 4
      for c in 0..<columns {
        base.storeBytes(
          of: Int8Quantizer.code(buffer[c], scale), toByteOffset: panel + c / 4 * 64 + c % 4,
          as: Int8.self)
      }
    }
  }

  // MARK: Blocks of 4 bits

  private func blocks(_ base: UnsafeMutableRawPointer) {
    let count = (columns + 31) / 32
    // Zeros fill the last block.
    var buffer = [Float](repeating: 0, count: count * 32)
    var codes = [UInt8](repeating: 0, count: 32)
    for r in 0..<rows {
      row(r, into: &buffer)
      for b in 0..<count {
        let scale = buffer.withUnsafeBufferPointer { weights in
          codes.withUnsafeMutableBufferPointer { codes in
            IQ4NLQuantizer.encode(weights.baseAddress! + b * 32, into: codes.baseAddress!)
          }
        }
        let at = base + (r * count + b) * WeightEncoding.blockBytes
        at.storeBytes(of: scale, as: UInt16.self)
        for i in 0..<16 {
          at.storeBytes(
            of: codes[i] | codes[i + 16] << 4, toByteOffset: 2 + i, as: UInt8.self)
        }
      }
    }
  }
}

/// Symmetric 8-bit codes: x ≈ scale · code, codes in −127…127.
public enum Int8Quantizer {
  /// The largest magnitude over 127: nothing is clipped, since an outlier weight usually matters. 0 for a
  /// row of zeros and for rows that are not finite.
  public static func scale(_ row: [Float]) -> Float {
    let peak = row.reduce(0) { max($0, $1.magnitude) }
    return peak.isFinite ? peak / 127 : 0
  }

  public static func code(_ x: Float, _ scale: Float) -> Int8 {
    guard scale > 0, x.isFinite else { return 0 }
    return Int8(min(max((x / scale).rounded(.toNearestOrEven), -127), 127))
  }
}
