// Rows that layers seldom have: outliers, zeros, subnormals, poison. Every scheme keeps its bounds.

import CKernels
import Graphs
import Kernels
import Lowering
import Quantization
import Randomness
import Tensors
import Testing

@Suite struct SchemeRoundTripTests {
  static let sizes = [(1, 1), (3, 5), (16, 32), (17, 33), (40, 31), (31, 100), (48, 64)]

  /// Rows of one kind each: what a layer may hold, and what it should not.
  static func matrix(rows: Int, columns: Int, seed: UInt64) -> Matrix {
    var random = SeededRandom(state: seed)
    var values: [Float] = []
    for r in 0..<rows {
      let row: [Float] = (0..<columns).map { c in
        let x = Float.random(in: -1...1, using: &random)
        return switch r % 8 {
        case 0: x
        case 1: 0
        case 2: c == columns / 2 ? 40 : x * 0.01  // one outlier
        case 3: x.magnitude + 0.001  // one sign only
        case 4: x * .leastNormalMagnitude / 1000  // subnormal
        case 5: x * x * x * 300
        case 6: c % 2 == 0 ? -3 : 3
        default: x * 2e-5
        }
      }
      values += row
    }
    return Matrix(rows: rows, columns: columns, values: values)
  }

  /// The largest error that a scheme may make on a row, element by element.
  private func bound(_ scheme: QuantizationScheme, _ row: ArraySlice<Float>, _ x: Float) -> Float {
    let peak = row.reduce(0) { max($0, $1.magnitude) }
    return switch scheme {
    case .f32: 0
    case .f16: max(x.magnitude * 0x1p-11, 0x1p-25)
    case .bf16: max(x.magnitude * 0x1p-8, .leastNormalMagnitude * 0x1p-8)
    case .int8: peak / 254 * 1.001 + 127 * .leastNonzeroMagnitude
    default: .infinity  // judged by the block
    }
  }

  @Test(arguments: QuantizationScheme.allCases)
  func errorsStayInBounds(scheme: QuantizationScheme) {
    for (rows, columns) in Self.sizes {
      let matrix = Self.matrix(rows: rows, columns: columns, seed: UInt64(rows * 1000 + columns))
      for layout in [WeightLayout.rowMajor, .panels] {
        let encoding = WeightEncoding(scheme, layout)
        let source = matrix.source(layout == .panels ? .matrix(transposed: true) : .table)
        let bytes = encoded(source, encoding)
        #expect(bytes.count == encoding.byteCount(source.shape))
        #expect(bytes == encoded(source, encoding), "the same bytes every time")
        for set in KernelSet.available {
          let back = decoded(bytes, encoding, rows: rows, columns: columns, set)
          for r in 0..<rows {
            for (x, y) in zip(matrix[r], back[r]) {
              let limit = bound(scheme, matrix[r], x)
              #expect((x - y).magnitude <= limit, "\(set.name) \(layout) row \(r): \(x) to \(y)")
            }
          }
          if scheme.block != nil { checkBlocks(matrix, back, scheme) }
        }
      }
    }
  }

  /// No block is worse than the plain choice, the largest magnitude at the first table's largest.
  private func checkBlocks(_ matrix: Matrix, _ back: Matrix, _ scheme: QuantizationScheme) {
    let mask = UInt16(1) << UInt16(kn_block_table_bits(Int32(scheme.rawValue))) - 1
    let table = (0..<Int32(1) << scheme.block!.bits).map {
      Float(kn_block_value(Int32(scheme.rawValue), 0, $0))
    }
    let widest = table.max { $0.magnitude < $1.magnitude }!
    for r in 0..<matrix.rows {
      for start in stride(from: 0, to: matrix.columns, by: 32) {
        let range = start..<min(start + 32, matrix.columns)
        let x = range.map { matrix[r][matrix[r].startIndex + $0] }
        let y = range.map { back[r][back[r].startIndex + $0] }
        let peak = x.max { $0.magnitude < $1.magnitude } ?? 0
        // The nearest that picks this table; infinity is none.
        let half = (Float16(peak / widest).bitPattern + (mask + 1) / 2) & ~mask
        let scale = Float(Float16(bitPattern: half))
        let plain = x.reduce(0 as Float) { sum, v -> Float in
          let best = table.map { (v - scale * $0).magnitude }.min() ?? 0
          return sum + best * best
        }
        let found = zip(x, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        #expect(found <= plain * 1.0001 + 1e-14, "row \(r), block at \(start)")
      }
    }
  }

  @Test func codesOfEightBitsAreSymmetric() {
    for (rows, columns) in Self.sizes {
      let matrix = Self.matrix(rows: rows, columns: columns, seed: 9)
      for layout in [WeightLayout.rowMajor, .panels] {
        let encoding = WeightEncoding(.int8, layout)
        let source = matrix.source(layout == .panels ? .matrix(transposed: true) : .table)
        let codes = encoded(source, encoding).prefix(encoding.scaleOffset(source.shape))
        #expect(!codes.contains(0x80), "-128 has no positive counterpart")
        let full = codes.filter { $0 == 0x7F || $0 == 0x81 }.count
        // The largest of every row that is no zeros and not subnormal is at the end of the range.
        #expect(full >= (0..<rows).filter { $0 % 8 != 1 && $0 % 8 != 4 }.count)
      }
    }
  }

  /// Weights that are not numbers spoil their own row or block, and nothing else.
  @Test(arguments: QuantizationScheme.allCases, [Float.nan, .infinity, -.infinity])
  func poisonStaysWhereItIs(scheme: QuantizationScheme, poison: Float) {
    let (rows, columns) = (18, 70)
    let clean = Self.matrix(rows: rows, columns: columns, seed: 21)
    var matrix = clean
    matrix.values[5 * columns + 40] = poison
    for layout in [WeightLayout.rowMajor, .panels] {
      let encoding = WeightEncoding(scheme, layout)
      func back(_ m: Matrix) -> Matrix {
        let source = m.source(layout == .panels ? .matrix(transposed: true) : .table)
        return decoded(
          encoded(source, encoding), encoding, rows: rows, columns: columns, .scalar)
      }
      let (a, b) = (back(clean), back(matrix))
      for r in 0..<rows where r != 5 { #expect(Array(a[r]) == Array(b[r])) }
      let row = Array(b[5])
      switch scheme {
      case .f32, .f16, .bf16:
        #expect(row[40] == poison || (row[40].isNaN && poison.isNaN))
        #expect(row[41] == Array(a[5])[41])
      case .int8:
        // Without a largest magnitude there is no scale; what is no number has no code.
        #expect(row[40] == 0)
        #expect(poison.isNaN ? row == zeroed(Array(a[5]), 40) : row.allSatisfy { $0 == 0 })
      default:
        #expect(row.allSatisfy { $0.isFinite })
        #expect(Array(row[..<32]) == Array(Array(a[5])[..<32]))
      }
    }
  }

  private func zeroed(_ row: [Float], _ i: Int) -> [Float] {
    var row = row
    row[i] = 0
    return row
  }

  @Test func weightsThatHalvesCannotHold() {
    // Past the largest f16, and below the smallest.
    for value in [Float(1e6), -7e4, 1e-9, -1e-9, 3e38, -3e38] {
      let matrix = Matrix(rows: 1, columns: 64, values: (0..<64).map { $0 == 7 ? value : 0.5 })
      for scheme in QuantizationScheme.allCases {
        let encoding = WeightEncoding(scheme, .rowMajor)
        let back = decoded(
          encoded(matrix.source(.table), encoding), encoding, rows: 1, columns: 64, .scalar)
        #expect(!back.values.contains { $0.isNaN }, "\(scheme.name) of \(value)")
        // The block that the value is not in keeps its weights.
        if scheme.block != nil {
          for y in back.values[32...] { #expect((y - 0.5).magnitude < 0.01) }
        }
      }
    }
  }

  @Test func whatIsQuantized() {
    func source(_ shape: [Int], _ role: WeightRole) -> WeightSource {
      WeightSource(
        name: "w",
        constant: Constant(
          floats: [Float](repeating: 1, count: shape.reduce(1, *)), shape: Shape(shape)),
        role: role)
    }
    #expect(
      source([64, 32], .matrix(transposed: false)).encoding(.iq4_nl)
        == WeightEncoding(.iq4_nl, .panels))
    #expect(
      source([8, 8], .matrix(transposed: true)).encoding(.int8) == WeightEncoding(.f32, .panels))
    #expect(source([64, 32], .plain).encoding(.int8) == nil)
    #expect(source([8, 8, 3, 3], .kernel).encoding(.int8) == nil)
    #expect(source([64, 32], .table).encoding(.f32) == nil)
    // 27 weights a row: a block of 32 would be mostly full, yet larger than their 8 bits.
    #expect(
      source([64, 3, 3, 3], .kernel).encoding(.iq4_nl) == WeightEncoding(.int8, .rowMajor))
  }
}
