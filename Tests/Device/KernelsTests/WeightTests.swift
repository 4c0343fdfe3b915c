// Weights decoded, packed and quantized by every set, against Swift's own arithmetic.

import CKernels
import Kernels
import Randomness
import Testing

struct WeightTests {
  @Test func `single conversions of halves agree with Float16`() {
    for bits in UInt16.min...UInt16.max {
      let wanted = Float(Float16(bitPattern: bits))
      let found = kn_f16_to_f32(bits)
      #expect(found == wanted || (found.isNaN && wanted.isNaN))
      if !wanted.isNaN { #expect(kn_f32_to_f16(wanted) == bits) }
      // The neighbours of halves, and the points between two.
      for nudge in [UInt32(1), 0xfff, 0x1000, 0x1001] where wanted.isFinite {
        let between = Float(bitPattern: wanted.bitPattern &+ nudge)
        if !between.isNaN { #expect(kn_f32_to_f16(between) == Float16(between).bitPattern) }
      }
    }
    #expect(kn_f32_to_f16(.nan) & 0x7e00 == 0x7e00)
    #expect(kn_f32_to_f16(65519.996) == Float16.greatestFiniteMagnitude.bitPattern)
    #expect(kn_f32_to_f16(65520) == Float16.infinity.bitPattern)
    #expect(kn_f32_to_f16(1e-8) == 0)
  }

  @Test(arguments: KernelSet.available)
  func `rows and panels of halves and codes decode exactly`(_ set: KernelSet) {
    var random = SeededRandom(state: 23)
    for k in sizes(around: 4) + [32, 37] {
      // All but NaN, which equals nothing.
      let halves = Memory(
        (0..<k * 16).map { _ in
          UInt16.random(in: 0...0x7bff, using: &random) | (random.next() % 2 == 0 ? 0x8000 : 0)
        })
      let f16 = halves.values.map { Float(Float16(bitPattern: $0)) }
      let bf16 = halves.values.map { Float(bitPattern: UInt32($0) << 16) }
      let y = Memory<Float>(count: k * 16)
      set.table.pointee.decode_panel_f16(halves.base, y.base, k)
      #expect(y.values == f16)
      set.table.pointee.decode_panel_bf16(halves.base, y.base, k)
      #expect(y.values == bf16)
      let some = Memory<Float>(count: k)
      set.table.pointee.decode_f16(halves.base, some.base, k)
      #expect(some.values == Array(f16.prefix(k)))
      let back = Memory<UInt16>(count: k)
      set.table.pointee.encode_f16(some.base, back.base, k)
      #expect(back.values == Array(halves.values.prefix(k)))
      set.table.pointee.decode_bf16(halves.base, some.base, k)
      #expect(some.values == Array(bf16.prefix(k)))
      let codes = random.codes(k)
      set.table.pointee.decode_i8(codes.base, 0.37, some.base, k)
      #expect(some.values == codes.values.map { 0.37 * Float($0) })
      #expect(y.marginIsIntact && some.marginIsIntact && back.marginIsIntact)
    }
  }

  /// Every scheme's blocks of random bytes, against a decoder that reads them bit by bit.
  @Test(arguments: KernelSet.available, Int32(KN_IQ4_NL.rawValue)...Int32(KN_NL6.rawValue))
  func `blocks decode exactly`(_ set: KernelSet, _ scheme: Int32) {
    var random = SeededRandom(state: 29)
    let bits = Int(kn_block_bits(scheme))
    let size = 2 + 4 * bits
    for k in sizes(around: 32) + [64] {
      let blockCount = (k + 31) / 32
      let blocks = Memory<UInt8>(count: 16 * blockCount * size)
      var weights = [[Float]](repeating: [], count: 16)
      for j in 0..<16 {
        for b in 0..<blockCount {
          let start = (j * blockCount + b) * size
          for i in 0..<size { blocks[start + i] = UInt8.random(in: 0...255, using: &random) }
          let scale = Float16(Float.random(in: -1...1, using: &random))
          blocks[start] = UInt8(scale.bitPattern & 0xFF)
          blocks[start + 1] = UInt8(scale.bitPattern >> 8)
          weights[j] += (0..<32).map { i in
            var (code, offset, shift) = (0, start + 2, 0)
            for width in [4, 2, 1] where bits & width != 0 {
              let stride = 4 * width
              let field = Int(blocks[offset + i % stride]) >> (i / stride * width)
              code |= (field % (1 << width)) << shift
              offset += stride
              shift += width
            }
            return Float(scale) * Float(kn_block_value(scheme, scale.bitPattern, Int32(code)))
          }
        }
      }
      let row = Memory<Float>(count: k)
      set.table.pointee.decode_blocks(scheme, blocks.base, row.base, k)
      #expect(row.values == Array(weights[0].prefix(k)))
      for columns in [1, 7, 16] {
        let panel = Memory<Float>(count: 16 * k)
        set.table.pointee.decode_panel_blocks(
          scheme, blocks.base, blockCount, columns, panel.base, k)
        let wanted = (0..<k * 16).map { $0 % 16 < columns ? weights[$0 % 16][$0 / 16] : 0 }
        #expect(panel.values == wanted, "\(columns) columns")
        #expect(panel.marginIsIntact && row.marginIsIntact)
      }
    }
  }

  @Test func `tables of blocks ascend within bytes`() {
    for scheme in Int32(KN_IQ4_NL.rawValue)...Int32(KN_NL6.rawValue) {
      for table in 0..<UInt16(1) << UInt16(kn_block_table_bits(scheme)) {
        let values = (0..<Int32(1) << kn_block_bits(scheme)).map {
          Int(kn_block_value(scheme, table, $0))
        }
        #expect(zip(values, values.dropFirst()).allSatisfy { $0 < $1 }, "\(scheme) \(table)")
        #expect(values.contains { abs($0) == 127 })
      }
    }
    #expect((0..<16).map { kn_block_value(5, 0x1234, $0) } == iq4NLTable)
    for scheme in [Int32(-1), 0, 4, 11] {
      #expect(kn_block_bits(scheme) == 0 && kn_block_value(scheme, 0, 3) == 0)
    }
  }

  @Test(arguments: KernelSet.available)
  func `panels hold the matrix, whichever way it lies`(_ set: KernelSet) {
    var random = SeededRandom(state: 31)
    for k in sizes(around: 4) + [21] {
      for n in [1, 15, 16, 17, 32, 35] {
        let matrix = random.floats(k * n).values
        let wanted = panels(matrix, k: k, n: n)
        let transposed = Memory((0..<n * k).map { matrix[$0 % max(k, 1) * n + $0 / max(k, 1)] })
        let spread = Memory((0..<k * n * 2).map { $0 % 2 == 0 ? matrix[$0 / 2] : .nan })
        for (x, row, column) in [(Memory(matrix), n, 1), (transposed, 1, k), (spread, 2 * n, 2)] {
          let y = Memory<Float>(count: wanted.count)
          set.table.pointee.pack_f32(x.base, row, column, k, n, y.base)
          #expect(y.values == wanted, "\(k) x \(n), strides \(row), \(column)")
          #expect(y.marginIsIntact)
        }
      }
    }
  }

  @Test(arguments: KernelSet.available)
  func `codes are nearest, and scales make the largest 127`(_ set: KernelSet) {
    var random = SeededRandom(state: 37)
    for k in sizes(around: 16) + [2, 4, 6] {
      let (n, ld, k4) = (19, (k + 3) / 4 * 4 + 8, (k + 3) / 4)
      let matrix = random.floats(k * n, in: -3...3).values
      let columns = Memory(panels(matrix, k: k, n: n))
      let (codes, scales) = (Memory<Int8>(count: k4 * 4 * 32), Memory<Float>(count: 32))
      set.table.pointee.quantize_panels_i8(columns.base, k, n, codes.base, scales.base)
      let rows = Memory((0..<n * k).map { matrix[$0 % max(k, 1) * n + $0 / max(k, 1)] })
      let (rowCodes, rowScales) = (Memory<Int8>(count: n * ld), Memory<Float>(count: n))
      set.table.pointee.quantize_rows_i8(rows.base, k, n, k, rowCodes.base, ld, rowScales.base)
      for j in 0..<n {
        let column = (0..<k).map { matrix[$0 * n + j] }
        let highest = column.map(abs).max() ?? 0
        #expect(scales[j] == highest / 127)
        #expect(rowScales[j] == highest / 127)
        for p in 0..<k {
          let exact = Double(column[p]) / (Double(highest) / 127)
          let code = codes[((j / 16) * k4 + p / 4) * 64 + j % 16 * 4 + p % 4]
          #expect(abs(Double(code) - exact) <= 0.5001)
          #expect(rowCodes[j * ld + p] == code)
        }
        for p in k..<ld { #expect(rowCodes[j * ld + p] == 0) }
      }
      for j in n..<32 { #expect(scales[j] == 0) }
      #expect(codes.marginIsIntact && scales.marginIsIntact)
      #expect(rowCodes.marginIsIntact && rowScales.marginIsIntact)
    }
  }

  @Test(arguments: KernelSet.available)
  func `rows of zeros and of poison have zeros for codes`(_ set: KernelSet) {
    let k = 21
    for (value, scale) in [(Float(0), Float(0)), (.infinity, .infinity), (1e-38, 0), (.nan, .nan)] {
      for at in [0, 9, 20] {
        let x = Memory<Float>(count: k, of: value.isFinite ? value : 1)
        x[at] = value
        let (codes, scales) = (Memory<Int8>(count: 24), Memory<Float>(count: 1))
        set.table.pointee.quantize_rows_i8(x.base, k, 1, k, codes.base, 24, scales.base)
        #expect(codes.values.allSatisfy { $0 == 0 })
        #expect(scales[0] == scale || (scales[0].isNaN && scale.isNaN))
      }
    }
  }
}

/// What the sixteen codes of IQ4_NL stand for, before the scale.
private let iq4NLTable: [Int8] = [
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
]
