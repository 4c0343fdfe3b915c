// How a matrix is cut into runs and pieces, and the levels of its runs and columns.
import CKernels
import Foundation
import Tensors
import WeightCoding

/// Runs, pieces and lanes for a number of integers.
public struct RunLayout: Equatable, Sendable {
  public var count: Int
  /// Of a row.
  public var columns: Int
  public var lanes: Int
  public var runLength: Int
  public var runsPerPiece: Int
  /// Places in a run after which columns repeat; 0 where they do not.
  public var period: Int

  /// Columns that go together: the places of a kernel, for one input channel.
  public var group: Int

  /// Integers of a piece, about: decoded at once by one thread.
  static let pieceLength = 1 << 17

  /// For a matrix of rows by columns, the columns in groups. granule: what pieces must be multiples of.
  public init(rows: Int, columns: Int, group: Int = 1, granule: Int = 1) {
    self.group = group
    count = rows * columns
    self.columns = columns
    lanes = IntegerCoding.usualLanes(count: count)
    let longest = IntegerCoding.maximumRun
    if columns > longest || count / max(columns, 1) < lanes {
      // Long rows are cut: every lane is to have a run, and a group of them is to fit the decoder.
      let target = min(1024, max(64, count / lanes / 4))
      runLength = max(1, min(count, target)) + granule - 1
      runLength -= runLength % granule
      period = 0
    } else {
      let joined = IntegerCoding.usualRows(count: count, columns: columns, lanes: lanes)
      runLength = max(1, columns * joined)
      period = columns
    }
    let group = runLength * lanes
    let groups = ((count + runLength - 1) / runLength + lanes - 1) / lanes
    runsPerPiece = min(max(1, RunLayout.pieceLength / group), max(groups, 1)) * lanes
  }

  /// The places of a convolution's kernel, where rows of `columns` are its input channels' after another.
  static func group(_ shape: Shape, _ columns: Int) -> Int {
    guard shape.dimensions.count > 2 else { return 1 }
    let places = shape.dimensions[2...].reduce(1, *)
    return columns == places * shape.dimensions[1] ? places : 1
  }

  public var runCount: Int { (count + runLength - 1) / runLength }
}

/// Levels of scale, on a logarithmic measure: one for each run and one for each column. Their sum tells
/// how large the integers at a place are, and with that the context they are coded in.
public struct ScaleLevels: Sendable {
  /// 0 to 15, one for each run.
  public var runs: [UInt8]
  /// 0 to 15, one for each place of the period; empty where the layout has none.
  public var columns: [UInt8]
  /// Sixteenths of an octave from one level to the next.
  public var unit: Int
  /// Columns that have one level together.
  public var columnsOfLevel = 1
  /// What the levels of columns are made of.
  private let columnMeans: [Double]
  private let lowest: Double

  /// The levels of a matrix: logarithms of mean magnitudes, a level to about a third of an octave or more.
  public init(_ matrix: WeightMatrix, _ layout: RunLayout) {
    self.init(layout) { visit in
      matrix.forEachPart(unit: layout.runLength) { range, part in
        visit(range, { Double(part[$0].magnitude) })
      }
    }
  }

  /// The levels of integers.
  init(_ integers: IntegerSource, _ layout: RunLayout) throws {
    try self.init(layout) { visit in
      try integers.forEachPart(unit: layout.runLength) { range, part in
        visit(range, { Double(part[$0].magnitude) })
      }
    }
  }

  /// pass: hands all elements on, in parts of whole runs, as magnitudes by their place in the part.
  @inline(__always)
  private init(
    _ layout: RunLayout,
    _ pass: ((Range<Int>, (Int) -> Double) -> Void) throws -> Void
  ) rethrows {
    let period = layout.period
    var runMeans = [Double](repeating: 0, count: layout.runCount)
    func forEachRun(_ part: Range<Int>, _ body: (_ run: Int, _ places: Range<Int>) -> Void) {
      for run in part.lowerBound / layout.runLength..<layout.runCount {
        let start = run * layout.runLength
        guard start < part.upperBound else { return }
        let end = min(start + layout.runLength, layout.count)
        body(run, start - part.lowerBound..<end - part.lowerBound)
      }
    }
    try pass { part, magnitude in
      forEachRun(part) { run, places in
        var sum = 0.0
        for i in places { sum += magnitude(i) }
        runMeans[run] = sum / Double(places.count)
      }
    }
    var columnMeans = [Double](repeating: 0, count: period)
    if period > 0 {
      try pass { part, magnitude in
        forEachRun(part) { run, places in
          guard runMeans[run] > 0 else { return }
          let factor = 1 / runMeans[run]
          var place = 0
          for i in places {
            columnMeans[place] += magnitude(i) * factor
            place += 1
            if place == period { place = 0 }
          }
        }
      }
      let share = Double(period) / Double(layout.count)
      for i in 0..<period { columnMeans[i] *= share }
    }
    let runSpan = ScaleLevels.span(runMeans)
    let columnSpan = ScaleLevels.span(columnMeans)
    let span = runSpan.high - runSpan.low + columnSpan.high - columnSpan.low
    self.unit = max(5, Int((span * 16 / 14).rounded(.up)))
    let unit = Double(self.unit) / 16
    runs = ScaleLevels.levels(runMeans, from: runSpan.low, unit)
    columns = ScaleLevels.levels(columnMeans, from: columnSpan.low, unit)
    self.columnMeans = columnMeans
    lowest = columnSpan.low
  }

  /// The same with one level for each group of columns; nil where there are no groups.
  func grouped(_ layout: RunLayout) -> ScaleLevels? {
    let size = layout.group
    guard size > 1, size < columns.count, columns.count % size == 0 else { return nil }
    let means = stride(from: 0, to: columns.count, by: size).map { start in
      columnMeans[start..<start + size].reduce(0, +) / Double(size)
    }
    var grouped = self
    let levels = ScaleLevels.levels(means, from: lowest, Double(unit) / 16)
    grouped.columns = columns.indices.map { levels[$0 / size] }
    grouped.columnsOfLevel = size
    return grouped
  }

  /// Between which logarithms all but the smallest means lie.
  private static func span(_ means: [Double]) -> (low: Double, high: Double) {
    let sorted = means.filter { $0 > 0 }.map { log2($0) }.sorted()
    guard let last = sorted.last else { return (0, 0) }
    return (sorted[sorted.count / 50], last)
  }

  private static func levels(_ means: [Double], from low: Double, _ unit: Double) -> [UInt8] {
    means.map { $0 > 0 ? UInt8(min(max(((log2($0) - low) / unit).rounded(), 0), 15)) : 0 }
  }
}
