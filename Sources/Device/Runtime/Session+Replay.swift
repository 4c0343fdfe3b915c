// Parts of a run, and going back to where a part began: how the effect of one weight is measured
// without running what comes before it again.
import Operators
import Programs
import Tensors

extension Session {
  /// True for programs that can be run in parts: all shapes follow from those of the inputs, and
  /// nothing is carried from call to call.
  public var canReplay: Bool { !preparation.isOpen && program.states.isEmpty }

  /// Bytes that `save` writes.
  public var savedByteCount: Int { plan.arenaBytes }

  /// Runs the steps at these places of `runnableSteps`.
  public func run(steps range: Range<Int>) {
    precondition(canReplay)
    for n in range { program.steps[runnableSteps[n]].op.run(context(runnableSteps[n])) }
  }

  /// Tensor `t` of the program, right after the step that writes it: later steps may take its memory.
  public func tensor(_ t: Int) -> TensorView { preparation.tensors[t] }

  /// Writes all that the steps so far have left, inputs included.
  @unsafe public func save(to buffer: UnsafeMutableRawBufferPointer) {
    precondition(buffer.count >= savedByteCount)
    guard let arena = unsafe arena, plan.arenaBytes > 0 else { return }
    unsafe buffer.baseAddress!.copyMemory(from: arena, byteCount: plan.arenaBytes)
  }

  /// Goes back to what `save` wrote at the same input shapes.
  @unsafe public func restore(from buffer: UnsafeMutableRawBufferPointer) {
    precondition(buffer.count >= savedByteCount)
    guard let arena = unsafe arena, plan.arenaBytes > 0 else { return }
    unsafe arena.copyMemory(from: buffer.baseAddress!, byteCount: plan.arenaBytes)
  }
}
