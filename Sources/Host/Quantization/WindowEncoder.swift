// Some rows of a weight as its scheme stores them.
import CKernels
import Tensors

/// The codes of rows that begin at a panel's first.
struct WindowEncoder {
  /// The rows' part of the stored form, whole panels.
  private(set) var codes: [UInt8] = []
  /// One for each row, of int8 only.
  private(set) var scales: [Float] = []
  private let rows: Int
  private let columns: Int
  /// Bytes of a panel of rows, or of one where the layout has none.
  private let unitByteCount: Int
  private let unitRows: Int

  /// values: row after row.
  init(_ encoding: WeightEncoding, _ values: UnsafeBufferPointer<Float>, columns: Int) {
    self.columns = columns
    rows = values.count / columns
    let scheme = encoding.scheme
    let isPanels = encoding.layout == .panels && scheme.block == nil
    unitRows = isPanels ? WeightEncoding.panelWidth : 1
    unitByteCount =
      switch scheme {
      case .f32: unitRows * columns * 4
      case .f16, .bf16: unitRows * columns * 2
      case .int8:
        isPanels ? (columns + 3) / 4 * 64 : WeightEncoding.int8RowBytes(columns)
      default: scheme.block?.rowBytes(columns) ?? 0
      }
    var codes = [UInt8](repeating: 0, count: (rows + unitRows - 1) / unitRows * unitByteCount)
    let base = values.baseAddress!
    codes.withUnsafeMutableBytes { out in
      switch scheme {
      case .f32, .f16, .bf16: floats(scheme, isPanels, base, out.baseAddress!)
      case .int8: scales = int8(isPanels, base, out.baseAddress!)
      default: blocks(scheme, base, out.baseAddress!)
      }
    }
    self.codes = codes
  }

  /// Where the codes of rows from `row` on, a panel's first, begin in the stored form.
  func codeOffset(_ row: Int) -> Int { row / unitRows * unitByteCount }

  private func floats(
    _ scheme: QuantizationScheme, _ isPanels: Bool, _ values: UnsafePointer<Float>,
    _ out: UnsafeMutableRawPointer
  ) {
    for r in 0..<rows {
      let first = isPanels ? r / 16 * columns * 16 + r % 16 : r * columns
      let step = isPanels ? 16 : 1
      for c in 0..<columns {
        let x = values[r * columns + c]
        let at = first + c * step
        switch scheme {
        case .f32: out.storeBytes(of: x, toByteOffset: at * 4, as: Float.self)
        case .f16: out.storeBytes(of: kn_f32_to_f16(x), toByteOffset: at * 2, as: UInt16.self)
        default: out.storeBytes(of: HalfPrecision.bf16(x), toByteOffset: at * 2, as: UInt16.self)
        }
      }
    }
  }

  /// Writes 8-bit codes; the scale of each row.
  private func int8(
    _ isPanels: Bool, _ values: UnsafePointer<Float>, _ out: UnsafeMutableRawPointer
  ) -> [Float] {
    (0..<rows).map { r in
      let row = UnsafeBufferPointer(start: values + r * columns, count: columns)
      let scale = Int8Quantizer.scale(row)
      let first = isPanels ? r / 16 * unitByteCount + r % 16 * 4 : r * unitByteCount
      for c in 0..<columns {
        out.storeBytes(
          of: Int8Quantizer.code(row[c], scale),
          toByteOffset: first + (isPanels ? c / 4 * 64 + c % 4 : c), as: Int8.self)
      }
      return scale
    }
  }

  /// Writes rows of blocks.
  private func blocks(
    _ scheme: QuantizationScheme, _ values: UnsafePointer<Float>, _ out: UnsafeMutableRawPointer
  ) {
    guard let quantizer = BlockQuantizer.all[scheme] else { return }
    let encoder = BlockEncoder(quantizer, columns: columns)
    for r in 0..<rows { encoder.encode(values + r * columns, into: out + r * encoder.rowBytes) }
  }
}
