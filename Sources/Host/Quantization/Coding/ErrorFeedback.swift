// How errors of a row's earlier weights are made good by its later ones.
//
// What a row of a product loses is e H eᵀ, where e are the errors of its weights and H = E[x xᵀ] of what it
// is multiplied with. With H = U D Uᵀ, U unit upper triangular, that is Σ Dⱼ ηⱼ² for η = e U: rounding
// weight j to where wⱼ + Σᵢ﹤ⱼ eᵢUᵢⱼ is leaves ηⱼ as small as rounding can be. (J. Chee et al., "QuIP",
// section 3, "LDLQ", which they show to be what GPTQ does.)
import Dispatch

/// Second moments of what a matrix's columns are multiplied with, and how many samples they are of.
public struct InputMoments: Sendable {
  public let columns: Int
  /// E[xᵢxⱼ], row after row.
  public var values: [Float]
  public var sampleCount: Int

  public init(columns: Int, values: [Float], sampleCount: Int) {
    precondition(values.count == columns * columns)
    self.columns = columns
    self.values = values
    self.sampleCount = sampleCount
  }
}

/// The factors U and D of a matrix of second moments.
public struct ErrorFeedback: Sendable {
  public let columns: Int
  /// U, row after row; 1 on the diagonal, 0 below.
  public let upper: [Float]
  /// Dⱼ over the mean of H's diagonal: what a squared error is worth once others have made it good.
  public let shares: [Float]

  public init(columns: Int, upper: [Float], shares: [Float]) {
    precondition(upper.count == columns * columns && shares.count == columns)
    self.columns = columns
    self.upper = upper
    self.shares = shares
  }

  /// Mean of the shares: the error that is left of white noise.
  public var meanShare: Double {
    shares.reduce(0) { $0 + Double($1) } / Double(max(columns, 1))
  }

  /// The largest matrix that is factored: it takes k³/3 operations, and k² numbers to keep.
  public static let maximumColumns = 2304

  /// Few samples say little of how columns go together: off the diagonal H is shrunk by n / (n + k / 5) for
  /// n samples of k columns, and a little of its mean is added on the diagonal. Among a fiftieth to one for
  /// the fifth, and a thousandth to a hundredth, these lose least on inputs that were not seen
  /// (Benchmarks/fit: ResNet-8, N-BEATS); all lose much less than no feedback.
  static let shrinkage = 0.2
  static let damping = 0.005

  /// Factors H; nil where nothing was seen.
  public init?(_ moments: InputMoments) {
    let k = moments.columns
    guard k > 1, k <= ErrorFeedback.maximumColumns, moments.sampleCount > 0 else { return nil }
    var mean = 0.0
    for i in 0..<k { mean += Double(moments.values[i * k + i]) / Double(k) }
    guard mean > 0, mean.isFinite else { return nil }
    let samples = Double(moments.sampleCount)
    let kept = samples / (samples + ErrorFeedback.shrinkage * Double(k))
    var a = [Double](unsafeUninitializedCapacity: k * k) { a, count in
      for i in 0..<k {
        for j in 0..<k {
          a[i * k + j] = Double(moments.values[i * k + j]) / mean * (i == j ? 1 : kept)
        }
        a[i * k + i] += ErrorFeedback.damping
      }
      count = k * k
    }
    guard a.withUnsafeMutableBufferPointer({ ErrorFeedback.factor($0.baseAddress!, k) }) else {
      return nil
    }
    columns = k
    shares = (0..<k).map { Float(a[$0 * k + $0] * a[$0 * k + $0]) }
    upper = [Float](unsafeUninitializedCapacity: k * k) { out, count in
      for i in 0..<k {
        for j in 0..<k {
          out[i * k + j] = j < i ? 0 : j == i ? 1 : Float(a[i * k + j] / a[j * k + j])
        }
      }
      count = k * k
    }
  }

  /// Columns that are factored before what is left of them goes into all that come before.
  private static let panel = 16

  /// A = V Vᵀ with V upper triangular, in the place of A and from its last column on; false where A is not
  /// positive definite.
  private static func factor(_ a: UnsafeMutablePointer<Double>, _ k: Int) -> Bool {
    nonisolated(unsafe) let a = a
    for end in stride(from: k, to: 0, by: -panel) {
      let start = max(end - panel, 0)
      for j in stride(from: end - 1, through: start, by: -1) {
        let pivot = a[j * k + j]
        guard pivot > 1e-12 else { return false }
        let root = pivot.squareRoot()
        a[j * k + j] = root
        // The column is copied into row j, below the diagonal, where it is read in order.
        let column = a + j * k
        for i in 0..<j {
          a[i * k + j] /= root
          column[i] = a[i * k + j]
        }
        for i in 0..<j {
          let v = column[i]
          let row = a + i * k
          for m in max(i, start)..<j { row[m] -= v * column[m] }
        }
      }
      let rows = 32
      DispatchQueue.concurrentPerform(iterations: (start + rows - 1) / rows) { part in
        for i in part * rows..<min((part + 1) * rows, start) {
          let row = a + i * k
          // A panel that others come before is a whole one.
          for j in stride(from: start, to: end, by: 4) {
            let column = a + j * k
            let v = (row[j], row[j + 1], row[j + 2], row[j + 3])
            for m in i..<start {
              row[m] -=
                (v.0 * column[m] + v.1 * column[k + m])
                + (v.2 * column[2 * k + m] + v.3 * column[3 * k + m])
            }
          }
        }
      }
    }
    return true
  }

  /// Σ Dⱼ ηⱼ² of one row of errors, in `columns` numbers of scratch.
  func loss(_ errors: UnsafePointer<Float>, _ scratch: UnsafeMutablePointer<Float>) -> Double {
    let k = columns
    for j in 0..<k { scratch[j] = 0 }
    upper.withUnsafeBufferPointer { upper in
      for i in 0..<k where errors[i] != 0 {
        let e = errors[i]
        let row = upper.baseAddress! + i * k
        for j in i..<k { scratch[j] += e * row[j] }
      }
    }
    var sum = 0.0
    for j in 0..<k { sum += Double(shares[j]) * Double(scratch[j]) * Double(scratch[j]) }
    return sum
  }
}
