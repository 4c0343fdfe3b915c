// Steps whose shapes follow from data: prepared when their inputs are there, in blocks of memory.
import CPlatform
import Operators
import Programs
import Tensors

extension Session {
  /// Prepares step `i` with the values its inputs have now, and runs it.
  func runDynamic(_ i: Int) throws(SessionError) {
    switch program.steps[i].op {
    case .branch(let op): try runBranch(op, i)
    case .loop(let op): try runLoop(op, i)
    default: try runOperator(i)
    }
    for s in dying[i] { release(slot: s) }
  }

  private func runOperator(_ i: Int) throws(SessionError) {
    let step = program.steps[i]
    let table = preparation.tensors
    for t in step.outputs { table[t] = TensorView(elementType: .f32, shape: Shape()) }
    let bare = unsafe table.context(
      indices + firstIndex[i], inputCount: step.inputs.count, outputCount: step.outputs.count,
      compute: compute)
    do throws(ShapeError) {
      try step.op.prepare(bare)
    } catch {
      throw failure(i, error)
    }
    let scratchBytes = step.op.scratchBytes(bare)
    guard scratchBytes >= 0, scratchBytes <= 1 << 46 else {
      throw .preparation(.outOfMemory(bytes: scratchBytes))
    }
    for (n, t) in step.outputs.enumerated() {
      if n == 0, try takeOver(i, step) { continue }
      try place(t)
    }
    // What outlives the step is placed first: its scratch is free again at once.
    let scratch = scratchBytes > 0 ? try shared.blocks.take(scratchBytes) : -1
    step.op.run(
      unsafe table.context(
        indices + firstIndex[i], inputCount: step.inputs.count, outputCount: step.outputs.count,
        compute: compute, scratch: scratch >= 0 ? shared.blocks.base(scratch) : nil,
        scratchBytes: scratchBytes))
    if scratch >= 0 { shared.blocks.give(scratch) }
  }

  func failure(_ i: Int, _ error: ShapeError) -> SessionError {
    .preparation(.step(index: i, name: program.steps[i].name, error))
  }

  /// Gives output 0 the block of an input that is of no use afterwards, where the operator allows that.
  private func takeOver(_ i: Int, _ step: Step) throws(SessionError) -> Bool {
    let w = program.weights.count
    let count: Int
    switch step.op.aliasing {
    case .none: return false
    case .view, .inPlace: count = min(1, step.inputs.count)
    case .inPlaceOfAny: count = step.inputs.count
    }
    let table = preparation.tensors
    let out = step.outputs[0]
    for n in 0..<count {
      let t = step.inputs[n]
      guard t >= w, blockOf[t - w] >= 0, preparation.lastUse[t - w] == i,
        table[t].plainByteCount == table[out].plainByteCount
      else { continue }
      blockOf[out - w] = blockOf[t - w]
      blockOf[t - w] = -1
      point(out)
      return true
    }
    return false
  }

  /// Gives tensor `t` a block for its present type and shape.
  func place(_ t: Int) throws(SessionError) {
    let s = t - program.weights.count
    release(slot: s)
    blockOf[s] = try shared.blocks.take(preparation.tensors[t].plainByteCount)
    point(t)
  }

  /// Points tensor `t` at the block it has.
  private func point(_ t: Int) {
    let block = blockOf[t - program.weights.count]
    var view = preparation.tensors[t]
    unsafe view.base = unsafe shared.blocks.base(block)
    view.byteCount = shared.blocks.capacity(block)
    preparation.tensors[t] = view
  }

  /// Tensor `t` has this block from now on.
  func setBlock(_ block: Int, of t: Int) {
    release(slot: t - program.weights.count)
    blockOf[t - program.weights.count] = block
    point(t)
  }

  func release(slot s: Int) {
    guard blockOf[s] >= 0 else { return }
    shared.blocks.give(blockOf[s])
    blockOf[s] = -1
  }

  /// Gives back what the last run left: outputs, and all of a run that failed. Open inputs stay.
  func releaseBlocks() {
    for s in blockOf.indices where !isOpenInput[s] { release(slot: s) }
    for loop in loops { loop.release(to: shared.blocks) }
  }

  /// Makes tensor `t` a copy of `view`, or gives it the block of slot `s` of `owner` where that has one.
  func adopt(_ t: Int, _ view: TensorView, from owner: Session, slot s: Int) throws(SessionError) {
    guard view.encoding == nil, view.hasValue else {
      throw .preparation(
        .step(index: 0, name: program.describe(t), ShapeError("a body gives no plain tensor")))
    }
    preparation.tensors[t] = TensorView(elementType: view.elementType, shape: view.shape)
    if let block = owner.surrender(slot: s) { return setBlock(block, of: t) }
    try place(t)
    copy(view, to: preparation.tensors[t])
  }

  /// The block of a slot, which is no longer this session's to give back; nil for slots without one.
  func surrender(slot s: Int) -> Int? {
    guard s >= 0, blockOf[s] >= 0, !isOpenInput[s] else { return nil }
    let block = blockOf[s]
    blockOf[s] = -1
    return block
  }

  /// Both have plain elements of one type and shape.
  func copy(_ from: TensorView, to: TensorView) {
    let bytes = from.plainByteCount
    precondition(bytes <= from.byteCount && bytes <= to.byteCount)
    if bytes > 0 { unsafe to.pointer.copyMemory(from: from.pointer, byteCount: bytes) }
  }
}

extension Program {
  /// The name of the step that writes tensor `t`.
  fileprivate func describe(_ t: Int) -> String {
    for step in steps where step.outputs.contains(t) { return step.name }
    return ""
  }
}
