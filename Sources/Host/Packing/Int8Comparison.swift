// Outputs of a model in static int8 beside those of the float model.

/// How far outputs moved, and what that did to answers that are known.
public struct Int8Comparison: Sendable {
  /// Inputs with a known answer, and how many of them the float and the integer model get right.
  public var labelled = 0
  public var right = [0, 0]
  private var squares = 0.0
  private var errors = 0.0

  public init() {}

  /// Adds one output of both.
  public mutating func add(_ float: [Float], _ int8: [Float]) {
    for (x, y) in zip(float, int8) where x.isFinite && y.isFinite {
      squares += Double(x) * Double(x)
      errors += Double(x - y) * Double(x - y)
    }
  }

  /// Root mean square of the difference over that of the float outputs.
  public var relativeError: Double { squares > 0 ? (errors / squares).squareRoot() : 0 }
}
