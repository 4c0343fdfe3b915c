// Which slots hold a value when, and which may share memory.
import Operators
import Tensors

/// The first and last step at which each piece of memory is needed.
///
/// A piece belongs to one root slot and every slot that is a view of it or overwrites it in place.
/// Steps whose outputs follow from shapes alone (`isStatic`) run while preparing and take no part.
/// Outputs of steps whose shapes follow from data (`isDynamic`) have memory outside of the arena.
public struct Liveness: Sendable {
  /// The slot whose memory each slot uses, by slot number (not tensor index); itself for a root.
  public private(set) var root: [Int]
  /// First and last step of each root's memory; (0, -1) for slots without memory in the arena.
  public private(set) var first: [Int]
  public private(set) var last: [Int]
  /// Steps that run while preparing.
  public private(set) var isStatic: [Bool]
  /// Steps that are prepared in the run.
  public private(set) var isDynamic: [Bool]
  /// Tensors whose values are known after preparing: weights and outputs of static steps.
  public private(set) var isKnown: [Bool]
  /// Tensors whose shape only a run finds.
  public private(set) var isOpen: [Bool]

  /// `bytes`: what each slot takes, by slot number, at the extents to plan for.
  public init(_ program: Program, bytes: [Int]) {
    let w = program.weights.count
    let end = program.steps.count
    root = Array(0..<program.slotCount)
    first = [Int](repeating: 0, count: program.slotCount)
    last = [Int](repeating: -1, count: program.slotCount)
    var kinds = StepKinds(program)
    isStatic = []
    isDynamic = []
    for step in program.steps {
      let kind = kinds.add(step.op, inputs: step.inputs, outputs: step.outputs)
      isStatic.append(kind == .ahead)
      isDynamic.append(kind == .dynamic)
    }
    (isKnown, isOpen) = (kinds.isKnown, kinds.isOpen)

    // Last reader of each slot. What the caller fills or reads lives from start to end.
    var lastUse = [Int](repeating: -1, count: program.slotCount)
    var isPinned = [Bool](repeating: false, count: program.slotCount)
    for (i, step) in program.steps.enumerated() where !isStatic[i] {
      for t in step.inputs where t >= w { lastUse[t - w] = i }
    }
    for input in program.inputs {
      isPinned[input.tensor - w] = true
      last[input.tensor - w] = end
    }
    var isState = [Bool](repeating: false, count: program.slotCount)
    for state in program.states { isState[program.inputs[state.input].tensor - w] = true }
    for output in program.outputs where output.tensor >= w { lastUse[output.tensor - w] = end }
    for state in program.states { lastUse[state.tensor - w] = end }

    for (i, step) in program.steps.enumerated() where !isStatic[i] {
      for t in step.outputs {
        first[t - w] = i
        last[t - w] = max(i, lastUse[t - w])
      }
      let out = step.outputs[0] - w
      guard !isDynamic[i],
        let shared = shareable(step, i, out, bytes, program, isPinned, isState)
      else { continue }
      root[out] = shared
      last[shared] = max(last[shared], last[out])
    }
    for s in 0..<program.slotCount where root[s] != s { last[s] = -1 }
  }

  /// The root that step `i`'s first output may share, if any.
  private func shareable(
    _ step: Step, _ i: Int, _ out: Int, _ bytes: [Int], _ program: Program, _ isPinned: [Bool],
    _ isState: [Bool]
  ) -> Int? {
    let w = program.weights.count
    let candidates: ArraySlice<Int>
    switch step.op.aliasing {
    case .none: return nil
    case .view:
      guard let t = step.inputs.first, t >= w, !isKnown[t], bytes[t - w] == bytes[out] else {
        return nil
      }
      // What outlives the run must not be the memory of a state, which the next value overwrites.
      let r = root[t - w]
      return isState[r] && last[out] == program.steps.count ? nil : r
    case .inPlace: candidates = step.inputs.prefix(1)
    case .inPlaceOfAny: candidates = step.inputs[...]
    }
    // The whole memory must be dying here, be the caller's to lose, and have the same size.
    for t in candidates where t >= w && !isKnown[t] {
      let r = root[t - w]
      if last[r] == i, !isPinned[r], bytes[t - w] == bytes[out], bytes[r] == bytes[out] {
        return r
      }
    }
    return nil
  }
}

extension StepKinds {
  /// Before the first step of `program`: weights are known, inputs of any shape open.
  init(_ program: Program) {
    self.init(tensorCount: program.tensorCount)
    for i in 0..<program.weights.count { setKnown(i) }
    for input in program.inputs where input.isOpen { setOpen(input.tensor) }
  }
}
