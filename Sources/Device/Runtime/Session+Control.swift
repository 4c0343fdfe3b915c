// Branches and loops: bodies run by sessions of their own, which borrow their inputs.
import CPlatform
import Operators
import Programs
import Tensors

/// What a loop holds from one run of its body to the next. A block is -1 where there is none.
final class LoopMemory {
  var carried: [Int]
  var next: [Int]
  var collected: [Int]
  /// The values in those blocks; for `collected`, one run's.
  var carriedViews: [TensorView]
  var collectedViews: [TensorView]
  /// Number of the run and condition, as the body reads them.
  var numbers = -1

  init(_ op: Loop) {
    carried = [Int](repeating: -1, count: op.carriedCount)
    next = carried
    collected = [Int](repeating: -1, count: op.collectedCount)
    let nothing = TensorView(elementType: .f32, shape: Shape())
    carriedViews = [TensorView](repeating: nothing, count: op.carriedCount)
    collectedViews = [TensorView](repeating: nothing, count: op.collectedCount)
  }

  func release(to pool: BlockPool) {
    LoopMemory.release(&carried, to: pool)
    LoopMemory.release(&next, to: pool)
    LoopMemory.release(&collected, to: pool)
    if numbers >= 0 { pool.give(numbers) }
    numbers = -1
  }

  private static func release(_ blocks: inout [Int], to pool: BlockPool) {
    for i in blocks.indices where blocks[i] >= 0 {
      pool.give(blocks[i])
      blocks[i] = -1
    }
  }
}

extension Session {
  /// Input `i` of this body reads another session's tensor.
  func bind(_ i: Int, _ view: TensorView) {
    preparation.tensors[program.inputs[i].tensor] = view
  }

  /// The slot of output `i`; negative for a weight.
  func outputSlot(_ i: Int) -> Int { program.outputs[i].tensor - program.weights.count }

  /// The tensor that step `i` reads at `input`, or why that is none for a body.
  private func argument(_ i: Int, _ input: Int) throws(SessionError) -> TensorView {
    let t = program.steps[i].inputs[input]
    guard t >= 0, preparation.tensors[t].hasValue else {
      throw failure(i, ShapeError("is missing", input: input))
    }
    return preparation.tensors[t]
  }

  func condition(_ view: TensorView, _ i: Int) throws(SessionError) -> Bool {
    guard view.elementType == .bool, view.encoding == nil, view.shape.elementCount == 1 else {
      throw failure(i, ShapeError("the condition is not one bool"))
    }
    return view.integer(at: 0) != 0
  }

  func runBranch(_ op: Branch, _ i: Int) throws(SessionError) {
    let step = program.steps[i]
    let holds = try condition(try argument(i, 0), i)
    let body = bodies[holds ? op.thenBody : op.elseBody]
    for n in 1..<step.inputs.count { body.bind(n - 1, try argument(i, n)) }
    try body.runSteps()
    for (n, t) in step.outputs.enumerated() {
      try adopt(t, body.output(n), from: body, slot: body.outputSlot(n))
    }
    body.releaseBlocks()
  }

  func runLoop(_ op: Loop, _ i: Int) throws(SessionError) {
    let step = program.steps[i]
    let (body, blocks) = (bodies[op.body], shared.blocks)
    guard let memory = loopOf[i] else { return }
    memory.release(to: blocks)
    var limit = Int.max
    if step.inputs[0] >= 0 {
      let count = try argument(i, 0)
      guard count.elementType == .i64, count.shape.elementCount == 1 else {
        throw failure(i, ShapeError("the count is not one i64", input: 0))
      }
      limit = count.integer(at: 0)
    }
    var holds = step.inputs[1] >= 0 ? try condition(try argument(i, 1), i) : true
    for k in 0..<op.carriedCount { memory.carriedViews[k] = try argument(i, 2 + k) }
    memory.numbers = try blocks.take(64)
    for n in 2 + op.carriedCount..<max(2 + op.carriedCount, step.inputs.count) {
      body.bind(n, try argument(i, n))
    }
    var runs = 0
    while runs < limit, holds {
      if shared.shouldStop?() == true { throw .interrupted }
      try bindNumbers(memory, body, runs, holds)
      for k in 0..<op.carriedCount { body.bind(2 + k, memory.carriedViews[k]) }
      try body.runSteps()
      holds = try condition(body.output(0), i)
      try carry(memory, body, op)
      for k in 0..<op.collectedCount { try collect(memory, body, op, k, runs, i) }
      body.releaseBlocks()
      runs += 1
    }
    try finish(memory, op, i, runs)
    memory.release(to: blocks)
  }

  private func bindNumbers(
    _ memory: LoopMemory, _ body: Session, _ run: Int, _ holds: Bool
  ) throws(SessionError) {
    let base = unsafe shared.blocks.base(memory.numbers)
    unsafe base.storeBytes(of: Int64(run), as: Int64.self)
    unsafe base.storeBytes(of: holds ? 1 : 0, toByteOffset: 8, as: UInt8.self)
    body.bind(
      0, unsafe TensorView(base: base, byteCount: 8, elementType: .i64, shape: Shape()))
    body.bind(
      1, unsafe TensorView(base: base + 8, byteCount: 1, elementType: .bool, shape: Shape()))
  }

  /// A block with what the body gives at `output`: its own, or a copy.
  private func take(_ body: Session, output n: Int) throws(SessionError) -> (Int, TensorView) {
    var view = body.output(n)
    guard view.encoding == nil, view.hasValue else {
      throw .preparation(
        .step(index: 0, name: body.program.outputs[n].name, ShapeError("is no plain tensor")))
    }
    let given = body.surrender(slot: body.outputSlot(n))
    let block = if let given { given } else { try shared.blocks.take(view.plainByteCount) }
    let source = view
    unsafe view.base = unsafe shared.blocks.base(block)
    view.byteCount = shared.blocks.capacity(block)
    if given == nil { copy(source, to: view) }
    return (block, view)
  }

  /// What the body gave is what it takes next. The old values go when all new ones are there: an output
  /// may be another value's input.
  private func carry(_ memory: LoopMemory, _ body: Session, _ op: Loop) throws(SessionError) {
    for k in 0..<op.carriedCount {
      (memory.next[k], memory.carriedViews[k]) = try take(body, output: 1 + k)
    }
    for k in 0..<op.carriedCount {
      if memory.carried[k] >= 0 { shared.blocks.give(memory.carried[k]) }
      memory.carried[k] = memory.next[k]
      memory.next[k] = -1
    }
  }

  /// Puts what the body gave behind what earlier runs did.
  private func collect(
    _ memory: LoopMemory, _ body: Session, _ op: Loop, _ k: Int, _ run: Int, _ i: Int
  ) throws(SessionError) {
    let view = body.output(1 + op.carriedCount + k)
    guard view.encoding == nil, view.hasValue, view.shape.rank < Shape.maximumRank else {
      throw failure(i, ShapeError("a body gives no plain tensor"))
    }
    if run == 0 {
      memory.collectedViews[k] = TensorView(elementType: view.elementType, shape: view.shape)
    }
    let first = memory.collectedViews[k]
    guard first.elementType == view.elementType, first.shape == view.shape else {
      throw failure(i, ShapeError("what a loop collects changes its shape"))
    }
    let (bytes, blocks) = (view.plainByteCount, shared.blocks)
    let (end, overflow) = bytes.multipliedReportingOverflow(by: run + 1)
    guard !overflow, end <= 1 << 46 else { throw .preparation(.outOfMemory(bytes: bytes)) }
    if memory.collected[k] < 0 || blocks.capacity(memory.collected[k]) < end {
      let larger = try blocks.take(memory.collected[k] < 0 ? end : 2 * end)
      if memory.collected[k] >= 0 {
        unsafe blocks.base(larger).copyMemory(
          from: blocks.base(memory.collected[k]), byteCount: run * bytes)
        blocks.give(memory.collected[k])
      }
      memory.collected[k] = larger
    }
    guard bytes > 0 else { return }
    precondition(bytes <= view.byteCount)
    unsafe (blocks.base(memory.collected[k]) + run * bytes).copyMemory(
      from: view.pointer, byteCount: bytes)
  }

  /// The step's outputs, once the body has run for the last time.
  private func finish(
    _ memory: LoopMemory, _ op: Loop, _ i: Int, _ runs: Int
  ) throws(SessionError) {
    let outputs = program.steps[i].outputs
    for k in 0..<op.carriedCount {
      let view = memory.carriedViews[k]
      guard view.encoding == nil else {
        throw failure(i, ShapeError("a quantized weight is not taken here", input: 2 + k))
      }
      try receive(outputs[k], view.elementType, view.shape, &memory.carried[k], copying: view)
    }
    for k in 0..<op.collectedCount {
      let one = memory.collectedViews[k]
      var shape = Shape([runs])
      if runs > 0 { for axis in 0..<one.shape.rank { shape.append(one.shape[axis]) } }
      let type = runs > 0 ? one.elementType : .f32
      try receive(
        outputs[op.carriedCount + k], type, shape, &memory.collected[k], copying: nil)
    }
  }

  /// Gives tensor `t` the block, or one with a copy where there is none.
  private func receive(
    _ t: Int, _ type: ElementType, _ shape: Shape, _ block: inout Int, copying view: TensorView?
  ) throws(SessionError) {
    preparation.tensors[t] = TensorView(elementType: type, shape: shape)
    if block >= 0 {
      setBlock(block, of: t)
      block = -1
    } else {
      try place(t)
      if let view { copy(view, to: preparation.tensors[t]) }
    }
  }
}
