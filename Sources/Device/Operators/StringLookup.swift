// Texts found in a list of known ones.
import Tensors

/// inputs: texts; known texts, a vector in rising order of their bytes → output: i64, for each text its
/// place among the known ones, and how many these are for a text that is not among them.
public struct StringLookup: OperatorWithoutAttributes {
  public static var code: Int { 145 }
  public static var name: StaticString { "StringLookup" }

  public init() {}

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...2)
    try step.requireTexts(0)
    try step.requireTexts(1)
    guard step.input(1).shape.rank == 1 else {
      throw ShapeError("expected a vector", input: 1, expected: 1, found: step.input(1).shape.rank)
    }
    step.setOutput(0, .i64, step.input(0).shape)
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { .i64 }

  public func run(_ step: StepContext) {
    let (x, known, y) = (
      step.input(0).texts, step.input(1).texts, step.output().elements(Int64.self)
    )
    let pool = step.compute.texts
    for i in x.indices {
      y[i] = Int64(known.place(of: pool.range(x[i]), in: pool) ?? known.count)
    }
  }
}

extension Elements where T == TextReference {
  /// Where the bytes at `text` are among these texts, which are in rising order; nil where they are not.
  func place(of text: Range<Int>, in pool: TextPool) -> Int? {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      let order = pool.compare(pool.range(self[middle]), text)
      if order == 0 { return middle }
      if order < 0 { low = middle + 1 } else { high = middle }
    }
    return nil
  }
}
