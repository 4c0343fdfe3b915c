// Fourier transforms against their sums.

import Foundation
import Operators
import Randomness
import Tensors
import Testing

struct FourierTests {
  /// The transform of `length` samples given as real and imaginary parts.
  static func transform(
    _ x: [(re: Double, im: Double)], length: Int, inverse: Bool
  ) -> [(re: Double, im: Double)] {
    (0..<length).map { k in
      var sum = (re: 0.0, im: 0.0)
      for (j, v) in x.prefix(length).enumerated() {
        let angle = (inverse ? 2 : -2) * Double.pi * Double(j * k % length) / Double(length)
        sum.re += v.re * cos(angle) - v.im * sin(angle)
        sum.im += v.re * sin(angle) + v.im * cos(angle)
      }
      return inverse ? (sum.re / Double(length), sum.im / Double(length)) : sum
    }
  }

  /// The table as the operator makes it.
  static func table(_ length: Int, isReal: Bool) throws -> TestTensor {
    let harness = OperatorHarness(
      .fourierTable(FourierTable(isReal: isReal, axis: 0)),
      [TestTensor(.bool, [length], [Double](repeating: 0, count: length))],
      with: Variant(kernels: .scalar, pool: nil), known: { _ in false })
    return try harness.run()[0]
  }

  /// Magnitudes are about the root of the length.
  static func tolerance(_ length: Int) -> Tolerance {
    Tolerance(absolute: 4e-6 * Double(length).squareRoot(), relative: 4e-6)
  }

  @Test(arguments: [1, 2, 3, 4, 5, 8, 12, 15, 31, 32, 37, 49, 60, 74, 127, 254, 400, 512])
  func `complex numbers there and back`(length: Int) throws {
    var random = SeededRandom(state: 100)
    let x = random.floats([2, length, 3, 2])
    let v = x.values
    for isInverse in [false, true] {
      var wanted = [Double](repeating: 0, count: v.count)
      for row in 0..<6 {
        let first = row / 3 * length * 6 + row % 3 * 2
        let y = FourierTests.transform(
          (0..<length).map { (v[first + $0 * 6], v[first + $0 * 6 + 1]) }, length: length,
          inverse: isInverse)
        for k in 0..<length {
          wanted[first + k * 6] = y[k].re
          wanted[first + k * 6 + 1] = y[k].im
        }
      }
      try check(
        .fourier(Fourier(isInverse: isInverse, axis: 1)),
        [x, try FourierTests.table(length, isReal: false)],
        is: [TestTensor(.f32, [2, length, 3, 2], wanted)],
        within: FourierTests.tolerance(length))
    }
  }

  @Test(arguments: [1, 2, 3, 6, 9, 16, 25, 41, 82, 160, 512], [-2, 0, 3])
  func `real numbers, cut or filled up, one-sided or not`(length: Int, surplus: Int) throws {
    var random = SeededRandom(state: 101)
    let samples = max(length + surplus, 1)
    let x = random.floats([3, samples, 1])
    let rows = (0..<3).map { row in
      FourierTests.transform(
        (0..<samples).map { (x.values[row * samples + $0], 0) }, length: length, inverse: false)
    }
    for isOneSided in [false, true] {
      let bins = isOneSided ? length / 2 + 1 : length
      let wanted = tensor([3, bins, 2]) {
        $0[2] == 0 ? rows[$0[0]][$0[1]].re : rows[$0[0]][$0[1]].im
      }
      try check(
        .fourier(Fourier(isOneSided: isOneSided)),
        [
          x, try FourierTests.table(length, isReal: true), TestTensor(.i64, [], [Double(length)]),
          TestTensor(.i64, [], [1]),
        ], is: [wanted], within: FourierTests.tolerance(length))
    }
  }

  @Test(arguments: [1, 2, 3, 6, 9, 16, 25, 41, 82, 160, 512])
  func `half a spectrum back to real numbers`(length: Int) throws {
    var random = SeededRandom(state: 102)
    let bins = length / 2 + 1
    let x = random.floats([2, bins, 2])
    let v = x.values
    var wanted: [Double] = []
    for row in 0..<2 {
      let full = (0..<length).map { k -> (Double, Double) in
        let j = k < bins ? k : length - k
        let re = v[(row * bins + j) * 2]
        // What cannot be conjugate to itself counts as real.
        let im = k == 0 || 2 * k == length ? 0 : v[(row * bins + j) * 2 + 1]
        return (re, k < bins ? im : -im)
      }
      wanted += FourierTests.transform(full, length: length, inverse: true).map(\.re)
    }
    try check(
      .fourier(Fourier(isInverse: true, isOneSided: true)),
      [
        x, try FourierTests.table(length, isReal: true), TestTensor(.i64, [1], [Double(length)]),
      ], is: [TestTensor(.f32, [2, length, 1], wanted)], within: FourierTests.tolerance(length))
  }

  @Test(arguments: [1, 2], [false, true])
  func `windows slide over a signal`(width: Int, isOneSided: Bool) throws {
    var random = SeededRandom(state: 103)
    let (samples, length, step) = (61, 20, 7)
    let x = random.floats([2, samples, width])
    let window = random.floats([length])
    let (v, w) = (x.values, window.values)
    let frames = (samples - length) / step + 1
    let bins = isOneSided ? length / 2 + 1 : length
    func wanted(_ w: [Double]?) -> TestTensor {
      let rows = (0..<2 * frames).map { r in
        FourierTests.transform(
          (0..<length).map { j in
            let at = (r / frames * samples + r % frames * step + j) * width
            let factor = w?[j] ?? 1
            return (v[at] * factor, width == 2 ? v[at + 1] * factor : 0)
          }, length: length, inverse: false)
      }
      return tensor([2, frames, bins, 2]) { p in
        let y = rows[p[0] * frames + p[1]][p[2]]
        return p[3] == 0 ? y.re : y.im
      }
    }
    let op = Operator.shortTimeFourier(ShortTimeFourier(isOneSided: isOneSided))
    let table = try FourierTests.table(length, isReal: width == 1)
    let step64 = TestTensor(.i64, [], [Double(step)])
    try check(
      op, [x, table, step64, window], is: [wanted(w)], within: FourierTests.tolerance(length))
    try check(
      op, [x, table, step64, nil, TestTensor(.i64, [], [Double(length)])], is: [wanted(nil)],
      within: FourierTests.tolerance(length))
  }

  @Test func `what does not fit is refused`() throws {
    var random = SeededRandom(state: 104)
    let x = random.floats([2, 8, 1])
    let table = try FourierTests.table(8, isReal: true)
    func number(_ n: Double) -> TestTensor { TestTensor(.i64, [], [n]) }
    expectRefusal(.fourier(Fourier()), [x, try FourierTests.table(9, isReal: true)])
    expectRefusal(.fourier(Fourier()), [random.floats([2, 8, 3]), table])
    expectRefusal(.fourier(Fourier(axis: 2)), [x, table])
    expectRefusal(.fourier(Fourier(axis: 3)), [x, table])
    expectRefusal(.fourier(Fourier()), [x, table, number(0)])
    expectRefusal(.fourier(Fourier()), [x, table, number(1e12)])
    expectRefusal(.fourier(Fourier()), [x, table, random.integers(.i64, [2])])
    expectRefusal(.fourierTable(FourierTable(isReal: false)), [x, number(-3)])
    expectRefusal(
      .fourierTable(FourierTable(isReal: false, isMirrored: true)),
      [
        random.floats([2, 1, 1])
      ])
    let op = Operator.shortTimeFourier(ShortTimeFourier())
    expectRefusal(op, [x, table, number(0), nil, number(8)])
    expectRefusal(op, [x, table, number(1), nil, number(9)])
    expectRefusal(op, [x, table, number(1), random.floats([4])])
    expectRefusal(op, [random.floats([8, 1]), table, number(1)])
  }
}
