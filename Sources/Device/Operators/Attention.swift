// Scaled dot-product attention over all heads at once.
import CKernels
import Tensors

/// y = softmax(scale · q kᵀ + mask) v, head by head.
///
/// inputs: q [batch, queries, heads · width], k [batch, keys, heads · width],
/// v [batch, keys, heads · valueWidth], mask (optional) f32 that broadcasts to
/// [batch, heads, queries, keys] and is added to the scores → output [batch, queries, heads · valueWidth].
public struct Attention: OperatorDefinition {
  public static var code: Int { 11 }
  public static var name: StaticString { "Attention" }

  public var heads: Int
  public var scale: Float

  public init(heads: Int, scale: Float) {
    self.heads = heads
    self.scale = scale
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    heads = try attributes.integer(in: 1...65536)
    scale = try attributes.float()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(heads)
    attributes.put(scale)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 3...4)
    for i in 0..<step.inputCount where step.has(i) {
      try step.require(i, is: .f32)
      try step.requirePlain(i)
    }
    let q = step.input(0).shape
    let k = step.input(1).shape
    let v = step.input(2).shape
    for i in 0..<3 where step.input(i).shape.rank != 3 {
      throw ShapeError("wrong rank", input: i, expected: 3, found: step.input(i).shape.rank)
    }
    guard q[0] == k[0], q[0] == v[0], k[1] == v[1], q[2] == k[2] else {
      throw ShapeError("queries, keys and values do not fit together")
    }
    guard q[2] % heads == 0, v[2] % heads == 0 else {
      throw ShapeError("width is not a multiple of the heads", expected: heads, found: q[2])
    }
    if step.has(3) {
      let scores = Shape([q[0], heads, q[1], k[1]])
      guard let both = Shape.broadcast(scores, step.input(3).shape), both == scores else {
        throw ShapeError("mask does not broadcast to the scores", input: 3)
      }
    }
    step.setOutput(0, .f32, Shape([q[0], q[1], v[2]]))
  }

  private func parts(_ step: StepContext) -> Int {
    min(step.compute.threads, max(1, step.input(0).shape[0] * heads))
  }

  private func scratchFloats(_ step: StepContext) -> Int {
    kn_attention_scratch(
      step.input(1).shape[1], step.input(0).shape[2] / heads, step.input(2).shape[2] / heads)
  }

  public func scratchBytes(_ step: StepContext) -> Int { parts(step) * scratchFloats(step) * 4 }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    let q = step.input(0).shape
    let scores = (q[0] * q[1]).saturatingProduct(step.input(1).shape[1])
    return scores.saturatingProduct(q[2] + step.input(2).shape[2])
  }

  public func run(_ step: StepContext) {
    let q = step.input(0)
    let k = step.input(1)
    let v = step.input(2)
    let y = step.output()
    guard y.shape.elementCount > 0 else { return }
    var job = unsafe kn_attention()
    unsafe job.kernels = unsafe step.compute.kernels
    unsafe job.q = UnsafePointer(q.floats.pointer())
    unsafe job.k = UnsafePointer(k.floats.pointer())
    unsafe job.v = UnsafePointer(v.floats.pointer())
    unsafe job.y = y.floats.pointer()
    unsafe job.batch = q.shape[0]
    unsafe job.heads = heads
    unsafe job.q_length = q.shape[1]
    unsafe job.k_length = k.shape[1]
    unsafe job.head_width = q.shape[2] / heads
    unsafe job.value_width = v.shape[2] / heads
    unsafe job.q_stride = q.shape[2]
    unsafe job.k_stride = k.shape[2]
    unsafe job.v_stride = v.shape[2]
    unsafe job.y_stride = v.shape[2]
    unsafe job.scale = scale
    if step.has(3) {
      let m = step.input(3)
      let strides = m.shape.strides
      func stride(_ fromEnd: Int) -> Int {
        let axis = m.shape.rank - fromEnd
        return axis < 0 || m.shape[axis] == 1 ? 0 : strides[axis]
      }
      unsafe job.mask = UnsafePointer(m.floats.pointer())
      unsafe job.mask_batch = stride(4)
      unsafe job.mask_head = stride(3)
      unsafe job.mask_row = stride(2)
      unsafe job.mask_column = stride(1)
    }
    let parts = parts(step)
    unsafe job.scratch =
      step.scratch(Float.self, count: parts * scratchFloats(step)).pointer()
    unsafe step.compute.run(kn_attention_job, &job, parts: parts)
  }
}
