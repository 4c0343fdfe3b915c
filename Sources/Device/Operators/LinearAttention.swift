// Attention whose memory is one matrix per head, whatever the length of the sequence.
import CKernels
import Tensors

/// For each step t of a sequence: state ← e^decay · state; v ← beta (v − stateᵀ k) where beta is given;
/// state ← state + k vᵀ; y = scale · stateᵀ q.
///
/// inputs: q f32 [batch, steps, queryHeads · width]; k f32 [batch, steps, keyHeads · width]; v f32
/// [batch, steps, keyHeads · valueWidth]; the state before f32 [batch, keyHeads, width, valueWidth],
/// zeros if left out; decay f32 [batch, steps, keyHeads or keyHeads · width]; beta f32 [batch, steps,
/// keyHeads or 1]; the last two optional → outputs: y [batch, steps, queryHeads · valueWidth] and the
/// state after. Heads of keys serve as many heads of queries each. A scale of 0 means 1 / √width.
public struct LinearAttention: OperatorDefinition {
  public static var code: Int { 88 }
  public static var name: StaticString { "LinearAttention" }

  public var queryHeads: Int
  public var keyHeads: Int
  public var scale: Float

  public init(queryHeads: Int, keyHeads: Int, scale: Float = 0) {
    self.queryHeads = queryHeads
    self.keyHeads = keyHeads
    self.scale = scale
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    queryHeads = try attributes.integer(in: 1...65536)
    keyHeads = try attributes.integer(in: 1...65536)
    scale = try attributes.float()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(queryHeads)
    attributes.put(keyHeads)
    attributes.put(scale)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 3...6, outputs: 2)
    for i in 0..<step.inputCount where step.has(i) {
      try step.requirePlain(i)
      try step.require(i, is: .f32)
    }
    let (q, k, v) = (step.input(0).shape, step.input(1).shape, step.input(2).shape)
    guard q.rank == 3, k.rank == 3, v.rank == 3 else {
      throw ShapeError("expected batches of sequences", expected: 3)
    }
    guard queryHeads % keyHeads == 0, k[2] % keyHeads == 0, v[2] % keyHeads == 0 else {
      throw ShapeError("does not divide into the heads", input: 1, expected: keyHeads)
    }
    let (width, valueWidth) = (k[2] / keyHeads, v[2] / keyHeads)
    guard q[2] == queryHeads * width, k[0] == q[0], v[0] == q[0], k[1] == q[1], v[1] == q[1] else {
      throw ShapeError("queries, keys and values do not fit each other", input: 0)
    }
    let state = Shape([q[0], keyHeads, width, valueWidth])
    guard !step.has(3) || step.input(3).shape == state else {
      throw ShapeError("is no state of these heads", input: 3)
    }
    for (i, wide) in [(4, k[2]), (5, 1)] where step.has(i) {
      let shape = step.input(i).shape
      guard shape.rank == 3, shape[0] == q[0], shape[1] == q[1],
        shape[2] == keyHeads || shape[2] == wide
      else { throw ShapeError("is not one number per head", input: i) }
    }
    let (outputs, overflow) = queryHeads.multipliedReportingOverflow(by: valueWidth)
    guard !overflow else { throw ShapeError("output is too large") }
    step.setOutput(0, .f32, Shape([q[0], q[1], outputs]))
    step.setOutput(1, .f32, state)
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    step.input(2).shape[2] / keyHeads * 4
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    let state = step.output(1).shape.elementCount
    return state.saturatingProduct(
      step.input(0).shape[1].saturatingProduct(2 + queryHeads / keyHeads))
  }

  public func run(_ step: StepContext) {
    let (q, k, v) = (step.input(0).floats, step.input(1).floats, step.input(2).floats)
    let y = step.output(0).floats
    let state = step.output(1).floats
    let shape = step.output(1).shape
    let (batch, steps, width, valueWidth) = (
      shape[0], step.input(0).shape[1], shape[2], shape[3]
    )
    if step.has(3) {
      state.copy(from: step.input(3).floats, at: 0, to: 0, count: state.count)
    } else {
      state.fill(0)
    }
    let value = step.scratch(Float.self, count: valueWidth)
    let factor = scale == 0 ? 1 / Float(max(width, 1)).squareRoot() : scale
    let group = queryHeads / keyHeads
    for n in 0..<batch {
      for t in 0..<steps {
        let at = n * steps + t
        for h in 0..<keyHeads {
          let first = (n * keyHeads + h) * width * valueWidth
          let key = (at * keyHeads + h) * width
          decay(step, state, first, at, h, width, valueWidth)
          for m in 0..<valueWidth { value[m] = v[(at * keyHeads + h) * valueWidth + m] }
          if step.has(5) {
            let count = step.input(5).shape[2]
            let share = step.input(5).floats[at * count + (count == 1 ? 0 : h)]
            for m in 0..<valueWidth {
              var kept: Float = 0
              for d in 0..<width { kept += state[first + d * valueWidth + m] * k[key + d] }
              value[m] = share * (value[m] - kept)
            }
          }
          for d in 0..<width {
            for m in 0..<valueWidth {
              state[first + d * valueWidth + m] += k[key + d] * value[m]
            }
          }
          for g in (h * group)..<((h + 1) * group) {
            let query = (at * queryHeads + g) * width
            let out = (at * queryHeads + g) * valueWidth
            for m in 0..<valueWidth {
              var sum: Float = 0
              for d in 0..<width { sum += q[query + d] * state[first + d * valueWidth + m] }
              y[out + m] = factor * sum
            }
          }
        }
      }
    }
  }

  private func decay(
    _ step: StepContext, _ state: Elements<Float>, _ first: Int, _ at: Int, _ head: Int,
    _ width: Int, _ valueWidth: Int
  ) {
    guard step.has(4) else { return }
    let decays = step.input(4).floats
    let count = step.input(4).shape[2]
    for d in 0..<width {
      let place = count == keyHeads ? head : head * width + d
      let factor = kn_exp(decays[at * count + place])
      for m in 0..<valueWidth { state[first + d * valueWidth + m] *= factor }
    }
  }
}
