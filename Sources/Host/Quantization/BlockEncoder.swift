// Rows of a weight to blocks, with errors of earlier weights made good by later ones where that is known.
import Dispatch
import Foundation
import Tensors

/// Encodes one row after another; its memory serves them all. What fills the last block is of no
/// importance, and weights that are not finite count as zeros.
final class BlockEncoder {
  private let quantizer: BlockQuantizer
  private let feedback: ErrorFeedback?
  private let columns: Int
  private let blocks: Int
  /// The weights with what earlier errors ask of them, and the errors.
  private var base: [Float]
  private var errors: [Float]
  private var importances: [Float]
  private var codes = [UInt8](repeating: 0, count: BlockFormat.length)

  /// feedback: of as many columns as rows have.
  init(_ quantizer: BlockQuantizer, columns: Int, feedback: ErrorFeedback? = nil) {
    precondition(feedback == nil || feedback!.columns == columns)
    self.quantizer = quantizer
    self.columns = columns
    self.feedback = feedback
    blocks = BlockFormat.count(columns)
    let padded = blocks * BlockFormat.length
    base = [Float](repeating: 0, count: padded)
    errors = [Float](repeating: 0, count: padded)
    importances = (0..<padded).map { $0 < columns ? feedback?.shares[$0] ?? 1 : 0 }
  }

  /// Bytes that a row becomes.
  var rowBytes: Int { quantizer.format.rowBytes(columns) }

  /// Writes a row's blocks; what each weight is short of.
  @discardableResult
  func encode(
    _ row: UnsafePointer<Float>, into out: UnsafeMutableRawPointer
  ) -> [Float] {
    for j in 0..<columns { base[j] = row[j].isFinite ? row[j] : 0 }
    for block in 0..<blocks {
      let start = block * BlockFormat.length
      let scale = base.withUnsafeBufferPointer { base in
        importances.withUnsafeBufferPointer {
          quantizer.scale(base.baseAddress! + start, $0.baseAddress! + start)
        }
      }
      round(row, from: start, quantizer.rounding(scale))
      write(scale, out + block * quantizer.format.byteCount)
    }
    return errors
  }

  /// The same; what the errors come to.
  fileprivate func errors(
    _ row: UnsafePointer<Float>, into out: UnsafeMutableRawPointer
  ) -> (squares: Double, effective: Double) {
    let errors = encode(row, into: out)
    let squares = errors[..<columns].reduce(0.0) { $0 + Double($1) * Double($1) }
    guard let feedback else { return (squares, squares) }
    let effective = errors.withUnsafeBufferPointer { errors in
      base.withUnsafeMutableBufferPointer {
        feedback.loss(errors.baseAddress!, $0.baseAddress!)
      }
    }
    return (squares, effective)
  }

  /// Codes of one block: with feedback each weight makes good what those before it miss.
  private func round(
    _ row: UnsafePointer<Float>, from start: Int, _ rounding: BlockQuantizer.Rounding
  ) {
    let end = min(start + BlockFormat.length, columns)
    for j in start..<end {
      let (code, value) = rounding.nearest(base[j])
      codes[j - start] = code
      errors[j] = (row[j].isFinite ? row[j] : 0) - value
      if let feedback { passOn(feedback, j..<j + 1, to: j + 1..<end) }
    }
    for j in end..<max(start + BlockFormat.length, end) {
      codes[j - start] = rounding.nearest(0).code
    }
    if let feedback { passOn(feedback, start..<end, to: end..<columns) }
  }

  /// Adds what the errors of some weights ask of others behind them.
  private func passOn(_ feedback: ErrorFeedback, _ done: Range<Int>, to rest: Range<Int>) {
    feedback.upper.withUnsafeBufferPointer { upper in
      base.withUnsafeMutableBufferPointer { base in
        for i in done {
          let error = errors[i]
          let factors = upper.baseAddress! + i * columns
          for j in rest { base[j] += error * factors[j] }
        }
      }
    }
  }

  /// The scale, then the codes in fields of 4, 2 and 1 bits, the lowest first.
  private func write(_ scale: UInt16, _ out: UnsafeMutableRawPointer) {
    out.storeBytes(of: scale, as: UInt16.self)
    var offset = 2
    var shift = 0
    for width in [4, 2, 1] where quantizer.format.bits & width != 0 {
      let stride = 4 * width
      for byte in 0..<stride {
        var bits = 0
        for (field, i) in Swift.stride(from: byte, to: BlockFormat.length, by: stride).enumerated()
        {
          bits |= (Int(codes[i]) >> shift & (1 << width - 1)) << (field * width)
        }
        out.storeBytes(of: UInt8(bits), toByteOffset: offset + byte, as: UInt8.self)
      }
      offset += stride
      shift += width
    }
  }
}

/// A matrix in blocks.
public struct BlockResult: Sendable {
  /// The bytes of the stored form.
  public var resident: [UInt8]
  /// Σ (w - w')².
  public var squaredError: Double
  /// What white noise of that many squares would do to the rows' products: with error feedback less than
  /// the squares, else they.
  public var effectiveError: Double
}

extension BlockQuantizer {
  /// The blocks of a matrix's rows. feedback: of as many columns.
  public func encode(_ matrix: WeightMatrix, feedback: ErrorFeedback? = nil) -> BlockResult {
    let rowBytes = format.rowBytes(matrix.columns)
    let parts = min(max(matrix.count >> 14, 1), max(matrix.rows, 1), 64)
    var sums = [(squares: Double, effective: Double)](repeating: (0, 0), count: parts)
    let resident = [UInt8](unsafeUninitializedCapacity: matrix.rows * rowBytes) { out, count in
      count = matrix.rows * rowBytes
      guard count > 0 else { return }
      nonisolated(unsafe) let base = UnsafeMutableRawPointer(out.baseAddress!)
      sums.withUnsafeMutableBufferPointer { sums in
        nonisolated(unsafe) let sums = sums
        DispatchQueue.concurrentPerform(iterations: parts) { part in
          let encoder = BlockEncoder(self, columns: matrix.columns, feedback: feedback)
          for r in part * matrix.rows / parts..<(part + 1) * matrix.rows / parts {
            let row = r * matrix.columns..<(r + 1) * matrix.columns
            let found = matrix.withElements(row) {
              encoder.errors($0.baseAddress!, into: base + r * rowBytes)
            }
            sums[part].squares += found.squares
            sums[part].effective += found.effective
            matrix.release(row)
          }
        }
      }
    }
    return BlockResult(
      resident: resident, squaredError: sums.reduce(0) { $0 + $1.squares },
      effectiveError: sums.reduce(0) { $0 + $1.effective })
  }

  /// Blocks of a matrix that tell what all come to.
  private static let sample = 1 << 11

  /// About what `encode` comes to without feedback: the order-0 entropy of codes and scales in bits, and
  /// the squared error, from rows all over the matrix.
  public func estimate(_ matrix: WeightMatrix) -> (bits: Double, squaredError: Double) {
    let blocks = BlockFormat.count(matrix.columns)
    guard matrix.rows > 0, blocks > 0 else { return (0, 0) }
    let judged = min(matrix.rows, max(1, BlockQuantizer.sample / blocks))
    let rows = (0..<judged).flatMap { n -> [Float] in
      let row = n * matrix.rows / judged
      let range = row * matrix.columns..<(row + 1) * matrix.columns
      defer { matrix.release(range) }
      return matrix.withElements(range) { Array($0) }
    }
    let part = encode(WeightMatrix(rows: judged, columns: matrix.columns, values: rows))
    var scales = [[Double]](repeating: [Double](repeating: 0, count: 256), count: 2)
    var codes = [Double](repeating: 0, count: 1 << format.bits)
    for block in stride(from: 0, to: part.resident.count, by: format.byteCount) {
      scales[0][Int(part.resident[block])] += 1
      scales[1][Int(part.resident[block + 1])] += 1
      for i in 0..<BlockFormat.length {
        codes[format.code(i, part.resident[(block + 2)..<(block + format.byteCount)])] += 1
      }
    }
    let bits = (scales + [codes]).reduce(0.0) { $0 + BlockQuantizer.entropy($1) }
    let factor = Double(matrix.rows) / Double(judged)
    return (bits * factor, part.squaredError * factor)
  }

  /// Bits of all that was counted.
  private static func entropy(_ counts: [Double]) -> Double {
    let total = counts.reduce(0, +)
    return counts.reduce(0) { $1 > 0 ? $0 - $1 * log2($1 / total) : $0 }
  }
}
