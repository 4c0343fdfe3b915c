// One model ready to run: its arena, its tensors, and the loop over its steps.
import CPlatform
import Kernels
import Operators
import Programs
import Tensors

/// Runs a program over borrowed weights.
///
/// `init` and `prepare` check and may allocate; `run` trusts: for a program whose shapes all follow from
/// those of its inputs it neither allocates, locks, nor throws. Steps whose shapes follow from data are
/// prepared in the run, in memory outside of the arena, which is kept: runs over data of the same shapes
/// allocate nothing either.
@safe public final class Session {
  public let program: Program
  let preparation: Preparation
  let compute: Compute
  private let pool: ThreadPool?
  /// Inputs then outputs of every step, one after the other.
  let indices: UnsafeMutablePointer<Int32>
  /// Where each step's begin.
  private(set) var firstIndex: [Int] = []
  private var contexts: [StepContext] = []
  private var runnable: [Int] = []
  private(set) var arena: UnsafeMutableRawPointer?
  private var arenaCapacity = 0
  private var claimedStaticBytes = 0
  /// Memory for what is found in a run, the bodies' too.
  let shared: SharedResources
  /// A session for each body of the program.
  private(set) var bodies: [Session] = []
  /// The block of each slot; -1 for slots in the arena or without memory.
  var blockOf: [Int]
  private(set) var isOpenInput: [Bool]
  /// Slots that each step is the last to need, where they may have blocks.
  private(set) var dying: [[Int]]
  /// Tensors whose texts a run finds when it begins: inputs, those of states too, unless this is a body;
  /// and what was computed while preparing.
  var lastingTexts: [Int] = []
  /// What each step that is a loop holds, and all of these.
  private(set) var loopOf: [LoopMemory?]
  private(set) var loops: [LoopMemory] = []
  private var symbolValues: [Int] = []
  /// Runs inside of another session, which owns what its inputs are.
  let isBody: Bool
  /// The plan in use: the program's own, or one made here for larger data.
  public private(set) var plan: ArenaPlan

  /// weights: a view per program weight, whose bytes outlive the session.
  /// threads: counts the caller; 1 starts none.
  /// sharedPool: that many threads to run on, where sessions that run one after the other share them.
  /// maximumBytes: refuses to take more beside the weights, now, for larger inputs or in a run: the
  /// system would grant more than it has.
  public convenience init(
    program: Program, weights: [TensorView], threads: Int = 1, kernels: KernelSet = .best,
    sharedPool: ThreadPool? = nil, maximumBytes: Int = .max
  ) throws(SessionError) {
    let pool: ThreadPool?
    if let sharedPool {
      pool = sharedPool
    } else if threads > 1 {
      do throws(ThreadPoolError) {
        pool = try ThreadPool(threads: threads)
      } catch {
        throw .threads(threads)
      }
    } else {
      pool = nil
    }
    let texts = TextPool(program.texts, maximumBytes: maximumBytes)
    let compute = unsafe Compute(
      kernels: kernels.table, pool: pool?.handle, threads: max(threads, 1), texts: texts)
    try self.init(
      program, weights, all: weights, compute, pool,
      SharedResources(maximumBytes: maximumBytes))
    try placeOpenInputs([Shape?](repeating: nil, count: program.inputs.count))
  }

  /// all: the weights of the outermost program, which bodies refer to.
  private init(
    _ program: Program, _ weights: [TensorView], all: [TensorView], _ compute: Compute,
    _ pool: ThreadPool?, _ shared: SharedResources, isBody: Bool = false
  ) throws(SessionError) {
    self.program = program
    self.isBody = isBody
    self.compute = compute
    self.pool = pool
    self.shared = shared
    plan = program.plan
    preparation = Preparation(program, weights: weights, compute: compute)
    blockOf = [Int](repeating: -1, count: program.slotCount)
    isOpenInput = [Bool](repeating: false, count: program.slotCount)
    dying = [[Int]](repeating: [], count: program.steps.count)
    loopOf = [LoopMemory?](repeating: nil, count: program.steps.count)
    var total = 0
    for step in program.steps { total += step.inputs.count + step.outputs.count }
    unsafe indices = .allocate(capacity: max(total, 1))
    var at = 0
    for step in program.steps {
      firstIndex.append(at)
      for t in step.inputs + step.outputs {
        unsafe indices[at] = Int32(t)
        at += 1
      }
    }
    for i in program.steps.indices where !preparation.isStatic[i] { runnable.append(i) }
    for input in program.inputs where input.isOpen {
      isOpenInput[input.tensor - program.weights.count] = true
    }
    if preparation.isOpen { planBlocks() }
    for body in program.bodies {
      bodies.append(
        try Session(
          body, body.sharedWeights.map { all[$0] }, all: all, compute, nil, shared, isBody: true))
    }
    try prepare(values: program.symbols.map { $0.limit })
  }

  /// Who holds blocks, and until when.
  private func planBlocks() {
    for (s, step) in preparation.lastUse.enumerated() where program.steps.indices.contains(step) {
      if preparation.isDynamic[step] { dying[step].append(s) }
    }
    for (i, step) in program.steps.enumerated() {
      guard case .loop(let op) = step.op else { continue }
      let memory = LoopMemory(op)
      loopOf[i] = memory
      loops.append(memory)
    }
  }

  deinit {
    for block in blockOf where block >= 0 { shared.blocks.give(block) }
    if let arena = unsafe arena { unsafe munmap(arena, arenaCapacity) }
    unsafe indices.deallocate()
  }

  // MARK: Preparing

  /// Makes the session ready for inputs of these shapes, in the program's order; nil leaves an input to
  /// follow the others' symbols.
  public func prepare(shapes: [Shape?]) throws(SessionError) {
    let values: [Int]
    do throws(PreparationError) {
      values = try preparation.bind(shapes)
    } catch {
      throw .preparation(error)
    }
    dropTexts()
    if values != symbolValues { try prepare(values: values) }
    try placeOpenInputs(shapes)
  }

  /// Gives inputs of any shape memory for these shapes.
  private func placeOpenInputs(_ shapes: [Shape?]) throws(SessionError) {
    for (i, input) in program.inputs.enumerated() where input.isOpen {
      // Its memory stays as it is while its shape does: what the caller does not fill is kept.
      let shape = shapes[i] ?? preparation.tensors[input.tensor].shape
      let held = blockOf[input.tensor - program.weights.count] >= 0
      if held, preparation.tensors[input.tensor].shape == shape { continue }
      preparation.tensors[input.tensor] = TensorView(elementType: input.elementType, shape: shape)
      guard let count = shape.checkedElementCount, count <= 1 << 40 else {
        throw .preparation(
          .input(name: input.name, expected: "at most 2^40 elements", found: "more"))
      }
      try place(input.tensor)
      let view = preparation.tensors[input.tensor]
      unsafe view.pointer.initializeMemory(
        as: UInt8.self, repeating: 0, count: view.plainByteCount)
    }
  }

  private func prepare(values: [Int]) throws(SessionError) {
    symbolValues = []
    do throws(PreparationError) {
      try preparation.prepare(
        values, maximumStaticBytes: min(shared.blocks.maximumBytes, 1 << 30))
    } catch {
      throw .preparation(error)
    }
    try shared.blocks.claim(preparation.staticBytes - claimedStaticBytes)
    claimedStaticBytes = preparation.staticBytes
    let (slots, scratch) = (preparation.slotBytes, preparation.scratchBytes)
    if program.plan.covers(program, slotBytes: slots, scratchBytes: scratch) {
      plan = program.plan
    } else if !plan.covers(program, slotBytes: slots, scratchBytes: scratch) {
      plan = ArenaPlan(program, slotBytes: slots, scratchBytes: scratch)
    }
    try reserve(plan.arenaBytes)
    place()
    symbolValues = values
    resetStates()
    findLastingTexts()
  }

  /// Grows the arena; it never shrinks.
  private func reserve(_ bytes: Int) throws(SessionError) {
    guard bytes > arenaCapacity else { return }
    try shared.blocks.claim(bytes - arenaCapacity)
    if let old = unsafe arena { unsafe munmap(old, arenaCapacity) }
    unsafe arena = nil
    arenaCapacity = 0
    guard let memory = unsafe kp_map_anonymous(bytes) else {
      try shared.blocks.claim(-bytes)
      throw .preparation(.outOfMemory(bytes: bytes))
    }
    unsafe arena = unsafe memory
    arenaCapacity = bytes
  }

  /// Points every tensor and every step at its place in the arena; those with blocks find theirs in
  /// the run.
  private func place() {
    let w = program.weights.count
    let table = preparation.tensors
    // A program without slots in memory still has tensors of zero bytes to point somewhere.
    let base = unsafe arena ?? UnsafeMutableRawPointer(bitPattern: 64)!
    for s in 0..<program.slotCount where !table[w + s].hasValue {
      var view = table[w + s]
      unsafe view.base = unsafe base + plan.offsets[s]
      view.byteCount = plan.capacities[s]
      table[w + s] = view
    }
    contexts.removeAll(keepingCapacity: true)
    var at = 0
    for (i, step) in program.steps.enumerated() {
      let scratch = plan.scratchCapacities[i]
      unsafe contexts.append(
        table.context(
          indices + at, inputCount: step.inputs.count, outputCount: step.outputs.count,
          compute: compute, scratch: scratch > 0 ? base + plan.scratchOffsets[i] : nil,
          scratchBytes: scratch))
      at += step.inputs.count + step.outputs.count
    }
  }

  /// Sets everything that is carried from call to call to zero.
  public func resetStates() {
    for state in program.states {
      let view = preparation.tensors[program.inputs[state.input].tensor]
      if view.plainByteCount > 0 {
        unsafe view.pointer.initializeMemory(
          as: UInt8.self, repeating: 0, count: view.plainByteCount)
      }
    }
  }

  // MARK: Running

  /// The memory of input `i` at its present shape: fill it before `run`.
  public func input(_ i: Int) -> TensorView { preparation.tensors[program.inputs[i].tensor] }

  /// Output `i` after `run`; valid until the next `run` or `prepare`.
  public func output(_ i: Int) -> TensorView { preparation.tensors[program.outputs[i].tensor] }

  /// The present shape of any tensor of the program.
  public func shape(of tensor: Int) -> Shape { preparation.tensors[tensor].shape }

  /// Steps that `run` runs, by their index in the program.
  public var runnableSteps: [Int] { runnable }

  /// Asked now and then in a run whose length follows from data; true ends it with `interrupted`.
  public var shouldStop: (() -> Bool)? {
    get { shared.shouldStop }
    set { shared.shouldStop = newValue }
  }

  /// One inference. Throws only where shapes follow from data, and that data asks for what cannot be
  /// done or takes too much memory.
  public func run() throws(SessionError) {
    pool?.setBusy(true)
    defer { pool?.setBusy(false) }
    dropTexts()
    try runSteps()
    try carryStates()
  }

  /// The steps alone, for bodies: their texts last as long as the whole run's.
  func runSteps() throws(SessionError) {
    if preparation.isOpen { releaseBlocks() }
    for i in runnable { try runStep(i) }
  }

  func context(_ i: Int) -> StepContext { contexts[i] }

  private func runStep(_ i: Int) throws(SessionError) {
    if preparation.isDynamic[i] {
      try runDynamic(i)
    } else {
      program.steps[i].op.run(contexts[i])
    }
    if texts.hasOverflowed {
      throw .preparation(.outOfMemory(bytes: texts.maximumBytes))
    }
  }

  /// One inference with a clock read after every step: `nanoseconds` gets one figure per entry of
  /// `runnableSteps`.
  public func run(nanoseconds: inout [UInt64]) throws(SessionError) {
    pool?.setBusy(true)
    defer { pool?.setBusy(false) }
    dropTexts()
    if preparation.isOpen { releaseBlocks() }
    var before = kp_now_ns()
    for (n, i) in runnable.enumerated() {
      try runStep(i)
      let now = kp_now_ns()
      if n < nanoseconds.count { nanoseconds[n] = now &- before }
      before = now
    }
    try carryStates()
  }

  private func carryStates() throws(SessionError) {
    for state in program.states {
      let from = preparation.tensors[state.tensor]
      let to = preparation.tensors[program.inputs[state.input].tensor]
      if from.shape != to.shape || from.elementType != to.elementType {
        throw .preparation(
          .input(
            name: program.inputs[state.input].name, expected: to.shape.description,
            found: from.shape.description))
      }
      guard from.plainByteCount == to.plainByteCount, from.plainByteCount > 0 else { continue }
      unsafe to.pointer.copyMemory(from: from.pointer, byteCount: from.plainByteCount)
    }
  }

  // MARK: Figures

  /// Bytes of the arena, which is allocated once.
  public var arenaBytes: Int { plan.arenaBytes }
  /// Bytes held for values whose sizes were found in runs.
  public var dynamicBytes: Int { shared.blocks.blockBytes }
  /// Bytes of values computed while preparing.
  public var staticBytes: Int { preparation.staticBytes }
  /// Multiply-accumulates of each program step at the present shapes.
  public var multiplyAccumulates: [Int] { preparation.multiplyAccumulates }
  public var threadCount: Int { compute.threads }
}

/// Why a session cannot be made or prepared.
public enum SessionError: Error, Sendable {
  case preparation(PreparationError)
  /// The system gives no more threads.
  case threads(Int)
  /// `shouldStop` ended the run.
  case interrupted
}

extension SessionError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .preparation(let e): e.description
    case .threads(let n): "cannot start \(n) threads"
    case .interrupted: "was stopped"
    }
  }
}
