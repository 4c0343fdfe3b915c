// One direction of a recurrent layer: LSTM, GRU or plain RNN over all time steps.
import CKernels
import Tensors

/// What a cell computes. Raw values are part of the bundle format.
public enum RecurrentKind: Int, Sendable, CaseIterable {
  /// hₜ = f(xₜ + hₜ₋₁ R).
  case rnn = 0
  /// Gates in the order update z, reset r, candidate n:
  /// z = f(x_z + h R_z), r = f(x_r + h R_r), n = g(x_n + (r ⊙ h) R_n), h = (1 − z) ⊙ n + z ⊙ h.
  case gru
  /// The same with the reset behind the product: n = g(x_n + r ⊙ (h R_n + b)).
  case gruResetAfter
  /// Gates in the order input i, output o, forget f, candidate g:
  /// c = f ⊙ c + i ⊙ g, h = o ⊙ h(c).
  case lstm

  /// Gates of one cell.
  public var gates: Int {
    switch self {
    case .rnn: 1
    case .gru, .gruResetAfter: 3
    case .lstm: 4
    }
  }
}

/// A recurrent layer in one direction, behind its input projection: x W + b of all time steps is one
/// matrix product, which stands before this step.
///
/// inputs: 0 projections f32 [time, batch, gates · hidden]; 1 recurrent weight [hidden, gates · hidden]
/// ([hidden, 2 · hidden] for `gru`), f32 or in panels; 2 candidate weight [hidden, hidden], `gru` only;
/// 3 candidate bias f32 [hidden], `gruResetAfter` only; 4 lengths i32 [batch]; 5 initial hidden state and
/// 6 initial cell f32 [batch, hidden]; 7 peepholes f32 [3 · hidden] to i, o and f, `lstm` only. From 2 on
/// but for 2 in `gru` all are optional.
/// outputs: hidden states [time, batch, hidden], zero behind a sequence's length; the last hidden state
/// [batch, hidden]; with `lstm` the last cell [batch, hidden].
public struct Recurrent: OperatorDefinition {
  public static var code: Int { 130 }
  public static var name: StaticString { "Recurrent" }

  public var kind: RecurrentKind
  /// From a sequence's last step to its first.
  public var isReverse: Bool
  /// The forget gate is 1 less the input gate.
  public var couplesForget: Bool
  /// What the activations of gates and candidates take is clipped to ±clip; 0: it is not.
  public var clip: Float
  /// The new cell of an `lstm` is clipped to ±cellClip; 0: it is not.
  public var cellClip: Float
  /// Of the gates; of the candidate; of the cell.
  public var f: RecurrentActivation
  public var g: RecurrentActivation
  public var h: RecurrentActivation

  public init(
    _ kind: RecurrentKind, isReverse: Bool = false, couplesForget: Bool = false, clip: Float = 0,
    cellClip: Float = 0, f: RecurrentActivation? = nil,
    g: RecurrentActivation = RecurrentActivation(.tanh),
    h: RecurrentActivation = RecurrentActivation(.tanh)
  ) {
    self.kind = kind
    self.isReverse = isReverse
    self.couplesForget = couplesForget
    self.clip = clip
    self.cellClip = cellClip
    self.f = f ?? RecurrentActivation(kind == .rnn ? .tanh : .sigmoid)
    self.g = g
    self.h = h
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let kind = RecurrentKind(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown recurrent cell")
    }
    self.kind = kind
    isReverse = try attributes.bool()
    couplesForget = try attributes.bool()
    clip = try attributes.float()
    cellClip = try attributes.float()
    f = try RecurrentActivation(from: &attributes)
    g = try RecurrentActivation(from: &attributes)
    h = try RecurrentActivation(from: &attributes)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(kind.rawValue)
    attributes.put(isReverse)
    attributes.put(couplesForget)
    attributes.put(clip)
    attributes.put(cellClip)
    f.encode(into: &attributes)
    g.encode(into: &attributes)
    h.encode(into: &attributes)
  }

  private var outputCount: Int { kind == .lstm ? 3 : 2 }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...8, outputs: outputCount)
    let x = step.input(0).shape
    let r = step.input(1).shape
    guard x.rank == 3 else {
      throw ShapeError("wrong rank", input: 0, expected: 3, found: x.rank)
    }
    guard r.rank == 2 else {
      throw ShapeError("wrong rank", input: 1, expected: 2, found: r.rank)
    }
    let hidden = r[0]
    let columns = (kind == .gru ? 2 : kind.gates) * hidden
    guard r[1] == columns else {
      throw ShapeError("wrong number of columns", input: 1, expected: columns, found: r[1])
    }
    guard x[2] == kind.gates * hidden else {
      throw ShapeError(
        "wrong width", input: 0, expected: kind.gates * hidden, found: x[2])
    }
    for i in 0..<step.inputCount where step.has(i) {
      try step.require(i, is: i == 4 ? .i32 : .f32)
      if i != 1 && i != 2 { try step.requirePlain(i) }
      if let encoding = step.input(i).encoding, encoding.layout != .panels {
        throw ShapeError("a weight must be one matrix in panels", input: i)
      }
    }
    guard step.has(2) == (kind == .gru) else {
      throw ShapeError("is for GRUs that reset before the product", input: 2)
    }
    for (i, user) in [(3, RecurrentKind.gruResetAfter), (6, .lstm), (7, .lstm)]
    where step.has(i) && kind != user {
      throw ShapeError("is not for this cell", input: i)
    }
    let batch = x[1]
    try require(step, 2, Shape([hidden, hidden]))
    try require(step, 3, Shape([hidden]))
    try require(step, 4, Shape([batch]))
    try require(step, 5, Shape([batch, hidden]))
    try require(step, 6, Shape([batch, hidden]))
    try require(step, 7, Shape([3 * hidden]))
    step.setOutput(0, .f32, Shape([x[0], batch, hidden]))
    for i in 1..<outputCount { step.setOutput(i, .f32, Shape([batch, hidden])) }
  }

  private func require(_ step: StepContext, _ i: Int, _ shape: Shape) throws(ShapeError) {
    guard step.has(i), step.input(i).shape != shape else { return }
    throw ShapeError("does not fit the weights and the batch", input: i)
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    let x = step.input(0).shape
    return (x[0] * x[1]).saturatingProduct(step.input(1).shape[0]).saturatingProduct(x[2])
  }

  public func scratchBytes(_ step: StepContext) -> Int { RecurrentLayout(self, step).total }

  public func run(_ step: StepContext) {
    let x = step.input(0).shape
    guard step.output(1).shape.elementCount > 0 else { return }
    let layout = RecurrentLayout(self, step)
    layout.main.load(step.input(1), step)
    if let candidate = layout.candidate { candidate.load(step.input(2), step) }
    unsafe RecurrentRun(self, step, layout).run(time: x[0], batch: x[1])
  }
}

/// Where the parts of a recurrent step's scratch start, in bytes.
struct RecurrentLayout {
  let main: RecurrentWeight
  /// Of GRUs that reset before the product.
  let candidate: RecurrentWeight?
  /// Gates of one time step [batch, gates · hidden].
  let gates: Int
  /// Products of the hidden state of GRUs that reset after it [batch, 3 · hidden]; else one row or
  /// state of numbers on their way [batch, hidden].
  let extra: Int
  let extraWidth: Int
  let total: Int

  init(_ op: Recurrent, _ step: StepContext) {
    let x = step.input(0).shape
    let batch = x[1]
    let hidden = step.input(1).shape[0]
    main = RecurrentWeight(step.input(1), rows: batch, scratchAt: 0)
    var at = main.scratchBytes
    if op.kind == .gru {
      let weight = RecurrentWeight(step.input(2), rows: batch, scratchAt: at)
      at += weight.scratchBytes
      candidate = weight
    } else {
      candidate = nil
    }
    gates = at
    at += (batch * x[2] * 4 + 63) & ~63
    extra = at
    extraWidth = op.kind == .gruResetAfter ? 3 * hidden : hidden
    at += (batch * extraWidth * 4 + 63) & ~63
    total = at
  }
}
