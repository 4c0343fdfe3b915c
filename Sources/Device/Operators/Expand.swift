// A tensor broadcast to a shape.
import Tensors

/// inputs: x; the shape to broadcast with, i64, known before the program runs → output: the shape both
/// broadcast to.
public struct Expand: OperatorWithoutAttributes {
  public static var code: Int { 25 }
  public static var name: StaticString { "Expand" }

  public init() {}

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...2)
    try step.requirePlain(0)
    let list = try step.integers(1)
    guard list.count <= Shape.maximumRank else { throw ShapeError("output has too many axes") }
    var target = Shape()
    for i in 0..<list.count {
      guard list[i] >= 0 else { throw ShapeError("negative extent", input: 1, found: list[i]) }
      target.append(list[i])
    }
    guard let shape = Shape.broadcast(step.input(0).shape, target),
      shape.checkedElementCount != nil
    else { throw ShapeError("shapes do not broadcast", input: 1) }
    step.setOutput(0, step.input(0).elementType, shape)
  }

  public func readsValue(ofInput i: Int) -> Bool { i == 1 }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    switch x.elementType.byteCount {
    case 1: spread(x.elements(UInt8.self), step.output().elements(UInt8.self), x.shape, step)
    case 2: spread(x.elements(UInt16.self), step.output().elements(UInt16.self), x.shape, step)
    case 4: spread(x.elements(UInt32.self), step.output().elements(UInt32.self), x.shape, step)
    default: spread(x.elements(UInt64.self), step.output().elements(UInt64.self), x.shape, step)
    }
  }

  private func spread<T: BitwiseCopyable>(
    _ x: Elements<T>, _ y: Elements<T>, _ shape: Shape, _ step: StepContext
  ) {
    let plan = Broadcast(shape, step.output().shape, to: step.output().shape)
    plan.forEachRun { i, _, o in
      if plan.stepA == 1 {
        y.copy(from: x, at: i, to: o, count: plan.run)
      } else {
        let value = x[i]
        for k in 0..<plan.run { y[o + k] = value }
      }
    }
  }
}
