// Encoded weights back to numbers, by the kernels that run them.

import CKernels
import Graphs
import Kernels
import Lowering
import Quantization
import Tensors

/// A matrix of `rows` output channels by `columns`, as the encoder sees every weight.
struct Matrix {
  var rows: Int
  var columns: Int
  var values: [Float]

  subscript(row: Int) -> ArraySlice<Float> { values[row * columns..<(row + 1) * columns] }

  /// The same numbers as a source: row after row, or column after column for a product's [k, n].
  func source(_ role: WeightRole) -> WeightSource {
    if case .matrix(transposed: false) = role {
      let turned = (0..<rows * columns).map { values[$0 % rows * columns + $0 / rows] }
      return WeightSource(
        name: "w", constant: Constant(floats: turned, shape: Shape([columns, rows])), role: role)
    }
    return WeightSource(
      name: "w", constant: Constant(floats: values, shape: Shape([rows, columns])), role: role)
  }
}

/// What `WeightEncoder` writes.
func encoded(_ source: WeightSource, _ encoding: WeightEncoding?) -> [UInt8] {
  let encoder = WeightEncoder(source, encoding)
  var bytes = [UInt8](repeating: 0, count: encoder.byteCount)
  bytes.withUnsafeMutableBytes { encoder.encode(into: $0) }
  return bytes
}

/// The numbers that an encoded matrix stands for, with the kernels of `set`.
func decoded(
  _ bytes: [UInt8], _ encoding: WeightEncoding, rows: Int, columns: Int, _ set: KernelSet
) -> Matrix {
  bytes.withUnsafeBytes { bytes in
    let base = bytes.baseAddress!
    let shape = Shape(encoding.layout == .panels ? [columns, rows] : [rows, columns])
    let decoder = Decoder(
      base: base, scales: encoding.scheme == .int8 ? encoding.scaleOffset(shape) : 0, rows: rows,
      columns: columns, kernels: set.table.pointee)
    let values =
      switch (encoding.scheme, encoding.layout) {
      case (let scheme, _) where scheme.block != nil: decoder.blockRows(scheme)
      case (.int8, .panels): decoder.codePanels()
      case (_, .panels): decoder.panels(encoding.scheme)
      case (_, .rowMajor): decoder.plainRows(encoding.scheme)
      }
    return Matrix(rows: rows, columns: columns, values: values)
  }
}

private struct Decoder {
  var base: UnsafeRawPointer
  var scales: Int
  var rows: Int
  var columns: Int
  var kernels: kn_kernels

  func blockRows(_ scheme: QuantizationScheme) -> [Float] {
    let rowBytes = scheme.block!.rowBytes(columns)
    return (0..<rows).flatMap { r in
      var row = [Float](repeating: .nan, count: columns)
      kernels.decode_blocks(Int32(scheme.rawValue), base + r * rowBytes, &row, columns)
      return row
    }
  }

  /// A product with a matrix of ones and zeros reads the codes: row p of B, scaled.
  func codePanels() -> [Float] {
    let k4 = (columns + 3) / 4 * 4
    var a = [Int8](repeating: 0, count: columns * k4)
    for p in 0..<columns { a[p * k4 + p] = 1 }
    let ones = [Float](repeating: 1, count: columns)
    var c = [Float](repeating: .nan, count: columns * rows)
    a.withUnsafeBufferPointer { a in
      ones.withUnsafeBufferPointer { ones in
        c.withUnsafeMutableBufferPointer { c in
          var g = kn_gemm()
          g.a = UnsafeRawPointer(a.baseAddress)
          g.lda = k4
          g.b = base
          g.c = c.baseAddress
          g.ldc = rows
          g.m = columns
          g.n = rows
          g.k = columns
          g.a_scales = ones.baseAddress
          g.b_scales = (base + scales).assumingMemoryBound(to: Float.self)
          g.alpha = 1
          kernels.gemm_i8(&g, 0, columns, 0, (rows + 15) / 16)
        }
      }
    }
    return (0..<rows * columns).map { c[$0 % columns * rows + $0 / columns] }
  }

  func panels(_ scheme: QuantizationScheme) -> [Float] {
    var values = [Float](repeating: .nan, count: rows * columns)
    for panel in 0..<(rows + 15) / 16 {
      var out = [Float](repeating: .nan, count: columns * 16)
      let start = panel * columns * 16
      switch scheme {
      case .f16:
        kernels.decode_panel_f16(
          (base + start * 2).assumingMemoryBound(to: UInt16.self), &out, columns)
      case .bf16:
        kernels.decode_panel_bf16(
          (base + start * 2).assumingMemoryBound(to: UInt16.self), &out, columns)
      default:
        for i in out.indices {
          out[i] = base.loadUnaligned(fromByteOffset: (start + i) * 4, as: Float.self)
        }
      }
      for i in out.indices {
        let row = panel * 16 + i % 16
        if row < rows {
          values[row * columns + i / 16] = out[i]
        } else {
          precondition(out[i] == 0, "columns that pad a panel are zero")
        }
      }
    }
    return values
  }

  func plainRows(_ scheme: QuantizationScheme) -> [Float] {
    (0..<rows).flatMap { r in
      var row = [Float](repeating: .nan, count: columns)
      switch scheme {
      case .f16:
        kernels.decode_f16(
          (base + r * columns * 2).assumingMemoryBound(to: UInt16.self), &row, columns)
      case .bf16:
        kernels.decode_bf16(
          (base + r * columns * 2).assumingMemoryBound(to: UInt16.self), &row, columns)
      case .int8:
        kernels.decode_i8(
          (base + r * ((columns + 3) / 4 * 4)).assumingMemoryBound(to: Int8.self),
          base.loadUnaligned(fromByteOffset: scales + r * 4, as: Float.self), &row, columns)
      default:
        for c in 0..<columns {
          row[c] = base.loadUnaligned(fromByteOffset: (r * columns + c) * 4, as: Float.self)
        }
      }
      return row
    }
  }
}
