// Laws of frequencies: what their integers come to beside the formula, and that no parameters break them.

import Foundation
import Testing
import WeightCoding

@Suite struct FrequencyLawTests {
  private func frequencies(
    _ law: FrequencyLaw, low: Int, count: Int, total: Int, escape: Int = 0
  ) -> [UInt16]? {
    let order = FrequencyOrder(low: low, count: count, total: total)
    var frequencies = [UInt16](repeating: 0, count: count + 1)
    frequencies[count] = UInt16(escape)
    let isWhole = law.spread(
      total - escape, total: total, low: low, symbols: order.symbols[1...], into: &frequencies)
    return isWhole ? frequencies : nil
  }

  /// 2^-3(m / reach)^shape in floating point, within the rounding of frequencies and half a percent.
  @Test(arguments: FrequencyLaw.shapes.indices) func frequenciesAreThoseOfTheFormula(shape: Int)
    throws
  {
    let total = 4096
    for reach in [0, 16, 40, 64, 90] {
      let law = FrequencyLaw(zero: 60, reach: reach, shape: shape)
      let found = try #require(frequencies(law, low: -20, count: 41, total: total))
      let exponent = Double(FrequencyLaw.shapes[shape]) / 16
      let weights = (1...20).map { exp2(-3 * pow(Double($0) / exp2(Double(reach) / 16), exponent)) }
      let zero = total * 60 / 512
      #expect(Int(found[20]) == zero)
      let share = Double(total - zero - 40) / 2 / weights.reduce(0, +)
      for m in 1...20 {
        let expected = 1 + weights[m - 1] * share
        for symbol in [20 - m, 20 + m] {
          #expect(
            abs(Double(found[symbol]) - expected) < 2 + 0.015 * expected,
            "\(found[symbol]) of \(m), expected \(expected)")
        }
      }
    }
  }

  /// Whatever a damaged head tells, frequencies add up or are refused.
  @Test func everyLawAddsUp() {
    for total in [32, 256, 4096] {
      for (low, count) in [(0, 1), (0, 9), (-8, 8), (-7, 15), (-127, 255), (-3, 1), (0, 255)] {
        for escape in [0, 1, total / 2, total] {
          for reach in stride(from: FrequencyLaw.reaches.lowerBound, through: 176, by: 28) {
            for shape in FrequencyLaw.shapes.indices {
              for zero in [0, 1, 100, 512] {
                let law = FrequencyLaw(zero: zero, reach: reach, shape: shape)
                let found = frequencies(
                  law, low: low, count: count, total: total, escape: escape)
                guard let found else { continue }
                #expect(found.reduce(0) { $0 + Int($1) } == total)
                for symbol in 0..<count where low + symbol != 0 { #expect(found[symbol] > 0) }
              }
            }
          }
        }
      }
    }
    // 255 integers want at least as many parts.
    let law = FrequencyLaw(zero: 0, reach: 40, shape: 6)
    #expect(frequencies(law, low: -127, count: 255, total: 128) == nil)
  }

  @Test func stepsAreRoundedUp() {
    #expect(CodedStep(above: 0).value == 0)
    #expect(CodedStep(above: .infinity).value == .infinity)
    #expect(CodedStep(above: 1).value == 1)
    var step: Float = 1e-30
    while step < 1e30 {
      let stored = CodedStep(above: step).value
      #expect(stored >= step && stored <= step * (1 + 1 / 256))
      #expect(CodedStep(above: stored).value == stored)
      step *= 1.37
    }
  }
}
