// unary_f32 and binary_f32 of every set against double precision.

import CKernels
import Foundation
import Kernels
import Randomness
import Testing

/// A function as a kernel and in double precision, with the range it is tested over and how close f32
/// must come to it.
struct Function: Sendable, CustomTestStringConvertible {
  var name: String
  var op: Int32
  var range: ClosedRange<Float>
  var relative: Double
  var absolute: Double
  var exact: @Sendable (Double) -> Double
  var testDescription: String { name }

  init(
    _ name: String, _ op: kn_unary, range: ClosedRange<Float> = -30...30, relative: Double = 4e-7,
    absolute: Double = 0, exact: @escaping @Sendable (Double) -> Double
  ) {
    self.name = name
    self.op = Int32(op.rawValue)
    self.range = range
    self.relative = relative
    self.absolute = absolute
    self.exact = exact
  }

  static let p0 = 0.1875
  static let p1 = 0.625

  // Near zero a sum of larger terms is only as good as the terms: those functions have an absolute
  // bound. e^u is as good as u, to a part of |u|.
  static let all: [Function] = [
    Function("exp", KN_U_EXP, range: -87...88) { exp($0) },
    Function("erf", KN_U_ERF, range: -5...5, relative: 0, absolute: 2e-7) { erf($0) },
    Function("erf near 0", KN_U_ERF, range: -0.1...0.1) { erf($0) },
    Function("tanh", KN_U_TANH) { tanh($0) },
    Function("tanh near 0", KN_U_TANH, range: -0.7...0.7) { tanh($0) },
    Function("sigmoid", KN_U_SIGMOID, range: -80...80) { 1 / (1 + exp(-$0)) },
    Function("gelu", KN_U_GELU, range: -10...10, absolute: 6e-7) {
      $0 / 2 * (1 + erf($0 / 2.0.squareRoot()))
    },
    Function("gelu_tanh", KN_U_GELU_TANH, range: -4...9, relative: 4e-6) {
      $0 / (1 + exp(-2 * (2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0)))
    },
    Function("silu", KN_U_SILU, range: -80...80, relative: 6e-7) { $0 / (1 + exp(-$0)) },
    Function("relu", KN_U_RELU) { max($0, 0) },
    Function("clip", KN_U_CLIP) { min(max($0, p0), p1) },
    Function("leaky_relu", KN_U_LEAKY_RELU) { $0 < 0 ? p0 * $0 : $0 },
    Function("hard_swish", KN_U_HARD_SWISH, absolute: 4e-7) {
      $0 * min(max($0 / 6 + 0.5, 0), 1)
    },
    Function("hard_sigmoid", KN_U_HARD_SIGMOID, absolute: 2e-7) {
      min(max(p0 * $0 + p1, 0), 1)
    },
    Function("sqrt", KN_U_SQRT, range: 0...1e9) { $0.squareRoot() },
    Function("abs", KN_U_ABS) { abs($0) },
    Function("neg", KN_U_NEG) { -$0 },
    Function("reciprocal", KN_U_RECIPROCAL) { 1 / $0 },
    Function("affine", KN_U_AFFINE, absolute: 6e-7) { p0 * $0 + p1 },
    Function("log", KN_U_LOG, range: 1e-30...1e30) { log($0) },
    Function("log near 1", KN_U_LOG, range: 0.5...2) { log($0) },
  ]
}

struct ElementwiseTests {
  static let (p0, p1) = (Float(Function.p0), Float(Function.p1))

  @Test(arguments: KernelSet.available, Function.all)
  func `functions are as good as f32 allows`(_ set: KernelSet, _ function: Function) {
    var random = SeededRandom(state: 5)
    let x = random.floats(20011, in: function.range)
    // Tiny arguments as well, where relative errors show.
    if function.range.lowerBound < 0 { for i in 0..<500 { x[i] *= 1e-6 } }
    let y = Memory<Float>(count: x.count)
    set.table.pointee.unary_f32(
      function.op, x.base, y.base, x.count, Self.p0, Self.p1)
    let wanted = x.values.map { function.exact(Double($0)) }
    #expect(
      mismatch(y.values, wanted, relative: function.relative, absolute: function.absolute) == nil)
    #expect(y.marginIsIntact)
  }

  @Test(arguments: KernelSet.available, Function.all)
  func `zeros, infinities, NaN and extremes give what double precision gives`(
    _ set: KernelSet, _ function: Function
  ) {
    let big = Float.greatestFiniteMagnitude
    let tiny = Float.leastNonzeroMagnitude * 4096
    // One after the other in every lane of a vector, and in the rest after it.
    for value in [
      0, -0.0, .infinity, -.infinity, .nan, big, -big, 104, -104, 89, -89, tiny, -tiny,
    ] {
      let x = Memory<Float>(count: 37, of: value)
      let y = Memory<Float>(count: 37)
      set.table.pointee.unary_f32(function.op, x.base, y.base, 37, Self.p0, Self.p1)
      // What is hardly a normal float may come out as zero.
      let wanted = [Double](repeating: function.exact(Double(value)), count: 37)
      let bound = max(function.absolute, 1e-36)
      let overflowed = abs(wanted[0]) > Double(big) || wanted[0].isNaN
      #expect(
        overflowed
          ? y.values.allSatisfy { $0 == Float(wanted[0]) || ($0.isNaN && wanted[0].isNaN) }
          : mismatch(y.values, wanted, relative: 2e-6, absolute: bound) == nil,
        "\(function.name)(\(value)) is \(y[0]) and \(y[36]) instead of \(wanted[0])")
    }
  }

  @Test(arguments: KernelSet.available)
  func `unary kernels take any length, in place too`(_ set: KernelSet) {
    var random = SeededRandom(state: 7)
    for count in Set(sizes(around: 8) + sizes(around: 16) + [3, 5]).sorted() {
      let x = random.floats(count)
      let wanted = x.values.map { tanh(Double($0)) }
      set.table.pointee.unary_f32(Int32(KN_U_TANH.rawValue), x.base, x.base, count, 0, 0)
      #expect(mismatch(x.values, wanted, relative: 4e-7) == nil, "\(count)")
      #expect(x.marginIsIntact)
    }
  }

  @Test(arguments: KernelSet.available)
  func `binary kernels are exact for every length and operand`(_ set: KernelSet) {
    let operations: [(kn_binary, (Float, Float) -> Float)] = [
      (KN_B_ADD, { $0 + $1 }), (KN_B_SUB, { $0 - $1 }), (KN_B_MUL, { $0 * $1 }),
      (KN_B_DIV, { $0 / $1 }),
      (KN_B_MAX, { $0.isNaN || $1.isNaN ? .nan : max($0, $1) }),
      (KN_B_MIN, { $0.isNaN || $1.isNaN ? .nan : min($0, $1) }),
    ]
    var random = SeededRandom(state: 11)
    for (op, exact) in operations {
      for count in Set(sizes(around: 8) + sizes(around: 16) + [3, 5]).sorted() {
        for operands in [KN_BOTH, KN_A_SCALAR, KN_B_SCALAR] {
          let (a, b) = (random.floats(max(count, 1)), random.floats(max(count, 1)))
          if count > 4 {
            a[1] = .nan
            b[2] = .nan
            (a[3], b[3]) = (.infinity, -.infinity)
          }
          let y = Memory<Float>(count: count)
          set.table.pointee.binary_f32(
            Int32(op.rawValue), Int32(operands.rawValue), a.base, b.base, y.base, count)
          for i in 0..<count {
            let wanted = exact(
              a[operands == KN_A_SCALAR ? 0 : i], b[operands == KN_B_SCALAR ? 0 : i])
            #expect(y[i] == wanted || (y[i].isNaN && wanted.isNaN))
          }
          #expect(y.marginIsIntact)
        }
      }
    }
  }
}
