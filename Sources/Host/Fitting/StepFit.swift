// A table of measured steps as a law: so much for each thing a step does, and what the law misses.
import Foundation
import Lowering

/// Seconds of the steps of one table.
///
/// They are a sum of what a step does (`StepTerms`) at prices no less than nothing, fitted by least
/// squares of relative errors (Lawson and Hanson, "Solving Least Squares Problems", 1974, chapter 23; solved
/// by coordinate descent, as the system is small). What the law misses at the points is taken along to
/// steps near them, the less the farther they are.
struct StepFit {
  private let kind: String
  private let prices: [Double]
  /// Logarithms of each point's extents, and log2 of its time over the law's.
  private let places: [(logs: [Double], miss: Double)]

  init(_ table: MeasuredSpeeds.StepTable) { self.init(table.kind, table.points) }

  private init(_ kind: String, _ points: [MeasuredSpeeds.StepPoint]) {
    self.kind = kind
    let counts = points.map {
      StepTerms(kind: kind, extents: $0.extents, amount: $0.amount).counts
    }
    let width = min(counts.map(\.count).min() ?? 0, points.count)
    let rows = zip(counts, points).map { counts, point in
      counts.prefix(width).map { $0 / point.seconds }
    }
    let prices = StepFit.nonNegative(rows, width)
    self.prices = prices
    places = zip(counts, points).map { counts, point in
      let law = zip(prices, counts).reduce(0) { $0 + $1.0 * $1.1 }
      let miss = law > 0 ? log2(point.seconds / law) : 0
      return (point.extents.map(StepFit.log), min(max(miss, -2), 2))
    }
  }

  /// nil where the extents are not those of the table.
  func seconds(extents: [Int], amount: Int) -> Double? {
    guard let first = places.first, first.logs.count == extents.count else { return nil }
    let counts = StepTerms(kind: kind, extents: extents, amount: amount).counts
    let law = zip(prices, counts).reduce(0) { $0 + $1.0 * $1.1 }
    let here = extents.map(StepFit.log)
    var total = 1.0
    var miss = 0.0
    for place in places {
      let weight = StepFit.weight(place.logs, here)
      total += weight
      miss += weight * place.miss
    }
    return law * exp2(miss / total)
  }

  /// log2(measured / predicted) of each point when it is predicted from the others.
  static func misses(_ table: MeasuredSpeeds.StepTable) -> [Double] {
    table.points.enumerated().map { i, point in
      var others = table.points
      others.remove(at: i)
      guard !others.isEmpty else { return 0 }
      let fit = StepFit(table.kind, others)
      let predicted = fit.seconds(extents: point.extents, amount: point.amount) ?? 0
      return log2(point.seconds / max(predicted, 1e-12))
    }
  }

  /// Standard deviation of what a table's points miss of each other; at least that of one measurement.
  /// Tables of one point say nothing: half to twice.
  static func leaveOneOutSpread(_ table: MeasuredSpeeds.StepTable) -> Double {
    guard table.points.count > 1 else { return 0.6 }
    let squares = misses(table).reduce(0) { $0 + min($1 * $1, 4) }
    // A point within the table has nearer neighbours than one that was taken out of it.
    return max(0.5 * (squares / Double(table.points.count)).squareRoot(), 0.1)
  }

  /// How much a point at `a` tells of steps at `b`, both logarithms of extents.
  static func weight(_ a: [Double], _ b: [Double]) -> Double {
    let square = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return 1 / ((square + 0.3) * (square + 0.3))
  }

  static func log(_ extent: Int) -> Double { log2(Double(max(extent, 1))) }

  /// x ≥ 0 that makes every row · x nearly 1.
  private static func nonNegative(_ rows: [[Double]], _ width: Int) -> [Double] {
    // Columns of one length, so that none counts for more because of its unit.
    let scales = (0..<width).map { j in
      rows.reduce(0) { $0 + $1[j] * $1[j] }.squareRoot()
    }
    var normal = [[Double]](repeating: [Double](repeating: 0, count: width), count: width)
    var right = [Double](repeating: 0, count: width)
    for row in rows {
      let scaled = (0..<width).map { scales[$0] > 0 ? row[$0] / scales[$0] : 0 }
      for i in 0..<width {
        right[i] += scaled[i]
        for j in 0..<width { normal[i][j] += scaled[i] * scaled[j] }
      }
    }
    // Columns that are alike share what they explain.
    for i in 0..<width { normal[i][i] += 1e-4 }
    var x = [Double](repeating: 0, count: width)
    for _ in 0..<300 {
      for i in 0..<width {
        var rest = right[i]
        for j in 0..<width where j != i { rest -= normal[i][j] * x[j] }
        x[i] = max(rest / normal[i][i], 0)
      }
    }
    return (0..<width).map { scales[$0] > 0 ? x[$0] / scales[$0] : 0 }
  }
}
