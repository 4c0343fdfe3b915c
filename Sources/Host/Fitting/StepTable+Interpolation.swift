// Between measured steps: locally weighted regression of log time on log extents.
import Foundation
import Lowering

extension MeasuredSpeeds.StepTable {
  /// Seconds of a step of this kind; nil where the extents are not those of the table.
  ///
  /// The logarithm of seconds per unit of work is a plane over the logarithms of the extents, fitted
  /// with weights that fall with the distance (Cleveland, "Robust Locally Weighted Regression", 1979);
  /// slopes are held back where the points do not show them. What it gives stays near the points' own
  /// range: beyond it, rates change little.
  func seconds(_ work: StepWork) -> Double? {
    seconds(extents: work.extents, amount: work.amount)
  }

  private func seconds(extents: [Int], amount: Int) -> Double? {
    guard amount > 0 else { return points.map(\.seconds).min() }
    let count = extents.count
    let here = extents.map(Self.log)
    let rates = points.map { log2($0.seconds / Double(max($0.amount, 1))) }
    var weights: [Double] = []
    var offsets: [[Double]] = []
    for point in points {
      guard point.extents.count == count else { return nil }
      let offset = zip(point.extents, here).map { Self.log($0) - $1 }
      let square = offset.reduce(0) { $0 + $1 * $1 }
      offsets.append(offset)
      weights.append(1 / pow(square + 0.3, 2))
    }
    let total = weights.reduce(0, +)
    let mean = zip(weights, rates).reduce(0) { $0 + $1.0 * $1.1 } / total
    // Normal equations around the weighted means; the ridge holds slopes that few points show.
    var center = [Double](repeating: 0, count: count)
    for (weight, offset) in zip(weights, offsets) {
      for i in 0..<count { center[i] += weight * offset[i] / total }
    }
    var matrix = [[Double]](repeating: [Double](repeating: 0, count: count + 1), count: count)
    for (n, offset) in offsets.enumerated() {
      for i in 0..<count {
        for j in 0..<count {
          matrix[i][j] += weights[n] / total * (offset[i] - center[i]) * (offset[j] - center[j])
        }
        matrix[i][count] += weights[n] / total * (offset[i] - center[i]) * (rates[n] - mean)
      }
    }
    for i in 0..<count { matrix[i][i] += 0.1 }
    guard let slopes = Self.solve(matrix) else { return nil }
    var rate = mean
    for i in 0..<count { rate -= slopes[i] * center[i] }
    // Larger steps are hardly faster than the fastest; smaller ones may be slower by much.
    let low = (rates.min() ?? mean) - 0.1
    let high = (rates.max() ?? mean) + 3
    return exp2(min(max(rate, low), high)) * Double(amount)
  }

  /// Standard deviation of log2(predicted / measured) when each point is predicted from the others; at
  /// least that of one measurement. Tables of one point say nothing: half to twice.
  var leaveOneOutSpread: Double {
    guard points.count > 1 else { return 0.6 }
    var squares = 0.0
    for (i, point) in points.enumerated() {
      var others = self
      others.points.remove(at: i)
      let predicted = others.seconds(extents: point.extents, amount: point.amount) ?? point.seconds
      squares += pow(log2(predicted / point.seconds), 2)
    }
    // A point within the table has nearer neighbours than one that was taken out of it.
    return max(0.5 * (squares / Double(points.count)).squareRoot(), 0.1)
  }

  private static func log(_ extent: Int) -> Double { log2(Double(max(extent, 1))) }

  /// Gaussian elimination of a positive definite system, the right-hand side in the last column.
  private static func solve(_ system: [[Double]]) -> [Double]? {
    var a = system
    let n = a.count
    for i in 0..<n {
      guard a[i][i] > 1e-12 else { return nil }
      for j in (i + 1)..<max(n, i + 1) {
        let factor = a[j][i] / a[i][i]
        for k in i...n { a[j][k] -= factor * a[i][k] }
      }
    }
    var x = [Double](repeating: 0, count: n)
    for i in (0..<n).reversed() {
      var sum = a[i][n]
      for k in (i + 1)..<max(n, i + 1) { sum -= a[i][k] * x[k] }
      x[i] = sum / a[i][i]
    }
    return x
  }
}
