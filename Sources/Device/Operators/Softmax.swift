// Softmax along one axis.
import CKernels
import Tensors

/// y = eˣ / Σ eˣ along `axis`, or its logarithm.
///
/// input: f32, any shape → output: the same shape.
public struct Softmax: OperatorDefinition {
  public static var code: Int { 13 }
  public static var name: StaticString { "Softmax" }

  public var axis: Int
  public var isLogarithm: Bool

  public init(axis: Int = -1, isLogarithm: Bool = false) {
    self.axis = axis
    self.isLogarithm = isLogarithm
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    axis = try attributes.integer(in: -8...7)
    isLogarithm = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(axis)
    attributes.put(isLogarithm)
  }

  public var aliasing: Aliasing { .inPlace }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.require(0, is: .f32)
    try step.requirePlain(0)
    let x = step.input(0).shape
    guard x.rank == 0 || x.normalized(axis: axis) != nil else {
      throw ShapeError("axis is out of range", input: 0, expected: x.rank, found: axis)
    }
    step.setOutput(0, .f32, x)
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    let x = step.input(0).shape
    guard let a = x.normalized(axis: axis), a != x.rank - 1 else { return 0 }
    return x[a] * 4
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output().floats
    guard y.count > 0 else { return }
    let kernels = unsafe step.compute.kernels
    let a = x.shape.normalized(axis: axis) ?? 0
    let width = x.shape.rank == 0 ? 1 : x.shape[a]
    let inner = x.shape.rank == 0 ? 1 : x.shape.elementCount(of: (a + 1)..<x.shape.rank)
    if inner == 1 {
      let rows = y.count / width
      var job = unsafe kn_rows()
      unsafe job.kernels = unsafe kernels
      unsafe job.x = UnsafePointer(x.floats.pointer())
      unsafe job.y = y.pointer()
      unsafe job.rows = rows
      unsafe job.width = width
      unsafe job.log = isLogarithm ? 1 : 0
      unsafe step.compute.run(
        kn_softmax_job, &job, parts: y.count < 1 << 15 ? 1 : step.compute.threads)
      return
    }
    // Gather each strided row, take its softmax, scatter it.
    let row = step.scratch(Float.self, count: width)
    let input = x.floats
    for o in 0..<(y.count / (width * inner)) {
      for i in 0..<inner {
        let first = o * width * inner + i
        for j in 0..<width { row[j] = input[first + j * inner] }
        unsafe kernels.pointee.softmax_f32(
          row.pointer(), row.pointer(), 1, width, isLogarithm ? 1 : 0)
        for j in 0..<width { y[first + j * inner] = row[j] }
      }
    }
  }
}
