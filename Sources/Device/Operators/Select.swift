// y = condition ? a : b with NumPy broadcasting (ONNX Where).
import Tensors

/// inputs: condition (bool), a, b of one element type → output: the broadcast shape.
public struct Select: OperatorWithoutAttributes {
  public static var code: Int { 3 }
  public static var name: StaticString { "Select" }

  public init() {}

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 3...3)
    for i in 0..<3 { try step.requirePlain(i) }
    try step.require(0, is: .bool)
    guard step.input(1).elementType == step.input(2).elementType else {
      throw ShapeError("element types differ", input: 2)
    }
    guard let ab = Shape.broadcast(step.input(1).shape, step.input(2).shape),
      let shape = Shape.broadcast(step.input(0).shape, ab), shape.checkedElementCount != nil
    else { throw ShapeError("shapes do not broadcast") }
    step.setOutput(0, step.input(1).elementType, shape)
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? {
    inputs.count == 3 ? inputs[1] ?? inputs[2] : nil
  }

  public func run(_ step: StepContext) {
    switch step.output().elementType.byteCount {
    case 1: select(step, as: UInt8.self)
    case 2: select(step, as: UInt16.self)
    case 4: select(step, as: UInt32.self)
    default: select(step, as: UInt64.self)
    }
  }

  private func select<T: BitwiseCopyable>(_ step: StepContext, as: T.Type) {
    let condition = step.input(0).elements(UInt8.self)
    let y = step.output().elements(T.self)
    let shape = step.output().shape
    // One pass per branch: each writes the elements whose condition chose it.
    for operand in 1...2 {
      let wanted = operand == 1
      let value = step.input(operand).elements(T.self)
      let plan = Broadcast(step.input(0).shape, step.input(operand).shape, to: shape)
      plan.forEachRun { i, j, o in
        for k in 0..<plan.run where (condition[i + k * plan.stepA] != 0) == wanted {
          y[o + k] = value[j + k * plan.stepB]
        }
      }
    }
  }
}
