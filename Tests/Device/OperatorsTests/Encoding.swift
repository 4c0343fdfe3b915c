// Weights encoded from the definitions in QuantizationScheme.swift and kernels.h, and activations in
// Double.

import CKernels
import Foundation
import Operators
import Tensors

/// A f32 weight stored as `scheme` and `layout`, and the values it decodes to.
func encoded(
  _ weight: TestTensor, _ scheme: QuantizationScheme, _ layout: WeightLayout
) -> (TestTensor, [Double]) {
  let (rows, columns) = WeightEncoding.matrix(of: Shape(weight.shape), layout)
  let values = weight.values
  // Row r of the encoder's view: a filter, or a column of the right-hand side.
  func at(_ r: Int, _ c: Int) -> Int { layout == .panels ? c * rows + r : r * columns + c }
  var decoded = [Double](repeating: 0, count: values.count)
  var codes = [[UInt8]](repeating: [], count: rows)
  var scales: [UInt8] = []
  for r in 0..<rows {
    let row = (0..<columns).map { values[at(r, $0)] }
    let (bytes, scale, back) = encodeRow(row, scheme)
    codes[r] = bytes
    scales += TestTensor.raw(Float(scale))
    for c in 0..<columns { decoded[at(r, c)] = back[c] }
  }
  let encoding = WeightEncoding(scheme, layout)
  var bytes: [UInt8]
  if layout == .panels, scheme.block == nil {
    bytes = panels(codes, columns, elementBytes: scheme == .int8 ? 1 : scheme == .f32 ? 4 : 2)
  } else {
    let stride = scheme == .int8 ? (columns + 3) / 4 * 4 : 0
    bytes = codes.flatMap { $0 + [UInt8](repeating: 0, count: max(stride - $0.count, 0)) }
  }
  if scheme == .int8 {
    bytes += [UInt8](repeating: 0, count: (64 - bytes.count % 64) % 64) + scales
    if layout == .panels {
      bytes += [UInt8](repeating: 0, count: ((rows + 15) / 16 * 16 - rows) * 4)
    }
  }
  let stored = TestTensor(.f32, weight.shape, bytes: bytes, encoding: encoding)
  precondition(encoding.byteCount(Shape(weight.shape)) == bytes.count)
  return (stored, decoded)
}

private func encodeRow(
  _ row: [Double], _ scheme: QuantizationScheme
) -> (bytes: [UInt8], scale: Double, decoded: [Double]) {
  switch scheme {
  case .f32: return (row.flatMap { TestTensor.raw(Float($0)) }, 0, row)
  case .f16:
    let halves = row.map { Float16($0) }
    return (halves.flatMap { TestTensor.raw($0) }, 0, halves.map { Double($0) })
  case .bf16:
    let bits = row.map { UInt16(Float($0).bitPattern >> 16) }
    return (
      bits.flatMap { TestTensor.raw($0) }, 0,
      bits.map { Double(Float(bitPattern: UInt32($0) << 16)) }
    )
  case .int8:
    let scale = Double(Float((row.map { abs($0) }.max() ?? 0) / 127))
    let codes = row.map { scale == 0 ? 0 : Int8(min(max(($0 / scale).rounded(), -127), 127)) }
    return (codes.map { UInt8(bitPattern: $0) }, scale, codes.map { Double($0) * scale })
  default:
    var bytes: [UInt8] = []
    var decoded: [Double] = []
    let kind = Int32(scheme.rawValue)
    let bits = scheme.block!.bits
    let mask = UInt16(1) << UInt16(kn_block_table_bits(kind)) - 1
    for start in stride(from: 0, to: row.count, by: 32) {
      let block = row[start..<min(start + 32, row.count)]
      // Each block with another table.
      let half = Float16((block.map { abs($0) }.max() ?? 0) / 127).bitPattern
      let scale = Float16(bitPattern: half & ~mask | UInt16(start / 32 * 5 + row.count) & mask)
      let table = (0..<1 << bits).map { Double(kn_block_value(kind, scale.bitPattern, Int32($0))) }
      let codes = block.map { x in
        let target = scale == 0 ? 0 : x / Double(scale)
        return table.indices.min { abs(table[$0] - target) < abs(table[$1] - target) } ?? 0
      }
      bytes += TestTensor.raw(scale)
      bytes += fields(codes + [Int](repeating: 1, count: 32 - codes.count), bits)
      decoded += codes.map { table[$0] * Double(scale) }
    }
    return (bytes, 0, decoded)
  }
}

/// Codes of 32 weights as `kernels.h` lays them out: fields of 4, 2 and 1 bits, the lowest first.
private func fields(_ codes: [Int], _ bits: Int) -> [UInt8] {
  var bytes: [UInt8] = []
  var shift = 0
  for width in [4, 2, 1] where bits & width != 0 {
    var part = [UInt8](repeating: 0, count: 4 * width)
    for (i, code) in codes.enumerated() {
      part[i % (4 * width)] |= UInt8((code >> shift) % (1 << width)) << (i / (4 * width) * width)
    }
    bytes += part
    shift += width
  }
  return bytes
}

/// Panels of 16 rows; int8 keeps four consecutive columns together.
private func panels(_ rows: [[UInt8]], _ columns: Int, elementBytes: Int) -> [UInt8] {
  var out: [UInt8] = []
  let together = elementBytes == 1 ? 4 : 1
  for panel in stride(from: 0, to: rows.count, by: 16) {
    for c in stride(from: 0, to: columns, by: together) {
      for r in panel..<(panel + 16) {
        for p in c..<(c + together) {
          for b in 0..<elementBytes {
            out.append(r < rows.count && p < columns ? rows[r][p * elementBytes + b] : 0)
          }
        }
      }
    }
  }
  return out
}

/// What an activation does to one number.
func activated(_ x: Double, _ a: FusedActivation) -> Double {
  let (p0, p1) = (Double(a.p0), Double(a.p1))
  return switch a.kind {
  case .linear: x
  case .relu: max(x, 0)
  case .clip: min(max(x, p0), p1)
  case .sigmoid: 1 / (1 + exp(-x))
  case .tanh: 1 - 2 / (exp(2 * x) + 1)
  case .gelu: x / 2 * (1 + erf(x / 2.0.squareRoot()))
  case .geluTanh:
    x / (1 + exp(-2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
  case .silu: x / (1 + exp(-x))
  case .leakyRelu: x >= 0 ? x : p0 * x
  case .hardSwish: x * min(max(x + 3, 0), 6) / 6
  case .hardSigmoid: min(max(p0 * x + p1, 0), 1)
  }
}
