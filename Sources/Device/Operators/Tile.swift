// A tensor repeated along its axes.
import Tensors

/// inputs: x, any element type; repeats, one integer per axis, known before the program runs →
/// output: each extent times its repeats.
public struct Tile: OperatorWithoutAttributes {
  public static var code: Int { 44 }
  public static var name: StaticString { "Tile" }

  public init() {}

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...2)
    try step.requirePlain(0)
    let x = step.input(0)
    let repeats = try step.integers(1)
    guard repeats.count == x.shape.rank else {
      throw ShapeError(
        "not one number per axis", input: 1, expected: x.shape.rank, found: repeats.count)
    }
    var shape = Shape()
    for axis in 0..<x.shape.rank {
      let (extent, overflow) = x.shape[axis].multipliedReportingOverflow(by: repeats[axis])
      guard repeats[axis] >= 0, !overflow else {
        throw ShapeError("repeats are out of range", input: 1, found: repeats[axis])
      }
      shape.append(extent)
    }
    step.setOutput(0, x.elementType, shape)
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    Remap.scratchBytes(step.output().shape)
  }

  public func readsValue(ofInput i: Int) -> Bool { i == 1 }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output()
    let map = Remap(x.shape, to: y.shape, in: step) { axis, i in i % x.shape[axis] }
    map.run(x, y)
  }
}
