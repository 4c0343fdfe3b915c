// Matrix products of every set against sums in double precision.

import CKernels
import Foundation
import Kernels
import Randomness
import Testing

/// A product with all its operands, and what it is by definition.
final class Product {
  let a: Memory<Float>
  let b: Memory<Float>
  let c: Memory<Float>
  let bias: Memory<Float>
  var gemm: kn_gemm
  let wanted: [Double]
  var panelCount: Int { (gemm.n + 15) / 16 }

  init(
    m: Int, n: Int, k: Int, activation: kn_activation = KN_LINEAR,
    bias axis: kn_bias = KN_BIAS_NONE,
    alpha: Float = 1, accumulate: Bool = false
  ) {
    var random = SeededRandom(state: UInt64(m * 10007 + n * 101 + k))
    let (lda, ldc) = (k + 1, n + 2)
    let matrix = random.floats(k * n).values
    a = random.floats(m * lda)
    b = Memory(panels(matrix, k: k, n: n))
    c = random.floats(m * ldc)
    bias = random.floats(max(m, n))
    gemm = kn_gemm()
    gemm.a = UnsafeRawPointer(a.base)
    gemm.lda = lda
    gemm.b = UnsafeRawPointer(b.base)
    gemm.c = c.base
    gemm.ldc = ldc
    (gemm.m, gemm.n, gemm.k) = (m, n, k)
    if axis != KN_BIAS_NONE { gemm.bias = UnsafePointer(bias.base) }
    gemm.alpha = alpha
    (gemm.p0, gemm.p1) = (-0.25, 0.5)
    gemm.bias_axis = Int32(axis.rawValue)
    gemm.activation = Int32(activation.rawValue)
    gemm.accumulate = accumulate ? 1 : 0
    var wanted = c.values.map(Double.init)
    for i in 0..<m {
      for j in 0..<n {
        var sum = 0.0
        for p in 0..<k { sum += Double(a[i * lda + p]) * Double(matrix[p * n + j]) }
        sum *= Double(alpha)
        if axis == KN_BIAS_COLUMN { sum += Double(bias[j]) }
        if axis == KN_BIAS_ROW { sum += Double(bias[i]) }
        if accumulate { sum += Double(c[i * ldc + j]) }
        wanted[i * ldc + j] = Self.activate(activation, sum)
      }
    }
    self.wanted = wanted
  }

  static func activate(_ activation: kn_activation, _ x: Double) -> Double {
    switch activation {
    case KN_RELU: max(x, 0)
    case KN_CLIP: min(max(x, -0.25), 0.5)
    case KN_SIGMOID: 1 / (1 + exp(-x))
    case KN_TANH: tanh(x)
    case KN_GELU: x / 2 * (1 + erf(x / 2.0.squareRoot()))
    case KN_GELU_TANH: x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case KN_SILU: x / (1 + exp(-x))
    case KN_LEAKY_RELU: x < 0 ? -0.25 * x : x
    case KN_HARD_SWISH: x * min(max(x / 6 + 0.5, 0), 1)
    case KN_HARD_SIGMOID: min(max(-0.25 * x + 0.5, 0), 1)
    default: x
    }
  }

  func check(_ location: SourceLocation = #_sourceLocation) {
    let bound = 1e-6 * Double(gemm.k + 4).squareRoot() + 1e-6
    let found = mismatch(c.values, wanted, relative: 1e-6, absolute: bound)
    #expect(found == nil, "\(gemm.m) x \(gemm.n) x \(gemm.k)", sourceLocation: location)
    #expect(c.marginIsIntact, sourceLocation: location)
  }
}

struct GemmTests {
  @Test(arguments: KernelSet.available)
  func `f32 products are right around the tile sizes`(_ set: KernelSet) {
    for m in Set([6, 8, 12].flatMap(sizes)).sorted() {
      for n in [1, 15, 16, 17, 32, 33, 51] {
        for k in [0, 1, 3, 4, 5, 17, 67] {
          let product = Product(m: m, n: n, k: k)
          set.table.pointee.gemm_f32(&product.gemm, 0, m, 0, product.panelCount)
          product.check()
        }
      }
    }
  }

  @Test(arguments: KernelSet.available)
  func `bias, scale, accumulation and every activation follow the product`(_ set: KernelSet) {
    for activation in 0...KN_HARD_SIGMOID.rawValue {
      for (axis, m) in [
        (KN_BIAS_COLUMN, 1), (KN_BIAS_ROW, 1), (KN_BIAS_COLUMN, 13), (KN_BIAS_ROW, 14),
      ] {
        for accumulate in [false, true] {
          let product = Product(
            m: m, n: 39, k: 19, activation: kn_activation(activation), bias: axis, alpha: 0.5,
            accumulate: accumulate)
          set.table.pointee.gemm_f32(&product.gemm, 0, m, 0, product.panelCount)
          product.check()
        }
      }
    }
  }

  @Test(arguments: KernelSet.available)
  func `a product does not depend on how it is cut`(_ set: KernelSet) {
    for m in [1, 29] {
      let whole = Product(m: m, n: 83, k: 61)
      let cut = Product(m: m, n: 83, k: 61)
      set.table.pointee.gemm_f32(&whole.gemm, 0, m, 0, 6)
      for row in 0..<m {
        for panel in 0..<6 {
          set.table.pointee.gemm_f32(&cut.gemm, row, row + 1, panel, panel + 1)
        }
      }
      #expect(whole.c.values == cut.c.values)
    }
  }

  @Test(arguments: KernelSet.available)
  func `int8 products are exact`(_ set: KernelSet) {
    for m in sizes(around: 12) + [2, 4, 7, 97] {
      for n in [1, 15, 16, 17, 33, 47] {
        for k in [0, 1, 2, 3, 4, 5, 8, 15, 64, 65, 131] {
          var random = SeededRandom(state: UInt64(m * 31 + n * 7 + k))
          let k4 = (k + 3) / 4 * 4
          let panelCount = (n + 15) / 16
          let a = Memory<Int8>(count: m * k4, of: 0)
          let b = Memory<Int8>(count: panelCount * 16 * k4, of: 0)
          // The widest codes too: sums of 127 * 127 must not saturate anywhere.
          let wide = k % 2 == 1
          var matrix = random.codes(k * n).values
          if wide { matrix = matrix.map { $0 < 0 ? -127 : 127 } }
          for i in 0..<m {
            for p in 0..<k {
              a[i * k4 + p] = wide ? 127 : Int8.random(in: -127...127, using: &random)
            }
          }
          for p in 0..<k {
            for j in 0..<n {
              b[((j / 16) * (k4 / 4) + p / 4) * 64 + (j % 16) * 4 + p % 4] = matrix[p * n + j]
            }
          }
          let c = Memory<Float>(count: m * n)
          let aScales = Memory<Float>(count: m, of: 0.5)
          let bScales = Memory<Float>(count: panelCount * 16, of: 0.25)
          var g = kn_gemm()
          g.a = UnsafeRawPointer(a.base)
          g.lda = k4
          g.b = UnsafeRawPointer(b.base)
          g.c = c.base
          g.ldc = n
          (g.m, g.n, g.k) = (m, n, k)
          (g.a_scales, g.b_scales) = (UnsafePointer(aScales.base), UnsafePointer(bScales.base))
          g.alpha = 2
          set.table.pointee.gemm_i8(&g, 0, m, 0, panelCount)
          var wanted = [Float](repeating: 0, count: m * n)
          for i in 0..<m {
            for j in 0..<n {
              var sum = 0
              for p in 0..<k { sum += Int(a[i * k4 + p]) * Int(matrix[p * n + j]) }
              wanted[i * n + j] = Float(sum) / 4
            }
          }
          #expect(c.values == wanted, "\(m) x \(n) x \(k)")
          #expect(c.marginIsIntact)
        }
      }
    }
  }

  @Test(arguments: KernelSet.available)
  func `dot products are right at every length`(_ set: KernelSet) {
    var random = SeededRandom(state: 3)
    for count in 0...200 {
      let (x, y) = (random.floats(count), random.floats(count))
      let (q, r) = (random.codes(count), random.codes(count))
      let wanted = (0..<count).reduce(0.0) { $0 + Double(x[$1]) * Double(y[$1]) }
      let found = Double(set.table.pointee.dot_f32(x.base, y.base, count))
      #expect(abs(found - wanted) <= 1e-5)
      let exact = (0..<count).reduce(0) { $0 + Int(q[$1]) * Int(r[$1]) }
      #expect(Int(set.table.pointee.dot_i8(q.base, r.base, count)) == exact)
    }
  }
}
