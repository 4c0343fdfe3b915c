// Fourier transforms of real signals.
import Foundation
import Graphs
import Operators
import Tensors

extension TFLiteOperatorTable {
  /// Complex tensors stand as [..., 2]: real part, then imaginary part.
  static let signals: [Row] = [
    Row(131, "RFFT2D") { b throws(ImportError) in
      let shape = try b.tensor(0).shape
      let lengths = try b.integers(1, "the lengths")
      guard shape.count >= 2, lengths.count == 2, lengths[0] == 1, shape[shape.count - 2] == 1,
        1...1 << 14 ~= lengths[1], lengths[1] == shape[shape.count - 1]
      else { throw b.fail("transforms of \(lengths) over \(shape) are not supported") }
      let n = lengths[1]
      let bins = n / 2 + 1
      // One matrix of cosines and minus sines: rows are short and many.
      var matrix = [Float](repeating: 0, count: n * bins * 2)
      for t in 0..<n {
        for f in 0..<bins {
          let angle = -2 * Double.pi * Double(t * f % n) / Double(n)
          matrix[(t * bins + f) * 2] = Float(Foundation.cos(angle))
          matrix[(t * bins + f) * 2 + 1] = Float(Foundation.sin(angle))
        }
      }
      let basis = b.constant(Constant(floats: matrix, shape: Shape([n, bins * 2])))
      let y = b.add(.matMul(MatMul()), [b.reshaped(try b.input(0), [-1, n]), basis])
      b.note("RFFT2D → matrix product")
      try b.set(b.reshaped(y, [-1] + shape[1..<shape.count - 1] + [bins, 2]))
    },
    Row(135, "COMPLEX_ABS") { b throws(ImportError) in
      let op = Reduce(.l2, axes: IntegerList([-1]), keepsAxes: false)
      try b.set(b.add(.reduce(op), [try b.input(0)]))
    },
    Row(134, "REAL") { b throws(ImportError) in try part(&b, 0) },
    Row(133, "IMAG") { b throws(ImportError) in try part(&b, 1) },
  ]

  private static func part(_ b: inout TFLiteGraphBuilder, _ i: Int) throws(ImportError) {
    let axis = try b.tensor(0).shape.count
    let cut = slice(&b, try b.input(0), axis, i, i + 1)
    try b.set(b.add(.reshape(Reshape(.squeeze, IntegerList([axis]))), [cut]))
  }
}
