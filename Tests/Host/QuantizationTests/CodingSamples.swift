// Matrices of the kinds that coding meets, from a seed.

import Foundation
import Quantization
import Randomness
import Tensors

enum CodingSamples {
  /// Standard normal numbers.
  static func normal(_ count: Int, seed: UInt64) -> [Float] {
    var random = SeededRandom(state: seed)
    return (0..<count).map { _ in
      let u = Double.random(in: 1e-12..<1, using: &random)
      let v = Double.random(in: 0..<1, using: &random)
      return Float((-2 * log(u)).squareRoot() * cos(2 * .pi * v))
    }
  }

  /// Normal numbers whose rows and columns differ in scale by so many octaves, with rare outliers.
  static func matrix(
    rows: Int, columns: Int, seed: UInt64, octaves: Double = 0, outliers: Bool = false
  ) -> WeightMatrix {
    var random = SeededRandom(state: seed ^ 0x51)
    let rowScales = (0..<rows).map { _ in exp2(Double.random(in: 0...1, using: &random) * octaves) }
    let columnScales = (0..<columns).map { _ in
      exp2(Double.random(in: 0...1, using: &random) * octaves)
    }
    var values = normal(rows * columns, seed: seed)
    for i in values.indices {
      values[i] *= Float(rowScales[i / columns] * columnScales[i % columns])
      if outliers, Int.random(in: 0..<500, using: &random) == 0 { values[i] *= 12 }
    }
    return WeightMatrix(rows: rows, columns: columns, values: values)
  }

  /// The shape of a weight that holds the matrix in a layout.
  static func shape(_ matrix: WeightMatrix, _ layout: WeightLayout) -> Shape {
    Shape(
      layout == .panels ? [matrix.columns, matrix.rows] : [matrix.rows, matrix.columns])
  }

  /// Bits of an ideal code that knows how often each number comes.
  static func entropy(_ numbers: some Sequence<Int>) -> Double {
    var counts: [Int: Int] = [:]
    for n in numbers { counts[n, default: 0] += 1 }
    let sum = Double(counts.values.reduce(0, +))
    return counts.values.reduce(0) { $0 + Double($1) * log2(sum / Double($1)) }
  }

  /// Bits of a normal number of this scale, rounded.
  static func roundedNormalEntropy(_ scale: Double) -> Double {
    let reach = Int(8 * scale) + 2
    return (-reach...reach).reduce(0.0) { sum, k in
      let p =
        0.5
        * (erf((Double(k) + 0.5) / scale / 2.squareRoot())
          - erf((Double(k) - 0.5) / scale / 2.squareRoot()))
      return p > 0 ? sum - p * log2(p) : sum
    }
  }
}
