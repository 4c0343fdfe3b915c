// Softmax, layer normalisation, sums and maxima of every set against double precision.

import CKernels
import Foundation
import Kernels
import Randomness
import Testing

struct RowTests {
  static let widths = Set(sizes(around: 4) + sizes(around: 8) + sizes(around: 16) + [128, 131])
    .sorted()

  @Test(arguments: KernelSet.available)
  func `softmax and its logarithm are right at every width`(_ set: KernelSet) {
    var random = SeededRandom(state: 13)
    for width in Self.widths {
      // Narrow rows go through the vector together: fewer of them than lanes, as many, and more.
      for rows in width <= 8 ? [0, 1, 3, 16, 37] : [0, 1, 3] {
        let x = random.floats(rows * width, in: -20...20)
        // A mask leaves the first of every third element.
        if rows == 3 { for i in 0..<rows * width where i % 3 == 1 { x[i] = -.infinity } }
        for log in [false, true] {
          var wanted: [Double] = []
          for i in 0..<rows {
            let row = (0..<width).map { Double(x[i * width + $0]) }
            let highest = row.max() ?? 0
            let sum = row.reduce(0) { $0 + exp($1 - highest) }
            wanted += row.map {
              log ? $0 - highest - Foundation.log(sum) : exp($0 - highest) / sum
            }
          }
          let y = Memory<Float>(count: rows * width)
          set.table.pointee.softmax_f32(x.base, y.base, rows, width, log ? 1 : 0)
          let absolute = log ? 4e-6 : 1e-37
          #expect(mismatch(y.values, wanted, relative: 4e-6, absolute: absolute) == nil, "\(width)")
          #expect(y.marginIsIntact)
          let same = Memory(x.values)
          set.table.pointee.softmax_f32(same.base, same.base, rows, width, log ? 1 : 0)
          #expect(mismatch(same.values, wanted, relative: 4e-6, absolute: absolute) == nil)
        }
      }
    }
  }

  @Test(arguments: KernelSet.available)
  func `rows without a largest finite element become NaN, the others do not`(_ set: KernelSet) {
    for width in [1, 2, 7, 16, 33] {
      for log in [Int32(0), 1] {
        for poison in [-Float.infinity, .infinity, .nan] {
          // The poisoned row is one of a vector's narrow rows, the others are among the rest.
          let rows = 18
          let x = Memory<Float>(count: rows * width, of: poison)
          for j in width..<rows * width { x[j] = 1 }
          if poison != -.infinity { for j in 1..<max(width, 1) { x[j] = 0 } }
          set.table.pointee.softmax_f32(x.base, x.base, rows, width, log)
          let wanted = log == 1 ? -Foundation.log(Float(width)) : 1 / Float(width)
          #expect((0..<width).allSatisfy { x[$0].isNaN })
          #expect((width..<rows * width).allSatisfy { abs(x[$0] - wanted) <= 1e-6 })
        }
      }
    }
  }

  @Test(arguments: KernelSet.available)
  func `layer normalisation is right with and without each of its parts`(_ set: KernelSet) {
    var random = SeededRandom(state: 17)
    let epsilon: Float = 1e-5
    for width in Self.widths {
      for parts in 0..<16 {
        let rows = 3
        let count = rows * width
        let x = random.floats(count, in: 1...3)
        let (residual, sum) = (random.floats(count), Memory<Float>(count: count))
        let (scale, bias) = (random.floats(width), random.floats(width))
        let y = parts & 8 != 0 ? x : Memory<Float>(count: count)
        var wanted: [Double] = []
        var sums: [Float] = []
        for i in 0..<rows {
          let row = (0..<width).map { j in
            x[i * width + j] + (parts & 1 != 0 ? residual[i * width + j] : 0)
          }
          sums += row
          let mean = row.reduce(0) { $0 + Double($1) } / Double(width)
          let variance = row.reduce(0) { $0 + pow(Double($1) - mean, 2) } / Double(width)
          for j in 0..<width {
            let v = (Double(row[j]) - mean) / (variance + Double(epsilon)).squareRoot()
            wanted.append(
              v * (parts & 2 != 0 ? Double(scale[j]) : 1) + (parts & 4 != 0 ? Double(bias[j]) : 0))
          }
        }
        set.table.pointee.layer_norm_f32(
          x.base, parts & 1 != 0 ? residual.base : nil, parts & 2 != 0 ? scale.base : nil,
          parts & 4 != 0 ? bias.base : nil, sum.base, y.base, rows, width, epsilon)
        // One element to a row has no variance: rounding is blown up by 1 / sqrt(epsilon).
        let absolute = width < 3 ? 2e-4 : 1e-5
        #expect(mismatch(y.values, wanted, relative: 1e-5, absolute: absolute) == nil, "\(width)")
        #expect(sum.values == sums)
        #expect(y.marginIsIntact && sum.marginIsIntact)
      }
    }
  }

  @Test(arguments: KernelSet.available)
  func `sums and maxima are right at every length`(_ set: KernelSet) {
    var random = SeededRandom(state: 19)
    for count in 0...150 {
      let x = random.floats(count)
      let wanted = x.values.reduce(0) { $0 + Double($1) }
      #expect(abs(Double(set.table.pointee.sum_f32(x.base, count)) - wanted) <= 1e-5)
      guard count > 0 else { continue }
      #expect(set.table.pointee.max_f32(x.base, count) == x.values.max()!)
      let at = Int.random(in: 0..<count, using: &random)
      x[at] = .infinity
      #expect(set.table.pointee.max_f32(x.base, count) == .infinity)
      x[Int.random(in: 0..<count, using: &random)] = .nan
      #expect(set.table.pointee.max_f32(x.base, count).isNaN)
      let lowest = Memory<Float>(count: count, of: -.infinity)
      #expect(set.table.pointee.max_f32(lowest.base, count) == -.infinity)
    }
  }
}
