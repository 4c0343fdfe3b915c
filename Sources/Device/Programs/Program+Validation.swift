// What makes a program legal: checked once, before anything is believed.
import Operators
import Tensors

extension Program {
  /// Upper bounds on what a program may hold; beyond them a bundle is refused.
  public static var maximumSteps: Int { 1 << 16 }
  public static var maximumTensors: Int { 1 << 18 }
  /// Levels of programs inside of programs, and how many there may be in all.
  public static var maximumDepth: Int { 8 }
  public static var maximumBodies: Int { 1 << 10 }

  /// Every index in range, every slot written once and before it is read, every weight inside a
  /// section of `weightBytes` bytes.
  public func validate(weightBytes: Int) throws(ProgramError) {
    var bodyCount = 0
    try validate(weightBytes, depth: 0, &bodyCount)
  }

  private func validate(
    _ weightBytes: Int, depth: Int, _ bodyCount: inout Int
  ) throws(ProgramError) {
    bodyCount += bodies.count
    guard depth <= Program.maximumDepth, bodyCount <= Program.maximumBodies else {
      throw .malformed(
        at: "bodies",
        expected: "at most \(Program.maximumBodies), \(Program.maximumDepth) levels deep")
    }
    for body in bodies { try body.validate(weightBytes, depth: depth + 1, &bodyCount) }
    guard depth == 0 || sharedWeights.count == weights.count else {
      throw .malformed(at: "weights of a body", expected: "weights of the program")
    }
    for input in inputs where depth > 0 && !input.isOpen {
      throw .malformed(at: "input \(input.name) of a body", expected: "any shape")
    }
    guard depth == 0 || states.isEmpty && symbols.isEmpty else {
      throw .malformed(at: "body", expected: "neither states nor symbols")
    }
    guard steps.count <= Program.maximumSteps else {
      throw .malformed(at: "steps", expected: "at most \(Program.maximumSteps)")
    }
    guard slotCount >= 0, slotCount <= Program.maximumTensors,
      weights.count <= Program.maximumTensors
    else { throw .malformed(at: "tensors", expected: "at most \(Program.maximumTensors)") }
    for s in symbols where s.limit < 1 || s.limit > 1 << 32 {
      throw .malformed(at: "symbol \(s.name)", expected: "a limit from 1 to 2^32")
    }
    for w in weights { try validate(w, weightBytes) }
    var written = [Bool](repeating: false, count: tensorCount)
    for i in 0..<weights.count { written[i] = true }
    for input in inputs { try validate(input, &written) }
    for (i, step) in steps.enumerated() { try validate(step, i, &written) }
    for output in outputs {
      guard written.indices.contains(output.tensor), written[output.tensor] else {
        throw .tensor(step: -1, tensor: output.tensor, reason: "is an output that no step writes")
      }
    }
    for state in states {
      guard inputs.indices.contains(state.input), written.indices.contains(state.tensor),
        isSlot(state.tensor), written[state.tensor]
      else { throw .tensor(step: -1, tensor: state.tensor, reason: "is not a state") }
    }
    try plan.validate(for: self)
  }

  private func validate(_ w: ProgramWeight, _ weightBytes: Int) throws(ProgramError) {
    guard let bytes = w.byteCount, w.offset >= 0, w.offset % 64 == 0, w.offset <= weightBytes,
      bytes <= weightBytes - w.offset
    else {
      throw .weight(
        name: w.name, needs: w.offset &+ (w.byteCount ?? Int.max / 2), has: weightBytes)
    }
    guard w.encoding == nil || w.elementType == .f32 else {
      throw .malformed(at: "weight \(w.name)", expected: "f32 behind a quantization scheme")
    }
  }

  private func validate(_ input: ProgramInput, _ written: inout [Bool]) throws(ProgramError) {
    guard isSlot(input.tensor), input.tensor < tensorCount, !written[input.tensor] else {
      throw .tensor(step: -1, tensor: input.tensor, reason: "is not a free slot for an input")
    }
    written[input.tensor] = true
    guard input.dimensions.count <= (input.isOpen ? 0 : Shape.maximumRank) else {
      throw .malformed(at: "input \(input.name)", expected: "at most 8 axes")
    }
    for d in input.dimensions {
      switch d {
      case .constant(let n):
        guard n >= 0, n <= 1 << 40 else {
          throw .malformed(at: "input \(input.name)", expected: "extents from 0 to 2^40")
        }
      case .symbol(let s):
        guard symbols.indices.contains(s) else {
          throw .malformed(at: "input \(input.name)", expected: "a known symbol")
        }
      }
    }
  }

  private func validate(
    _ step: Step, _ index: Int, _ written: inout [Bool]
  ) throws(ProgramError) {
    for t in step.inputs where t != -1 {
      guard written.indices.contains(t) else {
        throw .tensor(step: index, tensor: t, reason: "does not exist")
      }
      guard written[t] else {
        throw .tensor(step: index, tensor: t, reason: "is read before it is written")
      }
    }
    guard !step.outputs.isEmpty else {
      throw .malformed(at: "step \(index)", expected: "an output")
    }
    for i in 0..<step.op.bodies.count {
      let number = step.op.bodies[i]
      guard bodies.indices.contains(number),
        step.op.fits(
          inputs: step.inputs.count, outputs: step.outputs.count,
          bodyInputs: bodies[number].inputs.count, bodyOutputs: bodies[number].outputs.count)
      else {
        throw .malformed(
          at: "step \(index)", expected: "a body that takes and gives what the step does")
      }
    }
    for t in step.outputs {
      guard isSlot(t), t < tensorCount, !written[t] else {
        throw .tensor(step: index, tensor: t, reason: "is not a free slot")
      }
      written[t] = true
    }
  }
}
