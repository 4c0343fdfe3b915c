// One model ready to run: its arena, its tensors, and the loop over its steps.
import CPlatform
import Kernels
import Operators
import Programs
import Tensors

/// Runs a program over borrowed weights.
///
/// `init` and `prepare` check and may allocate; `run` trusts: it neither allocates, locks, nor throws.
@safe public final class Session {
  public let program: Program
  private let preparation: Preparation
  private let compute: Compute
  private let pool: ThreadPool?
  /// Inputs then outputs of every step, one after the other.
  private let indices: UnsafeMutablePointer<Int32>
  private var contexts: [StepContext] = []
  private var runnable: [Int] = []
  private var arena: UnsafeMutableRawPointer?
  private var arenaCapacity = 0
  private let maximumArenaBytes: Int
  private var symbolValues: [Int] = []
  /// The plan in use: the program's own, or one made here for larger data.
  public private(set) var plan: ArenaPlan

  /// weights: a view per program weight, whose bytes outlive the session.
  /// threads: counts the caller; 1 starts none.
  /// maximumArenaBytes: refuses to reserve more, now or for larger inputs: the system would grant
  /// more than it has.
  public init(
    program: Program, weights: [TensorView], threads: Int = 1, kernels: KernelSet = .best,
    maximumArenaBytes: Int = .max
  ) throws(SessionError) {
    self.program = program
    self.maximumArenaBytes = maximumArenaBytes
    plan = program.plan
    if threads > 1 {
      do throws(ThreadPoolError) {
        pool = try ThreadPool(threads: threads)
      } catch {
        throw .threads(threads)
      }
    } else {
      pool = nil
    }
    compute = unsafe Compute(
      kernels: kernels.table, pool: pool?.handle, threads: max(threads, 1))
    preparation = Preparation(program, weights: weights, compute: compute)
    var total = 0
    for step in program.steps { total += step.inputs.count + step.outputs.count }
    unsafe indices = .allocate(capacity: max(total, 1))
    var at = 0
    for step in program.steps {
      for t in step.inputs + step.outputs {
        unsafe indices[at] = Int32(t)
        at += 1
      }
    }
    for i in program.steps.indices where !preparation.isStatic[i] { runnable.append(i) }
    try prepare(values: program.symbols.map { $0.limit })
  }

  deinit {
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
    guard values != symbolValues else { return }
    try prepare(values: values)
  }

  private func prepare(values: [Int]) throws(SessionError) {
    symbolValues = []
    do throws(PreparationError) {
      try preparation.prepare(values)
    } catch {
      throw .preparation(error)
    }
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
  }

  /// Grows the arena; it never shrinks.
  private func reserve(_ bytes: Int) throws(SessionError) {
    guard bytes > arenaCapacity else { return }
    guard bytes <= maximumArenaBytes else { throw .preparation(.outOfMemory(bytes: bytes)) }
    if let old = unsafe arena { unsafe munmap(old, arenaCapacity) }
    unsafe arena = nil
    arenaCapacity = 0
    guard let memory = unsafe kp_map_anonymous(bytes) else {
      throw .preparation(.outOfMemory(bytes: bytes))
    }
    unsafe arena = unsafe memory
    arenaCapacity = bytes
  }

  /// Points every tensor and every step at its place in the arena.
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

  /// One inference.
  public func run() {
    for i in runnable { program.steps[i].op.run(contexts[i]) }
    carryStates()
  }

  /// One inference with a clock read after every step: `nanoseconds` gets one figure per entry of
  /// `runnableSteps`.
  public func run(nanoseconds: inout [UInt64]) {
    var before = kp_now_ns()
    for (n, i) in runnable.enumerated() {
      program.steps[i].op.run(contexts[i])
      let now = kp_now_ns()
      if n < nanoseconds.count { nanoseconds[n] = now &- before }
      before = now
    }
    carryStates()
  }

  private func carryStates() {
    for state in program.states {
      let from = preparation.tensors[state.tensor]
      let to = preparation.tensors[program.inputs[state.input].tensor]
      guard from.plainByteCount == to.plainByteCount, from.plainByteCount > 0 else { continue }
      unsafe to.pointer.copyMemory(from: from.pointer, byteCount: from.plainByteCount)
    }
  }

  // MARK: Figures

  /// Bytes of the arena, which is allocated once.
  public var arenaBytes: Int { plan.arenaBytes }
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
}

extension SessionError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .preparation(let e): e.description
    case .threads(let n): "cannot start \(n) threads"
    }
  }
}
